"""Which constants an expression holds which paths against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from receiver.policy.expressions.reads import as_path
from receiver.policy.expressions.syntax import Binary, ListLiteral, Literal, Macro, Node, children

MIRRORED: Mapping[str, str] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class Compared(NamedTuple):
    """A constant that is compared with a path. An index, and the variable of a macro, stand as `[]` in the path:
    `event.warnings[].tag`. `offset` is where to point, `operator` is as with the path on the left.
    """

    path: str
    literal: Literal
    offset: int
    operator: str = "=="


def compared(node: Node) -> Iterator[Compared]:
    """Every comparison of a path with a constant, also with one in a list."""
    yield from _compared(node, {})


def compared_lists(node: Node) -> Iterator[tuple[str, str, int]]:
    """Every `path in lists.name`: the path, the name, and where to point."""
    yield from _compared_lists(node, {})


def _compared(node: Node, bound: Mapping[str, str]) -> Iterator[Compared]:
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
    for child in children(node):
        yield from _compared(child, _inside(node, bound))


def _compared_lists(node: Node, bound: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    if isinstance(node, Binary) and node.operator == "in":
        path, named = _path(node.left, bound), as_path(node.right)
        if path is not None and named is not None and named[0].name == "lists" and len(named[1]) == 1:
            yield path, str(named[1][0]), max(node.offset, 0)
    for child in children(node):
        yield from _compared_lists(child, _inside(node, bound))


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
    found = as_path(node)
    if found is None:
        return None
    root, steps = found
    named = bound.get(root.name, root.name)
    return named + "".join("[]" if isinstance(step, int) else f".{step}" for step in steps)
