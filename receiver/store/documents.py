"""The shapes that every store answers in: times as text, JSON as bytes."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from pydantic_core import PydanticSerializationError, to_json

_EPOCH = date(1970, 1, 1)
_MS_PER_DAY: Final = 86_400_000
_DAYS_KEPT: Final = 1024
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
_SORTING = json.JSONEncoder(separators=(",", ":"), check_circular=False, sort_keys=True)


def iso(ms: int) -> str:
    """Unix milliseconds as ISO 8601 in UTC: `2026-11-20T21:00:00.123Z`."""
    day, of_day = divmod(ms, _MS_PER_DAY)
    seconds, milliseconds = divmod(of_day, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_date(day)}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"


@lru_cache(_DAYS_KEPT)
def _date(day: int) -> str:
    """Lists tell many times of few days: this is half of what a datetime for each takes."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def iso_or_none(ms: int | None) -> str | None:
    """The same, for what may not have happened yet."""
    return None if ms is None else iso(ms)


def dump(value: object) -> bytes:
    """JSON as it is sealed: compact, members in their own order. pydantic's writer takes a third of json's time."""
    try:
        return to_json(value)
    except PydanticSerializationError:  # lone surrogates, which only escapes can spell
        return _ENCODER.encode(value).encode()


def dump_text(value: object) -> str:
    """The same as text that a database column can hold."""
    return dump(value).decode()


def dump_sorted(value: object) -> bytes:
    """JSON with sorted members, ASCII: equal values give equal bytes."""
    return _SORTING.encode(value).encode()
