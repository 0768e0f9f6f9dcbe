"""Our own identifiers: sortable by time, unguessable, safe in a URL.

48 bits of milliseconds and 80 random bits in Crockford's base32, lower case (the layout of a ULID).
"""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (length - 1), -1, -5))


def new_id(prefix: str, milliseconds: int) -> str:
    """A fresh identifier such as `evt_01jd3...`; `milliseconds` is Unix time."""
    return f"{prefix}_{_base32(milliseconds, 10)}{_base32(secrets.randbits(80), 16)}"


def action_id(event_id: str, ordinal: int) -> str:
    """The identifier of the n-th action of an event: the same whenever it is derived anew."""
    return f"act_{event_id.removeprefix('evt_')}_{ordinal}"
