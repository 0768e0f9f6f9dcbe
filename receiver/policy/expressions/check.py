"""Static checks of a syntax tree: unknown names, fields and functions, argument counts, kinds that can never work.

Only what is certain is refused: a value of unknown kind passes, and is looked at when the expression runs. One walk
over the tree works out what is known of each node (a Shape), and raises ExpressionError at the first thing wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, NoReturn

from receiver.policy.expressions.faults import ExpressionError
from receiver.policy.expressions.reads import as_path, path_text
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
    walk,
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


_ELSEWHERE: Final = {
    "result": "'result' is known only in rules on an action's result: on: action.<name>",
    "action": "'action' is known only in rules on an action's result: on: action.<name>",
    "facts": "'facts' are kept for look-ups over stored events, which are not available yet",
}
_CONSTANTS: Final = ("true", "false", "null")
_NULLS: Final = frozenset({"none", "nil", "undefined", "empty"})
_NO_CONDITION: Final = "; compare each side for itself, or write x in [a, b]"
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
_MOST_FIELDS: Final = 4  # in one message


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
                    self._require(operand, bound, {Kind.BOOL}, f"'{node.operator}' needs true or false", _NO_CONDITION)
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

    def _require(self, node: Node, bound: Known, kinds: Iterable[Kind], what: str, cure: str = "") -> Kind | None:
        kind = kind_of_shape(self.shape(node, bound))
        if kind is not None and kind not in kinds:
            _fail(node, f"{what}, not {_text(kind)}{cure}")
        return kind

    def _name(self, node: Name, bound: Known) -> Shape | None:
        if node.name in bound:
            return bound[node.name]
        if node.name in self._names.roots:
            return self._names.roots[node.name]
        known = (*self._names.roots, *bound, *_CONSTANTS)
        if node.name in _ELSEWHERE:
            _fail(node, _ELSEWHERE[node.name])
        _fail(node, f"unknown name '{node.name}'{self._known_name(node.name, known)}")

    def _known_name(self, name: str, known: Sequence[str]) -> str:
        """What may have been meant by a name that nothing has."""
        for root in ("event", "lists"):
            if name in self._fields(root):
                return f"; did you mean '{root}.{name}'?"
        exact = [word for word in known if word.lower() == name.lower()]
        if exact or name.lower() in _NULLS:
            return f"; did you mean '{exact[0] if exact else 'null'}'?"
        quoted = f"; text goes in quotes: '{name}'" if len(name) > 2 else ""  # a letter was meant as a variable
        if name.isupper():
            return quoted
        if get_close_matches(name, _CONSTANTS, n=1, cutoff=0.8):
            return _suggest(name, _CONSTANTS)
        below = {word: root for root in ("lists", "event") for word in self._fields(root)}
        words = [word for word in known if word not in _CONSTANTS]  # resembling a constant is chance
        if close := get_close_matches(name, [*below, *words], n=1, cutoff=0.6):
            found = f"{below[close[0]]}.{close[0]}" if close[0] in below else close[0]
            return f"; did you mean '{found}'?"
        return _suggest(name, _CONSTANTS) or quoted

    def _fields(self, root: str) -> Mapping[str, Shape | None]:
        fields = self._names.roots.get(root)
        return fields if isinstance(fields, Mapping) else {}

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
            item = shape.item if isinstance(shape, ListOf) else None
            such = f", such as exists(x, x.{field} == ...)" if isinstance(item, Mapping) and field in item else ""
            _fail(node, f"a list has no field '{field}'; use exists(), all(), filter(), map() or [0]{such}")
        if isinstance(shape, Kind) and shape is not Kind.MAP:
            _fail(node, f"{_text(shape)} has no field '{field}'")
        if not isinstance(shape, Mapping):
            return None
        if field not in shape:
            _fail(node, f"unknown field '{field}'{_suggest(field, shape)}")
        return shape[field]

    def _unary(self, node: Unary, bound: Known) -> Shape | None:
        if node.operator == "!":
            self._require(node.operand, bound, {Kind.BOOL}, "'!' needs true or false", "; for 'not equal' write a != b")
            return Kind.BOOL
        return self._require(node.operand, bound, _NUMBERS, "'-' needs a number")

    def _binary(self, node: Binary, bound: Known) -> Shape | None:
        if node.operator == "in" and isinstance(node.left, Unary) and node.left.operator == "!":
            _check_not_in(node.left, kind_of_shape(self.shape(node.left.operand, bound)))
        left, right = self.shape(node.left, bound), self.shape(node.right, bound)
        operator = node.operator
        if operator == "??":
            return _common(left, right)
        if operator in ("==", "!="):
            _check_equal(node, left, right)
            return Kind.BOOL
        if operator == "in":
            _check_in(node, left, right)
            return Kind.BOOL
        if operator in ("<", "<=", ">", ">="):
            _check_pair(node, (left, right), _ORDERED)
            return Kind.BOOL
        return _arithmetic(node, (left, right))

    def _call(self, node: Call, bound: Known) -> Shape | None:
        name, count = node.name, len(node.arguments) - node.method
        self._check_function(node)
        if name in TEXT_METHODS:
            if count != 1:
                _fail(node, f"{name}() takes one argument, such as text.{name}('abc'); here are {count}")
            for argument in node.arguments:
                kind = kind_of_shape(self.shape(argument, bound))
                if kind not in (None, Kind.STRING):
                    cure = _in_list(node) if kind is Kind.LIST and argument is node.arguments[0] else ""
                    _fail(argument, f"{name}() needs strings, not {_text(kind)}{cure}")
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


def _in_list(node: Call) -> str:
    """The cure for `list.contains(x)`."""
    path, wanted = as_path(node.arguments[0]), node.arguments[1]
    if node.name != "contains":
        return ""
    if path is None or not isinstance(wanted, Literal):
        return "; write x in list"
    return f"; write {json.dumps(wanted.value, ensure_ascii=False)} in {path_text(path[0].name, path[1])}"


def _never_equal(left: Kind | None, right: Kind | None) -> bool:
    return None not in (left, right) and left is not right and not (left in _NUMBERS and right in _NUMBERS)


def _names_something(node: Node) -> bool:
    """Constants alone may be compared whatever their kinds: CEL gives false there."""
    return any(isinstance(part, Name) for part in walk(node))


def _check_equal(node: Binary, left: Shape | None, right: Shape | None) -> None:
    kinds = kind_of_shape(left), kind_of_shape(right)
    if _never_equal(*kinds) and _names_something(node):
        said = f"'{node.operator}' compares {_text(kinds[0])} with {_text(kinds[1])}, which are never equal"
        _fail(node, said + _cure(node, left, right))


def _check_in(node: Binary, left: Shape | None, right: Shape | None) -> None:
    kind = kind_of_shape(right)
    if kind not in (None, Kind.LIST, Kind.MAP):
        text = "; for text in text write a.contains(b)" if kind is Kind.STRING else ""
        _fail(node, f"'in' needs a list or a map on its right, not {_text(kind)}{text}")
    if kind is Kind.MAP and kind_of_shape(left) not in (None, Kind.STRING) and _names_something(node):
        _fail(node, f"the keys of a map are strings, not {_text(kind_of_shape(left))}")
    item = kind_of_shape(right.item) if isinstance(right, ListOf) else None
    found = kind_of_shape(left)
    if _never_equal(found, item) and _names_something(node):
        two_lists = "; for one of two lists in the other write a.exists(x, x in b)" if found is Kind.LIST else ""
        _fail(node, f"'in' looks for {_text(found)} in a list of {_text(item)}, where it never is{two_lists}")


def _check_not_in(negation: Unary, kind: Kind | None) -> None:
    if kind is not Kind.BOOL:
        _fail(negation, "'!' takes only what stands right after it; for 'not in' write !(a in b)")


def _cure(node: Binary, left: Shape | None, right: Shape | None) -> str:
    """What to do about two sides of different kinds."""
    for literal, other in ((node.left, right), (node.right, left)):
        if isinstance(literal, Literal) and isinstance(literal.value, str) and kind_of_shape(other) in _NUMBERS:
            return f"; write the number without quotes: {literal.value}" if _NUMBER.match(literal.value) else ""
    for side in (left, right):
        if kind_of_shape(side) is Kind.LIST:
            return "; look into a list with 'in', exists() or size()"
        if isinstance(side, Mapping):
            return f"; name one of its fields: {', '.join(list(side)[:_MOST_FIELDS])}"
    if isinstance(node.left, Binary) and node.left.operator in _COMPARISONS:
        return "; comparisons do not chain, write a < b && b < c"
    for operand, shape in ((node.left, left), (node.right, right)):
        if isinstance(operand, Name) and kind_of_shape(shape) is Kind.STRING:
            return f"; '{operand.name}' is a string"
    return ""


def _check_pair(node: Binary, shapes: tuple[Shape | None, Shape | None], allowed: Iterable[Kind]) -> None:
    left, right = kinds = kind_of_shape(shapes[0]), kind_of_shape(shapes[1])
    for kind in kinds:
        if kind is not None and kind not in allowed:
            _fail(node, f"'{node.operator}' cannot work on {_text(kind)}{_cure(node, *shapes)}")
    if _never_equal(left, right):
        _fail(node, f"'{node.operator}' cannot work on {_text(left)} and {_text(right)}{_cure(node, *shapes)}")


def _arithmetic(node: Binary, shapes: tuple[Shape | None, Shape | None]) -> Shape | None:
    allowed = {"+": _ADDABLE, "%": {Kind.INT, Kind.NUMBER}}.get(node.operator, _NUMBERS)
    _check_pair(node, shapes, allowed)
    left, right = kinds = kind_of_shape(shapes[0]), kind_of_shape(shapes[1])
    if left is right and left is not Kind.LIST:
        return left
    if node.operator == "+" and not (left in _NUMBERS and right in _NUMBERS):
        return ListOf(None) if Kind.LIST in kinds else Kind.STRING if Kind.STRING in kinds else None
    return Kind.NUMBER
