"""Posting our own messages to a URL of the configuration: bounded, without redirects."""

from __future__ import annotations

from collections.abc import Mapping

from handlers.exchange import exchange, open_client
from receiver.errors import VendorRefused, VendorUnavailable

_SECONDS = 10.0
_MAX_ANSWER = 64 * 1024  # bytes; nobody reads it


async def post(url: str, headers: Mapping[str, str], body: bytes) -> None:
    """Post once. Raises VendorUnavailable or VendorRefused unless the answer is 2xx."""
    client = open_client(headers, connect_timeout=5.0, timeout=_SECONDS, connections=1, keep_alive=False, tls=None)
    try:
        request = client.build_request("POST", url, content=body)
        done = await exchange(client, request, timeout=_SECONDS, limit=_MAX_ANSWER)
    finally:
        await client.aclose()
    if done.status is None:
        raise VendorUnavailable(f"no answer: {done.fault}")
    if not 200 <= done.status < 300:
        raise VendorRefused(f"HTTP {done.status}", done.status)
