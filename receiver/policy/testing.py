"""Runs the tests of a policy: each case's event is decided as a live one would be, and held against what is expected.

A case is judged by the decision of the whole policy: a rule that is never looked at, because its tags do not match or
an earlier rule stopped, did not fire, and the failure says why. A decision that ends in a fault fails any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from receiver.contract import Decision, Event, RuleTrace
from receiver.policy.decide import decide
from receiver.policy.rules import Policy, Rule
from receiver.policy.suite import Case, ExpectDocument, RuleExpectation, squeezed

VERDICTS = {True: "fires", False: "does not fire", None: "undecided"}


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that did not come true. `rule` is the one that it is about, if it is about one."""

    expected: str
    actual: str
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case came out; without failures it passed."""

    case: Case
    decision: Decision
    failures: tuple[Failure, ...]


def run_cases(policy: Policy, cases: Sequence[Case]) -> list[CaseResult]:
    """Run the cases in their order."""
    return [_run(policy, case) for case in cases]


def _run(policy: Policy, case: Case) -> CaseResult:
    decision = decide(case.event, policy)
    if decision.outcome == "undecided":
        fault = Failure("a decision", f"the policy cannot be computed: {decision.reason}", _last_rule(decision))
        return CaseResult(case, decision, (fault,))
    check = _Check(policy, case.event, decision)
    expected = case.expected
    found = check.rule(expected) if isinstance(expected, RuleExpectation) else check.whole(expected)
    return CaseResult(case, decision, tuple(found))


def _last_rule(decision: Decision) -> str | None:
    return decision.rules[-1].id if decision.rules else None


class _Check:
    """One decision, held against expectations."""

    def __init__(self, policy: Policy, event: Event, decision: Decision) -> None:
        self._policy, self._event, self._decision = policy, event, decision
        self._traces = {trace.id: trace for trace in decision.rules}

    def rule(self, expected: RuleExpectation) -> Iterator[Failure]:
        """The expectation of an example: its rule, in whichever mode."""
        trace = self._traces.get(expected.rule)
        if (trace.fired if trace else False) is not expected.fires:
            yield Failure(VERDICTS[expected.fires], self._said(expected.rule, trace), expected.rule)

    def whole(self, expected: ExpectDocument) -> Iterator[Failure]:
        """Everything that a test of a test document expects."""
        yield from self._rules(expected.fired, True, "enforce", "fires")
        yield from self._rules(expected.undecided, None, None, "undecided")
        yield from self._rules(expected.shadow, True, "shadow", "fires in shadow")
        for rule, condition in (expected.not_fired or {}).items():
            yield from self._not_fired(rule, condition)
        if "status" in expected.model_fields_set and expected.status != self._decision.status:
            yield Failure(f"status {expected.status or 'not set'}", f"status {self._decision.status or 'not set'}")
        if expected.actions is not None:
            planned = [action.name for action in self._decision.actions if action.state != "skipped"]
            if planned != expected.actions:
                yield Failure(f"actions {_listed(expected.actions)}", f"actions {_listed(planned)}")

    def _rules(self, names: Sequence[str] | None, fired: bool | None, mode: str | None, word: str) -> Iterator[Failure]:
        """Each named rule is as said; where the list is empty, none is."""
        as_said = [trace.id for trace in self._decision.rules if trace.fired is fired and mode in (None, trace.mode)]
        if names == [] and as_said:
            yield Failure(f"no rule {word}", _listed(as_said), as_said[0])
        for name in names or ():
            if name not in as_said:
                yield Failure(f"{name} {word}", self._said(name, self._traces.get(name)), name)

    def _not_fired(self, rule: str, condition: str | None) -> Iterator[Failure]:
        trace = self._traces.get(rule)
        if trace and trace.fired is not False:
            yield Failure(f"{rule} does not fire", self._said(rule, trace), rule)
        elif condition is not None:
            false = [each.expr for each in trace.conditions if each.value is False] if trace else []
            if [squeezed(text) for text in false] != [squeezed(condition)]:
                actual = f"false: {', '.join(f'`{text}`' for text in false)}" if trace else self._said(rule, None)
                yield Failure(f"{rule} does not fire, since `{condition}` alone is false", actual, rule)

    def _said(self, name: str, trace: RuleTrace | None) -> str:
        if trace is None:
            return f"not looked at: {why_not_looked_at(self._policy, name, self._event, self._decision)}"
        in_shadow = " in shadow" if trace.fired and trace.mode == "shadow" else ""
        return VERDICTS[trace.fired] + in_shadow


def why_not_looked_at(policy: Policy, name: str, event: Event, decision: Decision) -> str:
    """Why a rule does not stand in a decision."""
    rule = next(rule for rule in policy.rules if rule.id == name)
    document = event.document
    if document["type"] not in rule.on:
        return f"the event is a {document['type']}, the rule is for {', '.join(sorted(rule.on))}"
    if not rule.selector.matches(document):
        return f"its tags do not match; the event has {_listed(document['tags'])}"
    if document["echo"] and not rule.echo:
        return "the event is the echo of our own call, and the rule does not say `echo: true`"
    stopper = _stopper(policy, rule, decision)
    return (
        f"rule {stopper}, which comes before it, fired and has `stop: true`" if stopper else "the run ended before it"
    )


def _stopper(policy: Policy, rule: Rule, decision: Decision) -> str | None:
    stops = {each.id for each in policy.rules if each.stop and each.order < rule.order}
    return next((trace.id for trace in reversed(decision.rules) if trace.fired and trace.id in stops), None)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
