"""Values at run time: the third truth value, the step budget, and CEL's equality, order and arithmetic on JSON values.

Python would let booleans compare and compute as numbers and integers grow without end; CEL does neither. Every function
here goes by exact type, so `True` is never 1, and takes operands that are neither null nor undecided.
Source: CEL language definition, sections "Equality", "Ordering", "Numeric Values", "Overflow".
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, TypeAlias

from receiver.contract import JsonValue
from receiver.policy.expressions.faults import BudgetExceeded, ExpressionFault

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
MAX_LIST: Final = 10_000  # longest list that a macro walks or that an expression makes
MAX_STRING: Final = 65_536  # longest text that an expression makes, in characters
LONG_TEXT: Final = 256  # texts up to here cost no steps of their own
MAX_NESTING: Final = 64  # of values that are written out: as deep as payloads may be
_TEXT_STEP: Final = 16  # characters of a long text to one step


class Undecided(Enum):
    """The type of UNDECIDED, so that a type checker can tell it apart."""

    UNDECIDED = "undecided"

    def __repr__(self) -> str:
        return "undecided"

    __str__ = __repr__

    def __bool__(self) -> bool:
        # `if condition.evaluate(...)` would take undecided for true
        raise TypeError("undecided is neither true nor false")


UNDECIDED: Final = Undecided.UNDECIDED
"""Neither true nor false: a field that the answer depends on is absent or null."""

Value: TypeAlias = "JsonValue | Undecided"


class Budget:
    """The steps that all expressions of one event may take together. A step is about one node of an expression, one
    element of a list that is walked, or sixteen characters of a long text.
    """

    __slots__ = ("left", "steps")

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.left = steps

    @property
    def spent(self) -> int:
        """The steps taken so far; more than `steps` once the budget is exceeded."""
        return self.steps - self.left

    def spend(self, steps: int) -> None:
        """Take steps. Raises BudgetExceeded."""
        self.left -= steps
        if self.left < 0:
            raise BudgetExceeded(f"the step budget of {self.steps:,} for one event is used up")


_KINDS: Final[dict[type, str]] = {
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    list: "list",
    dict: "map",
    type(None): "null",
}
_NUMBERS: Final = frozenset({int, float})
_CONTAINERS: Final = frozenset({list, dict})
_ORDERED: Final = frozenset({str, bool})


def kind_of(value: Any) -> str:
    """CEL's name for the type of a value."""
    return _KINDS.get(type(value), "unknown")


def fault(what: str, *values: Any) -> ExpressionFault:
    """A fault that names the kinds of the values, never the values."""
    return ExpressionFault(f"{what} {' and '.join(kind_of(value) for value in values)}")


def _charge_text(length: int, budget: Budget) -> None:
    if length > LONG_TEXT:
        budget.spend(length // _TEXT_STEP)


def equals(left: JsonValue, right: JsonValue, budget: Budget) -> bool:
    """Equality in depth: never across types, except int and double, exactly as numbers. NaN equals nothing."""
    pending: list[tuple[Any, Any]] = [(left, right)]
    while pending:
        a, b = pending.pop()
        if type(a) is not type(b):
            if not (type(a) in _NUMBERS and type(b) in _NUMBERS and a == b):
                return False
        elif type(a) is list:
            if len(a) != len(b):
                return False
            budget.spend(len(a))
            pending.extend(zip(a, b, strict=True))
        elif type(a) is dict:
            budget.spend(len(a))
            if a.keys() != b.keys():
                return False
            pending.extend((a[key], b[key]) for key in a)
        else:
            if type(a) is str and len(a) == len(b):
                _charge_text(len(a), budget)
            if a != b:
                return False
    return True


Order: TypeAlias = Callable[[Any, Any], bool]
ORDERS: Final[dict[str, Order]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def compare(order: Order, left: JsonValue, right: JsonValue, budget: Budget) -> bool:
    """`left < right` and its kin: two numbers (exactly), two strings (by code point) or two bools (false first)."""
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return order(left, right)
    if type(left) is type(right) and type(left) in _ORDERED:
        if isinstance(left, str) and isinstance(right, str):
            _charge_text(min(len(left), len(right)), budget)
        return order(left, right)
    raise fault("cannot put in order:", left, right)


def among(item: JsonValue, items: Any, budget: Budget) -> bool:
    """`item in [a, b]`: an equal element. The list stands in the expression, so its cost has been charged."""
    if type(item) is str:
        return item in items  # only a string equals a string, in Python too
    return any(equals(item, element, budget) for element in items)


def contains(item: JsonValue, container: JsonValue, budget: Budget) -> bool:
    """`item in container`: an equal element of a list, or a key of a map."""
    if isinstance(container, list):
        budget.spend(len(container))
        return among(item, container, budget)
    if isinstance(container, dict):
        if isinstance(item, list | dict):
            raise fault("no map has a key that is a", item)
        return type(item) is str and item in container
    raise fault("'in' needs a list or a map, not", container)


def size(value: JsonValue) -> int:
    """The number of characters (code points), elements or keys."""
    if isinstance(value, str | list | dict):
        return len(value)
    raise fault("size() needs a string, a list or a map, not", value)


def text_method(name: str, target: JsonValue, argument: JsonValue, budget: Budget) -> bool:
    """`startsWith`, `endsWith` and `contains` on strings."""
    if not isinstance(target, str) or not isinstance(argument, str):
        hint = "; for a list write 'x in list'" if name == "contains" and isinstance(target, list) else ""
        raise ExpressionFault(f"{name}() needs two strings, not {kind_of(target)} and {kind_of(argument)}{hint}")
    _charge_text(len(target), budget)
    if name == "startsWith":
        return target.startswith(argument)
    if name == "endsWith":
        return target.endswith(argument)
    return argument in target


def extreme(name: str, values: list[Any], budget: Budget) -> JsonValue | Undecided:
    """The largest (`max`) or smallest (`min`) of numbers or of strings, the first of equals. Undecided for an empty
    list, or where an element is null.
    """
    budget.spend(len(values))
    order = operator.gt if name == "max" else operator.lt
    if not values or any(value is None or value is UNDECIDED for value in values):
        return UNDECIDED
    best: JsonValue = values[0]
    for value in values:
        if type(value) is bool or not (isinstance(value, int | float | str)):
            raise fault(f"{name}() needs numbers or strings, not", value)
        if compare(order, value, best, budget):
            best = value
    return best


def _within_64_bits(*values: Any) -> None:
    for value in values:
        if type(value) is int and not INT_MIN <= value <= INT_MAX:
            raise ExpressionFault("an integer is outside 64 bits")


def _divide_whole(left: int, right: int) -> int:
    if right == 0:
        raise ExpressionFault("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: int, right: int) -> int:
    if right == 0:
        raise ExpressionFault("modulus by zero")
    if left == INT_MIN and right == -1:
        raise ExpressionFault("an integer is outside 64 bits")  # as CEL has it, though the remainder would be 0
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def _divide_real(left: float, right: float) -> float:
    if right != 0.0:
        return left / right
    if left == 0.0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


_WHOLE: Final[dict[str, Callable[[int, int], int]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide_whole,
    "%": _remainder,
}
_REAL: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide_real,
}


def calculate(symbol: str, left: JsonValue, right: JsonValue, budget: Budget) -> JsonValue:
    """Arithmetic. Ints are 64 bits and overflow is a fault; int with double gives double; doubles are IEEE 754. `+`
    also joins two strings or two lists. `%` is for ints only.
    """
    if type(left) is int and type(right) is int:
        _within_64_bits(left, right)
        result = _WHOLE[symbol](left, right)
        _within_64_bits(result)
        return result
    if type(left) in _NUMBERS and type(right) in _NUMBERS and symbol in _REAL:
        _within_64_bits(left, right)
        return _REAL[symbol](float(left), float(right))  # type: ignore[arg-type]  # both are numbers, by exact type
    if symbol == "+":
        return _join(left, right, budget)
    raise fault(f"'{symbol}' cannot work on", left, right)


def _join(left: JsonValue, right: JsonValue, budget: Budget) -> JsonValue:
    if isinstance(left, str) and isinstance(right, str):
        length = len(left) + len(right)
        if length > MAX_STRING:
            raise ExpressionFault(f"a text longer than {MAX_STRING:,} characters")
        _charge_text(length, budget)
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        budget.spend(within_list_cap(len(left) + len(right)))
        return left + right
    raise fault("'+' cannot work on", left, right)


def within_list_cap(length: int) -> int:
    """The length back, or a fault if no list may be that long."""
    if length > MAX_LIST:
        raise ExpressionFault(f"a list longer than {MAX_LIST:,} elements")
    return length


def negate(value: JsonValue) -> int | float:
    """Unary minus."""
    if type(value) is float:
        return -value
    if type(value) is int:
        _within_64_bits(value, -value)
        return -value
    raise fault("'-' cannot work on", value)


def member(container: Value, key: JsonValue) -> Value:
    """`container.key` or `container[key]`: UNDECIDED where a map lacks the key, or the container is null or undecided
    itself. A list is indexed from 0, by a whole number; an index out of range is a fault, as in CEL.
    """
    if container is None or container is UNDECIDED:
        return UNDECIDED
    if isinstance(container, dict):
        if not isinstance(key, str):
            raise fault("the keys of a map are strings, not", key)
        return container.get(key, UNDECIDED)
    if not isinstance(container, list):
        raise fault("no fields and no elements in", container)
    if isinstance(key, str):
        raise ExpressionFault("a list has no fields")
    if type(key) is not int and not (type(key) is float and key.is_integer()):
        raise fault("a list is indexed by whole numbers, not by", key)
    if not 0 <= key < len(container):
        raise ExpressionFault("list index out of range")
    return container[int(key)]


def present(container: Value, key: JsonValue) -> bool:
    """`has(container.key)`: whether the key, or the element, is there. A null that is there counts, as in CEL; below a
    parent that is absent or null nothing is there (in CEL that is an error).
    """
    if container is None or container is UNDECIDED:
        return False
    if isinstance(container, list) and type(key) is int:
        return 0 <= key < len(container)
    return member(container, key) is not UNDECIDED


def finite(value: Value, budget: Budget) -> Value:
    """The value back, or a fault if JSON cannot hold it: infinity and NaN may pass through a calculation, but are no
    result.
    """
    if type(value) is not float and type(value) not in _CONTAINERS:
        return value
    pending: list[Any] = [value]
    while pending:
        item = pending.pop()
        if type(item) is float and not math.isfinite(item):
            raise ExpressionFault("the result is infinite or not a number")
        if type(item) in _CONTAINERS:
            budget.spend(len(item))  # values may share their parts: small in memory, and endless to walk
            pending.extend(item if type(item) is list else item.values())
    return value


def weight(value: JsonValue, most: int) -> int | None:
    """How large a value is, written out: each element, key and plain value counts one, and so do sixteen characters.
    None if it is above `most`, or nested deeper than JSON texts may be; no more than that is looked at.
    """
    total = 0
    pending: list[tuple[Any, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        total += 1
        if isinstance(item, str):
            total += len(item) // _TEXT_STEP
        elif isinstance(item, list | dict):
            if depth > MAX_NESTING or total + len(item) > most:
                return None
            pending.extend((each, depth + 1) for each in (item if isinstance(item, list) else item.values()))
        if total > most:
            return None
    return total
