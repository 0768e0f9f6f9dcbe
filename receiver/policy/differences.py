"""Two decisions of one event, held against each other: which rules, status and actions differ, and what decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from receiver.contract import ConditionTrace, Decision, JsonObject, JsonValue, PlannedAction, RuleTrace
from receiver.policy.explain import condition_document, let_document

FIRED, NOT_FIRED, UNDECIDED = "fired", "not fired", "undecided"


class RuleChange(NamedTuple):
    """A rule that came out otherwise. The traces are None where the rule was not looked at: another tag or event type,
    a `stop` before it, or no rule of that policy. The conditions are those that decided; None where none did.
    """

    rule: str
    old: RuleTrace | None
    new: RuleTrace | None
    old_condition: ConditionTrace | None
    new_condition: ConditionTrace | None

    @property
    def was(self) -> str:
        """`fired`, `not fired` or `undecided`, before."""
        return state_of(self.old)

    @property
    def becomes(self) -> str:
        """The same, after."""
        return state_of(self.new)


class ActionChange(NamedTuple):
    """A call that is planned on one side only, or on both with other parameters or another need for approval."""

    kind: Literal["added", "removed", "changed"]
    name: str
    old: PlannedAction | None
    new: PlannedAction | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two decisions of one event. `received_at` in Unix milliseconds."""

    event_id: str
    received_at: int
    old: Decision
    new: Decision
    rules: tuple[RuleChange, ...]
    actions: tuple[ActionChange, ...]

    @property
    def status_changes(self) -> bool:
        """Does the status that is set differ?"""
        return self.old.status != self.new.status

    @property
    def has_effect(self) -> bool:
        """Would something else be done, beyond what is recorded?"""
        return self.status_changes or bool(self.actions)


def differ(old: Decision, new: Decision) -> bool:
    """Do the two decide differently? What counts: outcome, status, which rules fire or stay undecided, and which calls
    are planned with which parameters. Rules that were looked at in vain, values, lines and order do not.
    """
    if old.status != new.status or old.outcome != new.outcome or _states(old) != _states(new):
        return True
    if not old.actions and not new.actions:
        return False
    before, after = planned(old), planned(new)
    return not _same(before, after) and any(_action_changes(before, after))


def difference(event_id: str, received_at: int, old: Decision, new: Decision) -> Difference:
    """What differs between two decisions of an event."""
    actions = tuple(_action_changes(planned(old), planned(new)))
    return Difference(event_id, received_at, old, new, tuple(_rule_changes(old, new)), actions)


def state_of(trace: RuleTrace | None) -> str:
    """How a rule came out. One that was not looked at did not fire."""
    if trace is None or trace.fired is False:
        return NOT_FIRED
    return FIRED if trace.fired else UNDECIDED


def planned(decision: Decision) -> list[PlannedAction]:
    """The actions that would do something, by themselves or after a person's yes."""
    return [action for action in decision.actions if action.state != "skipped"]


def _states(decision: Decision) -> Mapping[str, bool | None]:
    return {rule.id: rule.fired for rule in decision.rules if rule.fired is not False}


def _rule_changes(old: Decision, new: Decision) -> Iterator[RuleChange]:
    before, after = ({rule.id: rule for rule in decision.rules} for decision in (old, new))
    for rule in dict.fromkeys((*before, *after)):
        was, becomes = before.get(rule), after.get(rule)
        if state_of(was) != state_of(becomes):
            yield RuleChange(rule, was, becomes, *_deciding(was, becomes))


def _deciding(old: RuleTrace | None, new: RuleTrace | None) -> tuple[ConditionTrace | None, ConditionTrace | None]:
    """The conditions to look at: what held the rule back on one side, and on the other what stands in its place."""
    held_old, held_new = _held_back(old), _held_back(new)
    return (
        _condition(old, held_new if held_old is None else held_old),
        _condition(new, held_old if held_new is None else held_new),
    )


def _held_back(trace: RuleTrace | None) -> int | None:
    """The place of the first condition that is false, else of the first that is undecided; None for what fired."""
    if trace is None or trace.fired:
        return None
    values = [condition.value for condition in trace.conditions]
    return next((values.index(value) for value in (False, None) if value in values), None)


def _condition(trace: RuleTrace | None, place: int | None) -> ConditionTrace | None:
    if trace is None or not trace.conditions:
        return None
    return trace.conditions[place if place is not None and place < len(trace.conditions) else 0]


def _same(old: list[PlannedAction], new: list[PlannedAction]) -> bool:
    return len(old) == len(new) and all(map(_alike, old, new))


def _alike(one: PlannedAction, other: PlannedAction) -> bool:
    return one.name == other.name and one.state == other.state and one.params == other.params


def _action_changes(old: list[PlannedAction], new: list[PlannedAction]) -> Iterator[ActionChange]:
    """What is left when equal calls are struck off on both sides; two of one name are one call that changed."""
    added = list(new)
    removed = []
    for action in old:
        twin = next((place for place, other in enumerate(added) if _alike(action, other)), None)
        if twin is None:
            removed.append(action)
        else:
            del added[twin]
    for action in removed:
        place = next((place for place, other in enumerate(added) if other.name == action.name), None)
        if place is None:
            yield ActionChange("removed", action.name, action, None)
        else:
            yield ActionChange("changed", action.name, action, added.pop(place))
    for action in added:
        yield ActionChange("added", action.name, None, action)


def difference_document(found: Difference) -> JsonObject:
    """A difference as JSON."""
    return {
        "event_id": found.event_id,
        "outcome": {"old": found.old.outcome, "new": found.new.outcome},
        "status": {"old": found.old.status, "new": found.new.status},
        "rules": [_rule_document(change, found.old, found.new) for change in found.rules],
        "actions": [
            {"action": each.name, "change": each.kind, "old": _call(each.old), "new": _call(each.new)}
            for each in found.actions
        ],
        "reason": {"old": found.old.reason, "new": found.new.reason},
    }


def _rule_document(change: RuleChange, old: Decision, new: Decision) -> JsonObject:
    return {
        "rule": change.rule,
        "old": change.was,
        "new": change.becomes,
        "looked_at": {"old": change.old is not None, "new": change.new is not None},
        "decided_by": {
            "old": _condition_or_none(change.old_condition, old),
            "new": _condition_or_none(change.new_condition, new),
        },
    }


def _condition_or_none(condition: ConditionTrace | None, decision: Decision) -> JsonValue:
    """The condition, and where it reads `let` values, how these came out."""
    if condition is None:
        return None
    document, read = condition_document(condition), {*condition.inputs, *condition.missing}
    lets: list[JsonValue] = []
    for let in reversed(decision.lets):  # each stands after those that it needs
        if let.name.rpartition(".")[2] in read:
            lets.insert(0, let_document(let))
            read |= {*let.inputs, *let.missing}
    return {**document, "let": lets} if lets else document


def _call(action: PlannedAction | None) -> JsonValue:
    return None if action is None else {"rule": action.rule, "params": action.params, "state": action.state}
