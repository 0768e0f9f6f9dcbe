"""An HMAC in a header, in the vendors' spellings: each signed here by hand, apart from what is tested."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from receiver.errors import PayloadRejected, SignatureRejected
from receiver.signatures.presets import NOT_OFFERED, PRESETS
from receiver.signatures.scheme import Checked
from receiver.signatures.settings import HmacVerify, UnknownVerify, VerifySettings
from receiver.signatures.table import scheme_of, sign

SECRET, OLD = "kR3-9vXq_hT7bWz2LmN8", "zQ8!pWm4_Ld6sXc1YvTf"
BODY, AT = b'{"id": "e-1", "t": "\xc3\xa9"}', 1_790_000_000
ADAPTER: TypeAdapter[Any] = TypeAdapter(VerifySettings)
Given = list[tuple[bytes, bytes]]


def digest(message: bytes, secret: str = SECRET, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), message, algorithm).digest()


def made(**keys: Any) -> HmacVerify:
    found = ADAPTER.validate_python({"secrets": [SECRET, OLD], **keys})
    assert isinstance(found, HmacVerify)
    return found


def check(verify: HmacVerify, given: Given, body: bytes = BODY, now: int = AT) -> Checked:
    return scheme_of(verify)(given, body, now)


def refused(verify: HmacVerify, given: Given, body: bytes = BODY, now: int = AT) -> str:
    with pytest.raises(SignatureRejected) as caught:
        check(verify, given, body, now)
    return caught.value.reason


def timed(at: int | str = AT, secret: str = SECRET, body: bytes = BODY) -> str:
    """A set as Stripe and Persona write it."""
    return f"t={at},v1={digest(str(at).encode() + b'.' + body, secret).hex()}"


@pytest.mark.parametrize(
    ("preset", "header"),
    [
        ("onfido", b"X-SHA2-Signature"),
        ("veriff", b"x-hmac-signature"),
        ("sumsub", b"x-payload-digest"),
        ("idenfy", b"Idenfy-Signature"),
        ("trulioo", b"x-trulioo-signature"),
    ],
)
def test_vendors_that_sign_the_body(preset: str, header: bytes) -> None:
    verify = made(preset=preset)
    checked = check(verify, [(b"host", b"h"), (header, digest(BODY, OLD).hex().encode())])
    assert (checked.verified.method, checked.verified.secret, checked.verified.signed_at) == ("hmac-sha256", 1, None)
    assert "signs no time" in checked.verified.notes[0]
    assert check(verify, [(header, digest(BODY).hex().upper().encode())], now=AT + 10**8).verified.secret == 0
    assert refused(verify, [(header, digest(BODY).hex().encode())], BODY + b" ") == "mismatch"
    assert refused(verify, []) == "no-signature"


def test_stripe_signs_time_and_body_and_may_sign_twice() -> None:
    verify = made(preset="stripe")
    signature = digest(f"{AT}.".encode() + BODY).hex()
    header = f"t={AT},v1={'0' * 64},v0={signature},v1={signature}"
    assert check(verify, [(b"stripe-signature", header.encode())]).verified.signed_at == AT
    assert refused(verify, [(b"stripe-signature", f"t={AT},v0={signature}".encode())]) == "malformed"


def test_stripe_s_secret_is_text_prefix_and_all() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    verify = made(preset="stripe", secrets=[secret])
    assert check(verify, [(b"stripe-signature", timed(secret=secret).encode())]).verified.secret == 0
    decoded = hmac.new(base64.b64decode(secret[6:]), f"{AT}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert refused(verify, [(b"stripe-signature", f"t={AT},v1={decoded}".encode())]) == "mismatch"


def test_persona_sends_two_sets_while_a_secret_is_rotated() -> None:
    verify = made(preset="persona", secrets=[OLD])
    header = f"{timed()} {timed(AT + 2, OLD)}"
    assert check(verify, [(b"persona-signature", header.encode())]).verified.signed_at == AT + 2
    assert refused(verify, [(b"persona-signature", " ".join([timed()] * 5).encode())]) == "malformed"


@pytest.mark.parametrize("preset", ["stripe", "persona"])
@pytest.mark.parametrize(("offset", "reason"), [(301, "timestamp-old"), (-301, "timestamp-ahead")])
def test_the_window_has_two_sides(preset: str, offset: int, reason: str) -> None:
    name = f"{preset}-signature".encode()
    assert refused(made(preset=preset), [(name, timed().encode())], now=AT + offset) == reason
    assert check(made(preset=preset, tolerance="10m"), [(name, timed().encode())], now=AT + offset).verified.secret == 0


@pytest.mark.parametrize("at", ["+1790000000", "01790000000", "1790000000.0", "", "-1", "١٧٩٠٠٠٠٠٠٠"])
def test_a_signed_time_that_is_no_plain_integer(at: str) -> None:
    assert refused(made(preset="stripe"), [(b"stripe-signature", timed(at).encode())]) == "timestamp-malformed"


def test_a_time_may_not_stand_twice_nor_be_missing() -> None:
    name, signature = b"stripe-signature", digest(b"." + BODY).hex()
    assert refused(made(preset="stripe"), [(name, f"t={AT},{timed()}".encode())]) == "header-repeated"
    assert refused(made(preset="stripe"), [(name, f"v1={signature}".encode())]) == "timestamp-missing"


def test_sumsub_names_its_hash_from_the_list_only() -> None:
    verify = made(preset="sumsub")
    long = digest(BODY, algorithm="sha512").hex().encode()
    named = [(b"x-payload-digest", long), (b"x-payload-digest-alg", b"HMAC_SHA512_HEX")]
    assert check(verify, named).verified.method == "hmac-sha512"
    sha1 = hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest().encode()
    assert refused(verify, [(b"x-payload-digest", sha1), (b"x-payload-digest-alg", b"HMAC_SHA1_HEX")]) == "algorithm"
    assert refused(verify, [(b"x-payload-digest", long)]) == "malformed"
    assert refused(verify, [*named, named[1]]) == "header-repeated"


def test_prefix_base64_and_a_time_in_a_header_of_its_own() -> None:
    verify = made(
        scheme="hmac", header="X-Sig", prefix="sha512=", hash="sha512", encoding="base64",
        message="v0:{timestamp}:{body}", timestamp="X-Time",
    )  # fmt: skip
    signature = base64.b64encode(digest(f"v0:{AT}:".encode() + BODY, algorithm="sha512"))
    given = [(b"x-sig", b"sha512=" + signature), (b"X-TIME", str(AT).encode())]
    assert check(verify, given).verified.signed_at == AT
    assert refused(verify, [(b"x-sig", signature), given[1]]) == "malformed"
    assert refused(verify, [given[0], (b"x-time", str(AT + 1).encode())]) == "mismatch"
    assert refused(verify, given[:1]) == "mismatch"
    assert refused(verify, [*given, given[0]]) == refused(verify, [*given, given[1]]) == "header-repeated"


def test_what_we_sign_is_what_verifies() -> None:
    for preset, keys in PRESETS.items():
        if keys["scheme"] == "hmac":
            verify = made(preset=preset)
            given = [(name.encode(), value.encode()) for name, value in sign(verify, BODY, AT, "msg_1")]
            assert check(verify, given).verified.secret == 0, preset


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"hash": "sha1"}, "sha256"),
        ({"message": "{timestamp}.{body}"}, "does not say where it stands"),
        ({"timestamp": "X-Time"}, "proves nothing"),
        ({"tolerance": 5}, "no time that is signed"),
        ({"message": "{id}.{body}"}, "no braces"),
        ({"message": "{timestamp}"}, "{body} once"),
        ({"composite": {}, "prefix": "a="}, "one of them"),
        ({"header": "a b"}, "pattern"),
        ({"heador": "x"}, "Extra"),
    ],
)
def test_contradictions_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("{", r"\{")):
        made(**{"scheme": "hmac", "header": "X-Sig", **keys})


def test_vendors_without_a_clean_scheme_have_no_preset() -> None:
    assert set(NOT_OFFERED).isdisjoint(PRESETS)
    assert isinstance(ADAPTER.validate_python({"preset": "shufti", "secrets": [SECRET]}), UnknownVerify)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_scheme_with_right_keys(preset: str) -> None:
    keys: dict[str, Any] = {"preset": preset}
    if preset == "plaid":
        keys["fetch"] = {"client_id": "c", "secret": "s"}
    elif PRESETS[preset]["scheme"] != "none":
        keys["secrets"] = [SECRET]
    found = ADAPTER.validate_python(keys)
    assert isinstance(found, BaseModel)
    assert not isinstance(found, UnknownVerify)


STRIPE, ONFIDO = made(preset="stripe"), made(preset="onfido")


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 7), st.booleans())
def test_no_bit_of_header_or_body_can_be_flipped(at: int, bit: int, of_body: bool) -> None:
    header, body = bytearray(timed().encode()), bytearray(BODY)
    part = body if of_body else header
    part[at % len(part)] ^= 1 << bit
    same_hex = not of_body and bytes(header).lower() == timed().encode()
    if not same_hex:
        with pytest.raises(SignatureRejected):
            check(STRIPE, [(b"stripe-signature", bytes(header))], bytes(body))


NAMES = st.sampled_from([b"stripe-signature", b"X-SHA2-Signature", b"x-payload-digest", b"x-payload-digest-alg"])


@settings(deadline=None)
@given(
    st.sampled_from([STRIPE, ONFIDO, made(preset="sumsub")]),
    st.lists(st.tuples(NAMES, st.binary(max_size=90) | st.just(b"t=,v1=")), max_size=4),
    st.binary(),
)
def test_any_bytes_are_refused_in_one_of_two_ways(verify: HmacVerify, given: Given, body: bytes) -> None:
    with pytest.raises((SignatureRejected, PayloadRejected)):
        check(verify, given, body)


def test_a_huge_header_is_refused() -> None:
    huge = b",".join([b"t=1", *[b"v1=" + b"0" * 64] * 10_000])
    assert refused(STRIPE, [(b"stripe-signature", huge)]) == "malformed"
    assert refused(ONFIDO, [(b"x-sha2-signature", b"0" * 10**6)]) == "malformed"


@pytest.mark.parametrize(
    "more",
    [
        {"header": "X-S", "timestamp": "x-s", "message": "{timestamp}.{body}"},
        {"header": "X-S", "algorithm": {"header": "X-s", "accept": {"a": "sha256"}}},
        {"header": "X-S", "message": "{timestamp}.{body}", "composite": {"signature": "v1", "timestamp": "v1"}},
    ],
)
def test_one_place_for_two_things_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="names one"):
        HmacVerify(scheme="hmac", secrets=("x" * 20,), **more)
