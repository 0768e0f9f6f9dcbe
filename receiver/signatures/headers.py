"""What all schemes ask of headers alike: each at most once, times in plain digits, freshness in both directions.

Reasons of SignatureRejected that come from here: header-repeated, timestamp-missing, timestamp-malformed,
timestamp-old, timestamp-ahead.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection

from receiver.errors import SignatureRejected
from receiver.signatures.scheme import Headers

_SECONDS = re.compile(rb"0|[1-9][0-9]{0,14}")  # no sign, no blanks, no leading zeros, ASCII digits only
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+")


def single(headers: Headers, names: Collection[bytes]) -> dict[bytes, bytes]:
    """The headers of these names (lower case). Raises SignatureRejected if one stands twice: which is meant?"""
    given: dict[bytes, bytes] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in names:
            if lower in given:
                raise SignatureRejected("header-repeated")
            given[lower] = value
    return given


def whole_seconds(text: bytes | None) -> int:
    """Unix seconds. Raises SignatureRejected unless the text is one integer, written in the one plain way."""
    if text is None:
        raise SignatureRejected("timestamp-missing")
    if not _SECONDS.fullmatch(text):
        raise SignatureRejected("timestamp-malformed")
    return int(text)


def fresh(at: int, now: int, tolerance: int) -> int:
    """The time itself. Raises SignatureRejected if it is further than the tolerance (seconds) away, either side."""
    if abs(now - at) > tolerance:
        raise SignatureRejected("timestamp-old" if at < now else "timestamp-ahead")
    return at


def from_hex(text: bytes) -> bytes | None:
    """The bytes of hexadecimal text, in either case; None if it is something else."""
    return bytes.fromhex(text.decode("ascii")) if _HEX.fullmatch(text) else None


def from_base64(text: bytes) -> bytes | None:
    """The bytes of base64 text in its one canonical form, padded; None if it is something else."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if base64.b64encode(decoded) == text else None
