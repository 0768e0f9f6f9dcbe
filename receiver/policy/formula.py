"""Expressions in their place in a document: what each may name, and which `let` values it needs first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from receiver.contract import ActionDocument, EventDocument, JsonValue
from receiver.policy import codes
from receiver.policy.expressions.expression import (
    Expression,
    ExpressionError,
    Kind,
    ListOf,
    Names,
    Shape,
    compile_expression,
    shape_of,
    slot_of,
)
from receiver.policy.findings import Findings
from receiver.yamltext import Path

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ROOTS = frozenset("event raw result action facts lists".split())
_EVENT = shape_of(EventDocument)
_ACTION = shape_of(ActionDocument)
_KINDS = {str: Kind.STRING, bool: Kind.BOOL, int: Kind.NUMBER, float: Kind.NUMBER}
# what the language itself takes: its words and functions, and the words that CEL keeps (CEL specification, "Syntax")
_WORDS = frozenset(
    "true false null in has size max min startsWith endsWith contains exists all filter map "
    "as break const continue else for function if import let loop package namespace return var void while".split()
)


@dataclass(frozen=True, slots=True)
class Let:
    """A named value, computed once per event, when first needed, and kept in its slot. `label` is its name in the
    decision's values.
    """

    name: str
    label: str
    slot: int
    formula: Formula


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression, the line it stands in, and the `let` values it needs, each after those it needs itself."""

    expression: Expression
    needs: tuple[Let, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What expressions may name at one place. Findings go to `findings`."""

    findings: Findings
    names: Names
    lets: Mapping[str, Let]
    _compiled: dict[str, Expression] = field(default_factory=dict)  # policies repeat themselves, and compiling is slow

    def formula(self, where: Path, text: str, before: str = "") -> Formula | None:
        """Compile an expression of the text at `where`, in which `before` stands before it; None if it is wrong."""
        expression = self._compiled.get(text)
        if expression is None:
            try:
                expression = self._compiled[text] = compile_expression(text, self.names)
            except ExpressionError as error:
                self.findings.error_after(where, before + text[: error.offset], codes.BAD_EXPRESSION, error.message)
                return None
        return Formula(expression, _needs(expression, self.lets), self.findings.document.locate(where)[0])


def _needs(expression: Expression, lets: Mapping[str, Let]) -> tuple[Let, ...]:
    ordered: dict[str, Let] = {}
    for name in sorted(expression.roots & lets.keys()):
        for let in (*lets[name].formula.needs, lets[name]):
            ordered.setdefault(let.name, let)
    return tuple(ordered.values())


def names_of(
    lists: Mapping[str, Sequence[JsonValue]],
    lets: Iterable[str],
    *,
    on_result: bool = False,
    result: type | None = None,
) -> Names:
    """What the expressions of a document may name; `on_result`: also the result of an action (a TypedDict, if its
    shape is known), and the action. These come last, so that all share one layout.
    """
    roots: dict[str, Shape | None] = dict.fromkeys(lets)
    roots |= {"event": _EVENT, "raw": None, "lists": {name: ListOf(_item(values)) for name, values in lists.items()}}
    if on_result:
        roots |= {"result": None if result is None else shape_of(result), "action": _ACTION}
    return Names(roots)


def _item(values: Sequence[JsonValue]) -> Shape | None:
    """The kind of a list's elements, where all are of one kind."""
    kinds = {_KINDS.get(type(value)) for value in values}
    return kinds.pop() if len(kinds) == 1 else None


def compile_lets(findings: Findings, texts: Mapping[str, str], names: Names, prefix: str) -> dict[str, Let]:
    """The `let` values of a document. They may use each other in any order; a circle is a finding."""
    alone = Scope(findings, names, {})
    formulas = {name: alone.formula(("let", name), text) for name, text in texts.items()}
    users = {name: formula.expression.roots & texts.keys() for name, formula in formulas.items() if formula}
    lets: dict[str, Let] = {}
    for name in _in_order(findings, users):
        formula = formulas[name]
        assert formula is not None
        needs = _needs(formula.expression, lets)
        slot = slot_of(name, tuple(names.roots))
        lets[name] = Let(name, prefix + name, slot, Formula(formula.expression, needs, formula.line))
    return lets


def _in_order(findings: Findings, needs: Mapping[str, Iterable[str]]) -> list[str]:
    """The names, each after those it needs. Names in a circle are left out, and reported."""
    done: dict[str, bool] = {}  # True: its place is known; False: it is in a circle, or needs one
    order: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> bool:
        if name in path:
            circle = path[path.index(name) :]
            said = " -> ".join((*circle, name))
            findings.error(("let", circle[0]), codes.LET_CYCLE, f"`let` names need each other: {said}", key=True)
            return False
        if name not in done and name in needs:
            needed = [visit(other, (*path, name)) for other in sorted(needs[name])]
            done[name] = all(needed)
            if done[name]:
                order.append(name)
        return done.get(name, False)

    for name in needs:
        visit(name, ())
    return order


def check_names(findings: Findings, section: str, names: Iterable[str]) -> None:
    """Report names that expressions could not use, or would take for something else."""
    for name in names:
        if not _IDENTIFIER.match(name):
            said = f"{name!r} is no name for expressions: letters, digits and _ only, not a digit first"
        elif name in _WORDS or (section == "let" and name in _ROOTS):
            said = f"{name!r} has a meaning of its own in expressions"
        else:
            continue
        findings.error((section, name), codes.NAME_TAKEN, said, key=True)
