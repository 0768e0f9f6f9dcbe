"""Rules that can never fire, and conditions that say nothing: what each path would have to be, over all conditions.

Only plain comparisons of a path with constants are understood, joined by `&&` or by standing in one rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from receiver.contract import JsonValue
from receiver.policy import codes
from receiver.policy.expressions.expression import Budget, Expression, ExpressionFault
from receiver.policy.expressions.reads import as_path, path_text
from receiver.policy.expressions.syntax import Binary, ListLiteral, Literal, Logic, Node, Unary, walk
from receiver.policy.formula import Formula
from receiver.policy.lint.absence import always_there
from receiver.policy.lint.compared import MIRRORED
from receiver.policy.lint.placed import Placed, Source, warn_inside
from receiver.yamltext import Path

Plain: TypeAlias = bool | int | float | str
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_LONGEST = 80  # characters of constants in a message
_STEPS = 1_000  # of evaluation: constant expressions are short


@dataclass(frozen=True, slots=True)
class _Said:
    """What one expression says: the tests that it takes to be true, each with its offset and its path, and what to say,
    and where, of those parts of it that are true of every event.
    """

    tests: Sequence[tuple[int, str, _Test]]
    always: Sequence[tuple[int, str]]


class Contradictions:
    """What can never be true in the rules of one document, and what always is. Each text is looked at once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._said: dict[str, _Said] = {}  # by text: policies repeat themselves

    def warn_of_rule(self, each: Placed) -> None:
        """One rule: its tags, and its conditions together."""
        rule = each.rule
        barred = sorted(rule.selector.all & rule.selector.none)
        barred = barred or (sorted(rule.selector.any) if rule.selector.any <= rule.selector.none else [])
        if barred:
            said = f"rule {rule.id!r} can never fire: it asks for {', '.join(barred)} and bars it with `none`"
            each.findings.warning((*each.where, "tags"), codes.NEVER_FIRES, said)
        else:
            self._warn_of_conditions(each)

    def _warn_of_conditions(self, each: Placed) -> None:
        wanted: dict[str, _Wanted] = {
            "event.type": _Wanted(allowed=set(map(_key, each.rule.on)), tests=["the rule's `on`"])
        }
        for place, formula in each.conditions:
            if not formula.expression.roots:
                _warn_of_constant(each, place, formula, _constant(formula.expression))
                continue
            found = self._of(formula)
            for offset, said in found.always:
                warn_inside(each.findings, place, formula, offset, codes.ALWAYS_TRUE, said)
            for offset, path, test in found.tests:
                held = wanted.setdefault(path, _Wanted())
                held.add(test)
                if held.impossible and (each.rule.on_missing != "fire" or path in always_there()):
                    said = f"rule {each.rule.id!r} can never fire: no {path} fits {' and '.join(map(str, held.tests))}"
                    warn_inside(each.findings, place, formula, offset, codes.NEVER_FIRES, said)
                    return

    def _of(self, formula: Formula) -> _Said:
        text = formula.expression.text
        if text not in self._said:
            node = self._source.inlining.of(formula)
            lists = self._source.model.lists
            tests = [(max(part.offset, 0), path, test) for part in _parts(node) for path, test in _tests(part, lists)]
            self._said[text] = _Said(tests, list(_any_value(node)) if "||" in text and "!" in text else ())
        return self._said[text]


def _any_value(node: Node) -> Iterator[tuple[int, str]]:
    """`x != "A" || x != "B"`, which whatever x is fulfils."""
    for part in walk(node):
        if isinstance(part, Logic) and part.operator == "||":
            unwanted: dict[str, set[tuple[str, Plain]]] = {}
            for path, test in (found for operand in part.operands for found in _tests(operand, {})):
                if test.operator == "!=" and len(test.values) == 1:
                    unwanted.setdefault(path, set()).add(_key(test.values[0]))
            any_value = [path for path, values in unwanted.items() if len(values) > 1]
            if any_value:
                yield part.offset, f"true whatever {any_value[0]} is: write `&&`, or !({any_value[0]} in [...])"


def _warn_of_constant(each: Placed, place: Path, formula: Formula, value: bool | None) -> None:
    if value is False:
        said = f"rule {each.rule.id!r} can never fire: this condition is false for every event"
        warn_inside(each.findings, place, formula, 0, codes.NEVER_FIRES, said)
    elif value is True:
        said = "this condition is true for every event: it says nothing, leave it out"
        warn_inside(each.findings, place, formula, 0, codes.ALWAYS_TRUE, said)


def _constant(expression: Expression) -> bool | None:
    """The value of a condition that reads nothing; None if it cannot be decided."""
    try:
        value = expression.evaluate({}, Budget(_STEPS))
    except ExpressionFault:
        return None
    return value if isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class _Test:
    """What one comparison asks of a path: `values` are the constants on its other side."""

    operator: str  # a comparison, or "in"
    values: tuple[Plain, ...]
    form: str  # how a message says it, `{}` for the constants

    def __str__(self) -> str:
        single = len(self.values) == 1 and self.operator != "in"
        said = json.dumps(self.values[0] if single else self.values, ensure_ascii=False)
        return self.form.format(said if len(said) <= _LONGEST else f"{len(self.values)} values")


@dataclass(slots=True)
class _Wanted:
    """What a path must be, after all comparisons so far. Numbers only have bounds."""

    allowed: set[tuple[str, Plain]] | None = None
    barred: set[tuple[str, Plain]] = field(default_factory=set)
    low: tuple[float, bool] | None = None  # the bound, and whether it is itself outside
    high: tuple[float, bool] | None = None
    tests: list[_Test | str] = field(default_factory=list)

    def add(self, test: _Test) -> None:
        self.tests.append(test)
        keys = set(map(_key, test.values))
        if test.operator in ("==", "in"):
            self.allowed = keys if self.allowed is None else self.allowed & keys
        elif test.operator == "!=":
            self.barred |= keys
        else:
            self._bound(test.operator, test.values[0])

    def _bound(self, operator: str, value: Plain) -> None:
        if isinstance(value, bool | str):
            return
        bound = (value, not operator.endswith("="))
        if operator.startswith(">"):
            self.low = bound if self.low is None else max(self.low, bound)
        else:
            self.high = bound if self.high is None else min(self.high, bound, key=lambda one: (one[0], not one[1]))

    @property
    def impossible(self) -> bool:
        if self.allowed is not None:
            return not any(key not in self.barred and self._within(key) for key in self.allowed)
        if self.low is None or self.high is None:
            return False
        return self.low[0] > self.high[0] or (self.low[0] == self.high[0] and (self.low[1] or self.high[1]))

    def _within(self, key: tuple[str, Plain]) -> bool:
        kind, value = key
        if kind != "number" or isinstance(value, str):
            return True
        above = self.low is None or value > self.low[0] or (value == self.low[0] and not self.low[1])
        below = self.high is None or value < self.high[0] or (value == self.high[0] and not self.high[1])
        return above and below


def _key(value: Plain) -> tuple[str, Plain]:
    """What stands for a constant: in Python, true is 1."""
    return ("bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"), value


def _parts(node: Node) -> Iterator[Node]:
    """What must all be true for the node to be."""
    if isinstance(node, Logic) and node.operator == "&&":
        for operand in node.operands:
            yield from _parts(operand)
    else:
        yield node


def _tests(node: Node, lists: Mapping[str, JsonValue]) -> Iterator[tuple[str, _Test]]:
    """The path and the test, if the node is a plain comparison."""
    match node:
        case Unary(_, "!", Binary(_, "==" | "!=" | "<" | "<=" | ">" | ">=" as operator, left, right) as inside):
            yield from _tests(Binary(inside.offset, _OPPOSITE[operator], left, right), lists)
        case Unary(_, "!", Binary(_, "in", left, right)):
            yield from _of(left, "!=", _constants(right, lists), "!(... in {})")
        case Unary(_, "!", operand):
            yield from _of(operand, "==", (False,), "{}")
        case Binary(_, "in", left, right):
            yield from _of(left, "in", _constants(right, lists), "in {}")
        case Binary(_, operator, Literal(_, constant), right) if operator in MIRRORED and constant is not None:
            yield from _of(right, MIRRORED[operator], (constant,), MIRRORED[operator] + " {}")
        case Binary(_, operator, left, Literal(_, constant)) if operator in MIRRORED and constant is not None:
            yield from _of(left, operator, (constant,), operator + " {}")
        case _:
            yield from _of(node, "==", (True,), "{}")


def _of(node: Node, operator: str, values: tuple[Plain, ...] | None, form: str) -> Iterator[tuple[str, _Test]]:
    path = as_path(node)
    if path is not None and values is not None:
        yield path_text(path[0].name, path[1]), _Test(operator, values, form)


def _constants(node: Node, lists: Mapping[str, JsonValue]) -> tuple[Plain, ...] | None:
    """The elements of a list of constants, None if it is not one."""
    values: list[JsonValue] | None = None
    if isinstance(node, ListLiteral):
        values = [item.value if isinstance(item, Literal) else None for item in node.items]
    else:
        path = as_path(node)
        if path is not None and path[0].name == "lists" and len(path[1]) == 1:
            named = lists.get(str(path[1][0]))
            values = named if isinstance(named, list) else None
    if values is None:
        return None
    plain = tuple(value for value in values if isinstance(value, bool | int | float | str))
    return plain if len(plain) == len(values) else None
