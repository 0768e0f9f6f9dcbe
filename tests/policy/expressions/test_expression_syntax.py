"""Text to tree: literals, escapes, precedence, and what is refused, with its place."""

from __future__ import annotations

import pytest

from receiver.contract import JsonValue
from receiver.policy.expressions.expression import (
    MAX_LENGTH,
    UNDECIDED,
    Budget,
    ExpressionError,
    Names,
    Undecided,
    compile_expression,
)
from receiver.policy.expressions.parser import parse
from receiver.policy.expressions.syntax import Logic, Name, children, walk
from tests.support.plain import evaluate_plain

OPEN = Names({"a": None, "b": None, "c": None, "event": None})


def value_of(text: str, **scope: JsonValue) -> JsonValue | Undecided:
    return compile_expression(text, OPEN).evaluate(scope, Budget(10_000))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", None),
        ("true", True),
        ("42", 42),
        ("-42", -42),
        ("007", 7),
        ("0x7F", 127),
        ("-0x80", -128),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("- 9223372036854775808", -(2**63)),
        ("--5", 5),
        ("1.5", 1.5),
        (".5e1", 5.0),
        ("1e3", 1000.0),
        ("'its'", "its"),
        ('"say \\"yes\\""', 'say "yes"'),
        (r"'\a\b\f\n\r\t\v\\\?\'\`'", "\a\b\f\n\r\t\v\\?'`"),
        (r"'\x41\X42\u0043\U00000044\105'", "ABCDE"),
        (r"'\U0001F600'", "\N{GRINNING FACE}"),
        ("r'\\n\\'", "\\n\\"),
        ('R"\\d"', "\\d"),
        ("'''two\nlines and 'marks' '''", "two\nlines and 'marks' "),
        ('"""a "b" c"""', 'a "b" c'),
        ('r""""""', ""),
        ("''", ""),
        ("[1, 'a', null, [true],]", [1, "a", None, [True]]),
        ("{'a': 1, 'b': {'c': []}}", {"a": 1, "b": {"c": []}}),
        ("1 // the rest is a remark\n + 2", 3),
        ("[5].size()", 1),
    ],
)
def test_literals_mean_what_cel_means(text: str, expected: JsonValue) -> None:
    """A literal gives its value, with the exact type."""
    value = value_of(text)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 - 2 - 1", 4),
        ("-2 + 3", 1),
        ("!true || true", True),
        ("true || false && false", True),
        ("1 + 1 == 2 && 3 > 2", True),
        ("1 == 1 == true", True),
        ("false ? 1 : true ? 2 : 3", 2),
        ("true ? false ? 1 : 2 : 3", 2),
        ("a ?? 2 < 3", True),
        ("c.d ?? 1 + 1", 3),
        ("a ?? b ?? 'x'", "x"),
        ("a ?? 1 in [1]", True),
        ("-c.d", -3),
        ("!c.e", False),
        ("c['d'] + c.f[0]", 10),
        ("c.in_use ?? c.return ?? 1", 1),
    ],
)
def test_precedence(text: str, expected: JsonValue) -> None:
    """Operators bind as in CEL; `??` binds tighter than comparisons and looser than arithmetic."""
    assert value_of(text, c={"d": 3, "e": True, "f": [7]}) == expected


@pytest.mark.parametrize(
    ("text", "offset", "said"),
    [
        ("", 0, "ends too early"),
        ("   ", 3, "ends too early"),
        ("1 +", 3, "ends too early"),
        ("(1", 2, "')' is expected"),
        ("[1, 2", 5, "']' is expected"),
        ("a[0", 3, "']' is expected"),
        ("{'a' 1}", 5, "':' is expected"),
        ("{'a': 1", 7, "'}' is expected"),
        ("a ? 1", 5, "':' is expected"),
        ("a.exists(x, true", 16, "')' is expected"),
        ("size(a,)", 7, "unexpected ')'"),
        ("1 2", 2, "unexpected '2'"),
        ("a b", 2, "unexpected 'b'"),
        (".a", 0, "unexpected '.'"),
        ("a.", 2, "a field name is expected"),
        ("a.'b'", 2, "a field name is expected"),
        ("a.in", 2, '["in"]'),
        ("a.null", 2, '["null"]'),
        ("in", 0, "reserved"),
        ("let + 1", 0, "reserved"),
        ("a = 1", 2, "write '=='"),
        ("a and b", 2, "write '&&'"),
        ("a or b", 2, "write '||'"),
        ("not a", 0, "write '!'"),
        ("a & b", 2, "write '&&'"),
        ("a | b", 2, "write '||'"),
        ("a.`b-c`", 2, '["name"]'),
        ("\N{LEFT DOUBLE QUOTATION MARK}a", 0, "straight quotes"),
        ("a # b", 2, "unexpected character '#'"),
        ("'abc", 0, "no end"),
        ("'a\nb'", 2, "ends on its line"),
        ("'abc\\", 0, "no end"),
        ("1 + '\\d'", 5, "unknown escape"),
        ("'\\ud800'", 1, "no Unicode character"),
        ("'\\U00110000'", 1, "no Unicode character"),
        ("'\\x4'", 1, "unknown escape"),
        ("b'x'", 0, "bytes are not supported"),
        ("bR'x'", 0, "bytes are not supported"),
        ("17u", 2, "unsigned"),
        ("17x", 2, "after a number"),
        ("9223372036854775808", 0, "outside 64 bits"),
        ("1 - -9223372036854775809", 4, "outside 64 bits"),
        ("-(9223372036854775808)", 2, "outside 64 bits"),
        ("9" * 4000, 0, "outside 64 bits"),
        ("1e400", 0, "too large"),
        ("a{b: 1}", 1, "cannot be built"),
        ("has(a)", 0, "one path"),
        ("has(a.b, a.c)", 0, "one path"),
        ("a.exists(x)", 2, "a variable and an expression"),
        ("a.exists(x, y, z)", 2, "a variable and an expression"),
        ("a.map(x.y, 1)", 8, "a plain name"),
        ("a.all(x, b.all(y, c.all(z, z)))", 20, "at most 2 deep"),
        ("1" + " " * MAX_LENGTH, MAX_LENGTH, "longer than 4,096"),
    ],
)
def test_bad_text_is_refused_with_its_place(text: str, offset: int, said: str) -> None:
    """The error names the character where reading failed, and what to write instead."""
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, OPEN)
    assert (caught.value.offset, said in caught.value.message) == (offset, True), caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2000 + "1" + ")" * 2000,
        "[" * 4000,
        "!" * 4000 + "true",
        "-" * 4000 + "1",
        "1" + "+1" * 2000,
        "a" + ".a" * 2000,
        "a" + "[a" * 1300 + "]" * 1300,
        "true?" * 800 + "1",
        "1?1:" * 1000 + "1",
        "a||a&&a==a??a+a*(" * 200,
        "{'a':" * 600,
        "size(" * 800,
    ],
)
def test_deep_nesting_is_an_error_and_never_a_recursion(text: str) -> None:
    """Whatever is nested, the reader stops at its own bound."""
    with pytest.raises(ExpressionError, match="nested more than"):
        compile_expression(text[:MAX_LENGTH], OPEN)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 90 + "1" + ")" * 90,
        "1" + "+1" * 90,
        "-(" * 49 + "1" + ")" * 49,
        " || ".join(["a.b == 1"] * 300),
        "a" + ".a" * 90,
        "(a && (b || " * 24 + "a" + "))" * 24,
        "a ?? " * 90 + "1 >= 0",
    ],
)
def test_what_is_within_the_bound_compiles_and_runs_at_once(text: str) -> None:
    """Compiling and running take time in proportion to the text, however it is nested."""
    expression = compile_expression(text.removesuffix(" "), OPEN)
    budget = Budget(5_000)
    assert expression.evaluate({"a": None}, budget) == evaluate_plain(expression, {"a": None}, Budget(5_000))
    assert budget.spent < 5_000


def test_a_chain_of_and_is_one_node() -> None:
    """Long chains stay flat; a chain in parentheses on the right is its own node."""
    node = parse("a && b && (c && event) && a")
    assert isinstance(node, Logic)
    assert [type(operand) for operand in node.operands] == [Name, Name, Logic, Name]
    assert node.offset == 2


def test_walk_gives_every_node_in_the_order_of_the_text() -> None:
    """The tree is open to later analysis."""
    node = parse("has(a.b) ? {'k': [a[0]]}.map(x, x > 1, -x) : max(b, 1)")
    offsets = [part.offset for part in walk(node) if not children(part)]
    assert offsets == sorted(offsets)
    assert len(list(walk(node))) == 19


def test_a_lone_undecided_is_nobody_s_truth() -> None:
    """`if condition:` on an undecided value is a bug, and says so."""
    assert repr(UNDECIDED) == "undecided"
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(UNDECIDED)
