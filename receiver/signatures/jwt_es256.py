"""A JWT in a header that holds the hash of the body, signed by ES256: Plaid's way.

Facts (plaid.com/docs/api/webhooks/webhook-verification): the header is a compact JWT; its `alg` must be ES256, its
`kid` names the key (a JWK on P-256); the claims are `iat` (Unix seconds) and `request_body_sha256` (hex, of the raw
body). A key whose `expired_at` has passed is not used any more. Five minutes is what its users take for `iat`.

The algorithm is never the sender's choice: anything but ES256 is refused before a key is looked at, and so is a header
that names extensions (`crit`) or brings a key along. Fetching is not done here: `KeyBook` holds what is known, and
`kid_of` tells whoever fetches which key a delivery asks for.

Reasons of SignatureRejected, for the reject log only: those of `headers.py`, and
    no-signature        the header is missing
    malformed           it holds no JWT of the kind described
    algorithm           the JWT names another algorithm than ES256
    key-unknown         its key is not known, or has expired
    mismatch            the JWT's signature does not fit, or the body's hash is another
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from receiver.contract import JsonObject, JsonValue, Verified
from receiver.errors import PayloadRejected, SignatureRejected
from receiver.jsontext import read_object
from receiver.signatures.headers import fresh, single
from receiver.signatures.scheme import Checked, Headers, Scheme
from receiver.signatures.settings import JwtVerify

_MAX_TOKEN = 4096  # bytes; Plaid's have some 400
_COORDINATE = 32  # bytes, on P-256
_KID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]+")
_HASH = re.compile(r"[0-9A-Fa-f]{64}")


class Key(NamedTuple):
    """A public key. `expired_at` in Unix seconds, None while it is in use."""

    public: ec.EllipticCurvePublicKey
    expired_at: int | None


@dataclass(slots=True)
class KeyBook:
    """The keys that are known, by id. Filled from the configuration, and by whoever fetches."""

    keys: dict[str, Key] = field(default_factory=dict)

    def find(self, kid: str, now: int) -> Key | None:
        """The key, unless it has expired."""
        key = self.keys.get(kid)
        return None if key is None or (key.expired_at is not None and key.expired_at <= now) else key


class _Token(NamedTuple):
    kid: str
    claims: JsonObject
    signed: bytes
    signature: bytes


def read_jwk(jwk: Mapping[str, JsonValue]) -> Key:
    """A key as RFC 7517 writes it. Raises ValueError, whatever the object, unless it is one for ES256."""
    expected = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"}
    if any(jwk.get(name, wanted) != wanted for name, wanted in expected.items()) or "x" not in jwk or "y" not in jwk:
        raise ValueError("it is no key on P-256 for ES256")
    x, y, expired_at = _coordinate(jwk["x"]), _coordinate(jwk["y"]), jwk.get("expired_at")
    if isinstance(expired_at, bool) or not isinstance(expired_at, int | None):
        raise ValueError("its `expired_at` is no time")
    try:
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        raise ValueError("its x and y are no point of P-256") from None
    return Key(public, expired_at)


def key_book(jwks: Iterable[tuple[str, Mapping[str, JsonValue]]]) -> KeyBook:
    """The keys of a configuration by id; what is no key is left out (and was refused at the start)."""
    book = KeyBook()
    for kid, jwk in jwks:
        try:
            book.keys[kid] = read_jwk(jwk)
        except ValueError:
            continue
    return book


def book_of(settings: JwtVerify) -> KeyBook:
    """The keys that stand in the settings."""
    return key_book((key.kid, key.model_dump()) for key in settings.keys)


def scheme(settings: JwtVerify, book: KeyBook) -> Scheme:
    """The scheme with the keys of `book`, which may grow while it is used."""
    name, tolerance = settings.header.lower().encode("ascii"), int(settings.tolerance)

    def verify(headers: Headers, body: bytes, now: int) -> Checked:
        token = _read(_given(headers, name))
        key = book.find(token.kid, now)
        if key is None:
            raise SignatureRejected("key-unknown")
        if not _is_signed(key, token):
            raise SignatureRejected("mismatch")
        _hash_fits(token.claims, body)
        signed_at = fresh(_issued_at(token.claims), now, tolerance)
        return Checked(Verified("jwt-es256", None, signed_at, (f"key {token.kid}",)), read_object(body))

    return verify


def kid_of(settings: JwtVerify, headers: Headers) -> str | None:
    """The key that a delivery asks for, if it holds a JWT of the right kind. Raises nothing, whatever the bytes."""
    try:
        return _read(_given(headers, settings.header.lower().encode("ascii"))).kid
    except SignatureRejected:
        return None


def _given(headers: Headers, name: bytes) -> bytes:
    value = single(headers, (name,)).get(name)
    if not value:
        raise SignatureRejected("no-signature")
    return value


def _read(text: bytes) -> _Token:
    parts = text.split(b".", 3)
    if len(text) > _MAX_TOKEN or len(parts) != 3:
        raise SignatureRejected("malformed")
    head, claims = _object(parts[0]), _object(parts[1])
    if head.get("alg") != "ES256":
        raise SignatureRejected("algorithm")
    kid, signature = head.get("kid"), _from_base64url(parts[2])
    if not isinstance(kid, str) or not _KID.fullmatch(kid) or not head.keys().isdisjoint(("crit", "jwk", "jku", "x5u")):
        raise SignatureRejected("malformed")
    if len(signature) != 2 * _COORDINATE:
        raise SignatureRejected("malformed")
    return _Token(kid, claims, b".".join(parts[:2]), signature)


def _object(part: bytes) -> JsonObject:
    try:
        return read_object(_from_base64url(part))
    except PayloadRejected:
        raise SignatureRejected("malformed") from None


def _from_base64url(text: bytes) -> bytes:
    """Unpadded base64url, in its one canonical form. Raises SignatureRejected."""
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise SignatureRejected("malformed")
    decoded = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    if urlsafe_b64encode(decoded).rstrip(b"=") != text:
        raise SignatureRejected("malformed")
    return decoded


def _coordinate(value: JsonValue) -> int:
    try:
        decoded = _from_base64url(value.encode("ascii")) if isinstance(value, str) else b""
    except (SignatureRejected, UnicodeEncodeError):
        decoded = b""
    if len(decoded) != _COORDINATE:
        raise ValueError("its x and y must be 32 bytes in base64url")
    return int.from_bytes(decoded, "big")


def _is_signed(key: Key, token: _Token) -> bool:
    r, s = (int.from_bytes(half, "big") for half in (token.signature[:_COORDINATE], token.signature[_COORDINATE:]))
    try:
        key.public.verify(encode_dss_signature(r, s), token.signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _hash_fits(claims: JsonObject, body: bytes) -> None:
    said = claims.get("request_body_sha256")
    if not isinstance(said, str) or not _HASH.fullmatch(said):
        raise SignatureRejected("malformed")
    if not hmac.compare_digest(bytes.fromhex(said), hashlib.sha256(body).digest()):
        raise SignatureRejected("mismatch")


def _issued_at(claims: JsonObject) -> int:
    at = claims.get("iat")
    if at is None:
        raise SignatureRejected("timestamp-missing")
    if isinstance(at, bool) or not isinstance(at, int) or at < 0:
        raise SignatureRejected("timestamp-malformed")
    return at
