"""Syntax tree -> one Python function, written as source and compiled: the quick way of running an expression.

It means exactly what `closures.py` means by the same tree, and a differential test holds it to that. Nodes of
kinds that are not written out here, and trees too deep for Python's own compiler, are called as closures from within.

Nothing of a policy's text stands in the source: field names, numbers and texts are handed in as constants. So
expressions of the same form share one source, which is compiled once, however many rules a policy has.

The known trap: Python compares booleans as numbers, so the exact type is looked at before anything is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeAlias

from receiver.policy.expressions.closures import Bound, Closures, cost, variable_slot
from receiver.policy.expressions.faults import BudgetExceeded, ExpressionFault
from receiver.policy.expressions.loops import elements
from receiver.policy.expressions.operators import BUDGET, Run, settle
from receiver.policy.expressions.syntax import (
    Binary,
    Call,
    Has,
    ListLiteral,
    Literal,
    Logic,
    Macro,
    Name,
    Node,
    Select,
    Ternary,
    Unary,
)
from receiver.policy.expressions.values import (
    LONG_TEXT,
    ORDERS,
    UNDECIDED,
    Budget,
    Value,
    among,
    calculate,
    compare,
    contains,
    equals,
    extreme,
    finite,
    member,
    present,
    size,
)

_DEEPEST: Final = 12  # blocks inside each other: Python takes 20 loops and `try`, and a macro is two of them
_NUMBERS: Final = frozenset({int, float})
Locals: TypeAlias = dict[int, str]  # slot -> the local name that holds the same


def generate(node: Node, closures: Closures, *, checks_result: bool) -> tuple[Run, bool]:
    """The function of a whole tree, charged for its cost, and whether all of it was written out. `checks_result`: an
    infinite or undefined number is a fault.
    """
    writer = _Writer(closures)
    writer.line(f"b = s[{BUDGET}]")
    writer.line(f"b.left -= {writer.constant(cost(node))}")
    writer.line("if b.left < 0: b.spend(0)")
    result = writer.value(node, closures.roots, {})
    writer.line(f"return finite({result}, b)" if checks_result else f"return {result}")
    return writer.function(), writer.whole


@lru_cache(maxsize=1)
def _world() -> dict[str, Any]:
    """All that the source may name: no builtin but types, and functions of this room."""
    functions = (among, calculate, compare, contains, elements, equals, finite, member, present, settle, size)
    return {
        "__builtins__": {},
        **{kind.__name__: kind for kind in (dict, float, int, str, type)},
        **{function.__name__: function for function in functions},
        **{fault.__name__: fault for fault in (BudgetExceeded, ExpressionFault)},
        "NUMBERS": _NUMBERS,
        "U": UNDECIDED,
        "extreme_in": _extreme_in,
    }


@lru_cache(maxsize=4096)
def _factory(source: str) -> Callable[..., Run]:
    space = dict(_world())
    exec(compile(source, "<expression>", "exec"), space)  # noqa: S102 - our own words only: see the top of the file
    return space["make"]  # type: ignore[no-any-return]  # what the source defines


class _Writer:
    """The source of one function. Each `_...` writes what works a node out, and gives the name that holds its value."""

    def __init__(self, closures: Closures) -> None:
        self._closures = closures
        self._lines: list[str] = []
        self._constants: list[Any] = []
        self._depth = 2
        self._names = 0
        self.whole = True

    def function(self) -> Run:
        """The function, compiled."""
        names = ", ".join(f"k{number}" for number in range(len(self._constants)))
        source = "\n".join((f"def make({names}):", "  def run(s):", *self._lines, "  return run"))
        return _factory(source)(*self._constants)

    def line(self, text: str) -> None:
        """One line of source."""
        self._lines.append(" " * 2 * self._depth + text)

    def constant(self, value: Any) -> str:
        """The name of a value that is handed in."""
        self._constants.append(value)
        return f"k{len(self._constants) - 1}"

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        self.line(head)
        self._depth += 1
        yield
        self._depth -= 1

    def _name(self, text: str) -> str:
        self._names += 1
        self.line(f"t{self._names} = {text}")
        return f"t{self._names}"

    def value(self, node: Node, bound: Bound, known: Locals) -> str:  # noqa: C901 - one flat case for a kind
        """Write what works a node out."""
        if self._depth > _DEEPEST:
            return self._called(node, bound, known)
        match node:
            case Literal(_, value):
                return self.constant(value)
            case Name(_, name):
                return known.get(bound[name]) or self._name(f"s[{bound[name]}]")
            case Select(_, operand, field):
                return self._select(self.value(operand, bound, known), field)
            case Has(_, Select(_, operand, field)):
                return self._name(f"present({self.value(operand, bound, known)}, {self.constant(field)})")
            case Unary(_, "!", operand):
                value = self.value(operand, bound, known)
                return self._name(f"False if {value} is True else True if {value} is False else settle([{value}])")
            case Binary():
                return self._binary(node, bound, known)
            case Logic(_, operator, operands):
                return self._logic(operator == "||", operands, bound, known)
            case Ternary():
                return self._ternary(node, bound, known)
            case Call(_, "size", (operand,)):
                value = self.value(operand, bound, known)
                return self._name(f"{_undecided(value)} else size({value})")
            case Call(_, "max" | "min" as name, (operand,)):
                return self._name(f"extreme_in({self.constant(name)}, {self.value(operand, bound, known)}, b)")
            case Macro(where=None):
                return self._macro(node, bound, known)
        return self._called(node, bound, known)

    def _called(self, node: Node, bound: Bound, known: Locals) -> str:
        """A node that is not written out."""
        self.whole = False
        for slot, name in known.items():
            self.line(f"s[{slot}] = {name}")
        return self._name(f"{self.constant(self._closures.operand(node, bound))}(s)")

    def _select(self, parent: str, field: str) -> str:
        key = self.constant(field)
        return self._name(f"{parent}.get({key}, U) if type({parent}) is dict else member({parent}, {key})")

    def _binary(self, node: Binary, bound: Bound, known: Locals) -> str:
        operator = node.operator
        if operator in ("==", "!="):
            for literal, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(literal, Literal) and literal.value is None:
                    value = self.value(other, bound, known)
                    return self._name(f"({value} is None or {value} is U) is {operator == '=='}")
        left = self.value(node.left, bound, known)
        if operator == "??":
            return self._coalesce(left, node.right, bound, known)
        if isinstance(node.right, Literal) and (quick := self._against(left, operator, node.right.value)):
            return self._name(f"{_undecided(left)} else {quick}")
        if operator == "in" and (texts := _texts(node.right)):
            return self._name(f"{_undecided(left)} else type({left}) is str and {left} in {self.constant(texts)}")
        right = self.value(node.right, bound, known)
        return self._name(f"{_undecided(left, right)} else {self._applied(node, left, right)}")

    def _against(self, left: str, operator: str, value: object) -> str | None:
        """A comparison with a number or a short text."""
        if type(value) is str and operator in ("==", "!=") and len(value) <= LONG_TEXT:
            return f"(type({left}) is str and {left} == {self.constant(value)}) is {operator == '=='}"
        if type(value) not in (int, float):
            return None
        if operator in ("==", "!="):
            return f"(type({left}) in NUMBERS and {left} == {self.constant(value)}) is {operator == '=='}"
        if operator not in ORDERS:
            return None
        limit, order = self.constant(value), self.constant(ORDERS[operator])
        is_number = f"type({left}) is float or type({left}) is int"
        return f"{left} {operator} {limit} if {is_number} else compare({order}, {left}, {limit}, b)"

    def _applied(self, node: Binary, left: str, right: str) -> str:
        """An operator on two values that are neither null nor undecided."""
        operator = node.operator
        if operator in ("==", "!="):
            return f"equals({left}, {right}, b) is {operator == '=='}"
        if operator == "in":
            return f"{'among' if isinstance(node.right, ListLiteral) else 'contains'}({left}, {right}, b)"
        if operator in ORDERS:
            return f"compare({self.constant(ORDERS[operator])}, {left}, {right}, b)"
        return f"calculate({self.constant(operator)}, {left}, {right}, b)"

    def _coalesce(self, left: str, right: Node, bound: Bound, known: Locals) -> str:
        result = self._name(left)
        with self._block(f"if {result} is None or {result} is U:"):
            self.line(f"{result} = {self.value(right, bound, known)}")
        return result

    def _ternary(self, node: Ternary, bound: Bound, known: Locals) -> str:
        condition = self.value(node.condition, bound, known)
        result = self._name("U")
        with self._block(f"if {condition} is True:"):
            self.line(f"{result} = {self.value(node.then, bound, known)}")
        with self._block(f"elif {condition} is False:"):
            self.line(f"{result} = {self.value(node.otherwise, bound, known)}")
        self.line(f"else: {result} = settle([{condition}])")
        return result

    def _logic(self, winner: bool, operands: tuple[Node, ...], bound: Bound, known: Locals) -> str:
        """A chain: it lies flat in a loop that is left at its end."""
        result, odd = self._name(f"{winner}"), self._name("None")
        with self._block("while True:"):
            for operand in operands:
                value = self._absorbed(operand, bound, known)
                self.line(f"if {value} is {winner}: break")
                self._note(odd, value, not winner)
            self.line(f"{result} = {not winner} if {odd} is None else settle({odd})")
            self.line("break")
        return result

    def _absorbed(self, operand: Node, bound: Bound, known: Locals) -> str:
        """The value, or the fault in its place."""
        value = self._name("None")
        with self._block("try:"):
            self.line(f"{value} = {self.value(operand, bound, known)}")
        self.line("except BudgetExceeded: raise")
        self.line(f"except ExpressionFault as fault: {value} = fault")
        return value

    def _note(self, odd: str, value: str, loser: bool) -> None:
        with self._block(f"if {value} is not {loser}:"):
            self.line(f"if {odd} is None: {odd} = [{value}]")
            self.line(f"else: {odd}.append({value})")

    def _macro(self, node: Macro, bound: Bound, known: Locals) -> str:
        items, slot, result = self.value(node.items, bound, known), variable_slot(bound), self._name("U")
        walked = self._name(f"elements({items}, s, {self.constant(1 + cost(node.body))})")
        inside, variable = {**bound, node.variable: slot}, f"v{slot}"
        body = self._searching if node.kind in ("exists", "all") else self._gathering
        with self._block(f"if {walked} is not None:"):
            body(node, (result, walked, variable), inside, {**known, slot: variable})
        return result

    def _searching(self, node: Macro, names: tuple[str, str, str], bound: Bound, known: Locals) -> None:
        """`exists` and `all`: the first element that gives the winner decides."""
        result, walked, variable = names
        winner = node.kind == "exists"
        odd = self._name("None")
        with self._block(f"for {variable} in {walked}:"):
            value = self._absorbed(node.body, bound, known)
            with self._block(f"if {value} is {winner}:"):
                self.line(f"{result} = {winner}")
                self.line("break")
            self._note(odd, value, not winner)
        self.line(f"else: {result} = {not winner} if {odd} is None else settle({odd})")

    def _gathering(self, node: Macro, names: tuple[str, str, str], bound: Bound, known: Locals) -> None:
        """`filter` and `map`: undecided if any element is."""
        result, walked, variable = names
        made, undecided = self._name("[]"), self._name("False")
        with self._block(f"for {variable} in {walked}:"):
            value = self.value(node.body, bound, known)
            if node.kind == "filter":
                self.line(f"if {value} is True: {made}.append({variable})")
                self.line(f"elif {value} is not False: {undecided} = settle([{value}]) is U")
            else:
                self.line(f"if {value} is U: {undecided} = True")
                self.line(f"{made}.append({value})")
        self.line(f"{result} = U if {undecided} else {made}")


def _undecided(*names: str) -> str:
    """The beginning of what is undecided as soon as an operand is."""
    return f"U if {' or '.join(f'{name} is None or {name} is U' for name in names)}"


def _texts(node: Node) -> frozenset[str]:
    """The strings, if the node is a list of string literals; otherwise nothing."""
    items = node.items if isinstance(node, ListLiteral) else ()
    values = [item.value for item in items if isinstance(item, Literal) and isinstance(item.value, str)]
    return frozenset(values) if len(values) == len(items) else frozenset()


def _extreme_in(name: str, value: Value, budget: Budget) -> Value:
    """`max(value)` and `min(value)`, quick where there are only numbers."""
    if value is None or value is UNDECIDED:
        return UNDECIDED
    if type(value) is list and value and _NUMBERS.issuperset(map(type, value)):
        budget.spend(len(value))
        return max(value) if name == "max" else min(value)  # type: ignore[type-var]  # all are numbers
    return extreme(name, value if isinstance(value, list) else [value], budget)
