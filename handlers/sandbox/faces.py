"""The 1:N face search: who looks like whom, and the findings that follow.

Candidates and warnings follow Didit's face-search pages: a block outranks a duplicate of the same band; duplicates are
reported only for faces of approved sessions or imported ones; faces that saved searches enrolled are not found by later
searches (the newest page; older text says that they are). The bands on the standalone call are internal to the vendor:
the workflow defaults 62 and 68 stand in for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from handlers.sandbox.decisions import ID_ARRAY, iso_time
from handlers.sandbox.state import DiditState, Face, Session
from receiver.contract import JsonObject, JsonValue

SearchType = Literal["most_similar", "blocklisted_or_approved"]
MAX_MATCHES: Final = 5
POSSIBLE: Final = 62.0
HIGH: Final = 68.0

_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "FACE_IN_BLOCKLIST": ("Face in blocklist", "The face matches one on the blocklist with high confidence."),
    "POSSIBLE_FACE_IN_BLOCKLIST": ("Possible face in blocklist", "The face may match one on the blocklist."),
    "DUPLICATED_FACE": ("Duplicated face", "The face matches one that was approved before with high confidence."),
    "POSSIBLE_DUPLICATED_FACE": ("Possible duplicated face", "The face may match one that was approved before."),
    "MULTIPLE_FACES_DETECTED": ("Multiple faces", "More than one face was found; the largest was used."),
    "LIVENESS_FACE_ATTACK": ("Presentation attack", "The capture shows signs of a spoofed face."),
    "LOW_LIVENESS_SCORE": ("Low liveness score", "The liveness score is at or below the configured threshold."),
    "LOW_FACE_MATCH_SIMILARITY": ("Low face match", "Selfie and document portrait resemble each other too little."),
}


@dataclass(frozen=True, slots=True)
class Match:
    """One look-alike; `similarity` is 0 to 100."""

    face: Face
    session: Session | None
    similarity: float
    blocked: bool
    allowed: bool

    @property
    def vouched(self) -> bool:
        """Whether a duplicate of it counts: an approved session's face, or an imported one."""
        return self.face.source == "imported" or (self.session is not None and self.session.status == "Approved")

    def document(self) -> JsonObject:
        """The match as an item of `matches[]`, its link an ImageRef. Fields that only a session has are null without
        one.
        """
        return {
            **_session_fields(self.session),
            "similarity_percentage": self.similarity,
            "source": self.face.source,
            "vendor_user_id": None,
            "match_image_url": self.face.image,
            "is_blocklisted": self.blocked,
            "is_allowlisted": self.allowed,
            "api_service": None,
        }


def same_document(session: Session) -> JsonObject:
    """A session that showed the same document, as an item of a document's `matches[]`: no face was compared."""
    return {
        **_session_fields(session),
        "similarity_percentage": None,
        "source": "session",
        "match_image_url": None,
        "is_blocklisted": False,
        "is_allowlisted": False,
    }


def _session_fields(session: Session | None) -> JsonObject:
    if session is None:
        return dict.fromkeys(_SESSION_FIELDS)
    return {
        "session_id": session.session_id,
        "session_number": session.number,
        "vendor_data": session.vendor_data,
        "verification_date": iso_time(session.created_at),
        "user_details": _user_details(session),
        "status": session.status,
    }


_SESSION_FIELDS: Final = ("session_id", "session_number", "vendor_data", "verification_date", "user_details", "status")


def _user_details(session: Session) -> JsonObject | None:
    record = session.newest(ID_ARRAY)
    if record is None:
        return None
    return {name: record.get(name) for name in ("full_name", "document_type", "document_number")}


def search(
    state: DiditState, fingerprint: str, search_type: SearchType = "most_similar", not_of: str | None = None
) -> list[Match]:
    """At most five look-alikes, best first; `blocklisted_or_approved` looks at fewer faces and puts the blocked ones
    first.

    `not_of` leaves out the faces of one vendor_data: a workflow does so, the standalone call does not.
    """
    listed = search_type == "blocklisted_or_approved"
    found = [_match(state, fingerprint, face) for face in state.faces if face.source != "face_search"]
    close = [match for match in found if match.similarity >= POSSIBLE]
    if not_of is not None:
        close = [match for match in close if match.session is None or match.session.vendor_data != not_of]
    if listed:
        close = [match for match in close if match.blocked or match.allowed or match.vouched]
    close.sort(key=lambda match: (not (listed and (match.blocked or match.allowed)), -match.similarity))
    return close[:MAX_MATCHES]


def _match(state: DiditState, fingerprint: str, face: Face) -> Match:
    return Match(
        face=face,
        session=state.sessions.get(face.session_id) if face.session_id else None,
        similarity=state.similarity(fingerprint, face.fingerprint),
        blocked=state.is_blocked(face.fingerprint),
        allowed=face.fingerprint in state.allowed_faces,
    )


def findings(matches: list[Match]) -> list[tuple[str, Match]]:
    """The risks that the matches give, each with the first match it holds for."""
    high = [match for match in matches if match.similarity >= HIGH]
    low = [match for match in matches if match.similarity < HIGH]
    bands = (
        (high, "FACE_IN_BLOCKLIST", "DUPLICATED_FACE"),
        (low, "POSSIBLE_FACE_IN_BLOCKLIST", "POSSIBLE_DUPLICATED_FACE"),
    )
    found: list[tuple[str, Match]] = []
    for band, blocked_risk, duplicate_risk in bands:
        blocked = [match for match in band if match.blocked]
        duplicates = [match for match in band if match.vouched]
        if blocked:
            found.append((blocked_risk, blocked[0]))
        elif duplicates:
            found.append((duplicate_risk, duplicates[0]))
    return found


def warning(risk: str, log_type: str, match: Match | None = None, feature: str = "LIVENESS") -> JsonObject:
    """A warning in the short form of the standalone calls (no node_id)."""
    short, long = _TEXTS[risk]
    return {
        "risk": risk,
        "feature": feature,
        "additional_data": _additional_data(risk, match),
        "log_type": log_type,
        "short_description": short,
        "long_description": long,
    }


def _additional_data(risk: str, match: Match | None) -> JsonValue:
    if match is None:
        return None
    kind = "blocklisted" if risk.endswith("BLOCKLIST") else "duplicated"
    fields = _session_fields(match.session)
    return {
        f"{kind}_session_id": fields["session_id"],
        f"{kind}_session_number": fields["session_number"],
        "api_service": None,
    }
