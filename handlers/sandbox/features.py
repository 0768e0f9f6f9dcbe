"""Records of features, as the V3 arrays of a decision hold them. All people and documents are invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from handlers.sandbox.media import ImageRef
from receiver.contract import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist. `state` is the alpha-3 code of the document's country."""

    first_name: str
    last_name: str
    document_number: str
    state: str
    state_name: str
    date_of_birth: str = "1991-04-17"
    age: int = 35
    expires: str = "2032-05-02"
    gender: str = "F"
    document_type: str = "Identity Card"
    place_of_birth: str | None = None
    ip_address: str = "198.51.100.24"
    ip_country: str = "Estonia"
    ip_country_code: str = "EE"
    ip_city: str = "Tallinn"
    phone: str | None = None
    email: str | None = None

    @property
    def full_name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class Pictures:
    """The images of one session."""

    selfie: ImageRef
    portrait: ImageRef
    document: ImageRef


def status_of(warnings: Sequence[JsonObject]) -> str:
    """A feature's status by the worst of its warnings: error declines, warning sends to review."""
    levels = {warning["log_type"] for warning in warnings}
    return "Declined" if "error" in levels else "In Review" if "warning" in levels else "Approved"


def finding(risk: str, log_type: str, feature: str) -> JsonObject:
    """A warning of a workflow's step. What the vendor writes about it is its name here, in words."""
    said = risk.replace("_", " ").capitalize()
    return {
        "risk": risk,
        "feature": feature,
        "additional_data": None,
        "log_type": log_type,
        "short_description": said,
        "long_description": f"{said}.",
    }


def id_verification(
    person: Person, pictures: Pictures, matches: Sequence[JsonObject] = (), warnings: Sequence[JsonObject] = ()
) -> JsonObject:
    """The identity document, with the sessions that showed the same one."""
    found: list[JsonValue] = [*matches]
    return {
        "node_id": "feature_ocr",
        "status": status_of(warnings),
        "document_type": person.document_type,
        "document_number": person.document_number,
        "personal_number": None,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "full_name": person.full_name,
        "date_of_birth": person.date_of_birth,
        "age": person.age,
        "gender": person.gender,
        "nationality": person.state,
        "issuing_state": person.state,
        "issuing_state_name": person.state_name,
        "place_of_birth": person.place_of_birth,
        "date_of_issue": "2022-05-02",
        "expiration_date": person.expires,
        "address": None,
        "formatted_address": None,
        "parsed_address": None,
        "portrait_image": pictures.portrait,
        "front_image": pictures.document,
        "back_image": None,
        "front_image_quality_score": _QUALITY,
        "extra_fields": {},
        "extra_files": [],
        "matches": found,
        "warnings": _at_node(warnings, "feature_ocr"),
    }


_QUALITY: Final[JsonObject] = {
    "overall_score": 84.6,
    "brightness_score": 97.9,
    "brightness_issue": "ok",
    "focus_score": 100.0,
    "resolution_score": 40.9,
    "is_document_fully_visible": True,
}


def liveness_check(
    score: float,
    age: float,
    luminance: float,
    pictures: Pictures,
    matches: list[JsonObject],
    warnings: list[JsonObject],
) -> JsonObject:
    """A passive liveness check with what its own face search found."""
    found: list[JsonValue] = [*matches]
    return {
        "node_id": "feature_liveness",
        "status": status_of(warnings),
        "method": "PASSIVE",
        "score": score,
        "age_estimation": age,
        "face_quality": 71.2,
        "face_luminance": luminance,
        "reference_image": pictures.selfie,
        "video_url": None,
        "matches": found,
        "warnings": _at_node(warnings, "feature_liveness"),
    }


def face_match(score: float | None, pictures: Pictures, warnings: list[JsonObject]) -> JsonObject:
    """Selfie against portrait. The target is the selfie, the source is the reference; no score: nothing to compare."""
    return {
        "node_id": "feature_face_match",
        "status": status_of(warnings),
        "score": score,
        "source_image": None if score is None else pictures.portrait,
        "source_image_session_id": None,
        "target_image": pictures.selfie,
        "warnings": _at_node(warnings, "feature_face_match"),
    }


def aml_screening(score: float, person: Person, warnings: Sequence[JsonObject]) -> JsonObject:
    """A screening against lists of sanctioned and politically exposed people, with one candidate."""
    return {
        "node_id": "feature_aml",
        "status": status_of(warnings),
        "entity_type": "person",
        "total_hits": 1,
        "score": score,
        "hits": [{"caption": person.full_name, "match_score": score, "review_status": "Unreviewed"}],
        "screened_data": {"full_name": person.full_name, "nationality": person.state},
        "warnings": _at_node(warnings, "feature_aml"),
    }


def _at_node(warnings: Sequence[JsonObject], node_id: str) -> list[JsonValue]:
    return [{**warning, "node_id": node_id} for warning in warnings]


def ip_analysis(person: Person, warnings: Sequence[JsonObject] = ()) -> JsonObject:
    """Where the person came from; a private network is one that hides it."""
    return {
        "node_id": "feature_ip_analysis",
        "status": status_of(warnings),
        "ip_address": person.ip_address,
        "ip_country": person.ip_country,
        "ip_country_code": person.ip_country_code,
        "ip_city": person.ip_city,
        "isp": "Example Net",
        "organization": "Example Net",
        "is_vpn_or_tor": any(warning["risk"] == "PRIVATE_NETWORK_DETECTED" for warning in warnings),
        "is_data_center": False,
        "os_family": "Windows",
        "browser_family": "Chrome",
        "warnings": _at_node(warnings, "feature_ip_analysis"),
    }


def phone_verification(number: str, warnings: Sequence[JsonObject] = ()) -> JsonObject:
    """A telephone number in E.164."""
    return {
        "node_id": "feature_phone",
        "status": status_of(warnings),
        "full_number": number,
        "is_disposable": False,
        "is_virtual": any(warning["risk"] == "VOIP_NUMBER_DETECTED" for warning in warnings),
        "verification_attempts": 1,
        "warnings": _at_node(warnings, "feature_phone"),
    }


def email_verification(address: str, warnings: Sequence[JsonObject] = ()) -> JsonObject:
    """An address, and what is known of it."""
    risks = {warning["risk"] for warning in warnings}
    return {
        "node_id": "feature_email",
        "status": status_of(warnings),
        "email": address,
        "is_breached": "BREACHED_EMAIL_DETECTED" in risks,
        "is_disposable": "DISPOSABLE_EMAIL_DETECTED" in risks,
        "is_undeliverable": "UNDELIVERABLE_EMAIL_DETECTED" in risks,
        "verification_attempts": 1,
        "warnings": _at_node(warnings, "feature_email"),
    }
