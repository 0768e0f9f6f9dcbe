"""What must not be kept, taken out of texts and JSON: signed links, keys and tokens, images; for sentences that people
read, also addresses and long numbers.

Every result and every reason that a handler hands back has been through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import overload

from receiver.contract import JsonObject, JsonValue

MAX_DEPTH = 64  # what lies deeper in a result is no use to anybody
LONGEST_REASON = 300
LONGEST_TEXT = 100_000  # characters: looking for secrets takes time, and nobody reads more

_DATA_URI = re.compile(r"data:[a-z]+/[^,\s]{1,100},[^\s\"<>]*", re.IGNORECASE)
_LINK = re.compile(r"\b([a-z][a-z0-9+.-]{1,15}://)([^\s\"<>]+)", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic)[ \t]+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"\b((?:x-amz-|x-goog-)?(?:signature|credential|security-token|x?-?api[_-]?key|access[_-]?token|session[_-]?token"
    r"|refresh[_-]?token|authorization|token|secret|password|sig)[\"']?\s{0,4}[:=]\s{0,4})[\"']?[^\s\"'&,;]+",
    re.IGNORECASE,
)
# a run is looked at once, from its beginning: a pattern that may start inside it takes quadratic time
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_WEBHOOK_SECRET = re.compile(r"\bwhs(?:ec|k)_[A-Za-z0-9+/=_-]{8,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_\r\n-]{200,}={0,2}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKEN_SEGMENT = re.compile(r"/[A-Za-z0-9._~-]{20,}")
_EMAIL = re.compile(r"[^\s@<>\"']{1,64}@[^\s@<>\"']{1,255}")
_DIGITS = re.compile(r"\d(?:[ -]?\d){5,}")

_SECRET_KEYS = frozenset(
    """authorization proxy-authorization cookie set-cookie api_key apikey api-key x-api-key password secret
    client_secret secret_shared_key token session_token access_token refresh_token share_token""".split()
)


@overload
def redact(value: str) -> str: ...
@overload
def redact(value: JsonObject, *, every_link: bool = False) -> JsonObject: ...
@overload
def redact(value: JsonValue, *, every_link: bool = False) -> JsonValue: ...
def redact(value: JsonValue, *, every_link: bool = False) -> JsonValue:
    """The same text or JSON without signed links, keys and images. Numbers, keys and plain words stay.

    A link is taken for signed if it has a query, a fragment, user information, or a path segment that looks like a
    token; `every_link` shortens the others too. What stays of a link is `scheme://host/…`.
    """
    return _redact(value, every_link, 0)


def _redact(value: JsonValue, every_link: bool, depth: int) -> JsonValue:
    if isinstance(value, str):
        return _redact_text(value, every_link)
    if depth >= MAX_DEPTH and isinstance(value, list | dict):
        return "[nested too deeply]"
    if isinstance(value, list):
        return [_redact(item, every_link, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: _redact_member(key, item, every_link, depth) for key, item in value.items()}
    return value


def _redact_member(key: str, value: JsonValue, every_link: bool, depth: int) -> JsonValue:
    if isinstance(value, str) and value and key.lower() in _SECRET_KEYS:
        return "[redacted]"
    return _redact(value, every_link, depth + 1)


def _redact_text(text: str, every_link: bool) -> str:
    text = shortened(text, LONGEST_TEXT)
    text = _SURROGATE.sub("\ufffd", text)  # half a character pair cannot be stored as UTF-8
    text = _DATA_URI.sub("[data]", text)
    text = _LINK.sub(lambda link: _shortened(link[1], link[2], every_link), text)
    text = _BEARER.sub(r"\1 [redacted]", text)
    text = _ASSIGNED.sub(r"\1[redacted]", text)
    text = _JWT.sub("[redacted]", text)
    text = _WEBHOOK_SECRET.sub("[redacted]", text)
    return _BASE64.sub("[base64]", text)


def _shortened(scheme: str, rest: str, every_link: bool) -> str:
    authority, path = re.match(r"([^/?#\\]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]  # always fits
    signed = "@" in authority or "?" in path or "#" in path or _TOKEN_SEGMENT.search(path) is not None
    if not signed and not every_link:
        return scheme + rest
    return f"{scheme}{authority.rpartition('@')[2]}/…"


def public_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A vendor's own words made fit for a reason that people read: redacted, without e-mail addresses, runs of six or
    more digits and the given secrets, on one line, at most 300 characters.
    """
    for secret in secrets:  # before anything is cut off: half a key must not stay either
        text = text.replace(secret, "[redacted]")
    text = text[: 20 * LONGEST_REASON]
    text = _EMAIL.sub("[email]", redact(text))
    return shortened(" ".join(_DIGITS.sub("[number]", text).split()))


def shortened(text: str, longest: int = LONGEST_REASON) -> str:
    """The text, cut to `longest` characters with an ellipsis if it is longer."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
