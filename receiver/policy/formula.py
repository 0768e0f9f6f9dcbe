"""Expressions in their place in a document: what each may name, and which `let` values it needs first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from receiver.contract import ActionDocument, EventDocument, JsonValue
from receiver.policy import codes
from receiver.policy.expressions.check import FUNCTIONS, METHODS, check
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
from receiver.policy.expressions.parser import CONSTANTS, RESERVED
from receiver.policy.expressions.reads import IDENTIFIER
from receiver.policy.expressions.syntax import MACROS
from receiver.policy.findings import Findings
from receiver.yamltext import Path

MAX_LETS = 1_000  # in one document: each value holds a list of all that it needs
MOST_NAMED = 8  # of a circle, in one message

_ROOTS = frozenset("event raw result action facts lists".split())
_EVENT = shape_of(EventDocument)
_ACTION = shape_of(ActionDocument)
_KINDS = {str: Kind.STRING, bool: Kind.BOOL, int: Kind.NUMBER, float: Kind.NUMBER}
# what the language itself takes: its words and functions, and the words that CEL keeps (CEL specification, "Syntax")
_WORDS = RESERVED | {*CONSTANTS, *FUNCTIONS, *METHODS, *MACROS, "has"}


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
    # policies repeat themselves, and compiling is slow; each with the `let` values that it needs
    _compiled: dict[str, tuple[Expression, tuple[Let, ...]]] = field(default_factory=dict)

    def formula(self, where: Path, text: str, before: str = "") -> Formula | None:
        """Compile an expression of the text at `where`, in which `before` stands before it; None if it is wrong."""
        compiled = self._compiled.get(text)
        if compiled is None:
            try:
                expression = compile_expression(text, self.names)
            except ExpressionError as error:
                self.findings.error_after(where, before + text[: error.offset], codes.BAD_EXPRESSION, error.message)
                return None
            compiled = self._compiled[text] = (expression, _needs(expression, self.lets))
        return Formula(*compiled, self.findings.document.locate(where)[0])


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
    if len(texts) > MAX_LETS:
        findings.error(
            ("let",), codes.WRONG_VALUE, f"`let` holds {len(texts):,} values; at most {MAX_LETS:,} may be named"
        )
        return {}
    alone = Scope(findings, names, {})
    formulas = {name: alone.formula(("let", name), text) for name, text in texts.items()}
    users = {name: formula.expression.roots & texts.keys() for name, formula in formulas.items() if formula}
    lets: dict[str, Let] = {}
    for name in _in_order(findings, users):
        formula = formulas[name]
        assert formula is not None
        needs = _needs(formula.expression, lets)
        expression = _typed(findings, name, formula.expression, typed(names, needs)) if needs else formula.expression
        if expression is not None:
            slot = slot_of(name, tuple(names.roots))
            lets[name] = Let(name, prefix + name, slot, Formula(expression, needs, formula.line))
    return lets


def typed(names: Names, lets: Iterable[Let]) -> Names:
    """The names with what is known of `let` values; their order, which is that of slots, stays."""
    return Names({**names.roots, **{let.name: let.formula.expression.shape for let in lets}})


def _typed(findings: Findings, name: str, expression: Expression, names: Names) -> Expression | None:
    """The expression of a `let` again, now that more is known of the values it needs; None if it is wrong."""
    try:
        shape = check(expression.node, names)
    except ExpressionError as error:
        before = expression.text[: error.offset]
        findings.error_after(("let", name), before, codes.BAD_EXPRESSION, error.message)
        return None
    if shape == expression.shape:
        return expression
    return Expression(expression.text, expression.node, shape, expression.layout)


def _in_order(findings: Findings, needs: Mapping[str, Collection[str]]) -> list[str]:
    """The names, each after those it needs. Names in a circle, and those that need one, are left out; of circles that
    share a name one is reported.
    """
    done: dict[str, bool] = {}  # whether all that a name needs has its place
    order: list[str] = []
    told: set[str] = set()
    for first in needs:
        path = {first: iter(sorted(needs[first]))} if first not in done else {}  # each is needed by the one before
        while path:
            name, left = next(reversed(path.items()))
            other = next(left, None)
            if other is None:
                del path[name]
                done[name] = all(done.get(needed, False) for needed in needs[name])
                order += [name] if done[name] else []
            elif other in path and told.isdisjoint((name, other)):
                circle = list(path)[list(path).index(other) :]
                told.update(circle)
                _report_circle(findings, circle)
            elif other in needs and other not in done and other not in path:
                path[other] = iter(sorted(needs[other]))
    return order


def _report_circle(findings: Findings, circle: list[str]) -> None:
    left_out = len(circle) - MOST_NAMED
    names = [*circle[: MOST_NAMED - 1], f"({left_out} more)", circle[-1]] if left_out > 0 else circle
    said = " -> ".join((*names, circle[0]))
    findings.error(("let", circle[0]), codes.LET_CYCLE, f"`let` names need each other: {said}", key=True)


def check_names(findings: Findings, section: str, names: Iterable[str]) -> None:
    """Report names that expressions could not use, or would take for something else."""
    for name in names:
        if not IDENTIFIER.match(name):
            said = f"{name!r} is no name for expressions: letters, digits and _ only, not a digit first"
        elif name in _WORDS or (section == "let" and name in _ROOTS):
            said = f"{name!r} has a meaning of its own in expressions"
        else:
            continue
        findings.error((section, name), codes.NAME_TAKEN, said, key=True)
