"""An entry as an event of the Open Cybersecurity Schema Framework, version 1.3.0, class API Activity (6003).

https://schema.ocsf.io/1.3.0/classes/api_activity. One class for all entries, so that a reader needs one table: what
Hookwarden records are calls that came in, decisions on them, and calls that went out. What the class requires, and what
stands there:

- `class_uid` 6003, `category_uid` 6 (Application Activity), `type_uid` = class_uid * 100 + activity_id
- `activity_id`: 1 Create (an event, a decision, a case), 2 Read (a body or an export was read), 3 Update (what an
  operator did, a policy, a label), 4 Delete (an erasure, a pruning), 99 Other (actions), the kind as `activity_name`
- `time`: Unix milliseconds; `severity_id`: 1 Informational, 3 Medium for what failed or could not be decided;
  `status_id`: 1 Success, 2 Failure
- `metadata`: `version`, `product`, `uid` (the entry's index, unique in its log), `original_time`, and the session as
  `correlation_uid`
- `actor`: a person's `user.name` (`token:...`, `cli:...`), else the part of the system as `app_name`
- `api`: `operation` (kind, and type where there is one), `service`, `response.code` (HTTP)
- `src_endpoint`: the name of the source

What has no place of its own stays in `unmapped`, under our names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from receiver.contract import JsonObject, JsonValue

VERSION: Final = "1.3.0"
CLASS_UID: Final = 6003
CATEGORY_UID: Final = 6

_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_ACTIVITIES: Final = {
    **dict.fromkeys(("event", "decision", "review", "redelivery"), _CREATE),
    **dict.fromkeys(("access", "export"), _READ),
    **dict.fromkeys(("operator", "policy", "label"), _UPDATE),
    **dict.fromkeys(("erasure", "prune"), _DELETE),
}
_NAMES: Final = {_CREATE: "Create", _READ: "Read", _UPDATE: "Update", _DELETE: "Delete"}
BAD_OUTCOMES: Final = frozenset(("failed", "dead", "lost", "undecided"))

_UNMAPPED: Final = ("rule", "outcome", "status", "tags", "policy_sha256", "attempt", "facts")


def ocsf_event(row: JsonObject) -> JsonObject:
    """The event of an entry, given as one row (`receiver.audit.formats.flat`)."""
    kind, bad = str(row["kind"]), row["outcome"] in BAD_OUTCOMES
    activity = _ACTIVITIES.get(kind, _OTHER)
    event: dict[str, Any] = {
        "class_uid": CLASS_UID,
        "class_name": "API Activity",
        "category_uid": CATEGORY_UID,
        "category_name": "Application Activity",
        "activity_id": activity,
        "activity_name": _NAMES.get(activity, kind),
        "type_uid": CLASS_UID * 100 + activity,
        "time": round(datetime.fromisoformat(str(row["at"])).timestamp() * 1000),
        "severity_id": 3 if bad else 1,
        "status_id": 2 if bad else 1,
        "metadata": _metadata(row),
        "actor": _actor(str(row["actor"])),
        "api": _api(row),
        "src_endpoint": {"name": row["source"] or "hookwarden"},
        "unmapped": {name: row[name] for name in _UNMAPPED if row[name]},
    }
    resources: list[JsonValue] = [
        {"type": name.removesuffix("_id"), "uid": row[name]} for name in ("event_id", "action_id") if row[name]
    ]
    return {**event, "resources": resources} if resources else event


def _metadata(row: JsonObject) -> JsonObject:
    metadata: JsonObject = {
        "version": VERSION,
        "product": {"name": "Hookwarden", "vendor_name": "Hookwarden"},
        "uid": str(row["idx"]),
        "original_time": row["at"],
    }
    return {**metadata, "correlation_uid": row["session_id"]} if row["session_id"] else metadata


def _actor(actor: str) -> JsonObject:
    return {"user": {"name": actor}} if actor.startswith(("token:", "cli:")) else {"app_name": actor}


def _api(row: JsonObject) -> JsonObject:
    api: JsonObject = {
        "operation": f"{row['kind']}.{row['type']}" if row["type"] else row["kind"],
        "service": {"name": "hookwarden"},
    }
    return {**api, "response": {"code": row["http_status"]}} if row["http_status"] is not None else api
