"""Static checks of a syntax tree: unknown names, fields and functions, argument counts, kinds that can never work.

Only what is certain is refused: a value of unknown kind passes, and is looked at when the expression runs. One walk
over the tree works out what is known of each node (a Shape), and raises ExpressionError at the first thing wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, NoReturn

from receiver.policy.expressions.faults import ExpressionError
from receiver.policy.expressions.shapes import Kind, ListOf, Shape, kind_of_shape
from receiver.policy.expressions.syntax import (
    MACROS,
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
)

Known = Mapping[str, "Shape | None"]

_NUMBERS: Final = frozenset({Kind.INT, Kind.DOUBLE, Kind.NUMBER})
_ORDERED: Final = _NUMBERS | {Kind.STRING, Kind.BOOL}
_SIZED: Final = frozenset({Kind.STRING, Kind.LIST, Kind.MAP})
_ADDABLE: Final = _NUMBERS | {Kind.STRING, Kind.LIST}
# null is no mismatch: what it meets is undecided
_LITERALS: Final = {bool: Kind.BOOL, int: Kind.INT, float: Kind.DOUBLE, str: Kind.STRING, type(None): None}
TEXT_METHODS: Final = ("startsWith", "endsWith", "contains")
FUNCTIONS: Final = ("size", "max", "min")
METHODS: Final = ("size", *TEXT_METHODS)
_NO_REGEX: Final = "regular expressions are not supported; use contains(), startsWith() or endsWith()"
_UNSUPPORTED: Final = {
    "matches": _NO_REGEX,
    "exists_one": "exists_one() is not supported; write size(list.filter(x, ...)) == 1",
    "len": "write size(x)",
    "length": "write size(x)",
    "count": "write size(list), or size(list.filter(x, ...))",
    "any": "write list.exists(x, ...)",
    "dyn": "dyn() is not needed: int and double mix, and values need no declared type",
}


@dataclass(frozen=True)
class Names:
    """What an expression may read: root names, each with what is known of it (None: anything goes below it)."""

    roots: Mapping[str, Shape | None]


def check(node: Node, names: Names) -> Shape | None:
    """What is known of the value of the tree. Raises ExpressionError."""
    return _Checker(names).shape(node, {})


def _suggest(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def _fail(node: Node, message: str) -> NoReturn:
    raise ExpressionError(node.offset, message)


def _text(kind: Kind | None) -> str:
    return kind.value if kind else "an unknown kind"


def _common(left: Shape | None, right: Shape | None) -> Shape | None:
    return left if left == right else None


class _Checker:
    def __init__(self, names: Names) -> None:
        self._names = names

    def shape(self, node: Node, bound: Known) -> Shape | None:  # noqa: C901, PLR0912 - one flat case for each kind of node
        """What is known of the value of a node; `bound` are the variables of the macros around it."""
        match node:
            case Literal():
                return _LITERALS[type(node.value)]
            case Name():
                return self._name(node, bound)
            case Select() | Index():
                return self._member(node, bound)
            case Has():
                self.shape(node.path, bound)
                return Kind.BOOL
            case Unary():
                return self._unary(node, bound)
            case Binary():
                return self._binary(node, bound)
            case Logic():
                for operand in node.operands:
                    self._require(operand, bound, {Kind.BOOL}, f"'{node.operator}' needs true or false")
                return Kind.BOOL
            case Ternary():
                self._require(node.condition, bound, {Kind.BOOL}, "'?' needs true or false before it")
                return _common(self.shape(node.then, bound), self.shape(node.otherwise, bound))
            case Call():
                return self._call(node, bound)
            case Macro():
                return self._macro(node, bound)
            case ListLiteral():
                shapes = [self.shape(item, bound) for item in node.items]
                return ListOf(shapes[0] if shapes and all(shape == shapes[0] for shape in shapes) else None)
            case MapLiteral():
                return self._map(node, bound)

    def _require(self, node: Node, bound: Known, kinds: Iterable[Kind], what: str) -> Kind | None:
        kind = kind_of_shape(self.shape(node, bound))
        if kind is not None and kind not in kinds:
            _fail(node, f"{what}, not {_text(kind)}")
        return kind

    def _name(self, node: Name, bound: Known) -> Shape | None:
        if node.name in bound:
            return bound[node.name]
        if node.name in self._names.roots:
            return self._names.roots[node.name]
        known = (*self._names.roots, *bound, "true", "false", "null")
        exact = [word for word in known if word.lower() == node.name.lower()]
        suggestion = f"; did you mean '{exact[0]}'?" if exact else _suggest(node.name, known)
        _fail(node, f"unknown name '{node.name}'{suggestion}")

    def _member(self, node: Select | Index, bound: Known) -> Shape | None:
        shape = self.shape(node.operand, bound)
        if isinstance(node, Select):
            return self._field(node, shape, node.field)
        index = node.index
        if isinstance(index, Literal) and isinstance(index.value, str):
            return self._field(node, shape, index.value)
        kind = kind_of_shape(shape)
        if kind not in (None, Kind.LIST, Kind.MAP):
            _fail(node, f"{_text(kind)} cannot be indexed")
        allowed = _NUMBERS if kind is Kind.LIST else {Kind.STRING} if kind is Kind.MAP else _NUMBERS | {Kind.STRING}
        self._require(index, bound, allowed, "a list is indexed by a whole number and a map by a string")
        return shape.item if isinstance(shape, ListOf) else None

    def _field(self, node: Select | Index, shape: Shape | None, field: str) -> Shape | None:
        if isinstance(shape, ListOf) or shape is Kind.LIST:
            _fail(node, f"a list has no field '{field}'; use exists(), all(), filter(), map() or [0]")
        if isinstance(shape, Kind) and shape is not Kind.MAP:
            _fail(node, f"{_text(shape)} has no field '{field}'")
        if not isinstance(shape, Mapping):
            return None
        if field not in shape:
            _fail(node, f"unknown field '{field}'{_suggest(field, shape)}")
        return shape[field]

    def _unary(self, node: Unary, bound: Known) -> Shape | None:
        if node.operator == "!":
            self._require(node.operand, bound, {Kind.BOOL}, "'!' needs true or false")
            return Kind.BOOL
        return self._require(node.operand, bound, _NUMBERS, "'-' needs a number")

    def _binary(self, node: Binary, bound: Known) -> Shape | None:
        left, right = self.shape(node.left, bound), self.shape(node.right, bound)
        kinds = (kind_of_shape(left), kind_of_shape(right))
        operator = node.operator
        if operator == "??":
            return _common(left, right)
        if operator in ("==", "!="):
            return Kind.BOOL
        if operator == "in":
            if kinds[1] not in (None, Kind.LIST, Kind.MAP):
                _fail(node, f"'in' needs a list or a map on its right, not {_text(kinds[1])}")
            return Kind.BOOL
        if operator in ("<", "<=", ">", ">="):
            _check_pair(node, kinds, _ORDERED)
            return Kind.BOOL
        return _arithmetic(node, kinds)

    def _call(self, node: Call, bound: Known) -> Shape | None:
        name, count = node.name, len(node.arguments) - node.method
        self._check_function(node)
        if name in TEXT_METHODS:
            if count != 1:
                _fail(node, f"{name}() takes one argument, such as text.{name}('abc'); here are {count}")
            for argument in node.arguments:
                self._require(argument, bound, {Kind.STRING}, f"{name}() needs strings")
            return Kind.BOOL
        if name == "size":
            if len(node.arguments) != 1:
                _fail(node, f"size() takes one argument, as size(x) or x.size(); here are {len(node.arguments)}")
            self._require(node.arguments[0], bound, _SIZED, "size() needs a string, a list or a map")
            return Kind.INT
        return self._extreme(node, bound)

    def _check_function(self, node: Call) -> None:
        known = METHODS if node.method else FUNCTIONS
        if node.name in known:
            return
        if node.name in _UNSUPPORTED:
            _fail(node, _UNSUPPORTED[node.name])
        if node.name in (*MACROS, *TEXT_METHODS) or (node.method and node.name in FUNCTIONS):
            right = f"{node.name}(list)" if node.method else f"x.{node.name}(...)"
            _fail(node, f"{node.name}() is written {right}")
        every = (*METHODS, *MACROS) if node.method else (*FUNCTIONS, "has")
        _fail(node, f"unknown {'method' if node.method else 'function'} '{node.name}'{_suggest(node.name, every)}")

    def _extreme(self, node: Call, bound: Known) -> Shape | None:
        if not node.arguments:
            _fail(node, f"{node.name}() takes a list, or two or more values")
        shapes = [self.shape(argument, bound) for argument in node.arguments]
        if len(shapes) == 1 and isinstance(shapes[0], ListOf):
            shapes = [shapes[0].item]
        elif len(shapes) == 1 and shapes[0] is Kind.LIST:
            return None
        kinds = [kind_of_shape(shape) for shape in shapes]
        for kind in kinds:
            if kind is not None and kind not in _NUMBERS | {Kind.STRING}:
                _fail(node, f"{node.name}() needs numbers or strings, not {_text(kind)}")
        if len(set(kinds)) == 1:
            return kinds[0]
        if None not in kinds and Kind.STRING in kinds:
            _fail(node, f"{node.name}() cannot put numbers and strings in order")
        return Kind.NUMBER if None not in kinds else None

    def _macro(self, node: Macro, bound: Known) -> Shape | None:
        shape = self.shape(node.items, bound)
        kind = kind_of_shape(shape)
        if kind not in (None, Kind.LIST, Kind.MAP):
            _fail(node, f"{node.kind}() needs a list, not {_text(kind)}")
        item = shape.item if isinstance(shape, ListOf) else Kind.STRING if kind is Kind.MAP else None
        inside = {**bound, node.variable: item}
        condition = node.where if node.kind == "map" else node.body
        if condition is not None:
            self._require(condition, inside, {Kind.BOOL}, f"{node.kind}() needs a condition that is true or false")
        if node.kind == "map":
            return ListOf(self.shape(node.body, inside))
        return ListOf(item) if node.kind == "filter" else Kind.BOOL

    def _map(self, node: MapLiteral, bound: Known) -> Shape | None:
        seen: set[str] = set()
        for key, value in node.entries:
            self._require(key, bound, {Kind.STRING}, "the keys of a map are strings")
            self.shape(value, bound)
            if isinstance(key, Literal) and isinstance(key.value, str):
                if key.value in seen:
                    _fail(key, "this key stands twice in the map")
                seen.add(key.value)
        return Kind.MAP


def _check_pair(node: Binary, kinds: tuple[Kind | None, Kind | None], allowed: Iterable[Kind]) -> None:
    for kind in kinds:
        if kind is not None and kind not in allowed:
            _fail(node, f"'{node.operator}' cannot work on {_text(kind)}")
    left, right = kinds
    if None not in kinds and left is not right and not (left in _NUMBERS and right in _NUMBERS):
        _fail(node, f"'{node.operator}' cannot work on {_text(left)} and {_text(right)}")


def _arithmetic(node: Binary, kinds: tuple[Kind | None, Kind | None]) -> Shape | None:
    allowed = {"+": _ADDABLE, "%": {Kind.INT, Kind.NUMBER}}.get(node.operator, _NUMBERS)
    _check_pair(node, kinds, allowed)
    left, right = kinds
    if left is right and left is not Kind.LIST:
        return left
    if node.operator == "+" and not (left in _NUMBERS and right in _NUMBERS):
        return ListOf(None) if Kind.LIST in kinds else Kind.STRING if Kind.STRING in kinds else None
    return Kind.NUMBER
