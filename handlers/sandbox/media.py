"""The sandbox's picture host: short-lived signed links, as the vendor's storage gives them.

The key of the API must not be sent here: a request that carries it is refused with 400, so that a leak is seen.
"""

from __future__ import annotations

import hmac
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from handlers.sandbox.images import EXTENSIONS, image_type
from handlers.sandbox.settings import Clock
from receiver.contract import JsonObject, JsonValue


class ImageRef(str):
    """Stands in a document where a link to an image will be: the image's id."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Image:
    """One stored picture and its media type."""

    content: bytes
    type: str


class Media:
    """Pictures by id, and the counts of their downloads."""

    def __init__(self, api_key: str, clock: Clock, link_seconds: float) -> None:
        self._signing_key = hmac.digest(api_key.encode(), b"media links", sha256)
        self._clock = clock
        self._link_seconds = link_seconds
        self._images: dict[str, Image] = {}
        self.downloads: Counter[str] = Counter()

    def add(self, image_id: str, content: bytes) -> ImageRef:
        """Store a picture (one of the accepted formats) under an id; ValueError for any other content."""
        kind = image_type(content)
        if kind is None:
            raise ValueError("not an image that can be stored")
        self._images[image_id] = Image(content, kind)
        return ImageRef(image_id)

    def link(self, ref: ImageRef, base_url: str) -> str:
        """A freshly signed link, good for `link_seconds`. It is a secret: never log it."""
        name = f"{ref}.{EXTENSIONS[self._images[ref].type]}"
        expires = str(int(self._clock() + self._link_seconds))
        return f"{base_url}/media/{name}?expires={expires}&sig={self._signature(name, expires)}"

    def open(self, name: str, expires: str, sig: str) -> Image | None:
        """The picture behind a link, or None where the link is forged or expired; counts the download."""
        genuine = hmac.compare_digest(self._signature(name, expires).encode(), sig.encode())
        if not genuine or self._clock() > int(expires):
            return None
        image_id = name.rpartition(".")[0]
        image = self._images.get(image_id)  # gone where the sandbox was reset in between
        if image is not None:
            self.downloads[image_id] += 1
        return image

    def _signature(self, name: str, expires: str) -> str:
        return hmac.new(self._signing_key, f"{name}\n{expires}".encode(), sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the links of one answer, as seen from the host that the answer goes to."""

    media: Media
    base_url: str

    def image(self, ref: ImageRef) -> str:
        """A freshly signed link to one picture."""
        return self.media.link(ref, self.base_url)

    def session(self, token: str) -> str:
        """The page where a person would go through the session (nothing is served there)."""
        return f"{self.base_url}/session/{token}"

    def fill(self, document: JsonObject) -> JsonObject:
        """The document with every ImageRef in it replaced by a fresh link."""
        return cast("JsonObject", self._fill(document))

    def _fill(self, value: JsonValue) -> JsonValue:
        if isinstance(value, ImageRef):
            return self.image(value)
        if isinstance(value, dict):
            return {key: self._fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._fill(item) for item in value]
        return value


async def download(request: Request) -> Response:
    """GET /media/{name}?expires=&sig=: the picture; 403 for a forged or expired link, 400 where the API key came
    along.
    """
    media: Media = request.app.state.world.media
    if "x-api-key" in request.headers:
        return JSONResponse({"detail": "The API key was sent to the image host: it has leaked."}, 400)
    query = request.query_params
    image = media.open(request.path_params["name"], query.get("expires", ""), query.get("sig", ""))
    if image is None:
        return JSONResponse({"detail": "The link is not valid or has expired."}, 403)
    return Response(image.content, media_type=image.type, headers={"Cache-Control": "no-store"})
