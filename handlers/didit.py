"""The `didit.` actions: face search, blocklist, session status, decision.

Facts: Didit's API reference (docs.didit.me), mid to late 2026; nothing here is confirmed against the live service.
Where versions contradict each other the safe reading is taken, and said at the place. Paths end with a slash because
the slash is part of the path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from handlers.didit_params import BlocklistParams, DecisionParams, FaceSearchParams, UpdateStatusParams
from handlers.didit_wire import face_search_result, image_link, readable_decision
from handlers.http import VendorClient, segment
from handlers.images import Image, ImageFetcher, link_is_gone
from handlers.redact import public_text
from handlers.tools import Factory, method_of
from receiver.contract import ActionCall, JsonObject, Outcome
from receiver.errors import AnswerUnreadable, VendorRefused, VendorUnavailable


def didit_client(base_url: str, api_key: str, timeout: float = 30.0) -> VendorClient:
    """A client for Didit's verification API; `base_url` is its root, without `/v3`. `timeout` is in seconds."""
    return VendorClient("didit", base_url, {"x-api-key": api_key}, timeout=timeout)


class Didit:
    """The actions over one client. Each returns how it ended, or raises a VendorError (see `handlers/http.py`)."""

    def __init__(self, client: VendorClient, images: ImageFetcher) -> None:
        self._client = client
        self._images = images

    async def face_search(self, params: FaceSearchParams, call: ActionCall) -> Outcome:
        """`POST /v3/face-search/` with the session's best face image. It takes an image and nothing else.

        `save_api_request` is false: otherwise the call would be kept as a session, enrol the face, and send a
        `status.updated` that would come back here. Without a face in the image Didit answers 400 (older versions: a
        NO_FACE_DETECTED warning): the first is `failed`, the second an ordinary result.
        """
        decision = await self._read_decision(_session(call))
        image = await self._image(image_link(decision), call)
        answer = await self._client.request(
            "POST",
            "/v3/face-search/",
            data={
                "search_type": params.search_type,
                "rotate_image": "true" if params.rotate_image else "false",
                "save_api_request": "false",
            },
            files={"user_image": (image.filename, image.content, image.media_type)},
        )
        body = answer.object()
        found = body.get("face_search")
        if not isinstance(found, dict):
            raise AnswerUnreadable("didit: the answer holds no face_search", answer.status)
        return Outcome("done", None, face_search_result(body, found, params, call.event), answer.status)

    async def blocklist_add(self, params: BlocklistParams, call: ActionCall) -> Outcome:
        """`POST /v3/blocklist/add/`. Sets a value: repeating it changes nothing."""
        return await self._blocklist("/v3/blocklist/add/", "blocklist", params, call)

    async def blocklist_remove(self, params: BlocklistParams, call: ActionCall) -> Outcome:
        """`POST /v3/blocklist/remove/`, whose fields begin with `unblock_`, unlike those of adding."""
        return await self._blocklist("/v3/blocklist/remove/", "unblock", params, call)

    async def update_status(self, params: UpdateStatusParams, call: ActionCall) -> Outcome:
        """`PATCH /v3/session/{id}/update-status/`, allowed from a final or reviewable status, else 400.

        On 400 the decision is read: a session that is already there makes it a `noop`. An interrupted call is looked
        up before it is repeated.
        """
        session_id = _session(call)
        if call.repeated and await self._status(session_id) == params.status:
            return _set(session_id, params.status, "had taken effect before the interruption")
        path = f"/v3/session/{segment(session_id)}/update-status/"
        try:
            answer = await self._client.request("PATCH", path, json=_status_change(params))
        except VendorRefused as refused:
            if refused.http_status != 400 or await self._status(session_id) != params.status:
                raise
            return Outcome("noop", f"the session is already {params.status}", http_status=400)
        return _set(session_id, params.status, None, answer.status)

    async def decision(self, params: DecisionParams, call: ActionCall) -> Outcome:
        """`GET /v3/session/{id}/decision/`, redacted."""
        return Outcome("done", None, readable_decision(await self._read_decision(_session(call))), 200)

    async def _read_decision(self, session_id: str) -> JsonObject:
        """Reading is free and changes nothing, so an answer that cannot be read is one to ask for again."""
        try:
            answer = await self._client.request("GET", f"/v3/session/{segment(session_id)}/decision/")
            return answer.object()
        except AnswerUnreadable as error:
            reason, status = f"the decision cannot be read: {error.reason}", error.http_status
        raise VendorUnavailable(reason, status)

    async def _status(self, session_id: str) -> object:
        return (await self._read_decision(session_id)).get("status")

    async def _image(self, link: str | None, call: ActionCall) -> Image:
        """The link was read a moment ago. Refused all the same, it may have been on the edge: that is tried once more
        with a new one. Refused again, the image is no longer there.
        """
        if link is None:
            raise VendorRefused("the decision holds no face image to search with")
        try:
            return await self._images.fetch(link)
        except VendorUnavailable as error:
            if call.attempt == 1 or not link_is_gone(error):
                raise
            gone = VendorRefused(f"{error.reason}: the image is no longer there", error.http_status)
        raise gone

    async def _blocklist(self, path: str, prefix: str, params: BlocklistParams, call: ActionCall) -> Outcome:
        """Only what is true is sent: what a false would do to an entry that exists is not documented."""
        body: JsonObject = {"session_id": _session(call)}
        body |= {f"{prefix}_{kind}": True for kind in params.chosen}
        answer = await self._client.request("POST", path, json=body)
        said = answer.object().get("message")
        result: JsonObject = {
            "items": [*params.chosen],
            "message": public_text(said) if isinstance(said, str) else None,
        }
        return Outcome("done", None, result, answer.status)


def _session(call: ActionCall) -> str:
    session_id = call.event["session_id"]
    if not session_id:
        raise VendorRefused("the event names no session")
    segment(session_id)  # an id that could stand in no path belongs in no body either
    return session_id


def _status_change(params: UpdateStatusParams) -> JsonObject:
    """The request body: the status, and of the rest what was given."""
    given: JsonObject = params.model_dump(mode="json", exclude_defaults=True, exclude={"status"})
    return {"new_status": params.status, **given}


def _set(session_id: str, status: str, note: str | None, http_status: int | None = None) -> Outcome:
    return Outcome("done", note, {"session_id": session_id, "status": status}, http_status)


_METHODS: Final[Mapping[str, Callable[[Didit, Any, ActionCall], Awaitable[Outcome]]]] = {
    "didit.face_search": Didit.face_search,
    "didit.blocklist_add": Didit.blocklist_add,
    "didit.blocklist_remove": Didit.blocklist_remove,
    "didit.update_status": Didit.update_status,
    "didit.decision": Didit.decision,
}
ACTIONS: Final[Mapping[str, Factory]] = {name: method_of("didit", Didit, method) for name, method in _METHODS.items()}
