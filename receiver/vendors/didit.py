"""Didit's webhook payloads, normalised.

Three shapes of `decision` are read alike: V3 has an array per feature with one item per workflow node
(`liveness_checks`), V2 one object per feature (`liveness`), V1 the older objects `kyc`, `face` and `location`. Entity
events are flat, or stand in an older wrapper {event, data}. Every field may be absent, null or of another type; then it
counts as not sent. Source of the field names: Didit's public documentation (docs.didit.me, webhooks and data models),
its published skills and demo receiver, state of 2026-11.

Where a session has several instances of a check, the worst one is shown: Declined before In Review before any other
status before Approved; among equals the one with the lower score (AML: the higher one; without a score last); then the
first. The selfie is the worst check's, too. Of documents, IP analyses, phones and emails the first is shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from math import inf

from receiver.contract import (
    SEVERITIES,
    AmlDocument,
    Event,
    EventDocument,
    FaceMatchDocument,
    IdDocument,
    ImagesDocument,
    IpDocument,
    JsonObject,
    JsonValue,
    LivenessDocument,
    MatchDocument,
    WarningDocument,
)
from receiver.jsontext import canonical

_NOT_FEATURES = frozenset(("metadata", "expected_details", "contact_details", "vendor_data"))  # the integrator's own
_STATUS_RANK = {"Declined": 0, "In Review": 1, "Approved": 3}
_OTHER_STATUS = 2
_V1_FACE = {
    "liveness": {"status": "liveness_status", "score": "liveness_confidence"},
    "face_match": {"status": "face_match_status", "score": "face_match_similarity", "target_image": "target_image"},
}
_MAX_SECONDS = 2**53  # beyond it a number is no time


def normalise(source: str, payload: JsonObject) -> Event:
    """The event that `payload` tells of. Raises nothing, whatever the JSON object."""
    decision = _object(payload, "decision")
    features = _without_v1(decision)
    wrapped = _object(payload, "data")
    vendor_event_id = _id(payload, "event_id")
    created_at = _seconds(payload, "created_at")
    checks = _items(features, "liveness_checks", "liveness")
    worst_checks = _worst_first(checks, 1)
    face_matches = _worst_first(_items(features, "face_matches", "face_match"), 1)
    documents = _items(features, "id_verifications", "id_verification")
    warnings = _warnings(decision)
    document: EventDocument = {
        "source": source,
        "vendor": "didit",
        "vendor_event_id": vendor_event_id,
        "type": _text(payload, "webhook_type") or _text(payload, "event") or "unknown",
        "session_id": _id(payload, "session_id") or _id(payload, "business_session_id") or _id(decision, "session_id"),
        "session_kind": _first_text((payload, decision, wrapped), "session_kind"),
        "status": _first_text((payload, wrapped, decision), "status"),
        "previous_status": _first_text((payload, wrapped), "previous_status"),
        "vendor_data": _id(payload, "vendor_data") or _id(wrapped, "vendor_data") or _id(decision, "vendor_data"),
        "workflow_id": _id(payload, "workflow_id") or _id(decision, "workflow_id"),
        "environment": _first_text((payload, decision), "environment"),
        "created_at": created_at,
        "country": _first_text(documents[:1], "issuing_state"),
        "warnings": warnings,
        "tags": list(dict.fromkeys([warning["tag"] for warning in warnings])),
        "severity_max": _severity_max(warnings),
        "liveness": _liveness(worst_checks),
        "face_match": _face_match(face_matches),
        "matches": _matches((*checks, *documents)),
        "document": _document(documents),
        "ip": _ip(_items(features, "ip_analyses", "ip_analysis")),
        "aml": _aml(_worst_first(_items(features, "aml_screenings", "aml"), -1)),
        "phone": _first_text(_items(features, "phone_verifications", "phone"), "full_number"),
        "email": _first_text(_items(features, "email_verifications", "email"), "email"),
        "images": _images(worst_checks, face_matches, documents, _items(features, "nfc_verifications", "nfc")),
        "stale": False,
        "echo": False,
    }
    occurred_at = _seconds(payload, "timestamp")
    return Event(
        document, payload, created_at if occurred_at is None else occurred_at, vendor_event_id or _hash(payload)
    )


def _hash(payload: JsonObject) -> str:
    """The dedupe key of an event without an id. A resend is the same but for its `timestamp`."""
    rest = {key: value for key, value in payload.items() if key != "timestamp"}
    return "sha256:" + hashlib.sha256(canonical(rest, ascii=True)).hexdigest()


def _without_v1(decision: JsonObject) -> JsonObject:
    """`decision` with what V1 sends under the names of V2."""
    features = decision
    for old, new in (("kyc", "id_verification"), ("location", "ip_analysis")):
        if old in decision:
            features = {**features, new: decision[old]}
    face = _object(decision, "face")
    for name, fields in _V1_FACE.items():
        item = {new: face[old] for new, old in fields.items() if old in face}
        if item:
            features = {**features, name: item}
    return features


def _warnings(decision: JsonObject) -> list[WarningDocument]:
    """Every warning of every node of every feature, also of features that are not known here, in document order."""
    found: list[WarningDocument] = []
    for name, section in decision.items():
        nodes: Iterable[JsonValue]
        if name in _NOT_FEATURES:
            continue
        if name == "warnings":
            nodes = (decision,)
        elif isinstance(section, list):
            nodes = section
        elif isinstance(section, dict):
            nodes = (section,) if "warnings" in section else section.values()  # else keyed by node
        else:
            continue
        for node in nodes:
            if isinstance(node, dict):
                warnings = node.get("warnings")
                if warnings and isinstance(warnings, list):
                    found += [read for warning in warnings if (read := _warning(warning, node))]
    return found


def _warning(warning: JsonValue, node: JsonObject) -> WarningDocument | None:
    if isinstance(warning, str):
        warning = {"risk": warning}
    if not isinstance(warning, dict):
        return None
    tag = _text(warning, "risk")
    if not tag:
        return None
    return {
        "tag": tag,
        "feature": _text(warning, "feature"),
        "severity": _text(warning, "log_type"),
        "node_id": _id(warning, "node_id") or _id(node, "node_id"),
        "data": warning.get("additional_data"),
    }


def _severity_max(warnings: list[WarningDocument]) -> str | None:
    sent = {warning["severity"] for warning in warnings}
    return next((severity for severity in reversed(SEVERITIES) if severity in sent), None)


def _liveness(checks: list[JsonObject]) -> LivenessDocument | None:
    if not checks:
        return None
    check = checks[0]
    method = _text(check, "method")
    return {
        "status": _text(check, "status"),
        "score": _number(check, "score"),
        "method": method.lower() if method else None,
        "face_quality": _number(check, "face_quality"),
        "face_luminance": _number(check, "face_luminance"),
        "age": _number(check, "age_estimation"),
    }


def _face_match(face_matches: list[JsonObject]) -> FaceMatchDocument | None:
    if not face_matches:
        return None
    return {"status": _text(face_matches[0], "status"), "score": _number(face_matches[0], "score")}


def _matches(nodes: Iterable[JsonObject]) -> list[MatchDocument]:
    found: list[MatchDocument] = []
    for node in nodes:
        matches = node.get("matches")
        if matches and isinstance(matches, list):
            found += [_match(match) for match in matches if isinstance(match, dict)]
    return found


def _match(match: JsonObject) -> MatchDocument:
    return {
        "session_id": _id(match, "session_id"),
        "similarity": _number(match, "similarity_percentage"),
        "vendor_data": _id(match, "vendor_data"),
        "status": _text(match, "status"),
        "source": _text(match, "source"),
        "is_blocklisted": _flag(match, "is_blocklisted"),
        "is_allowlisted": _flag(match, "is_allowlisted"),
    }


def _document(documents: list[JsonObject]) -> IdDocument | None:
    if not documents:
        return None
    document = documents[0]
    return {
        "type": _text(document, "document_type"),
        "number": _id(document, "document_number"),
        "issuing_state": _text(document, "issuing_state"),
        "expiration_date": _text(document, "expiration_date"),
        "age": _number(document, "age"),
        "nationality": _text(document, "nationality"),
    }


def _ip(analyses: list[JsonObject]) -> IpDocument | None:
    if not analyses:
        return None
    return {
        "country": _text(analyses[0], "ip_country_code"),
        "is_vpn": _flag(analyses[0], "is_vpn_or_tor"),
        "is_datacenter": _flag(analyses[0], "is_data_center"),
    }


def _aml(screenings: list[JsonObject]) -> AmlDocument | None:
    if not screenings:
        return None
    hits = screenings[0].get("hits")
    return {
        "score": _number(screenings[0], "score"),
        "total_hits": _number(screenings[0], "total_hits"),
        "hits": hits if isinstance(hits, list) else [],
    }


def _images(
    checks: list[JsonObject], face_matches: list[JsonObject], documents: list[JsonObject], chips: list[JsonObject]
) -> ImagesDocument | None:
    selfie = _first_text(checks, "reference_image") or _first_text(face_matches, "target_image")
    portrait = _first_text(chips, "portrait_image") or _first_text(documents, "portrait_image")
    document = _first_text(documents, "front_image")
    if not (selfie or portrait or document):
        return None
    return {"selfie": selfie, "document": document, "portrait": portrait}


def _items(features: JsonObject, *names: str) -> list[JsonObject]:
    """The instances of one feature, by its V3 and its V2 name."""
    found: list[JsonObject] = []
    for name in names:
        section = features.get(name)
        if isinstance(section, dict):
            found.append(section)
        elif isinstance(section, list):
            found += [item for item in section if isinstance(item, dict)]
    return found


def _worst_first(items: list[JsonObject], worse: int) -> list[JsonObject]:
    """`worse` is 1 where a low score is the worse one, -1 where a high score is."""
    return sorted(items, key=lambda item: _badness(item, worse)) if len(items) > 1 else items


def _badness(item: JsonObject, worse: int) -> tuple[int, float]:
    score = _number(item, "score")
    return _STATUS_RANK.get(_text(item, "status") or "", _OTHER_STATUS), inf if score is None else worse * score


def _object(node: JsonObject, key: str) -> JsonObject:
    value = node.get(key)
    return value if isinstance(value, dict) else {}


def _text(node: JsonObject, key: str) -> str | None:
    value = node.get(key)
    return value if isinstance(value, str) else None


def _first_text(nodes: Iterable[JsonObject], key: str) -> str | None:
    """The first text under `key` that is not empty."""
    for node in nodes:
        value = node.get(key)
        if value and isinstance(value, str):
            return value
    return None


def _id(node: JsonObject, key: str) -> str | None:
    """An identifier, as text; an empty one identifies nothing."""
    value = node.get(key)
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _number(node: JsonObject, key: str) -> int | float | None:
    """A number, as sent."""
    value = node.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _flag(node: JsonObject, key: str) -> bool | None:
    value = node.get(key)
    return value if isinstance(value, bool) else None


def _seconds(node: JsonObject, key: str) -> int | None:
    value = node.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_SECONDS:
        return value
    return None
