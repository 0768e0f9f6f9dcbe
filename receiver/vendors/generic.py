"""Any sender's JSON as an event: what the operator's `map:` names becomes the event's field, all else stays in `raw`.

Types are read leniently: a value of another kind counts as not sent, because a sender that changes its payload must
not cost an event. Numbers stand for ids too. Times are Unix seconds or ISO 8601 text with a zone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from receiver.contract import Event, EventDocument, JsonObject, JsonValue, WarningDocument
from receiver.vendors.empty import empty_document, said, unix_seconds

Reading: TypeAlias = Callable[[JsonObject], Mapping[str, JsonValue]]
"""payload -> the fields that the map names, None where there is nothing. Raises nothing."""

TEXTS = ("type", "status", "previous_status", "session_kind", "environment", "country", "phone", "email")
IDS = ("id", "session_id", "vendor_data", "workflow_id")
TIMES = ("created_at", "occurred_at")
FIELDS = (*TEXTS, *IDS, *TIMES, "tags")
"""What a `map:` may name."""

_MAX_SECONDS = 2**53  # beyond it a number is no time
_MAX_ID_DIGITS = 40


def normaliser(read: Reading) -> Callable[[str, JsonObject], Event]:
    """The normaliser of a source with this reading. What it gives has no dedupe key where the map gives no `id`."""

    def normalise(source: str, payload: JsonObject) -> Event:
        found = read(payload)
        vendor_event_id, created_at = _id(found.get("id")), _seconds(found.get("created_at"))
        occurred_at = _seconds(found.get("occurred_at"))
        document = _document(source, found, vendor_event_id, created_at)
        return Event(document, payload, created_at if occurred_at is None else occurred_at, vendor_event_id or "")

    return normalise


normalise = normaliser(lambda _: {})


def _document(
    source: str, found: Mapping[str, JsonValue], vendor_event_id: str | None, created_at: int | None
) -> EventDocument:
    texts = {name: said(found.get(name)) for name in TEXTS}
    ids = {name: _id(found.get(name)) for name in IDS}
    tags = _tags(found.get("tags"))
    return {
        **empty_document(source, "generic"),
        "vendor_event_id": vendor_event_id,
        "type": texts["type"] or "unknown",
        "session_id": ids["session_id"],
        "session_kind": texts["session_kind"],
        "status": texts["status"],
        "previous_status": texts["previous_status"],
        "vendor_data": ids["vendor_data"],
        "workflow_id": ids["workflow_id"],
        "environment": texts["environment"],
        "created_at": created_at,
        "country": texts["country"],
        "warnings": [_warning(tag) for tag in tags],
        "tags": tags,
        "phone": texts["phone"],
        "email": texts["email"],
    }


def _id(value: JsonValue) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_MAX_ID_DIGITS:
        return str(value)
    return said(value)


def _tags(value: JsonValue) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(item for item in items if isinstance(item, str) and item))


def _warning(tag: str) -> WarningDocument:
    return {"tag": tag, "feature": None, "severity": None, "node_id": None, "data": None}


def _seconds(value: JsonValue) -> int | None:
    if isinstance(value, str):
        return unix_seconds(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MAX_SECONDS:
        return None
    return int(value)
