"""An HMAC of the body in a header: how most vendors sign, in their many spellings.

What varies is configured: the header, a prefix before the signature, hash, encoding, and the message that is signed.
`composite` reads a header of fields, `t=1614265330,v1=5257…`: fields are separated by commas, several signatures may
stand in one set (Stripe), and several sets, separated by blanks, in one header (Persona, while a secret is rotated).
Secrets are used as text, as they stand. The sender may name the hash in a header (Sumsub), but only one that is on the
list. SHA-1 is on none.

Without a time in the message a captured delivery stays valid for good: then only the record's memory of what it has
seen keeps it from acting twice, and the receipt says so.

Reasons of SignatureRejected, for the reject log only: those of `headers.py`, and
    no-signature        the header is missing
    algorithm           the sender names a hash that is not accepted
    malformed           the header does not hold what it should, or too much of it
    mismatch            no signature fits under any secret
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

from receiver.contract import Verified
from receiver.errors import SignatureRejected
from receiver.jsontext import read_object
from receiver.signatures.headers import fresh, from_base64, from_hex, single, whole_seconds
from receiver.signatures.scheme import Checked, Headers, Scheme, SentHeaders
from receiver.signatures.settings import TOLERANCE, CompositeSettings, HmacVerify

UNTIMED = "the scheme signs no time: a captured delivery stays valid"
_MAX_SETS = 4  # a rotation needs two; each costs an HMAC of the body for every secret
_MAX_SIGNATURES = 16


@dataclass(frozen=True, slots=True)
class _Set:
    """Signatures that stand together, with the time that they sign."""

    timestamp: bytes | None
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _HeaderHmac:
    settings: HmacVerify
    keys: tuple[tuple[int, bytes], ...] = field(repr=False)
    names: frozenset[bytes]

    def verify(self, headers: Headers, body: bytes, now: int) -> Checked:
        given = single(headers, self.names)
        value = given.get(_lower(self.settings.header))
        if value is None:
            raise SignatureRejected("no-signature")
        algorithm = self._hash(given)
        sets = [(one, self._decoded(one.signatures, algorithm)) for one in self._sets(value, given)]
        if not any(signatures for _, signatures in sets):
            raise SignatureRejected("malformed")
        for one, signatures in sets:
            index = self._signer_of(one.timestamp, signatures, algorithm, body) if signatures else None
            if index is not None:
                return self._checked(one, algorithm, index, body, now)
        raise SignatureRejected("mismatch")

    def _hash(self, given: dict[bytes, bytes]) -> str:
        named = self.settings.algorithm
        value = given.get(_lower(named.header)) if named else None
        if named is None or value is None:
            return self.settings.hash
        accepted = named.accept.get(value.decode("latin-1"))
        if accepted is None:
            raise SignatureRejected("algorithm")
        return accepted

    def _sets(self, value: bytes, given: dict[bytes, bytes]) -> list[_Set]:
        settings = self.settings
        timestamp = given.get(_lower(settings.timestamp)) if settings.timestamp else None
        if settings.composite is not None:
            return _read_composite(value, settings.composite, timestamp)
        prefix = settings.prefix.encode("ascii")
        if not value.startswith(prefix):
            raise SignatureRejected("malformed")
        return [_Set(timestamp, (value.removeprefix(prefix),))]

    def _signer_of(self, timestamp: bytes | None, sent: Sequence[bytes], algorithm: str, body: bytes) -> int | None:
        message = _message(self.settings, body, timestamp or b"")
        for index, key in self.keys:
            expected = hmac.digest(key, message, algorithm)
            if any(hmac.compare_digest(expected, signature) for signature in sent):
                return index
        return None

    def _decoded(self, signatures: Sequence[bytes], algorithm: str) -> list[bytes]:
        decode, size = from_hex if self.settings.encoding == "hex" else from_base64, hashlib.new(algorithm).digest_size
        return [decoded for text in signatures if (decoded := decode(text)) is not None and len(decoded) == size]

    def _checked(self, one: _Set, algorithm: str, index: int, body: bytes, now: int) -> Checked:
        signed_at: int | None = None
        notes: tuple[str, ...] = (UNTIMED,)
        if self.settings.has_time:
            tolerance = int(self.settings.tolerance or TOLERANCE)
            signed_at, notes = fresh(whole_seconds(one.timestamp), now, tolerance), ()
        return Checked(Verified(f"hmac-{algorithm}", index, signed_at, notes), read_object(body))


def scheme(settings: HmacVerify) -> Scheme:
    """The scheme with the secrets and the spelling of a source."""
    keys = tuple((index, _key(secret)) for index, secret in enumerate(settings.secrets) if secret)
    named = (settings.header, settings.timestamp, settings.algorithm and settings.algorithm.header)
    return _HeaderHmac(settings, keys, frozenset(_lower(name) for name in named if name)).verify


def sign(settings: HmacVerify, body: bytes, at: int) -> SentHeaders:
    """The headers that a sender with the first secret would send. Raises ValueError if there is none."""
    if not settings.secrets:
        raise ValueError("there is no secret to sign with")
    digest = hmac.digest(_key(settings.secrets[0]), _message(settings, body, str(at).encode()), settings.hash)
    text = digest.hex() if settings.encoding == "hex" else b64encode(digest).decode()
    value = f"{settings.prefix}{text}"
    if settings.composite is not None:
        time = f"{settings.composite.timestamp}={at}," if settings.composite.timestamp else ""
        value = f"{time}{settings.composite.signature}={text}"
    sent = [("Content-Type", "application/json"), (settings.header, value)]
    if settings.timestamp:
        sent.append((settings.timestamp, str(at)))
    if settings.algorithm:
        names = [name for name, algorithm in settings.algorithm.accept.items() if algorithm == settings.hash]
        sent += [(settings.algorithm.header, name) for name in names[:1]]
    return sent


def _read_composite(value: bytes, names: CompositeSettings, timestamp: bytes | None) -> list[_Set]:
    sets = [_read_set(text, names, timestamp) for text in value.split(b" ", _MAX_SETS) if text]
    found = sum(len(one.signatures) for one in sets)
    if not 0 < len(sets) <= _MAX_SETS or not 0 < found <= _MAX_SIGNATURES:
        raise SignatureRejected("malformed")
    return [one for one in sets if one.signatures]


def _read_set(text: bytes, names: CompositeSettings, timestamp: bytes | None) -> _Set:
    """One set of fields; fields of other names (older schemes, such as Stripe's v0) are passed over."""
    fields = [item.partition(b"=") for item in text.split(b",")]
    times = [value for name, _, value in fields if names.timestamp and name == names.timestamp.encode("ascii")]
    if len(times) > 1:
        raise SignatureRejected("header-repeated")
    signatures = tuple(value for name, _, value in fields if name == names.signature.encode("ascii"))
    return _Set(times[0] if times else timestamp, signatures)


def _message(settings: HmacVerify, body: bytes, timestamp: bytes) -> bytes:
    filled = {"{body}": body, "{timestamp}": timestamp}
    return b"".join(filled[part] if part in filled else part.encode() for part in settings.parts)


def _key(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")  # the environment may hold bytes that are no UTF-8


def _lower(name: str) -> bytes:
    return name.lower().encode("ascii")
