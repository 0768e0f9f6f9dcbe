"""Fetching the image that a decision's link names, without showing anybody our keys.

The link is signed in itself and lies on another host, so the request carries no API key and no cookie. Size and format
are the vendor's own limits, checked before an upload is tried (`vendors`: at most 5 MB; JPEG, PNG, WebP, TIFF).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from handlers.exchange import Exchange, exchange, open_client
from handlers.guard import PinnedTarget, Resolver, resolve_public, system_resolver
from receiver.errors import VendorRefused, VendorUnavailable

MAX_IMAGE = 5 * 1024 * 1024
MAX_VIDEO = 20 * 1024 * 1024  # ours: no vendor documents one
CONCURRENCY = 16


@dataclass(frozen=True, slots=True)
class Image:
    """An image in memory, never on disk. `filename` is made up: it tells nothing of the person."""

    content: bytes = field(repr=False)
    media_type: str
    filename: str


def image_of(content: bytes) -> Image:
    """What the bytes are, by their first ones and not by what a header says. Raises VendorRefused."""
    if content.startswith(b"\xff\xd8\xff"):
        return Image(content, "image/jpeg", "image.jpg")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Image(content, "image/png", "image.png")
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Image(content, "image/webp", "image.webp")
    if content.startswith((b"II*\x00", b"MM\x00*")):
        return Image(content, "image/tiff", "image.tiff")
    raise VendorRefused("what the image link gives is not a JPEG, PNG, WebP or TIFF image")


def document_of(content: bytes) -> Image:
    """A PDF, or an image as above. Raises VendorRefused."""
    if content.startswith(b"%PDF-"):
        return Image(content, "application/pdf", "document.pdf")
    return image_of(content)


def video_of(content: bytes) -> Image:
    """An MP4 (ISO base media file: its first box is `ftyp`). Raises VendorRefused for anything else."""
    if content[4:8] == b"ftyp":
        return Image(content, "video/mp4", "video.mp4")
    raise VendorRefused("what the video link gives is not an MP4 video")


class ImageFetcher:
    """Downloads images. `allow_hosts` holds `host` or `host:port` that links may name though the guard would refuse
    them. Times are seconds. `tls` replaces the system's idea of whom to trust.
    """

    def __init__(
        self,
        allow_hosts: frozenset[str] = frozenset(),
        *,
        resolver: Resolver = system_resolver,
        timeout: float = 30.0,
        connect_timeout: float = 5.0,
        max_image: int = MAX_IMAGE,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_hosts = frozenset(host.lower() for host in allow_hosts)
        self._resolver = resolver
        self._timeout = timeout
        self._max_image = max_image
        # connections are not kept: one opened for another name at the same address would skip the certificate check
        self._http = open_client(
            {"Accept": "image/*"},
            connect_timeout=connect_timeout,
            timeout=timeout,
            connections=CONCURRENCY,
            keep_alive=False,
            tls=tls,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def fetch(self, url: str, recognise: Callable[[bytes], Image] = image_of, limit: int | None = None) -> Image:
        """Download one image, or what else `recognise` takes, of at most `limit` bytes.

        Raises LinkRefused for a link that we do not follow (nothing was contacted); VendorRefused for what is no image
        or too large; VendorUnavailable where asking again may help. A 4xx is among the latter: signed links live for an
        hour at most, so a new one has to be read from the decision first. What was to be done with the image has not
        been begun then (`unsent`).
        """
        target = await resolve_public(url, self._allow_hosts, self._resolver)
        done = await self._get(target, self._max_image if limit is None else limit)
        status = done.status
        if status is None or done.broken:
            raise VendorUnavailable(f"image download: {done.fault}", status, unsent=True)
        if 300 <= status < 400:
            raise VendorRefused(f"image download: HTTP {status}: redirects are not followed", status)
        if status != 200:
            raise VendorUnavailable(f"image download: HTTP {status}", status, unsent=True)
        if done.fault is not None:
            raise VendorRefused(f"image download: {done.fault}", status)
        return recognise(done.content)

    async def _get(self, target: PinnedTarget, limit: int) -> Exchange:
        """The path goes out exactly as the link has it: whoever signed it signed these bytes."""
        request = self._http.build_request(
            "GET",
            target.url,
            headers={"Host": target.authority},
            extensions={"sni_hostname": target.host, "target": target.target.encode("ascii")},
        )
        return await exchange(self._http, request, timeout=self._timeout, limit=limit)


def link_is_gone(error: VendorUnavailable) -> bool:
    """Whether the image host refused the link itself: it has aged, or the image is no longer there."""
    status = error.http_status
    return status is not None and 400 <= status < 500 and status not in (408, 429)
