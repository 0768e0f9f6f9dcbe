"""The reasons of a decision told at length: each rule, each condition with its values, which one decided, and what
would have turned it.
"""

from __future__ import annotations

from typing import Any

from rich.text import Text

from receiver.cli.output import cell, console
from receiver.cli.story import brief, tell_inputs, tell_lets
from receiver.contract import PlannedAction
from receiver.policy.would_change import decides
from receiver.story.words import change_words

_VERDICTS = {True: ("fires", "green"), False: ("does not fire", "dim"), None: ("undecided", "yellow")}
_VALUES = {True: ("true", "green"), False: ("false", "red"), None: ("undecided", "yellow")}


def tell_reasons(decision: dict[str, Any]) -> None:
    """Print a decision's document (`policy/explain.py`), with what `policy/would_change.py` added to it."""
    policy = decision["policy"]
    _fact("decision", f"{decision['outcome']} under {policy['name']} {policy['sha256'][:12]} ({policy['mode']})")
    if decision.get("reason"):
        _fact("because", decision["reason"])
    _fact("status set", decision["status"])
    tell_lets(decision)
    for rule in decision["rules"]:
        tell_rule(rule)
    if not decision["rules"]:
        console().print(Text("  no rule is for this event: no event type and tags match"))


def tell_rule(rule: dict[str, Any]) -> None:
    """Print one rule of a decision's document."""
    verdict, style = _VERDICTS[rule["fired"]]
    shadow = " (shadow)" if rule["mode"] == "shadow" else ""
    console().print(Text(f"  rule {rule['id']} (line {rule['line']}): ").append(verdict + shadow, style=style))
    deciding = [decides(condition, rule["fired"]) for condition in rule["conditions"]]
    for condition, decided in zip(rule["conditions"], deciding, strict=True):
        _tell_condition(condition, decided=decided and not all(deciding))


def _tell_condition(condition: dict[str, Any], *, decided: bool) -> None:
    word, style = _VALUES[condition["value"]]
    text = Text(f"    line {condition['line']}: {cell(condition['expr'])}  is ").append(word, style=style)
    if decided:
        text.append("  <- this decided", style="bold")
    console().print(text)
    tell_inputs(condition)
    if "would_change" in condition:
        console().print(Text(f"      {would_change_text(condition['would_change'])}", style="cyan"))


def would_change_text(change: dict[str, Any]) -> str:
    """Such as `would be true if event.liveness.score were below 60.0`."""
    return change_words(change, brief(change["value"]))


def tell_planned(action: PlannedAction) -> None:
    """Print an action that a decision asks for, and that nobody carried out."""
    reason = f" ({cell(action.reason)})" if action.reason else ""
    console().print(Text(f"  -> {action.name} {brief(action.params)} of rule {action.rule}: {action.state}{reason}"))


def _fact(name: str, value: Any) -> None:
    console().print(Text(f"  {name:<12}", style="dim").append(cell(value)))
