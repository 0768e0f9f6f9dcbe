"""The decision: what the policy says of one event, with its reasons. Pure: no clock, file, socket or database.

One run goes over the rules whose event type and tags match, in policy order. Conditions are true, false or undecided
(None). A fault of the policy at run time ends the run: nothing is planned but a review, so that a half-run policy never
acts. A rule in shadow cannot do that to the others: it has a step budget of its own, and its fault is only noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from receiver.contract import (
    ConditionTrace,
    Decision,
    Event,
    Facts,
    JsonObject,
    JsonValue,
    PlannedAction,
    RuleTrace,
)
from receiver.policy.expressions.expression import UNDECIDED, Budget, ExpressionFault
from receiver.policy.formula import Formula
from receiver.policy.rules import Policy, Rule, Step
from receiver.policy.template import render

LONGEST_INPUT = 1_000  # characters of a text in an explanation
LARGEST_INPUT = 1_000  # values in a list or mapping in an explanation, a text of 16 characters counting as one
STEP_BUDGET = 100_000  # evaluation steps for one event
UNDECIDED_QUEUE = "undecided"
STALE_QUEUE = "stale"


def decide(event: Event, policy: Policy, facts: Facts | None = None, *, budget: int = STEP_BUDGET) -> Decision:
    """Decide one event. The same event, policy and facts give the same decision. Raises nothing: a policy that faults
    gives outcome `undecided`, and the reason.
    """
    rules = policy.index.candidates(event.document)
    if event.document["echo"]:
        rules = [rule for rule in rules if rule.echo]
        if not rules:
            return Decision("echo", policy.ref, None, (), ())
    run = _Run(event, policy, facts, budget)
    try:
        run.go(rules)
    except _Fault as fault:
        return run.undecided(fault)
    return run.decided()


class _Fault(Exception):
    """The policy cannot be evaluated: in this rule, at this expression."""

    def __init__(self, rule: Rule, expression: str, said: str) -> None:
        self.rule = rule
        super().__init__(f"rule {rule.id}: `{expression}`: {said}")


class _StatusClaim(NamedTuple):
    """A planned action (by its place in the plan) that sets the session's status."""

    place: int
    status: str
    rule: str


class _Run:
    """One event's way through the rules. What is true of the rule at hand only is set anew by `_enter`."""

    def __init__(self, event: Event, policy: Policy, facts: Facts | None, budget: int) -> None:
        self._policy = policy
        self._stale = event.document["stale"]
        self._base: dict[str, Any] = {
            "event": event.document,
            "raw": event.raw,
            "result": event.result,
            "action": event.action,
            "facts": facts,
        }
        self._scopes: dict[int, dict[str, Any]] = {}  # what expressions see, by document; grows by `let` values
        self._budgets = {"enforce": Budget(budget), "shadow": Budget(budget)}
        self._values: dict[str, JsonValue] = {}
        self._traces: list[RuleTrace] = []
        self._plan: list[PlannedAction] = []
        self._claims: list[_StatusClaim] = []
        self._notes: list[str] = []
        self._told: dict[int, JsonValue] = {}  # by identity: what is read lives as long as the event

    def go(self, rules: Sequence[Rule]) -> None:
        """Look at each rule, until one that fires stops. Raises _Fault."""
        for rule in rules:
            self._enter(rule)
            conditions: list[ConditionTrace] = []
            try:
                fired = self._fires(rule, conditions)
                planned = self._planned(rule, conditions, fired=fired) if fired is not False else ()
            except _Fault as fault:
                self._traces.append(RuleTrace(rule.id, None, rule.mode, rule.line, tuple(conditions)))
                if rule.mode == "enforce":
                    raise
                self._notes.append(f"in shadow, {fault}")
                continue
            self._traces.append(RuleTrace(rule.id, fired, rule.mode, rule.line, tuple(conditions)))
            self._plan += planned
            if fired and rule.stop and rule.mode == "enforce":
                return

    def decided(self) -> Decision:
        """The decision after a whole run."""
        if len(self._claims) > 1:
            self._settle_status()
        status = self._claims[0].status if self._claims else None
        return self._decision("decided", status, "; ".join(self._notes) or None)

    def undecided(self, fault: _Fault) -> Decision:
        """The decision after a fault: a person looks at it, nothing else happens."""
        self._plan = [self._review(fault.rule, UNDECIDED_QUEUE, str(fault))]
        return self._decision("undecided", None, "; ".join([str(fault), *self._notes]))

    def _decision(self, outcome: Literal["decided", "undecided"], status: str | None, reason: str | None) -> Decision:
        return Decision(outcome, self._policy.ref, status, tuple(self._traces), tuple(self._plan), self._values, reason)

    def _settle_status(self) -> None:
        """Of the actions that set a status, the one with the most severe runs; the others are skipped."""
        ranks = self._policy.status_rank
        winner = min(self._claims, key=lambda claim: ranks.get(claim.status, len(ranks)))
        reason = f"superseded by {winner.status} of rule {winner.rule}"
        for claim in self._claims:
            if claim is not winner:
                self._plan[claim.place] = _skipped(self._plan[claim.place], reason)
        self._claims = [winner]

    def _enter(self, rule: Rule) -> None:
        scope = self._scopes.get(rule.document)
        if scope is None:
            scope = self._scopes[rule.document] = {**self._base, "lists": self._policy.lists[rule.document]}
        self._rule, self._scope, self._budget = rule, scope, self._budgets[rule.mode]

    def _fires(self, rule: Rule, conditions: list[ConditionTrace]) -> bool | None:
        """Evaluate every condition, also after one that is false, so that the explanation is whole; only then a fault
        no longer matters.
        """
        fired: bool | None = True
        for formula in rule.conditions:
            value, fault = self._truth(formula)
            inputs, missing = formula.expression.inputs(self._scope)
            shown = {path: self._shown(read) for path, read in inputs.items()}
            conditions.append(ConditionTrace(formula.expression.text, value, formula.line, shown, missing))
            if fault is not None and fired is not False:
                raise fault
            if value is False or (value is None and fired):
                fired = value
        return True if fired is None and rule.on_missing == "fire" else fired

    def _shown(self, value: JsonValue) -> JsonValue:
        """The value as explanations hold it. Many conditions read the same one: it is measured once."""
        if not isinstance(value, str | list | dict):
            return value
        if id(value) not in self._told:
            self._told[id(value)] = _shown(value)
        return self._told[id(value)]

    def _truth(self, formula: Formula) -> tuple[bool | None, _Fault | None]:
        try:
            value = self._value(formula)
        except _Fault as fault:
            return None, fault
        if value is None or isinstance(value, bool):
            return value, None
        return None, _Fault(self._rule, formula.expression.text, "a condition must give true or false")

    def _value(self, formula: Formula) -> JsonValue:
        """The value of an expression for the rule at hand; undecided is None. Computes the `let` values first."""
        scope, expression = self._scope, formula.expression
        try:
            for let in formula.needs:
                if let.name not in scope:
                    expression = let.formula.expression
                    value = expression.evaluate(scope, self._budget)
                    scope[let.name] = self._values[let.label] = None if value is UNDECIDED else value
            expression = formula.expression
            value = expression.evaluate(scope, self._budget)
        except ExpressionFault as fault:
            raise _Fault(self._rule, expression.text, str(fault)) from None
        return None if value is UNDECIDED else value

    def _planned(
        self, rule: Rule, conditions: Sequence[ConditionTrace], *, fired: bool | None
    ) -> Sequence[PlannedAction]:
        """What the rule, which fired or is undecided, asks for, with the state each action starts in."""
        planned: Sequence[PlannedAction] = ()
        if fired is None:
            if rule.on_missing == "review":
                planned = [self._review(rule, UNDECIDED_QUEUE, _what_is_missing(rule, conditions))]
        elif self._stale and rule.on_stale == "review":
            planned = [self._review(rule, STALE_QUEUE, _what_it_would_do(rule))]
        else:
            planned = self._actions(rule)
        return [_skipped(action, "shadow") for action in planned] if rule.mode == "shadow" else planned

    def _actions(self, rule: Rule) -> list[PlannedAction]:
        planned: list[PlannedAction] = []
        for step in rule.actions:
            params = {key: render(template, self._value) for key, template in step.params.items()}
            state, reason = self._start(rule, step)
            status = params.get("status") if step.sets_status else None
            if isinstance(status, str) and state == "planned" and rule.mode == "enforce":
                self._claims.append(_StatusClaim(len(self._plan) + len(planned), status, rule.id))
            planned.append(PlannedAction(step.name, rule.id, params, state, reason, step.once, rule.limit))
        return planned

    def _start(self, rule: Rule, step: Step) -> tuple[Literal["planned", "awaiting_approval", "skipped"], str | None]:
        if self._stale and rule.on_stale == "skip":
            return "skipped", "stale"
        if step.needs_approval:
            return "awaiting_approval", "the rule asks for approval"
        return "planned", None

    def _review(self, rule: Rule, queue: str, reason: str) -> PlannedAction:
        params: JsonObject = {"queue": queue, "reason": reason}
        return PlannedAction("review", rule.id, params, once=self._policy.review_once)


def _skipped(action: PlannedAction, reason: str) -> PlannedAction:
    return PlannedAction(action.name, action.rule, action.params, "skipped", reason, action.once, action.limit)


def _what_it_would_do(rule: Rule) -> str:
    names = ", ".join(step.name for step in rule.actions) or "no action"
    return f"rule {rule.id} fired on an event older than what is known of its session; it would have run: {names}"


def _shown(value: JsonValue) -> JsonValue:
    """A value as an explanation holds it: one that is large is told by its size, so that many conditions over one large
    payload do not multiply it.
    """
    if isinstance(value, str):
        return value if len(value) <= LONGEST_INPUT else f"{value[:LONGEST_INPUT]}… ({len(value)} characters)"
    if isinstance(value, list | dict) and _room_left(value, LARGEST_INPUT) < 0:
        kind = "list" if isinstance(value, list) else "mapping"
        return f"a {kind} of {len(value)}, too large to be shown here"
    return value


def _room_left(value: JsonValue, room: int) -> int:
    """The room that is left after a value has been put into it; negative if it does not fit. Stops there."""
    room -= len(value) // 16 + 1 if isinstance(value, str) else 1
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if room < 0:
            break
        room = _room_left(item, room)
    return room


def _what_is_missing(rule: Rule, conditions: Sequence[ConditionTrace]) -> str:
    open_conditions = [condition for condition in conditions if condition.value is None]
    missing = dict.fromkeys(path for condition in open_conditions for path in condition.missing)
    what = ", ".join(missing) or ", ".join(f"`{condition.expr}`" for condition in open_conditions)
    return f"rule {rule.id} could not be decided; missing: {what}"
