"""What is found before any event: names, fields, functions, arguments, kinds that can never work."""

from __future__ import annotations

from typing import TypedDict

import pytest

from receiver.contract import EventDocument, JsonValue
from receiver.policy.expressions.expression import (
    ExpressionError,
    Kind,
    ListOf,
    Names,
    compile_expression,
    shape_of,
)

NAMES = Names(
    {
        "event": shape_of(EventDocument),
        "raw": None,
        "lists": {"trusted": ListOf(Kind.STRING), "limits": Kind.LIST},
        "box": Kind.MAP,
        "top_face": None,
        "half": Kind.DOUBLE,
    }
)


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("evnt.status == 'x'", 0, "unknown name 'evnt'; did you mean 'event'?"),
        ("top_fac >= 1", 0, "unknown name 'top_fac'; did you mean 'top_face'?"),
        ("1 > True", 4, "unknown name 'True'; did you mean 'true'?"),
        ("zzz", 0, "unknown name 'zzz'; text goes in quotes: 'zzz'"),
        ("event.matches.exists(m, n.status == '')", 24, "unknown name 'n'"),
        ("event.tags.all(t, t == '') && t == ''", 30, "unknown name 't'"),
        ("event.livenes.score > 1", 6, "unknown field 'livenes'; did you mean 'liveness'?"),
        ("event.liveness.scor > 1", 15, "unknown field 'scor'; did you mean 'score'?"),
        ("event['contry'] == ''", 5, "unknown field 'contry'; did you mean 'country'?"),
        ("has(event.ip.countri)", 13, "unknown field 'countri'; did you mean 'country'?"),
        ("lists.trustd.size()", 6, "unknown field 'trustd'; did you mean 'trusted'?"),
        ("event.matches.map(m, m.simlarity)", 23, "unknown field 'simlarity'; did you mean 'similarity'?"),
        ("event.matches.filter(m, true)[0].statu", 33, "unknown field 'statu'; did you mean 'status'?"),
        (
            "event.matches.similarity",
            14,
            "a list has no field 'similarity'; use exists(), all(), filter(), map() or [0], "
            "such as exists(x, x.similarity == ...)",
        ),
        ("lists.limits.x", 13, "a list has no field 'x'; use exists(), all(), filter(), map() or [0]"),
        ("event.status.x", 13, "string has no field 'x'"),
        ("event.status[0]", 12, "string cannot be indexed"),
        ("event.tags[event.status]", 17, "a list is indexed by a whole number and a map by a string, not string"),
        ("event.liveness[0]", 15, "a list is indexed by a whole number and a map by a string, not int"),
        ("raw[true]", 4, "a list is indexed by a whole number and a map by a string, not bool"),
        ("sizes(event.tags)", 0, "unknown function 'sizes'; did you mean 'size'?"),
        ("event.status.startswith('x')", 13, "unknown method 'startswith'; did you mean 'startsWith'?"),
        ("foo()", 0, "unknown function 'foo'"),
        ("len(event.tags)", 0, "write size(x)"),
        ("dyn(1)", 0, "dyn() is not needed: int and double mix, and values need no declared type"),
        ("startsWith(event.status, 'x')", 0, "startsWith() is written x.startsWith(...)"),
        ("exists(event.tags, true)", 0, "exists() is written x.exists(...)"),
        ("event.tags.max()", 11, "max() is written max(list)"),
        ("event.status.contains()", 13, "contains() takes one argument, such as text.contains('abc'); here are 0"),
        ("size()", 0, "size() takes one argument, as size(x) or x.size(); here are 0"),
        ("event.tags.size(1)", 11, "size() takes one argument, as size(x) or x.size(); here are 2"),
        ("max()", 0, "max() takes a list, or two or more values"),
        ("'a' >= 1", 4, "'>=' cannot work on string and int"),
        ("event.created_at < '2024'", 17, "'<' cannot work on int and string; write the number without quotes: 2024"),
        ("[1] < [2]", 4, "'<' cannot work on list; look into a list with 'in', exists() or size()"),
        ("1 < 2 < 3", 6, "'<' cannot work on bool and int; comparisons do not chain, write a < b && b < c"),
        ("!5", 1, "'!' needs true or false, not int; for 'not equal' write a != b"),
        ("-'a'", 1, "'-' needs a number, not string"),
        ("-event.stale", 7, "'-' needs a number, not bool"),
        (
            "event.stale && event.status",
            21,
            "'&&' needs true or false, not string; compare each side for itself, or write x in [a, b]",
        ),
        ("event.status ? 1 : 2", 6, "'?' needs true or false before it, not string"),
        ("true + 1", 5, "'+' cannot work on bool"),
        ("'a' + 1", 4, "'+' cannot work on string and int"),
        ("'a' - 'b'", 4, "'-' cannot work on string"),
        ("half % 2", 5, "'%' cannot work on double"),
        ("('a' + event.status) * 2", 21, "'*' cannot work on string"),
        ("(1 + half) + 'a'", 11, "'+' cannot work on number and string"),
        ("('a' + raw.x) > 1", 14, "'>' cannot work on string and int"),
        ("([1] + raw.x) > 1", 14, "'>' cannot work on list; look into a list with 'in', exists() or size()"),
        (
            "'a' in event.status",
            4,
            "'in' needs a list or a map on its right, not string; for text in text write a.contains(b)",
        ),
        ("size(5)", 5, "size() needs a string, a list or a map, not int"),
        ("event.tags.contains('x')", 6, 'contains() needs strings, not list; write "x" in event.tags'),
        ("event.status.contains(1)", 22, "contains() needs strings, not int"),
        ("event.status.exists(x, true)", 13, "exists() needs a list, not string"),
        ("event.tags.filter(x, x)", 21, "filter() needs a condition that is true or false, not string"),
        ("box.all(k, k + '')", 13, "all() needs a condition that is true or false, not string"),
        ("event.tags.map(x, 1, x)", 18, "map() needs a condition that is true or false, not int"),
        ("max(event.matches)", 0, "max() needs numbers or strings, not map"),
        ("max(true, 1)", 0, "max() needs numbers or strings, not bool"),
        ("max(1, 'a')", 0, "max() cannot put numbers and strings in order"),
        ("max(1, 2.0) + 'a'", 12, "'+' cannot work on number and string"),
        ("{1: 2}", 1, "the keys of a map are strings, not int"),
        ("{'a': 1, 'a': 2}", 9, "this key stands twice in the map"),
        ("{'a': zzz}", 6, "unknown name 'zzz'; text goes in quotes: 'zzz'"),
        ("(event.stale ? 1 : 2) + 'a'", 22, "'+' cannot work on int and string"),
        ("(event.phone ?? '') > 1", 20, "'>' cannot work on string and int"),
        (
            "event.email.matches('x')",
            12,
            "regular expressions are not supported; use contains(), startsWith() or endsWith()",
        ),
    ],
)
def test_certain_mistakes_are_found_with_their_place(text: str, offset: int, message: str) -> None:
    """The finding points at the character, and suggests the nearest name."""
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, NAMES)
    assert (caught.value.offset, caught.value.message) == (offset, message)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("max(event.matches.map(m, m.similarity)) >= 70.0", Kind.BOOL),
        ("!(event.country in lists.trusted)", Kind.BOOL),
        ("event.matches.filter(m, m.is_blocklisted ?? false).size() >= 3", Kind.BOOL),
        ("event.liveness.score", Kind.NUMBER),
        ("raw.any.thing[0]['k'].at.all", None),
        ("box.anything > 1 || box['k']", Kind.BOOL),
        ("max(lists.limits) >= 1", Kind.BOOL),
        ("lists.limits[0]", None),
        ("event.stale ? event.status : 'x'", Kind.STRING),
        ("event.stale ? 1 : 'x'", None),
        ("event.stale ? 1 : null", None),
        ("event.created_at + 1", Kind.INT),
        ("event.created_at / half", Kind.NUMBER),
        ("raw.x + raw.y", None),
        ("-raw.x", None),
        ("raw.x * 2", Kind.NUMBER),
        ("-half", Kind.DOUBLE),
        ("max(half, raw.x)", None),
        ("min(event.tags)", Kind.STRING),
        ("max(event.created_at)", Kind.INT),
        ("event.tags + raw.x", ListOf(None)),
        ("event.tags.map(t, t.size())", ListOf(Kind.INT)),
        ("['a', 'b']", ListOf(Kind.STRING)),
        ("['a', 1]", ListOf(None)),
        ("{'a': 1}", Kind.MAP),
        ("{'a': {'b': 1}}.a.b", None),
        ("box.map(k, k)", ListOf(Kind.STRING)),
        ("null < 1", Kind.BOOL),
        ("raw.x in raw.y", Kind.BOOL),
        ("event.tags[size(event.tags) - 1]", Kind.STRING),
        ("event.matches[0]", shape_of(EventDocument)["matches"].item),  # type: ignore[union-attr]  # it is a ListOf
    ],
)
def test_what_may_work_passes_and_its_kind_is_known(text: str, shape: object) -> None:
    """Only what is certain is refused; the kind that was worked out stays with the expression."""
    assert compile_expression(text, NAMES).shape == shape


class _Inner(TypedDict):
    number: float


class _Document(TypedDict):
    text: str | None
    flag: bool
    anything: JsonValue
    either: int | str
    inner: _Inner | None
    inners: list[_Inner]
    loose: dict[str, str]


def test_a_shape_is_read_from_a_typed_dict() -> None:
    """Field names live in one place: the class of the document."""
    assert shape_of(_Document) == {
        "text": Kind.STRING,
        "flag": Kind.BOOL,
        "anything": None,
        "either": None,
        "inner": {"number": Kind.NUMBER},
        "inners": ListOf({"number": Kind.NUMBER}),
        "loose": None,
    }
