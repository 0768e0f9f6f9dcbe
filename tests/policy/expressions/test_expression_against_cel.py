"""Random expressions over sparse events: our value is the value of Google's CEL, in C++, or there is none in either.

CEL answers with a value or an error; ours is a value, undecided, a fault, or refused when compiled. Nothing is excused:
where the language deviates from CEL on purpose, the oracle is asked for what the deviation means (tests/support/
cel_oracle.py). Besides, the generated function and the plain one are held to each other on every pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import pytest

from tests.support.plain import evaluate_plain

pytest.importorskip(
    "cel_expr_python", reason="no wheel of cel-expr-python for this platform: no oracle", exc_type=ImportError
)

from receiver.policy.expressions.expression import (
    UNDECIDED,
    Budget,
    Expression,
    ExpressionError,
    ExpressionFault,
    ListOf,
    Names,
    Undecided,
    compile_expression,
)
from tests.support.cel_oracle import Cel, Declared, NoValue, Oracle, TooDeep, Total, is_finite, value_of
from tests.support.random_expressions import LISTS, Events, Text, Tree, Trees, same

CHUNKS = 10
PAIRS = 10_000  # in a chunk
EVENTS = 25  # for one expression
NAMES = Names({"event": None, "raw": None, "lists": dict.fromkeys(LISTS, ListOf(None))})
KINDS = ("bool", "bool", "bool", "number", "text", "list", "map")
LEAST = {  # in each chunk of 10,000 pairs: fewer would mean that the expressions no longer reach deep
    "a value in both": 4_500,
    "undecided, and an error in CEL": 1_000,
    "a fault, and an error in CEL": 1_000,
    "told apart: undecided": 300,
    "told apart: a fault": 300,
    "refused, by CEL's checker or run too": 25,
    "an infinite result, which is a fault": 3,
    "out of budget in both": 150,
    "ints beyond 64 bits, quick against plain": 350,
    "expressions that CEL reads word for word": 100,
}
Outcome = Any  # a JSON value, UNDECIDED or an ExpressionFault


@dataclass(frozen=True)
class Case:
    """One expression: as a tree, in our words, in CEL's."""

    tree: Tree
    text: str
    cel: str


class Chunk:
    """One share of the pairs, drawn from its own seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.draw = Random(seed)
        self.counts: Counter[str] = Counter()
        self._oracle = Oracle()
        events = Events(self.draw)
        self._pool = [(scope, self._oracle.activation(scope)) for scope in (events.scope() for _ in range(400))]
        self._beyond = [events.scope(ints=(2**63, -(2**63) - 1, 2**70, 10**400)) for _ in range(100)]

    def run(self, pairs: int = PAIRS) -> None:
        """Draw and compare until the chunk is full."""
        while self.counts["pairs"] < pairs:
            tree = Trees(self.draw).tree(self.draw.choice(KINDS), self.draw.randrange(1, 6))
            case = Case(tree, Text(self.draw).whole(tree), Cel().whole(tree))
            if len(case.text) > 4_000:
                continue
            try:
                self._compare(case)
            except TooDeep:
                self.counts["too deep for CEL"] += 1

    def _compare(self, case: Case) -> None:
        reference = self._oracle.compile(case.cel)
        pairs = self.draw.sample(self._pool, EVENTS)
        try:
            expression = compile_expression(case.text, NAMES)
        except ExpressionError as error:
            self._check_refusal(case, error, reference, pairs)
            return
        self.counts["expressions"] += 1
        self.counts["expressions that CEL reads word for word"] += case.cel == Text().whole(case.tree)
        self.counts["expressions that are generated code throughout"] += expression.quick
        total = self._total(case.tree) if self.counts["expressions"] % 4 == 0 else None
        for scope, activation in pairs:
            self.counts["pairs"] += 1
            ours = self._ours(case, expression, scope)
            self._hold(case, scope, ours, answer(reference, activation))
            if total is not None:
                self._tell_apart(case, scope, ours, answer(total, activation))
        self._ours(case, expression, self.draw.choice(self._beyond))
        self.counts["ints beyond 64 bits, quick against plain"] += 1
        self._hold_budgets(case, expression, pairs[0][0])

    def _total(self, tree: Tree) -> Any:
        try:
            return self._oracle.compile(Total().whole(tree))
        except TooDeep:
            return None

    def _wrong(self, case: Case, scope: Any, ours: Outcome, theirs: Any) -> str:
        return (
            f"seed {self.seed}, pair {self.counts['pairs']}\nexpression: {case.text}\nscope: {scope!r}\n"
            f"ours: {ours!r}\nthe other: {theirs!r}\nin CEL: {case.cel}"
        )

    def _check_refusal(self, case: Case, error: ExpressionError, reference: Any, pairs: list[tuple[Any, Any]]) -> None:
        """What we refuse has no value for any event, or CEL's own type checker refuses it too."""
        self.counts["refused, by CEL's checker or run too"] += 1
        if self._oracle.refuses(Declared().whole(case.tree)):
            return
        for scope, activation in pairs:
            theirs = answer(reference, activation)
            assert not has_value(theirs), self._wrong(case, scope, error, theirs)

    def _ours(self, case: Case, expression: Expression, scope: Any) -> Outcome:
        quick, plain = Budget(1_000_000), Budget(1_000_000)
        ours, other = (
            outcome(expression.evaluate, scope, quick),
            outcome(partial(evaluate_plain, expression), scope, plain),
        )
        assert same_outcome(ours, other), "not as the plain function:\n" + self._wrong(case, scope, ours, other)
        return ours

    def _hold(self, case: Case, scope: Any, ours: Outcome, theirs: Any) -> None:
        """Our value is CEL's, or there is none in either."""
        if not isinstance(theirs, NoValue) and not is_finite(theirs):
            self.counts["an infinite result, which is a fault"] += 1
            agreed = isinstance(ours, ExpressionFault)
        elif has_value(ours):
            self.counts["a value in both"] += 1
            agreed = same(ours, theirs)
        else:
            what = "undecided" if ours is UNDECIDED else "a fault"
            self.counts[f"{what}, and an error in CEL"] += 1
            agreed = isinstance(theirs, NoValue)
        assert agreed, self._wrong(case, scope, ours, theirs)

    def _tell_apart(self, case: Case, scope: Any, ours: Outcome, theirs: Any) -> None:
        """Undecided is where CEL, asked for it, says undecided; a fault is where it has an error."""
        if isinstance(theirs, NoValue) or (has_value(theirs) and not is_finite(theirs)):
            self.counts["told apart: a fault"] += 1
            agreed = isinstance(ours, ExpressionFault)
        elif isinstance(theirs, bytes | bytearray):
            self.counts["told apart: undecided"] += 1
            agreed = ours is UNDECIDED
        else:
            agreed = has_value(ours) and same(ours, theirs)
        assert agreed, "undecided or a fault?\n" + self._wrong(case, scope, ours, theirs)

    def _hold_budgets(self, case: Case, expression: Expression, scope: Any) -> None:
        """Whatever the budget, both functions use it up or neither does."""
        for steps in (self.draw.randrange(10), self.draw.randrange(80)):
            quick, plain = Budget(steps), Budget(steps)
            ours, other = (
                outcome(expression.evaluate, scope, quick),
                outcome(partial(evaluate_plain, expression), scope, plain),
            )
            assert same_outcome(ours, other), f"{steps} steps:\n" + self._wrong(case, scope, ours, other)
            self.counts["out of budget in both"] += quick.left < 0


def answer(compiled: Any, activation: Any) -> Any:
    """CEL's value, or NoValue."""
    try:
        return value_of(compiled, activation)
    except NoValue as error:
        return error


def outcome(evaluate: Callable[[dict[str, Any], Budget], Any], scope: dict[str, Any], budget: Budget) -> Outcome:
    """Our value, or the fault."""
    try:
        return evaluate(scope, budget)
    except ExpressionFault as fault:
        return fault


def has_value(outcome: Outcome) -> bool:
    """A value, null included."""
    return not isinstance(outcome, Undecided | ExpressionFault | NoValue)


def same_outcome(left: Outcome, right: Outcome) -> bool:
    """The same value, both undecided, or the same kind of fault in the same words."""
    return same(left, right) if has_value(left) else type(left) is type(right) and str(left) == str(right)


@pytest.mark.parametrize("seed", range(1, CHUNKS + 1))
def test_every_value_is_cel_s_value(seed: int, record_property: Callable[[str, object], None]) -> None:
    """10,000 pairs of a random expression and a sparse event: the value in both, or no value in either."""
    chunk = Chunk(seed)
    chunk.run()
    for what, count in sorted(chunk.counts.items()):
        print(f"seed {seed}: {count:6} {what}")  # noqa: T201 - shown with pytest -s
        record_property(what, count)
    assert chunk.counts["pairs"] >= PAIRS
    few = {what: chunk.counts[what] for what, least in LEAST.items() if chunk.counts[what] < least}
    assert not few, f"too few to mean much: {few}"
    share = chunk.counts["expressions that are generated code throughout"] / chunk.counts["expressions"]
    assert share > 0.1, "the quick function is hardly tested"


def test_a_fault_comes_before_undecided_in_the_condition_of_map() -> None:
    """Whatever the order of the elements."""
    expression = compile_expression("event.l.map(m, m.ok, m) ?? []", NAMES)
    for items in ([{"ok": 1}, {}], [{}, {"ok": 1}]):
        assert isinstance(outcome(expression.evaluate, {"event": {"l": items}}, Budget(1_000)), ExpressionFault)
