"""The `didit.` actions on pictures: face search, passive liveness, face match, identity document.

Each takes pictures and nothing else; which ones is in `handlers/faces.py`. `save_api_request` is always false:
otherwise the call would be kept as a session, enrol the face, and send a `status.updated` that would come back here.
Each answer costs a credit (one text has the face search for free: it is counted as paid all the same).
"""

from __future__ import annotations

from collections.abc import Mapping

from handlers.didit.check_results import (
    face_match_result,
    face_search_result,
    id_verification_result,
    passive_liveness_result,
)
from handlers.didit.client import REPEATED
from handlers.didit.params import FaceMatchParams, FaceSearchParams, IdVerificationParams, PassiveLivenessParams
from handlers.didit.wire import back_link, feature, front_link, portrait_link
from handlers.faces import SELFIE, Faces, Place
from handlers.http import VendorClient
from handlers.images import Image, ImageFetcher, document_of
from receiver.contract import ActionCall, JsonObject, Outcome

_PORTRAIT = Place("ref_image", portrait_link, "portrait")
_FRONT = Place("front_image", front_link, "document")
_BACK = Place("back_image", back_link, None)
# 10 MB in one text, 5 MB in the others: the least is kept to, as for all pictures


class Checks:
    """The actions over one client. Each returns how it ended, or raises a VendorError (see `handlers/http.py`)."""

    def __init__(self, client: VendorClient, images: ImageFetcher) -> None:
        self._client = client
        self._faces = Faces(images, client)

    async def face_search(self, params: FaceSearchParams, call: ActionCall) -> Outcome:
        """`POST /v3/face-search/`. Without a face in the image Didit answers 400 (older versions: a NO_FACE_DETECTED
        warning): the first is `failed`, the second an ordinary result.
        """
        image = await self._faces.image(params.image, call, SELFIE)
        form = {"search_type": params.search_type, "rotate_image": _word(params.rotate_image)}
        answer, status = await self._post("/v3/face-search/", form, {"user_image": image})
        found = feature(answer, "face_search", status)
        return _done(face_search_result(answer, found, params, call.event), call, status)

    async def passive_liveness(self, params: PassiveLivenessParams, call: ActionCall) -> Outcome:
        """`POST /v3/passive-liveness/`. With `vendor_data` that person's faces are left out of duplicate screening and
        of the blocklist, so it is sent only where the policy asks for it.
        """
        image = await self._faces.image(params.image, call, SELFIE)
        threshold = params.face_liveness_score_decline_threshold
        form = {
            "face_liveness_score_decline_threshold": f"{threshold:g}",
            "rotate_image": _word(params.rotate_image),
        }
        if params.vendor_data is not None:
            form["vendor_data"] = params.vendor_data
        answer, status = await self._post("/v3/passive-liveness/", form, {"user_image": image})
        found = feature(answer, "liveness", status)
        return _done(passive_liveness_result(answer, found, threshold), call, status)

    async def face_match(self, params: FaceMatchParams, call: ActionCall) -> Outcome:
        """`POST /v3/face-match/`: two pictures. Screens for nothing else, and never enrols."""
        pictures = {
            "user_image": await self._faces.image(params.image, call, SELFIE),
            "ref_image": await self._faces.image(params.ref_image, call, _PORTRAIT),
        }
        threshold = params.face_match_score_decline_threshold
        form = {"face_match_score_decline_threshold": f"{threshold:g}", "rotate_image": _word(params.rotate_image)}
        answer, status = await self._post("/v3/face-match/", form, pictures)
        return _done(face_match_result(answer, feature(answer, "face_match", status), threshold), call, status)

    async def id_verification(self, params: IdVerificationParams, call: ActionCall) -> Outcome:
        """`POST /v3/id-verification/`: the front, and the back where there is one. Pictures or PDFs."""
        pictures = {"front_image": await self._faces.image(params.front_image, call, _FRONT, document_of)}
        back = await self._back(params, call)
        if back is not None:
            pictures["back_image"] = back
        given = params.model_dump(mode="json", exclude_none=True, exclude={"front_image", "back_image"})
        form = {name: _word(value) if isinstance(value, bool) else str(value) for name, value in given.items()}
        answer, status = await self._post("/v3/id-verification/", form, pictures)
        found = feature(answer, "id_verification", status)
        return _done(id_verification_result(answer, found), call, status)

    async def _back(self, params: IdVerificationParams, call: ActionCall) -> Image | None:
        """Front and back of two documents would be a false alarm: the session's back goes only with its front."""
        if params.back_image is None and "back_image" not in call.files:
            if params.front_image is not None or "front_image" in call.files:
                return None
            link = await self._faces.of_session(call, _BACK)
            if link is None:
                return None
        return await self._faces.image(params.back_image, call, _BACK, document_of)

    async def _post(self, path: str, form: Mapping[str, str], pictures: Mapping[str, Image]) -> tuple[JsonObject, int]:
        files = {name: (image.filename, image.content, image.media_type) for name, image in pictures.items()}
        answer = await self._client.request("POST", path, data={**form, "save_api_request": "false"}, files=files)
        return answer.object(), answer.status


def _word(value: bool) -> str:
    return "true" if value else "false"


def _done(result: JsonObject, call: ActionCall, http_status: int) -> Outcome:
    return Outcome("done", REPEATED if call.uncertain else None, result, http_status)
