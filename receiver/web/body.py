"""Reads a request body up to a cap and within a time, whatever Content-Length says or does not say."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope


class BodyTooLarge(Exception):
    """More bytes than the cap came, or were announced."""


class BodyTooSlow(Exception):
    """The body did not arrive in time."""


class ClientGone(Exception):
    """The sender hung up before the body was whole: there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, cap: int, seconds: float) -> bytes:
    """The raw bytes. Memory stays within the cap: reading stops at the first chunk that passes it."""
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or len(value) > 18 or int(value) > cap):
            raise BodyTooLarge
    try:
        async with asyncio.timeout(seconds):
            return await _read(receive, cap)
    except TimeoutError:
        raise BodyTooSlow from None


async def _read(receive: Receive, cap: int) -> bytes:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        chunk, more = await _next(receive)
        chunks.append(chunk)
        size += len(chunk)
        if size > cap:
            raise BodyTooLarge
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _next(receive: Receive) -> tuple[bytes, bool]:
    """One message of the server: (bytes, whether more follow)."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)
