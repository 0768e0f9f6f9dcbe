"""Stored decisions as values again, so that what was decided can be held against what would be decided now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from receiver.contract import (
    ConditionTrace,
    Decision,
    Event,
    JsonObject,
    PlannedAction,
    PolicyRef,
    RuleTrace,
)


class Recalled:
    """A stored decision, as the JSON object that `explain.decision_document` wrote, and its actions in the states they
    were planned in. Most are only held against another decision and found the same: what explains them is read late.
    """

    __slots__ = ("_actions", "_document")

    def __init__(self, document: JsonObject, actions: Iterable[PlannedAction]) -> None:
        self._document = cast("dict[str, Any]", document)
        self._actions = tuple(actions)

    def in_short(self) -> Decision:
        """The decision with those rules only that fired or stayed undecided, and without their conditions."""
        rules = [rule for rule in self._document["rules"] if rule["fired"] is not False]
        return self._decision(RuleTrace(rule["id"], rule["fired"], rule["mode"], rule["line"], ()) for rule in rules)

    def explained(self) -> Decision:
        """The decision, whole."""
        return self._decision(_rule(rule) for rule in self._document["rules"])

    def _decision(self, rules: Iterable[RuleTrace]) -> Decision:
        stored = self._document
        policy = stored["policy"]
        return Decision(
            outcome=stored["outcome"],
            policy=PolicyRef(policy["name"], policy["sha256"], policy["mode"]),
            status=stored["status"],
            rules=tuple(rules),
            actions=self._actions,
            values=stored.get("values") or {},
            reason=stored.get("reason"),
        )


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
