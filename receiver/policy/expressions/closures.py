"""Syntax tree -> one Python function, made of closures: the plain way of running an expression, and its meaning.

A function takes the slots of one evaluation (the budget, the roots, the variables of macros) and gives a value. Inside,
null is None, and absent or undecidable is UNDECIDED; a fault is an ExpressionFault. Operators and functions are
undecided as soon as an operand is None or UNDECIDED, once all have been evaluated: a fault in one of them comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from receiver.policy.expressions.check import TEXT_METHODS
from receiver.policy.expressions.loops import filtering, mapping, searching
from receiver.policy.expressions.operators import (
    BUDGET,
    FIRST_ROOT,
    Run,
    coalesce,
    element,
    extreme_in,
    extreme_of,
    field,
    has_element,
    is_null,
    list_of,
    logic,
    map_of,
    minus,
    negation,
    size_of,
    strict,
    ternary,
)
from receiver.policy.expressions.syntax import (
    Binary,
    Call,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    Macro,
    MapLiteral,
    Name,
    Node,
    Select,
    Ternary,
    Unary,
    children,
)
from receiver.policy.expressions.values import (
    ORDERS,
    among,
    calculate,
    compare,
    contains,
    equals,
    present,
    text_method,
)

Bound: TypeAlias = Mapping[str, int]  # name -> slot


def cost(node: Node) -> int:
    """The steps that evaluating a node takes, bodies of macros left out: those are charged by the element."""
    if isinstance(node, Macro):
        return 1 + cost(node.items)
    return 1 + sum(map(cost, children(node)))


def variable_slot(bound: Bound) -> int:
    """A slot that no macro around uses."""
    return 1 + max((slot for slot in bound.values() if slot < FIRST_ROOT), default=BUDGET)


class Closures:
    """Builds the functions for one layout: `roots` are the names, in the order of their slots."""

    def __init__(self, roots: tuple[str, ...]) -> None:
        self.roots: Bound = {name: slot for slot, name in enumerate(roots, start=FIRST_ROOT)}

    def whole(self, node: Node) -> Run:
        """The function of a whole expression."""
        return self.operand(node, self.roots)

    def operand(self, node: Node, bound: Bound) -> Run:  # noqa: C901, PLR0912 - one flat case for each kind of node
        """The function of a node; `bound` says where the names it may use are kept."""
        match node:
            case Literal(_, value):
                return lambda _: value
            case Name(_, name):
                slot = bound[name]
                return lambda slots: slots[slot]
            case Select(_, inner, name):
                return field(self.operand(inner, bound), name)
            case Index(_, inner, index):
                return element(self.operand(inner, bound), self.operand(index, bound))
            case Has(_, path):
                return self._has(path, bound)
            case Unary(_, operator, inner):
                return (negation if operator == "!" else minus)(self.operand(inner, bound))
            case Binary():
                return self._binary(node, bound)
            case Logic(_, operator, operands):
                return logic(operator == "||", tuple(self.operand(operand, bound) for operand in operands))
            case Ternary(_, condition, then, otherwise):
                return ternary(*(self.operand(part, bound) for part in (condition, then, otherwise)))
            case Call():
                return self._call(node, bound)
            case Macro():
                return self._macro(node, bound)
            case ListLiteral(_, items):
                return list_of(tuple(self.operand(item, bound) for item in items))
            case MapLiteral(_, entries):
                pairs = tuple((self.operand(key, bound), self.operand(value, bound)) for key, value in entries)
                return map_of(pairs)

    def _has(self, path: Select | Index, bound: Bound) -> Run:
        container = self.operand(path.operand, bound)
        if isinstance(path, Select):
            name = path.field
            return lambda slots: present(container(slots), name)
        return has_element(container, self.operand(path.index, bound))

    def _binary(self, node: Binary, bound: Bound) -> Run:
        left, right = self.operand(node.left, bound), self.operand(node.right, bound)
        operator = node.operator
        if operator == "??":
            return coalesce(left, right)
        if operator in ("==", "!="):
            return self._equality(node, left, right)
        if operator == "in":
            return strict(left, right, among if isinstance(node.right, ListLiteral) else contains)
        if operator in ORDERS:
            order = ORDERS[operator]
            return strict(left, right, lambda a, b, budget: compare(order, a, b, budget))
        return strict(left, right, lambda a, b, budget: calculate(operator, a, b, budget))

    def _equality(self, node: Binary, left: Run, right: Run) -> Run:
        wanted = node.operator == "=="
        for literal, other in ((node.left, right), (node.right, left)):
            if isinstance(literal, Literal) and literal.value is None:
                return is_null(other, wanted)
        return strict(left, right, lambda a, b, budget: equals(a, b, budget) is wanted)

    def _call(self, node: Call, bound: Bound) -> Run:
        name = node.name
        arguments = tuple(self.operand(argument, bound) for argument in node.arguments)
        if name in TEXT_METHODS:
            return strict(arguments[0], arguments[1], lambda a, b, budget: text_method(name, a, b, budget))
        if name == "size":
            return size_of(arguments[0])
        return extreme_in(name, arguments[0]) if len(arguments) == 1 else extreme_of(name, arguments)

    def _macro(self, node: Macro, bound: Bound) -> Run:
        items = self.operand(node.items, bound)
        slot = variable_slot(bound)
        inside = {**bound, node.variable: slot}
        body = self.operand(node.body, inside)
        where = None if node.where is None else self.operand(node.where, inside)
        steps = 1 + cost(node.body) + (0 if node.where is None else cost(node.where))
        if node.kind == "map":
            return mapping(items, slot, where, body, steps)
        if node.kind == "filter":
            return filtering(items, slot, body, steps)
        return searching(items, slot, body, steps, winner=node.kind == "exists")
