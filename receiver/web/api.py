"""`/api/...`: what operators, analysts and auditors read and do over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.contract import FINISHED_STATES, UNFINISHED_STATES, JsonObject
from receiver.deeds import ACTION_DEEDS, act
from receiver.errors import NotFound, Unusable
from receiver.jsontext import read_object
from receiver.links import without_links
from receiver.record import undecidable
from receiver.store.reader import Reader
from receiver.store.shapes import Page
from receiver.web.access import leave_access
from receiver.web.answers import JsonAnswer, error
from receiver.web.auth import Caller
from receiver.web.body import read_body
from receiver.web.guard import Guard, only_known, whole_number
from receiver.web.reading import read
from receiver.wiring import System

MAX_LIMIT = 500
MAX_BODY = 64 * 1024  # bytes


class Api:
    """The endpoints over one system. Reading runs in threads, so that a long query holds up no delivery."""

    def __init__(self, system: System, guard: Guard) -> None:
        self._system = system
        self._guard = guard

    def routes(self) -> list[Route]:
        """The routes below `/api`, but those of the policy (`web/policy.py`) and the record (`web/record.py`)."""
        return [
            Route("/api/events", self._guard("read", self._events)),
            Route("/api/events/{event_id}", self._guard("read", self._event)),
            Route("/api/events/{event_id}/replay", self._guard("operate", self._replay), methods=["POST"]),
            Route("/api/sessions/{session_id:path}", self._guard("read", self._session)),
            Route("/api/actions", self._guard("read", self._actions)),
            Route("/api/actions/{action_id}", self._guard("read", self._action)),
            Route("/api/actions/{action_id}/{deed}", self._guard("review", self._act), methods=["POST"]),
            Route("/api/reviews", self._guard("read", self._reviews)),
            Route("/api/reviews/{review_id}/resolve", self._guard("review", self._resolve), methods=["POST"]),
            Route("/api/rejects", self._guard("read", self._rejects)),
        ]

    async def _page(self, request: Request, ask: Callable[[Reader, str | None, int], Page], *known: str) -> Response:
        only_known(request, "after", "limit", *known)
        after, limit = request.query_params.get("after"), whole_number(request, "limit", 50, MAX_LIMIT)
        page = await read(self._system, lambda reader: ask(reader, after, limit))
        return JsonAnswer({"items": page.items, "next": page.next})

    async def _events(self, request: Request, caller: Caller) -> Response:
        ask = request.query_params.get
        return await self._page(
            request,
            lambda reader, after, limit: reader.events(
                after, limit, session_id=ask("session_id"), source=ask("source"), outcome=ask("outcome")
            ),
            "session_id",
            "source",
            "outcome",
        )

    async def _event(self, request: Request, caller: Caller) -> Response:
        event_id = request.path_params["event_id"]
        document = await read(self._system, lambda reader: reader.event(event_id, raw=caller.may("read_raw")))
        if document is not None and document.get("raw") is not None:
            await leave_access(self._system, caller, "body", event_id=event_id)
        return _shown(document, caller, f"event {event_id}")

    async def _replay(self, request: Request, caller: Caller) -> Response:
        event_id, at = request.path_params["event_id"], self._system.clock()
        try:
            decision = await self._system.store.run(
                lambda tx: self._system.recorder.replay(tx, event_id, f"token:{caller.name}", at)
            )
        except NotFound:
            raise await read(self._system, lambda reader: undecidable(reader, event_id)) from None
        return JsonAnswer({"event_id": event_id, "outcome": decision.outcome})

    async def _session(self, request: Request, caller: Caller) -> Response:
        session_id = request.path_params["session_id"]
        document = await read(self._system, lambda reader: reader.session(session_id))
        return _shown(document, caller, "session of this id")

    async def _actions(self, request: Request, caller: Caller) -> Response:
        ask = request.query_params.get
        state = ask("state")
        if state is not None and state not in (*UNFINISHED_STATES, *FINISHED_STATES):
            raise Unusable(f"unknown state {state!r}; known: {', '.join((*UNFINISHED_STATES, *FINISHED_STATES))}")
        return await self._page(
            request,
            lambda reader, after, limit: reader.actions(after, limit, state=state, session_id=ask("session_id")),
            "state",
            "session_id",
        )

    async def _action(self, request: Request, caller: Caller) -> Response:
        return await self._action_now(request.path_params["action_id"], caller)

    async def _action_now(self, action_id: str, caller: Caller) -> Response:
        return _shown(await read(self._system, lambda reader: reader.action(action_id)), caller, f"action {action_id}")

    async def _act(self, request: Request, caller: Caller) -> Response:
        """Retry and discard are the operator's, approve and reject also the analyst's."""
        action_id, deed = request.path_params["action_id"], request.path_params["deed"]
        if deed not in ACTION_DEEDS:
            return error(404, "not_found", f"no deed {deed!r}; known: {', '.join(ACTION_DEEDS)}")
        if deed in ("retry", "discard") and not caller.may("operate"):
            return error(403, "forbidden", f"the role {caller.role} does not allow this")
        reason = str((await self._json(request)).get("reason") or "")
        at, actor = self._system.clock(), f"token:{caller.name}"
        await self._system.store.run(lambda tx: act(tx, deed, action_id, actor, at, reason))
        return await self._action_now(action_id, caller)

    async def _reviews(self, request: Request, caller: Caller) -> Response:
        state = request.query_params.get("state")
        if state not in (None, "open", "resolved"):
            raise Unusable(f"unknown state {state!r}; known: open, resolved")
        return await self._page(
            request, lambda reader, after, limit: reader.reviews(after, limit, state=state), "state"
        )

    async def _resolve(self, request: Request, caller: Caller) -> Response:
        review_id = request.path_params["review_id"]
        body = await self._json(request)
        resolution, note = body.get("resolution"), body.get("note", "")
        if not isinstance(resolution, str) or not resolution or not isinstance(note, str):
            raise Unusable('send {"resolution": "...", "note": "..."}: both text, the resolution not empty')
        at, actor = self._system.clock(), f"token:{caller.name}"
        await self._system.store.run(lambda tx: tx.resolve_review(review_id, actor, at, resolution, note))
        return JsonAnswer({"review_id": review_id, "state": "resolved"})

    async def _rejects(self, request: Request, caller: Caller) -> Response:
        return await self._page(request, lambda reader, after, limit: reader.rejects(after, limit))

    async def _json(self, request: Request) -> JsonObject:
        """The request's JSON object; an empty body is an empty object."""
        seconds = self._system.configuration.settings.server.body_timeout
        body = await read_body(request.scope, request.receive, MAX_BODY, seconds)
        return read_object(body) if body else {}


def _shown(document: JsonObject | None, caller: Caller, what: str) -> Response:
    """The document, with links only for who may see what they open. Raises NotFound."""
    if document is None:
        raise NotFound(f"no {what}")
    return JsonAnswer(document if caller.may("read_raw") else without_links(document))
