"""What the expressions of a policy come to at one event, within their budgets, and what an explanation shows of them.

The conditions of a rule are looked at until one is false; that decides, and a fault of another no longer matters. For
the explanation the others are evaluated too, on a budget of their own, so that whether a decision is explained cannot
change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from receiver.contract import ConditionTrace, Event, Facts, JsonValue, LetTrace
from receiver.policy.expressions.expression import UNDECIDED, Budget, ExpressionFault, Slots, frame, weight
from receiver.policy.formula import Formula, Let
from receiver.policy.rules import Policy, Rule

LONGEST_INPUT = 1_000  # characters of a text in an explanation
LARGEST_INPUT = 1_000  # values in a list or mapping in an explanation, a text of 16 characters counting as one
LARGEST_LIST = 100  # the same for a list of the policy's own: its text is kept by its hash, once


class Fault(Exception):
    """An expression cannot be evaluated at this event."""

    def __init__(self, expression: str, said: str) -> None:
        super().__init__(f"`{expression}`: {said}")


class Verdict(NamedTuple):
    """How the conditions of a rule came out together: `fired` None is undecided, by the conditions in `undecided`, or
    the fault. `explained` is empty where no explanation is asked for.
    """

    fired: bool | None
    explained: tuple[ConditionTrace, ...] = ()
    undecided: Sequence[Formula] = ()
    fault: Fault | None = None


_TRUE, _FALSE = Verdict(True), Verdict(False)  # without an explanation all are alike


class Evaluation:
    """One event under one policy. `values` collects the `let` values that were needed."""

    def __init__(self, event: Event, policy: Policy, facts: Facts | None, budget: int, *, explain: bool) -> None:
        self._policy = policy
        self._explain = explain
        self._scope: dict[str, Any] = {
            "event": event.document,
            "raw": event.raw,
            "result": event.result,
            "action": event.action,
            "facts": facts,
        }
        self._budgets = {"enforce": Budget(budget), "shadow": Budget(budget)}
        self._explaining = Budget(budget)
        self._frames: dict[int, Slots] = {}  # by document; a `let` value that nobody needed yet is UNDECIDED in it
        self._owed: dict[str, int] = {}  # steps that `let` values took from the budget of explanations, by label
        self._told: dict[int, JsonValue] = {}  # by identity: what is read lives as long as the event
        self._computed: list[tuple[Let, Slots]] = []
        self.values: dict[str, JsonValue] = {}

    def enter(self, rule: Rule) -> None:
        """What follows is about this rule: its document's names, its mode's budget."""
        budget, slots = self._budgets[rule.mode], self._frames.get(rule.document)
        if slots is None:
            scope = {**self._scope, "lists": self._policy.lists[rule.document]}
            slots = self._frames[rule.document] = frame(self._policy.layouts[rule.document], scope, budget)
        self._slots = slots
        self._budget = slots[0] = budget

    def verdict(self, rule: Rule) -> Verdict:
        """How the rule's conditions come out."""
        values: list[bool | None] = []
        undecided: list[Formula] = []
        fault: Fault | None = None
        for formula in rule.conditions:
            try:
                value = self._truth(formula)
            except Fault as found:
                value, fault = None, fault or found
            values.append(value)
            if value is None:
                undecided.append(formula)
            elif not value:
                return Verdict(False, self._explained(rule, values)) if self._explain else _FALSE
        if undecided or self._explain:
            explained = self._explained(rule, values) if self._explain else ()
            return Verdict(None if undecided else True, explained, undecided, fault)
        return _TRUE

    def _truth(self, formula: Formula) -> bool | None:
        # `value` again, in place of a call: this runs for every condition of every rule that is looked at
        for let in formula.needs:
            if self._owed or self._slots[let.slot] is UNDECIDED:
                self._compute(formula)
                break
        try:
            value: Any = formula.expression.run(self._slots)
        except ExpressionFault as fault:
            raise Fault(formula.expression.text, str(fault)) from None
        if value is True or value is False:
            return value
        if value is UNDECIDED or value is None:
            return None
        raise Fault(formula.expression.text, "a condition must give true or false")

    def value(self, formula: Formula) -> JsonValue:
        """The value of an expression of the rule at hand; undecided is None. Raises Fault."""
        self._compute(formula)
        try:
            value: Any = formula.expression.run(self._slots)
        except ExpressionFault as fault:
            raise Fault(formula.expression.text, str(fault)) from None
        return None if value is UNDECIDED else value

    def written(self, formula: Formula) -> JsonValue:
        """The value as a part of an action, charged for its size. Raises Fault."""
        value = self.value(formula)
        size = weight(value, self._budget.left)
        if size is None:
            raise Fault(formula.expression.text, "too large, or nested too deeply, to be written into an action")
        self._budget.left -= size
        return value

    def _compute(self, formula: Formula) -> None:
        """The `let` values that a formula needs. One that an explanation computed first is paid for by the first
        condition that decides on it, as it would have been without the explanation.
        """
        slots, budget = self._slots, self._slots[0]
        for let in formula.needs:
            expression = let.formula.expression
            try:
                if slots[let.slot] is UNDECIDED:
                    before = budget.left
                    found: Any = expression.run(slots)
                    slots[let.slot] = known = None if found is UNDECIDED else found
                    self.values[let.label] = self._shown(known)
                    self._computed.append((let, slots))
                    if budget is self._explaining:
                        self._owed[let.label] = before - budget.left
                elif budget is not self._explaining and let.label in self._owed:
                    budget.spend(self._owed[let.label])
                    del self._owed[let.label]  # only now: who cannot pay leaves it to the next
            except ExpressionFault as fault:
                raise Fault(expression.text, str(fault)) from None

    def _explained(self, rule: Rule, values: list[bool | None]) -> tuple[ConditionTrace, ...]:
        """Every condition: those that were looked at as they came out, the others as they would have."""
        if len(values) < len(rule.conditions):
            self._slots[0] = self._explaining
            values += map(self._would_be, rule.conditions[len(values) :])
            self._slots[0] = self._budget
        return tuple(map(self._trace, rule.conditions, values))

    def _would_be(self, formula: Formula) -> bool | None:
        try:
            return self._truth(formula)
        except Fault:
            return None

    def lets(self) -> tuple[LetTrace, ...]:
        """How the `let` values that were needed came out; empty where no explanation is asked for."""
        return tuple(self._let_trace(*computed) for computed in self._computed) if self._explain else ()

    def _let_trace(self, let: Let, slots: Slots) -> LetTrace:
        inputs, missing = self._inputs(let.formula, slots)
        value = self.values[let.label]
        return LetTrace(let.label, let.formula.expression.text, value, let.formula.line, inputs, missing)

    def _trace(self, formula: Formula, value: bool | None) -> ConditionTrace:
        """How a condition came out, with the values that it read."""
        inputs, missing = self._inputs(formula, self._slots)
        return ConditionTrace(formula.expression.text, value, formula.line, inputs, missing)

    def _inputs(self, formula: Formula, slots: Slots) -> tuple[dict[str, JsonValue], tuple[str, ...]]:
        inputs, missing = formula.expression.inputs(slots)
        for path, read in inputs.items():
            if isinstance(read, str | list | dict):  # asked here too: most are plain, and this runs for every condition
                inputs[path] = self._shown(read, LARGEST_LIST if path.startswith("lists.") else LARGEST_INPUT)
        return inputs, missing

    def missing(self, undecided: Sequence[Formula]) -> str:
        """What undecided conditions lack: paths, or the conditions themselves where they have none to name."""
        paths = dict.fromkeys(path for formula in undecided for path in formula.expression.inputs(self._slots)[1])
        return ", ".join(paths) or ", ".join(f"`{formula.expression.text}`" for formula in undecided)

    def _shown(self, value: JsonValue, largest: int = LARGEST_INPUT) -> JsonValue:
        """The value as explanations hold it. Many conditions read the same one: it is measured once."""
        if not isinstance(value, str | list | dict):
            return value
        if id(value) not in self._told:
            self._told[id(value)] = _shown(value, largest)
        return self._told[id(value)]


def _shown(value: JsonValue, largest: int) -> JsonValue:
    """A value as an explanation holds it: one that is large is told by its size, so that many conditions over one large
    payload do not multiply it.
    """
    if isinstance(value, str):
        return value if len(value) <= LONGEST_INPUT else f"{value[:LONGEST_INPUT]}… ({len(value)} characters)"
    if isinstance(value, list | dict) and weight(value, largest) is None:
        kind = "list" if isinstance(value, list) else "mapping"
        return f"a {kind} of {len(value)}, too large to be shown here"
    return value
