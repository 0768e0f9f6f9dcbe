"""What a policy would have decided: past events, decided again and held against what was decided. Pure, memory flat.

The events are taken as they are stored, `stale` and `echo` included. Calls are counted as planned, before `once:
session` and `limit` hold any back; the results that new calls would have brought are not known, so rules on them see
only the results that are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from receiver.contract import Decision, Event, JsonObject, PolicyRef
from receiver.policy.decide import decide
from receiver.policy.differences import Difference, differ, difference, difference_document
from receiver.policy.formula import Formula
from receiver.policy.gallery import Gallery, Tally
from receiver.policy.recall import PastEvent
from receiver.policy.rules import Policy
from receiver.policy.template import Filled, Template


@dataclass(slots=True)
class Simulation:
    """The result: totals, groups and examples. `old` is None where the stored decisions were the other side."""

    new: PolicyRef
    old: PolicyRef | None
    read: int = 0
    unreadable: int = 0
    changed: int = 0
    with_effect: int = 0  # of the changed ones: another status or other calls
    outcomes: Tally[tuple[str, str]] = field(default_factory=Tally)
    statuses: Tally[tuple[str | None, str | None]] = field(default_factory=Tally)
    rules: Tally[tuple[str, str, str]] = field(default_factory=Tally)  # rule, old state, new state
    actions: Tally[tuple[str, str]] = field(default_factory=Tally)  # action, kind of change
    calls: Tally[tuple[str, str, str]] = field(default_factory=Tally)  # side, state, action
    examples: Gallery[Difference] = field(default_factory=Gallery)

    @property
    def decided(self) -> int:
        """How many events could be decided again."""
        return self.read - self.unreadable

    def document(self) -> JsonObject:
        """All of it as JSON."""
        return {
            "policy": _reference(self.new),
            "against": _reference(self.old) if self.old else "stored decisions",
            "events": {
                "read": self.read,
                "unreadable": self.unreadable,
                "decided": self.decided,
                "changed": self.changed,
                "changed_with_effect": self.with_effect,
            },
            "outcomes": [{"old": old, "new": new, "events": count} for (old, new), count in self.outcomes.most()],
            "statuses": [{"old": old, "new": new, "events": count} for (old, new), count in self.statuses.most()],
            "rules": [
                {"rule": rule, "old": old, "new": new, "events": count} for (rule, old, new), count in self.rules.most()
            ],
            "actions": [
                {"action": name, "change": kind, "calls": count} for (name, kind), count in self.actions.most()
            ],
            "calls": [self._calls(name) for name in self._called()],
            "examples": [difference_document(example) for example in self.examples.clearest()],
        }

    def _called(self) -> list[str]:
        return sorted({name for (_, _, name), _ in self.calls.most()})

    def _calls(self, name: str) -> JsonObject:
        """How many calls of a kind: those that run by themselves, and those that wait for a person."""
        count = self.calls.get
        return {
            "action": name,
            "old": count(("old", "planned", name)),
            "new": count(("new", "planned", name)),
            "old_awaiting_approval": count(("old", "awaiting_approval", name)),
            "new_awaiting_approval": count(("new", "awaiting_approval", name)),
        }


def simulate(
    events: Iterable[PastEvent],
    new: Policy,
    old: Policy | None = None,
    found: Callable[[Difference], object] | None = None,
) -> Simulation:
    """Decide each event under `new`, and hold that against its stored decision, or against what `old` says of it.

    `found` is told of each difference as it comes up. An event that cannot be decided again is counted as unreadable,
    as is one without a stored decision where that is the other side.
    """
    simulation = Simulation(new.ref, old.ref if old else None)
    for past in events:
        simulation.read += 1
        before = _before(past, old)
        if past.event is None or before is None:
            simulation.unreadable += 1
            continue
        after = decide(past.event, new, explain=False)
        _count_calls(simulation, "old", before)
        _count_calls(simulation, "new", after)
        if differ(before, after):
            differs = _explained(past, past.event, new, old)
            _count(simulation, differs)
            if found is not None:
                found(differs)
    return simulation


def _before(past: PastEvent, old: Policy | None) -> Decision | None:
    """The other side: what the old policy says, or what was decided. None where that cannot be told."""
    if old is None:
        return past.decision.in_short() if past.decision is not None else None
    return decide(past.event, old, explain=False) if past.event is not None else None


def _explained(past: PastEvent, event: Event, new: Policy, old: Policy | None) -> Difference:
    """The difference with its reasons: few events differ, so the others are spared the explanation."""
    if old is not None:
        before = decide(event, old)
    else:
        assert past.decision is not None
        before = past.decision.explained()
    return difference(past.event_id, past.received_at, before, decide(event, new))


def _count_calls(simulation: Simulation, side: str, decision: Decision) -> None:
    for action in decision.actions:
        if action.state != "skipped":
            simulation.calls.add((side, action.state, action.name))


def _count(simulation: Simulation, differs: Difference) -> None:
    old, new = differs.old, differs.new
    simulation.changed += 1
    simulation.with_effect += differs.has_effect
    if old.outcome != new.outcome:
        simulation.outcomes.add((old.outcome, new.outcome))
    if differs.status_changes:
        simulation.statuses.add((old.status, new.status))
    for rule in differs.rules:
        simulation.rules.add((rule.rule, rule.was, rule.becomes))
    for action in differs.actions:
        simulation.actions.add((action.name, action.kind))
    simulation.examples.show(*_kind(differs), differs)


def _kind(differs: Difference) -> tuple[tuple[object, ...], tuple[int, ...]]:
    """What makes two differences alike, and how clear that kind is: what changes the status says most, then what
    changes calls; one rule says more than many, and a condition with values more than none.
    """
    rules = tuple((change.rule, change.was, change.becomes) for change in differs.rules)
    actions = tuple((change.kind, change.name) for change in differs.actions)
    kind = (rules, actions, differs.old.status, differs.new.status, differs.old.outcome, differs.new.outcome)
    explained = any(change.old_condition or change.new_condition for change in differs.rules)
    return kind, (not differs.status_changes, not actions, len(rules) != 1, not explained, len(rules))


def reads_raw(policy: Policy) -> bool:
    """Does any expression of the policy read the vendor's payload? Where none does, it need not be unsealed."""
    return any("raw" in formula.expression.roots for formula in _formulas(policy))


def _formulas(policy: Policy) -> Iterator[Formula]:
    """Every expression: of conditions, of templates, and of the `let` values they need."""
    for rule in policy.rules:
        in_steps = (formula for step in rule.actions for each in step.params.values() for formula in _holes(each))
        for formula in (*rule.conditions, *in_steps):
            yield formula
            yield from (let.formula for let in formula.needs)


def _holes(template: Template) -> Iterator[Formula]:
    if isinstance(template, Formula):
        yield template
    elif isinstance(template, Filled):
        yield from (piece for piece in template.pieces if isinstance(piece, Formula))
    elif isinstance(template, list | dict):
        for inner in template.values() if isinstance(template, dict) else template:
            yield from _holes(inner)


def _reference(ref: PolicyRef) -> JsonObject:
    return {"name": ref.name, "sha256": ref.sha256, "mode": ref.mode}
