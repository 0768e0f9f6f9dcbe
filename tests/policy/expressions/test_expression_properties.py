"""Properties: any text gives an Expression or an ExpressionError; any expression over any sparse event gives a value,
UNDECIDED or a fault; and the quick function never differs from the plain one.
"""

from __future__ import annotations

import json
import math
from functools import partial
from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from receiver.policy.expressions.expression import (
    UNDECIDED,
    Budget,
    BudgetExceeded,
    Expression,
    ExpressionError,
    ExpressionFault,
    Names,
    compile_expression,
    frame,
)
from tests.support.plain import evaluate_plain

NAMES = Names({"event": None, "lists": None})
WORDS = ["ESP", "PRT", "x", "", "Approved", "\u00e9"]
PIECES = (
    "event . country [ ] ( ) { } , : ? ?? && || ! == != < <= > >= + - * / % in has size max min exists all filter map "
    "startsWith x y 1 2.5 -1 0x1 'a' \"b\" ''' r'' true false null // \\ \n = & | ` ' \" \u00e9 "
    "9223372036854775808 1e400"
).split(" ")


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join))
@example("a" * 5000)
def test_any_text_gives_an_expression_or_an_error_in_the_text(text: str) -> None:
    """No other exception, whatever the text, and the error points into the text or at its end."""
    made = compiled(text)
    if isinstance(made, Expression):
        assert made.roots <= NAMES.roots.keys()
    else:
        assert 0 <= made.offset <= len(text)
        assert made.message


def compiled(text: str) -> Expression | ExpressionError:
    try:
        return compile_expression(text, NAMES)
    except ExpressionError as error:
        return error


class Writer:
    """Writes random expressions that mostly fit the events below, and such events with parts missing or null."""

    PATHS = {  # noqa: RUF012 - read only
        "number": "event.i event.d event.live.score event.any event.nums[0] event.ms[0].sim".split(),
        "text": "event.s event.t event.live.status event.any event.tags[0] event.ms[1].st event.nope.x".split(),
        "bool": "event.b event.any event.ms[0].bl event.nope".split(),
        "list": "event.tags event.nums event.mix event.ms event.ms[0].l lists.trusted".split(),
        "map": "event.live event['live'] event.ms[0] event".split(),
    }
    LITERALS = {  # noqa: RUF012 - read only
        "number": "0 1 2 -1 70 1.0 70.0 0.5 9007199254740993 9007199254740992.0 9223372036854775807 1e300".split(),
        "text": [json.dumps(word) for word in WORDS],
        "bool": ["true", "false", "null"],
        "list": ["[]", "['ESP', 'x']", "[1, 2.0, 'x', true]", "[true, 70]", "[null]"],
        "map": ["{}", "{'x': 1}", "{'x': true, 'ESP': 'x'}"],
    }
    FIELDS = {"number": "sim", "text": "st", "bool": "bl", "list": "l"}  # noqa: RUF012 - read only

    def __init__(self, random: Random) -> None:
        self.random = random
        self.variables: list[str] = []

    def pick(self, *choices: Any) -> Any:
        return choices[self.random.randrange(len(choices))]

    def one_in(self, count: int) -> bool:
        return self.random.randrange(count) == 0

    def event(self) -> dict[str, Any]:
        """A sparse event: every part may be absent or null."""

        def sparse(**parts: Any) -> dict[str, Any]:
            kept = {name: part for name, part in parts.items() if not self.one_in(5)}
            return {name: None if self.one_in(8) else part for name, part in kept.items()}

        def some(make: Any) -> list[Any]:
            return [make() for _ in range(self.random.randrange(4))]

        def number() -> Any:
            return self.pick(0, 1, -1, 1.0, 70, 70.0, 70.5, 2**53 + 1, 2.0**53, 2**63 - 1, -(2**63), 2**70, 1e300)

        def word() -> Any:
            return self.pick(*WORDS)

        def truth() -> Any:
            return self.pick(True, False)

        def anything() -> Any:
            return self.pick(number, word, truth, lambda: None)()

        def match() -> dict[str, Any]:
            return sparse(sim=number(), st=word(), bl=truth(), l=some(number))

        return sparse(
            i=number(), d=number(), s=word(), t=word(), b=truth(), any=anything(), tags=some(word), nums=some(number),
            mix=some(anything), ms=some(match), live=sparse(score=number(), status=word()),
        )  # fmt: skip

    def expression(self, kind: str, depth: int) -> str:
        """An expression that mostly gives this kind."""
        if self.one_in(25):
            kind = self.pick(*self.PATHS)
        if depth <= 0:
            return self.leaf(kind)
        if self.one_in(20):
            return f"({self.expression(kind, depth - 1)} ?? {self.expression(kind, depth - 1)})"
        if self.one_in(20):
            parts = (self.expression(part, depth - 1) for part in ("bool", kind, kind))
            return "({} ? {} : {})".format(*parts)
        return str(getattr(self, kind)(depth - 1))

    def leaf(self, kind: str) -> str:
        if self.variables and not self.one_in(3):
            variable = self.pick(*self.variables)
            return f"{variable}.{self.FIELDS[kind]}" if kind in self.FIELDS and self.one_in(2) else variable
        return str(self.pick(*(self.LITERALS if self.one_in(3) else self.PATHS)[kind]))

    def bool(self, depth: int) -> str:
        choice = self.random.randrange(9)
        if choice < 2:
            return f"({self.expression('bool', depth)} {self.pick('&&', '||')} {self.expression('bool', depth)})"
        if choice < 4:
            kind = self.pick("number", "number", "text", "bool", "list", "map")
            operator = self.pick("<", "<=", ">", ">=", "==", "!=")
            return f"({self.expression(kind, depth)} {operator} {self.expression(kind, depth)})"
        if choice == 4:
            return (
                f"({self.expression(self.pick('number', 'text', 'bool'), depth)} in {self.expression('list', depth)})"
            )
        if choice == 5:
            method = self.pick("startsWith", "endsWith", "contains")
            return f"({self.expression('text', depth)}).{method}({self.expression('text', depth)})"
        if choice == 6:
            return f"({self.expression(self.pick('number', 'text'), depth)} {self.pick('==', '!=')} null)"
        if choice == 7:
            return (
                f"!({self.expression('bool', depth)})" if self.one_in(2) else f"has({self.pick(*self.PATHS['text'])})"
            )
        return self.macro(self.pick("exists", "all"), "bool", depth)

    def number(self, depth: int) -> str:
        choice = self.random.randrange(5)
        if choice < 2:
            return f"({self.expression('number', depth)} {self.pick(*'+-*/%')} {self.expression('number', depth)})"
        if choice == 2:
            return f"size({self.expression(self.pick('list', 'text', 'map'), depth)})"
        if choice == 3:
            return f"{self.pick('max', 'min')}({self.expression('list', depth)})"
        return f"{self.pick('max(0, ', 'min(70.5, ', '-(')}{self.expression('number', depth)})"

    def text(self, depth: int) -> str:
        return f"({self.expression('text', depth)} + {self.expression('text', depth)})"

    def list(self, depth: int) -> str:
        choice = self.random.randrange(4)
        if choice == 0:
            return f"({self.expression('list', depth)} + {self.expression('list', depth)})"
        if choice == 1:
            return f"[{self.expression('number', depth)}, {self.expression('text', depth)}]"
        name, kind = self.pick(("filter", "bool"), ("map", "number"), ("map", "text"))
        return self.macro(name, kind, depth)

    def map(self, depth: int) -> str:
        return f"{{'x': {self.expression('number', depth)}, 'ESP': {self.expression('text', depth)}}}"

    def macro(self, name: str, kind: str, depth: int) -> str:
        if len(self.variables) == 2:
            return self.leaf("list")
        items = self.leaf("list") if self.one_in(4) else self.pick("event.ms", "event.nums", "event.tags")
        self.variables.append("mn"[len(self.variables)])
        where = f"{self.expression('bool', 0)}, " if name == "map" and self.one_in(5) else ""
        text = f"{items}.{name}({self.variables[-1]}, {where}{self.expression(kind, depth)})"
        self.variables.pop()
        return text


def same(left: Any, right: Any) -> bool:
    """The same value, types included; faults by what they say."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return str(left) == str(right)


def is_json(value: Any) -> bool:
    """A JSON value, finite numbers only."""
    if isinstance(value, list):
        return all(map(is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_json(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))


def outcome(evaluate: Any, scope: dict[str, Any], steps: int) -> Any:
    try:
        return evaluate(scope, Budget(steps))
    except ExpressionFault as fault:
        return fault


@settings(max_examples=500, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(min_value=1, max_value=4))
def test_any_expression_over_any_event_gives_a_value_undecided_or_a_fault(random: Random, depth: int) -> None:
    """The quick function and the plain one agree in value, type and fault, for every expression and sparse event."""
    writer = Writer(random)
    text = writer.expression(writer.pick("bool", "bool", "number", "list", "text", "map"), depth)
    expression = compiled(text)
    if isinstance(expression, ExpressionError):
        return  # a mistake that is certain from its literals
    for _ in range(3):
        scope = {"event": writer.event(), "lists": {"trusted": ["ESP", "PRT"]}}
        quick = outcome(expression.evaluate, scope, 100_000)
        assert same(quick, outcome(partial(evaluate_plain, expression), scope, 100_000)), (text, scope)
        assert quick is UNDECIDED or isinstance(quick, ExpressionFault) or is_json(quick)
        values, missing = expression.inputs(frame(expression.layout, scope, Budget(1)))
        assert (*values, *missing) != () or not expression.paths
        assert sorted((*values, *missing)) == sorted(expression.paths)


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(min_value=0, max_value=60))
def test_a_small_budget_ends_in_a_value_or_in_the_budget_s_own_fault(random: Random, steps: int) -> None:
    """Less budget never changes a value: it gives the same one, or BudgetExceeded."""
    writer = Writer(random)
    text = writer.expression("bool", 3)
    expression = compiled(text)
    if isinstance(expression, ExpressionError):
        return
    scope = {"event": writer.event(), "lists": {"trusted": ["ESP"]}}
    little = outcome(expression.evaluate, scope, steps)
    if not isinstance(little, BudgetExceeded):
        assert same(little, outcome(expression.evaluate, scope, 1_000_000)), (text, scope)
