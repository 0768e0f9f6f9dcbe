"""The operators and functions at run time: each makes one function out of the functions of its operands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from receiver.contract import JsonValue
from receiver.policy.expressions.faults import BudgetExceeded, ExpressionFault
from receiver.policy.expressions.syntax import MAX_MACRO_NESTING
from receiver.policy.expressions.values import (
    UNDECIDED,
    Budget,
    Undecided,
    Value,
    extreme,
    fault,
    member,
    negate,
    present,
    size,
)

BUDGET: Final = 0
FIRST_ROOT: Final = 1 + MAX_MACRO_NESTING
_VARIABLES: Final = (None,) * MAX_MACRO_NESTING
Slots: TypeAlias = list[Any]  # of one event: the budget, the variables of macros, the roots
Run: TypeAlias = Callable[[Slots], Value]


def slot_of(name: str, layout: Sequence[str]) -> int:
    """Where a root of the layout is kept."""
    return FIRST_ROOT + layout.index(name)


def frame(layout: Iterable[str], scope: Mapping[str, JsonValue], budget: Budget) -> Slots:
    """The slots for expressions of a layout. What the scope lacks is undecided."""
    return [budget, *_VARIABLES, *(scope.get(name, UNDECIDED) for name in layout)]


def settle(odd: list[Value | ExpressionFault]) -> Undecided:
    """What remains of operands that are neither true nor false: the first fault, or else undecided."""
    for value in odd:
        if isinstance(value, ExpressionFault):
            raise value
        if value is not None and value is not UNDECIDED:
            raise fault("a condition must be true or false, not", value)
    return UNDECIDED


def strict(left: Run, right: Run, apply: Callable[[Any, Any, Budget], Value]) -> Run:
    """An operator that is undecided as soon as an operand is."""

    def run(slots: Slots) -> Value:
        a, b = left(slots), right(slots)
        if a is None or b is None or a is UNDECIDED or b is UNDECIDED:
            return UNDECIDED
        return apply(a, b, slots[BUDGET])

    return run


def field(container: Run, name: str) -> Run:
    """`container.name`."""
    return lambda slots: member(container(slots), name)


def element(container: Run, index: Run) -> Run:
    """`container[index]`."""

    def run(slots: Slots) -> Value:
        inside, key = container(slots), index(slots)
        return UNDECIDED if key is None or key is UNDECIDED else member(inside, key)

    return run


def has_element(container: Run, index: Run) -> Run:
    """`has(container[index])`."""

    def run(slots: Slots) -> Value:
        inside, key = container(slots), index(slots)
        return UNDECIDED if key is None or key is UNDECIDED else present(inside, key)

    return run


def negation(operand: Run) -> Run:
    """`!operand`."""

    def run(slots: Slots) -> Value:
        value = operand(slots)
        if value is True or value is False:
            return not value
        return settle([value])

    return run


def minus(operand: Run) -> Run:
    """`-operand`."""

    def run(slots: Slots) -> Value:
        value = operand(slots)
        return UNDECIDED if value is None or value is UNDECIDED else negate(value)

    return run


def is_null(operand: Run, wanted: bool) -> Run:
    """`operand == null`, or `!=` where null is not wanted: always decided."""

    def run(slots: Slots) -> Value:
        value = operand(slots)
        return (value is None or value is UNDECIDED) is wanted

    return run


def coalesce(left: Run, right: Run) -> Run:
    """`left ?? right`."""

    def run(slots: Slots) -> Value:
        value = left(slots)
        return right(slots) if value is None or value is UNDECIDED else value

    return run


def ternary(condition: Run, then: Run, otherwise: Run) -> Run:
    """`condition ? then : otherwise`."""

    def run(slots: Slots) -> Value:
        value = condition(slots)
        if value is True:
            return then(slots)
        return otherwise(slots) if value is False else settle([value])

    return run


def logic(winner: bool, operands: tuple[Run, ...]) -> Run:
    """`||` (winner True) and `&&` (winner False): an operand that is the winner decides, whatever the others are."""
    loser = not winner

    def run(slots: Slots) -> Value:
        odd: list[Value | ExpressionFault] = []
        for operand in operands:
            value: Value | ExpressionFault
            try:
                value = operand(slots)
            except BudgetExceeded:
                raise
            except ExpressionFault as absorbed:
                value = absorbed
            if value is winner:
                return winner
            if value is not loser:
                odd.append(value)
        return settle(odd) if odd else loser

    return run


def list_of(items: tuple[Run, ...]) -> Run:
    """`[a, b]`: a null stays in it, an absent element leaves it undecided."""

    def run(slots: Slots) -> Value:
        values: list[Any] = [item(slots) for item in items]
        return UNDECIDED if any(value is UNDECIDED for value in values) else values

    return run


def map_of(pairs: tuple[tuple[Run, Run], ...]) -> Run:
    """`{"a": b}`, likewise."""

    def run(slots: Slots) -> Value:
        entries: list[tuple[Any, Any]] = [(key(slots), value(slots)) for key, value in pairs]
        result: dict[str, JsonValue] = {}
        for key, value in entries:
            if key is None or key is UNDECIDED or value is UNDECIDED:
                return UNDECIDED
            if not isinstance(key, str):
                raise fault("the keys of a map are strings, not", key)
            if key in result:
                raise ExpressionFault("a key stands twice in a map")
            result[key] = value
        return result

    return run


def size_of(operand: Run) -> Run:
    """`size(operand)`."""

    def run(slots: Slots) -> Value:
        value = operand(slots)
        return UNDECIDED if value is None or value is UNDECIDED else size(value)

    return run


def extreme_in(name: str, operand: Run) -> Run:
    """`max(list)` and `min(list)`."""

    def run(slots: Slots) -> Value:
        value = operand(slots)
        if value is None or value is UNDECIDED:
            return UNDECIDED
        return extreme(name, value if isinstance(value, list) else [value], slots[BUDGET])

    return run


def extreme_of(name: str, arguments: tuple[Run, ...]) -> Run:
    """`max(a, b)` and `min(a, b)`."""
    return lambda slots: extreme(name, [argument(slots) for argument in arguments], slots[BUDGET])
