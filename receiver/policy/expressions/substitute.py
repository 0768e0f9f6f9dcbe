"""Putting expressions in the place of names, in syntax trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

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
    walk,
)

MOST_NODES: Final = 2_000  # of a result: names that stand for each other twice double at every step


def substitute(node: Node, names: Mapping[str, Node]) -> Node:
    """The tree with other trees in the place of free names. A name stays where the tree for it reads one that a macro
    around has taken, and everywhere if the result would be too large.
    """
    used = {part.name for part in walk(node) if isinstance(part, Name)} & names.keys()
    if not used:
        return node
    free = {name: frozenset(part.name for part in walk(names[name]) if isinstance(part, Name)) for name in used}
    sizes = {name: sum(1 for _ in walk(names[name])) for name in used}
    size = sum(sizes.get(part.name, 1) if isinstance(part, Name) else 1 for part in walk(node))
    return _Substitution(names, free).of(node, frozenset()) if size <= MOST_NODES else node


class _Substitution:
    def __init__(self, names: Mapping[str, Node], free: Mapping[str, frozenset[str]]) -> None:
        self._names = names
        self._free = free

    def of(self, node: Node, bound: frozenset[str]) -> Node:  # noqa: C901 - one flat case for each kind of node
        match node:
            case Name(_, name):
                fits = name in self._names and name not in bound and self._free[name].isdisjoint(bound)
                return self._names[name] if fits else node
            case Literal():
                return node
            case Select(_, operand) | Unary(_, _, operand):
                return replace(node, operand=self.of(operand, bound))
            case Index(_, operand, index):
                return replace(node, operand=self.of(operand, bound), index=self.of(index, bound))
            case Has(_, path):
                inside = self.of(path, bound)
                assert isinstance(inside, Select | Index)
                return replace(node, path=inside)
            case Binary(_, _, left, right):
                return replace(node, left=self.of(left, bound), right=self.of(right, bound))
            case Logic(_, _, operands):
                return replace(node, operands=self._all(operands, bound))
            case Ternary(_, condition, then, otherwise):
                parts = self._all((condition, then, otherwise), bound)
                return Ternary(node.offset, *parts)
            case Call(_, _, arguments):
                return replace(node, arguments=self._all(arguments, bound))
            case ListLiteral(_, items):
                return replace(node, items=self._all(items, bound))
            case MapLiteral(_, entries):
                pairs = tuple((self.of(key, bound), self.of(value, bound)) for key, value in entries)
                return replace(node, entries=pairs)
            case Macro(_, _, items, variable, where, body):
                inside_of = bound | {variable}
                return replace(
                    node,
                    items=self.of(items, bound),
                    where=None if where is None else self.of(where, inside_of),
                    body=self.of(body, inside_of),
                )

    def _all(self, nodes: tuple[Node, ...], bound: frozenset[str]) -> tuple[Node, ...]:
        return tuple(self.of(node, bound) for node in nodes)
