"""Stored decisions as values again, so that what was decided can be held against what would be decided now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

from receiver.contract import (
    ConditionTrace,
    Decision,
    Event,
    JsonObject,
    LetTrace,
    PlannedAction,
    PolicyRef,
    RuleTrace,
)


class Recalled:
    """A stored decision, its actions in the states they were planned in. Most are only held against another decision
    and found the same: what explains them is read late, by `load`, as the JSON object that `explain.decision_document`
    wrote (None where it cannot be had).
    """

    __slots__ = ("_load", "_short")

    def __init__(self, short: Decision, load: Callable[[], JsonObject | None]) -> None:
        self._short = short
        self._load = load

    @classmethod
    def of(cls, document: JsonObject, actions: Iterable[PlannedAction]) -> Recalled:
        """From the whole document."""
        rules = [_rule(rule)._replace(conditions=()) for rule in _rules(document) if rule["fired"] is not False]
        return cls(_decision(document, rules, tuple(actions)), lambda: document)

    def in_short(self) -> Decision:
        """The decision with those rules only that fired or stayed undecided, and without their conditions."""
        return self._short

    def explained(self) -> Decision:
        """The decision, whole."""
        document = self._load()
        return (
            self._short if document is None else _decision(document, map(_rule, _rules(document)), self._short.actions)
        )


def _rules(document: JsonObject) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", document["rules"])


def _decision(document: JsonObject, rules: Iterable[RuleTrace], actions: tuple[PlannedAction, ...]) -> Decision:
    stored = cast("dict[str, Any]", document)
    policy = stored["policy"]
    return Decision(
        outcome=stored["outcome"],
        policy=PolicyRef(policy["name"], policy["sha256"], policy["mode"]),
        status=stored["status"],
        rules=tuple(rules),
        actions=actions,
        values=stored.get("values") or {},
        reason=stored.get("reason"),
        lets=tuple(_let(each) for each in stored.get("let", ())),
    )


def _let(let: dict[str, Any]) -> LetTrace:
    return LetTrace(let["name"], let["expr"], let["value"], let["line"], let["inputs"], tuple(let["missing"]))


def _rule(rule: dict[str, Any]) -> RuleTrace:
    conditions = tuple(
        ConditionTrace(each["expr"], each["value"], each["line"], each["inputs"], tuple(each["missing"]))
        for each in rule["conditions"]
    )
    return RuleTrace(rule["id"], rule["fired"], rule["mode"], rule["line"], conditions)


class PastEvent(NamedTuple):
    """An event as it is stored, with the decision that stands. `n` is its place in the order of arrival, `received_at`
    in Unix milliseconds. `event` is None where what deciding needs was erased; `decision` is None where it was erased
    too, or not asked for.
    """

    n: int
    event_id: str
    received_at: int
    event: Event | None
    decision: Recalled | None
