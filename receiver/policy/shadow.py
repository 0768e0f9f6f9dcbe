"""What rules in shadow would have done, read from stored decisions. Nothing is decided again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from receiver.contract import Decision, JsonObject, PlannedAction, RuleTrace
from receiver.policy.differences import FIRED, NOT_FIRED, UNDECIDED, state_of
from receiver.policy.explain import condition_document
from receiver.policy.gallery import Gallery, Tally
from receiver.policy.recall import PastEvent


class Shadowed(NamedTuple):
    """A rule in shadow that fired, or could not be decided. `alone`: no enforced rule fired on the event. `sets` is the
    status that it would have set, `status` the one that was set.
    """

    event_id: str
    received_at: int
    rule: RuleTrace
    actions: tuple[PlannedAction, ...]
    alone: bool
    status: str | None
    sets: str | None


@dataclass(slots=True)
class ShadowReport:
    """Counts per rule, and examples."""

    read: int = 0
    unreadable: int = 0
    states: Tally[tuple[str, str]] = field(default_factory=Tally)  # rule, state
    alone: Tally[str] = field(default_factory=Tally)
    calls: Tally[tuple[str, str]] = field(default_factory=Tally)  # rule, action
    statuses: Tally[tuple[str, str | None, str]] = field(default_factory=Tally)  # rule, status set, status it would set
    examples: Gallery[Shadowed] = field(default_factory=Gallery)

    def document(self) -> JsonObject:
        """All of it as JSON."""
        rules = sorted({rule for (rule, _), _ in self.states.most()})
        return {
            "events": {"read": self.read, "unreadable": self.unreadable},
            "rules": [self._rule(rule) for rule in rules],
            "examples": [_document(example) for example in self.examples.clearest()],
        }

    def _rule(self, rule: str) -> JsonObject:
        fired, not_fired, undecided = (self.states.get((rule, state)) for state in (FIRED, NOT_FIRED, UNDECIDED))
        return {
            "rule": rule,
            "looked_at": fired + not_fired + undecided,
            "fired": fired,
            "undecided": undecided,
            "fired_alone": self.alone.get(rule),
            "calls": {name: count for (owner, name), count in self.calls.most() if owner == rule},
            "statuses": [
                {"old": old, "new": new, "events": count}
                for (owner, old, new), count in self.statuses.most()
                if owner == rule
            ],
        }


def shadow_report(
    events: Iterable[PastEvent],
    status_actions: Collection[str] = (),
    found: Callable[[Shadowed], object] | None = None,
) -> ShadowReport:
    """Gather what rules in shadow came to. `status_actions` are the actions whose `status` is the session's; `found` is
    told of each rule that fired or stayed undecided.
    """
    report = ShadowReport()
    for past in events:
        report.read += 1
        if past.decision is None:
            report.unreadable += 1
            continue
        decision = past.decision.explained()
        for rule in decision.rules:
            if rule.mode == "shadow":
                report.states.add((rule.id, state_of(rule)))
                if rule.fired is not False:
                    _count(report, _shadowed(past, decision, rule, status_actions), found)
    return report


def _shadowed(past: PastEvent, decision: Decision, rule: RuleTrace, status_actions: Collection[str]) -> Shadowed:
    actions = tuple(action for action in decision.actions if action.rule == rule.id and action.reason == "shadow")
    alone = not any(other.fired and other.mode == "enforce" for other in decision.rules)
    statuses = [action.params.get("status") for action in actions if action.name in status_actions]
    sets = next((status for status in statuses if isinstance(status, str)), None)
    return Shadowed(past.event_id, past.received_at, rule, actions, alone, decision.status, sets)


def _count(report: ShadowReport, one: Shadowed, found: Callable[[Shadowed], object] | None) -> None:
    name = one.rule.id
    if one.rule.fired and one.alone:
        report.alone.add(name)
    for action in one.actions:
        report.calls.add((name, action.name))
    if one.sets is not None and one.sets != one.status:
        report.statuses.add((name, one.status, one.sets))
    clearness = (not one.rule.fired, one.sets in (None, one.status), not one.alone)
    report.examples.show((name, one.rule.fired, one.sets, one.alone), clearness, one)
    if found is not None:
        found(one)


def _document(one: Shadowed) -> JsonObject:
    return {
        "event_id": one.event_id,
        "rule": one.rule.id,
        "state": state_of(one.rule),
        "fired_alone": bool(one.rule.fired and one.alone),
        "status": {"old": one.status, "new": one.sets},
        "actions": [{"action": action.name, "params": action.params} for action in one.actions],
        "conditions": [condition_document(condition) for condition in one.rule.conditions],
    }
