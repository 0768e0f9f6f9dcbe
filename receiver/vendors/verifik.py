"""Verifik's webhooks (projects, SmartEnroll), normalised: `{"type": "...", "object": {...}}`.

Its guide's own test has `{"event", "data"}` instead: that is read alike. There is no signature, no event id and no time
of delivery. The dedupe key is SHA-256 over type, `object._id` and `object.updatedAt`; where one is missing, over the
body.

`session_id` is `object._id`: what the event is about, which only in `app_registration_` events is a person's whole way
through. Only their status is put in Didit's words: COMPLETED_WITHOUT_KYC is In Review, never Approved; other statuses
stand as sent, because a completed step is no approval. `updatedAt`, an ISO 8601 time with a zone, orders the events.

Facts: Verifik's documentation (docs.verifik.co and its public sources), state of 2026-11. Payloads may hold face images
and templates as text: none is put into the event.
"""

from __future__ import annotations

import hashlib

from receiver.contract import Event, EventDocument, JsonObject, JsonValue, WarningDocument
from receiver.vendors.empty import empty_document, said, unix_seconds

_STATUSES = {
    "COMPLETED": "Approved",
    "FAILED": "Declined",
    "NEEDS_MANUAL_VERIFICATION": "In Review",
    "COMPLETED_WITHOUT_KYC": "In Review",
    "STARTED": "In Progress",
    "ONGOING": "In Progress",
    "EXPIRED": "Expired",
}
_TOO_LOW = "biometrics_liveness_score_not_acceptable"
_NOT_LIVE = "biometric_validation_liveness_failed"


def normalise(source: str, payload: JsonObject) -> Event:
    """The event that `payload` tells of. Raises nothing, whatever the JSON object."""
    kind = said(payload.get("type")) or said(payload.get("event"))
    subject = _object(payload, "object") or _object(payload, "data")
    warnings = _warnings(kind or "", subject)
    document: EventDocument = {
        **empty_document(source, "verifik"),
        "type": kind or "unknown",
        "session_id": said(subject.get("_id")),
        "status": _status(kind or "", subject),
        "warnings": warnings,
        "tags": [warning["tag"] for warning in warnings],
        "severity_max": "error" if warnings else None,
    }
    return Event(document, payload, unix_seconds(said(subject.get("updatedAt")) or ""), _key(kind, subject))


def _status(kind: str, subject: JsonObject) -> str | None:
    """The status of a registration in Didit's words; of anything else, and one that is not known, as sent."""
    sent = said(subject.get("status"))
    if sent is None or "app_registration_" not in kind:
        return sent
    return _STATUSES.get(sent.strip().upper(), sent)


def _warnings(kind: str, subject: JsonObject) -> list[WarningDocument]:
    """Verifik never says "attack": only a spoofing check that did not pass is one."""
    if not kind.endswith((_TOO_LOW, _NOT_LIVE)):
        return []
    score = _object(subject, "biometricData").get("livenessScore")
    found = [_warning("LOW_LIVENESS_SCORE", kind, {"score": score} if _is_number(score) else None)]
    spoofing = said(_object(subject, "verificationResults").get("antiSpoofing"))
    if kind.endswith(_NOT_LIVE) and spoofing is not None and spoofing.strip().lower() != "passed":
        found.append(_warning("LIVENESS_FACE_ATTACK", kind, {"antiSpoofing": spoofing}))
    return found


def _warning(tag: str, kind: str, data: JsonObject | None) -> WarningDocument:
    """`vendor_reason` is Verifik's own word for it."""
    more: JsonObject = {"vendor_reason": kind, **(data or {})}
    return {"tag": tag, "feature": "LIVENESS", "severity": "error", "node_id": None, "data": more}


def _key(kind: str | None, subject: JsonObject) -> str:
    """An empty one without all three, so that the bytes of the body count: else two events would be taken for one."""
    parts = (kind, said(subject.get("_id")), said(subject.get("updatedAt")))
    if None in parts:
        return ""
    return "sha256:" + hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _object(node: JsonObject, key: str) -> JsonObject:
    value = node.get(key)
    return value if isinstance(value, dict) else {}
