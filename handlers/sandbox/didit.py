"""Didit's session API under /v3/: the documented paths, all with a trailing slash.

A path without the slash is answered 301 to the one with it, as the vendor does: a client that follows may lose its key
or turn POST into GET. Every call is counted against the key's rate limit, then the key is checked, then the call is
looked at.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from handlers.sandbox import account, checks, lists, management
from handlers.sandbox.decisions import ID_ARRAY, decision_v3, iso_time
from handlers.sandbox.face_search import face_search
from handlers.sandbox.limits import Group
from handlers.sandbox.media import Links
from handlers.sandbox.replies import (
    ApiError,
    Endpoint,
    boolean,
    choice,
    detail,
    field_error,
    json_body,
    optional_text,
    page,
    required_text,
)
from handlers.sandbox.state import ITEM_TYPES, BlocklistEntry, ItemType, Session
from handlers.sandbox.update_status import update_status
from handlers.sandbox.world import World, call_of, world_of
from receiver.contract import JsonObject, JsonValue


def guarded(endpoint: Endpoint, group: Group) -> Endpoint:
    """The endpoint behind rate limit and key; every answer carries the rate limit's headers."""

    async def run(request: Request) -> Response:
        world = world_of(request)
        allowed, headers = world.limiter.take(_caller(request), group)
        try:
            if not allowed:
                raise detail(429, "Request was throttled.")
            _check_key(request, world)
            response = await endpoint(request)
        except ApiError as error:
            response = error.response()
        response.headers.update(headers)
        return response

    return run


def _caller(request: Request) -> str:
    """Whom the limit counts for: the key, else the first forwarded address, else the peer's."""
    forwarded = request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    peer = request.client.host if request.client else ""
    return request.headers.get("x-api-key") or forwarded or peer


def _check_key(request: Request, world: World) -> None:
    key = request.headers.get("x-api-key")
    if key is None:
        raise detail(world.settings.missing_key_status, "Authentication credentials were not provided.")
    if key != world.settings.api_key:
        raise detail(world.settings.wrong_key_status, "The API key is not valid.")


async def decision(request: Request) -> Response:
    """GET /v3/session/{id}/decision/: the decision as it stands, with fresh links."""
    world = world_of(request)
    session = world.session(request.path_params["session_id"])
    call_of(request).fields = {"session_id": session.session_id}
    return JSONResponse(decision_v3(session, world.links(request)))


async def create_session(request: Request) -> Response:
    """POST /v3/session/: a new session, or the unfinished one of the same person and workflow, with 201 either way."""
    world = world_of(request)
    body = await json_body(request)
    workflow_id = required_text(body, "workflow_id")
    vendor_data = optional_text(body, "vendor_data")
    call_of(request).fields = {"workflow_id": workflow_id, "vendor_data": vendor_data}
    if world.state.balance <= 0:
        raise detail(400, "Not enough credits.")
    session = world.state.unfinished(vendor_data, workflow_id) or world.state.add(
        Session(
            session_id=world.state.new_id(),
            number=world.state.next_number(),
            status="Not Started",
            created_at=world.now(),
            vendor_data=vendor_data,
            workflow_id=workflow_id,
            token=world.state.new_id(),
        )
    )
    session.callback = optional_text(body, "callback")
    session.metadata = body.get("metadata")
    session.expected_details = body.get("expected_details")
    session.contact_details = body.get("contact_details")
    return JSONResponse(_created(session, world.links(request)), 201)


def _created(session: Session, links: Links) -> JsonObject:
    return {
        "session_id": session.session_id,
        "session_number": session.number,
        "session_token": session.token,
        "url": links.session(session.token),
        "vendor_data": session.vendor_data,
        "metadata": session.metadata,
        "status": session.status,
        "callback": session.callback,
        "workflow_id": session.workflow_id,
        "workflow_version": session.workflow_version,
    }


async def list_sessions(request: Request) -> Response:
    """GET /v3/sessions/: newest first. `search` is not simulated: what the vendor searches in is not documented."""
    world, query = world_of(request), request.query_params
    call_of(request).fields = dict(query)
    kind = choice(query.get("session_kind", "user"), "session_kind", ("user", "business", "all"))
    sessions = [session for session in world.state.sessions.values() if session.kind and kind in (session.kind, "all")]
    for name in ("vendor_data", "status", "workflow_id", "country", "date_from", "date_to"):
        if (wanted := query.get(name)) is not None:
            sessions = [session for session in sessions if _fits(session, name, wanted)]
    sessions.sort(key=lambda session: (session.created_at, session.number), reverse=True)
    return JSONResponse(page(request, [_row(session, world.links(request)) for session in sessions], 50))


def _fits(session: Session, name: str, wanted: str) -> bool:
    if name == "country":
        return (session.newest(ID_ARRAY) or {}).get("issuing_state") == wanted
    if name == "date_from":
        return iso_time(session.created_at)[: len(wanted)] >= wanted
    if name == "date_to":
        return iso_time(session.created_at)[: len(wanted)] <= wanted
    return bool(getattr(session, name) == wanted)


def _row(session: Session, links: Links) -> JsonObject:
    return {
        "session_id": session.session_id,
        "session_number": session.number,
        "session_kind": session.kind,
        "session_url": links.session(session.token),
        "status": session.status,
        "vendor_data": session.vendor_data,
        "workflow_id": session.workflow_id,
        "created_at": iso_time(session.created_at),
    }


async def blocklist_add(request: Request) -> Response:
    """POST /v3/blocklist/add/: session_id and at least one true `blocklist_<type>`; a repeat changes nothing."""
    world, session, kinds = await _blocklist_request(request, "blocklist")
    for kind in kinds:
        world.state.block(session, kind, world.now())
    return JSONResponse({"message": "Successfully updated blocklist."})


async def blocklist_remove(request: Request) -> Response:
    """POST /v3/blocklist/remove/: session_id and at least one true `unblock_<type>`."""
    world, session, kinds = await _blocklist_request(request, "unblock")
    for kind in kinds:
        world.state.unblock(session, kind)
    return JSONResponse({"message": "Successfully removed from blocklist."})


async def _blocklist_request(request: Request, prefix: str) -> tuple[World, Session, list[ItemType]]:
    world = world_of(request)
    body = await json_body(request)
    names = {kind: f"{prefix}_{kind}" for kind in ITEM_TYPES}
    call_of(request).fields = {name: body[name] for name in ("session_id", *names.values()) if name in body}
    session_id = required_text(body, "session_id")
    kinds = [kind for kind, name in names.items() if boolean(body.get(name), name, False)]
    if not kinds:
        raise field_error("non_field_errors", f"At least one of {', '.join(names.values())} must be true.")
    return world, world.session(session_id), kinds


async def blocklist(request: Request) -> Response:
    """GET /v3/blocklist/: everything blocked, or one `item_type`; newest first."""
    world, query = world_of(request), request.query_params
    call_of(request).fields = dict(query)
    asked = query.get("item_type")
    kinds = ITEM_TYPES if asked is None else (cast("ItemType", choice(asked, "item_type", ITEM_TYPES)),)
    entries = [entry for kind in kinds for entry in world.state.blocklist[kind].values()]
    entries.sort(key=lambda entry: entry.blocklisted_at, reverse=True)
    return JSONResponse(page(request, [_entry(entry, world, world.links(request)) for entry in entries], 20))


_SHOWN: Final[dict[ItemType, dict[str, str]]] = {
    "face": {"face_image": "reference_image"},
    "document": {
        "document_type": "document_type",
        "document_number": "document_number",
        "front_image": "front_image",
    },
    "phone": {"phone_number": "full_number", "country_code": "country_code"},
    "email": {"email": "email"},
}
"""Which fields an entry of a type fills, and from which field of the session's record; all others are null."""


def _entry(entry: BlocklistEntry, world: World, links: Links) -> JsonObject:
    empty: dict[str, JsonValue] = {name: None for fields in _SHOWN.values() for name in fields}
    owner = world.state.sessions.get(entry.session_id)
    filled = {name: entry.record.get(source) for name, source in _SHOWN[entry.type].items()}
    return links.fill(
        {
            "type": entry.type,
            "session_id": entry.session_id,
            "session_number": owner.number if owner else None,  # entries outlive the session
            "blocklisted_at": iso_time(entry.blocklisted_at),
            **empty,
            **filled,
        }
    )


async def balance(request: Request) -> Response:
    """GET /v3/billing/balance/: the balance is a text with four decimals."""
    left = world_of(request).state.balance.quantize(Decimal("0.0001"))
    return JSONResponse(
        {
            "balance": str(left),
            "auto_refill_enabled": False,
            "auto_refill_amount": None,
            "auto_refill_threshold": None,
        }
    )


async def add_slash(request: Request) -> Response:
    """Any path that is no route: 301 to the slashed one if it is under /v3/ and lacks the slash, else 404."""
    path = request.url.path
    if path.endswith("/") or not path.startswith("/v3/"):
        raise HTTPException(404)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{path}/{query}", 301)


def _route(path: str, method: str, endpoint: Endpoint, group: Group) -> Route:
    return Route(path, guarded(endpoint, group), methods=[method])


ROUTES: Final = [
    _route("/v3/session/", "POST", create_session, "session_create"),
    _route("/v3/session/{session_id}/decision/", "GET", decision, "read"),
    _route("/v3/session/{session_id}/update-status/", "PATCH", update_status, "write"),
    _route("/v3/sessions/", "GET", list_sessions, "read"),
    _route("/v3/face-search/", "POST", face_search, "write"),
    _route("/v3/blocklist/", "GET", blocklist, "read"),
    _route("/v3/blocklist/add/", "POST", blocklist_add, "write"),
    _route("/v3/blocklist/remove/", "POST", blocklist_remove, "write"),
    _route("/v3/billing/balance/", "GET", balance, "read"),
    _route("/v3/passive-liveness/", "POST", checks.passive_liveness, "write"),
    _route("/v3/face-match/", "POST", checks.face_match, "write"),
    _route("/v3/id-verification/", "POST", checks.id_verification, "write"),
    _route("/v3/session/{session_id}/delete/", "DELETE", management.delete_session, "write"),
    _route("/v3/session/{session_id}/generate-pdf/", "GET", management.generate_pdf, "pdf"),
    _route("/v3/session/{session_id}/share/", "POST", management.share_session, "write"),
    _route("/v3/session/import-shared/", "POST", management.import_session, "write"),
    _route("/v3/lists/", "GET", lists.show_lists, "read"),
    _route("/v3/lists/", "POST", lists.make_list, "write"),
    _route("/v3/lists/{uuid}/entries/", "GET", lists.show_entries, "read"),
    _route("/v3/lists/{uuid}/entries/", "POST", lists.add_entry, "write"),
    _route("/v3/lists/{uuid}/entries/{entry_uuid}/", "DELETE", lists.delete_entry, "write"),
    _route("/v3/users/{vendor_data:path}/update-status/", "PATCH", management.user_status, "write"),
    _route("/v3/users/{vendor_data:path}/", "GET", management.user, "read"),
    Route("/auth/v2/programmatic/register/", account.open_endpoint(account.register), methods=["POST"]),
    Route("/auth/v2/programmatic/verify-email/", account.open_endpoint(account.verify_email), methods=["POST"]),
]
