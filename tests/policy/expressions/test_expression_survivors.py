"""Each of these notices a change that no other test did (bench/mutation.py)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from receiver.policy.expressions.expression import (
    UNDECIDED,
    Budget,
    ExpressionError,
    Names,
    compile_expression,
    weight,
)


def test_has_is_known_to_give_true_or_false() -> None:
    """So what cannot work with it is refused."""
    with pytest.raises(ExpressionError, match=r"cannot work on bool"):
        compile_expression("has(event.country) + 1 > 0", Names({"event": None}))


@pytest.mark.parametrize(
    ("text", "offset", "said"),
    [
        ("event.a <> 1", 8, "'!='"),
        ("event.a > 1,5", 11, "1.5"),
        ("event.a > 50%", 12, "percentage"),
        ("not event.a", 0, "'!'"),
        ("event.a not in lists.b", 8, "!(a in b)"),
        ("event.a > 5 6", 12, "unexpected '6'"),
    ],
)
def test_a_slip_is_told_where_it_is(text: str, offset: int, said: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(said)) as caught:
        compile_expression(text, Names({"event": None, "lists": None}))
    assert caught.value.offset == offset


@pytest.mark.parametrize(("items", "there"), [([], False), ([None], True), ([1, 2], True)])
def test_has_of_an_element_asks_whether_the_list_is_that_long(items: list[Any], there: bool) -> None:
    expression = compile_expression("has(event.l[0])", Names({"event": None}))
    assert expression.evaluate({"event": {"l": items}}, Budget(100)) is there


def test_looking_for_infinity_in_a_result_is_charged() -> None:
    """A list of lists that share their elements is small in memory and endless to walk."""
    expression = compile_expression("event.l + [event.l, 1.0 + 1.0]", Names({"event": None}))
    budget = Budget(10_000)
    expression.evaluate({"event": {"l": [0] * 1_000}}, budget)
    assert budget.spent > 3_000  # joined, walked, and the inner one walked again


@pytest.mark.parametrize(
    "text",
    [
        "10 - 2 * 3 == 4",
        "10 - 6 / 2 == 7",
        "10 - 7 % 4 == 7",
        "7 * 5 % 3 == 2",
        "7 / 2 * 2 == 6",
        "7 % 4 * 2 == 6",
        "8 - 2 - 1 == 5",
        "2 + 3 * 4 == 14",
        "event.none ?? 2 + 1 == 3",
        "(event.none ?? 2) * 2 == 4",
        "1 < 2 == true",
        "false && true || true",
        "true || false && false",
        "-9223372036854775808 % 2 == 0",
        "5 % -1 == 0",
    ],
)
def test_precedence_and_edges(text: str) -> None:
    assert compile_expression(text, Names({"event": None})).evaluate({"event": {}}, Budget(100)) is True


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("event.t == event.u", 250, 260),  # 4,000 characters: sixteen are a step
        ("event.t + event.u != ''", 490, 520),
        ("event.t.contains('zz')", 250, 260),
        ("event.l == event.m", 1_000, 1_010),
        ("event.s == event.s", 5, 5),  # five nodes; a short text costs nothing more
    ],
)
def test_work_is_charged_by_its_size(text: str, least: int, most: int) -> None:
    budget = Budget(10_000)
    event: dict[str, Any] = {"t": "x" * 4_000, "u": "x" * 4_000, "l": [0] * 1_000, "m": [0] * 1_000, "s": "x" * 256}
    compile_expression(text, Names({"event": None})).evaluate({"event": event}, budget)
    assert least <= budget.spent <= most


def test_the_body_of_map_is_not_asked_where_its_condition_is_undecided() -> None:
    """It would divide by zero."""
    expression = compile_expression("event.l.map(m, m.ok, 1 / m.n)", Names({"event": None}))
    assert expression.evaluate({"event": {"l": [{"n": 0}]}}, Budget(100)) is UNDECIDED


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        ("x" * 15, 1),
        ("x" * 32, 3),
        ([], 1),
        ([1, 2, 3], 4),
        ({"a": 1, "b": [2, "x" * 160]}, 15),
        ([[[]]], 3),
    ],
)
def test_the_weight_of_a_value_is_what_writing_it_takes(value: Any, expected: int) -> None:
    assert weight(value, 1_000) == expected
    assert weight(value, expected) == expected
    assert weight(value, expected - 1) is None


def test_a_value_nested_deeper_than_payloads_is_too_heavy() -> None:
    deep: Any = 1
    for _ in range(64):
        deep = [deep]
    assert weight(deep, 1_000) == 65
    assert weight([deep], 1_000) is None
