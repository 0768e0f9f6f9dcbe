"""POST /v3/face-search/: one image in, at most five look-alikes out.

Own earlier sessions are among them: the standalone call leaves nobody out. A kept call (`save_api_request`, on by
default) becomes a session of its own, and a `status.updated` goes out for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from handlers.sandbox.decisions import iso_time
from handlers.sandbox.faces import SearchType, findings, search, warning
from handlers.sandbox.forms import form_image, form_json, form_text
from handlers.sandbox.images import fingerprint
from handlers.sandbox.replies import boolean, choice, detail, field_error
from handlers.sandbox.state import Face, Session
from handlers.sandbox.world import World, call_of, world_of
from receiver.contract import JsonObject, JsonValue

_LOG_TYPES: Final = {
    "FACE_IN_BLOCKLIST": "error",
    "POSSIBLE_FACE_IN_BLOCKLIST": "error",
    "DUPLICATED_FACE": "information",
    "POSSIBLE_DUPLICATED_FACE": "information",
    "MULTIPLE_FACES_DETECTED": "warning",
}


@dataclass(frozen=True, slots=True)
class Query:
    """A face search as asked for."""

    image: bytes
    search_type: SearchType
    save: bool
    vendor_data: str | None
    metadata: JsonValue

    @property
    def face(self) -> str:
        """The fingerprint of the image."""
        return fingerprint(self.image)


async def face_search(request: Request) -> Response:
    """Search the face, charge for it, keep the call if asked to."""
    world = world_of(request)
    if world.state.balance < world.settings.price:
        raise detail(403, "Not enough credits.")
    async with request.form() as form:
        query = await _read(form)
    call_of(request).fields = {
        "image_sha256": query.face,
        "image_bytes": len(query.image),
        "search_type": query.search_type,
        "save_api_request": query.save,
        "vendor_data": query.vendor_data,
    }
    if world.state.faces_in(query.face) == 0:
        raise field_error("user_image", "No face was found in the image.")
    world.state.balance -= world.settings.price
    answer = _answer(world, query)
    if query.save:
        _keep(request, world, query, answer)
    return JSONResponse(world.links(request).fill(answer))


async def _read(form: FormData) -> Query:
    search_type = choice(form_text(form, "search_type") or "most_similar", "search_type", _SEARCH_TYPES)
    boolean(form_text(form, "rotate_image"), "rotate_image", False)
    return Query(
        image=await form_image(form, "user_image"),
        search_type=cast("SearchType", search_type),
        save=boolean(form_text(form, "save_api_request"), "save_api_request", True),
        vendor_data=form_text(form, "vendor_data"),
        metadata=form_json(form, "metadata"),
    )


_SEARCH_TYPES: Final = ("most_similar", "blocklisted_or_approved")


def _answer(world: World, query: Query) -> JsonObject:
    matches = search(world.state, query.face, query.search_type)
    found = [(risk, match) for risk, match in findings(matches)]
    warnings: list[JsonValue] = [warning(risk, _LOG_TYPES[risk], match) for risk, match in found]
    faces = world.state.faces_in(query.face)
    if faces > 1:
        warnings.append(warning("MULTIPLE_FACES_DETECTED", "warning"))
    documents: list[JsonValue] = [match.document() for match in matches]
    entities: list[JsonValue] = [{"bbox": [40, 40, 120, 120], "confidence": 0.93} for _ in range(faces)]
    return {
        "request_id": world.state.new_id(),
        "face_search": {
            "status": "Declined" if any(_LOG_TYPES[risk] == "error" for risk, _ in found) else "Approved",
            "total_matches": len(matches),
            "matches": documents,
            "user_image": {"entities": entities, "best_angle": 0},
            "warnings": warnings,
        },
        "vendor_data": query.vendor_data,
        "metadata": query.metadata,
        "created_at": iso_time(world.now()),
    }


def _keep(request: Request, world: World, query: Query, answer: JsonObject) -> None:
    """The call becomes a session whose id is the request's, the face is enrolled, a webhook leaves."""
    state = world.state
    session = Session(
        session_id=str(answer["request_id"]),
        number=state.next_number(),
        status=str(cast("JsonObject", answer["face_search"])["status"]),
        created_at=world.now(),
        kind=None,
        vendor_data=query.vendor_data,
        token=state.new_id(),
        face=query.face,
        metadata=query.metadata,
    )
    state.add(session)
    image = world.media.add(state.new_id(), query.image)
    state.enrol(Face(query.face, image, "face_search", session.session_id))
    world.announce(session, world.links(request))
