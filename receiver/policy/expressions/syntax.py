"""The syntax tree of an expression: frozen values, each with the offset (in characters) of its place in the text.

The tree is the single truth about an expression: checks, reads, and every way of running it start from here. The offset
is where a finding about the node points: its operator, its `[`, its field or function name, else its first character.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from typing import Literal as OneOf

MacroKind: TypeAlias = OneOf["exists", "all", "filter", "map"]
MACROS: tuple[MacroKind, ...] = ("exists", "all", "filter", "map")
MAX_MACRO_NESTING = 2


@dataclass(frozen=True, slots=True)
class Literal:
    """null, a bool, an int of 64 bits, a double or a string."""

    offset: int
    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Name:
    """A root name, or the variable of a macro around it."""

    offset: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`."""

    offset: int
    operand: Node
    field: str


@dataclass(frozen=True, slots=True)
class Index:
    """`operand[index]`."""

    offset: int
    operand: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Has:
    """`has(path)`."""

    offset: int
    path: Select | Index


@dataclass(frozen=True, slots=True)
class Unary:
    """`!operand` or `-operand`."""

    offset: int
    operator: OneOf["!", "-"]
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """Comparison, `in`, arithmetic or `??`."""

    offset: int
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic:
    """`a && b && ...` or `a || b || ...`: one node for the whole chain, so that long chains stay flat."""

    offset: int
    operator: OneOf["&&", "||"]
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Ternary:
    """`condition ? then : otherwise`."""

    offset: int
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function, `size(x)`, or a method, `x.size()`: the target of a method is the first argument."""

    offset: int
    name: str
    arguments: tuple[Node, ...]
    method: bool


@dataclass(frozen=True, slots=True)
class Macro:
    """`items.exists(variable, body)` and its kin; only `map(variable, where, body)` has a `where`."""

    offset: int
    kind: MacroKind
    items: Node
    variable: str
    where: Node | None
    body: Node


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """`[a, b]`."""

    offset: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """`{"a": b}`."""

    offset: int
    entries: tuple[tuple[Node, Node], ...]


Node: TypeAlias = (
    Literal | Name | Select | Index | Has | Unary | Binary | Logic | Ternary | Call | Macro | ListLiteral | MapLiteral
)


_CHILDREN: Mapping[type, Callable[[Any], tuple[Node, ...]]] = {  # a table: every check asks, for every node
    Literal: lambda node: (),  # noqa: ARG005 - has none
    Name: lambda node: (),  # noqa: ARG005 - has none
    Select: lambda node: (node.operand,),
    Unary: lambda node: (node.operand,),
    Index: lambda node: (node.operand, node.index),
    Has: lambda node: (node.path,),
    Binary: lambda node: (node.left, node.right),
    Logic: lambda node: node.operands,
    Ternary: lambda node: (node.condition, node.then, node.otherwise),
    Call: lambda node: node.arguments,
    Macro: lambda node: (node.items, node.body) if node.where is None else (node.items, node.where, node.body),
    ListLiteral: lambda node: node.items,
    MapLiteral: lambda node: tuple(part for entry in node.entries for part in entry),
}


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below a node, in the order of the text."""
    return _CHILDREN[type(node)](node)


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, in the order of the text."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(children(current)))
