"""The door of this room: text -> Expression, which the rest of the policy evaluates and explains.

The language is a subset of CEL (https://github.com/google/cel-spec, langdef.md) over JSON values, with a third truth
value. It differs from CEL in three ways: `has(a.b.c)` is false where a parent is absent or null, int and double mix in
arithmetic and comparison (compared exactly), and `a ?? b` is `b` where `a` is absent, null or undecided. And where CEL
reports an absent field or a null operand as an error, the answer here is UNDECIDED, which `&&`, `||`, `exists` and
`all` absorb like an error, and which `== null` and `!= null` always decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

from receiver.contract import JsonValue
from receiver.policy.expressions.check import Names, check
from receiver.policy.expressions.closures import Closures
from receiver.policy.expressions.faults import BudgetExceeded, ExpressionError, ExpressionFault
from receiver.policy.expressions.generated import generate
from receiver.policy.expressions.operators import Run, Slots, frame, slot_of
from receiver.policy.expressions.parser import MAX_DEPTH, MAX_LENGTH, parse
from receiver.policy.expressions.reads import Read, reads, value_below
from receiver.policy.expressions.shapes import Kind, ListOf, Shape, shape_of
from receiver.policy.expressions.syntax import MAX_MACRO_NESTING, Binary, Node, walk
from receiver.policy.expressions.values import MAX_LIST, MAX_STRING, UNDECIDED, Budget, Undecided, weight

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
    "Slots",
    "Undecided",
    "compile_expression",
    "frame",
    "shape_of",
    "slot_of",
    "weight",
]

_ARITHMETIC: Final = frozenset("+-*/")


class Expression:
    """An expression that passed every check. `shape` is what is known of its value before any event. Safe to use from
    several threads: what an evaluation keeps, it keeps in its slots.

    `layout` names the roots in the order of their slots: expressions of one layout share one `frame`.
    """

    def __init__(self, text: str, node: Node, shape: Shape | None, layout: Sequence[str] | None = None) -> None:
        self.text = text
        self.node = node
        self.shape = shape
        self._reads: tuple[Read, ...] = reads(node)
        self.roots = frozenset(read.root for read in self._reads)
        self.layout = tuple(sorted(self.roots) if layout is None else layout)
        self._closures = Closures(self.layout)
        self._calculates = shape is not Kind.BOOL and any(
            isinstance(part, Binary) and part.operator in _ARITHMETIC for part in walk(node)
        )
        self._places = tuple((read, self._closures.roots[read.root]) for read in self._reads)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every longest path it reads, as text, such as `event.liveness.score`; variables of macros are left out."""
        return tuple(read.text for read in self._reads)

    @cached_property
    def _generated(self) -> tuple[Run, bool]:
        return generate(self.node, self._closures, checks_result=self._calculates)

    @cached_property
    def run(self) -> Run:
        """The function of the expression: slots, such as `frame` makes them, to its value. UNDECIDED where that hangs
        on what is absent or null; a path alone gives the null that stands there. The value may share parts with what
        it was given: read it, do not change it.

        Raises ExpressionFault, and BudgetExceeded (one of them) as soon as the budget is used up.
        """
        return self._generated[0]

    @property
    def quick(self) -> bool:
        """Whether all of it runs as generated code, and nothing as closures."""
        return self._generated[1]

    def evaluate(self, scope: Mapping[str, JsonValue], budget: Budget) -> JsonValue | Undecided:
        """The value in a scope of root names: `run` on a frame of its own."""
        return self.run(frame(self.layout, scope, budget))

    def inputs(self, slots: Slots) -> tuple[dict[str, JsonValue], tuple[str, ...]]:
        """The values of its paths, and the paths where nothing stands (absent or null), in the order of the text."""
        there: dict[str, JsonValue] = {}
        missing: list[str] = []
        for read, slot in self._places:
            value = value_below(slots[slot], read.steps)
            if value is None:
                missing.append(read.text)
            else:
                there[read.text] = value
        return there, tuple(missing)


def compile_expression(text: str, names: Names) -> Expression:
    """Read, check and compile an expression. Raises ExpressionError, whatever the text."""
    node = parse(text)
    return Expression(text, node, check(node, names), tuple(names.roots))
