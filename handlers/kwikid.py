"""The `kwikid.` actions: liveness (both versions), and deleting a face.

Facts: KwikID's ML API pages (doc.app.getkwikid.com), state of 2026-11; nothing here is confirmed against the live
service. There is no public host: the base URL is a setting, with the prefix that a deployment may have (`/sumi/v1`).
Errors come as `{detail, message}` and as `{msg}`; 400 means that media are missing or unreadable, and never that a
person failed. What is answered for a picture without a face is not documented.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from handlers.faces import Faces
from handlers.http import Upload, VendorClient
from handlers.images import Image
from handlers.kwikid_gone import check_deleted, says_gone
from handlers.kwikid_params import TUNING, DeleteFaceParams, KwikidLivenessParams
from handlers.kwikid_wire import liveness_result, liveness_v2_result, refuse_hidden_error
from handlers.tools import Factory, Run, Tools
from receiver.contract import ActionCall, JsonObject, Outcome
from receiver.errors import VendorRefused

_REPEATED = "repeated after an interruption: KwikID may count two checks"


def kwikid_client(base_url: str, api_key: str, timeout: float = 30.0, concurrency: int = 16) -> VendorClient:
    """A client for KwikID's ML API. `api_key` is the token from its dashboard; `timeout` is in seconds."""
    headers = {"Authorization": f"Bearer {api_key}"}
    return VendorClient("kwikid", base_url, headers, timeout=timeout, concurrency=concurrency)


class Kwikid:
    """The actions over one client. Each returns how it ended, or raises a VendorError (see `handlers/http.py`)."""

    def __init__(self, client: VendorClient, faces: Faces) -> None:
        self._client = client
        self._faces = faces

    async def liveness(self, params: KwikidLivenessParams, call: ActionCall) -> Outcome:
        """`POST /liveness`."""
        return await self._check("/liveness", liveness_result, params, call)

    async def liveness_v2(self, params: KwikidLivenessParams, call: ActionCall) -> Outcome:
        """`POST /v2/liveness`."""
        return await self._check("/v2/liveness", liveness_v2_result, params, call)

    async def delete_face(self, params: DeleteFaceParams, call: ActionCall) -> Outcome:
        """`POST /delete_faces_from_collection`. A face that is not there: `noop`. Its 400 has one status for that, for
        missing parameters and for faults of the store, so the words decide; a 400 that does not say that the face is
        not found ends `failed` with KwikID's words, and nobody takes the face for deleted.
        """
        body: JsonObject = {"bucket": params.bucket, "external_image_id": params.external_image_id}
        try:
            answer = await self._client.request("POST", "/delete_faces_from_collection", json=body)
        except VendorRefused as refused:
            if refused.http_status != 400 or not says_gone(refused.reason):
                raise
            return Outcome("noop", "the face is not in the collection", http_status=400)
        check_deleted(refuse_hidden_error(answer.object(), answer.status), answer.status)
        return Outcome("done", http_status=answer.status)

    async def _check(
        self,
        path: str,
        read: Callable[[JsonObject, str], JsonObject],
        params: KwikidLivenessParams,
        call: ActionCall,
    ) -> Outcome:
        answer = await self._client.request(
            "POST", path, data=_fields(params, call), files=await self._media(params, call)
        )
        body = refuse_hidden_error(answer.object(), answer.status)
        return Outcome("done", _REPEATED if call.uncertain else None, read(body, params.fake_tag), answer.status)

    async def _media(self, params: KwikidLivenessParams, call: ActionCall) -> dict[str, Upload]:
        """At least one of the two: the schema's "exactly one of" would refuse both together, which the text allows."""
        media: dict[str, Upload] = {}
        filmed = params.video is not None or "video" in call.files
        if not filmed or params.image is not None or "image" in call.files:
            media["image"] = _upload(await self._faces.image(params.image, call))
        if filmed:
            media["video"] = _upload(await self._faces.video(params.video, call))
        return media


def _upload(file: Image) -> Upload:
    return (file.filename, file.content, file.media_type)


def _fields(params: KwikidLivenessParams, call: ActionCall) -> dict[str, str]:
    """The tuning that the policy gives; each goes out as text, a truth value as "True" or "False"."""
    given = {name: str(value) for name in TUNING if (value := getattr(params, name)) is not None}
    return {**given, "unique_id": params.unique_id or call.action_id}


def _bound(method: Callable[[Kwikid, Any, ActionCall], Awaitable[Outcome]]) -> Factory:
    def bound(tools: Tools) -> Run | None:
        client = tools.clients.get("kwikid")
        if client is None:
            return None
        return partial(method, Kwikid(client, Faces(tools.images, tools.clients.get("didit"))))

    return bound


ACTIONS: Final[Mapping[str, Factory]] = {
    "kwikid.liveness": _bound(Kwikid.liveness),
    "kwikid.liveness_v2": _bound(Kwikid.liveness_v2),
    "kwikid.delete_face": _bound(Kwikid.delete_face),
}
