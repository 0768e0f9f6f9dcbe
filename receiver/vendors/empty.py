"""An event in which nothing is known yet, and how values are read that a vendor may have sent: what a vendor that says
little starts from.
"""

from __future__ import annotations

import re
from calendar import timegm
from typing import Final

from receiver.contract import EventDocument, JsonValue

_ISO: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(?:Z|([+-])([0-9]{2}):?([0-9]{2}))"
)


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


def unix_seconds(text: str) -> int | None:
    """Whole Unix seconds of an ISO 8601 time with a zone, such as `2026-11-20T09:30:00.123Z`; None for anything else,
    and for what was before 1970.
    """
    found = _ISO.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    if not (year and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        return None
    east = (int(found[8]) * 60 + int(found[9])) * (-60 if found[7] == "-" else 60) if found[7] else 0
    seconds = timegm((year, month, day, hour, minute, second)) - east
    return seconds if seconds >= 0 else None
