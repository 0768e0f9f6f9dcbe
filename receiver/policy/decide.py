"""The decision: what the policy says of one event, with its reasons. Pure: no clock, file, socket or database.

One run goes over the rules whose event type and tags match, in policy order. Conditions are true, false or undecided
(None). A fault of the policy at run time ends the run: nothing is planned but a review, so that a half-run policy never
acts. A rule in shadow cannot do that to the others: it has a step budget of its own, and its fault is only noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from receiver.contract import Decision, Event, Facts, JsonObject, Mode, PlannedAction, RuleTrace
from receiver.policy.evaluation import Evaluation, Fault, Verdict
from receiver.policy.rules import Policy, Rule, Step
from receiver.policy.template import render

STEP_BUDGET = 100_000  # evaluation steps for one event
UNDECIDED_QUEUE = "undecided"
STALE_QUEUE = "stale"
FAULT_PRIORITY = 2  # of the case that takes the place of a whole decision


def decide(
    event: Event, policy: Policy, facts: Facts | None = None, *, budget: int = STEP_BUDGET, explain: bool = True
) -> Decision:
    """Decide one event. The same event, policy and facts give the same decision. Raises nothing: a policy that faults
    gives outcome `undecided`, and the reason.

    Without `explain` the decision is the same, but the rules in it hold no conditions, and `values` not all names.
    """
    rules = policy.index.candidates(event.document)
    if event.document["echo"]:
        rules = [rule for rule in rules if rule.echo]
        if not rules:
            return Decision("echo", policy.ref, None, (), ())
    run = _Run(event, policy, Evaluation(event, policy, facts, budget, explain=explain))
    try:
        run.go(rules)
    except _RuleFault as fault:
        return run.undecided(fault)
    return run.decided()


class _RuleFault(Exception):
    """A rule cannot be evaluated, so nothing is decided."""

    def __init__(self, rule: Rule, fault: Fault) -> None:
        self.rule = rule
        super().__init__(f"rule {rule.id}: {fault}")


class _StatusClaim(NamedTuple):
    """A planned action (by its place in the plan) that sets the session's status."""

    place: int
    status: str
    rule: str


class _Run:
    """One event's way through the rules."""

    def __init__(self, event: Event, policy: Policy, evaluation: Evaluation) -> None:
        self._policy = policy
        self._stale = event.document["stale"]
        self._evaluation = evaluation
        self._traces: list[RuleTrace] = []
        self._plan: list[PlannedAction] = []
        self._claims: list[_StatusClaim] = []
        self._notes: list[str] = []

    def go(self, rules: Sequence[Rule]) -> None:
        """Look at each rule, until one that fires stops. Raises _RuleFault."""
        entered: tuple[int, Mode] | None = None
        for rule in rules:
            if rule.surroundings != entered:
                entered = rule.surroundings
                self._evaluation.enter(rule)
            verdict = self._evaluation.verdict(rule)
            fired = verdict.fired
            if fired is not False:
                if fired is None and rule.on_missing == "fire":
                    fired = True
                try:
                    self._plan += self._planned(rule, fired, verdict)
                except Fault as fault:
                    self._faulted(rule, verdict, fault)
                    continue
            self._traces.append(
                RuleTrace(rule.id, fired, rule.mode, rule.line, verdict.explained)
                if verdict.explained
                else rule.unexplained[fired]
            )
            if fired and rule.stop and rule.mode == "enforce":
                return

    def _faulted(self, rule: Rule, verdict: Verdict, fault: Fault) -> None:
        self._traces.append(RuleTrace(rule.id, None, rule.mode, rule.line, verdict.explained))
        if rule.mode == "enforce":
            raise _RuleFault(rule, fault) from None
        self._notes.append(f"in shadow, rule {rule.id}: {fault}")

    def decided(self) -> Decision:
        """The decision after a whole run."""
        if len(self._claims) > 1:
            self._settle_status()
        status = self._claims[0].status if self._claims else None
        return self._decision("decided", status, "; ".join(self._notes) or None)

    def undecided(self, fault: _RuleFault) -> Decision:
        """The decision after a fault: a person looks at it, nothing else happens."""
        self._plan = [self._review(fault.rule, UNDECIDED_QUEUE, str(fault), priority=FAULT_PRIORITY)]
        return self._decision("undecided", None, "; ".join([str(fault), *self._notes]))

    def _decision(self, outcome: Literal["decided", "undecided"], status: str | None, reason: str | None) -> Decision:
        rules, plan, evaluation = tuple(self._traces), tuple(self._plan), self._evaluation
        return Decision(outcome, self._policy.ref, status, rules, plan, evaluation.values, reason, evaluation.lets())

    def _settle_status(self) -> None:
        """Of the actions that set a status, the one with the most severe runs; the others are skipped."""
        ranks = self._policy.status_rank
        winner = min(self._claims, key=lambda claim: ranks.get(claim.status, len(ranks)))
        reason = f"superseded by {winner.status} of rule {winner.rule}"
        for claim in self._claims:
            if claim is not winner:
                self._plan[claim.place] = _skipped(self._plan[claim.place], reason)
        self._claims = [winner]

    def _planned(self, rule: Rule, fired: bool | None, verdict: Verdict) -> Sequence[PlannedAction]:
        """What the rule, which fired or is undecided, asks for, with the state each action starts in. Raises Fault."""
        if verdict.fault is not None:
            raise verdict.fault
        planned: Sequence[PlannedAction] = ()
        if fired is None:
            if rule.on_missing == "review":
                missing = self._evaluation.missing(verdict.undecided)
                said = f"rule {rule.id} could not be decided; missing: {missing}"
                planned = [self._review(rule, UNDECIDED_QUEUE, said)]
        elif self._stale and rule.on_stale == "review":
            planned = [self._review(rule, STALE_QUEUE, _what_it_would_do(rule))]
        else:
            planned = self._actions(rule)
        return [_skipped(action, "shadow") for action in planned] if rule.mode == "shadow" else planned

    def _actions(self, rule: Rule) -> list[PlannedAction]:
        planned: list[PlannedAction] = []
        for step in rule.actions:
            params = {key: render(template, self._evaluation.written) for key, template in step.params.items()}
            state, reason = self._start(rule, step)
            status = params.get("status") if step.sets_status else None
            if isinstance(status, str) and state == "planned" and rule.mode == "enforce":
                self._claims.append(_StatusClaim(len(self._plan) + len(planned), status, rule.id))
            kind = (step.once, rule.limit, step.biometric, step.needs)
            planned.append(PlannedAction(step.name, rule.id, params, state, reason, *kind))
        return planned

    def _start(self, rule: Rule, step: Step) -> tuple[Literal["planned", "awaiting_approval", "skipped"], str | None]:
        if self._stale and rule.on_stale == "skip":
            return "skipped", "stale"
        if step.needs_approval:
            return "awaiting_approval", "the rule asks for approval"
        return "planned", None

    def _review(self, rule: Rule, queue: str, reason: str, *, priority: int = 0) -> PlannedAction:
        params: JsonObject = {"queue": queue, "reason": reason}
        if priority:
            params["priority"] = priority
        return PlannedAction("review", rule.id, params, once=self._policy.review_once)


def _skipped(action: PlannedAction, reason: str) -> PlannedAction:
    kind = (action.once, action.limit, action.biometric, action.needs)
    return PlannedAction(action.name, action.rule, action.params, "skipped", reason, *kind)


def _what_it_would_do(rule: Rule) -> str:
    names = ", ".join(step.name for step in rule.actions) or "no action"
    return f"rule {rule.id} fired on an event older than what is known of its session; it would have run: {names}"
