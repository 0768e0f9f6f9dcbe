"""Reading what a vendor answered: JSON strictly, refusals as one sentence, and how long it asks us to wait."""

from __future__ import annotations

import email.utils
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Final

from handlers.redact import MAX_DEPTH, public_text
from receiver.contract import JsonObject, JsonValue
from receiver.errors import AnswerUnreadable

_VALUES = re.compile(r"\s*[A-Za-z]{3,9},[^,]*|[^,]+")  # of a header that was sent several times; a date has a comma
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
LONGEST_WAIT = 86400.0  # seconds: no action lives longer than this by default; who asks for more means something else
_LARGEST: Final = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Answer:
    """A vendor's 2xx. `json` is None where the body was empty or bytes were asked for; then `content` holds it.
    Header names are lower case.
    """

    status: int
    json: JsonValue = field(default=None, repr=False)
    content: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def object(self) -> JsonObject:
        """The answer where an object was promised. Raises AnswerUnreadable for anything else."""
        if not isinstance(self.json, dict):
            raise AnswerUnreadable("the answer is not a JSON object", self.status)
        return self.json


def read_json(content: bytes) -> JsonValue:
    """JSON by RFC 8259: UTF-8, no NaN or Infinity, no number beyond a double's range, and no key twice in one object,
    of which each reader takes another. Raises ValueError.
    """
    try:
        value: JsonValue = json.loads(
            content.decode(), parse_constant=_refuse, parse_float=_finite, parse_int=_whole, object_pairs_hook=_unique
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("number out of range")
    return number


def _whole(text: str) -> int:
    number = int(text)
    if abs(number) > _LARGEST:
        raise ValueError("number out of range")
    return number


def _unique(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return members


def refusal(status: int, content: bytes, secrets: Iterable[str] = ()) -> str:
    """A refusal as a sentence: the status and the vendor's `detail`, `message` or field errors, fit for people to read
    (public_text). Didit answers `{"detail": "..."}` or field name -> list of messages.
    """
    try:
        said = _said(read_json(content))
    except ValueError:  # no JSON, such as a proxy's page: the status must do
        said = ""
    return public_text(f"HTTP {status}: {said}" if said else f"HTTP {status}", secrets)


def _said(body: JsonValue) -> str:
    if isinstance(body, dict):
        for key in ("detail", "message", "error"):
            if body.get(key):
                return "; ".join(text for _, text in _leaves(body[key]))
    return "; ".join(f"{path}: {text}" if path else text for path, text in _leaves(body))


def _leaves(value: JsonValue, path: str = "", depth: int = 0) -> list[tuple[str, str]]:
    """Every text of a JSON value with the dotted path to it; list items share the path of their list."""
    if isinstance(value, str):
        return [(path, value)]
    if depth >= MAX_DEPTH:
        return []
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item, path, depth + 1)]
    if isinstance(value, dict):
        below = ((f"{path}.{key}" if path else key, item) for key, item in value.items())
        return [leaf for place, item in below for leaf in _leaves(item, place, depth + 1)]
    return []


def retry_after(headers: Mapping[str, str], status: int, now: float) -> float | None:
    """Seconds that the vendor asks us to wait: Retry-After (RFC 9110 section 10.2.3: seconds or a date), on 429 also
    X-RateLimit-Reset. `now` is Unix time. Of several values the longest counts, and a part of a second is a whole one:
    too late is better than too early. None where nothing usable was said: a wait beyond a day is a time of day, or a
    mistake.
    """
    said = [_wait(text.strip(), now) for text in _VALUES.findall(headers.get("retry-after", ""))]
    usable = [seconds for seconds in said if seconds is not None]
    if usable:
        return max(usable)
    return _usable(until_reset(headers, now)) if status == 429 else None


def _wait(text: str, now: float) -> float | None:
    if _SECONDS.fullmatch(text):
        return _usable(float(math.ceil(float(text))))
    return _usable(_until_date(text, now))


def _usable(seconds: float | None) -> float | None:
    return None if seconds is None or seconds > LONGEST_WAIT else max(seconds, 0.0)


def until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the rate window that X-RateLimit-Reset names (Unix seconds) is over; None where it is not sent."""
    reset = _number(headers.get("x-ratelimit-reset", "").strip())
    return None if reset is None else reset - now


def rate_limit(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """How many calls a window has (X-RateLimit-Limit), and how many are left of them (-Remaining)."""
    limit, remaining = (_number(headers.get(f"x-ratelimit-{name}", "").strip()) for name in ("limit", "remaining"))
    return None if limit is None else int(limit), None if remaining is None else int(remaining)


def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def _until_date(text: str, now: float) -> float | None:
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
