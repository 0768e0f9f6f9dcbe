"""An event in which nothing is known yet: what a vendor that says little starts from."""

from __future__ import annotations

from receiver.contract import EventDocument, JsonValue


def empty_document(source: str, vendor: str) -> EventDocument:
    """A document of type `unknown` in which every section is null and every list empty."""
    return {
        "source": source,
        "vendor": vendor,
        "vendor_event_id": None,
        "type": "unknown",
        "session_id": None,
        "session_kind": None,
        "status": None,
        "previous_status": None,
        "vendor_data": None,
        "workflow_id": None,
        "environment": None,
        "created_at": None,
        "country": None,
        "warnings": [],
        "tags": [],
        "severity_max": None,
        "liveness": None,
        "face_match": None,
        "matches": [],
        "document": None,
        "ip": None,
        "aml": None,
        "phone": None,
        "email": None,
        "images": None,
        "stale": False,
        "echo": False,
    }


def said(value: JsonValue) -> str | None:
    """A text that is not empty, as sent."""
    return value if isinstance(value, str) and value else None
