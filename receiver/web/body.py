"""Reads a request body up to a cap and within a time, whatever Content-Length says or does not say; and ends work that
nobody waits for any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive, Scope

T = TypeVar("T")


class BodyTooLarge(Exception):
    """More bytes than the cap came, or were announced. The message may be shown."""


class BodyTooSlow(Exception):
    """The body did not arrive in time. The message may be shown."""


class ClientGone(Exception):
    """The sender hung up before it was answered: there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, cap: int, seconds: float) -> bytes:
    """The raw bytes. Memory stays within the cap: reading stops at the first chunk that passes it."""
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or len(value) > 18 or int(value) > cap):
            raise _too_large(cap)
    try:
        async with asyncio.timeout(seconds):
            return await _read(receive, cap)
    except TimeoutError:
        raise BodyTooSlow(f"a body must arrive within {seconds:g} s") from None


async def while_wanted(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; it is cancelled when the sender hangs up. To be called once the body was read.

    Raises ClientGone, and what the work raises.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait((working, leaving))


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _too_large(cap: int) -> BodyTooLarge:
    return BodyTooLarge(f"a body may hold {cap} bytes")


async def _read(receive: Receive, cap: int) -> bytes:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        chunk, more = await _next(receive)
        chunks.append(chunk)
        size += len(chunk)
        if size > cap:
            raise _too_large(cap)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _next(receive: Receive) -> tuple[bytes, bool]:
    """One message of the server: (bytes, whether more follow)."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)
