"""`GET /api/sessions/{session_id}/explanation`, `/api/events/{event_id}/explanation`: the life of one session, or one
event of it, as JSON or as a page to print.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from receiver.contract import JsonObject
from receiver.errors import Unusable
from receiver.store.documents import iso
from receiver.story.gather import Material, gather
from receiver.story.person import for_person
from receiver.story.tell import told
from receiver.web.access import leave_access
from receiver.web.answers import JsonAnswer, error
from receiver.web.auth import Caller
from receiver.web.guard import Guard, only_known
from receiver.web.reading import read
from receiver.wiring import System

# strangers wrote parts of the page: whatever it holds, a browser loads nothing, runs nothing and keeps nothing
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "vary": "accept",
}
_JSON, _HTML = "application/json", "text/html"


class StoryApi:
    """The endpoints over one system. Their routes stand before those of `Api`: a session's id may hold slashes."""

    def __init__(self, system: System, guard: Guard) -> None:
        self._system = system
        self._guard = guard

    def routes(self) -> list[Route]:
        """Of a session; and of one event, which is all that leads to an erased person's."""
        return [
            Route("/api/sessions/{session_id:path}/explanation", self._guard("explain", self._explanation)),
            Route("/api/events/{event_id}/explanation", self._guard("explain", self._explanation)),
        ]

    async def _explanation(self, request: Request, caller: Caller) -> Response:
        only_known(request, "for", *(["event"] if "session_id" in request.path_params else []))
        session_id = request.path_params.get("session_id")
        event_id = request.path_params.get("event_id") or request.query_params.get("event")
        audience = request.query_params.get("for", "officer")
        if audience not in ("officer", "person"):
            raise Unusable(f"unknown value {audience!r} of `for`; known: officer, person")
        kind = _wanted(request.headers.get("accept", "*/*"))
        if kind is None:
            return error(406, "not_acceptable", f"this can be had as {_JSON} and as {_HTML}")
        verifier = self._system.store.verifier
        material = await read(self._system, lambda reader: gather(reader, verifier, session_id, event_id))
        await leave_access(self._system, caller, "explanation", event_id=event_id, session_id=session_id)
        return await run_in_threadpool(self._answer, material, caller, kind, audience)

    def _answer(self, material: Material, caller: Caller, kind: str, audience: str) -> Response:
        document: JsonObject = told(material, iso(self._system.clock()), f"token:{caller.name}")
        shown: Any = for_person(document) if audience == "person" else document
        if kind == _JSON:
            return JsonAnswer(shown, headers=_HEADERS)
        from receiver.story.page import page

        return HTMLResponse(page(shown), headers=_HEADERS)


def _wanted(accept: str) -> str | None:
    """The better liked of the two kinds by an Accept header (RFC 9110, 12.5.1): JSON where both are liked the same,
    None where neither is wanted.
    """
    liking = {kind: _quality(accept, kind) for kind in (_JSON, _HTML)}
    best = max(liking, key=lambda kind: liking[kind])
    return best if liking[best] > 0 else None


def _quality(accept: str, kind: str) -> float:
    """How much a kind is wanted, from 0 to 1: what the most exact range says."""
    found = (-1, 0.0)
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        exactness = {kind: 2, f"{kind.partition('/')[0]}/*": 1, "*/*": 0}.get(name, -1)
        if exactness > found[0]:
            weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
            found = (exactness, _number(weight))
    return found[1]


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
