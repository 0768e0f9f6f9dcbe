"""Standard Webhooks: the public vectors, rotation, keys bound to algorithms, and nothing but the two refusals."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.errors import PayloadRejected, SignatureRejected
from receiver.signatures.scheme import Checked
from receiver.signatures.settings import StandardVerify
from receiver.signatures.standard_webhooks import key_problem, scheme, sign

# Public vectors of github.com/standard-webhooks/standard-webhooks. v1: libraries/javascript/src/webhook.test.ts;
# v1a: the test of the asymmetric webhook in libraries/go
SHARED = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PRIVATE = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
MESSAGE_ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
V1A = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
SEED = base64.b64decode(PRIVATE.removeprefix("whsk_"))
PUBLIC_BYTES = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
PUBLIC = "whpk_" + base64.b64encode(PUBLIC_BYTES).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def headers(signature: str = V1, at: str = str(AT), message_id: str = MESSAGE_ID) -> list[tuple[bytes, bytes]]:
    named = (("webhook-id", message_id), ("Webhook-Timestamp", at), ("WEBHOOK-SIGNATURE", signature))
    return [(name.encode(), value.encode()) for name, value in named]


def check(
    given: list[tuple[bytes, bytes]], body: bytes = BODY, secrets: tuple[str, ...] = (SHARED,), now: int = AT
) -> Checked:
    return scheme(StandardVerify(scheme="standard-webhooks", secrets=secrets))(given, body, now)


def refused(given: list[tuple[bytes, bytes]], body: bytes = BODY, *secrets: str, now: int = AT) -> str:
    with pytest.raises(SignatureRejected) as caught:
        check(given, body, secrets or (SHARED,), now)
    return caught.value.reason


def mac(message_id: str, at: str, body: bytes, secret: str = SHARED) -> str:
    """Computed here, apart from what is tested."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def test_the_public_vectors_verify_and_are_what_we_sign() -> None:
    checked = check(headers())
    assert (checked.verified.method, checked.verified.secret) == ("standard-webhooks-v1", 0)
    assert (checked.verified.signed_at, checked.delivery_id) == (AT, MESSAGE_ID)
    assert check(headers(V1A), secrets=(PUBLIC,)).verified.method == "standard-webhooks-v1a"
    assert check(headers(V1A), secrets=(PRIVATE,)).verified.method == "standard-webhooks-v1a"
    for secret, signature in ((SHARED, V1), (PRIVATE, V1A)):
        verify = StandardVerify(scheme="standard-webhooks", secrets=(secret,))
        assert dict(sign(verify, BODY, AT, MESSAGE_ID))["webhook-signature"] == signature


def test_any_signature_under_any_secret_is_enough() -> None:
    listed = f"v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,abc {V1A} {V1}"
    assert check(headers(listed), secrets=(OTHER, SHARED)).verified.secret == 1
    assert check(headers(listed), secrets=(OTHER, PUBLIC)).verified.secret == 1


def test_a_key_serves_its_own_algorithm_only() -> None:
    """Everybody may know a public key: taken for a shared secret, it would let everybody sign."""
    message = f"{MESSAGE_ID}.{AT}.".encode() + BODY
    as_shared = "v1," + base64.b64encode(hmac.new(PUBLIC_BYTES, message, hashlib.sha256).digest()).decode()
    assert refused(headers(as_shared), BODY, PUBLIC) == "mismatch"
    assert refused(headers(as_shared.replace("v1,", "v1a,")), BODY, PUBLIC) == "mismatch"
    assert refused(headers(V1.replace("v1,", "v1a,"))) == "mismatch"
    assert refused(headers(V1A.replace("v1a,", "v1,")), BODY, PUBLIC) == "mismatch"
    assert refused(headers(V1), BODY, PUBLIC) == "mismatch"
    assert refused(headers(V1A)) == "mismatch"


@pytest.mark.parametrize("offset", [-300, 0, 300])
def test_inside_the_window(offset: int) -> None:
    assert check(headers(), now=AT + offset).verified.signed_at == AT


@pytest.mark.parametrize(("now", "reason"), [(AT + 301, "timestamp-old"), (AT - 301, "timestamp-ahead")])
def test_outside_the_window_on_either_side(now: int, reason: str) -> None:
    assert refused(headers(), now=now) == reason


@pytest.mark.parametrize(
    "at", ["+1614265330", " 1614265330", "01614265330", "1614265330.0", "1.6e9", "-5", "", "١٦١٤٢٦٥٣٣٠", "1614265330\t"]
)
def test_a_signed_time_that_is_no_plain_integer_is_refused(at: str) -> None:
    assert refused(headers(mac(MESSAGE_ID, at, BODY), at)) == "timestamp-malformed"


def test_who_cannot_sign_learns_nothing_of_the_window() -> None:
    assert refused(headers(mac(MESSAGE_ID, "5", BODY, OTHER), "5")) == "mismatch"


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "ü", "x" * 257])
def test_ids_that_no_sender_may_use(message_id: str) -> None:
    assert refused(headers(mac(message_id, str(AT), BODY), message_id=message_id)) in ("malformed", "no-signature")


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ("", "no-signature"),
        ("v1,", "malformed"),
        (V1.removeprefix("v1,"), "malformed"),
        (V1[:-4], "mismatch"),
        (V1[:-1], "malformed"),
        (" ".join([V1] * 17), "malformed"),
        (V1.replace("v1", "V1"), "malformed"),
        ("v1," + "A" * 100_000, "mismatch"),
    ],
)
def test_lists_that_hold_no_signature(listed: str, reason: str) -> None:
    assert refused(headers(listed)) == reason


@pytest.mark.parametrize("place", range(3))
def test_a_header_that_stands_twice(place: int) -> None:
    assert refused([*headers(), headers()[place]]) == "header-repeated"


@pytest.mark.parametrize("place", range(3))
def test_a_header_that_is_missing(place: int) -> None:
    assert refused([header for index, header in enumerate(headers()) if index != place]) in ("no-signature", "mismatch")


def test_svix_headers_are_not_read() -> None:
    assert refused([(name.replace(b"webhook", b"svix"), value) for name, value in headers()]) == "no-signature"


def test_signed_but_no_object() -> None:
    with pytest.raises(PayloadRejected):
        check(headers(mac(MESSAGE_ID, str(AT), b"[1]")), b"[1]")


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (SHARED.removeprefix("whsec_"), "must begin with whsec_"),
        ("whsec_not base64!", "is not base64"),
        ("whsec_" + base64.b64encode(bytes(range(23))).decode(), "holds 23 bytes"),
        ("whsec_" + base64.b64encode(bytes(range(65))).decode(), "holds 65 bytes"),
        ("whpk_" + base64.b64encode(bytes(range(31))).decode(), "holds 31 bytes"),
        ("whpk_" + base64.b64encode(bytes(32)).decode(), "only repeats"),
    ],
)
def test_secrets_that_are_none(secret: str, said: str) -> None:
    assert said in str(key_problem(secret))
    assert refused(headers(), BODY, secret) == "mismatch"


P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def root(square: int) -> int | None:
    """A square root modulo p (RFC 8032, 5.1.1), if there is one."""
    found = pow(square, (P + 3) // 8, P)
    found = found if found * found % P == square % P else found * pow(2, (P - 1) // 4, P) % P
    return found if found * found % P == square % P else None


def point(encoded: bytes) -> tuple[int, int] | None:
    """The point that 32 bytes stand for (RFC 8032, 5.1.3), y taken modulo p; None where there is none."""
    y = (int.from_bytes(encoded, "little") & (2**255 - 1)) % P
    x = root((y * y - 1) * pow(D * y * y + 1, -1, P))
    return None if x is None else (x, y)


def added(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    (a, b), (c, d) = left, right
    both = D * a * b * c * d
    return (a * d + b * c) * pow(1 + both, -1, P) % P, (b * d + a * c) * pow(1 - both, -1, P) % P


def of_small_order(encoded: bytes) -> bool:
    """Whether eight times the point is the neutral element, computed here, apart from any table."""
    found = point(encoded)
    for _ in range(3):
        found = added(found, found) if found else None
    return found == (0, 1)


def small_order_points() -> list[bytes]:
    """All of them, each as often as it can be written. Twice a point of order 8 has y = 0, so x^2 = -y^2 there, and the
    curve's equation becomes D y^4 + 2 y^2 - 1 = 0.
    """
    candidates = {0, 1, P - 1}
    half = root(1 + D)
    assert half is not None
    for square in ((half - 1) * pow(D, -1, P), (-half - 1) * pow(D, -1, P)):
        y = root(square)
        candidates |= set() if y is None else {y, P - y}
    written = [y for each in candidates for y in (each, each + P) if y < 2**255]
    both = [(y | bit << 255).to_bytes(32, "little") for y in written for bit in (0, 1)]
    return [encoded for encoded in both if of_small_order(encoded)]


def test_a_public_key_that_anybody_can_sign_for_is_none() -> None:
    points = small_order_points()
    assert len(points) == 14  # seven values of y, each with either sign
    assert bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05") in points
    for encoded in points:
        secret = "whpk_" + base64.b64encode(encoded).decode()
        assert key_problem(secret) is not None
        assert refused(headers(V1A), BODY, secret) == "mismatch"
    with_many_bytes = [encoded for encoded in points if len(set(encoded)) > 8]
    assert len(with_many_bytes) == 4
    for encoded in with_many_bytes:
        assert "small order" in str(key_problem("whpk_" + base64.b64encode(encoded).decode()))
    assert not of_small_order(PUBLIC_BYTES)


@pytest.mark.parametrize("secret", [SHARED, PUBLIC, PRIVATE, OTHER])
def test_secrets_that_are_some(secret: str) -> None:
    assert key_problem(secret) is None


SIGNED = [(headers(), (SHARED,)), (headers(V1A), (PUBLIC,))]


@settings(deadline=None)
@given(st.sampled_from(SIGNED), st.integers(0, 3), st.integers(0), st.integers(0, 7))
def test_no_bit_can_be_flipped(
    signed: tuple[list[tuple[bytes, bytes]], tuple[str, ...]], part: int, at: int, bit: int
) -> None:
    given, secrets = signed
    parts = [*(value for _, value in given), BODY]
    altered = bytearray(parts[part])
    altered[at % len(altered)] ^= 1 << bit
    parts[part] = bytes(altered)
    with pytest.raises(SignatureRejected):
        check([(name, value) for (name, _), value in zip(given, parts[:3], strict=True)], parts[3], secrets)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"webhook-id", b"webhook-timestamp", b"webhook-signature", b"Webhook-Id", b"x"]),
            st.binary(max_size=80) | st.sampled_from([V1.encode(), V1A.encode(), str(AT).encode()]),
        ),
        max_size=5,
    ),
    st.binary() | st.just(BODY),
    st.lists(st.text() | st.sampled_from([SHARED, PUBLIC]), max_size=3),
)
def test_any_bytes_are_refused_in_one_of_two_ways(
    given: list[tuple[bytes, bytes]], body: bytes, secrets: list[str]
) -> None:
    with pytest.raises((SignatureRejected, PayloadRejected)):
        check(given, body, tuple(secrets))
