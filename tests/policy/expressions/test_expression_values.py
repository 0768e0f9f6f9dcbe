"""What expressions give: three values, CEL's equality, order and arithmetic, faults and their absorption."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest

from receiver.contract import JsonValue
from receiver.policy.expressions.expression import UNDECIDED, Budget, ExpressionFault, Names, compile_expression, frame
from tests.support.plain import evaluate_plain

SCOPE: dict[str, Any] = {
    "event": {
        "country": None,
        "status": "In Review",
        "score": 70.0,
        "count": 70,
        "yes": True,
        "no": False,
        "huge": 2**70,
        "exact": 2**53 + 1,
        "tags": ["A", "B"],
        "empty": [],
        "mixed": [1, "a", True, None, 2.0],
        "matches": [{"similarity": 96.5, "status": "Approved"}, {"similarity": 88, "status": None}],
        "liveness": {"score": 50.0, "age": None},
    },
    "lists": {"trusted": ["ESP", "PRT"]},
}
NAMES = Names({"event": None, "lists": None, "nowhere": None})
FAULT = "fault"


def outcome(text: str) -> Any:
    """The value, UNDECIDED, or FAULT; the quick and the plain function must agree."""
    expression = compile_expression(text, NAMES)
    seen = []
    for evaluate in (expression.evaluate, partial(evaluate_plain, expression)):
        try:
            seen.append(evaluate(SCOPE, Budget(1_000_000)))
        except ExpressionFault:
            seen.append(FAULT)
    assert (seen[0], type(seen[0])) == (seen[1], type(seen[1]))
    return seen[0]


def check(text: str, expected: JsonValue | object) -> None:
    value = outcome(text)
    assert (value, type(value)) == (expected, type(expected))


T, F, U = "event.yes", "event.no", "event.absent"
E = "event.status > 1"


@pytest.mark.parametrize(
    ("left", "right", "conjunction", "disjunction"),
    [
        (T, T, True, True),
        (T, F, False, True),
        (F, F, False, False),
        (T, U, UNDECIDED, True),
        (F, U, False, UNDECIDED),
        (U, U, UNDECIDED, UNDECIDED),
        (T, E, FAULT, True),
        (F, E, False, FAULT),
        (U, E, FAULT, FAULT),
        (E, E, FAULT, FAULT),
        (T, "event.status", FAULT, True),
        (F, "event.status", False, FAULT),
        (T, "event.country", UNDECIDED, True),
    ],
)
def test_and_or_absorb_in_both_orders(left: str, right: str, conjunction: Any, disjunction: Any) -> None:
    """A deciding operand decides whatever the other is; a fault comes before undecided."""
    for a, b in ((left, right), (right, left)):
        check(f"{a} && {b}", conjunction)
        check(f"{a} || {b}", disjunction)
        check(f"[{len(a)}, {len(b)}].size() == 2 && {a} && {b}", conjunction)


@pytest.mark.parametrize(
    ("elements", "some", "every"),
    [
        ("[]", False, True),
        ("[1, 2]", False, True),
        ("[1, 9]", True, False),
        ("[event.absent ?? null, 9]", True, False),
        ("[event.country, 1]", UNDECIDED, UNDECIDED),
        ("[1, event.country]", UNDECIDED, UNDECIDED),
        ("['a', 9]", True, False),
        ("['a', 1]", FAULT, FAULT),
        ("['a', event.country, 1]", FAULT, FAULT),
        ("event.absent", UNDECIDED, UNDECIDED),
        ("event.country", UNDECIDED, UNDECIDED),
        ("event.status", FAULT, FAULT),
        ("[event.yes]", FAULT, FAULT),
    ],
)
def test_exists_and_all_absorb_over_elements(elements: str, some: Any, every: Any) -> None:
    """`exists` is a chain of `||` and `all` a chain of `&&`."""
    check(f"({elements}).exists(x, x > 5)", some)
    check(f"({elements}).all(x, x < 5)", every)
    check(f"!({elements}).all(x, x <= 5)", some)


@pytest.mark.parametrize(
    "text",
    [
        "event.absent",
        "event.absent.deeper",
        "event.country.deeper",
        "nowhere.at.all",
        "event.country > 'A'",
        "'A' > event.country",
        "event.country == 'A'",
        "event.country != 'A'",
        "event.country == event.absent",
        "event.liveness.age >= 18",
        "event.liveness.age == 18",
        "18 != event.liveness.age",
        "event.country in lists.trusted",
        "'A' in event.country",
        "event.country in ['ESP']",
        "event.country in {'ESP': 1}",
        "null in event.mixed",
        "!event.absent",
        "!(event.country in lists.trusted)",
        "-event.absent",
        "event.absent + 1",
        "1 - event.country",
        "event.absent ? 1 : 2",
        "event.country ? 1 : 2",
        "size(event.country)",
        "size(null)",
        "null > 1",
        "event.country.startsWith('E')",
        "event.status.contains(event.country)",
        "max(event.empty)",
        "min([])",
        "max(event.country)",
        "max(1, event.absent)",
        "max(event.mixed)",
        "max(event.matches.map(m, m.absent))",
        "event.matches.map(m, m.absent)",
        "event.matches.map(m, m.status == 'x')",
        "event.matches.filter(m, m.status == 'Approved')",
        "event.matches.map(m, m.status == 'Approved', 1)",
        "event.country.map(x, x)",
        "event.absent.filter(x, true)",
        "[1, event.absent]",
        "{'a': event.absent}",
        "{event.country: 1}",
        "event.tags[event.absent]",
        "event.absent[0]",
        "event.absent['k']",
        "event.liveness['absent']",
        "event.country[0]",
        "event.matches[0].absent",
        "has(event.liveness[event.country])",
        "event.absent ?? event.gone",
    ],
)
def test_what_hangs_on_nothing_is_undecided(text: str) -> None:
    """An absent or null operand of any operator, function or method leaves the answer open."""
    check(text, UNDECIDED)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.country", None),
        ("event.yes ? event.country : 1", None),
        ("[event.country, null]", [None, None]),
        ("{'a': event.country}", {"a": None}),
        ("event.matches.map(m, m.status)", ["Approved", None]),
        ("event.country == null", True),
        ("null == event.absent", True),
        ("event.absent.deeper != null", False),
        ("event.score == null", False),
        ("event.absent + 1 == null", True),
        ("null != event.score", True),
        ("null == null", True),
        ("event.matches.exists(m, m.status == null)", True),
        ("event.mixed == [1, 'a', true, null, 2]", True),
        ("has(event.score)", True),
        ("has(event.country)", True),
        ("has(event.absent)", False),
        ("has(event.absent.deeper)", False),
        ("has(event.country.deeper)", False),
        ("has(event.tags[1])", True),
        ("has(event.tags[2])", False),
        ("has(event.tags[-1])", False),
        ("has(event.liveness['score'])", True),
        ("has(event.absent[0])", False),
        ("event.country ?? 'none'", "none"),
        ("event.absent ?? event.country", None),
        ("event.score ?? 0", 70.0),
        ("event.no ?? true", False),
        ("max(event.empty) ?? 0", 0),
        ("(event.absent >= 1) ?? false", False),
    ],
)
def test_null_is_a_value_where_nothing_is_asked_of_it(text: str, expected: JsonValue) -> None:
    """A null stays in lists and results; `== null`, `!= null`, has() and `??` always decide about it."""
    check(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.yes == 1", False),
        ("event.yes != 1", True),
        ("event.no == 0", False),
        ("event.yes == true", True),
        ("1 in [true]", False),
        ("event.yes in [1, 1.0]", False),
        ("event.yes in event.mixed", True),
        ("[true] == [1]", False),
        ("{'a': 1} == {'a': true}", False),
        ("{'a': 1, 'b': [2]} == {'b': [2.0], 'a': 1.0}", True),
        ("{'a': 1} == {'b': 1}", False),
        ("[1] == [1, 2]", False),
        ("'1' == 1", False),
        ("event.status == 1", False),
        ("event.score == 'x'", False),
        ("event.score == 70", True),
        ("70 == event.score", True),
        ("event.count != 70.0", False),
        ("event.exact == 9007199254740992.0", False),
        ("event.exact > 9007199254740992.0", True),
        ("9007199254740993 == 9007199254740992.0", False),
        ("event.huge > 9223372036854775807", True),
        ("event.huge == event.huge", True),
        ("event.no < event.yes", True),
        ("'Z' < 'a'", True),
        ("'\\U0001F600' > '\\uffff'", True),
        ("event.count >= event.score", True),
        ("0.0 / 0.0 == 0.0 / 0.0", False),
        ("[0.0 / 0.0] == [0.0 / 0.0]", False),
        ("0.0 / 0.0 in [0.0 / 0.0]", False),
        ("'A' in event.tags", True),
        ("event.status in ['In Review', 'Declined']", True),
        ("event.count in ['70']", False),
        ("70 in [70.0]", True),
        ("'score' in event.liveness", True),
        ("1 in event.liveness", False),
        ("'x' in []", False),
    ],
)
def test_equality_and_order(text: str, expected: bool) -> None:
    """Never across types, except int and double, which compare exactly; a bool is no number."""
    check(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / -2", -3),
        ("-7 / -2", 3),
        ("7 % -3", 1),
        ("-7 % 3", -1),
        ("1 + 0.5", 1.5),
        ("3 / 2.0", 1.5),
        ("2 * 1.5", 3.0),
        ("1.5 - 1", 0.5),
        ("-event.score", -70.0),
        ("event.count + 1", 71),
        ("'a' + 'b'", "ab"),
        ("event.tags + ['C']", ["A", "B", "C"]),
        ("9223372036854775806 + 1", 2**63 - 1),
        ("1.0 / 0.0 > 1e308", True),
        ("-1.0 / 0.0 < 0", True),
        ("1.0 / -0.0 < 0", True),
        ("max(event.matches.map(m, m.similarity))", 96.5),
        ("min(event.matches.map(m, m.similarity))", 88),
        ("max(1, 2.5, 2)", 2.5),
        ("max(1, 1.0)", 1),
        ("min([3, 1.0, 1])", 1.0),
        ("max('a', 'b')", "b"),
        ("max(['b', 'a'])", "b"),
        ("max(5)", 5),
        ("size('h\\u00e9\\U0001F600')", 3),
        ("event.tags.size() + size(event.liveness)", 4),
        ("event.status.startsWith('In')", True),
        ("event.status.endsWith('In')", False),
        ("event.status.contains(' Rev')", True),
        ("event.tags[1.0]", "B"),
        ("event.liveness['sc' + 'ore']", 50.0),
        ("event.mixed.filter(x, x != 'a' || true)", [1, "a", True, None, 2.0]),
        ("event.tags.map(x, x == 'A', x + '!')", ["A!"]),
        ("event.liveness.filter(k, k.startsWith('s'))", ["score"]),
        ("event.tags.exists(event, event == 'B')", True),
        ("event.tags.exists(t, event.tags.all(t, t != ''))", True),
        ("event.tags.map(x, event.tags.map(y, x + y))", [["AA", "AB"], ["BA", "BB"]]),
        ("event.yes ? 'yes' : event.status > 1", "yes"),
    ],
)
def test_arithmetic_functions_and_macros(text: str, expected: JsonValue) -> None:
    """Ints divide towards zero, int with double gives double, the first of equals is the largest."""
    check(text, expected)


@pytest.mark.parametrize(
    "text",
    [
        "event.status >= 1",
        "event.yes > 0",
        "event.yes < 1.5",
        "event.tags < event.tags",
        "event.yes + 1",
        "-event.yes",
        "-event.status",
        "event.status + 1",
        "event.tags + 'x'",
        "event.status * 2",
        "event.score % 2",
        "event.count % event.score",
        "1 / 0",
        "1 % 0",
        "9223372036854775807 + 1",
        "-9223372036854775808 - 1",
        "5000000000 * 5000000000",
        "-9223372036854775808 / -1",
        "-9223372036854775808 % -1",
        "-(-9223372036854775808)",
        "event.huge + 1",
        "event.huge - 1.5",
        "-event.huge",
        "1.0 / 0.0",
        "[0.0 / 0.0]",
        "{'a': 1e308 * 10.0}",
        "event.matches.map(m, m.similarity / 0.0)",
        "!event.status",
        "event.status ? 1 : 2",
        "event.score && true",
        "event.score.deeper",
        "event.tags.deeper",
        "event.tags['deeper']",
        "event.tags[2]",
        "event.tags[-1]",
        "event.tags[0.5]",
        "event.tags[event.yes]",
        "event.liveness[0]",
        "event.status[0]",
        "has(event.status.deeper)",
        "has(event.tags.deeper)",
        "'x' in event.status",
        "event.tags in event.liveness",
        "{} in event.liveness",
        "size(event.count)",
        "event.tags.contains('A')",
        "event.status.startsWith(event.count)",
        "max(event.yes, 1)",
        "max(event.tags, 1)",
        "max([1, 'a'])",
        "max(event.liveness)",
        "event.tags.filter(x, x)",
        "event.tags.map(x, x, 1)",
        "event.count.map(x, x)",
        "event.matches.map(m, m.similarity.deeper)",
        "{event.count: 1}",
        "{event.status: 1, 'In Review': 2}",
        "(event.status > 1) ?? true",
        "[1, event.status > 1]",
    ],
)
def test_faults(text: str) -> None:
    """Wrong types, overflow, division by zero and an index out of range are faults, as in CEL."""
    check(text, FAULT)


def test_a_fault_says_kinds_and_never_values() -> None:
    """A fault may end in a log, so it holds nothing of the event."""
    expression = compile_expression("event.status + event.score", NAMES)
    with pytest.raises(ExpressionFault) as caught:
        expression.evaluate(SCOPE, Budget(100))
    assert caught.value.message == "'+' cannot work on string and double"
    assert "Review" not in str(caught.value)


def test_the_inputs_of_an_expression_are_its_longest_paths() -> None:
    """An explanation shows what was read and what was missing; the variables of macros are not paths."""
    text = (
        "event.matches.exists(m, m.similarity > event.score && m.status in lists.trusted)"
        " || event.liveness['age'] > 1 || event.tags[0] == event.tags[event.count]"
        " || event['a b'].c == top || event.tags[9] == ''"
    )
    expression = compile_expression(text, Names({"event": None, "lists": None, "top": None}))
    assert expression.roots == {"event", "lists", "top"}
    assert expression.paths == (
        "event.matches",
        "event.score",
        "lists.trusted",
        "event.liveness.age",
        "event.tags[0]",
        "event.tags",
        "event.count",
        'event["a b"].c',
        "top",
        "event.tags[9]",
    )
    scope: dict[str, Any] = {**SCOPE, "top": UNDECIDED}
    values, missing = expression.inputs(frame(expression.layout, scope, Budget(1)))
    assert missing == ("event.liveness.age", 'event["a b"].c', "top", "event.tags[9]")
    assert values["event.tags[0]"] == "A"
    assert values["event.score"] == 70.0
    assert repr(expression) == f"Expression({text!r})"


def test_an_undecided_value_given_as_a_name_stays_undecided() -> None:
    """A `let` value that could not be decided may stand in the scope as it is."""
    expression = compile_expression("top >= 70.0 || top.field == 1", Names({"top": None}))
    scope: Any = {"top": UNDECIDED}
    assert expression.evaluate(scope, Budget(100)) is UNDECIDED


def test_nan_and_infinity_pass_through_but_are_no_result() -> None:
    """A result must be a JSON value."""
    infinite = compile_expression("event.x * 2.0", NAMES)
    with pytest.raises(ExpressionFault, match="infinite or not a number"):
        infinite.evaluate({"event": {"x": math.inf}}, Budget(100))
