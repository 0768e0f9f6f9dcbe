"""`/api/audit/{idx}/proof` and `/log/...`: proofs, and the log as C2SP tlog-tiles has it (https://c2sp.org/tlog-tiles).

Anybody with a token that may read can follow the log, check that it only grows, and work every proof out alone.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.audit.tree import HASH, WIDTH
from receiver.errors import NotFound
from receiver.proofs import covering, entry_document
from receiver.store.reader import Reader
from receiver.web.answers import JsonAnswer
from receiver.web.auth import Caller
from receiver.web.guard import Guard, entry_number
from receiver.web.reading import read
from receiver.wiring import System

# level or `entries`, number in groups of three digits of which all but the last have an x, width of a partial tile
_TILE: Final = re.compile(r"(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_KEPT_FOR_GOOD: Final = {"cache-control": "private, max-age=31536000, immutable"}
_ASKED_ANEW: Final = {"cache-control": "no-cache"}


class ProofsApi:
    """The endpoints over one system."""

    def __init__(self, system: System, guard: Guard) -> None:
        self._system = system
        self._guard = guard

    def routes(self) -> list[Route]:
        """The routes, to stand before the rest of `/api/audit`."""
        return [
            Route("/api/audit/{idx}/proof", self._guard("read", self._proof)),
            Route("/log/checkpoint", self._guard("read", self._checkpoint)),
            Route("/log/tile/{path:path}", self._guard("read", self._tile)),
        ]

    async def _proof(self, request: Request, caller: Caller) -> Response:
        """Signs a checkpoint now if none covers the entry yet."""
        return JsonAnswer(await run_in_threadpool(entry_document, self._system.store, entry_number(request)))

    async def _checkpoint(self, request: Request, caller: Caller) -> Response:
        def newest() -> str:
            with self._system.store.read() as reader:
                if not reader.tree_size():
                    raise NotFound("the log is empty yet")
            return covering(self._system.store, 1)[0]

        return Response(await run_in_threadpool(newest), media_type="text/plain", headers=_ASKED_ANEW)

    async def _tile(self, request: Request, caller: Caller) -> Response:
        """A tile, or a bundle of entries: each one's length in two bytes, then its leaf."""
        found = _TILE.fullmatch(request.path_params["path"])
        width = int(found[3]) if found and found[3] else WIDTH
        if found is None or (found[3] and width >= WIDTH):
            raise NotFound("no such tile; paths are those of C2SP tlog-tiles, such as 0/x001/067 or entries/000.p/7")
        number = int(re.sub("[x/]", "", found[2]))
        if found[2] != tile_path(number):
            raise NotFound(f"the tile of that number is {found[1]}/{tile_path(number)}")
        content = await read(self._system, lambda reader: _content(reader, found[1], number, width))
        if not content:
            raise NotFound("the log has no such tile, or not so much of it; or its entries were pruned")
        return Response(content, media_type="application/octet-stream", headers=_KEPT_FOR_GOOD)


def tile_path(number: int) -> str:
    """The number of a tile as paths have it: 1234067 is x001/x234/067."""
    last, rest = f"{number % 1000:03}", number // 1000
    while rest:
        last, rest = f"x{rest % 1000:03}/{last}", rest // 1000
    return last


def _content(reader: Reader, level: str, number: int, width: int) -> bytes:
    if number * WIDTH >= 1 << 62:
        return b""
    if level == "entries":
        return _bundle(reader, number * WIDTH, width)
    tile = reader.tile(int(level), number)
    return tile[: width * HASH] if len(tile) >= width * HASH else b""


def _bundle(reader: Reader, first: int, count: int) -> bytes:
    bundle = bytearray()
    for idx in range(first, first + count):
        leaf = reader.leaf(idx)
        if leaf is None:
            return b""
        bundle += len(leaf).to_bytes(2, "big") + leaf
    return bytes(bundle)
