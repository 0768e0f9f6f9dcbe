"""`/api/audit...`: searching, counting and following the record over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from receiver.audit.search import Search, parse
from receiver.contract import JsonObject
from receiver.errors import NotFound, StoreUnavailable, Unusable
from receiver.store.documents import dump
from receiver.store.reader import Reader
from receiver.web.answers import JsonAnswer, error
from receiver.web.auth import Caller
from receiver.web.guard import Guard, entry_number, only_known, whole_number
from receiver.web.reading import read
from receiver.wiring import System

MAX_LIMIT: Final = 500
MAX_COUNTED: Final = 10_000  # entries that one count looks at
MAX_STREAMS: Final = 32
POLL: Final = 0.25  # seconds between two looks for new entries, and at whether we drain
SILENCE: Final = 15.0  # seconds after which a comment keeps the connection alive


class RecordApi:
    """The endpoints over one system. Reading runs in threads, so that a long search holds up no delivery."""

    def __init__(self, system: System, guard: Guard) -> None:
        self._system = system
        self._guard = guard
        self._streams = 0

    def routes(self) -> list[Route]:
        """The routes below `/api/audit`."""
        return [
            Route("/api/audit", self._guard("read", self._search)),
            Route("/api/audit/counts", self._guard("read", self._counts)),
            Route("/api/audit/stream", self._guard("read", self._stream)),
            Route("/api/audit/{idx}", self._guard("read", self._entry)),
        ]

    def _asked(self, request: Request) -> Search:
        return parse(request.query_params.get("q", ""), self._system.configuration.settings.audit.queries)

    async def _search(self, request: Request, caller: Caller) -> Response:
        only_known(request, "after", "limit", "q")
        after, limit = request.query_params.get("after"), whole_number(request, "limit", 50, MAX_LIMIT)
        search = self._asked(request)
        page = await read(self._system, lambda reader: reader.audit(search, after, limit))
        return _ListAnswer({"items": page.items, "next": page.next})

    async def _counts(self, request: Request, caller: Caller) -> Response:
        only_known(request, "q", "by")
        by = [name for name in request.query_params.get("by", "").split(",") if name]
        search = self._asked(request)
        counts, whole = await read(self._system, lambda reader: reader.audit_counts(search, by, MAX_COUNTED))
        return _ListAnswer({"items": counts, "complete": whole})

    async def _entry(self, request: Request, caller: Caller) -> Response:
        idx = entry_number(request)
        entry, first = await read(self._system, lambda reader: (reader.audit_entry(idx), reader.first_idx()))
        if entry is None and idx < first:
            return error(410, "pruned", f"entry {idx} was pruned: the record begins at {first} (search kind:prune)")
        if entry is None:
            raise NotFound(f"no entry {idx}")
        return JsonAnswer(entry)

    async def _stream(self, request: Request, caller: Caller) -> Response:
        """Server-sent events: what fits the search, from `Last-Event-ID` or `after` on, else what is new from now."""
        only_known(request, "q", "after")
        search = self._asked(request)
        given = request.headers.get("last-event-id") or request.query_params.get("after")
        if given is not None and not (given.isascii() and given.isdigit() and len(given) < 19):
            raise Unusable("`after` is the index of the last entry that you have")
        if self._system.draining:
            return error(503, "unavailable", "the server is draining", {"retry-after": "5"})
        if self._streams >= MAX_STREAMS:
            return error(429, "too_many", f"{MAX_STREAMS} streams are open already", {"retry-after": "10"})
        last = int(given) if given is not None else await read(self._system, lambda reader: reader.tree_size() - 1)
        self._streams += 1
        return _EventStream(self._events(request, search, last), self._closed)

    def _closed(self) -> None:
        self._streams -= 1

    async def _events(self, request: Request, search: Search, last: int) -> AsyncIterator[str]:
        yield "retry: 1000\n\n"
        loop = asyncio.get_running_loop()
        spoke = loop.time()
        while not (self._system.draining or await request.is_disconnected()):
            try:
                items, last, more = await read(self._system, partial(_news, search=search, last=last))
            except StoreUnavailable:  # the client comes back with the last index that it has
                return
            for item in items:
                yield f"id: {item['idx']}\nevent: entry\ndata: {json.dumps(item, separators=(',', ':'))}\n\n"
            if items:
                spoke = loop.time()
            elif loop.time() - spoke > SILENCE:
                yield ": still here\n\n"
                spoke = loop.time()
            if not more:
                await asyncio.sleep(POLL)


def _news(reader: Reader, search: Search, last: int) -> tuple[list[JsonObject], int, bool]:
    """Entries after an index, the index that has been looked at by now, and whether more wait."""
    size = reader.tree_size()
    if size <= last + 1:
        return [], last, False
    page = reader.audit(search, str(last) if last >= 0 else None, MAX_LIMIT, ascending=True)
    return page.items, int(page.next) if page.next else size - 1, page.next is not None


class _ListAnswer(JsonAnswer):
    """Many items: written by the faster of two writers."""

    def render(self, content: Any) -> bytes:
        return dump(content)


class _EventStream(StreamingResponse):
    """Tells when it ends, however it ends."""

    def __init__(self, events: AsyncIterator[str], closed: Callable[[], None]) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._ended = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()
