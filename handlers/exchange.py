"""One request and its bounded answer over httpx: what the vendor client and the image fetcher have in common.

No redirects, no cookies, no proxy or .netrc from the environment, and no library log line that would hold a link.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

USER_AGENT = "hookwarden"
_NO_DOMAINS: tuple[str, ...] = ()
_HUNG_UP = "disconnected without sending a response"  # httpcore has one type for this and for a head that is broken


class BodyUnreadable(Exception):
    """The body is larger than allowed, or not encoded as its headers say."""


@dataclass(slots=True)
class Exchange:
    """What came of one request. `status` None: no answer at all; then, or where the body could not be read, `fault`
    says why. `broken` tells a connection that failed from a body that was refused; `unsent`, that there never was a
    connection to send the request on; `garbled`, that an answer came whose head cannot be read: it may have been a
    yes. Header names are lower case.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    fault: str | None = None
    broken: bool = False
    unsent: bool = False
    garbled: bool = False

    def breaks(self, fault: str, *, unsent: bool = False) -> None:
        """The connection failed, before or within the answer."""
        self.fault, self.broken, self.unsent = fault, True, unsent


def open_client(
    headers: Mapping[str, str],
    *,
    connect_timeout: float,
    timeout: float,
    connections: int,
    keep_alive: bool,
    tls: ssl.SSLContext | None,
) -> httpx.AsyncClient:
    """A client that sends these headers and nothing of its own accord. Seconds throughout."""
    _quieten()
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections if keep_alive else 0)
    return httpx.AsyncClient(
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers},
        timeout=httpx.Timeout(timeout, connect=connect_timeout),
        limits=limits,
        follow_redirects=False,
        trust_env=False,  # a proxy would undo address pinning, and .netrc would add credentials
        verify=tls if tls is not None else True,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=_NO_DOMAINS)),
    )


def _quieten() -> None:
    """The libraries log whole links (httpx, at INFO) and headers (httpcore, at DEBUG): neither may reach a log."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


async def exchange(client: httpx.AsyncClient, request: httpx.Request, *, timeout: float, limit: int) -> Exchange:  # noqa: ASYNC109 - the whole exchange is bounded here, on purpose
    """Send a request and read at most `limit` bytes of its (decoded) answer, all within `timeout` seconds.

    Never raises for what the network does. No httpx exception gets out: they hold the request, and so the key.
    """
    done = Exchange()
    try:
        async with asyncio.timeout(timeout):
            await _send(client, request, limit, done)
    except (httpx.ConnectTimeout, httpx.PoolTimeout):
        done.breaks("timed out", unsent=True)
    except httpx.ConnectError:
        done.breaks("connection failed", unsent=True)
    except (TimeoutError, httpx.TimeoutException):
        done.breaks("timed out")
    except BodyUnreadable as error:
        done.fault = str(error)
    except httpx.RemoteProtocolError as error:
        done.garbled = done.status is None and _HUNG_UP not in str(error)
        done.breaks("the head of the answer is broken" if done.garbled else _broken(done))
    except (httpx.HTTPError, OSError):
        done.breaks(_broken(done))
    return done


def _broken(done: Exchange) -> str:
    return "connection failed" if done.status is None else "connection broke off"


async def _send(client: httpx.AsyncClient, request: httpx.Request, limit: int, done: Exchange) -> None:
    response = await client.send(request, stream=True)
    try:
        done.status, done.headers = response.status_code, {k.lower(): v for k, v in response.headers.items()}
        done.content = await read_capped(response, limit)
    finally:
        await response.aclose()


async def read_capped(response: httpx.Response, limit: int) -> bytes:
    """The body, decoded, at most `limit` bytes. Raises BodyUnreadable without ever holding more than that.

    httpx would decode whole network chunks before anybody could count, and so unpack a bomb: this decodes by itself.
    """
    decoder = _decoder(response.headers.get("content-encoding", ""))
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += decoder.feed(chunk, limit + 1 - len(content))
        if len(content) > limit:
            raise BodyUnreadable(f"larger than {limit} bytes")
    decoder.finish()
    return bytes(content)


class _Plain:
    def feed(self, chunk: bytes, room: int) -> bytes:
        return chunk[:room]

    def finish(self) -> None:
        """Nothing can be missing: the transport has checked the length."""


class _Zipped:
    """gzip or zlib, told apart by their headers."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._begun = False

    def feed(self, chunk: bytes, room: int) -> bytes:
        self._begun = True
        try:
            return self._inflate.decompress(chunk, room)
        except zlib.error:
            raise BodyUnreadable("not compressed as its header says") from None

    def finish(self) -> None:
        if self._begun and (not self._inflate.eof or self._inflate.unused_data):
            raise BodyUnreadable("not compressed as its header says")


def _decoder(encoding: str) -> _Plain | _Zipped:
    match encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip" | "deflate":
            return _Zipped()
    raise BodyUnreadable("in an encoding that was not asked for")
