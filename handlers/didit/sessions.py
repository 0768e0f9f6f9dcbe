"""The `didit.` actions on sessions: read, list, create, delete, set the status, print, share, import."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from handlers.didit.client import read, read_decision, session_of, session_path
from handlers.didit.results import import_result, new_session_result, sessions_result
from handlers.didit.session_params import (
    CreateSessionParams,
    DecisionParams,
    DeleteSessionParams,
    GeneratePdfParams,
    ImportSessionParams,
    ListSessionsParams,
    ShareSessionParams,
    UpdateStatusParams,
)
from handlers.didit.wire import image_link, readable_decision, refuse_hidden_no
from handlers.faces import Faces, Place
from handlers.http import VendorClient
from handlers.images import ImageFetcher
from receiver.contract import ActionCall, JsonObject, Outcome
from receiver.errors import AnswerUnreadable, VendorRefused, VendorUnavailable

MAX_PDF: Final = 20 * 1024 * 1024  # bytes; ours: none is documented
MAX_PORTRAIT: Final = 1_000_000  # bytes; 2 MB in one text, 1 MB in another: the least is kept to
_PORTRAIT = Place("portrait_image", image_link, "selfie", MAX_PORTRAIT)
_UNDER_WAY: Final = ("Resubmitted", "In Progress", "Awaiting User")


class Sessions:
    """The actions over one client. Each returns how it ended, or raises a VendorError (see `handlers/http.py`)."""

    def __init__(self, client: VendorClient, images: ImageFetcher) -> None:
        self._client = client
        self._faces = Faces(images, client)

    async def decision(self, params: DecisionParams, call: ActionCall) -> Outcome:
        """`GET /v3/session/{id}/decision/`, redacted."""
        return Outcome("done", None, readable_decision(await read_decision(self._client, session_of(call))), 200)

    async def list_sessions(self, params: ListSessionsParams, call: ActionCall) -> Outcome:
        """`GET /v3/sessions/`: one page."""
        query = params.model_dump(exclude_none=True)
        return Outcome("done", None, sessions_result(await read(self._client, "/v3/sessions/", "the list", query)), 200)

    async def update_status(self, params: UpdateStatusParams, call: ActionCall) -> Outcome:
        """`PATCH /v3/session/{id}/update-status/`, allowed from a final or reviewable status, else 400.

        On 400 the decision is read: a session that is already there makes it a `noop`. An interrupted call is looked
        up before it is repeated.
        """
        session_id = session_of(call)
        if call.uncertain and _reached(params.status, await self._status(session_id)):
            return _set(session_id, params.status, "had taken effect before the interruption")
        try:
            answer = await self._client.request(
                "PATCH", session_path(session_id, "update-status"), json=_status_change(params)
            )
        except VendorRefused as refused:
            if refused.http_status != 400 or await self._status(session_id) != params.status:
                raise
            return Outcome("noop", f"the session is already {params.status}", http_status=400)
        refuse_hidden_no(answer.json, answer.status)
        return _set(session_id, params.status, None, answer.status)

    async def create_session(self, params: CreateSessionParams, call: ActionCall) -> Outcome:
        """`POST /v3/session/`. An unfinished session of the same vendor_data and workflow is given back in place of a
        new one, so with vendor_data a repeat makes no second one; its callback and metadata are written anew.

        The link that the person opens is a secret: the result names its host. Whoever calls by hand is handed it, and
        Didit itself can send it (`contact_details.send_notification_emails`).
        """
        vendor_data = params.vendor_data or call.event["vendor_data"]
        body = params.model_dump(mode="json", exclude_none=True, exclude={"portrait_image", "with_portrait"})
        if vendor_data is not None:
            body["vendor_data"] = vendor_data
        if params.with_portrait or params.portrait_image is not None or "portrait_image" in call.files:
            image = await self._faces.image(params.portrait_image, call, _PORTRAIT)
            body["portrait_image"] = base64.b64encode(image.content).decode()
        created, status = await self._create(body, again=vendor_data is not None)
        note = "repeated after an interruption: there may be two sessions"
        reason = note if call.uncertain and vendor_data is None else None
        handover = {name: link for name in ("url",) if isinstance(link := created.get(name), str)}
        return Outcome("done", reason, new_session_result(created), status, handover=handover)

    async def delete_session(self, params: DeleteSessionParams, call: ActionCall) -> Outcome:
        """`DELETE /v3/session/{id}/delete/`. 200 with JSON in the newest pages, 204 in others: any 2xx will do. One
        that is not there after an interrupted attempt is deleted, after another one there is nothing to do; at the
        first attempt it was never there, or is another application's, and that is a no.
        """
        session_id = session_of(call)
        body = params.model_dump(mode="json", exclude_none=True)
        try:
            answer = await self._client.request("DELETE", session_path(session_id, "delete"), json=body)
        except VendorRefused as refused:
            if refused.http_status != 404 or (call.attempt == 1 and not call.uncertain):
                raise
            if call.uncertain:
                return Outcome("done", "had taken effect before the interruption", http_status=404)
            return Outcome("noop", "the session is not there", http_status=404)
        refuse_hidden_no(answer.json, answer.status)
        return Outcome("done", http_status=answer.status)

    async def generate_pdf(self, params: GeneratePdfParams, call: ActionCall) -> Outcome:
        """`GET /v3/session/{id}/generate-pdf/`. Size and hash are kept; the report itself is only handed to whoever
        calls by hand. 403 is Didit's no to a session that is not finished.
        """
        session_id = session_of(call)
        answer = await self._client.request(
            "GET",
            session_path(session_id, "generate-pdf"),
            expect="bytes",
            group="pdf",
            limit=MAX_PDF,
            own_no=frozenset([403]),
        )
        if not answer.content.startswith(b"%PDF-") or b"%%EOF" not in answer.content[-1024:]:
            raise AnswerUnreadable("didit: the answer is not a whole PDF", answer.status)
        digest = hashlib.sha256(answer.content).hexdigest()
        result: JsonObject = {"session_id": session_id, "bytes": len(answer.content), "sha256": digest}
        return Outcome("done", None, result, answer.status, handover={"pdf": answer.content})

    async def share_session(self, params: ShareSessionParams, call: ActionCall) -> Outcome:
        """`POST /v3/session/{id}/share/`. The token opens the session, so it is kept nowhere: only whoever calls by
        hand is handed it. 401 and 403 are also this operation's own no (one text: 401 comes only from here). A
        share cannot be looked up: a repeat makes another token, and both live for their time.
        """
        session_id = session_of(call)
        answer = await self._client.request(
            "POST", session_path(session_id, "share"), json=params.model_dump(), own_no=frozenset([401, 403])
        )
        token = answer.object().get("share_token")
        if not isinstance(token, str) or not token:
            raise AnswerUnreadable("didit: the answer holds no share_token", answer.status)
        return Outcome(
            "done",
            "repeated after an interruption: there may be two tokens" if call.uncertain else None,
            {"session_id": session_id, **params.model_dump()},
            answer.status,
            handover={"share_token": token},
        )

    async def import_session(self, params: ImportSessionParams, call: ActionCall) -> Outcome:
        """`POST /v3/session/import-shared/`. A second import by the same receiver is 403; what else 403 may mean here
        is not documented, so after an interruption it is `failed` with both readings, and nobody takes it for done.
        """
        body = params.model_dump(exclude_none=True)
        vendor_data = params.vendor_data or call.event["vendor_data"]
        if vendor_data is not None:
            body["vendor_data"] = vendor_data
        try:
            answer = await self._client.request(
                "POST", "/v3/session/import-shared/", json=body, own_no=frozenset([403])
            )
        except VendorRefused as refused:
            if refused.http_status != 403 or not (call.uncertain or call.attempt > 1):
                raise
            reason = f"{refused.reason}; an earlier attempt may have imported it"
            return Outcome("failed", reason, http_status=403)
        return Outcome("done", None, import_result(answer.object()), answer.status)

    async def _create(self, body: JsonObject, *, again: bool) -> tuple[JsonObject, int]:
        """`again`: a repeat gives the same session back, so an answer that cannot be read is asked for again."""
        try:
            answer = await self._client.request("POST", "/v3/session/", json=body, group="create")
            return answer.object(), answer.status
        except AnswerUnreadable as error:
            if not again:
                raise
            reason, status = f"the new session cannot be read: {error.reason}", error.http_status
        raise VendorUnavailable(reason, status)

    async def _status(self, session_id: str) -> object:
        return (await read_decision(self._client, session_id)).get("status")


def _reached(wanted: str, status: object) -> bool:
    """Whether a change took effect. One that was sent back may be under way again: no session gets there otherwise
    from a status that can be changed (own inference).
    """
    return status == wanted or (wanted == "Resubmitted" and status in _UNDER_WAY)


def _status_change(params: UpdateStatusParams) -> JsonObject:
    """The request body: the status, and of the rest what was given."""
    given: JsonObject = params.model_dump(mode="json", exclude_defaults=True, exclude={"status"})
    return {"new_status": params.status, **given}


def _set(session_id: str, status: str, note: str | None, http_status: int | None = None) -> Outcome:
    return Outcome("done", note, {"session_id": session_id, "status": status}, http_status)
