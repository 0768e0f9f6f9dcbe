"""A running Didit sandbox, and a tiny receiver that keeps what the sandbox posts to it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers.sandbox.app import SandboxSettings, build_sandbox
from handlers.sandbox.cast import PARTS
from handlers.sandbox.images import selfie_jpeg, selfie_png
from handlers.sandbox.world import World
from tests.support.live_server import serve

API_KEY = "sandbox-key-0123456789"
WEBHOOK_SECRET = "an-invented-webhook-secret-of-43-characters"
NOW = 1_795_000_000
SEED = 7

Found = TypeVar("Found")

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loopback is plain HTTP; loading trust roots each time is slow


def eventually(look: Callable[[], Found], what: str, seconds: float = 10.0) -> Found:
    """What `look` gives as soon as it is true; AssertionError when that does not happen in time."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)
    return found


class Clock:
    """A clock that moves when it is told to; Unix seconds."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Inbox:
    """What came to the receiver. `statuses` are answered in turn, then 200 for ever; `meanwhile` runs before each
    answer.
    """

    url: str = ""
    meanwhile: Callable[[], None] | None = None
    statuses: list[int] = field(default_factory=list)
    deliveries: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        """Keep the delivery and answer."""
        self.deliveries.append((dict(request.headers), await request.body()))
        if self.meanwhile:
            self.meanwhile()
        status = self.statuses.pop(0) if self.statuses else 200
        return JSONResponse({"outcome": "accepted"}, status)

    def wait(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        """The deliveries, once there are so many."""
        return eventually(lambda: self.deliveries if len(self.deliveries) >= count else [], f"{count} deliveries")


@contextmanager
def inbox(*statuses: int) -> Iterator[Inbox]:
    """A receiver on loopback that answers with these statuses first."""
    box = Inbox(statuses=list(statuses))
    with serve(Starlette(routes=[Route("/webhooks/didit", box.take, methods=["POST"])])) as base_url:
        box.url = f"{base_url}/webhooks/didit"
        yield box


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox: `http` sends the right key, `anonymous` none."""

    base_url: str
    world: World
    http: httpx.Client
    anonymous: httpx.Client

    def session_id(self, part: str) -> str:
        """The session of one of the cast."""
        return self.world.state.new_id(f"session:{part}")

    def decision(self, part: str) -> dict[str, Any]:
        """That session's decision, as the API gives it."""
        answer: dict[str, Any] = self.http.get(f"/v3/session/{self.session_id(part)}/decision/").json()
        return answer

    def fresh(self) -> Sandbox:
        """The same sandbox as it was after the start."""
        self.settled()
        assert self.anonymous.post("/_sandbox/reset", json={"seed": SEED}).status_code == 200
        return self

    def settled(self) -> None:
        """Wait until no webhook is under way."""
        eventually(lambda: self.world.courier.pending == 0, "the last webhook")


@contextmanager
def sandbox(**settings: Any) -> Iterator[Sandbox]:
    """A sandbox on loopback with a fixed seed; the keywords are those of SandboxSettings."""
    app = build_sandbox(SandboxSettings(**{"api_key": API_KEY, "seed": SEED, **settings}))
    options: dict[str, Any] = {"trust_env": False, "timeout": 10.0, "verify": _NO_TLS}
    with (
        serve(app) as base_url,
        httpx.Client(base_url=base_url, headers={"x-api-key": API_KEY}, **options) as http,
        httpx.Client(base_url=base_url, **options) as anonymous,
    ):
        yield Sandbox(base_url, app.state.world, http, anonymous)


def selfie(part: str) -> bytes:
    """The picture of one of the cast."""
    return selfie_jpeg(part) if PARTS[part].days_ago else selfie_png(part)
