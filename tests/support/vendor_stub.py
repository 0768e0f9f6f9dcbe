"""A small HTTP/1.1 server in the test's own event loop, which answers with exactly the bytes it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. Header names are lower case; `target` is path and query as sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, bytes]:
        """The parts of a multipart body by name."""
        boundary = self.headers["content-type"].split("boundary=")[1].encode()
        parts = [part.strip(b"\r\n") for part in self.body.split(b"--" + boundary)[1:-1]]
        heads = [part.partition(b"\r\n\r\n") for part in parts]
        return {head.split(b'name="')[1].split(b'"')[0].decode(): content for head, _, content in heads}


Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
"""The whole answer, or a function that writes it as badly as it likes. Empty bytes: hang up without a word."""


@dataclass
class VendorStub:
    """`replies` are given out in order, the last one for ever; `seen` collects the requests."""

    port: int = 0
    scheme: str = "http"
    replies: list[Reply] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    route: Callable[[Seen], Reply] | None = None
    connections: set[asyncio.Task[None]] = field(default_factory=set)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def reply(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self.connections.add(connection)
        connection.add_done_callback(self.connections.discard)

    async def hang_up(self) -> None:
        for connection in self.connections:
            connection.cancel()
        await asyncio.gather(*self.connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await _read_request(reader):
            self.seen.append(request)
            self.arrived.set()
            reply = self._next(request)
            if not isinstance(reply, bytes):
                await reply(writer)
                return
            if not reply:
                return
            writer.write(reply)
            await writer.drain()

    def _next(self, request: Seen) -> Reply:
        if self.route is not None:
            return self.route(request)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


async def _read_request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, target, headers, body)


def answer(status: int, body: Any = b"", /, **headers: str) -> bytes:
    """An HTTP answer; `body` as bytes, or as what is sent as JSON. `retry_after` becomes `retry-after`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"content-length": str(len(content)), **{name.replace("_", "-"): text for name, text in headers.items()}}
    head = "".join(f"{name}: {text}\r\n" for name, text in fields.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + content


def reply_id(value: object) -> str | None:
    """A short test id for an answer, the same in every process (`ids=reply_id`); other values name themselves."""
    return f"answer of {len(value)} bytes" if isinstance(value, bytes) else None


@contextlib.asynccontextmanager
async def vendor_stub(*replies: Reply, tls: ssl.SSLContext | None = None) -> AsyncIterator[VendorStub]:
    """A running stub on an ephemeral port of the loopback."""
    stub = VendorStub(replies=list(replies), scheme="https" if tls else "http")
    server = await asyncio.start_server(stub.connect, "127.0.0.1", 0, ssl=tls)
    stub.port = server.sockets[0].getsockname()[1]
    try:
        yield stub
    finally:
        server.close()
        await stub.hang_up()
        await server.wait_closed()


@dataclass
class Clock:
    """Time that moves only when told to; in seconds."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now
