"""Which constants an expression holds which paths against, found in one walk over its tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from receiver.policy.expressions.reads import as_path
from receiver.policy.expressions.syntax import Binary, ListLiteral, Literal, Macro, Name, Node, children

MIRRORED: Mapping[str, str] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_LEAVES = (Literal, Name)  # nothing stands below them


class Compared(NamedTuple):
    """A constant that is compared with a path. An index, and the variable of a macro, stand as `[]` in the path:
    `event.warnings[].tag`. `offset` is where to point, `operator` is as with the path on the left.
    """

    path: str
    literal: Literal
    offset: int
    operator: str = "=="


class ComparedList(NamedTuple):
    """A path that is looked for in a named list: `path in lists.name`."""

    path: str
    name: str


class Comparisons(NamedTuple):
    """Every comparison of a path with a constant, also with one in a list, and every look into a named list."""

    constants: Sequence[Compared]
    lists: Sequence[ComparedList]


def comparisons(node: Node) -> Comparisons:
    """Those of a whole tree, in the order of the text."""
    constants: list[Compared] = []
    lists: list[ComparedList] = []
    _gather(node, {}, constants, lists)
    return Comparisons(constants, lists)


def _gather(node: Node, bound: Mapping[str, str], constants: list[Compared], lists: list[ComparedList]) -> None:
    if type(node) is Binary:
        constants += _compared(node, bound)
        if node.operator == "in":
            lists += _compared_list(node, bound)
    inside = _inside(node, bound)
    for child in children(node):
        if type(child) not in _LEAVES:
            _gather(child, inside, constants, lists)


def _compared(node: Binary, bound: Mapping[str, str]) -> Iterator[Compared]:
    match node:
        case Binary(offset, operator, left, Literal() as literal) if operator in MIRRORED:
            yield from _with_path(left, [literal], bound, operator, offset)
        case Binary(offset, operator, Literal() as literal, right) if operator in MIRRORED:
            yield from _with_path(right, [literal], bound, MIRRORED[operator], offset)
        case Binary(offset, "in", left, ListLiteral(_, items)):
            yield from _with_path(left, items, bound, "==", offset)
        case Binary(offset, "in", Literal() as literal, right):
            for found in _with_path(right, [literal], bound, "==", offset):
                yield found._replace(path=f"{found.path}[]")


def _compared_list(node: Binary, bound: Mapping[str, str]) -> Iterator[ComparedList]:
    path, named = _path(node.left, bound), as_path(node.right)
    if path is not None and named is not None and named[0].name == "lists" and len(named[1]) == 1:
        yield ComparedList(path, str(named[1][0]))


def _inside(node: Node, bound: Mapping[str, str]) -> Mapping[str, str]:
    return {**bound, node.variable: f"{_path(node.items, bound)}[]"} if isinstance(node, Macro) else bound


def _with_path(
    node: Node, items: Iterable[Node], bound: Mapping[str, str], operator: str, offset: int
) -> Iterator[Compared]:
    path = _path(node, bound)
    if path is not None:
        for item in items:
            if isinstance(item, Literal):
                yield Compared(path, item, item.offset if item.offset >= 0 else max(offset, 0), operator)


def _path(node: Node, bound: Mapping[str, str]) -> str | None:
    """The path, also of `path ?? default`."""
    if isinstance(node, Binary) and node.operator == "??":
        node = node.left
    found = as_path(node)
    if found is None:
        return None
    root, steps = found
    named = bound.get(root.name, root.name)
    return named + "".join("[]" if isinstance(step, int) else f".{step}" for step in steps)
