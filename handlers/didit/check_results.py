"""What rules see as `result` of the standalone checks, read from Didit's answers. Pure.

Every field is null where Didit did not say it: nothing is derived from a tag or a status. The status is Didit's own and
is not the whole finding: a face search stays Approved for a duplicate (newest pages; older ones say that Approved means
a new person), so rules look at `matches` and `tags`. `extra` holds, redacted, what we do not know.
"""

from __future__ import annotations

import math
from typing import TypedDict

from handlers.didit.params import FaceSearchParams
from handlers.didit.wire import FoundWarning, extra, flag, found_warnings, objects, tags, text
from handlers.liveness import number
from receiver.contract import EventDocument, JsonObject, JsonValue, MatchDocument


class FaceSearchResult(TypedDict):
    """A face search. `total_matches` counts what is left of Didit's `vendor_total`."""

    status: str | None
    total_matches: int
    matches: list[MatchDocument]
    warnings: list[FoundWarning]
    tags: list[str]
    request_id: str | None
    vendor_total: float | None
    extra: JsonValue


class PassiveLivenessResult(TypedDict):
    """A passive liveness check. Scores are 0-100; `threshold` is the one that was sent; `age` in years, of the largest
    face; `faces` counts those that were seen.
    """

    status: str | None
    method: str | None
    score: float | None
    threshold: float
    face_quality: float | None
    face_luminance: float | None
    age: float | None
    faces: int | None
    best_angle: float | None
    warnings: list[FoundWarning]
    tags: list[str]
    request_id: str | None
    extra: JsonValue


class FaceMatchResult(TypedDict):
    """A face match. `score` is 0-100, null (older pages: 0) where there was no pair to compare."""

    status: str | None
    score: float | None
    threshold: float
    faces: int | None
    ref_faces: int | None
    warnings: list[FoundWarning]
    tags: list[str]
    request_id: str | None
    extra: JsonValue


class IdVerificationResult(TypedDict):
    """An identity document as read. Dates are ISO text as sent; no images."""

    status: str | None
    document_type: str | None
    document_subtype: str | None
    document_number: str | None
    personal_number: str | None
    date_of_birth: str | None
    age: float | None
    expiration_date: str | None
    date_of_issue: str | None
    issuing_state: str | None
    issuing_state_name: str | None
    first_name: str | None
    last_name: str | None
    full_name: str | None
    gender: str | None
    nationality: str | None
    address: str | None
    formatted_address: str | None
    place_of_birth: str | None
    warnings: list[FoundWarning]
    tags: list[str]
    request_id: str | None
    extra: JsonValue


_ID_TEXTS = (
    *("status", "document_type", "document_subtype", "document_number", "personal_number", "date_of_birth"),
    *("expiration_date", "date_of_issue", "issuing_state", "issuing_state_name", "first_name", "last_name"),
    *("full_name", "gender", "nationality", "address", "formatted_address", "place_of_birth"),
)


def face_search_result(
    answer: JsonObject, found: JsonObject, params: FaceSearchParams, event: EventDocument
) -> JsonObject:
    """What a rule sees of a face search: no names, no document numbers, no image links.

    The index holds the session's own face and the same user's earlier ones, and unlike passive liveness the search
    leaves them in: they are dropped here. `total_matches` counts what is left, `vendor_total` is Didit's count.
    """
    matches = [_match(item) for item in objects(found.get("matches")) if _wanted(item, params, event)]
    known = ("status", "total_matches", "matches", "user_image", "warnings")
    return {
        "status": text(found.get("status")),
        "total_matches": len(matches),
        "matches": [*matches],
        **_findings(answer, found, known),
        "vendor_total": number(found.get("total_matches")),
    }


def passive_liveness_result(answer: JsonObject, found: JsonObject, threshold: float) -> JsonObject:
    """The score as sent: whether it declines "below" the threshold or "at or below" differs between versions of the
    documentation, so the verdict is Didit's `status`.
    """
    known = ("status", "method", "score", "face_quality", "face_luminance", "user_image", "warnings")
    faces = _entities(found.get("user_image"))
    picture = found.get("user_image")
    return {
        "status": text(found.get("status")),
        "method": text(found.get("method")),
        "score": number(found.get("score")),
        "threshold": threshold,
        "face_quality": number(found.get("face_quality")),
        "face_luminance": number(found.get("face_luminance")),
        "age": None if not faces else _years(max(faces, key=_area).get("age")),
        "faces": None if faces is None else len(faces),
        "best_angle": number(picture.get("best_angle")) if isinstance(picture, dict) else None,
        **_findings(answer, found, known),
    }


def face_match_result(answer: JsonObject, found: JsonObject, threshold: float) -> JsonObject:
    """What a rule sees of a face match."""
    faces, others = _entities(found.get("user_image")), _entities(found.get("ref_image"))
    return {
        "status": text(found.get("status")),
        "score": number(found.get("score")),
        "threshold": threshold,
        "faces": None if faces is None else len(faces),
        "ref_faces": None if others is None else len(others),
        **_findings(answer, found, ("status", "score", "user_image", "ref_image", "warnings")),
    }


def id_verification_result(answer: JsonObject, found: JsonObject) -> JsonObject:
    """What a rule sees of an identity document. The pictures (links, in older versions base64) are left out."""
    pictures = ("portrait_image", "front_image", "back_image")
    return {
        **{name: text(found.get(name)) for name in _ID_TEXTS},
        "age": _years(found.get("age")),
        **_findings(answer, found, (*_ID_TEXTS, *pictures, "age", "warnings")),
    }


def _findings(answer: JsonObject, found: JsonObject, known: tuple[str, ...]) -> JsonObject:
    warnings = found_warnings(found)
    return {
        "warnings": [{**warning} for warning in warnings],  # type: ignore[dict-item]  # a TypedDict is JSON
        "tags": [*tags(warnings)],
        "request_id": text(answer.get("request_id")),
        "extra": extra(found, known),
    }


def _wanted(item: JsonObject, params: FaceSearchParams, event: EventDocument) -> bool:
    """A match of unknown similarity stays: it cannot be said to be too weak, and it may be a blocklisted one."""
    similarity = number(item.get("similarity_percentage"))
    own_session = item.get("session_id") is not None and item.get("session_id") == event["session_id"]
    own_user = item.get("vendor_data") is not None and item.get("vendor_data") == event["vendor_data"]
    if own_session or (own_user and not params.include_own_vendor_data):
        return False
    return params.min_similarity is None or similarity is None or similarity >= params.min_similarity


def _match(item: JsonObject) -> JsonObject:
    return {
        "session_id": text(item.get("session_id")),
        "similarity": number(item.get("similarity_percentage")),
        "vendor_data": text(item.get("vendor_data")),
        "status": text(item.get("status")),
        "source": text(item.get("source")),
        "is_blocklisted": flag(item.get("is_blocklisted")),
        "is_allowlisted": flag(item.get("is_allowlisted")),
    }


def _entities(picture: JsonValue) -> list[JsonObject] | None:
    """The faces in a picture; what else is told of them (gender, race) is not read on purpose."""
    entities = picture.get("entities") if isinstance(picture, dict) else None
    return [*objects(entities)] if isinstance(entities, list) else None


def _area(entity: JsonObject) -> float:
    """The size of a face by its box, x1, y1, x2, y2; 0 where it is not told."""
    box = entity.get("bbox")
    sides = [number(side) for side in box] if isinstance(box, list) else []
    if len(sides) != 4 or None in sides:
        return 0.0
    left, top, right, bottom = (float(side or 0) for side in sides)
    area = (right - left) * (bottom - top)  # of floats: whole numbers may grow beyond what a float holds
    return area if math.isfinite(area) else 0.0


def _years(value: JsonValue) -> float | int | None:
    """An age: a number, in some versions as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        return int(value)
    return number(value)
