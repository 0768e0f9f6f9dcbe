"""Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature` over `id.timestamp.body`.

Facts (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, version 1.0.0): the signature header
is a list, separated by blanks, of `v1,<base64>` (HMAC-SHA256) and `v1a,<base64>` (Ed25519); any of them may fit. An
HMAC secret is 24 to 64 bytes, written `whsec_` and base64; keys of Ed25519 are written `whpk_` (public) and `whsk_`
(secret). The id is the same on every retry, and holds no `.`, nor does the timestamp. The spec names no other headers
(such as `svix-id`), so none is read.

A secret's prefix binds it to its algorithm: `v1` is only ever tried with HMAC secrets and `v1a` with Ed25519 keys, so
that a public key, which everybody may know, is never taken for a shared secret. Signatures of other versions are passed
over, as the spec has it.

Reasons of SignatureRejected, for the reject log only: those of `headers.py`, and
    no-signature        one of id and signature is missing
    malformed           an id that no sender may use, no v1 or v1a in the list, or too many
    mismatch            none of them fits under any secret
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from receiver.contract import Verified
from receiver.errors import SignatureRejected
from receiver.jsontext import read_object
from receiver.signatures.headers import fresh, from_base64, single, whole_seconds
from receiver.signatures.scheme import Checked, Headers, Scheme, SentHeaders
from receiver.signatures.settings import StandardVerify

_ID, _TIMESTAMP, _SIGNATURE = b"webhook-id", b"webhook-timestamp", b"webhook-signature"
_HEADERS = frozenset((_ID, _TIMESTAMP, _SIGNATURE))
_MAX_ID = 256
_MAX_SIGNATURES = 16  # a rotation needs two or three; each Ed25519 one costs us some 0.1 ms
_MIN_KEY, _MAX_KEY = 24, 64  # bytes of an HMAC secret
_ED25519_KEY = 32  # bytes
_MIN_DIFFERENT = 8  # bytes; a random key of 24 has more
_SIGN_BIT = 0x80  # of a point's last byte
# Every way to write a point of small order, without its sign bit: y is 0, 1 or -1 (0 and 1 also as p and p + 1), or one
# of the two of order 8 (RFC 8032, 5.1). Under such a key signatures verify that nobody with a private key has made.
_SMALL_ORDER = frozenset(
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)


@dataclass(frozen=True, slots=True)
class _Keys:
    """The secrets by algorithm, each with its index in the configuration."""

    shared: tuple[tuple[int, bytes], ...] = field(repr=False)
    public: tuple[tuple[int, Ed25519PublicKey], ...] = field(repr=False)


def key_problem(secret: str) -> str | None:
    """Why `secret` is none of Standard Webhooks', as half a sentence about it; None if it is one."""
    prefix, decoded = _decoded(secret)
    if prefix is None:
        return "it must begin with whsec_ (HMAC), whpk_ or whsk_ (Ed25519), which says what it is"
    if decoded is None:
        return f"what follows {prefix} is not base64"
    if prefix == "whsec_" and not _MIN_KEY <= len(decoded) <= _MAX_KEY:
        return f"it holds {len(decoded)} bytes, and a whsec_ secret has {_MIN_KEY} to {_MAX_KEY}"
    if prefix != "whsec_" and len(decoded) != _ED25519_KEY:
        return f"it holds {len(decoded)} bytes, and an Ed25519 key has {_ED25519_KEY}"
    if len(set(decoded)) < _MIN_DIFFERENT:
        return "it only repeats a few bytes"
    if prefix == "whpk_" and _unsigned(decoded) in _SMALL_ORDER:
        return "it is a point of small order, for which anybody can make signatures"
    return None


def _unsigned(point: bytes) -> bytes:
    return point[:-1] + bytes((point[-1] & ~_SIGN_BIT,))


def scheme(settings: StandardVerify) -> Scheme:
    """The scheme with the secrets and the tolerance of a source. Secrets that are none verify nothing."""
    keys, tolerance = _keys_of(settings.secrets), int(settings.tolerance)

    def verify(headers: Headers, body: bytes, now: int) -> Checked:
        return _verify(headers, body, now, keys, tolerance)

    return verify


def sign(settings: StandardVerify, body: bytes, at: int, message_id: str) -> SentHeaders:
    """The headers that a sender with the first secret would send. Raises ValueError if it is a public key."""
    prefix, decoded = _decoded(settings.secrets[0]) if settings.secrets else (None, None)
    if decoded is None or prefix not in ("whsec_", "whsk_"):
        raise ValueError("the first secret cannot sign: it takes a whsec_ secret, or a whsk_ key")
    message = b".".join((message_id.encode(), str(at).encode(), body))
    if prefix == "whsec_":
        version, signature = "v1", hmac.digest(decoded, message, "sha256")
    else:
        version, signature = "v1a", Ed25519PrivateKey.from_private_bytes(decoded).sign(message)
    return [
        ("Content-Type", "application/json"),
        ("webhook-id", message_id),
        ("webhook-timestamp", str(at)),
        ("webhook-signature", f"{version},{b64encode(signature).decode()}"),
    ]


def _verify(headers: Headers, body: bytes, now: int, keys: _Keys, tolerance: int) -> Checked:
    given = single(headers, _HEADERS)
    message_id, listed = given.get(_ID), given.get(_SIGNATURE)
    if not message_id or not listed:
        raise SignatureRejected("no-signature")
    if len(message_id) > _MAX_ID or not all(0x21 <= byte <= 0x7E and byte != ord(".") for byte in message_id):
        raise SignatureRejected("malformed")
    message = b".".join((message_id, given.get(_TIMESTAMP, b""), body))
    found = _signer_of(_candidates(listed), message, keys)
    if found is None:
        raise SignatureRejected("mismatch")
    signed_at = fresh(whole_seconds(given.get(_TIMESTAMP)), now, tolerance)
    version, index = found
    verified = Verified(f"standard-webhooks-{version}", index, signed_at)
    return Checked(verified, read_object(body), message_id.decode("ascii"))


def _candidates(listed: bytes) -> list[tuple[str, bytes]]:
    """The signatures of versions that are known. Raises SignatureRejected if there is none, or too many."""
    found = []
    for item in listed.split(b" "):
        version, _, text = item.partition(b",")
        decoded = from_base64(text) if version in (b"v1", b"v1a") else None
        if decoded:
            found.append((version.decode("ascii"), decoded))
    if not 0 < len(found) <= _MAX_SIGNATURES:
        raise SignatureRejected("malformed")
    return found


def _signer_of(candidates: Sequence[tuple[str, bytes]], message: bytes, keys: _Keys) -> tuple[str, int] | None:
    """Which version verifies, and under which secret."""
    shared = [signature for version, signature in candidates if version == "v1"]
    for index, secret in keys.shared if shared else ():
        expected = hmac.digest(secret, message, "sha256")
        if any(hmac.compare_digest(expected, signature) for signature in shared):
            return "v1", index
    for index, public in keys.public:
        if any(version == "v1a" and _is_signed(public, signature, message) for version, signature in candidates):
            return "v1a", index
    return None


def _is_signed(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _keys_of(secrets: Sequence[str]) -> _Keys:
    shared, public = [], []
    for index, secret in enumerate(secrets):
        prefix, decoded = _decoded(secret)
        if decoded is None or key_problem(secret):
            continue
        if prefix == "whsec_":
            shared.append((index, decoded))
        else:
            public.append((index, Ed25519PublicKey.from_public_bytes(_public_half(prefix, decoded))))
    return _Keys(tuple(shared), tuple(public))


def _public_half(prefix: str | None, key: bytes) -> bytes:
    if prefix == "whpk_":
        return key
    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _decoded(secret: str) -> tuple[str | None, bytes | None]:
    for prefix in ("whsec_", "whpk_", "whsk_"):
        if secret.startswith(prefix):
            return prefix, from_base64(secret.removeprefix(prefix).encode("utf-8", "replace"))
    return None, None
