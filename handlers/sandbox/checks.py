"""POST /v3/passive-liveness/, /v3/face-match/, /v3/id-verification/: pictures in, a verdict out.

A picture is known by the hash of its content: the cast's are judged as in their sessions, a stranger's selfie is live,
looks like nobody, and a stranger's document cannot be read. Unlike the vendor, a kept call (`save_api_request`) is not
made a session here: only the face search simulates that.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from handlers.sandbox.cast import PARTS
from handlers.sandbox.decisions import ID_ARRAY, iso_time
from handlers.sandbox.faces import findings, search, warning
from handlers.sandbox.features import finding
from handlers.sandbox.forms import form_image, form_json, form_number, form_text
from handlers.sandbox.images import fingerprint, selfie_jpeg
from handlers.sandbox.replies import boolean, choice, detail
from handlers.sandbox.state import DiditState, Session
from handlers.sandbox.world import World, call_of, world_of
from receiver.contract import JsonObject, JsonValue

_ACTIONS = ("NO_ACTION", "DECLINE")


async def passive_liveness(request: Request) -> Response:
    """How live a selfie looks, and whom it resembles. Faces of the call's vendor_data are left out of that."""
    world = _paying(request)
    async with request.form() as form:
        image = await form_image(form, "user_image")
        threshold = form_number(form, "face_liveness_score_decline_threshold", 30, 0, 100)
        vendor_data = form_text(form, "vendor_data")
        boolean(form_text(form, "rotate_image"), "rotate_image", False)
        save = boolean(form_text(form, "save_api_request"), "save_api_request", True)
        metadata = form_json(form, "metadata")
    face = fingerprint(image)
    call_of(request).fields = {"image_sha256": face, "threshold": threshold, "save_api_request": save}
    faces = world.state.faces_in(face)
    score = round(world.opinions.score(face) * 100, 2) if faces else None
    warnings = _liveness_warnings(world, face, score, threshold, vendor_data)
    found: JsonObject = {
        "status": "Declined" if any(item["log_type"] == "error" for item in warnings) else "Approved",
        "method": "PASSIVE",
        "score": score,
        "face_quality": 71.2 if faces else None,
        "face_luminance": 48.5 if faces else None,
        "user_image": _entities(faces),
        "warnings": [*warnings],
    }
    return _answer(world, {"liveness": found}, vendor_data, metadata)


def _liveness_warnings(
    world: World, face: str, score: float | None, threshold: float, vendor_data: str | None
) -> list[JsonObject]:
    if score is None:
        return [finding("NO_FACE_DETECTED", "error", "LIVENESS")]
    session = _session_with(world.state, face)
    said = (session.newest("liveness_checks") or {}).get("warnings") if session else None
    risks = {item["risk"] for item in said if isinstance(item, dict)} if isinstance(said, list) else set()
    warnings: list[JsonObject] = []
    if score <= threshold:
        warnings.append(finding("LOW_LIVENESS_SCORE", "error", "LIVENESS"))
    if "LIVENESS_FACE_ATTACK" in risks:
        warnings.append(finding("LIVENESS_FACE_ATTACK", "error", "LIVENESS"))
    if world.state.faces_in(face) > 1:
        warnings.append(finding("MULTIPLE_FACES_DETECTED", "warning", "LIVENESS"))
    matches = search(world.state, face, "blocklisted_or_approved", not_of=vendor_data)
    for risk, match in findings(matches):
        warnings.append(warning(risk, "error" if risk.endswith("BLOCKLIST") else "information", match))
    return warnings


async def face_match(request: Request) -> Response:
    """How alike two faces are; approved strictly above the threshold."""
    world = _paying(request)
    async with request.form() as form:
        pictures = [await form_image(form, "user_image"), await form_image(form, "ref_image")]
        threshold = form_number(form, "face_match_score_decline_threshold", 30, 0, 100)
        boolean(form_text(form, "rotate_image"), "rotate_image", False)
        save = boolean(form_text(form, "save_api_request"), "save_api_request", True)
        vendor_data, metadata = form_text(form, "vendor_data"), form_json(form, "metadata")
    user, ref = (fingerprint(picture) for picture in pictures)
    call_of(request).fields = {"image_sha256": user, "ref_sha256": ref, "save_api_request": save}
    counts = [world.state.faces_in(face) for face in (user, ref)]
    score = world.state.similarity(user, ref) if all(counts) else None
    warnings: list[JsonValue] = []
    if score is None:
        warnings.append(finding("NO_REFERENCE_IMAGE", "error", "FACEMATCH"))
    elif score <= threshold:
        warnings.append(finding("LOW_FACE_MATCH_SIMILARITY", "error", "FACEMATCH"))
    found: JsonObject = {
        "status": "Declined" if warnings else "Approved",
        "score": score,
        "user_image": _entities(counts[0]),
        "ref_image": _entities(counts[1]),
        "warnings": warnings,
    }
    return _answer(world, {"face_match": found}, vendor_data, metadata)


async def id_verification(request: Request) -> Response:
    """What a document says; a document of the cast is recognised by its front."""
    world = _paying(request)
    async with request.form() as form:
        front = await form_image(form, "front_image", pdf=True)
        if "back_image" in form:
            await form_image(form, "back_image", pdf=True)
        for name in ("expiration_date_not_detected_action", "invalid_mrz_action", "inconsistent_data_action"):
            choice(form_text(form, name) or "NO_ACTION", name, _ACTIONS)
        choice(form_text(form, "preferred_characters") or "latin", "preferred_characters", ("latin", "non_latin"))
        boolean(form_text(form, "perform_document_liveness"), "perform_document_liveness", False)
        minimum_age = form_number(form, "minimum_age", 1, 1, 120)
        save = boolean(form_text(form, "save_api_request"), "save_api_request", True)
        vendor_data, metadata = form_text(form, "vendor_data"), form_json(form, "metadata")
    call_of(request).fields = {"image_sha256": fingerprint(front), "save_api_request": save, "files": len(form)}
    record = _document(world.state, fingerprint(front))
    found = _id_verification(record, minimum_age)
    return _answer(world, {"id_verification": found}, vendor_data, metadata)


_READ = (
    "document_type document_number personal_number date_of_birth age expiration_date date_of_issue issuing_state "
    "issuing_state_name first_name last_name full_name gender nationality address formatted_address place_of_birth "
    "parsed_address portrait_image front_image back_image"
).split()


def _id_verification(record: JsonObject, minimum_age: float) -> JsonObject:
    warnings: list[JsonObject] = []
    for name, risk in (
        ("full_name", "NAME_NOT_DETECTED"),
        ("date_of_birth", "DATE_OF_BIRTH_NOT_DETECTED"),
        ("document_number", "DOCUMENT_NUMBER_NOT_DETECTED"),
    ):
        if record.get(name) is None:
            warnings.append(finding(risk, "error", "ID_VERIFICATION"))
    age = record.get("age")
    if isinstance(age, int) and age < minimum_age:
        warnings.append(finding("MINIMUM_AGE_NOT_MET", "error", "ID_VERIFICATION"))
    read: JsonObject = {name: record.get(name) for name in _READ}
    return {"status": "Declined" if warnings else "Approved", **read, "mrz": {}, "warnings": [*warnings]}


def _document(state: DiditState, face: str) -> JsonObject:
    for name in PARTS:
        if fingerprint(selfie_jpeg(f"{name} document")) == face:
            return state.sessions[state.new_id(f"session:{name}")].newest(ID_ARRAY) or {}
    return {}


def _session_with(state: DiditState, face: str) -> Session | None:
    return next((session for session in state.sessions.values() if session.face == face), None)


def _paying(request: Request) -> World:
    """403 before any look at the pictures where credits are used up."""
    world = world_of(request)
    if world.state.balance < world.settings.price:
        raise detail(403, "Not enough credits.")
    return world


def _entities(faces: int) -> JsonObject:
    entities: Sequence[JsonValue] = [
        {"age": 34, "bbox": [40, 40, 120 - 20 * n, 120], "confidence": 0.93, "gender": "female"} for n in range(faces)
    ]
    return {"entities": [*entities], "best_angle": 0}


def _answer(world: World, found: JsonObject, vendor_data: str | None, metadata: JsonValue) -> Response:
    world.state.balance -= world.settings.price
    return JSONResponse(
        {
            "request_id": world.state.new_id(),
            **found,
            "vendor_data": vendor_data,
            "metadata": metadata,
            "created_at": iso_time(world.now()),
        }
    )
