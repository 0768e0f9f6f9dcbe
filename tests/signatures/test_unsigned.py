"""`static` and `none`, and the handshake: what little they prove is proved, and all else is refused."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.errors import PayloadRejected, SignatureRejected
from receiver.signatures.challenge import challenge_by_token, challenge_of
from receiver.signatures.settings import NoneVerify, StaticVerify
from receiver.signatures.table import scheme_of, sign

SECRET, OLD, BODY = "Bearer kR3-9vXq_hT7bWz2LmN8", "Bearer zQ8!pWm4_Ld6sXc1YvTf", b'{"a": 1}'
STATIC = StaticVerify(scheme="static", header="Authorization", secrets=(SECRET, OLD), accept_unsigned=True)
NONE = NoneVerify(scheme="none", accept_unsigned=True)


def test_a_shared_header_is_compared_whole_and_marked() -> None:
    verified = scheme_of(STATIC)([(b"authorization", OLD.encode())], BODY, 0).verified
    assert (verified.method, verified.secret, verified.signed_at) == ("static", 1, None)
    assert "not signed" in verified.notes[0]
    sent = [(name.encode(), value.encode()) for name, value in sign(STATIC, BODY, 0, "m")]
    assert scheme_of(STATIC)(sent, BODY, 0).verified.secret == 0


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], "no-signature"),
        ([(b"authorization", b"")], "mismatch"),
        ([(b"authorization", SECRET.lower().encode())], "mismatch"),
        ([(b"authorization", SECRET.encode() + b" ")], "mismatch"),
        ([(b"authorization", SECRET.encode()), (b"Authorization", SECRET.encode())], "header-repeated"),
        ([(b"authorization", b"x" * 10**6)], "mismatch"),
    ],
)
def test_other_headers_are_refused(headers: list[tuple[bytes, bytes]], reason: str) -> None:
    with pytest.raises(SignatureRejected) as caught:
        scheme_of(STATIC)(headers, BODY, 0)
    assert caught.value.reason == reason


def test_nothing_at_all_is_marked_as_such() -> None:
    verified = scheme_of(NONE)([], BODY, 0).verified
    assert (verified.method, verified.secret, verified.signed_at) == ("none", None, None)
    assert verified.notes == ("not signed: nothing proves who sent it",)


@given(
    st.lists(st.tuples(st.just(b"authorization") | st.binary(), st.binary() | st.just(SECRET.encode()))), st.binary()
)
def test_any_bytes_are_refused_in_one_of_two_ways(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    with suppress(PayloadRejected):  # what is a JSON object is let in: nothing is signed
        scheme_of(NONE)(headers, body, 0)
    with pytest.raises((SignatureRejected, PayloadRejected)):
        scheme_of(STATIC)(headers, body, 0)


def handshake(**fields: object) -> bytes:
    return json.dumps({"challenge": "E5KU", "type": "URL_VERIFICATION", "token": SECRET, **fields}).encode()


def test_a_handshake_that_nobody_signed_is_answered_by_its_token_only() -> None:
    assert challenge_by_token(handshake(), [OLD, SECRET]) == "E5KU"
    for body in (handshake(token="x"), handshake(token=None), handshake(type="x"), handshake(challenge=7), b"{", b"[]"):
        assert challenge_by_token(body, [OLD, SECRET]) is None
    assert challenge_by_token(handshake(), []) is None
    assert challenge_by_token(handshake(token=""), [""]) is None
    assert challenge_by_token(handshake(more="x" * 9000), [SECRET]) is None
    assert challenge_of({"type": "URL_VERIFICATION", "challenge": "x" * 1025}) is None
