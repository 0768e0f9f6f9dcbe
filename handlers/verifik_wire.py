"""Verifik's answers read for what rules need. Pure: JSON in, values out; every field may be missing or null.

Facts: Verifik's documentation (docs.verifik.co and its public sources), state of 2026-11. It never says "attack": a low
score is all it tells. Pictures that it does not score have a reason from a published list; with which HTTP status and
in which field is not published, so those words, whole and exact, are looked for anywhere in an answer or a refusal.
`passed: false` alone declines nobody: it is also what a program begins with that failed before it had a score.

Of `GET /v2/app-registrations/{id}` no answer is published. The object of its webhooks (`_id`, `status`) is looked for
under `data`, where Verifik's other answers have theirs, else at the top. An answer that names no `_id` is not taken to
be about the registration that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypedDict, cast

from handlers.hidden_errors import HTTP_VERDICT, error_code, spoken_error
from handlers.liveness import (
    LivenessResult,
    LivenessWarning,
    Status,
    finding,
    kept,
    number,
    part,
    says,
    text,
    truth,
    unclear,
)
from handlers.redact import public_text
from receiver.contract import JsonObject, JsonValue, Severity
from receiver.errors import AnswerUnreadable, VendorRefused, VendorUnavailable

FAILED = "liveness_failed"
UNDECIDED = "liveness_error"  # nothing to do with the picture: may be tried again
_NOT_SCORED: Final[dict[str, tuple[str, Severity]]] = {
    "no_face_detected": ("NO_FACE_DETECTED", "error"),
    "multiple_faces_detected": ("MULTIPLE_FACES_DETECTED", "warning"),
    "face_occluded": ("LOW_FACE_QUALITY", "warning"),
    "face_close_to_border": ("LOW_FACE_QUALITY", "warning"),
    "face_not_centered": ("LOW_FACE_QUALITY", "warning"),
    "face_too_far": ("LOW_FACE_QUALITY", "warning"),
    "face_too_close": ("LOW_FACE_QUALITY", "warning"),
    "face_rotation_too_large": ("LOW_FACE_QUALITY", "warning"),
    "poor_lighting": ("LOW_FACE_LUMINANCE", "warning"),
}
REASONS: Final = (*_NOT_SCORED, FAILED, UNDECIDED)
_REASONS: Final = frozenset(REASONS)
TAGS: Final = tuple(dict.fromkeys(("LOW_LIVENESS_SCORE", *(tag for tag, _ in _NOT_SCORED.values()))))
"""Every tag that a result may hold."""

_ABOUT_THE_PICTURE: Final = frozenset((400, 409, 412, 422))  # noes to what was sent; 413 is a proxy's, 404 nobody's
_PATH = re.compile(r"[^\s:]{1,100}: ")
_STATUSES: Final = {  # as `receiver/vendors/verifik.py` reads them: COMPLETED_WITHOUT_KYC is no approval
    "COMPLETED": "Approved",
    "FAILED": "Declined",
    "NEEDS_MANUAL_VERIFICATION": "In Review",
    "COMPLETED_WITHOUT_KYC": "In Review",
    "STARTED": "In Progress",
    "ONGOING": "In Progress",
    "EXPIRED": "Expired",
}
VENDOR_STATUSES: Final = tuple(_STATUSES)
_EXPIRED = re.compile(r"\btoken[ _-]?(has |is )?expired\b", re.IGNORECASE)
_OF_FACES = re.compile(r"template|face[_-]?image", re.IGNORECASE)
_MAX_DEPTH = 8


class AppRegistrationResult(TypedDict):
    """A registration as it is now: `status` in Didit's words, unless it is not known; `vendor_status` as sent."""

    session_id: str | None
    status: str | None
    vendor_status: str | None
    extra: JsonValue


@dataclass(frozen=True, slots=True)
class _Judged:
    status: Status
    warning: LivenessWarning | None = None
    note: str | None = None


def is_expired(refusal: str) -> bool:
    """Whether a refusal says that the token is out of date: at Verifik a 403, unlike a wrong one's 401."""
    return _EXPIRED.search(refusal) is not None


def refused_for(refusal: str, http_status: int | None) -> str | None:
    """The published reason that a refusal gives, if it gives one: then the picture is at fault, and not the call.
    `refusal` is a sentence such as `HTTP 409: no_face_detected`; each word may stand behind the path to its place.
    """
    if http_status not in _ABOUT_THE_PICTURE:
        return None
    said = {_PATH.sub("", words, count=1).strip() for words in refusal.partition(": ")[2].lower().split("; ")}
    return _only(said)


def answered_reason(body: JsonObject) -> str | None:
    """The published reason that stands as a whole text anywhere in an answer; None where there are several: a list of
    what there might be gives no reason.
    """
    return _only(_reasons(body))


def refuse_hidden_error(body: JsonObject, http_status: int) -> JsonObject:
    """The body, unless it is an error in spite of its HTTP status: by a number, by a success that is none, or in the
    shape of Verifik's errors, `{message, code}`. Raises VendorRefused, VendorUnavailable where it is too much at the
    moment, and AnswerUnreadable for an HTTP status that promises no answer. A published reason is no call error.
    """
    code = error_code(body)
    if code == 429:
        raise VendorUnavailable(f"verifik: HTTP {http_status}, but the answer says 429", 429)
    if code is not None:
        raise VendorRefused(f"verifik: HTTP {http_status}, but the answer says {code}", http_status)
    if truth(body.get("success")) is False:
        raise VendorRefused(f"verifik: HTTP {http_status}, but the answer says that it did not succeed", http_status)
    said = text(body.get("message"))
    if said is not None and text(body.get("code")) is not None and said.lower() not in _REASONS:
        raise VendorRefused(public_text(f"verifik: HTTP {http_status}, but the answer says: {said}"), http_status)
    if http_status not in HTTP_VERDICT:
        raise AnswerUnreadable(f"verifik: HTTP {http_status} promises no answer that counts", http_status)
    return body


def liveness_result(body: JsonObject, asked: float, reason: str | None) -> JsonObject:
    """What a rule sees of an answer, or of a refusal for a published reason (then `body` is empty). `asked` is the
    least score that was asked for. Raises AnswerUnreadable where neither verdict, score nor reason is there.
    """
    data = part(body, "data")
    passed, score, least = truth(data.get("passed")), number(data.get("liveness_score")), number(data.get("min_score"))
    if reason is None and passed is None and score is None:
        raise AnswerUnreadable("verifik: the answer holds neither a verdict nor a score", 200)
    doubt = _doubt(body, data, reason)
    if doubt is not None:
        unknown = unclear(body, doubt, min_score=asked, request_id=text(body.get("id")))
        return cast("JsonObject", unknown)
    said = passed if body else False  # a refusal for a reason is a no
    judged = _judged(reason, said, score, (asked, asked if least is None else least))
    notes = [judged.note] if judged.note else []
    if least not in (None, asked):
        notes.append(f"integrity: judged by a least score of {least}, asked for {asked}")
    warnings = [judged.warning] if judged.warning else []
    shown = None if reason in _NOT_SCORED else score
    result: LivenessResult = {
        "status": judged.status,
        "tags": [warning["tag"] for warning in warnings],
        "warnings": warnings,
        "passed": passed,
        "score": shown,
        "scale": "0-1" if _in_scale(shown) else None,
        "min_score": asked if least is None else least,
        "vendor_reason": reason,
        "notes": notes,
        "request_id": text(body.get("id")),
        "answer": kept(body) if body else None,
        "overall_score": None,
        "face_match": None,
        "face_match_score": None,
        "blink": None,
    }
    return cast("JsonObject", result)


def _doubt(body: JsonObject, data: JsonObject, reason: str | None) -> str | None:
    """Why an answer is no clear verdict, if so. A picture that was not scored is for a person in any case."""
    if reason in _NOT_SCORED:
        return None
    if len(_reasons(body)) > 1:
        return "not clear: several reasons are given"
    states: tuple[str, ...] = ("status",) if reason else ("status", "code")  # a reason's message has a code beside it
    name = spoken_error(body, known=_REASONS, states=states)
    name = name or spoken_error(data, known=_REASONS, states=(*states, "reason"))
    if name is not None:
        return f"not clear: beside the verdict stands `{name}`, as in an error"
    least = data.get("min_score")
    if says(least) and not _in_scale(number(least)):
        return "not clear: the least score is not one of 0 to 1"
    return None


def registration_result(body: JsonObject, asked: str) -> JsonObject:
    """What a rule sees of the registration `asked` for. `status` is null in an answer that does not name it, names
    another, or speaks of an error: it may be the call that failed, and not the person. `extra` is the rest of it,
    without links, images, templates of faces and tokens. Raises AnswerUnreadable where neither id nor status is there.
    """
    data = part(body, "data") or body
    session_id, sent = text(data.get("_id")), text(data.get("status"))
    if session_id is None and sent is None:
        raise AnswerUnreadable("verifik: the answer holds no registration", 200)
    told = session_id == asked.strip() and spoken_error(body, states=("code",)) is None
    rest = {name: value for name, value in data.items() if name not in ("_id", "status")}
    result: AppRegistrationResult = {
        "session_id": session_id,
        "status": _STATUSES.get(sent.upper(), sent) if sent is not None and told else None,
        "vendor_status": sent,
        "extra": kept(_faceless(rest)) if rest else None,
    }
    return cast("JsonObject", result)


def _faceless(node: JsonObject, depth: int = 0) -> JsonObject:
    """The object without members that are named for a face's image or template: a template may be a list of numbers."""
    return {
        name: _faceless(value, depth + 1) if isinstance(value, dict) and depth < _MAX_DEPTH else value
        for name, value in node.items()
        if not _OF_FACES.search(name)
    }


def _judged(reason: str | None, passed: bool | None, score: float | None, least: tuple[float, float]) -> _Judged:
    if reason in _NOT_SCORED:
        tag, severity = _NOT_SCORED[reason]
        note = "integrity: passed, though the picture was not scored" if passed else None
        return _Judged("In Review", finding(tag, severity, {"vendor_reason": reason}), note)
    return _scored(passed, score, least, failed=reason == FAILED)


def _scored(passed: bool | None, score: float | None, least: tuple[float, float], *, failed: bool) -> _Judged:
    """The documented rule, applied again: live only above the least score, so that an equal one fails. Of the one that
    was asked for and the one that was used, a yes is above both, and a no above neither. Where verdict and score
    disagree, or one of them is missing, a person decides; only a no for the published reason needs no score beside it.
    """
    measured = _in_scale(score)
    above = score is not None and measured and score > max(least)
    below = score is not None and measured and score <= min(least)
    data: JsonObject = {"score": score, "min_score": max(least)}
    if passed and above and not failed:
        return _Judged("Approved")
    if (below and not passed and (failed or passed is False)) or (failed and passed is False and score is None):
        return _Judged("Declined", finding("LOW_LIVENESS_SCORE", "error", data))
    said_low = failed or (measured and (passed is False or not above))
    low = finding("LOW_LIVENESS_SCORE", "warning", data) if said_low else None
    if not measured or (passed is None and not failed):
        return _Judged("In Review", low, "integrity: verdict or score is missing, or off the documented scale")
    return _Judged("In Review", low, "integrity: the verdict disagrees with the score")


def _in_scale(score: float | None) -> bool:
    return score is not None and 0 <= score <= 1


def _reasons(body: JsonObject) -> set[str]:
    return {word for said in _texts(body) if (word := said.strip().lower()) in _REASONS}


def _only(words: set[str]) -> str | None:
    found = words & _REASONS
    return next(iter(found)) if len(found) == 1 else None


def _texts(value: JsonValue, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < _MAX_DEPTH and isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item, depth + 1)
