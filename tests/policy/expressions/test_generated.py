"""The generated function of an expression: what it is made of. That it means the same as closures is held elsewhere."""

from __future__ import annotations

import itertools
import types
from functools import partial
from typing import Any

import pytest

from receiver.policy.expressions.expression import (
    UNDECIDED,
    Budget,
    BudgetExceeded,
    Expression,
    ExpressionFault,
    Names,
    compile_expression,
)
from tests.support.plain import evaluate_plain

NAMES = Names({"event": None, "lists": None})


def code_of(text: str) -> types.CodeType:
    run: Any = compile_expression(text, NAMES).run
    return run.__code__  # type: ignore[no-any-return]  # of a function


@pytest.mark.parametrize(
    "text",
    [
        "event.liveness.score >= 70.0",
        "event.country == 'ESP' || event.country != event.ip.country",
        "!(event.country in ['ESP', 'PRT'])",
        "event.tag in lists.known && has(event.a.b) && event.x != null",
        "max(event.matches.map(m, m.similarity)) > 1 ? event.a ?? 0 > 1 : size(event.tags) == 2",
        "event.matches.exists(m, m.similarity >= 90.0 && m.status != 'Approved')",
        "event.matches.all(m, event.tags.exists(t, t == m.tag))",
        "size(event.matches.filter(m, m.similarity > 2)) + 1 >= 3",
    ],
)
def test_what_policies_say_is_generated_whole(text: str) -> None:
    assert compile_expression(text, NAMES).quick


@pytest.mark.parametrize(
    "text",
    ["event.tags[0] == 'x'", "event.a.startsWith('x')", "event.m.map(x, x > 1, x) == [1]", "{'a': 1}.a == -event.b"],
)
def test_what_is_rare_runs_as_closures_within(text: str) -> None:
    assert not compile_expression(text, NAMES).quick


def test_expressions_of_one_form_share_one_compiled_source() -> None:
    """So a policy of ten thousand rules costs as many compilations as it has forms."""
    assert code_of("event.liveness.score < 60.0") is code_of("event.face_match.age < 7")
    assert code_of("event.a == 'x'") is code_of("event.b == 'y'")
    assert code_of("event.a == 'x'") is not code_of("event.a == 1")


def test_no_text_of_a_policy_stands_in_the_source() -> None:
    """Names and texts are handed in: nothing that an analyst writes is ever read as Python."""
    nasty = 'x"); import os  # '
    code = code_of(f"event['{nasty}'].evil == '{nasty}' && event.worse in ['{nasty}', 'evil']")
    held = [code.co_consts, code.co_names, code.co_varnames]
    assert not any("import" in str(each) or "evil" in str(each) or "worse" in str(each) for each in held)


def test_the_source_sees_no_builtins() -> None:
    run: Any = compile_expression("event.a > 1", NAMES).run
    assert run.__globals__["__builtins__"] == {}


def deep(form: str, times: int) -> str:
    text = "event.a"
    for _ in range(times):
        text = form.format(text)
    return text


FORMS = [
    "(event.b && ({} || event.c))",
    "(event.b ? {} : event.c)",
    "(event.c ? event.b : {})",
    "(event.none ?? {})",
    "!({})",
    "[{}].all(x, x)",
    "({} == true)",
]


@pytest.mark.parametrize(
    ("form", "times"),
    [(form, times) for form in FORMS for times in (1, 2, 9, 19, 21, 32) if times < 3 or "x, x" not in form],
)
def test_trees_too_deep_for_python_still_run(form: str, times: int) -> None:
    """CPython takes twenty blocks inside each other, and a hundred levels of indentation; policies may nest deeper."""
    expression = compile_expression(deep(form, times), NAMES)
    for a, b, c in itertools.product((True, False, None), repeat=3):
        scope: dict[str, Any] = {"event": {"a": a, "b": b, "c": c}, "lists": {}}
        quick, plain = Budget(10_000), Budget(10_000)
        assert expression.evaluate(scope, quick) is evaluate_plain(expression, scope, plain)
        assert quick.left == plain.left


def test_a_macro_inside_closures_sees_the_variables_around_it() -> None:
    """`startsWith` is not written out, and reads both variables from their slots."""
    text = "event.m.filter(x, event.n.exists(y, (x.a + y.b).startsWith('12')))"
    scope: dict[str, Any] = {"event": {"m": [{"a": "1"}, {"a": "3"}], "n": [{"b": "9"}, {"b": "2"}]}, "lists": {}}
    assert compile_expression(text, NAMES).evaluate(scope, Budget(1_000)) == [{"a": "1"}]


@pytest.mark.parametrize(
    "text",
    [
        "event.big == lists.big && event.big < lists.big",
        "event.m.exists(x, x in lists.known) || event.s in ['a', 'b', 'c']",
        "max(event.m.map(x, x + 1)) > 3 && size(event.m.filter(x, x > 1)) == 2",
        "event.s in lists.known || event.s + event.s == 'abab'",
    ],
)
def test_both_ways_cost_the_same_steps(text: str) -> None:
    """A budget runs out at the same place, or a quick decision would differ from a slow one."""
    expression = compile_expression(text, NAMES)
    scope: dict[str, Any] = {
        "event": {"big": "x" * 5_000, "m": [1, 2, 3], "s": "ab"},
        "lists": {"big": "x" * 5_000, "known": [5, 6, "ab"]},
    }
    for steps in (0, 1, 5, 20, 50, 300, 10_000):
        ends: list[object] = []
        for evaluate in (expression.evaluate, partial(evaluate_plain, expression)):
            budget = Budget(steps)
            try:
                ends.append((evaluate(scope, budget), budget.left))
            except BudgetExceeded as fault:
                ends.append((str(fault), None))
        assert ends[0] == ends[1], steps


def test_an_expression_of_its_own_layout_reads_its_own_roots() -> None:
    """Tools build expressions from trees alone."""
    node = compile_expression("event.a > 1 && lists.b == 2", NAMES).node
    own = Expression("", node, None)
    assert own.evaluate({"lists": {"b": 2}, "event": {"a": 2}, "raw": {}}, Budget(100)) is True
    assert own.evaluate({"event": {"a": 2}}, Budget(100)) is UNDECIDED


def test_a_result_that_json_cannot_hold_is_a_fault() -> None:
    expression = compile_expression("event.a / 0.0", NAMES)
    with pytest.raises(ExpressionFault, match="infinite"):
        expression.evaluate({"event": {"a": 1.0}}, Budget(100))
