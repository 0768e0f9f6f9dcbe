"""Deliveries that nobody signed: `static` (a header that holds a shared secret) and `none` (nothing at all).

Some vendors offer no more (KwikID and Socure: headers that the customer sets; Jumio and Verifik: none). Neither proves
the body or the time: whoever learns the header, or the URL, can send what they like. So both must be asked for by name,
are marked in the receipt of every event, and what their events call for waits for a person where it is billable or
destructive, unless the operator trusts the source (`trust: true`).

Reasons of SignatureRejected, for the reject log only: header-repeated, and
    no-signature        the header is missing
    mismatch            it holds none of the secrets
"""

from __future__ import annotations

import hmac

from receiver.contract import Verified
from receiver.errors import SignatureRejected
from receiver.jsontext import read_object
from receiver.signatures.headers import single
from receiver.signatures.scheme import Checked, Headers, Scheme, SentHeaders
from receiver.signatures.settings import NoneVerify, StaticVerify

UNSIGNED = "not signed: nothing proves who sent it"
SHARED_HEADER = "not signed: a shared header came with it, which proves neither body nor time"


def static(settings: StaticVerify) -> Scheme:
    """The scheme with the header and the secrets of a source."""
    name = settings.header.lower().encode("ascii")
    secrets = [(index, _bytes(secret)) for index, secret in enumerate(settings.secrets) if secret]

    def verify(headers: Headers, body: bytes, now: int) -> Checked:
        value = single(headers, (name,)).get(name)
        if value is None:
            raise SignatureRejected("no-signature")
        fitting = [index for index, secret in secrets if hmac.compare_digest(secret, value)]  # all, whichever fits
        if not fitting:
            raise SignatureRejected("mismatch")
        return Checked(Verified("static", fitting[0], None, (SHARED_HEADER,)), read_object(body))

    return verify


def none(settings: NoneVerify) -> Scheme:
    """The scheme that lets in every JSON object, marked."""

    def verify(headers: Headers, body: bytes, now: int) -> Checked:
        return Checked(Verified("none", None, None, (UNSIGNED,)), read_object(body))

    return verify


def sign_static(settings: StaticVerify) -> SentHeaders:
    """The headers that a sender with the first secret would send. Raises ValueError if there is none."""
    if not settings.secrets:
        raise ValueError("there is no secret to send")
    return [("Content-Type", "application/json"), (settings.header, settings.secrets[0])]


def _bytes(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")
