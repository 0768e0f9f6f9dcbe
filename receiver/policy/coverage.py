"""What the tests of a policy have seen of it: rules that fired, and conditions that were both true and false."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from receiver.contract import Decision
from receiver.policy.rules import Policy


@dataclass(slots=True)
class ConditionCoverage:
    """How often one condition came out true, false and undecided."""

    expr: str
    line: int
    true: int = 0
    false: int = 0
    undecided: int = 0

    @property
    def covered(self) -> bool:
        """Seen true and seen false."""
        return self.true > 0 and self.false > 0


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """One rule: how often it fired (in shadow, too), and its conditions in order."""

    rule: str
    line: int
    fired: int
    conditions: Sequence[ConditionCoverage]


@dataclass(frozen=True, slots=True)
class Coverage:
    """A whole policy, or several."""

    rules: Sequence[RuleCoverage]

    @property
    def fired(self) -> int:
        """Rules that fired at least once."""
        return sum(rule.fired > 0 for rule in self.rules)

    @property
    def conditions(self) -> Sequence[ConditionCoverage]:
        """The conditions of all rules."""
        return [condition for rule in self.rules for condition in rule.conditions]

    @property
    def covered(self) -> int:
        """Conditions that were seen true and seen false."""
        return sum(condition.covered for condition in self.conditions)

    @property
    def rules_percent(self) -> float:
        """Of the rules, the share that fired."""
        return _percent(self.fired, len(self.rules))

    @property
    def conditions_percent(self) -> float:
        """Of the conditions, the share that was seen true and seen false."""
        return _percent(self.covered, len(self.conditions))


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 100.0


def coverage_of(policy: Policy, decisions: Iterable[Decision]) -> Coverage:
    """What these decisions show of the policy that made them."""
    seen = {
        rule.id: [ConditionCoverage(each.expression.text, each.line) for each in rule.conditions]
        for rule in policy.rules
    }
    fired = dict.fromkeys(seen, 0)
    for decision in decisions:
        for trace in decision.rules:
            fired[trace.id] += trace.fired is True
            for condition, result in zip(seen[trace.id], trace.conditions, strict=False):  # a fault ends a rule early
                _count(condition, result.value)
    return Coverage([RuleCoverage(rule.id, rule.line, fired[rule.id], seen[rule.id]) for rule in policy.rules])


def _count(condition: ConditionCoverage, value: bool | None) -> None:
    if value is None:
        condition.undecided += 1
    elif value:
        condition.true += 1
    else:
        condition.false += 1
