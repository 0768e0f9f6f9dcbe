"""The people of the tour and those who came before them: what the sandbox holds when it starts.

Each part becomes a finished session whose statuses follow from its findings, the way the vendor's do: the worst feature
decides. The face search of a later part meets the faces of the earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from handlers.sandbox import features
from handlers.sandbox.faces import Match, findings, same_document, search, warning
from handlers.sandbox.features import Person, Pictures, finding
from handlers.sandbox.images import fingerprint, selfie_jpeg, selfie_png
from handlers.sandbox.media import ImageRef, Media
from handlers.sandbox.state import DiditState, Face, Features, Session
from receiver.contract import JsonObject

_DAY: Final = 24 * 3600
Findings = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One person's session. `looks_like`: similarity (0 to 100) to the faces of earlier parts; `same_document`: earlier
    parts that showed the same one; `blocked`: put on the blocklist for face and document. `liveness`, `match`,
    `document`, `network`, `phone`, `email` and `aml` are findings (risk, log_type) of those features.
    """

    name: str
    person: Person
    vendor_data: str
    days_ago: int = 0
    liveness_score: float = 98.4
    match_score: float = 93.1
    liveness: Findings = ()
    luminance: float = 48.5
    aml_score: float | None = None
    match: Findings = ()
    document: Findings = ()
    network: Findings = ()
    phone: Findings = ()
    email: Findings = ()
    aml: Findings = ()
    same_document: tuple[str, ...] = ()
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
    Part(
        "reviewed-attack",
        Person("Edvin", "Rask", "SE4410927", "SWE", "Sweden", gender="M"),
        "cust-20503",
        liveness_score=7.9,
        liveness=(("LIVENESS_FACE_ATTACK", "error"),),
    ),
    Part(
        "injected",
        Person("Ruta", "Vaitke", "LT6610382", "LTU", "Lithuania"),
        "cust-20511",
        liveness=(("FRAME_INJECTION_SUSPECTED", "information"),),
    ),
    Part(
        "blocked-document",
        Person("Bastien", "Corbel", "FR9901338", "FRA", "France", gender="M"),
        "cust-20518",
        document=(("ID_DOCUMENT_IN_BLOCKLIST", "error"),),
    ),
    Part(
        "blocked-phone",
        Person("Odile", "Marchand", "FR8830417", "FRA", "France", phone="+12025550119"),
        "cust-20622",
        phone=(("PHONE_NUMBER_IN_BLOCKLIST", "error"),),
    ),
    Part(
        "returning",
        Person("Ilka", "Brandvold", "NB2210774", "NOR", "Norway"),
        "cust-08820",
        document=(("DUPLICATED_DOCUMENT", "information"),),
        same_document=("distant",),
    ),
    Part(
        "second-account",
        Person("Signe", "Tarm", "KX7740218", "FIN", "Finland"),
        "cust-20526",
        document=(("POSSIBLE_DUPLICATED_USER", "information"),),
        same_document=("lookalike",),
    ),
    Part(
        "attackers-face",
        Person("Malin", "Orava", "FI3308127", "FIN", "Finland"),
        "cust-20533",
        looks_like={"lookalike": 91.2, "attack": 93.4},
    ),
    Part(
        "resembling",
        Person("Ines", "Caldeira", "PT8821406", "PRT", "Portugal"),
        "cust-20540",
        looks_like={"lookalike": 74.6},
    ),
    Part(
        "no-portrait",
        Person("Goran", "Petrak", "HR2047715", "HRV", "Croatia", gender="M"),
        "cust-20548",
        match=(("NO_REFERENCE_IMAGE", "error"),),
    ),
    Part(
        "too-dark",
        Person("Alina", "Serban", "RO5512938", "ROU", "Romania"),
        "cust-20555",
        luminance=8.4,
        liveness=(("LOW_FACE_LUMINANCE", "warning"),),
    ),
    Part(
        "expired",
        Person(
            "Pavel", "Dvorsky", "CZ7710463", "CZE", "Czechia", expires="2026-03-31", email="pavel@mail.example.invalid"
        ),
        "cust-20561",
        document=(("DOCUMENT_EXPIRED", "error"),),
        email=(("BREACHED_EMAIL_DETECTED", "information"),),
    ),
    Part(
        "forged-document",
        Person("Luca", "Ferrante", "IT3391054", "ITA", "Italy", gender="M"),
        "cust-20567",
        document=(("PORTRAIT_MANIPULATION_DETECTED", "error"),),
    ),
    Part(
        "screen-copy",
        Person("Renzo", "Galvani", "IT5520768", "ITA", "Italy", gender="M"),
        "cust-20617",
        document=(("SCREEN_CAPTURE_DETECTED", "error"),),
    ),
    Part(
        "wrong-number",
        Person("Eszter", "Halasz", "HU88A21093", "HUN", "Hungary"),
        "cust-20574",
        document=(("DOCUMENT_NUMBER_FORMAT_MISMATCH", "warning"),),
    ),
    Part(
        "underage",
        Person("Jonas", "Weidel", "DE5530218", "DEU", "Germany", "2010-02-11", 16, gender="M"),
        "cust-20580",
        document=(("MINIMUM_AGE_NOT_MET", "error"),),
    ),
    Part("due-diligence", Person("Thida", "Aung", "MM4471029", "MMR", "Myanmar"), "cust-20586"),
    Part(
        "sanctioned",
        Person("Viktor", "Malenko", "UA6620914", "UKR", "Ukraine", gender="M"),
        "cust-20591",
        aml_score=96.5,
        aml=(("POSSIBLE_MATCH_FOUND", "warning"),),
    ),
    Part(
        "namesake",
        Person("Maria", "Silva", "BR1178340", "BRA", "Brazil"),
        "cust-20597",
        aml_score=84.0,
        aml=(("POSSIBLE_MATCH_FOUND", "warning"),),
    ),
    Part(
        "hidden",
        Person(
            "Dario",
            "Novak",
            "SI7750261",
            "SVN",
            "Slovenia",
            gender="M",
            ip_country="Singapore",
            ip_country_code="SG",
            ip_city="Singapore",
            phone="+12025550187",
            email="x81@throwaway.example.invalid",
        ),
        "cust-20604",
        network=(
            ("PRIVATE_NETWORK_DETECTED", "information"),
            ("COUNTRY_FROM_DOCUMENT_DOES_NOT_MATCH_COUNTRY_FROM_IP", "information"),
        ),
        phone=(("VOIP_NUMBER_DETECTED", "information"),),
        email=(("DISPOSABLE_EMAIL_DETECTED", "information"),),
    ),
    Part(
        "undeliverable",
        Person("Anouk", "Veldman", "NL2206518", "NLD", "Netherlands", email="anouk@nowhere.example.invalid"),
        "cust-20611",
        email=(("UNDELIVERABLE_EMAIL_DETECTED", "error"),),
    ),
)

PARTS: Final = {part.name: part for part in (*EARLIER, *TOURISTS)}


def seed_state(state: DiditState, media: Media, now: int) -> None:
    """Fill an empty state with every part, earlier ones first."""
    for part in PARTS.values():
        _enter(part, state, media, now)


def _enter(part: Part, state: DiditState, media: Media, now: int) -> None:
    pictures = _take_pictures(part, state, media)
    face = fingerprint(selfie_of(part))
    for other, similarity in part.looks_like.items():
        state.set_similarity(face, fingerprint(selfie_of(PARTS[other])), similarity)
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
        features=features_of(part, pictures, matches, _same_documents(part, state)),
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
    state.set_similarity(fingerprint(selfie_of(part)), fingerprint(portrait), part.match_score)
    return Pictures(
        selfie=media.add(state.new_id(f"selfie:{part.name}"), selfie_of(part)),
        portrait=media.add(state.new_id(f"portrait:{part.name}"), portrait),
        document=media.add(state.new_id(f"document:{part.name}"), selfie_jpeg(f"{part.name} document")),
    )


def selfie_of(part: Part) -> bytes:
    """The picture of a part: every one has a face of its own."""
    return selfie_jpeg(part.name) if part.days_ago else selfie_png(part.name)


def pictures_of(part: Part, state: DiditState) -> Pictures:
    """References to the images of a part that has entered."""
    ids = (ImageRef(state.new_id(f"{kind}:{part.name}")) for kind in ("selfie", "portrait", "document"))
    return Pictures(*ids)


def _same_documents(part: Part, state: DiditState) -> list[JsonObject]:
    return [same_document(state.sessions[state.new_id(f"session:{name}")]) for name in part.same_document]


def features_of(part: Part, pictures: Pictures, matches: list[Match], documents: list[JsonObject]) -> Features:
    """The V3 arrays of a part's session: `matches` are those of the face, `documents` those of the document."""
    found = [warning(risk, _ROUTING[risk], match) for risk, match in findings(matches)]
    own = _found(part.liveness, "LIVENESS")
    faces = [match.document() for match in matches]
    person = part.person
    age = person.age - 1.3
    compared = all(risk != "NO_REFERENCE_IMAGE" for risk, _ in part.match)
    arrays: Features = {
        "id_verifications": [
            features.id_verification(person, pictures, documents, _found(part.document, "ID_VERIFICATION"))
        ],
        "liveness_checks": [
            features.liveness_check(part.liveness_score, age, part.luminance, pictures, faces, [*own, *found])
        ],
        "face_matches": [
            features.face_match(part.match_score if compared else None, pictures, _found(part.match, "FACEMATCH"))
        ],
        "ip_analyses": [features.ip_analysis(person, _found(part.network, "LOCATION"))],
    }
    if person.phone:
        arrays["phone_verifications"] = [features.phone_verification(person.phone, _found(part.phone, "PHONE"))]
    if person.email:
        arrays["email_verifications"] = [features.email_verification(person.email, _found(part.email, "EMAIL"))]
    if part.aml_score is not None:
        arrays["aml_screenings"] = [features.aml_screening(part.aml_score, person, _found(part.aml, "AML"))]
    return arrays


def _found(findings: Findings, feature: str) -> list[JsonObject]:
    return [finding(risk, log_type, feature) for risk, log_type in findings]


def worst(arrays: Features) -> str:
    """The status of a session: that of its worst feature."""
    statuses = {record["status"] for records in arrays.values() for record in records}
    return next((status for status in ("Declined", "In Review") if status in statuses), "Approved")
