"""The people of the tour and those who came before them: what the sandbox holds when it starts.

Each part becomes a finished session whose statuses follow from its findings, the way the vendor's do: the worst feature
decides. The face search of a later part meets the faces of the earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from handlers.sandbox import features
from handlers.sandbox.faces import Match, findings, search, warning
from handlers.sandbox.features import Person, Pictures
from handlers.sandbox.images import fingerprint, selfie_jpeg, selfie_png
from handlers.sandbox.media import ImageRef, Media
from handlers.sandbox.state import DiditState, Face, Features, Session

_DAY: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Part:
    """One person's session. `looks_like`: similarity (0 to 100) to the faces of earlier parts; `blocked`: put on the
    blocklist for face and document; `liveness` and `match` are findings (risk, log_type) of those two features.
    """

    name: str
    person: Person
    vendor_data: str
    days_ago: int = 0
    liveness_score: float = 98.4
    match_score: float = 93.1
    liveness: tuple[tuple[str, str], ...] = ()
    match: tuple[tuple[str, str], ...] = ()
    looks_like: Mapping[str, float] = field(default_factory=dict)
    blocked: bool = False


ATTACK: Final = (("LIVENESS_FACE_ATTACK", "error"), ("LOW_LIVENESS_SCORE", "error"))

_ROUTING: Final = {
    "FACE_IN_BLOCKLIST": "error",
    "POSSIBLE_FACE_IN_BLOCKLIST": "warning",
    "DUPLICATED_FACE": "warning",
    "POSSIBLE_DUPLICATED_FACE": "information",
}
"""How the sandbox's workflow is set: blocklisted faces decline, likely ones and duplicates go to review."""

EARLIER: Final = (
    Part("twin-1", Person("Mara", "Odua", "KX4410481", "EST", "Estonia"), "cust-11876", days_ago=107),
    Part("twin-2", Person("Marit", "Oduja", "KX5520112", "EST", "Estonia"), "cust-12002", days_ago=58),
    Part("twin-3", Person("Maria", "Oduva", "KX6630937", "LVA", "Latvia"), "cust-12455", days_ago=31),
    Part("lookalike", Person("Signe", "Tarm", "KX7740218", "FIN", "Finland"), "cust-09114", days_ago=212),
    Part("distant", Person("Ilka", "Brandvold", "NB2210774", "NOR", "Norway"), "cust-08820", days_ago=240),
    Part(
        "banned",
        Person("Vincent", "Talbooth", "FR9901338", "FRA", "France", gender="M"),
        "cust-07001",
        days_ago=90,
        liveness_score=4.1,
        liveness=ATTACK,
        blocked=True,
    ),
)

TOURISTS: Final = (
    Part("clean", Person("Ingrid", "Lindqvist", "SE8810245", "SWE", "Sweden"), "cust-20410"),
    Part(
        "attack",
        Person("Maren", "Oduya", "QX7741902", "EST", "Estonia"),
        "cust-20417",
        liveness_score=3.2,
        match_score=71.0,
        liveness=ATTACK,
    ),
    Part(
        "duplicate",
        Person(
            "Marta",
            "Oduna",
            "KX9950341",
            "EST",
            "Estonia",
            phone="+12025550143",
            email="marta.oduna@mail.example.invalid",
        ),
        "cust-20431",
        liveness_score=97.5,
        looks_like={"twin-1": 96.37, "twin-2": 94.12, "twin-3": 91.0, "lookalike": 75.4},
    ),
    Part(
        "possible-duplicate",
        Person("Hilde", "Brandvik", "NB5530916", "NOR", "Norway"),
        "cust-20438",
        looks_like={"distant": 64.1},
    ),
    Part(
        "blocklisted",
        Person("Victor", "Talbot", "BE1120664", "BEL", "Belgium", gender="M"),
        "cust-20444",
        looks_like={"banned": 97.2},
    ),
    Part(
        "possible-blocklisted",
        Person("Viggo", "Thalberg", "DK3340571", "DNK", "Denmark", gender="M"),
        "cust-20452",
        looks_like={"banned": 64.8},
    ),
    Part(
        "low-liveness",
        Person("Osman", "Kaya", "TR6612095", "TUR", "Turkey", gender="M"),
        "cust-20459",
        liveness_score=55.3,
        liveness=(("LOW_LIVENESS_SCORE", "warning"),),
    ),
    Part(
        "low-face-match",
        Person("Pilar", "Quintero", "CO4471820", "COL", "Colombia"),
        "cust-20463",
        match_score=58.7,
        match=(("LOW_FACE_MATCH_SIMILARITY", "warning"),),
    ),
    Part(
        "accents",
        Person(
            "Zoë", "Núñez-Łukasiewicz", "PL7783410", "POL", "Poland", place_of_birth="Kōchi 高知", ip_city="Święciany"
        ),
        "cliente-ñ-20470",
    ),
    Part("older-shapes", Person("Tomas", "Berzins", "LV5519037", "LVA", "Latvia", gender="M"), "cust-20477"),
)

PARTS: Final = {part.name: part for part in (*EARLIER, *TOURISTS)}


def seed_state(state: DiditState, media: Media, now: int) -> None:
    """Fill an empty state with every part, earlier ones first."""
    for part in PARTS.values():
        _enter(part, state, media, now)


def _enter(part: Part, state: DiditState, media: Media, now: int) -> None:
    pictures = _take_pictures(part, state, media)
    face = fingerprint(_selfie(part))
    for other, similarity in part.looks_like.items():
        state.set_similarity(face, fingerprint(_selfie(PARTS[other])), similarity)
    matches = search(state, face, "blocklisted_or_approved", not_of=part.vendor_data)
    session = Session(
        session_id=state.new_id(f"session:{part.name}"),
        number=state.next_number(),
        status="",
        created_at=now - part.days_ago * _DAY,
        vendor_data=part.vendor_data,
        workflow_id=state.new_id("workflow"),
        workflow_version=3,
        token=state.new_id(f"token:{part.name}"),
        features=features_of(part, pictures, matches),
        face=face,
    )
    session.status = worst(session.features)
    state.add(session)
    state.enrol(Face(face, pictures.selfie, session_id=session.session_id))
    if part.blocked:
        state.block(session, "face", session.created_at)
        state.block(session, "document", session.created_at)


def _take_pictures(part: Part, state: DiditState, media: Media) -> Pictures:
    portrait = selfie_png(f"{part.name} portrait")
    state.set_similarity(fingerprint(_selfie(part)), fingerprint(portrait), part.match_score)
    return Pictures(
        selfie=media.add(state.new_id(f"selfie:{part.name}"), _selfie(part)),
        portrait=media.add(state.new_id(f"portrait:{part.name}"), portrait),
        document=media.add(state.new_id(f"document:{part.name}"), selfie_jpeg(f"{part.name} document")),
    )


def _selfie(part: Part) -> bytes:
    return selfie_jpeg(part.name) if part.days_ago else selfie_png(part.name)


def pictures_of(part: Part, state: DiditState) -> Pictures:
    """References to the images of a part that has entered."""
    ids = (ImageRef(state.new_id(f"{kind}:{part.name}")) for kind in ("selfie", "portrait", "document"))
    return Pictures(*ids)


def features_of(part: Part, pictures: Pictures, matches: list[Match]) -> Features:
    """The V3 arrays of a part's session."""
    found = [warning(risk, _ROUTING[risk], match) for risk, match in findings(matches)]
    own = [warning(risk, log_type) for risk, log_type in part.liveness]
    mismatch = [warning(risk, log_type, feature="FACEMATCH") for risk, log_type in part.match]
    documents = [match.document() for match in matches]
    person = part.person
    arrays: Features = {
        "id_verifications": [features.id_verification(person, pictures)],
        "liveness_checks": [
            features.liveness_check(part.liveness_score, person.age - 1.3, pictures, documents, [*own, *found])
        ],
        "face_matches": [features.face_match(part.match_score, pictures, mismatch)],
        "ip_analyses": [features.ip_analysis(person)],
    }
    if person.phone:
        arrays["phone_verifications"] = [features.phone_verification(person.phone)]
    if person.email:
        arrays["email_verifications"] = [features.email_verification(person.email)]
    return arrays


def worst(arrays: Features) -> str:
    """The status of a session: that of its worst feature."""
    statuses = {record["status"] for records in arrays.values() for record in records}
    return next((status for status in ("Declined", "In Review") if status in statuses), "Approved")
