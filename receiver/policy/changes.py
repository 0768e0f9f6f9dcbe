"""Which single value, changed how, might turn an expression: candidates, read from its syntax tree.

Only places where a value meets another one directly are looked at: `path < 60.0`, `path in lists.x`, `has(path)`,
`size(path) == 0`, `max(event.matches.map(m, m.similarity)) >= 70.0` and their kin, also inside macros, where the
variable stands for each element in turn. Whether a candidate turns the whole expression, `would_change.py` tries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from receiver.contract import JsonValue
from receiver.policy.expressions.expression import UNDECIDED, Budget, Expression, ExpressionFault
from receiver.policy.expressions.reads import as_path, path_text, reads, value_below
from receiver.policy.expressions.syntax import (
    Binary,
    Call,
    Has,
    Literal,
    Logic,
    Macro,
    Node,
    Ternary,
    Unary,
    children,
    walk,
)

Place: TypeAlias = tuple[str | int, ...]  # a root name, and the steps below it
Scope: TypeAlias = Mapping[str, JsonValue]
_Bound: TypeAlias = Mapping[str, Place]

MAX_ELEMENTS: Final = 50  # of one list
OTHER_DISTANCE: Final = 1.0  # between values that are not both numbers
_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_ORDERINGS: Final = ("<", "<=", ">", ">=")
_UNKNOWN: Final = object()


@dataclass(frozen=True, slots=True)
class Change:
    """If the value at `place` stood in the relation `op` to `value`; `witness` is such a value, as near as it gets. For
    `size` relations (`size >=`) `value` is the length, `witness` a list or text of it. Every relation but `absent`
    says that something stands there. `distance` is how far the witness is from what stands there now.
    """

    place: Place
    op: str
    value: JsonValue
    witness: JsonValue
    distance: float = OTHER_DISTANCE


def value_at(scope: Scope, place: Place) -> Any:
    """What stands there; None if nothing does."""
    return value_below(scope.get(str(place[0])), place[1:])


def place_text(place: Place) -> str:
    """`event.matches[0].similarity`, as an expression would name it."""
    return path_text(str(place[0]), place[1:])


def times_read(node: Node, scope: Scope, change: Change) -> int:
    """How often the tree reads what the change would change, elements of walked lists included. That a list is walked
    counts too, but not for a change inside one of its elements.
    """
    if any(isinstance(part, Macro) and _place(part.items, {}) is None for part in walk(node)):
        return 2  # a macro on what another one made: what it reads has no place, so call it often
    places = list(_places(node, scope, {}))
    walked = {_place(part.items, {}) for part in walk(node) if isinstance(part, Macro)}
    return sum(_overlap(change.place, place) for place in places) + (change.place in walked)


def _overlap(one: Place, other: Place) -> bool:
    size = min(len(one), len(other))
    return one[:size] == other[:size]


def _places(node: Node, scope: Scope, bound: _Bound) -> Iterator[Place]:
    place = _place(node, bound)
    if place is not None:
        yield place
        return
    if isinstance(node, Macro):
        inside = [body for body in (node.where, node.body) if body is not None]
        if _place(node.items, bound) is None:
            yield from _places(node.items, scope, bound)
        for each in _elements(node, scope, bound):
            for body in inside:
                yield from _places(body, scope, each)
        return
    for child in children(node):
        yield from _places(child, scope, bound)


def _place(node: Node, bound: _Bound) -> Place | None:
    """The place that a plain path names; None for anything else."""
    path = as_path(node)
    if path is None:
        return None
    root, steps = path
    return (*bound.get(root.name, (root.name,)), *steps)


def _elements(node: Macro, scope: Scope, bound: _Bound) -> Iterator[_Bound]:
    """The variable's meanings: one for each element, if the macro walks a list that has a place."""
    place = _place(node.items, bound)
    items = value_at(scope, place) if place is not None else None
    for index in range(min(len(items), MAX_ELEMENTS) if isinstance(items, list) else 0):
        assert place is not None
        yield {**bound, node.variable: (*place, index)}


def changes(node: Node, scope: Scope) -> Iterator[Change]:
    """The candidates, in the order of the text. Each either turns what it stands in true or false: try it."""
    yield from _changes(node, scope, {}, as_condition=True)


def _changes(node: Node, scope: Scope, bound: _Bound, *, as_condition: bool) -> Iterator[Change]:
    match node:
        case Binary(_, operator, left, right) if operator in _FLIPPED:
            yield from _comparison(operator, left, right, scope, bound)
        case Binary(_, "in", left, right):
            yield from _membership(left, right, scope, bound)
        case Has(_, path):
            yield from _presence(_place(path, bound))
        case Call(_, ("startsWith" | "endsWith" | "contains") as name, (target, argument)):
            yield from _text(name, _leaf(target, bound), _constant(argument, scope, bound))
        case _ if as_condition and (place := _leaf(node, bound)) is not None:
            yield from (Change(place, "==", wanted, wanted) for wanted in (True, False))
    if isinstance(node, Macro):
        for each in _elements(node, scope, bound):
            yield from _changes(node.body, scope, each, as_condition=node.kind != "map")
            if node.where is not None:
                yield from _changes(node.where, scope, each, as_condition=True)
    for child, is_condition in _below(node):
        yield from _changes(child, scope, bound, as_condition=is_condition)


def _below(node: Node) -> Iterator[tuple[Node, bool]]:
    """The nodes right below, with whether they must be true or false. Of a macro only the list."""
    match node:
        case Macro(_, _, items):
            yield items, False
        case Ternary(_, condition, then, otherwise):
            yield from ((condition, True), (then, False), (otherwise, False))
        case Logic() | Unary(_, "!"):
            yield from ((child, True) for child in children(node))
        case Has():
            return
        case _:
            yield from ((child, False) for child in children(node))


def _leaf(node: Node, bound: _Bound) -> Place | None:
    """The place of `path`, or of the path in `path ?? something`."""
    if isinstance(node, Binary) and node.operator == "??":
        node = node.left
    return _place(node, bound)


def _constant(node: Node, scope: Scope, bound: _Bound) -> Any:
    """What the other side is worth; _UNKNOWN where that cannot be said, or is nothing."""
    if isinstance(node, Literal):
        return node.value
    if any(read.root in bound for read in reads(node)):
        return _UNKNOWN
    try:
        value = Expression("", node, None).evaluate(scope, Budget(10_000))
    except (ExpressionFault, LookupError):
        return _UNKNOWN
    return _UNKNOWN if value is None or value is UNDECIDED else value


def _comparison(operator: str, left: Node, right: Node, scope: Scope, bound: _Bound) -> Iterator[Change]:
    for op, subject, other in ((operator, left, right), (_FLIPPED[operator], right, left)):
        value = _constant(other, scope, bound)
        if value is _UNKNOWN:
            continue
        for place in _subjects(op, subject, scope, bound):
            if value is None:
                yield from _presence(place)
            else:
                yield from _related(place, op, value, scope)
        yield from _sized(op, subject, value, scope, bound)


def _subjects(op: str, node: Node, scope: Scope, bound: _Bound) -> Iterator[Place]:
    """The places whose value is compared: the path itself, or each of which max() or min() takes the extreme."""
    place = _leaf(node, bound)
    if place is not None:
        yield place
    elif op in _ORDERINGS and isinstance(node, Call) and node.name in ("max", "min"):
        for argument in node.arguments:
            yield from _extremes(argument, scope, bound, alone=len(node.arguments) == 1)


def _extremes(node: Node, scope: Scope, bound: _Bound, *, alone: bool) -> Iterator[Place]:
    if isinstance(node, Macro) and node.kind == "map" and node.where is None:
        for each in _elements(node, scope, bound):
            place = _place(node.body, each)
            if place is not None:
                yield place
        return
    place = _leaf(node, bound)
    items = value_at(scope, place) if place is not None else None
    if place is not None and not alone:
        yield place
    elif place is not None and isinstance(items, list):
        yield from ((*place, index) for index in range(min(len(items), MAX_ELEMENTS)))


def _related(place: Place, op: str, value: JsonValue, scope: Scope) -> Iterator[Change]:
    """Both ways of the relation: one of them is what stands there now."""
    now = value_at(scope, place)
    if isinstance(value, bool):
        yield from (Change(place, "==", wanted, wanted) for wanted in (True, False))
        return
    for wanted in (op, _OPPOSITE[op]):
        for witness in _witnesses(wanted, value, now):
            yield Change(place, wanted, value, witness, _distance(now, witness))


def _witnesses(op: str, value: JsonValue, now: JsonValue) -> Sequence[JsonValue]:
    """The nearest values that stand in the relation to `value`: what is equal, or a step away."""
    if op in ("==", "<=", ">="):
        return [value] if isinstance(value, int | float) or op == "==" else []
    if isinstance(value, int | float):
        step = 1 if isinstance(value, int) and not isinstance(now, float) else 0.01
        return [value - step] if op == "<" else [value + step]
    return [f"not {value}"] if op == "!=" and isinstance(value, str) else []


def _distance(now: JsonValue, then: JsonValue) -> float:
    if isinstance(now, int | float) and isinstance(then, int | float) and not isinstance(now, bool):
        return float(abs(then - now))
    return OTHER_DISTANCE


def _sized(op: str, node: Node, value: JsonValue, scope: Scope, bound: _Bound) -> Iterator[Change]:
    if not (isinstance(node, Call) and node.name == "size" and isinstance(value, int) and not isinstance(value, bool)):
        return
    place = _leaf(node.arguments[0], bound)
    now = value_at(scope, place) if place is not None else None
    if place is None or not isinstance(now, list | str | None):
        return
    for wanted in (op, _OPPOSITE[op]):
        for size in _witnesses(wanted, value, len(now or ())):
            if isinstance(size, int) and 0 <= size <= 1000:
                yield Change(place, f"size {wanted}", value, _of_size(now, size), _distance(len(now or ()), size))


def _of_size(now: list[Any] | str | None, size: int) -> JsonValue:
    if isinstance(now, str):
        return (now + "x" * size)[:size]
    return [*(now or ()), *[None] * size][:size]


def _membership(left: Node, right: Node, scope: Scope, bound: _Bound) -> Iterator[Change]:
    place, container = _leaf(left, bound), _constant(right, scope, bound)
    if place is not None and isinstance(container, list):
        now = value_at(scope, place)
        for item in container:
            if isinstance(item, str | int | float):
                yield Change(place, "in", container, item, _distance(now, item))
        numbers = [item for item in container if isinstance(item, int | float)]
        yield Change(
            place, "not in", container, max(numbers, default=0) + 1 if isinstance(now, int | float) else "none"
        )
    place, item = _leaf(right, bound), _constant(left, scope, bound)
    now = value_at(scope, place) if place is not None else None
    if place is not None and isinstance(item, str) and isinstance(now, list | None):
        yield Change(place, "contains", item, [*(now or ()), item])
        yield Change(place, "not contains", item, [each for each in now or () if each != item])


def _presence(place: Place | None) -> Iterator[Change]:
    if place is not None:
        yield Change(place, "present", None, "something")
        yield Change(place, "absent", None, None)


def _text(name: str, place: Place | None, argument: Any) -> Iterator[Change]:
    if place is not None and isinstance(argument, str):
        yield Change(place, name, argument, argument)
        if argument:
            yield Change(place, f"not {name}", argument, "")
