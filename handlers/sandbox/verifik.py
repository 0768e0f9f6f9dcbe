"""Verifik's API: the liveness check, and registrations.

An expired token is a 403, a wrong one a 401, a missing field a 409 and a picture that is not base64 a 412, as its pages
have them. Links are not fetched: what stands behind one is scored as its own face, known by the hash of the link. How
the reasons for which a picture is not scored come is not published: `SandboxSettings.verifik_reasons` chooses.

Nor is what `GET /v2/app-registrations/{id}` answers: here it is the object of the webhooks in the envelope of the other
answers, and 404 with words of our own. Persons register on Verifik's pages; here `/_sandbox/registrations` does.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers.sandbox.bearer import token_of
from handlers.sandbox.images import fingerprint, image_type
from handlers.sandbox.replies import ApiError, json_body
from handlers.sandbox.world import World, call_of, world_of
from receiver.contract import JsonObject, JsonValue

REGISTRATION_STATUSES: Final = (
    *("STARTED", "ONGOING", "COMPLETED", "COMPLETED_WITHOUT_KYC"),
    *("FAILED", "NEEDS_MANUAL_VERIFICATION", "EXPIRED"),
)
_SHORTEST_BASE64: Final = 100  # characters


async def app_registration(request: Request) -> Response:
    """GET /v2/app-registrations/{id}: as it is now."""
    try:
        _check_token(request)
        found = world_of(request).registrations.get(request.path_params["id"])
        if found is None:
            raise _refused(404, "app_registration_not_found", "NotFound")
        return JSONResponse(_envelope(world_of(request), found))
    except ApiError as error:
        return error.response()


async def liveness(request: Request) -> Response:
    """POST /v2/face-recognition/liveness: passed only above the least score."""
    try:
        _check_token(request)
        body = await json_body(request)
        face, least = _face(_required(body, "image")), _least(body.get("liveness_min_score", 0.6))
        call_of(request).fields = {
            "image_sha256": face,
            "os": _required(body, "os"),
            "liveness_min_score": least,
            "collection_id": body.get("collection_id"),
        }
        return _judged(world_of(request), face, least)
    except ApiError as error:
        return error.response()


def _judged(world: World, face: str, least: float) -> Response:
    faces = world.state.faces_in(face)
    counted = "no_face_detected" if faces == 0 else "multiple_faces_detected" if faces > 1 else None
    reason = world.opinions.reasons.get(face) or counted
    if reason is not None and world.settings.verifik_reasons == "refused":
        raise _refused(409, reason, "ERROR")
    if reason is not None:
        return JSONResponse(_envelope(world, {"passed": False, "reason": reason}))
    score = world.opinions.score(face)
    return JSONResponse(
        _envelope(world, {"passed": score > least, "min_score": least, "liveness_score": score}),
    )


def _envelope(world: World, data: JsonObject) -> JsonObject:
    """The success envelope, whose `signature` is decoration."""
    signed: JsonObject = {"message": "Certified by Verifik.co", "dateTime": "November 20, 2026 9:30 AM"}
    return {"id": world.state.new_id()[:8].upper(), "data": data, "signature": signed}


def _check_token(request: Request) -> None:
    token = token_of(request, world_of(request).settings.verifik_token)
    if token == "expired":  # noqa: S105 - a word for what a token is worth
        raise _refused(403, "token_expired", "FORBIDDEN")
    if token == "wrong":  # noqa: S105 - likewise
        raise _refused(401, "Authentication required", "UNAUTHORIZED")


def _required(body: JsonObject, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _refused(409, f'"{name}" is required', "MissingParameter")
    return value


def _least(value: JsonValue) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0.5 <= value <= 1:
        raise _refused(409, '"liveness_min_score" must be between 0.5 and 1', "MissingParameter")
    return float(value)


def _face(image: str) -> str:
    """The face in a picture, or behind a link."""
    if image.startswith("https://"):
        return fingerprint(image.encode())
    try:
        content = b64decode(image.rpartition(",")[2], validate=True) if len(image) >= _SHORTEST_BASE64 else b""
    except binascii.Error:
        content = b""
    if image_type(content) is None:
        raise _refused(412, "only_images_in_base64", "ERROR")
    return fingerprint(content)


def _refused(status: int, message: str, code: str) -> ApiError:
    return ApiError(status, {"message": message, "code": code})


ROUTES: Final = [
    Route("/v2/face-recognition/liveness", liveness, methods=["POST"]),
    Route("/v2/app-registrations/{id}", app_registration, methods=["GET"]),
]
