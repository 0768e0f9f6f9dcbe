"""ES256 over the body's hash, with keys made here; and how unknown keys are asked for without being an amplifier."""

from __future__ import annotations

import asyncio
import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from receiver.contract import JsonObject
from receiver.errors import PayloadRejected, SignatureRejected, StoreUnavailable, VendorUnavailable
from receiver.keyring import ASKED_PER_MINUTE, REFRESHED_AFTER, RETRIED_AFTER, UNKNOWN_FOR, KeyRing
from receiver.signatures.jwt_es256 import KeyBook, kid_of, read_jwk, scheme
from receiver.signatures.scheme import Checked
from receiver.signatures.settings import FetchSettings, JwtVerify

PRIVATE = ec.derive_private_key(0x1F2E3D4C5B6A79881726354453627180, ec.SECP256R1())
BODY, AT, KID = b'{"webhook_type": "IDENTITY_VERIFICATION"}', 1_790_000_000, "bfbd5111-8e33-4643-8ced-b2e642a72f3c"
VERIFY = JwtVerify(scheme="jwt-es256", fetch=FetchSettings(client_id="c", secret="s"))
CLAIMS = {"iat": AT, "request_body_sha256": hashlib.sha256(BODY).hexdigest()}
HEAD = {"alg": "ES256", "kid": KID, "typ": "JWT"}


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(**fields: Any) -> JsonObject:
    numbers = PRIVATE.public_key().public_numbers()
    x, y = (b64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KID, "x": x, "y": y, **fields}


def token(head: object = None, claims: object = None, key: ec.EllipticCurvePrivateKey = PRIVATE) -> str:
    signed = ".".join(b64(json.dumps(part).encode()) for part in (head or HEAD, claims or CLAIMS))
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


GOOD = token()


def check(text: str = GOOD, body: bytes = BODY, now: int = AT, **fields: Any) -> Checked:
    return scheme(VERIFY, KeyBook({KID: read_jwk(jwk(**fields))}))([(b"Plaid-Verification", text.encode())], body, now)


def refused(*given: Any, **fields: Any) -> str:
    with pytest.raises(SignatureRejected) as caught:
        check(*given, **fields)
    return caught.value.reason


def test_a_delivery_as_plaid_describes_it() -> None:
    verified = check().verified
    assert (verified.method, verified.secret, verified.signed_at) == ("jwt-es256", None, AT)
    assert verified.notes == (f"key {KID}",)


def test_any_other_algorithm_is_refused_before_a_key_is_looked_at() -> None:
    for algorithm in ("none", "HS256", "es256", "ES384", None):
        assert refused(token({**HEAD, "alg": algorithm})) == "algorithm"


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ({"alg": "ES256"}, "malformed"),
        ({**HEAD, "kid": 7}, "malformed"),
        ({**HEAD, "kid": "../../etc"}, "malformed"),
        ({**HEAD, "kid": "another"}, "key-unknown"),
        ({**HEAD, "crit": ["x"]}, "malformed"),
        ({**HEAD, "jwk": jwk()}, "malformed"),
        ([HEAD], "malformed"),
    ],
)
def test_headers_that_are_refused(head: object, reason: str) -> None:
    assert refused(token(head)) == reason


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({**CLAIMS, "iat": AT - 301}, "timestamp-old"),
        ({**CLAIMS, "iat": AT + 301}, "timestamp-ahead"),
        ({**CLAIMS, "iat": str(AT)}, "timestamp-malformed"),
        ({**CLAIMS, "iat": True}, "timestamp-malformed"),
        ({**CLAIMS, "iat": AT + 0.5}, "timestamp-malformed"),
        ({"request_body_sha256": CLAIMS["request_body_sha256"]}, "timestamp-missing"),
        ({**CLAIMS, "request_body_sha256": "0" * 64}, "mismatch"),
        ({**CLAIMS, "request_body_sha256": "é" * 64}, "malformed"),
        ({"iat": AT}, "malformed"),
    ],
)
def test_claims_that_are_refused(claims: object, reason: str) -> None:
    assert refused(token(claims=claims)) == reason


def test_wrong_key_body_and_form() -> None:
    assert refused(token(key=ec.generate_private_key(ec.SECP256R1()))) == "mismatch"
    assert refused(GOOD, BODY + b" ") == "mismatch"
    der = PRIVATE.sign(GOOD.rpartition(".")[0].encode(), ec.ECDSA(SHA256()))
    assert refused(f"{GOOD.rpartition('.')[0]}.{b64(der)}") == "malformed"
    assert refused(f"{GOOD.rpartition('.')[0]}.{b64(bytes(64))}") == "mismatch"
    for broken in ("", "a.b", GOOD + ".x", GOOD + "=", GOOD[:-3], "x" * 5000, GOOD.replace(".", "..")):
        assert refused(broken) in ("malformed", "no-signature", "mismatch")


def test_a_key_that_expired_is_not_used() -> None:
    assert check(expired_at=AT + 1).verified.signed_at == AT
    assert refused(expired_at=AT) == "key-unknown"


@pytest.mark.parametrize(
    "fields",
    [
        {"crv": "P-384"},
        {"kty": "RSA"},
        {"alg": "none"},
        {"use": "enc"},
        {"x": "AA"},
        {"x": 5},
        {"y": "é"},
        {"y": b64(bytes(32))},
        {"expired_at": "soon"},
    ],
)
def test_jwks_that_are_no_key(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^its? "):
        read_jwk(jwk(**fields))


@settings(deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 6))
def test_no_bit_can_be_flipped(place: int, bit: int) -> None:
    altered = bytearray(GOOD.encode())
    altered[place] ^= 1 << bit
    with pytest.raises(SignatureRejected):
        scheme(VERIFY, KeyBook({KID: read_jwk(jwk())}))([(b"plaid-verification", bytes(altered))], BODY, AT)


@settings(deadline=None)
@given(st.binary() | st.text(alphabet="eyJ.AZaz09_-").map(str.encode), st.binary())
def test_any_bytes_are_refused(value: bytes, body: bytes) -> None:
    given_headers = [(b"plaid-verification", value)]
    assert kid_of(VERIFY, given_headers) is None
    with pytest.raises((SignatureRejected, PayloadRejected)):
        scheme(VERIFY, KeyBook({}))(given_headers, body, AT)


class Vendor:
    """Answers for keys, and counts. Its clock stands until it is moved."""

    def __init__(self, **known: JsonObject) -> None:
        self.known, self.asked, self.now, self.down = known, list[str](), 1000.0, False
        self.hangs, self.answer = False, asyncio.Event()
        self.bug: Exception | None = None
        self.book = KeyBook()
        self.ring = KeyRing(self.book, self.fetch, lambda: self.now)

    async def fetch(self, kid: str) -> JsonObject | None:
        self.asked.append(kid)
        await (self.answer.wait() if self.hangs else asyncio.sleep(0))
        if self.bug is not None:
            raise self.bug
        if self.down:
            raise VendorUnavailable("down")
        return self.known.get(kid)


async def test_a_key_is_asked_for_once_by_many_at_a_time() -> None:
    vendor = Vendor(k1=jwk())
    await asyncio.gather(*(vendor.ring.prepare("k1") for _ in range(50)))
    assert vendor.asked == ["k1"]
    assert "k1" in vendor.book.keys


async def test_unknown_keys_are_no_amplifier() -> None:
    vendor = Vendor(k1=jwk())
    await vendor.ring.prepare("k1")
    for _ in range(20):
        await vendor.ring.prepare("made-up")
    assert vendor.asked == ["k1", "made-up"]
    answers = await asyncio.gather(*(vendor.ring.prepare(f"u{n}") for n in range(500)), return_exceptions=True)
    assert len(vendor.asked) == ASKED_PER_MINUTE
    assert sum(isinstance(answer, StoreUnavailable) for answer in answers) == 500 - (ASKED_PER_MINUTE - 2)
    await vendor.ring.prepare("k1")  # one that is known is not kept from it
    vendor.now += UNKNOWN_FOR + 1
    await vendor.ring.prepare("made-up")
    assert vendor.asked[-1] == "made-up"


async def settle() -> None:
    """Let what was begun in the background end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=10)


async def test_a_known_key_is_read_again_and_may_be_gone() -> None:
    vendor = Vendor(k1=jwk())
    await vendor.ring.prepare("k1")
    vendor.now += REFRESHED_AFTER
    vendor.known["k1"] = jwk(expired_at=AT)
    await vendor.ring.prepare("k1")
    await settle()
    assert vendor.book.find("k1", AT) is None
    vendor.now += REFRESHED_AFTER
    del vendor.known["k1"]
    await vendor.ring.prepare("k1")
    await settle()
    assert vendor.book.keys == {}
    await vendor.ring.prepare("k1")
    assert len(vendor.asked) == 3  # a no is believed for a while


async def test_a_delivery_under_a_known_key_never_waits_for_the_vendor() -> None:
    """It is asked in the background, one question at a time, and after no answer not again at once."""
    vendor = Vendor(k1=jwk())
    await vendor.ring.prepare("k1")
    vendor.now += REFRESHED_AFTER
    vendor.down = vendor.hangs = True
    async with asyncio.timeout(5):
        for _ in range(20):
            await vendor.ring.prepare("k1")
            await asyncio.sleep(0)
    assert vendor.asked == ["k1"] * 2
    vendor.answer.set()
    await settle()
    for _ in range(20):
        await vendor.ring.prepare("k1")
        await settle()
    assert vendor.asked == ["k1"] * 2
    assert vendor.book.keys["k1"].expired_at is None  # no answer: what is known stays
    vendor.now += RETRIED_AFTER
    vendor.down = False
    await vendor.ring.prepare("k1")
    await settle()
    await vendor.ring.prepare("k1")
    await settle()
    assert vendor.asked == ["k1"] * 3


async def test_names_that_strangers_make_up_do_not_keep_known_keys_from_being_read_again() -> None:
    vendor = Vendor(k1=jwk())
    await vendor.ring.prepare("k1")
    vendor.now += REFRESHED_AFTER
    await asyncio.gather(*(vendor.ring.prepare(f"u{n}") for n in range(50)), return_exceptions=True)
    await vendor.ring.prepare("k1")
    await settle()
    assert vendor.asked[-1] == "k1"


async def test_a_bug_in_the_background_is_told_and_what_is_known_stays() -> None:
    vendor = Vendor(k1=jwk())
    await vendor.ring.prepare("k1")
    vendor.now += REFRESHED_AFTER
    vendor.bug = RuntimeError("a bug")
    with capture_logs() as logs:
        await vendor.ring.prepare("k1")
        await settle()
    assert [line["why"] for line in logs] == ["RuntimeError"]
    assert "k1" in vendor.book.keys


async def test_no_answer_and_no_key_are_trouble_of_ours() -> None:
    vendor = Vendor(k2=jwk(x="AA"))
    with pytest.raises(StoreUnavailable):
        await vendor.ring.prepare("k2")
    vendor.down = True
    with pytest.raises(StoreUnavailable):
        await vendor.ring.prepare("k1")
