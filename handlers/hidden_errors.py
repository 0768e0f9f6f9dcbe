"""Signs of an error in an answer whose HTTP status says yes. Pure.

A call error is never a finding about a person, in whatever dress it comes: gateways answer 200 with `statusCode: 500`,
KwikID's errors say `success: true`, and verdicts beside an error may be no more than the values a program began with.
So a vendor's verdict only counts in an answer that speaks of no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Final

from handlers.liveness import text, truth
from receiver.contract import JsonObject, JsonValue

HTTP_VERDICT: Final = frozenset((200, 201))  # 202 is a promise, 206 a part: neither is a verdict
_CODES: Final = ("statusCode", "status_code", "httpStatus", "http_status", "status", "code", "errorCode", "error_code")
_WORDS: Final = ("message", "msg", "error", "errors", "detail", "details")
_STATES: Final = ("status", "code", "statusCode", "status_code", "errorCode", "error_code")
_FINE: Final = frozenset("ok success successful succeeded complete completed done true".split())
_NOTHING: Final = frozenset(("false", "no", "0"))  # where an error would be told
_NONE: Final[Set[str]] = frozenset()


def error_code(body: JsonObject) -> int | None:
    """An HTTP status of an error (400 and above) that stands in an answer, as a number or as digits; 429 before others,
    since it says that nothing was done.
    """
    codes = [code for name in _CODES if (code := _whole(body.get(name))) is not None and 400 <= code < 600]
    return 429 if 429 in codes else next(iter(codes), None)


def spoken_error(
    body: JsonObject, *, known: Set[str] = _NONE, states: Iterable[str] = _STATES, words: Iterable[str] = _WORDS
) -> str | None:
    """The name of a member that speaks of an error, or may do so: a word in the place of one, a state that is no good
    one, a success that is not said clearly. Words in `known` (lower case) are none. None where there is no such member.
    """
    if "success" in body and body["success"] is not None and truth(body["success"]) is not True:
        return "success"
    told = next((name for name in words if _tells(body.get(name), known)), None)
    return told or next((name for name in states if _is_odd(body.get(name), known)), None)


def _whole(value: JsonValue) -> int | None:
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 6 else None
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _tells(value: JsonValue, known: Set[str]) -> bool:
    """Whether something is said: not null, false, 0, empty, nor a word for "all is well"."""
    if not isinstance(value, str):
        return bool(value)
    said = text(value)
    return said is not None and said.lower() not in _FINE | _NOTHING | known


def _is_odd(value: JsonValue, known: Set[str]) -> bool:
    """Whether a state is there and is anything but a good one: 2xx, true, or a word for it."""
    if isinstance(value, bool):
        return not value
    code = _whole(value)
    if code is not None:
        return not 200 <= code < 300
    if not isinstance(value, str):
        return bool(value)
    said = text(value)
    return said is not None and said.lower() not in _FINE | known
