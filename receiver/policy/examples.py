"""The events that examples and tests write down in part: every key and value checked, with its place."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from receiver.policy import codes
from receiver.policy.document import RuleDocument
from receiver.policy.findings import Findings, KeyCodes, original
from receiver.policy.sample import PartialEvent
from receiver.yamltext import Path

_KEYS = KeyCodes("key", codes.UNKNOWN_KEY, codes.MISSING_KEY, codes.WRONG_VALUE)


def check_examples(findings: Findings, where: Path, rule: RuleDocument) -> None:
    """Report what no event has, in the examples of a rule that stands at `where`."""
    for index, example in enumerate(rule.examples):
        partial_event(findings, (*where, "examples", index, "event"), example.event)


def partial_event(findings: Findings, where: Path, value: object) -> BaseModel | None:
    """The event in part that stands at `where`; None if something is wrong in it, which is reported."""
    try:
        return PartialEvent.model_validate(value)
    except ValidationError as error:
        for finding in error.errors(include_url=False):
            place = (*where, *original(value, finding["loc"]))  # type: ignore[arg-type]  # came from a JSON document
            findings.misfit(place, finding, PartialEvent, _KEYS)
    return None
