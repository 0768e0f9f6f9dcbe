"""The life of a session (`receiver/story/tell.py`) printed for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from receiver.cli.output import cell, console
from receiver.cli.story import brief
from receiver.story.summary import counted
from receiver.story.words import VALUES

_STYLES = {True: "green", False: "dim", None: "yellow"}


def tell_life(story: Mapping[str, Any]) -> None:
    """Print it whole."""
    what = f"session {cell(story['session_id'])}" if story["session_id"] is not None else "an event without a session"
    _line(0, f"{what} of {cell(story['source'])}", "bold")
    for sentence in story["summary"]:
        _line(2, f"- {cell(sentence)}")
    _head("statuses", story["statuses"])
    for status in story["statuses"]:
        _line(2, f"{status['at']}  {cell(status['status'])}  {status['how']}")
    for number, event in enumerate(story["events"], 1):
        _tell_event(number, event)
    _head("by hand", story["people"])
    for deed in story["people"]:
        _line(2, _deed(deed, deed["what"]))
    _head("policy", story["policies"])
    for policy in story["policies"]:
        _tell_policy(policy)
    _head("read by", story["reads"])
    for read in story["reads"]:
        _line(2, f"{read['at']}  {cell(read['actor'])}: {cell(read['what'])}{_entry(read['idx'])}")
    _tell_record(story)


def _tell_event(number: int, event: Mapping[str, Any]) -> None:
    what = "result" if event["parent_id"] else "message"
    status = f", status {cell(event['status'])}" if event["status"] else ""
    console().print()
    _line(0, f"{number}. {what} {cell(event['type'])}{status}{_entry(event['idx'])}", "bold")
    _line(2, f"{event['event_id']} received {event['received_at']}", "dim")
    if event["verified"]:
        deliveries = f", delivered {event['deliveries']} times" if event["deliveries"] > 1 else ""
        _tell_proof(event["verified"], f"(source {cell(event['source'])}){deliveries}")
    if event["stale"]:
        _line(2, "late: something newer was known of the session already", "yellow")
    if event["echo"]:
        _line(2, "echo: the vendor reports what our own call brought about", "dim")
    if event["erased"]:
        _line(2, f"erased or removed: {cell(event['erased'])}", "yellow")
    if event["unreadable"]:
        _line(2, f"cannot be read, and was not erased: {cell(event['unreadable'])}", "red")
    for tag in event["tags"] if not event["parent_id"] else ():
        said = ", ".join(cell(tag[name]) for name in ("severity", "feature") if tag[name])
        _line(2, f"warning {cell(tag['tag'])}: {cell(tag['words'])}{f' ({said})' if said else ''}")
    for decision in event["decisions"]:
        _tell_decision(decision)
    for action in event["actions"]:
        _tell_action(action)
    for review in event["reviews"]:
        _tell_review(review)


def _tell_proof(verified: Mapping[str, Any], rest: str) -> None:
    if verified["unsigned"]:
        _line(2, f"{verified['unsigned']} {rest}", "yellow")
        return
    at = f"signed at {cell(verified['signed_at'])}" if verified["signed_at"] else "at a time that is not signed"
    _line(2, f"verified by {cell(verified['method'])}, {at} {rest}", "dim")


def _tell_decision(decision: Mapping[str, Any]) -> None:
    policy = decision["policy"]
    by = "" if decision["actor"] == "engine" else f" at the wish of {cell(decision['actor'])}"
    under = f"{cell(policy['name'])} {policy['sha256'][:12]} ({policy['mode']})"
    _line(2, f"{decision['outcome']} {decision['at']}{by} under {under}{_entry(decision['idx'])}")
    if decision["reason"]:
        _line(4, f"because {cell(decision['reason'])}", "yellow")
    if decision["status"]:
        _line(4, f"status to be set: {cell(decision['status'])}")
    if decision["erased"]:
        _line(4, "conditions and values were erased with the person's data", "yellow")
    if decision["unreadable"]:
        _line(4, "conditions and values cannot be read, and were not erased", "red")
    if decision["let"]:
        _line(4, "values that the policy worked out:")
    for let in decision["let"]:
        fixed = not (let["inputs"] or let["missing"])
        how = "fixed" if fixed else f"line {let['line']}: {cell(let['expr'])}"
        _line(6, f"{cell(let['name'])} = {brief(let['value'])}  ({how})", "dim")
        _tell_inputs(let)
    for rule in decision["rules"]:
        _tell_rule(rule)


def _tell_inputs(told: Mapping[str, Any]) -> None:
    """The values that a condition or a value of the policy's own read, and what was missing."""
    for each in told["inputs"]:
        words = f"  ({each['words']})" if each["words"] else ""
        _line(8, f"{cell(each['path'])} = {brief(each['value'])}{words}", "dim")
    if told["missing"]:
        _line(8, f"not there: {cell(told['missing'])}", "yellow")


def _tell_rule(rule: Mapping[str, Any]) -> None:
    trial = " (shadow)" if rule["mode"] == "shadow" else ""
    line = "as its entry says" if rule["line"] is None else f"line {rule['line']}"
    _line(4, f"rule {cell(rule['id'])} {rule['words']}{trial} ({line})", _STYLES[rule["fired"]])
    if rule["description"] and rule["fired"] is not False:
        _line(6, cell(rule["description"]), "dim")
    shown = [each for each in rule["conditions"] if each["decided"] or rule["fired"] is not False]
    for condition in shown:
        _line(6, f"{cell(condition['expr'])}  is {VALUES[condition['value']]}  (line {condition['line']})")
        _tell_inputs(condition)
        if condition["would_change_words"]:
            _line(8, cut(cell(condition["would_change_words"])), "cyan")


def _tell_action(action: Mapping[str, Any]) -> None:
    entries = f"  [entries {', '.join(map(str, action['entries']))}]" if action["entries"] else ""
    _line(2, f"-> {cell(action['name'])} (rule {cell(action['rule'])}): {action['words']}{entries}")
    if action["reason"]:
        _line(5, f"reason: {cell(action['reason'])}", "dim")
    gone = "erased" if action["erased"] else "cannot be read" if action["unreadable"] else None
    _line(5, f"sent: {gone or brief(action['params'])}", "dim")
    for attempt in action["attempts"]:
        status = f", HTTP {attempt['http_status']}" if attempt["http_status"] else ""
        took = f", {attempt['latency_ms']} ms" if attempt["latency_ms"] is not None else ""
        again = ", repeated after an interruption" if attempt["repeated"] else ""
        why = f"; {cell(attempt['reason'])}" if attempt["reason"] else ""
        _line(5, f"attempt {attempt['n']} at {attempt['at']}: {attempt['words']}{status}{took}{again}{why}", "dim")
    for deed in action["deeds"]:
        _line(5, _deed(deed))
    if action["result"]:
        _line(5, f"came back: {brief(action['result'])}", "dim")


def _tell_review(review: Mapping[str, Any]) -> None:
    gone = "words erased" if review["erased"] else "words cannot be read" if review["unreadable"] else None
    words = gone or cell(review["reason"])
    place = f"queue {cell(review['queue'])}, rule {cell(review['rule'])}"
    _line(2, f"case {review['review_id']} ({place}): {words}{_entry(review['idx'])}")
    if review["state"] == "resolved":
        said = " - ".join(cell(review[name]) for name in ("resolution", "note") if review[name])
        by = f"closed {review['resolved_at']} by {cell(review['resolved_by'])}"
        _line(5, f"{by}{f': {said}' if said else ''}{_entry(review['resolved_idx'])}")
    else:
        _line(5, "still open", "yellow")


def _tell_policy(policy: Mapping[str, Any]) -> None:
    author = f", published by {cell(policy['author'])}" if policy["author"] else ""
    _line(2, f"{cell(policy['name'])} {policy['sha256']}{author}")
    for use in policy["uses"]:
        _line(4, f"in use from {use['at']} by {cell(use['actor'])}{_entry(use['idx'])}", "dim")


def _tell_record(story: Mapping[str, Any]) -> None:
    entries, checkpoint = story["entries"], story["checkpoint"]
    signed = [entry["idx"] for entry in entries if entry["signed"]]
    _head("record", [1])
    if checkpoint is None:
        _line(2, "no signed checkpoint verifies: run `hookwarden audit verify`", "yellow")
    else:
        size = counted(checkpoint["size"], "entry", "entries")
        _line(2, f"checkpoint of {cell(checkpoint['origin'])} over {size}, root {checkpoint['root']}", "dim")
    _line(
        2, f"{counted(len(entries), 'entry', 'entries')} of this session, {len(signed)} covered by it: {_spans(signed)}"
    )
    late = [entry["idx"] for entry in entries if not entry["signed"]]
    if late:
        _line(2, f"not covered yet: {_spans(late)}", "yellow")
    if story["more_entries"]:
        _line(2, "there are more entries than are counted here", "yellow")


def _spans(numbers: Sequence[int]) -> str:
    """Such as `1-3, 7`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in spans) or "none"


def _deed(deed: Mapping[str, Any], what: str = "") -> str:
    why = f', because "{cell(deed["reason"])}"' if deed["reason"] else ""
    about = f": {cell(what)}" if what else ""
    return f"{deed['at']}  {cell(deed['actor'])} {deed['words']}{about}{why}{_entry(deed['idx'])}"


def _entry(idx: int | None) -> str:
    return "" if idx is None else f"  [entry {idx}]"


def _head(name: str, items: Iterable[object]) -> None:
    if list(items):
        console().print()
        _line(0, name, "bold")


def cut(text: str, longest: int = 500) -> str:
    """A text that a terminal can bear."""
    return text if len(text) <= longest else f"{text[:longest]} ..."


def _line(indent: int, text: str, style: str = "") -> None:
    console().print(Text(" " * indent + cut(text, 2000), style=style))
