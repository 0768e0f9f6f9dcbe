"""Quicker functions for the common shapes of policies. Each means exactly what `closures.py` means by the same node,
and a differential test holds it to that; values it does not expect go to the code that the plain function uses.

The known trap: Python compares booleans as numbers, so a shortcut looks at the exact type before it compares.
"""

from __future__ import annotations

from typing import Any, Final

from receiver.policy.expressions.closures import Bound, Closures, cost
from receiver.policy.expressions.loops import elements
from receiver.policy.expressions.operators import BUDGET, Run, Slots
from receiver.policy.expressions.reads import as_path
from receiver.policy.expressions.syntax import Binary, Call, ListLiteral, Literal, Macro, Name, Node, Select
from receiver.policy.expressions.values import (
    ORDERS,
    UNDECIDED,
    Order,
    Value,
    compare,
    contains,
    extreme,
    member,
)

_NUMBERS: Final = frozenset({int, float})


def shortcut(node: Node, bound: Bound, closures: Closures) -> Run | None:
    """A quicker function for the node, or None if it has no common shape. Whether it has is settled before anything
    below the node is built: a node that is built twice at every level makes a deep tree take for ever.
    """
    match node:
        case Select():
            return _path(node, bound)
        case Binary(_, operator, left, Literal(_, int() | float() as limit)) if (
            operator in ORDERS and type(limit) in _NUMBERS
        ):
            return _ordered(ORDERS[operator], closures.operand(left, bound), limit)
        case Binary(_, "==" | "!=" as operator, left, Literal(_, int() | float() as limit)) if type(limit) in _NUMBERS:
            return _equal_number(closures.operand(left, bound), limit, operator == "==")
        case Binary(_, "==" | "!=" as operator, left, Literal(_, str() as text)):
            return _against_text(closures.operand(left, bound), text, operator == "==")
        case Binary(_, "in", left, ListLiteral(_, items)) if items and _texts(items):
            return _in_texts(closures.operand(left, bound), _texts(items))
        case Binary(_, "in", left, right):
            return _in(closures.operand(left, bound), closures.operand(right, bound))
        case Macro(_, "map", items, variable, None, Select(_, Name(_, name), field) as body) if name == variable:
            return _pluck(closures.operand(items, bound), field, 1 + cost(body))
        case Call(_, "max" | "min" as name, (argument,)):
            return _extreme(name, closures.operand(argument, bound))
    return None


def _path(node: Select, bound: Bound) -> Run | None:
    path = as_path(node)
    if path is None or not all(isinstance(step, str) for step in path[1]):
        return None
    slot, steps = bound[path[0].name], path[1]
    if len(steps) == 1:
        return _path_of_one(slot, str(steps[0]))
    if len(steps) == 2:
        return _path_of_two(slot, str(steps[0]), str(steps[1]))
    return lambda slots: _follow(slots[slot], steps)


def _follow(value: Value, steps: tuple[Any, ...]) -> Value:
    for step in steps:
        value = member(value, step)
    return value


def _path_of_one(slot: int, field: str) -> Run:
    steps = (field,)

    def run(slots: Slots) -> Value:
        parent = slots[slot]
        if type(parent) is dict:
            return parent.get(field, UNDECIDED)  # type: ignore[no-any-return]  # a JSON value
        return _follow(parent, steps)

    return run


def _path_of_two(slot: int, first: str, second: str) -> Run:
    steps = (first, second)

    def run(slots: Slots) -> Value:
        grandparent = slots[slot]
        if type(grandparent) is dict:
            parent = grandparent.get(first)
            if type(parent) is dict:
                return parent.get(second, UNDECIDED)  # type: ignore[no-any-return]  # a JSON value
            if parent is None:
                return UNDECIDED
        return _follow(grandparent, steps)

    return run


def _ordered(order: Order, left: Run, limit: int | float) -> Run:
    def run(slots: Slots) -> Value:
        value = left(slots)
        kind = type(value)
        if kind is float or kind is int:
            return order(value, limit)
        if value is None or value is UNDECIDED:
            return UNDECIDED
        return compare(order, value, limit, slots[BUDGET])

    return run


def _equal_number(left: Run, limit: int | float, wanted: bool) -> Run:
    def run(slots: Slots) -> Value:
        value = left(slots)
        if value is None or value is UNDECIDED:
            return UNDECIDED
        return (type(value) in _NUMBERS and value == limit) is wanted

    return run


def _against_text(left: Run, text: str, wanted: bool) -> Run:
    def run(slots: Slots) -> Value:
        value = left(slots)
        if value is None or value is UNDECIDED:
            return UNDECIDED
        return (type(value) is str and value == text) is wanted

    return run


def _texts(items: tuple[Node, ...]) -> frozenset[str]:
    """The strings, if all items are string literals; otherwise nothing."""
    values = [item.value for item in items if isinstance(item, Literal) and isinstance(item.value, str)]
    return frozenset(values) if len(values) == len(items) else frozenset()


def _in_texts(left: Run, texts: frozenset[str]) -> Run:
    def run(slots: Slots) -> Value:
        value = left(slots)
        if value is None or value is UNDECIDED:
            return UNDECIDED
        return type(value) is str and value in texts

    return run


def _in(left: Run, right: Run) -> Run:
    def run(slots: Slots) -> Value:
        item, container = left(slots), right(slots)
        if type(item) is str and type(container) is list:
            slots[BUDGET].spend(len(container))
            return item in container  # only a string equals a string, in Python too
        if item is None or container is None or item is UNDECIDED or container is UNDECIDED:
            return UNDECIDED
        return contains(item, container, slots[BUDGET])

    return run


def _pluck(items: Run, field: str, steps: int) -> Run:
    def run(slots: Slots) -> Value:
        walked = elements(items(slots), slots, steps)
        if walked is None:
            return UNDECIDED
        try:
            return [item[field] for item in walked]
        except (KeyError, TypeError):
            made: list[Any] = [member(item, field) for item in walked]
            return UNDECIDED if any(value is UNDECIDED for value in made) else made

    return run


def _extreme(name: str, operand: Run) -> Run:
    best: Any = max if name == "max" else min

    def run(slots: Slots) -> Value:
        value = operand(slots)
        if value is None or value is UNDECIDED:
            return UNDECIDED
        if type(value) is list and value and _NUMBERS.issuperset(map(type, value)):
            slots[BUDGET].spend(len(value))
            return best(value)  # type: ignore[no-any-return]  # one of the numbers
        return extreme(name, value if isinstance(value, list) else [value], slots[BUDGET])

    return run
