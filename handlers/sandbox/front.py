"""What stands before every vendor call: it is noted, and may be struck by a fault."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.sandbox.calls import Call
from handlers.sandbox.faults import Fault, Strike
from handlers.sandbox.world import World

log = logging.getLogger("hookwarden.sandbox")

_CHUNK: Final = 64 * 1024
_JSON: Final = (b"content-type", b"application/json")


@dataclass(slots=True)
class Answer:
    """An answer that was caught before it left, or made in place of one. Not `complete`: the
    connection closes before its end.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    complete: bool = True


class FrontDoor:
    """ASGI middleware. Leaves /_sandbox/ alone; the list of calls never holds a query, which may be a signature."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the call, let a fault strike it, or let it through."""
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self._app(scope, receive, send)
            return
        call = self._world.calls.open(self._world.settings.clock(), scope["method"], scope["path"])
        scope.setdefault("state", {})["call"] = call
        strike = self._world.dice.draw(scope["path"])
        noting = _noting(call, send)
        if strike is None:
            await self._app(scope, receive, noting)
        else:
            call.fault = strike.kind
            await self._struck(strike, scope, receive, noting)
        log.info("%s %r: %s", call.method, call.path, call.fault or call.status)

    async def _struck(self, strike: Strike, scope: Scope, receive: Receive, send: Send) -> None:
        fault = strike.fault
        if strike.kind == "slow" and not fault.after_effect:
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, send)
            return
        caught = None
        if fault.after_effect or strike.kind in _SPOILING:
            caught = await _catch(self._app, scope, receive)
        if strike.kind == "slow":
            await asyncio.sleep(fault.seconds)
        await _send(_ANSWERS[strike.kind](fault, caught or Answer(200, [_JSON], b"{}")), send)


def _noting(call: Call, send: Send) -> Send:
    """A `send` that notes the status once the answer is whole."""
    status = 0

    async def noting(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif not message.get("more_body"):
            call.status = status
        await send(message)

    return noting


async def _catch(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """Let the call take effect, and keep its answer."""
    answer = Answer(500, [])

    async def catch(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message["headers"])
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, catch)
    return answer


async def _send(answer: Answer, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    chunks = answer.chunks or [answer.body]
    for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    if answer.complete:
        await send({"type": "http.response.body", "body": b""})


def _without_length(answer: Answer) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in answer.headers if name.lower() != b"content-length"]


def _refusal(status: int, text: bytes, *, retry_after: bool = False) -> Callable[[Fault, Answer], Answer]:
    def answer(fault: Fault, _: Answer) -> Answer:
        headers = [_JSON]
        if retry_after:
            headers.append((b"retry-after", str(round(fault.seconds)).encode()))
        return Answer(status, headers, b'{"detail": "%s"}' % text)

    return answer


def _dropped(_: Fault, caught: Answer) -> Answer:
    """Half an answer, then the connection closes: the nearest to a dropped connection that ASGI can do."""
    headers = [*_without_length(caught), (b"content-length", str(len(caught.body) + 1).encode())]
    return Answer(caught.status, headers, caught.body[: len(caught.body) // 2], complete=False)


def _malformed(_: Fault, caught: Answer) -> Answer:
    return Answer(caught.status, _without_length(caught), caught.body[: max(1, len(caught.body) // 2)])


def _oversized(fault: Fault, _: Answer) -> Answer:
    """Valid JSON that never seems to end, without a Content-Length."""
    whole, rest = divmod(fault.size, _CHUNK)
    chunks = [b'{"padding": "', *[b"x" * _CHUNK] * whole, b"x" * rest, b'"}']
    return Answer(200, [_JSON], chunks=chunks)


def _wrong_type(_: Fault, __: Answer) -> Answer:
    return Answer(200, [(b"content-type", b"text/html; charset=utf-8")], b"<html><body>Be right back.</body></html>")


def _error_in_yes(_: Fault, caught: Answer) -> Answer:
    """The answer as it is, beside the words of an error that a gateway put into a 200."""
    try:
        body = json.loads(caught.body or b"{}")
    except ValueError:
        body = {}
    whole = {**(body if isinstance(body, dict) else {}), **_ERROR}
    return Answer(200, [_JSON], json.dumps(whole).encode())


_ERROR: Final = {"statusCode": 500, "message": "internal_error", "code": "ERROR"}
_SPOILING: Final = ("malformed_json", "oversized", "wrong_content_type", "error_in_200")
_ANSWERS: Final[dict[str, Callable[[Fault, Answer], Answer]]] = {
    "rate_limited": _refusal(429, b"Request was throttled.", retry_after=True),
    "error_500": _refusal(500, b"Internal server error."),
    "error_503": _refusal(503, b"Service unavailable.", retry_after=True),
    "unauthorized": _refusal(401, b"The API key is not valid."),
    "forbidden": _refusal(403, b"You do not have permission to perform this action."),
    "drop": _dropped,
    "slow": lambda _, caught: caught,
    "malformed_json": _malformed,
    "oversized": _oversized,
    "wrong_content_type": _wrong_type,
    "error_in_200": _error_in_yes,
}
