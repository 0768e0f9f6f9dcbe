"""The door of this room: text -> Expression, which the rest of the policy evaluates and explains.

The language is a subset of CEL (https://github.com/google/cel-spec, langdef.md) over JSON values, with a third truth
value. It differs from CEL in three ways: `has(a.b.c)` is false where a parent is absent or null, int and double mix in
arithmetic and comparison (compared exactly), and `a ?? b` is `b` where `a` is absent, null or undecided. And where CEL
reports an absent field or a null operand as an error, the answer here is UNDECIDED, which `&&`, `||`, `exists` and
`all` absorb like an error, and which `== null` and `!= null` always decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from receiver.contract import JsonValue
from receiver.policy.expressions.check import Names, check
from receiver.policy.expressions.closures import Closures, cost
from receiver.policy.expressions.faults import BudgetExceeded, ExpressionError, ExpressionFault
from receiver.policy.expressions.operators import Run
from receiver.policy.expressions.parser import MAX_DEPTH, MAX_LENGTH, MAX_MACRO_NESTING, parse
from receiver.policy.expressions.reads import Read, reads
from receiver.policy.expressions.shapes import Kind, ListOf, Shape, shape_of
from receiver.policy.expressions.shortcuts import shortcut
from receiver.policy.expressions.syntax import Binary, Node, walk
from receiver.policy.expressions.values import MAX_LIST, MAX_STRING, UNDECIDED, Budget, Undecided, Value, is_finite

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "MAX_LIST",
    "MAX_MACRO_NESTING",
    "MAX_STRING",
    "UNDECIDED",
    "Budget",
    "BudgetExceeded",
    "Expression",
    "ExpressionError",
    "ExpressionFault",
    "Kind",
    "ListOf",
    "Names",
    "Shape",
    "Undecided",
    "compile_expression",
    "shape_of",
]

_ARITHMETIC: Final = frozenset("+-*/")
_VARIABLES: Final[list[Any]] = [None] * MAX_MACRO_NESTING


class Expression:
    """An expression that passed every check. `shape` is what is known of its value before any event. Safe to use from
    several threads; nothing is kept between evaluations.
    """

    def __init__(self, text: str, node: Node, shape: Shape | None) -> None:
        self.text = text
        self.node = node
        self.shape = shape
        self._reads: tuple[Read, ...] = reads(node)
        self.roots = frozenset(read.root for read in self._reads)
        self._slots = tuple(sorted(self.roots))
        self._absent = (UNDECIDED,) * len(self._slots)  # what a root that the scope lacks gives
        self._cost = cost(node)
        self._run = Closures(self._slots, shortcut).whole(node)
        self._calculates = shape is not Kind.BOOL and any(
            isinstance(part, Binary) and part.operator in _ARITHMETIC for part in walk(node)
        )

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every longest path it reads, as text, such as `event.liveness.score`; variables of macros are left out."""
        return tuple(read.text for read in self._reads)

    @cached_property
    def plain(self) -> Run:
        """The function without any shortcut: what differential tests hold the quick one to. Takes the slots."""
        return Closures(self._slots).whole(self.node)

    def evaluate(self, scope: Mapping[str, JsonValue], budget: Budget) -> JsonValue | Undecided:
        """The value in a scope of root names; UNDECIDED where it hangs on what is absent or null. A path alone gives
        the null that stands there. The value may share parts with the scope: read it, do not change it.

        Raises ExpressionFault, and BudgetExceeded (one of them) as soon as the budget is used up.
        """
        budget.left -= self._cost  # inlined from Budget.spend: this runs for every condition of every rule looked at
        if budget.left < 0:
            budget.spend(0)
        value = self._run([budget, *map(scope.get, self._slots, self._absent), *_VARIABLES])
        return self._finite(value) if self._calculates else value

    def evaluate_plain(self, scope: Mapping[str, JsonValue], budget: Budget) -> JsonValue | Undecided:
        """The same, without any shortcut."""
        budget.spend(self._cost)
        return self._finite(self.plain([budget, *map(scope.get, self._slots, self._absent), *_VARIABLES]))

    @staticmethod
    def _finite(value: Value) -> Value:
        if not is_finite(value):
            raise ExpressionFault("the result is infinite or not a number")
        return value

    def inputs(self, scope: Mapping[str, JsonValue]) -> tuple[dict[str, JsonValue], tuple[str, ...]]:
        """The values of its paths, and the paths where nothing stands (absent or null), in the order of the text."""
        values = {read.text: read.value(scope) for read in self._reads}
        there: dict[str, JsonValue] = {text: value for text, value in values.items() if value is not None}
        return there, tuple(text for text, value in values.items() if value is None)


def compile_expression(text: str, names: Names) -> Expression:
    """Read, check and compile an expression. Raises ExpressionError, whatever the text."""
    node = parse(text)
    return Expression(text, node, check(node, names))
