"""The Lists API, /v3/lists/: one system blocklist for each type of entry, and lists of one's own.

Not documented, and so made up: the fields of an entry beside those that adding it takes, and what adding a value twice
answers (`SandboxSettings.same_entry`).
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from handlers.sandbox.decisions import iso_time
from handlers.sandbox.replies import choice, detail, field_error, json_body, optional_text, page, required_text
from handlers.sandbox.state import ENTRY_TYPES, ITEM_TYPES, Entry, EntryList, Session
from handlers.sandbox.world import World, call_of, world_of
from receiver.contract import JsonObject, JsonValue

LIST_TYPES = ("blocklist", "allowlist", "custom")


async def show_lists(request: Request) -> Response:
    """GET /v3/lists/: all of them, or those of one `list_type` and `entry_type`."""
    world, query = world_of(request), request.query_params
    call_of(request).fields = dict(query)
    lists = list(world.state.lists.values())
    if "list_type" in query:
        kind = choice(query["list_type"], "list_type", LIST_TYPES)
        lists = [each for each in lists if each.list_type == kind]
    if "entry_type" in query:
        kind = choice(query["entry_type"], "entry_type", ENTRY_TYPES)
        lists = [each for each in lists if each.entry_type == kind]
    return JSONResponse(page(request, [_list(each) for each in lists], 25))


async def make_list(request: Request) -> Response:
    """POST /v3/lists/: a list of one's own; blocklists are the vendor's."""
    world, body = world_of(request), await json_body(request)
    made = EntryList(
        uuid=world.state.new_id(),
        name=required_text(body, "name"),
        list_type=choice(body.get("list_type"), "list_type", LIST_TYPES[1:]),
        entry_type=choice(body.get("entry_type"), "entry_type", ENTRY_TYPES),
        created_at=world.now(),
        is_system=False,
    )
    world.state.lists[made.uuid] = made
    return JSONResponse(_list(made), 201)


async def show_entries(request: Request) -> Response:
    """GET /v3/lists/{uuid}/entries/?search=: those whose value or label holds the text."""
    found, wanted = _asked(request), request.query_params.get("search", "")
    call_of(request).fields = {"search": bool(wanted)}
    rows = [_entry(entry) for entry in found.entries.values() if wanted in entry.value or wanted in (entry.label or "")]
    return JSONResponse(page(request, rows, 25))


async def add_entry(request: Request) -> Response:
    """POST /v3/lists/{uuid}/entries/: a value, or what a session has of that kind."""
    world, found, body = world_of(request), _asked(request), await json_body(request)
    call_of(request).fields = {"entry_type": found.entry_type, "reference_session_id": body.get("reference_session_id")}
    reference = optional_text(body, "reference_session_id")
    value = optional_text(body, "value")
    if (value is None) == (reference is None):
        raise field_error("value", "Give either a value or a reference_session_id.")
    session = world.session(reference) if reference else None
    known = value or _of_session(world, session, found.entry_type)
    if known in found.entries and world.settings.same_entry == "refused":
        raise field_error("value", "The entry is on the list already.")
    entry = Entry(
        uuid=world.state.new_id(),
        value=known,
        label=optional_text(body, "display_label"),
        comment=optional_text(body, "comment"),
        metadata=body.get("metadata"),
        created_at=world.now(),
    )
    found.entries[known] = entry
    return JSONResponse(_entry(entry), 201)


async def delete_entry(request: Request) -> Response:
    """DELETE /v3/lists/{uuid}/entries/{entry_uuid}/: also unblocks."""
    found, uuid = _asked(request), request.path_params["entry_uuid"]
    for value, entry in found.entries.items():
        if entry.uuid == uuid:
            del found.entries[value]
            return Response(status_code=204)
    raise detail(404, "Entry not found.")


def _asked(request: Request) -> EntryList:
    found = world_of(request).state.lists.get(request.path_params["uuid"])
    if found is None:
        raise detail(404, "List not found.")
    return found


def _of_session(world: World, session: Session | None, entry_type: str) -> str:
    """What a session has of a kind; 400 where it lacks that datum. A blocked face is found by searches too."""
    assert session is not None
    kind = next((kind for kind in ITEM_TYPES if kind == entry_type), None)
    if kind is not None and (item := world.state.item(session, kind)) is not None:
        world.state.block(session, kind, world.now())
        return item
    address = (session.newest("ip_analyses") or {}).get("ip_address") if entry_type == "ip_address" else None
    if isinstance(address, str):
        return address
    raise field_error("reference_session_id", f"The session has no {entry_type}.")


def _list(each: EntryList) -> JsonObject:
    newest = max((entry.created_at for entry in each.entries.values()), default=None)
    return {
        "uuid": each.uuid,
        "name": each.name,
        "description": None,
        "list_type": each.list_type,
        "entry_type": each.entry_type,
        "is_system": each.is_system,
        "entry_count": len(each.entries),
        "last_entry_added_at": None if newest is None else iso_time(newest),
        "created_at": iso_time(each.created_at),
        "updated_at": iso_time(each.created_at),
    }


def _entry(entry: Entry) -> JsonObject:
    metadata: JsonValue = entry.metadata
    return {
        "uuid": entry.uuid,
        "value": entry.value,
        "display_label": entry.label,
        "comment": entry.comment,
        "metadata": metadata,
        "created_at": iso_time(entry.created_at),
    }
