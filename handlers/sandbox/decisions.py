"""The decision object of a session, in the shapes of Didit's webhook versions V3, V2 and V1.

Only documented fields are written; what a sandbox cannot know is null, or left out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from handlers.sandbox.media import Links
from handlers.sandbox.state import Session
from receiver.contract import JsonObject, JsonValue

ID_ARRAY: Final = "id_verifications"

SINGULAR: Final = {
    ID_ARRAY: "id_verification",
    "nfc_verifications": "nfc",
    "liveness_checks": "liveness",
    "face_matches": "face_match",
    "phone_verifications": "phone",
    "email_verifications": "email",
    "poa_verifications": "poa",
    "aml_screenings": "aml",
    "ip_analyses": "ip_analysis",
    "database_validations": "database_validation",
}
"""V3's arrays and the names of the same features in V2."""

_ARRAYS: Final = (*SINGULAR, "document_ai_documents", "questionnaire_responses", "geolocation_checks")

FEATURE_NAMES: Final = {
    ID_ARRAY: "ID_VERIFICATION",
    "nfc_verifications": "NFC",
    "liveness_checks": "LIVENESS",
    "face_matches": "FACE_MATCH",
    "phone_verifications": "PHONE",
    "email_verifications": "EMAIL_VERIFICATION",
    "poa_verifications": "POA",
    "aml_screenings": "AML",
    "ip_analyses": "IP_ANALYSIS",
    "database_validations": "DATABASE_VALIDATION",
}

_LIFETIME: Final = 7 * 24 * 3600


def iso_time(seconds: float) -> str:
    """Unix seconds as the vendor writes times: ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decision_v3(session: Session, links: Links) -> JsonObject:
    """The decision with one array for each feature, null until it ran; links to images are fresh."""
    document = _common(session, links)
    document |= {"environment": "sandbox", "workflow_version": session.workflow_version}
    if session.kind is not None:
        document["session_kind"] = session.kind
    for array in _ARRAYS:
        records: list[JsonValue] = [links.fill(record) for record in session.features.get(array, [])]
        document[array] = records or None
    return document


def decision_v2(session: Session, links: Links) -> JsonObject:
    """The decision with one object for each feature: the first run only."""
    document = _common(session, links)
    for array, name in SINGULAR.items():
        records = session.features.get(array)
        document[name] = links.fill(_without_node(records[0])) if records else None
    return document


def _without_node(record: JsonObject) -> JsonObject:
    return {name: value for name, value in record.items() if name != "node_id"}


def decision_v1(session: Session, links: Links) -> JsonObject:
    """The oldest shape: `kyc` and `face`, features in one text, no warnings."""
    kyc = session.newest(ID_ARRAY)
    return {
        "session_id": session.session_id,
        "session_number": session.number,
        "session_url": links.session(session.token),
        "status": session.status,
        "vendor_data": session.vendor_data,
        "callback": session.callback,
        "features": "OCR + FACE",
        "kyc": links.fill(_kyc_v1(kyc)) if kyc else None,
        "aml": None,
        "face": links.fill(_face_v1(session)),
    }


_KYC_V1: Final = (
    "status document_type document_number personal_number portrait_image front_image back_image date_of_birth "
    "expiration_date issuing_state issuing_state_name first_name last_name full_name gender"
).split()


def _kyc_v1(record: JsonObject) -> JsonObject:
    return {name: record.get(name) for name in _KYC_V1}


def _face_v1(session: Session) -> JsonObject:
    liveness, match = session.newest("liveness_checks") or {}, session.newest("face_matches") or {}
    return {
        "status": session.status,
        "face_match_status": match.get("status"),
        "liveness_status": liveness.get("status"),
        "face_match_similarity": match.get("score"),
        "liveness_confidence": liveness.get("score"),
        "source_image": match.get("source_image"),
        "target_image": match.get("target_image"),
        "video_url": liveness.get("video_url"),
    }


def _common(session: Session, links: Links) -> JsonObject:
    reviews: list[JsonValue] = [dict(review) for review in session.reviews]
    features: list[JsonValue] = [name for array, name in FEATURE_NAMES.items() if array in session.features]
    return {
        "session_id": session.session_id,
        "session_number": session.number,
        "session_url": links.session(session.token),
        "status": session.status,
        "workflow_id": session.workflow_id,
        "features": features,
        "vendor_data": session.vendor_data,
        "metadata": session.metadata,
        "expected_details": session.expected_details,
        "contact_details": session.contact_details,
        "callback": session.callback,
        "created_at": iso_time(session.created_at),
        "expires_at": iso_time(session.created_at + _LIFETIME),
        "reviews": reviews,
    }


def review(status: str, comment: str | None, at: int) -> JsonObject:
    """An entry of a decision's `reviews[]`."""
    return {
        "user": "analyst@example.invalid",
        "new_status": status,
        "comment": comment,
        "created_at": iso_time(at),
    }
