"""Where a condition cannot be decided since something is absent, in the forms where that surprises: `!`, `!=`, `<`.

`!(event.country in lists.trusted)` reads as if it held for an event without a country; it is undecided there. Paths
that every event has, `has()`, `!= null` and `??` are seen through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints, is_typeddict

from receiver.contract import EventDocument
from receiver.policy import codes
from receiver.policy.expressions.reads import as_path
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
)
from receiver.policy.formula import Formula
from receiver.policy.lint.placed import Placed, warn_inside

Guards: TypeAlias = frozenset[str]
"""The paths of which it is known, at one place of an expression, that something stands there."""

_NOTHING: Guards = frozenset()
_SURPRISING = frozenset({"!=", "<", "<="})
_MIRRORED = frozenset({">", ">="})  # with the constant on the left


def warn_of_absence(each: Placed, absence: Absence) -> None:
    """Once per rule: one `on_missing` is the cure for all of its conditions."""
    if "on_missing" in each.written.model_fields_set:
        return
    nodes = [formula.expression.node for formula in each.rule.conditions]
    guards = _NOTHING.union(*(_present(node, {}, holds=True) for node in nodes))
    found = [(place, formula, *one) for place, formula in each.conditions for one in absence.of(formula, guards)]
    if not found:
        return
    place, formula, offset, _ = found[0]
    absent = " or ".join(dict.fromkeys(path for *_, path in found))
    said = f"undecided where {absent} is absent, so the rule does not fire: say `on_missing: skip`, fire or review"
    warn_inside(each.findings, place, formula, offset, codes.ON_MISSING_UNSAID, said)


@dataclass(frozen=True, slots=True)
class _At:
    """A place in an expression: what the variables of macros run over, what is known to be there, and whether a `!`
    stands above.
    """

    bound: Mapping[str, str]
    guards: Guards
    negated: bool = False

    def with_guards(self, more: Guards) -> _At:
        return _At(self.bound, self.guards | more, self.negated)

    def inside(self, macro: Macro) -> _At:
        return _At({**self.bound, macro.variable: f"{_path(macro.items, self.bound)}[]"}, self.guards, self.negated)


class Absence:
    """What may be absent in the expressions of one document. Each of its `let` values is looked at once."""

    def __init__(self) -> None:
        self._lets: dict[str, bool] = {}  # name -> is its value always there?

    def of(self, formula: Formula, guards: Guards) -> Iterator[tuple[int, str]]:
        """The risks of a formula, those of the `let` values that it needs known first."""
        for let in formula.needs:
            if let.name not in self._lets:
                self._lets[let.name] = not any(self.absent(let.formula.expression.node, _At({}, _NOTHING)))
        return self.risks(formula.expression.node, _At({}, guards))

    def risks(self, node: Node, at: _At) -> Iterator[tuple[int, str]]:
        """The places where something absent leaves a surprising form undecided, each with a path that may be."""
        match node:
            case Unary(_, "!", operand):
                yield from self.risks(operand, _At(at.bound, at.guards, negated=True))
            case Logic():
                for operand in node.operands:
                    yield from self.risks(operand, at.with_guards(_from_others(node, operand, at)))
            case Ternary(_, condition, then, otherwise):
                yield from self.risks(condition, at)
                yield from self.risks(then, at.with_guards(_present(condition, at.bound, holds=True)))
                yield from self.risks(otherwise, at.with_guards(_present(condition, at.bound, holds=False)))
            case Macro(_, "exists" | "all"):
                yield from ((node.offset, path) for path in self.absent(node.items, at) if at.negated)
                yield from self.risks(node.body, at.inside(node))
            case _ if at.negated or _is_surprising(node):
                yield from ((node.offset, path) for path in self.absent(node, at))
            case Binary(_, "==" | ">" | ">=" | "in") | Call():
                yield from self._in_filters(node, at)

    def _in_filters(self, node: Node, at: _At) -> Iterator[tuple[int, str]]:
        for child in children(node):
            if isinstance(child, Macro):
                condition = child.where if child.kind == "map" else child.body
                yield from self.risks(condition, at.inside(child)) if condition is not None else ()
            else:
                yield from self._in_filters(child, at)

    def absent(self, node: Node, at: _At) -> Iterator[str]:
        """The paths that may be absent, and leave the value of the node undecided or null."""
        match node:
            case Has() | Binary(_, "==" | "!=", _, Literal(_, None)) | Binary(_, "==" | "!=", Literal(_, None)):
                return
            case Binary(_, "??", _, right):
                yield from self.absent(right, at)
            case Logic():
                for operand in node.operands:
                    yield from self.absent(operand, at.with_guards(_from_others(node, operand, at)))
            case Macro():
                yield from self.absent(node.items, at)
                yield from self.absent(node.body, at.inside(node))
            case _ if (path := _path(node, at.bound)) is not None:
                if path not in at.guards and not self._is_there(path):
                    yield _shown(node)
            case _:
                if isinstance(node, Call) and node.name in ("max", "min") and len(node.arguments) == 1:
                    yield f"{node.name}() of an empty list"
                for child in children(node):
                    yield from self.absent(child, at)

    def _is_there(self, path: str) -> bool:
        if path in self._lets:
            return self._lets[path]
        root = path.partition(".")[0]
        return path in always_there() or root in ("lists", "action") or path.endswith("[]")


def _is_surprising(node: Node) -> bool:
    if not isinstance(node, Binary):
        return False
    return node.operator in _SURPRISING or (node.operator in _MIRRORED and isinstance(node.left, Literal))


def _from_others(node: Logic, operand: Node, at: _At) -> Guards:
    """What the other operands say of the place of this one: where they decide the whole, this one does not matter."""
    holds = node.operator == "&&"
    return _NOTHING.union(*(_present(other, at.bound, holds=holds) for other in node.operands if other is not operand))


def _present(node: Node, bound: Mapping[str, str], *, holds: bool) -> Guards:
    """The paths that are there if the node is true (`holds`), or false."""
    match node:
        case Has(_, path):
            return _upwards(_path(path, bound)) if holds else _NOTHING
        case Binary(_, "==" | "!=" as operator, left, Literal(_, None)):
            return _upwards(_path(left, bound)) if holds == (operator == "!=") else _NOTHING
        case Unary(_, "!", operand):
            return _present(operand, bound, holds=not holds)
        case Logic(_, operator, operands) if holds == (operator == "&&"):
            return _NOTHING.union(*(_present(operand, bound, holds=holds) for operand in operands))
        case _:
            return _NOTHING


def _upwards(path: str | None) -> Guards:
    """A path with all above it: where it is there, they are."""
    steps = path.split(".") if path else []
    return frozenset(".".join(steps[: end + 1]) for end in range(len(steps)))


def _path(node: Node, bound: Mapping[str, str]) -> str | None:
    """The path as one text, in which the variable of a macro stands as the items that it runs over."""
    found = as_path(node)
    if found is None:
        return None
    root, steps = found
    return ".".join((bound.get(root.name, root.name), *map(str, steps)))


def _shown(node: Node) -> str:
    found = as_path(node)
    assert found is not None
    return ".".join((found[0].name, *map(str, found[1])))


@cache
def always_there() -> frozenset[str]:
    """The paths of an event that the contract never leaves empty."""
    return frozenset(_never_null("event", EventDocument))


def _never_null(path: str, hint: Any) -> Iterator[str]:
    yield path
    if is_typeddict(hint):
        for name, inner in get_type_hints(hint).items():
            if NoneType not in get_args(inner):
                yield from _never_null(f"{path}.{name}", inner)
    elif get_origin(hint) is list:
        yield from _never_null(f"{path}[]", get_args(hint)[0])
