"""A session in a few sentences, from its document (`receiver/story/tell.py`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from receiver.story.words import STATES, time_text

_UNFINISHED = ("planned", "running", "waiting_retry", "awaiting_approval")


def summary(document: Mapping[str, Any]) -> list[str]:
    """Sentences for who reads nothing else."""
    return [
        *_what_came(document),
        *_what_was_decided(document["events"]),
        *_what_was_done(document["events"]),
        *_who_took_part(document["people"]),
        *_what_is_gone(document),
    ]


def counted(number: int, one: str, many: str | None = None) -> str:
    """Such as `1 event`, `2 events`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _what_came(document: Mapping[str, Any]) -> Iterator[str]:
    events = document["events"]
    if not events:
        return
    results = sum(event["parent_id"] is not None for event in events)
    came = f"{counted(len(events) - results, 'message')} came in about this session"
    if results:
        came += f", and {counted(results, 'result')} of our own calls"
    yield f"{came}, from {time_text(events[0]['received_at'])} to {time_text(events[-1]['received_at'])}."
    tags = list(dict.fromkeys(tag["words"] for event in events for tag in event["tags"]))
    if tags:
        yield f"The vendor warned: {'; '.join(tags)}."
    if document["status"]:
        yield f"The newest status that the vendor reported is {document['status']}."


def _what_was_decided(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    fired: dict[str, str | None] = {}
    shadow: dict[str, None] = {}
    undecided, known = False, True
    for decision in (each for event in events for each in event["decisions"]):
        undecided |= decision["outcome"] == "undecided"
        known &= decision["rules_known"]
        for rule in decision["rules"]:
            if rule["fired"] and rule["mode"] == "shadow":
                shadow[rule["id"]] = None
            elif rule["fired"]:
                fired[rule["id"]] = rule["description"]
    for name, description in fired.items():
        yield f"Rule {name} applied" + (f": {description}" if description else ".")
    if not known:
        yield "Which rules applied to some of it is not known any more."
    elif not fired:
        yield "No rule of the policy applied."
    if shadow:
        yield f"These would have applied, but are only on trial: {', '.join(shadow)}."
    if undecided:
        yield "The policy could not decide at least one event, which went to people."


def _what_was_done(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    actions = [action for event in events for action in event["actions"]]
    states = Counter((action["name"], action["state"]) for action in actions)
    if states:
        told = (f"{name} {STATES[state]}" + (f" ({n} times)" if n > 1 else "") for (name, state), n in states.items())
        yield f"What was called for: {'; '.join(told)}."
    waiting = sum(action["state"] in _UNFINISHED for action in actions)
    cases = sum(review["state"] == "open" for event in events for review in event["reviews"])
    if waiting or cases:
        yield f"Still open: {counted(waiting, 'call')} and {counted(cases, 'case')} for people."


def _who_took_part(people: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    told = list(dict.fromkeys(f"{deed['actor']} {deed['words']}: {deed['what']}" for deed in people))
    yield f"By hand: {'; '.join(told)}." if told else "Nobody acted by hand in Hookwarden."


def _what_is_gone(document: Mapping[str, Any]) -> Iterator[str]:
    if document["erased"] == "yes":
        yield (
            "The personal data of this session was erased: its keys were destroyed, and what was sealed under them"
            " cannot be read by anybody. What remains is when something happened and what was called."
        )
    elif document["erased"] == "in part":
        yield "Some of the data of this session was erased or has been removed after its time; it is marked below."
    if any(event["unreadable"] for event in document["events"]):
        yield (
            "Data of this session cannot be read, and nothing says that it was erased: its key is missing from keys.db,"
            " or was changed. Run `hookwarden audit verify`, and restore keys.db from a backup."
        )
