"""Whatever a stranger sends, a verifier answers in one of three ways; and what is signed is what gets in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.errors import PayloadRejected, SignatureRejected
from receiver.signatures import didit
from receiver.signatures.scheme import Checked
from tests.support.didit_wire import SECRET, mac, sample, wire

PAYLOAD = sample("v3_duplicate")
NOW: int = PAYLOAD["timestamp"]
BODY = wire(PAYLOAD)
METHODS = ("x-signature", "x-signature-v2", "x-signature-previous", "x-signature-v2-previous")
NAMES = [
    name.encode() for name in (*METHODS, "x-signature-simple", "x-timestamp", "X-Signature", "x-didit-test-webhook")
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.fixed_dictionaries({}, optional={"timestamp": JSON | st.just(NOW), "created_at": JSON, "a": JSON})
BODIES = st.binary() | OBJECTS.map(lambda value: json.dumps(value).encode())


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """A body, and headers of which some may really sign it."""
    body = draw(BODIES)
    values = st.binary(max_size=70) | st.sampled_from([mac(body), mac(b""), str(NOW).encode(), b"0" * 64])
    return draw(st.lists(st.tuples(st.sampled_from(NAMES) | st.binary(max_size=20), values), max_size=6)), body


def answer(headers: list[tuple[bytes, bytes]], body: bytes, secrets: list[str]) -> Checked | None:
    try:
        return didit.verify(headers, body, secrets, NOW, 300)
    except (SignatureRejected, PayloadRejected):
        return None


@settings(deadline=None)
@given(deliveries(), st.lists(st.text() | st.just(SECRET), max_size=3))
def test_any_delivery_is_checked_or_rejected_and_nothing_else(
    delivery: tuple[list[tuple[bytes, bytes]], bytes], secrets: list[str]
) -> None:
    headers, body = delivery
    checked = answer(headers, body, secrets)
    if checked:
        assert checked.verified.method in METHODS
        assert checked.verified.signed_at == checked.payload.get("timestamp", checked.payload.get("created_at"))
        assert checked.verified.secret is not None
        assert secrets[checked.verified.secret]


@settings(deadline=None)
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_no_byte_of_the_body_can_be_changed_under_its_raw_signature(place: int, flip: int) -> None:
    altered = BODY[:place] + bytes([BODY[place] ^ flip]) + BODY[place + 1 :]
    with pytest.raises(SignatureRejected):
        didit.verify([(b"x-signature", mac(BODY))], altered, [SECRET], NOW, 300)


@settings(deadline=None)
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_change_under_v2_gets_in_only_if_it_changes_no_value(place: int, flip: int) -> None:
    altered = BODY[:place] + bytes([BODY[place] ^ flip]) + BODY[place + 1 :]
    checked = answer([(b"x-signature-v2", mac(wire(PAYLOAD, escaped=False)))], altered, [SECRET])
    assert checked is None or checked.payload == PAYLOAD


@settings(deadline=None)
@given(JSON.filter(lambda value: value != NOW))
def test_only_an_integer_in_the_window_is_fresh(timestamp: object) -> None:
    body = json.dumps({"timestamp": timestamp}).encode()
    checked = answer([(b"x-signature", mac(body))], body, [SECRET])
    fresh = isinstance(timestamp, int) and not isinstance(timestamp, bool) and abs(timestamp - NOW) <= 300
    assert (checked is not None) == fresh
