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
    message = await _next(receive, seconds)
    if not message[1]:
        if len(message[0]) > cap:
            raise BodyTooLarge
        return message[0]
    return await _read_rest(receive, message[0], cap, seconds)


async def _read_rest(receive: Receive, first: bytes, cap: int, seconds: float) -> bytes:
    chunks = [first]
    size = len(first)
    more = True
    try:
        async with asyncio.timeout(seconds):
            while more:
                if size > cap:
                    raise BodyTooLarge
                chunk, more = await _next(receive, None)
                chunks.append(chunk)
                size += len(chunk)
    except TimeoutError:
        raise BodyTooSlow from None
    if size > cap:
        raise BodyTooLarge
    return b"".join(chunks)


async def _next(receive: Receive, seconds: float | None) -> tuple[bytes, bool]:
    """One message of the server: (bytes, whether more follow)."""
    try:
        async with asyncio.timeout(seconds):
            message = await receive()
    except TimeoutError:
        raise BodyTooSlow from None
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)
