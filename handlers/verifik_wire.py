"""Verifik's answers read for what rules need. Pure: JSON in, values out; every field may be missing or null.

Facts: Verifik's documentation (docs.verifik.co and its public sources), state of 2026-11. It never says "attack": a low
score is all it tells. Pictures that it does not score have a reason from a published list; with which HTTP status and
in which field is not published, so those words, whole and exact, are looked for anywhere in an answer or a refusal.

Of `GET /v2/app-registrations/{id}` no answer is published. The object of its webhooks (`_id`, `status`) is looked for
under `data`, where Verifik's other answers have theirs, else at the top. An answer that names no `_id` is not taken to
be about the registration that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypedDict, cast

from handlers.liveness import LivenessResult, LivenessWarning, Status, finding, kept, number, part, text, truth
from receiver.contract import JsonObject, JsonValue, Severity
from receiver.errors import AnswerUnreadable

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
_REASONS: Final = frozenset((*_NOT_SCORED, FAILED, UNDECIDED))
_STATUSES: Final = {  # as `receiver/vendors/verifik.py` reads them: COMPLETED_WITHOUT_KYC is no approval
    "COMPLETED": "Approved",
    "FAILED": "Declined",
    "NEEDS_MANUAL_VERIFICATION": "In Review",
    "COMPLETED_WITHOUT_KYC": "In Review",
    "STARTED": "In Progress",
    "ONGOING": "In Progress",
    "EXPIRED": "Expired",
}
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


def refused_for(refusal: str) -> str | None:
    """The published reason that a refusal gives, if it gives one: then the picture is at fault, and not the call.
    `refusal` is a sentence such as `HTTP 409: no_face_detected`.
    """
    said = refusal.partition(": ")[2].lower().split("; ")
    return next((word for text_ in said if (word := text_.rpartition(": ")[2].strip()) in _REASONS), None)


def answered_reason(body: JsonObject) -> str | None:
    """The published reason that stands as a whole text anywhere in an answer."""
    return next((word for said in _texts(body) if (word := said.strip().lower()) in _REASONS), None)


def liveness_result(body: JsonObject, asked: float, reason: str | None) -> JsonObject:
    """What a rule sees of an answer, or of a refusal for a published reason (then `body` is empty). `asked` is the
    least score that was asked for. Raises AnswerUnreadable where neither verdict, score nor reason is there.
    """
    data = part(body, "data")
    passed, score, least = truth(data.get("passed")), number(data.get("liveness_score")), number(data.get("min_score"))
    if reason is None and passed is None and score is None:
        raise AnswerUnreadable("verifik: the answer holds neither a verdict nor a score", 200)
    judged = _judged(reason, passed, score, max(asked, least or asked))
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


def registration_result(body: JsonObject) -> JsonObject:
    """What a rule sees of a registration. `extra` is the rest of it, without links, images, templates of faces and
    tokens. Raises AnswerUnreadable where neither id nor status is there.
    """
    data = part(body, "data") or body
    session_id, sent = text(data.get("_id")), text(data.get("status"))
    if session_id is None and sent is None:
        raise AnswerUnreadable("verifik: the answer holds no registration", 200)
    rest = {name: value for name, value in data.items() if name not in ("_id", "status")}
    result: AppRegistrationResult = {
        "session_id": session_id,
        "status": None if sent is None else _STATUSES.get(sent.upper(), sent),
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


def _judged(reason: str | None, passed: bool | None, score: float | None, least: float) -> _Judged:
    if reason in _NOT_SCORED:
        tag, severity = _NOT_SCORED[reason]
        note = "integrity: passed, though the picture was not scored" if passed else None
        return _Judged("In Review", finding(tag, severity, {"vendor_reason": reason}), note)
    return _scored(False if reason == FAILED else passed, score, least)


def _scored(claimed: bool | None, score: float | None, least: float) -> _Judged:
    """The documented rule, applied again: live only above the least score, so that an equal one fails. Where verdict
    and score disagree, or one of them is missing, the worse is kept, and a person decides.
    """
    recomputed = score > least if score is not None and _in_scale(score) else None
    if claimed and recomputed:
        return _Judged("Approved")
    data: JsonObject = {"score": score, "min_score": least}
    if claimed is False and (recomputed is False or score is None):
        return _Judged("Declined", finding("LOW_LIVENESS_SCORE", "error", data))
    low = finding("LOW_LIVENESS_SCORE", "warning", data) if False in (claimed, recomputed) else None
    if None in (claimed, recomputed):
        return _Judged("In Review", low, "integrity: verdict or score is missing, or off the documented scale")
    return _Judged("In Review", low, "integrity: the verdict disagrees with the score")


def _in_scale(score: float | None) -> bool:
    return score is not None and 0 <= score <= 1


def _texts(value: JsonValue, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < _MAX_DEPTH and isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item, depth + 1)
