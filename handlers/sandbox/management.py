"""Sessions deleted, printed, shared and imported; users blocked.

Not documented, and so made up: what deleting answers (`SandboxSettings.delete_reply`), the words of every refusal, the
shape of `shared_from_session`, that an unknown share token is 404, and which field names the user in a
`user.status.updated`. Both sides of a share are this one application.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from handlers.sandbox.decisions import decision_v3
from handlers.sandbox.delivery import Webhook
from handlers.sandbox.replies import boolean, choice, detail, field_error, json_body, optional_text, required_text
from handlers.sandbox.state import DiditState, Session, Share
from handlers.sandbox.webhooks import APPLICATION_ID
from handlers.sandbox.world import World, call_of, world_of
from receiver.contract import JsonObject, JsonValue

PRINTABLE = ("Approved", "Declined", "In Review", "Kyc Expired")
USER_STATUSES = ("ACTIVE", "FLAGGED", "BLOCKED")


async def delete_session(request: Request) -> Response:
    """DELETE /v3/session/{id}/delete/: entries of the blocklist outlive the session; 503 where faces cannot be
    reached is a fault to be set (`error_503`).
    """
    world = world_of(request)
    session = world.session(request.path_params["session_id"])
    body = await json_body(request) if await request.body() else {}
    call_of(request).fields = {"session_id": session.session_id, **body}
    keep = boolean(body.get("retain_face_embeddings"), "retain_face_embeddings", False)
    _whole(body, "face_retention_days", 1, 3650)
    optional_text(body, "deletion_instruction")
    del world.state.sessions[session.session_id]
    if not keep:
        world.state.faces = [face for face in world.state.faces if face.session_id != session.session_id]
    return Response(status_code=204) if world.settings.delete_reply == "empty" else JSONResponse({})


def _whole(body: JsonObject, name: str, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise field_error(name, f"Ensure this value is between {least} and {most}.")
    return value


async def generate_pdf(request: Request) -> Response:
    """GET /v3/session/{id}/generate-pdf/: a report of one empty page; 403 for a session that is not finished."""
    world = world_of(request)
    session = world.session(request.path_params["session_id"])
    call_of(request).fields = {"session_id": session.session_id}
    if session.status not in PRINTABLE:
        raise detail(403, f"A session that is {session.status} has no report.")
    return Response(_pdf(f"{session.session_id} {session.status}"), media_type="application/pdf")


def _pdf(title: str) -> bytes:
    """A PDF of one empty page (ISO 32000-1, 7.5.2 to 7.5.5), with a title."""
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
        b"<</Title(" + title.encode("ascii", "replace") + b")>>",
    ]
    content, places = b"%PDF-1.4\n", []
    for n, part in enumerate(parts, 1):
        places.append(len(content))
        content += b"%d 0 obj%bendobj\n" % (n, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size %d/Root 1 0 R/Info 4 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(content))
    return content + b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1) + table + end


async def share_session(request: Request) -> Response:
    """POST /v3/session/{id}/share/: a token for another application, good for an hour unless told otherwise."""
    world = world_of(request)
    session = world.session(request.path_params["session_id"])
    body = await json_body(request)
    receiver = required_text(body, "for_application_id")
    seconds = _whole(body, "ttl_in_seconds", 60, 86400) or 3600
    call_of(request).fields = {"session_id": session.session_id, "for_application_id": receiver, "ttl": seconds}
    if session.status not in PRINTABLE:
        raise detail(400, f"A session that is {session.status} cannot be shared.")
    token = world.state.new_id()
    world.state.shares[token] = Share(session.session_id, receiver, world.settings.clock() + seconds)
    return JSONResponse({"share_token": token})


async def import_session(request: Request) -> Response:
    """POST /v3/session/import-shared/: a copy of the session, once for each token's receiver."""
    world = world_of(request)
    body = await json_body(request)
    token = required_text(body, "share_token")
    boolean(body.get("trust_review"), "trust_review", False)
    workflow_id, vendor_data = optional_text(body, "workflow_id"), optional_text(body, "vendor_data")
    call_of(request).fields = {"workflow_id": workflow_id, "vendor_data": vendor_data}
    share = world.state.shares.get(token)
    if share is None or world.settings.clock() > share.expires:
        raise detail(404, "The share token is not valid or has expired.")
    receiver = (share.session_id, share.receiver)
    if receiver in world.state.imported:
        raise detail(403, "The session was imported before.")
    world.state.imported.add(receiver)
    session = _copy(world, world.session(share.session_id), workflow_id, vendor_data)
    document = decision_v3(session, world.links(request))
    return JSONResponse({**document, "shared_from_session": share.session_id}, 201)


def _copy(world: World, source: Session, workflow_id: str | None, vendor_data: str | None) -> Session:
    state: DiditState = world.state
    return state.add(
        Session(
            session_id=state.new_id(),
            number=state.next_number(),
            status=source.status,
            created_at=world.now(),
            vendor_data=vendor_data,
            workflow_id=workflow_id or source.workflow_id,
            token=state.new_id(),
            features=deepcopy(source.features),
            face=source.face,
        )
    )


@dataclass(frozen=True, slots=True)
class _Change:
    vendor_data: str
    before: str
    after: str


async def user_status(request: Request) -> Response:
    """PATCH /v3/users/{vendor_data}/update-status/: sends `user.status.updated`, also where nothing changes."""
    world = world_of(request)
    vendor_data = request.path_params["vendor_data"]
    body = await json_body(request)
    status = choice(body.get("status"), "status", USER_STATUSES)
    optional_text(body, "reason")
    call_of(request).fields = {"status": status}
    change = _Change(vendor_data, _user(world, vendor_data), status)
    world.state.users[vendor_data] = status
    world.courier.post(Webhook(_user_event(world, change)))
    return JSONResponse(_user_document(vendor_data, status))


async def user(request: Request) -> Response:
    """GET /v3/users/{vendor_data}/."""
    vendor_data = request.path_params["vendor_data"]
    return JSONResponse(_user_document(vendor_data, _user(world_of(request), vendor_data)))


def _user(world: World, vendor_data: str) -> str:
    """A user's status; whoever has a session is one."""
    if all(session.vendor_data != vendor_data for session in world.state.sessions.values()):
        raise detail(404, "User not found.")
    return world.state.users.get(vendor_data, "ACTIVE")


def _user_document(vendor_data: str, status: str) -> JsonObject:
    tags: list[JsonValue] = []
    return {"vendor_data": vendor_data, "status": status, "tags": tags}


def _user_event(world: World, change: _Change) -> JsonObject:
    return {
        "event_id": world.state.new_id(),
        "webhook_type": "user.status.updated",
        "timestamp": world.now(),
        "created_at": world.now(),
        "application_id": APPLICATION_ID,
        "environment": "sandbox",
        "vendor_data": change.vendor_data,
        "status": change.after,
        "previous_status": change.before,
    }
