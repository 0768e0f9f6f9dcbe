"""The `verifik.` actions: liveness, and reading a registration.

Facts: Verifik's documentation (docs.verifik.co and its public sources), state of 2026-11; nothing here is confirmed
against the live service. Of its errors, 401 is a wrong token, 403 an expired one (both park the vendor), 409 a missing
field, 412 a picture that is not base64, 500 worth another try. None of them is a finding about a person; a refusal is
one only where it gives, word for word, a published reason for which a picture is not scored.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from handlers.answers import Answer
from handlers.faces import Faces
from handlers.http import VendorClient, segment
from handlers.tools import Factory, Run, Tools
from handlers.verifik_params import AppRegistrationParams, VerifikLivenessParams
from handlers.verifik_wire import (
    UNDECIDED,
    answered_reason,
    is_expired,
    liveness_result,
    refuse_hidden_error,
    refused_for,
    registration_result,
)
from receiver.contract import ActionCall, JsonObject, Outcome
from receiver.errors import AnswerUnreadable, LinkRefused, VendorRefused, VendorUnavailable, VendorWaiting

_REPEATED = "repeated after an interruption: Verifik may count two checks"
_RENEW = "verifik is parked: its token has expired (they live for 30 days): renew it, and put it into vendors.verifik"


def verifik_client(base_url: str, api_key: str, timeout: float = 30.0, concurrency: int = 16) -> VendorClient:
    """A client for Verifik's API; `base_url` is its root, without `/v2`. `timeout` is in seconds."""
    headers = {"Authorization": f"Bearer {api_key}"}
    return VendorClient("verifik", base_url, headers, timeout=timeout, concurrency=concurrency)


class Verifik:
    """The actions over one client. Each returns how it ended, or raises a VendorError (see `handlers/http.py`)."""

    def __init__(self, client: VendorClient, faces: Faces) -> None:
        self._client = client
        self._faces = faces

    async def liveness(self, params: VerifikLivenessParams, call: ActionCall) -> Outcome:
        """`POST /v2/face-recognition/liveness`. The picture goes as base64, unless the policy hands the link on."""
        body: JsonObject = {
            "os": params.os,
            "image": await self._picture(params, call),
            "liveness_min_score": params.liveness_min_score,
        }
        if params.collection_id is not None:
            body["collection_id"] = params.collection_id
        try:
            answer = await self._ask("POST", "/v2/face-recognition/liveness", body)
        except VendorRefused as refused:
            reason = refused_for(refused.reason, refused.http_status)
            if reason is None:
                raise
            return _outcome({}, reason, params, call, refused.http_status)
        body = refuse_hidden_error(answer.object(), answer.status)
        return _outcome(body, answered_reason(body), params, call, answer.status)

    async def app_registration(self, params: AppRegistrationParams, call: ActionCall) -> Outcome:
        """`GET /v2/app-registrations/{id}`, of the registration that the event is about; the objects of Verifik's other
        events are none. Reading changes nothing, so an answer that cannot be read is asked for again.
        """
        asked = _registration_of(call)
        try:
            answer = await self._ask("GET", f"/v2/app-registrations/{segment(asked)}")
            body = _not_an_error(answer)
            return Outcome("done", None, registration_result(body, asked), answer.status)
        except AnswerUnreadable as error:
            reason, status = f"the registration cannot be read: {error.reason}", error.http_status
        raise VendorUnavailable(reason, status, unsent=True)

    async def _ask(self, method: str, path: str, body: JsonObject | None = None) -> Answer:
        try:
            return await self._client.request(method, path, json=body)
        except VendorWaiting as waiting:
            if not is_expired(waiting.reason):
                raise
            alert = None if waiting.alert is None else _RENEW
            expired = VendorWaiting(_RENEW, waiting.seconds, waiting.http_status, alert=alert)
        raise expired

    async def _picture(self, params: VerifikLivenessParams, call: ActionCall) -> str:
        if not params.send_link or "image" in call.files:
            return b64encode((await self._faces.image(params.image, call)).content).decode("ascii")
        link = (await self._faces.link(params.image, call)).url
        if not _plain_https(link):
            raise LinkRefused("image link refused: only an https link without user information is handed on")
        return link


def _outcome(
    body: JsonObject, reason: str | None, params: VerifikLivenessParams, call: ActionCall, http_status: int | None
) -> Outcome:
    if reason == UNDECIDED:
        raise VendorUnavailable(f"verifik: {UNDECIDED}", http_status)
    result = liveness_result(body, params.liveness_min_score, reason)
    return Outcome("done", _REPEATED if call.uncertain else None, result, http_status)


def _not_an_error(answer: Answer) -> JsonObject:
    """Raises AnswerUnreadable for an error that calls itself a success."""
    try:
        return refuse_hidden_error(answer.object(), answer.status)
    except VendorRefused as refused:
        reason = refused.reason
    raise AnswerUnreadable(reason, answer.status)


def _registration_of(call: ActionCall) -> str:
    """Raises VendorRefused where the event is about no registration: those of Verifik's that are carry no findings, so
    that what is read bears out all that a rule sees of them. A call by hand is about an event without a type.
    """
    event = call.event
    of_registration = "app_registration_" in event["type"] or event["type"] == "unknown"
    if event["vendor"] == "verifik" and (not of_registration or event["tags"]):
        raise VendorRefused("the event is not about an app registration")
    if not event["session_id"]:
        raise VendorRefused("the event names no session")
    return event["session_id"]


def _plain_https(link: str) -> bool:
    try:
        parts = urlsplit(link)
        return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def _liveness(tools: Tools) -> Run | None:
    client = tools.clients.get("verifik")
    if client is None:
        return None
    return partial(Verifik.liveness, Verifik(client, Faces(tools.images, tools.clients.get("didit"))))


def _app_registration(tools: Tools) -> Run | None:
    client = tools.clients.get("verifik")
    if client is None:
        return None
    return partial(Verifik.app_registration, Verifik(client, Faces(tools.images, None)))


ACTIONS: Final[Mapping[str, Factory]] = {
    "verifik.liveness": _liveness,
    "verifik.app_registration": _app_registration,
}
