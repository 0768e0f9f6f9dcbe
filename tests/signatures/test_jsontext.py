"""JSON is read strictly, and written canonically."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.errors import PayloadRejected
from receiver.jsontext import canonical, read_object
from tests.support.didit_wire import sample, sample_names, wire

MESSAGES = {
    "the body is not UTF-8",
    "the body is not JSON",
    "the body is not a JSON object",
    "a key stands twice in one object",
    "NaN and Infinity are not JSON",
    "a number is out of range",
    "a number has over 4300 digits",
    "nested over 64 deep",
}

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """An object whose innermost container lies `depth` deep."""
    return b'{"a":' + opening * (depth - 1) + closing * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b'{"a":1} x', "the body is not JSON"),
        (b'{"a":01}', "the body is not JSON"),
        (b'{"a":"\n"}', "the body is not JSON"),
        (b"{'a':1}", "the body is not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "the body is not JSON"),
        ('{"a":1}'.encode("utf-16"), "the body is not UTF-8"),
        ('{"a":1}'.encode("utf-16-be"), "the body is not JSON"),
        (b'{"a":"\xff"}', "the body is not UTF-8"),
        (b'{"a":"\xc0\xaf"}', "the body is not UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "the body is not UTF-8"),
        (b"[]", "the body is not a JSON object"),
        (b'"text"', "the body is not a JSON object"),
        (b"7", "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
        (b'{"a":1,"a":1}', "a key stands twice in one object"),
        (b'{"x":[{"a":1,"\\u0061":2}]}', "a key stands twice in one object"),
        (b'{"a":NaN}', "NaN and Infinity are not JSON"),
        (b'{"a":[Infinity]}', "NaN and Infinity are not JSON"),
        (b'{"a":-Infinity}', "NaN and Infinity are not JSON"),
        (b'{"a":1e400}', "a number is out of range"),
        (b'{"a":-1E+400}', "a number is out of range"),
        (b'{"a":' + b"9" * 400 + b".5}", "a number is out of range"),
        (b'{"a":' + b"9" * 4301 + b"}", "a number has over 4300 digits"),
        (b'{"a":0.' + b"1" * 4300 + b"}", "a number has over 4300 digits"),
        (nested(65), "nested over 64 deep"),
        (nested(65, b'{"b":', b"}").replace(b":}", b":1}"), "nested over 64 deep"),
        (nested(100_000), "nested over 64 deep"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_refused(body: bytes, message: str) -> None:
    with pytest.raises(PayloadRejected) as caught:
        read_object(body)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b' \r\n\t{ "a" : 1 } \n', {"a": 1}),
        (b'{"a":{"b":1},"b":{"a":1}}', {"a": {"b": 1}, "b": {"a": 1}}),
        (b'{"a":118120836164494129544568202238038638592}', {"a": 118120836164494129544568202238038638592}),
        (b'{"a":' + b"9" * 4300 + b"}", {"a": 10**4300 - 1}),
        (b'{"a":-0.' + b"0" * 4299 + b"}", {"a": 0.0}),
        (b'{"a":1e308,"b":1e-400,"c":-0.0}', {"a": 1e308, "b": 0.0, "c": -0.0}),
        (b'{"a":"\\ud800"}', {"a": "\ud800"}),
        (b'{"\\udfff":"\\ud83d\\ude00"}', {"\udfff": "\U0001f600"}),
        (b'{"a":"' + b"{[" * 100 + b'"}', {"a": "{[" * 100}),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_accepted(body: bytes, value: object) -> None:
    assert read_object(body) == value


def test_64_levels_are_accepted_however_many_containers_there_are() -> None:
    assert read_object(nested(64))
    assert read_object(nested(64, b'{"b":', b"}").replace(b":}", b":1}"))
    assert len(read_object(b'{"a":[' + b",".join([b"{}"] * 1000) + b'],"b":[]}')) == 2


def read_or_message(body: bytes) -> object:
    try:
        return read_object(body)
    except PayloadRejected as error:
        return str(error)


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused_in_fixed_words(body: bytes) -> None:
    read = read_or_message(body)
    assert isinstance(read, dict) or read in MESSAGES


@settings(deadline=None)
@given(st.dictionaries(st.text(), VALUES))
def test_what_json_writes_is_read_unchanged(value: dict[str, object]) -> None:
    assert repr(read_object(json.dumps(value).encode())) == repr(value)


@pytest.mark.parametrize(
    ("value", "escaped", "plain"),
    [
        ({"b": 1, "a": [2.0, 2.5]}, b'{"a":[2,2.5],"b":1}', b'{"a":[2,2.5],"b":1}'),
        ({"a": -0.0, "b": 1e-7, "c": 1e21}, b'{"a":0,"b":1e-07,"c":1000000000000000000000}', None),
        ({"10": 1, "2": 2, "1": 3}, b'{"1":3,"10":1,"2":2}', None),
        ({"firstName": 1, "first_name": 2, "ID": 3, "id": 4}, b'{"ID":3,"firstName":1,"first_name":2,"id":4}', None),
        ({"a": "\u00e9"}, b'{"a":"\\u00e9"}', '{"a":"\u00e9"}'.encode()),
        ({"\U0001f600": 1, "\uff21": 2}, b'{"\\uff21":2,"\\ud83d\\ude00":1}', '{"\uff21":2,"\U0001f600":1}'.encode()),
        ({"a": '/\x7f\x1f"'}, b'{"a":"/\\u007f\\u001f\\""}', b'{"a":"/\x7f\\u001f\\""}'),
        ({"a": True, "b": None, "c": {}}, b'{"a":true,"b":null,"c":{}}', None),
        ({"a": [{"d": 95.0, "c": [0.0]}]}, b'{"a":[{"c":[0],"d":95}]}', None),
    ],
)
def test_canonical_form(value: dict[str, object], escaped: bytes, plain: bytes | None) -> None:
    assert canonical(value, ascii=True) == escaped  # type: ignore[arg-type]  # a table of plain objects
    assert canonical(value, ascii=False) == (plain or escaped)  # type: ignore[arg-type]  # likewise


def test_a_lone_surrogate_has_only_the_escaped_form() -> None:
    value = read_object(b'{"a":"\\ud800"}')
    assert canonical(value, ascii=True) == b'{"a":"\\ud800"}'
    with pytest.raises(UnicodeEncodeError):
        canonical(value, ascii=False)


@pytest.mark.parametrize("name", sample_names())
def test_the_canonical_forms_are_the_senders(name: str) -> None:
    payload = sample(name)
    assert canonical(payload, ascii=True) == wire(payload)
    assert canonical(payload, ascii=False) == wire(payload, escaped=False)
    assert canonical(read_object(wire(payload)), ascii=True) == wire(payload)


def test_canonical_leaves_its_argument_as_it_was() -> None:
    value = read_object(b'{"b":91.0,"a":[1.0]}')
    canonical(value, ascii=True)
    assert repr(value) == "{'b': 91.0, 'a': [1.0]}"
