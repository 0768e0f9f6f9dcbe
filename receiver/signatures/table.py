"""The signature schemes by the settings they are made from, and how a sender of each would sign."""

from __future__ import annotations

from functools import partial

from receiver.signatures import didit, hmacs, jwt_es256, standard_webhooks, unsigned
from receiver.signatures.scheme import Checked, Headers, Scheme, SentHeaders
from receiver.signatures.settings import (
    DiditVerify,
    HmacVerify,
    JwtVerify,
    NoneVerify,
    StandardVerify,
    StaticVerify,
    UnknownVerify,
)

Settings = DiditVerify | StandardVerify | HmacVerify | JwtVerify | StaticVerify | NoneVerify | UnknownVerify


def scheme_of(settings: Settings, book: jwt_es256.KeyBook | None = None) -> Scheme:
    """The scheme of a source. `book` holds the keys of `jwt-es256`, if others than the settings' may come.

    Raises ValueError for settings of a scheme that does not exist, which no configuration that was loaded has.
    """
    match settings:
        case DiditVerify():
            return partial(_didit, settings.secrets, int(settings.tolerance))
        case StandardVerify():
            return standard_webhooks.scheme(settings)
        case HmacVerify():
            return hmacs.scheme(settings)
        case JwtVerify():
            return jwt_es256.scheme(settings, book or jwt_es256.book_of(settings))
        case StaticVerify():
            return unsigned.static(settings)
        case NoneVerify():
            return unsigned.none(settings)
        case UnknownVerify():
            raise ValueError("a scheme that does not exist")


def sign(settings: Settings, body: bytes, at: int, message_id: str) -> SentHeaders:
    """The headers that a sender would send with `body` at a time (Unix seconds), signed with the first secret.

    Raises PayloadRejected where the scheme needs a JSON object and the body is none, ValueError for what cannot sign.
    """
    match settings:
        case DiditVerify(secrets=(secret, *_)):
            return didit.sign(body, secret, at)
        case StandardVerify():
            return standard_webhooks.sign(settings, body, at, message_id)
        case HmacVerify():
            return hmacs.sign(settings, body, at)
        case StaticVerify():
            return unsigned.sign_static(settings)
        case NoneVerify():
            return [("Content-Type", "application/json")]
        case JwtVerify():
            raise ValueError("jwt-es256 is signed with a private key, which only the vendor has")
        case _:
            raise ValueError("there is no secret to sign with")


def _didit(secrets: tuple[str, ...], tolerance: int, headers: Headers, body: bytes, now: int) -> Checked:
    return didit.verify(headers, body, secrets, now, tolerance)
