"""The `didit.` actions on blocklists and lists.

There are two ways, and no text says that the older one is switched off: `/v3/blocklist/` takes face, document, phone
and e-mail from a session; `/v3/lists/` holds twelve kinds of things, IP addresses and devices among them.
"""

from __future__ import annotations

from handlers.didit.client import read, session_of
from handlers.didit.list_params import BlocklistListParams, BlocklistParams, ListAddParams
from handlers.didit.results import blocked_result
from handlers.didit.wire import objects, text
from handlers.http import VendorClient, segment
from handlers.images import ImageFetcher
from handlers.redact import public_text
from receiver.contract import ActionCall, JsonObject, Outcome
from receiver.errors import VendorRefused


class Lists:
    """The actions over one client. Each returns how it ended, or raises a VendorError (see `handlers/http.py`)."""

    def __init__(self, client: VendorClient, images: ImageFetcher) -> None:
        self._client = client

    async def blocklist_add(self, params: BlocklistParams, call: ActionCall) -> Outcome:
        """`POST /v3/blocklist/add/`. Sets a value: repeating it changes nothing."""
        return await self._blocklist("/v3/blocklist/add/", "blocklist", params, call)

    async def blocklist_remove(self, params: BlocklistParams, call: ActionCall) -> Outcome:
        """`POST /v3/blocklist/remove/`, whose fields begin with `unblock_`, unlike those of adding."""
        return await self._blocklist("/v3/blocklist/remove/", "unblock", params, call)

    async def blocklist_list(self, params: BlocklistListParams, call: ActionCall) -> Outcome:
        """`GET /v3/blocklist/`: one page, newest first."""
        query = params.model_dump(exclude_none=True)
        return Outcome(
            "done", None, blocked_result(await read(self._client, "/v3/blocklist/", "the blocklist", query)), 200
        )

    async def list_add(self, params: ListAddParams, call: ActionCall) -> Outcome:
        """`POST /v3/lists/{uuid}/entries/`. What adding a second time answers is not documented: a 400 is looked
        up, and so is an interrupted call before it is repeated. An entry that is there makes it a `noop` or `done`.
        What came from a session cannot be looked up: a 400 to its repeat is `failed`, with both readings.
        """
        body = self._entry(params, call)
        uuid = params.list_uuid or await self._own_blocklist(params.entry_type)
        if call.uncertain and await self._holds(uuid, params.value):
            return _added(uuid, None, params, "had taken effect before the interruption")
        try:
            answer = await self._client.request("POST", f"/v3/lists/{segment(uuid)}/entries/", json=body)
        except VendorRefused as refused:
            if refused.http_status == 400 and params.from_session and call.uncertain:
                return Outcome("failed", f"{refused.reason}; an earlier attempt may have added it", http_status=400)
            if refused.http_status != 400 or not await self._holds(uuid, params.value):
                raise
            return Outcome("noop", "the entry is on the list already", http_status=400)
        return _added(uuid, text(answer.object().get("uuid")), params, None, answer.status)

    def _entry(self, params: ListAddParams, call: ActionCall) -> JsonObject:
        """The request body: only what was given."""
        body = params.model_dump(mode="json", exclude_none=True, exclude={"list_uuid", "entry_type", "from_session"})
        if params.from_session:
            body["reference_session_id"] = session_of(call)
        return body

    async def _own_blocklist(self, entry_type: str) -> str:
        """The blocklist that Didit made for a type. Raises VendorRefused where there is none, or it cannot be told."""
        query: dict[str, str | int | bool] = {"list_type": "blocklist", "entry_type": entry_type}
        answer = await read(self._client, "/v3/lists/", "the lists", query)
        rows = [row for row in objects(answer.get("results")) if _is_blocklist_of(row, entry_type)]
        if len(rows) > 1:
            rows = [row for row in rows if row.get("is_system") is True]
        uuids = [uuid for row in rows if (uuid := text(row.get("uuid")))]
        if len(uuids) != 1:
            found = "no blocklist" if not uuids else "several blocklists"
            raise VendorRefused(f"Didit has {found} for {entry_type}: name one as `list_uuid`")
        return uuids[0]

    async def _holds(self, uuid: str, value: str | None) -> bool:
        """Whether a list holds this very value. What came from a session cannot be looked up: False."""
        if value is None:
            return False
        path = f"/v3/lists/{segment(uuid)}/entries/"
        answer = await read(self._client, path, "the list's entries", {"search": value})
        return any(row.get("value") == value for row in objects(answer.get("results")))

    async def _blocklist(self, path: str, prefix: str, params: BlocklistParams, call: ActionCall) -> Outcome:
        """Only what is true is sent: what a false would do to an entry that exists is not documented."""
        body: JsonObject = {"session_id": session_of(call)}
        body |= {f"{prefix}_{kind}": True for kind in params.chosen}
        answer = await self._client.request("POST", path, json=body)
        said = answer.json.get("message") if isinstance(answer.json, dict) else None  # any 2xx is a yes
        result: JsonObject = {
            "items": [*params.chosen],
            "message": public_text(said) if isinstance(said, str) else None,
        }
        return Outcome("done", None, result, answer.status)


def _is_blocklist_of(row: JsonObject, entry_type: str) -> bool:
    """The query is not trusted to have been heeded: a face must not land on an allowlist."""
    return row.get("list_type") == "blocklist" and row.get("entry_type") == entry_type


def _added(
    uuid: str, entry: str | None, params: ListAddParams, note: str | None, http_status: int | None = None
) -> Outcome:
    return Outcome("done", note, {"list_uuid": uuid, "entry": entry, "entry_type": params.entry_type}, http_status)
