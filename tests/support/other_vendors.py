"""The `kwikid.` and `verifik.` actions bound to a running sandbox, with Didit's client beside them or without."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from handlers.clients import CLIENTS
from handlers.http import VendorClient
from handlers.images import ImageFetcher
from handlers.registry import bind
from handlers.sandbox.app import SandboxSettings, build_sandbox
from handlers.sandbox.media import Links
from handlers.sandbox.world import World
from handlers.tools import Tools
from receiver.contract import Outcome
from tests.support.action_calls import action_call
from tests.support.live_server import serve

KEY = "sandbox-key-0123456789"
EXPIRED = "expired-sandbox-token"


class Simulated:
    """A running sandbox, seen from inside."""

    def __init__(self, url: str, world: World) -> None:
        self.url = url
        self.world = world

    def session(self, part: str) -> str:
        return self.world.state.new_id(f"session:{part}")

    def link(self, part: str) -> str:
        """A fresh link to the selfie of one of the cast."""
        ref: Any = (self.world.state.sessions[self.session(part)].newest("liveness_checks") or {})["reference_image"]
        return Links(self.world.media, self.url).image(ref)

    def face(self, part: str) -> str:
        """The fingerprint of that selfie."""
        face = self.world.state.sessions[self.session(part)].face
        assert face is not None
        return face

    def calls(self, path: str) -> list[Any]:
        return self.world.calls.matching(path)

    def fault(self, **faults: Any) -> None:
        self.world.dice.set(self.world.dice.faults.model_validate(faults))


@contextmanager
def simulated(**settings: Any) -> Iterator[Simulated]:
    """A sandbox on loopback with a fixed seed."""
    app = build_sandbox(SandboxSettings(**{"api_key": KEY, "seed": 7, **settings}))
    with serve(app) as url:
        yield Simulated(url, app.state.world)


class Actions:
    """Runs actions on sessions of the cast."""

    def __init__(self, tools: Tools, session_of: Any) -> None:
        self._handlers = bind(tools)
        self._session_of = session_of
        self.tools = tools

    async def __call__(
        self,
        name: str,
        part: str = "clean",
        params: Any = None,
        *,
        files: Mapping[str, bytes] | None = None,
        **how: Any,
    ) -> Outcome:
        how = {"session_id": self._session_of(part), **how}
        return await self._handlers[name](replace(action_call(name, params, **how), files=files or {}))


@asynccontextmanager
async def actions(
    box: Simulated, *vendors: str, token: str = KEY, path: str = "", seconds: float = 20.0
) -> AsyncIterator[Actions]:
    """Actions of these vendors; `path` is put behind KwikID's base URL."""
    clients: dict[str, VendorClient] = {}
    for vendor in vendors:
        url = box.url + path if vendor == "kwikid" else box.url
        clients[vendor] = CLIENTS[vendor](url, KEY if vendor == "didit" else token, seconds)
    tools = Tools(clients, ImageFetcher(frozenset([urlsplit(box.url).netloc])))
    yield Actions(tools, box.session)
    await tools.close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
