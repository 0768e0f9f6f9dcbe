"""KwikID's ML API: liveness in two versions, indexing a face and deleting it.

At the root and, as some deployments have it, under `/sumi/v1`. Errors come in both of its shapes: `{detail, message}`
from liveness and for credentials, `{msg}` from the collections. What is not published and so made up: the fields of
`/v2/liveness` (they are those of its sibling `/advanced_facematch`), the answer for a picture without a face (400), and
that confidences run from 0 to 100. A video counts as one of the face whose picture's hash it ends with (`clip`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers.sandbox.bearer import token_of
from handlers.sandbox.images import fingerprint, image_type
from handlers.sandbox.replies import ApiError, Endpoint, json_body
from handlers.sandbox.world import World, call_of, world_of
from receiver.contract import JsonObject

_PREFIXES: Final = ("", "/sumi/v1")
_DEFAULTS: Final = {
    "enhanced_detection": "True",
    "facematch_frames": "3",
    "facematch_threshold": "0.6",
    "frame_sampling_rate": "15",
    "max_frames_to_analyze": "20",
    "image_type": "file",
}
_HEAD: Final = b"\x00\x00\x00\x18ftypmp42"  # the first box of an MP4


def clip(face: str) -> bytes:
    """A video of a face, by the fingerprint of its picture: nothing that plays, but an MP4 by its first bytes."""
    return _HEAD + face.encode()


@dataclass(frozen=True, slots=True)
class _Media:
    """The faces that came, by fingerprint, and the tuning as text."""

    image: str | None
    video: str | None
    tuning: Mapping[str, str]


def _guarded(endpoint: Endpoint) -> Endpoint:
    async def run(request: Request) -> Response:
        world = world_of(request)
        allowed, _ = world.limiter.take(f"kwikid {request.headers.get('authorization', '')}", "write")
        if not allowed:
            return JSONResponse({"status": 429, "message": "Rate limit exceeded"}, 429)
        if token_of(request, world.settings.kwikid_token) != "good":
            return JSONResponse({"detail": {}, "message": "The token is not valid."}, 401)
        try:
            return await endpoint(request)
        except ApiError as error:
            return error.response()

    return run


async def liveness(request: Request) -> Response:
    """POST /liveness: flat, with booleans as JSON and as text side by side."""
    world, media = world_of(request), await _read(request)
    parts = [_part(world, face) for face in (media.image, media.video)]
    match = _match(world, media)
    shown = next(part for part in parts if part)
    overall = all(part["result"] == "real" for part in parts if part) and match is not False
    return JSONResponse(
        {
            "result": "real" if all(part["result"] == "real" for part in parts if part) else "fake",
            "confidence": shown["confidence"],
            "blink_detection": media.video is not None,
            "image_input": media.image is not None,
            "video_input": media.video is not None,
            **_compared(match, media),
            "overall_result": str(overall),
            "overall_confidence": shown["confidence"] if overall else 0,
            **({f"image_{key}": value for key, value in parts[0].items()} if parts[0] else {}),
            "enhanced_detection": media.tuning["enhanced_detection"] == "True",
            "frame_sampling_rate": int(media.tuning["frame_sampling_rate"]),
            "max_frames_analyzed": int(media.tuning["max_frames_to_analyze"]),
        }
    )


async def liveness_v2(request: Request) -> Response:
    """POST /v2/liveness: in blocks; the names of the blocks are published, the fields in them are not."""
    world, media = world_of(request), await _read(request)
    image, video = (_part(world, face) for face in (media.image, media.video))
    match = _match(world, media)
    overall = all(part["result"] == "real" for part in (image, video) if part) and match is not False
    return JSONResponse(
        {
            "image": _block(image),
            "video": _block(video),
            "image_video_facematch": {
                "performed": str(match is not None),
                "result": str(bool(match)),
                "confidence": None if match is None else 92.5,
            },
            "overall_result": str(overall),
            "overall_confidence": 91.8 if overall else 0,
        }
    )


def _part(world: World, face: str | None) -> JsonObject | None:
    """The verdict on one medium; none where it was not sent."""
    if face is None:
        return None
    score = world.opinions.score(face)
    return {"result": "real" if score >= 0.5 else "fake", "confidence": round(100 * score, 2)}


def _block(part: JsonObject | None) -> JsonObject:
    if part is None:
        return {"input_provided": "False", "result": "N/A", "confidence": None}
    fake = part["result"] == "fake"
    return {
        "input_provided": "True",
        "result": part["result"],
        "confidence": 0 if fake else part["confidence"],
        "prediction_confidence": part["confidence"],
    }


def _match(world: World, media: _Media) -> bool | None:
    if media.image is None or media.video is None:
        return None
    return world.state.similarity(media.image, media.video) >= 60


def _compared(match: bool | None, media: _Media) -> JsonObject:
    """Only there where both media came: what stands in their place otherwise is not published."""
    if match is None:
        return {}
    tested = int(media.tuning["facematch_frames"])
    return {
        "facematch_result": str(match),
        "facematch_confidence": 92.5 if match else 31.0,
        "facematch_frames_tested": tested,
    }


async def _read(request: Request) -> _Media:
    async with request.form() as form:
        tuning = {name: str(form.get(name, default)) for name, default in _DEFAULTS.items()}
        if tuning["enhanced_detection"] not in ("True", "False"):
            raise _refused("form", "enhanced_detection", "Not a valid boolean.")
        image, video = await _upload(form, "image"), await _upload(form, "video")
        call_of(request).fields = {
            "image_sha256": fingerprint(image) if image else None,
            "video_sha256": fingerprint(video) if video else None,
            **{name: str(form[name]) for name in (*_DEFAULTS, "unique_id") if name in form},
        }
    if image is None and video is None:
        raise _refused("form", "image", "At least one of image, video is required.")
    if image is not None and image_type(image) is None:
        raise _refused("form", "image", "Not an image.")
    if video is not None and not video.startswith(_HEAD):
        raise _refused("form", "video", "Not a video.")
    face = fingerprint(image) if image else None
    if face is not None and world_of(request).state.faces_in(face) == 0:
        raise _refused("form", "image", "No face was found.")
    return _Media(face, video[len(_HEAD) :].decode("ascii", "replace") if video else None, tuning)


async def _upload(form: FormData, name: str) -> bytes | None:
    upload = form.get(name)
    return await upload.read() if isinstance(upload, UploadFile) else None


def _refused(location: str, field: str, text: str) -> ApiError:
    return ApiError(400, {"detail": {location: {field: [text]}}, "message": "Bad request"})


async def index_face(request: Request) -> Response:
    """POST /index_faces: keep a face in a bucket under an id."""
    bucket, face_id = await _face(request, ("image", "bucket", "image_key", "external_image_id"))
    world_of(request).indexed.setdefault(bucket, set()).add(face_id)
    return JSONResponse({"success": True, "message": "Face indexed.", "data": {}})


async def delete_face(request: Request) -> Response:
    """POST /delete_faces_from_collection: 400 where the face is not there, which a second deletion finds too."""
    bucket, face_id = await _face(request, ("bucket", "external_image_id"))
    faces = world_of(request).indexed.get(bucket, set())
    if face_id not in faces:
        return JSONResponse({"msg": "Face not found"}, 400)
    faces.remove(face_id)
    return JSONResponse({"success": True, "response": {}})


async def _face(request: Request, required: tuple[str, ...]) -> tuple[str, str]:
    body = await json_body(request)
    for name in required:
        if not isinstance(body.get(name), str) or not body[name]:
            raise ApiError(400, {"msg": f"Missing parameter: {name}", "status_code": 400, "success": True})
    call_of(request).fields = {name: body[name] for name in ("bucket", "external_image_id")}
    return str(body["bucket"]), str(body["external_image_id"])


ROUTES: Final = [
    Route(f"{prefix}{path}", _guarded(endpoint), methods=["POST"])
    for prefix in _PREFIXES
    for path, endpoint in (
        ("/liveness", liveness),
        ("/v2/liveness", liveness_v2),
        ("/index_faces", index_face),
        ("/delete_faces_from_collection", delete_face),
    )
]
