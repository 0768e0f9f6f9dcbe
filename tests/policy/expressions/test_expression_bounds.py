"""Expressions are bounded: steps per event, lengths of lists and texts. Every bomb ends, soon and small."""

from __future__ import annotations

import tracemalloc
from functools import partial
from typing import Any

import pytest

from receiver.policy.expressions.expression import (
    MAX_LIST,
    MAX_STRING,
    Budget,
    BudgetExceeded,
    ExpressionFault,
    Names,
    compile_expression,
)
from tests.support.plain import evaluate_plain

NAMES = Names({"event": None})
WIDE: list[Any] = [float(number) for number in range(MAX_LIST)]


def evaluate(text: str, event: dict[str, Any], budget: Budget) -> Any:
    return compile_expression(text, NAMES).evaluate({"event": event}, budget)


def test_the_budget_is_shared_by_all_expressions_of_an_event() -> None:
    """Steps add up over expressions, and the one that goes over the end says so."""
    assert evaluate("event.a.exists(x, x > 5)", {"a": [1, 2]}, Budget(11)) is False
    budget = Budget(30)
    evaluate("event.a.exists(x, x > 5)", {"a": [1, 2]}, budget)
    first = budget.spent
    assert first == 11  # three nodes, and for each of two elements four steps
    evaluate("event.a.exists(x, x > 5)", {"a": [1, 2]}, budget)
    assert budget.spent == 2 * first
    with pytest.raises(BudgetExceeded, match="budget of 30"):
        evaluate("event.a.exists(x, x > 5)", {"a": [1, 2]}, budget)
    assert budget.spent > budget.steps


@pytest.mark.parametrize(
    "text",
    [
        "event.a.exists(x, x > 5) || true",
        "true && event.a.exists(x, x > 5)",
        "event.a.all(x, event.a.exists(y, y > x) || true)",
        "event.a.exists(x, event.a.all(y, y == x) || true)",
        "(event.a.exists(x, x > 5) ?? true)",
    ],
)
def test_an_exceeded_budget_is_never_absorbed(text: str) -> None:
    """`||` forgives every other fault, never this one; the plain function agrees."""
    expression = compile_expression(text, NAMES)
    for evaluate_it in (expression.evaluate, partial(evaluate_plain, expression)):
        with pytest.raises(BudgetExceeded):
            evaluate_it({"event": {"a": WIDE[:500]}}, Budget(100))


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("event.a.exists(x, event.a.exists(y, x + y < 0.0))", {"a": WIDE}),
        ("event.a.all(x, !(x + 0.5 in event.a))", {"a": WIDE}),
        ("event.a.map(x, event.a.map(y, y)).size()", {"a": WIDE}),
        ("event.a.map(x, event.b + event.b)", {"a": WIDE, "b": WIDE[:5000]}),
        ("event.a.map(x, event.s + event.s)", {"a": WIDE, "s": "x" * 32_000}),
        ("event.a.exists(x, event.s.contains('y'))", {"a": WIDE, "s": "x" * 1_000_000}),
        ("event.a.exists(x, event.s == event.t + 'y')", {"a": WIDE, "s": "x" * 60_001, "t": "x" * 60_000}),
        ("event.a.exists(x, event.s < event.s)", {"a": WIDE, "s": "x" * 1_000_000}),
        ("event.a.exists(x, event.b != event.b)", {"a": WIDE, "b": [WIDE, {"k": WIDE}]}),
        ("event.a.exists(x, max(event.a) < x)", {"a": WIDE}),
    ],
)
def test_bombs_end_by_the_budget(text: str, event: dict[str, Any]) -> None:
    """A hundred thousand steps are the end of every loop, whatever it multiplies, and it makes no heap of values."""
    expression = compile_expression(text, NAMES)
    tracemalloc.start()
    try:
        for evaluate_it in (expression.evaluate, partial(evaluate_plain, expression)):
            with pytest.raises(BudgetExceeded):
                evaluate_it({"event": event}, Budget(100_000))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "event", "said"),
    [
        ("event.a.exists(x, true)", {"a": [0] * (MAX_LIST + 1)}, "a list longer than 10,000"),
        ("event.a.map(x, x.y)", {"a": [{}] * (MAX_LIST + 1)}, "a list longer than 10,000"),
        ("size(event.a + event.a)", {"a": [0] * (MAX_LIST // 2 + 1)}, "a list longer than 10,000"),
        ("size(event.s + event.s)", {"s": "x" * (MAX_STRING // 2 + 1)}, "a text longer than 65,536"),
    ],
)
def test_lengths_are_capped(text: str, event: dict[str, Any], said: str) -> None:
    """A list that is walked or made, and a text that is made, has a largest length."""
    with pytest.raises(ExpressionFault, match=said):
        evaluate(text, event, Budget(10_000_000))


def test_lengths_up_to_the_caps_work() -> None:
    """The caps themselves are allowed."""
    budget = Budget(10_000_000)
    assert evaluate("event.a.map(x, x + 1.0).size()", {"a": WIDE}, budget) == MAX_LIST
    assert evaluate("size(event.s + event.s)", {"s": "x" * (MAX_STRING // 2)}, budget) == MAX_STRING


def test_numbers_of_many_digits_are_read_and_compared_but_not_computed_with() -> None:
    """The vendor may send any integer."""
    event = {"n": 10**4000, "m": [10**4000, -(10**4000)]}
    assert evaluate("event.n > 1e308 && event.n == event.m[0] && max(event.m) == event.n", event, Budget(100)) is True
    for text in ("event.n * event.n", "event.n + 0.5", "-event.n", "1 % event.n"):
        with pytest.raises(ExpressionFault, match="outside 64 bits"):
            evaluate(text, event, Budget(100))


@pytest.mark.parametrize("name", ["__class__", "__dict__", "keys", "get", "_left", "items"])
def test_nothing_of_python_can_be_reached(name: str) -> None:
    """A field name is a key of a map, and never an attribute of a Python object."""
    for text in (f"event.{name}", f"event.a.{name}", f"event['{name}']"):
        with pytest.raises(ExpressionFault) if ".a." in text else pytest.MonkeyPatch.context():
            value = evaluate(text, {"a": "text"}, Budget(100))
            assert repr(value) == "undecided"
