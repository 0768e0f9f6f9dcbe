"""What KwikID's answers to the deletion of a face say. Pure.

Its 400 is one for a missing parameter, a face that is not there and a fault of the store, not told apart by status, so
the words decide. An erasure that never happened must not get on record: what is not clearly said is not assumed.
"""

from __future__ import annotations

import re
from typing import Final

from handlers.hidden_errors import spoken_error
from handlers.liveness import text, truth
from receiver.contract import JsonObject
from receiver.errors import AnswerUnreadable

_NO_ID: Final = r"(?!(?:buckets?|collections?|services?|endpoints?|parameters?|fields?|not|is|was|does|do|the)\b)"
_WORD: Final = r"[^\s:;,]{1,128}"
_NAMED: Final = rf"(?:with )?(?:the )?(?:external )?(?:image )?id[:=]? {_NO_ID}{_WORD}"
_WITH_ID: Final = rf"(?: {_NAMED}| (?=[^\s:;,]{{0,127}}\d){_WORD})?"  # a bare one is known by a digit in it
_GONE: Final = r"(?:(?:is |was |were |are )?not found|(?:does|do|did) not exist)"
_PLACE: Final = rf"(?: in (?:the |this |your )?(?:bucket|collection)(?: {_WORD})?)?"
_NOT_FOUND = re.compile(
    rf"(?:\bfaces?(?: id)?{_WITH_ID} {_GONE}|\bno such face"
    r"|\bno (?:such |matching )?faces? (?:(?:was |were )?found|exists?))"
    rf"{_PLACE}[.!]?(?=;|$)",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:parameters?|required|missing|fields?|body|request|buckets?|collections?|services?|endpoints?|regions?"
    r"|denied|credentials?)\b",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(r"\b(?:not|no|un\w+|fail\w*|error\w*|denied|invalid|cannot|missing)\b", re.IGNORECASE)
_QUOTES: Final = str.maketrans({"_": " ", "'": None, '"': None, "`": None})
_BESIDE: Final = ("msg", "error", "errors", "detail", "details")  # `message` stands in successes of its siblings too


def says_gone(refusal: str) -> bool:
    """Whether a 400 says that the face is not there, and nothing else. `refusal` is a sentence such as `HTTP 400: msg:
    face not found`.
    """
    words = refusal.translate(_QUOTES)
    found = _NOT_FOUND.search(words)
    return found is not None and _OTHER.search(words[: found.start()] + words[found.end() :]) is None


def check_deleted(body: JsonObject, http_status: int) -> None:
    """Raises AnswerUnreadable unless a 200 says that the face was deleted: `success` true, and nothing beside it that
    speaks of an error.
    """
    denied = _NEGATIVE.search(text(body.get("message")) or "") is not None
    if denied or spoken_error(body, words=_BESIDE) is not None or truth(body.get("success")) is not True:
        raise AnswerUnreadable("kwikid: the answer does not say whether the face was deleted", http_status)
