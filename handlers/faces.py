"""Where the picture of a face comes from that goes to another vendor, and the video.

A link that an event carries lives for an hour at most. So the picture of a Didit session is the one that its decision
names now; the link of the event is only taken where there is nobody to ask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from handlers.didit.client import read_decision
from handlers.didit.wire import image_link
from handlers.http import VendorClient
from handlers.images import MAX_IMAGE, MAX_VIDEO, Image, ImageFetcher, image_of, link_is_gone, video_of
from receiver.contract import ActionCall, JsonObject
from receiver.errors import VendorRefused, VendorUnavailable


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture is found: the parameter that may name another, or hold a file; how it is found in a decision;
    what it is called in an event. At most `limit` bytes.
    """

    param: str
    in_decision: Callable[[JsonObject], str | None]
    in_event: Literal["selfie", "document", "portrait"] | None
    limit: int = MAX_IMAGE


SELFIE = Place("image", image_link, "selfie")
VIDEO = Place("video", lambda _: None, None, MAX_VIDEO)


@dataclass(frozen=True, slots=True)
class FaceLink:
    """A signed link: a secret. `fresh` tells one that was read a moment ago."""

    url: str = field(repr=False)
    fresh: bool


class Faces:
    """Finds and downloads pictures. `didit` is None where its API is not configured."""

    def __init__(self, images: ImageFetcher, didit: VendorClient | None) -> None:
        self._images = images
        self._didit = didit

    async def link(self, given: str | None, call: ActionCall, place: Place = SELFIE) -> FaceLink:
        """The link that the policy gives; without one that of the session. Raises VendorRefused where there is none,
        and what the call for the decision raises.
        """
        link = FaceLink(given, fresh=False) if given is not None else await self.of_session(call, place)
        if link is None:
            what = "face image" if place.in_event == "selfie" else place.param
            raise VendorRefused(f"there is no {what}: neither the decision nor the event names one")
        return link

    async def of_session(self, call: ActionCall, place: Place = SELFIE) -> FaceLink | None:
        """The link that the session's decision names now, else the event's."""
        fresh = await self._from_decision(call, place)
        if fresh is not None:
            return FaceLink(fresh, fresh=True)
        images = call.event["images"]
        aged = images[place.in_event] if images is not None and place.in_event is not None else None
        return FaceLink(aged, fresh=False) if aged else None

    async def image(
        self,
        given: str | None,
        call: ActionCall,
        place: Place = SELFIE,
        recognise: Callable[[bytes], Image] = image_of,
    ) -> Image:
        """The picture itself: JPEG, PNG, WebP or TIFF of at most 5 MB, or what else `recognise` takes. A file that came
        with the call goes before a link. Raises as `ImageFetcher.fetch` does; a link that its host refuses is a final
        no, unless it was fresh and this is the first attempt.
        """
        if place.param in call.files:
            return _from_file(call.files[place.param], place, recognise)
        link = await self.link(given, call, place)
        try:
            return await self._images.fetch(link.url, recognise, place.limit)
        except VendorUnavailable as error:
            gone = _gone(error, retriable=link.fresh and call.attempt == 1)
        raise gone

    async def video(self, given: str | None, call: ActionCall) -> Image:
        """A video: MP4 of at most 20 MB, from a link that the policy gives, or a file that came with the call. Raises
        as `image` does.
        """
        return await self.image(given, call, VIDEO, video_of)

    async def _from_decision(self, call: ActionCall, place: Place) -> str | None:
        session_id = call.event["session_id"]
        if self._didit is None or call.event["vendor"] != "didit" or not session_id:
            return None
        return place.in_decision(await read_decision(self._didit, session_id))


def _from_file(content: bytes, place: Place, recognise: Callable[[bytes], Image]) -> Image:
    """A file is held to the same rules as what a link gives."""
    if len(content) > place.limit:
        raise VendorRefused(f"{place.param}: the file has {len(content)} bytes, more than {place.limit}")
    try:
        return recognise(content)
    except VendorRefused:
        pass
    kinds = "MP4" if place is VIDEO else "JPEG, PNG, WebP, TIFF"
    raise VendorRefused(f"{place.param}: the file is not of a kind that is taken ({kinds} by content)")


def _gone(error: VendorUnavailable, *, retriable: bool) -> VendorUnavailable | VendorRefused:
    if retriable or not link_is_gone(error):
        return error
    return VendorRefused(f"{error.reason}: the link has aged, or what it names is no longer there", error.http_status)
