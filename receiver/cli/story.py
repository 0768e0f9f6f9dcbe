"""One event or action told to a person: what came in, which rules were looked at and why, what was done."""

from __future__ import annotations

import json
from typing import Any

from rich.text import Text

from receiver.cli.output import cell, console
from receiver.story.words import UNSIGNED

_BRIEF = 240  # characters: `--json` shows the rest

_VERDICTS = {True: ("fired", "green"), False: ("did not fire", "dim"), None: ("undecided", "yellow")}
_VALUES = {True: ("true", "green"), False: ("false", "red"), None: ("undecided", "yellow")}
_STATES = {"done": "green", "noop": "green", "failed": "red", "dead": "red", "skipped": "dim", "rejected": "dim"}


def tell_event(document: dict[str, Any]) -> None:
    """Print one event, whole."""
    event, out = document.get("event") or {}, console()
    out.print(Text(f"{document['event_id']}  {cell(event.get('type'))}  {cell(event.get('status'))}", style="bold"))
    _line("session", event.get("session_id"))
    _line("received", f"{document['received_at']} from {document['source']}, {document['deliveries']} deliveries")
    receipt = document.get("receipt")
    if receipt:
        unsigned = UNSIGNED.get(receipt["method"])
        if unsigned:
            _line("proof", f"{unsigned} (source {document['source']})")
        else:
            _line("verified by", _receipt(receipt))
        _line("noted", receipt.get("notes"))
    _line("tags", event.get("tags"))
    tell_decision(document["decision"])
    for action in document["actions"]:
        tell_action(action)


def _receipt(receipt: dict[str, Any]) -> str:
    """How a delivery proved itself; schemes without secrets or without a time say less."""
    said = [
        f"{name} {receipt[key]}"
        for name, key in (("secret", "secret"), ("signed at", "signed_at"))
        if receipt[key] is not None
    ]
    return ", ".join([receipt["method"], *said])


def tell_decision(decision: dict[str, Any] | None) -> None:
    """Print the reasons of one decision."""
    if decision is None:
        return
    policy = decision["policy"]
    _line("decision", f"{decision['outcome']} under {policy['name']} {policy['sha256'][:12]} ({policy['mode']})")
    if decision.get("reason"):
        _line("because", decision["reason"])
    if decision["status"]:
        _line("status set", decision["status"])
    tell_lets(decision)
    for rule in decision["rules"]:
        verdict, style = _VERDICTS[rule["fired"]]
        shadow = " (shadow)" if rule["mode"] == "shadow" else ""
        console().print(Text(f"  rule {rule['id']} (line {rule['line']}): ").append(verdict + shadow, style=style))
        for condition in rule["conditions"]:
            _condition(condition)


def tell_lets(decision: dict[str, Any]) -> None:
    """Print how the `let` values that were needed came out."""
    for let in decision.get("let", ()):
        text = Text(f"  let {let['name']} = {brief(let['value'])}")
        if let["inputs"] or let["missing"]:  # else it is a constant
            text.append(f"  (line {let['line']}: {cell(let['expr'])})", style="dim")
        console().print(text)
        tell_inputs(let)


def tell_inputs(told: dict[str, Any]) -> None:
    """Print the values that a condition or a `let` value read, and what was missing."""
    for path, value in told["inputs"].items():
        console().print(Text(f"      {path} = {brief(value)}", style="dim"))
    if told["missing"]:
        console().print(Text(f"      missing: {', '.join(told['missing'])}", style="yellow"))


def _condition(condition: dict[str, Any]) -> None:
    word, style = _VALUES[condition["value"]]
    text = Text(f"    {cell(condition['expr'])}  is ").append(word, style=style)
    known = ", ".join(f"{path} = {brief(value)}" for path, value in condition["inputs"].items())
    if known:
        text.append(f"   {known}", style="dim")
    if condition["missing"]:
        text.append(f"   missing: {', '.join(condition['missing'])}", style="yellow")
    console().print(text)


def tell_action(action: dict[str, Any]) -> None:
    """Print one action and its attempts."""
    text = Text(f"  -> {action['name']} {brief(action['params'])} ")
    text.append(action["state"], style=_STATES.get(action["state"], "yellow"))
    if action.get("reason"):
        text.append(f"  ({cell(action['reason'])})")
    text.append(f"  {action['action_id']}", style="dim")
    console().print(text)
    for attempt in action.get("attempts") or []:
        status = f", HTTP {attempt['http_status']}" if attempt.get("http_status") else ""
        ended = f"{attempt['outcome']}{status}, {attempt['latency_ms']} ms" if attempt["outcome"] else "in flight"
        console().print(Text(f"       attempt {attempt['n']} at {attempt['at']}: {ended}", style="dim"))
    for deed in action.get("deeds") or []:
        why = f": {cell(deed['reason'])}" if deed.get("reason") else ""
        console().print(Text(f"       {deed['act']} by {cell(deed['actor'])} at {deed['at']}{why}", style="dim"))
    if action.get("result"):
        console().print(Text(f"       came back: {brief(action['result'])}", style="dim"))


def brief(value: Any) -> str:
    """A value as JSON on one line, cut where it gets long."""
    text = cell(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _BRIEF else f"{text[:_BRIEF]} ..."


def _line(name: str, value: Any) -> None:
    console().print(Text(f"  {name:<12}", style="dim").append(cell(value)))
