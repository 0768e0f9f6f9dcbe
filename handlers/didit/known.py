"""What is known of the results of the `didit.` actions beyond their shapes: so `check` finds a comparison that is none.

Facts: Didit's API reference (docs.didit.me), mid to late 2026. Vocabularies of Didit's grow, so only words that we
wrote ourselves are closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from handlers.didit.list_params import EntryType, UserStatus
from handlers.didit.session_params import NewStatus
from receiver.contract import FEATURE_STATUSES, SESSION_STATUSES, SEVERITIES, Known, Range, Words

_PERCENT: Final = Range(0, 100)
_OF_SESSION: Final = Words("status", SESSION_STATUSES)
_ITEMS: Final = ("face", "document", "phone", "email")
_CHECK: Final[Mapping[str, Known]] = {
    "status": Words("status of a check", FEATURE_STATUSES),
    "tags[]": Words("tag"),
    "warnings[].tag": Words("tag"),
    "warnings[].severity": Words("severity", SEVERITIES),
}
FACE_SEARCH: Final[Mapping[str, Known]] = {
    **_CHECK,
    "matches[].similarity": _PERCENT,
    "matches[].status": _OF_SESSION,
    "matches[].source": Words("source", ("session", "imported", "list_entry", "retained_template")),
}
PASSIVE_LIVENESS: Final[Mapping[str, Known]] = {
    **_CHECK,
    **dict.fromkeys(("score", "threshold", "face_quality", "face_luminance"), _PERCENT),
}
FACE_MATCH: Final[Mapping[str, Known]] = {**_CHECK, "score": _PERCENT, "threshold": _PERCENT}
ID_VERIFICATION: Final[Mapping[str, Known]] = {
    **_CHECK,
    "issuing_state": "country",
    "nationality": "country",
    **dict.fromkeys(("date_of_birth", "expiration_date", "date_of_issue"), "date"),
}
SESSION: Final[Mapping[str, Known]] = {"status": _OF_SESSION}
SESSIONS: Final[Mapping[str, Known]] = {
    "sessions[].status": _OF_SESSION,
    "sessions[].session_kind": Words("kind of session", ("user", "business")),
}
SET_STATUS: Final[Mapping[str, Known]] = {"status": Words("status", get_args(NewStatus), closed=True)}
BLOCKLIST: Final[Mapping[str, Known]] = {"items[]": Words("kind", _ITEMS, closed=True)}
BLOCKED: Final[Mapping[str, Known]] = {"items[].type": Words("kind", _ITEMS)}
LIST_ADD: Final[Mapping[str, Known]] = {"entry_type": Words("kind", get_args(EntryType), closed=True)}
USER_STATUS: Final[Mapping[str, Known]] = {"status": Words("status", get_args(UserStatus), closed=True)}
