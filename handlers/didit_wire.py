"""Didit's documents read for what the actions need. Pure: JSON in, values out; every field may be missing or null.

Facts: docs.didit.me; where versions differ, both shapes are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from handlers.didit_params import FaceSearchParams
from handlers.redact import redact
from receiver.contract import EventDocument, JsonObject, JsonValue, MatchDocument

# selfies before the chip's photo before the document's; V3 decisions hold lists, V2 ones a single object
_IMAGE_PLACES = (
    ("liveness_checks", "liveness", "reference_image"),
    ("face_matches", "face_match", "target_image"),
    ("nfc_verifications", "nfc", "portrait_image"),
    ("id_verifications", "id_verification", "portrait_image"),
)
_WARNING_DATA = (
    "duplicated_session_id",
    "duplicated_session_number",
    "blocklisted_session_id",
    "blocklisted_session_number",
    "api_service",
)


class FoundWarning(TypedDict):
    """What Didit warns of in the answer to a search."""

    tag: str | None
    severity: str | None
    data: JsonValue


class FaceSearchResult(TypedDict):
    """What rules see as `result` of a face search: the shape of what `face_search_result` gives."""

    status: str | None
    total_matches: int
    matches: list[MatchDocument]
    warnings: list[FoundWarning]
    request_id: str | None
    vendor_total: float | None


def image_link(decision: JsonObject) -> str | None:
    """The best face image of a session: a signed link that lives for an hour at most, so a secret, and soon useless."""
    for plural, singular, name in _IMAGE_PLACES:
        for item in (*_objects(decision.get(plural)), *_objects([decision.get(singular)])):
            link = item.get(name)
            if isinstance(link, str) and link:
                return link
    return None


def face_search_result(
    answer: JsonObject, found: JsonObject, params: FaceSearchParams, event: EventDocument
) -> JsonObject:
    """What a rule sees of a face search: no names, no document numbers, no image links.

    The index holds the session's own face and the same user's earlier ones, and unlike passive liveness the search
    leaves them in: they are dropped here. `total_matches` counts what is left, `vendor_total` is Didit's count.
    """
    matches = [_match(item) for item in _objects(found.get("matches")) if _wanted(item, params, event)]
    return {
        "status": _text(found.get("status")),
        "total_matches": len(matches),
        "matches": [*matches],
        "warnings": [_warning(item) for item in _objects(found.get("warnings"))],
        "request_id": _text(answer.get("request_id")),
        "vendor_total": _number(found.get("total_matches")),
    }


def _wanted(item: JsonObject, params: FaceSearchParams, event: EventDocument) -> bool:
    """A match of unknown similarity stays: it cannot be said to be too weak, and it may be a blocklisted one."""
    similarity = _number(item.get("similarity_percentage"))
    own_session = item.get("session_id") is not None and item.get("session_id") == event["session_id"]
    own_user = item.get("vendor_data") is not None and item.get("vendor_data") == event["vendor_data"]
    if own_session or (own_user and not params.include_own_vendor_data):
        return False
    return params.min_similarity is None or similarity is None or similarity >= params.min_similarity


def _match(item: JsonObject) -> JsonObject:
    return {
        "session_id": _text(item.get("session_id")),
        "similarity": _number(item.get("similarity_percentage")),
        "vendor_data": _text(item.get("vendor_data")),
        "status": _text(item.get("status")),
        "source": _text(item.get("source")),
        "is_blocklisted": _flag(item.get("is_blocklisted")),
        "is_allowlisted": _flag(item.get("is_allowlisted")),
    }


def _warning(item: JsonObject) -> JsonObject:
    """`data` keeps only the documented fields, which point to sessions and name nobody."""
    data = item.get("additional_data")
    known: JsonObject = {name: data[name] for name in _WARNING_DATA if name in data} if isinstance(data, dict) else {}
    return {"tag": _text(item.get("risk")), "severity": _text(item.get("log_type")), "data": known or None}


def readable_decision(decision: JsonObject) -> JsonObject:
    """A decision without anything that opens a door: every link cut down to its host, images and tokens gone."""
    return redact(decision, every_link=True)


def _objects(value: JsonValue) -> Iterator[JsonObject]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: JsonValue) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _flag(value: JsonValue) -> bool | None:
    return value if isinstance(value, bool) else None
