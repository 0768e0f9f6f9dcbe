"""Didit's webhook signatures.

Facts: HMAC-SHA256, keyed with the secret's text as UTF-8, in 64 hex digits. `X-Signature` signs the raw body;
`X-Signature-V2` signs the canonical JSON of the parsed body. After a rotation the old secret signs the same messages in
`X-Signature-Previous` and `X-Signature-V2-Previous` for a day. `X-Signature-Simple` signs four fields only, so it
proves nothing about the rest and is never enough here. Didit's documentation contradicts itself on whether V2 escapes
non-ASCII characters, so both forms are tried: the data and the secret are the same, no security is lost. Source:
Didit's public webhook documentation and its published demo receiver, state of 2026-11.

Accepted is a body that any of the four headers signs under any of the secrets. A header that fails beside one that
verifies is noted, not fatal: a proxy that re-encodes the body breaks the raw signature and leaves V2 whole.

Freshness stands on the signed body, because `X-Timestamp` itself is not signed. No header is ever a reason to be
lenient: `X-Didit-Test-Webhook` changes nothing.

Reasons of SignatureRejected, for the reject log only:
    no-signature        no header that signs the whole body
    simple-only         nothing but X-Signature-Simple
    header-repeated     a signature header, or X-Timestamp, stands twice
    malformed           no signature header holds exactly 64 hex digits
    mismatch            no signature fits the body under any secret
    timestamp-missing   the body has neither timestamp nor created_at
    timestamp-malformed the one that decides is not a whole number of seconds
    timestamp-old       it lies further back than the tolerance
    timestamp-ahead     it lies further ahead than the tolerance
    timestamp-differs   X-Timestamp is not that same integer in decimal digits
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TypeAlias

from receiver.contract import JsonObject, JsonValue, Verified
from receiver.errors import PayloadRejected, SignatureRejected
from receiver.jsontext import canonical, read_object
from receiver.signatures.headers import single
from receiver.signatures.scheme import Checked, Headers

_RAW = (b"x-signature", b"x-signature-previous")
_CANONICAL = (b"x-signature-v2", b"x-signature-v2-previous")
_SIMPLE = (b"x-signature-simple", b"x-signature-simple-previous")
_TIMESTAMP = b"x-timestamp"
_READ = frozenset((*_RAW, *_CANONICAL, *_SIMPLE, _TIMESTAMP))

_HEX = re.compile(rb"[0-9A-Fa-f]{64}")
# A whole float such as 1e308 becomes 309 digits: without a bound a stranger could make a body of 1 MiB grow fiftyfold.
_EXPONENT = re.compile(rb"[0-9][eE]\+?[0-9]{2,}[\s,\]}]")
_MAX_EXPONENTS = 1000
_SMALL_BODY = 64 * 1024  # cannot grow to more than a few MiB
# Canonicalising costs a stranger nothing and us some 0.5 s a MiB. Larger bodies must verify by their raw bytes.
_MAX_CANONICAL = 256 * 1024

_Keys: TypeAlias = Sequence[tuple[int, bytes]]
_Found: TypeAlias = dict[bytes, int | None]  # header name -> index of the secret, None where it does not verify


def verify(headers: Headers, body: bytes, secrets: Sequence[str], now: int, tolerance: int) -> Checked:
    """Check one delivery; `Verified.method` is the header that verified, in lower case. `now` in Unix seconds,
    `tolerance` in seconds, inclusive. Raises what every scheme raises, and nothing else.
    """
    given = single(headers, _READ)
    keys = [(index, _key(secret)) for index, secret in enumerate(secrets) if secret]
    found: _Found = {name: _signer_of(given[name], (body,), keys) for name in _RAW if name in given}
    rest = _not_settled(given, found)
    raw_is_good, too_costly = _winner(found) is not None, bool(rest) and _too_costly(body)
    if not raw_is_good and (too_costly or not any(_HEX.fullmatch(given[name]) for name in rest)):
        raise SignatureRejected(_why_unsigned(given))  # and a stranger's body is not even parsed
    try:
        payload = read_object(body)
    except PayloadRejected:
        if raw_is_good:
            raise
        raise SignatureRejected(_why_unsigned(given)) from None
    forms = _canonical_forms(payload) if rest and not too_costly else ()
    found |= {name: _signer_of(given[name], forms, keys) for name in rest}
    winner = _winner(found)
    if winner is None:
        raise SignatureRejected(_why_unsigned(given))
    signed_at = _fresh(payload, given.get(_TIMESTAMP), now, tolerance)
    notes = tuple(f"{name.decode()} does not verify" for name, secret in found.items() if secret is None)
    name, secret = winner
    return Checked(Verified(name.decode(), secret, signed_at, notes), payload)


def sign(body: bytes, secret: str, timestamp: int) -> list[tuple[str, str]]:
    """The headers that Didit would send with `body`, whose own `timestamp` (Unix seconds) should be the same.

    Raises PayloadRejected when the body is not a JSON object.
    """
    payload = read_object(body)
    key = _key(secret)
    return [
        ("Content-Type", "application/json"),
        ("User-Agent", "DiditWebhook/2.0 +https://didit.me"),
        ("X-Timestamp", str(timestamp)),
        ("X-Signature", _mac(key, body).hex()),
        ("X-Signature-V2", _mac(key, _canonical_forms(payload)[0]).hex()),
        ("X-Signature-Simple", _mac(key, _simple_message(payload)).hex()),
    ]


def _key(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")  # the environment may hold bytes that are no UTF-8


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _signer_of(value: bytes, messages: Iterable[bytes], keys: _Keys) -> int | None:
    """The index of the secret under which `value` signs one of the messages."""
    if not _HEX.fullmatch(value):
        return None
    sent = bytes.fromhex(value.decode("ascii"))
    for message in messages:
        for index, key in keys:
            if hmac.compare_digest(_mac(key, message), sent):
                return index
    return None


def _not_settled(given: Mapping[bytes, bytes], found: _Found) -> list[bytes]:
    """The V2 headers that need the canonical form. Beside a raw signature that verifies, one with the same value tells
    nothing new: for an ASCII body in Didit's wire form the two are equal, and that spares the common case the work.
    """
    settled = {given[name] for name, secret in found.items() if secret is not None}
    return [name for name in _CANONICAL if name in given and given[name] not in settled]


def _too_costly(body: bytes) -> bool:
    if len(body) > _MAX_CANONICAL:
        return True
    if len(body) <= _SMALL_BODY:
        return False
    return next(islice(_EXPONENT.finditer(body), _MAX_EXPONENTS, None), None) is not None


def _canonical_forms(payload: JsonObject) -> tuple[bytes, ...]:
    """The unescaped form, and the escaped one where it differs."""
    escaped = canonical(payload, ascii=True)
    if b"\\u" not in escaped:
        return (escaped,)
    with suppress(UnicodeEncodeError):  # a lone surrogate has no UTF-8: only the escaped form can have been signed
        return (canonical(payload, ascii=False), escaped)
    return (escaped,)


def _winner(found: _Found) -> tuple[bytes, int] | None:
    return next(((name, secret) for name, secret in found.items() if secret is not None), None)


def _why_unsigned(given: Mapping[bytes, bytes]) -> str:
    sent = [given[name] for name in (*_RAW, *_CANONICAL) if name in given]
    if sent:
        return "mismatch" if any(_HEX.fullmatch(value) for value in sent) else "malformed"
    return "simple-only" if any(name in given for name in _SIMPLE) else "no-signature"


def _fresh(payload: JsonObject, header: bytes | None, now: int, tolerance: int) -> int:
    """The signed time in Unix seconds. Raises SignatureRejected unless it is fresh."""
    name = "timestamp" if "timestamp" in payload else "created_at"
    if name not in payload:
        raise SignatureRejected("timestamp-missing")
    at = payload[name]
    if not isinstance(at, int) or isinstance(at, bool) or at < 0:
        raise SignatureRejected("timestamp-malformed")
    if abs(now - at) > tolerance:
        raise SignatureRejected("timestamp-old" if at < now else "timestamp-ahead")
    if header is not None and header != str(at).encode():
        raise SignatureRejected("timestamp-differs")
    return at


def _simple_message(payload: JsonObject) -> bytes:
    fields = (payload.get(name) for name in ("timestamp", "session_id", "status", "webhook_type"))
    return ":".join(_simple_text(field) for field in fields).encode("utf-8", "surrogatepass")


def _simple_text(field: JsonValue) -> str:
    return str(field) if field else ""  # Didit's demo writes every falsy value as nothing
