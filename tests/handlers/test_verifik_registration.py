"""`verifik.app_registration` against the simulator, over real HTTP, and against answers that it does not give."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from handlers.clients import CLIENTS
from handlers.images import ImageFetcher
from handlers.registry import bind
from handlers.sandbox.verifik import REGISTRATION_STATUSES
from handlers.tools import Tools
from receiver.contract import Outcome
from receiver.errors import VendorError, VendorRefused, VendorUnavailable, VendorWaiting
from receiver.vendors.verifik import normalise
from tests.support.action_calls import action_call
from tests.support.other_vendors import EXPIRED, KEY, Actions, Simulated, actions, simulated
from tests.support.vendor_stub import VendorStub, answer, vendor_stub

NAME = "verifik.app_registration"
PATH = "/v2/app-registrations/r-1"
ABOUT: dict[str, Any] = {
    "vendor": "verifik",
    "source": "verifik",
    "type": "onboarding_app_registration_completed",
    "session_id": "r-1",
}


@pytest.fixture
def box() -> Iterator[Simulated]:
    with simulated() as running:
        register(running, "COMPLETED", email="ana@mail.invalid")
        yield running


@pytest.fixture
async def run(box: Simulated) -> AsyncIterator[Actions]:
    async with actions(box, "verifik") as bound:
        yield bound


def register(box: Simulated, status: str, **more: Any) -> None:
    body = {"_id": "r-1", "status": status, **more}
    assert httpx.post(f"{box.url}/_sandbox/registrations", json=body, trust_env=False).status_code == 200


async def ask(run: Actions, **event: Any) -> Outcome:
    return await run(NAME, **{**ABOUT, **event})


@pytest.mark.shows("success", action=NAME)
async def test_a_registration_is_read(run: Actions, box: Simulated) -> None:
    outcome = await ask(run)
    assert (outcome.state, outcome.reason, outcome.http_status) == ("done", None, 200)
    assert outcome.result == {
        "session_id": "r-1",
        "status": "Approved",
        "vendor_status": "COMPLETED",
        "extra": {"email": "ana@mail.invalid"},
    }
    assert [(call.method, call.path) for call in box.calls("")] == [("GET", PATH)]


@pytest.mark.parametrize("sent", [*REGISTRATION_STATUSES, "completed", " Failed ", "Certified", "Approved"])
async def test_what_is_read_and_what_is_sent_speak_the_same_words(run: Actions, box: Simulated, sent: str) -> None:
    """Else true deliveries would be held. A status that is not known stands as sent in both."""
    box.world.registrations["r-1"] = {"_id": "r-1", "status": sent}
    result: Any = (await ask(run)).result
    delivered = {"type": ABOUT["type"], "object": {"_id": "r-1", "status": sent}}
    assert result["status"] == normalise("verifik", delivered).document["status"]
    assert (result["vendor_status"], result["extra"]) == (sent.strip(), None)
    assert (result["status"] == "Approved") is (sent.upper() in ("COMPLETED", "APPROVED"))


async def test_it_is_asked_anew_and_sees_what_changed(run: Actions, box: Simulated) -> None:
    register(box, "ONGOING")
    first: Any = (await ask(run)).result
    register(box, "NEEDS_MANUAL_VERIFICATION")
    second: Any = (await ask(run)).result
    assert (first["status"], second["status"]) == ("In Progress", "In Review")


@pytest.mark.shows("error", kind="refused", action=NAME)
async def test_one_that_is_not_there(run: Actions) -> None:
    with pytest.raises(VendorRefused, match="app_registration_not_found") as caught:
        await ask(run, session_id="r-2")
    assert caught.value.http_status == 404


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"type": "onboarding_document_validation_created"}, "not about an app registration"),
        ({"type": "face_verification_compare"}, "not about an app registration"),
        ({"tags": ["LIVENESS_FACE_ATTACK"]}, "not about an app registration"),
        ({"session_id": None}, "names no session"),
        ({"session_id": ".."}, "cannot stand in a path"),
        ({"session_id": ""}, "names no session"),
    ],
)
async def test_events_that_name_no_registration_ask_nobody(run: Actions, box: Simulated, event: Any, said: str) -> None:
    with pytest.raises(VendorRefused, match=said):
        await ask(run, **event)
    assert box.calls("") == []


async def test_an_id_stays_one_segment_of_the_path(run: Actions, box: Simulated) -> None:
    with pytest.raises(VendorRefused):
        await ask(run, session_id="../webhooks?x=1#y")
    assert len(box.calls("")) == 1
    assert box.calls("/v2/app-registrations/")


async def test_by_hand_and_for_other_senders(run: Actions) -> None:
    assert (await ask(run, source="shell", type="unknown")).state == "done"
    assert (await ask(run, vendor="generic", type="status.updated", tags=["X"])).state == "done"


async def test_it_takes_no_parameters(run: Actions, box: Simulated) -> None:
    outcome = await run(NAME, params={"id": "r-1"}, **ABOUT)
    assert (outcome.state, box.calls("")) == ("failed", [])


@pytest.mark.shows("error", kind="unauthorized", action=NAME)
async def test_an_expired_token_is_told_from_a_wrong_one(box: Simulated) -> None:
    async with actions(box, "verifik", token=EXPIRED) as run:
        with pytest.raises(VendorWaiting, match="renew it"):
            await ask(run)
    async with actions(box, "verifik", token="w" * 20) as run:
        with pytest.raises(VendorWaiting, match="parked: HTTP 401"):
            await ask(run)


@pytest.mark.shows("error", action=NAME)
@pytest.mark.parametrize(
    "fault", ["rate_limited", "error_500", "error_503", "drop", "malformed_json", "oversized", "wrong_content_type"]
)
async def test_whatever_is_wrong_with_the_answer_it_is_asked_for_again(
    run: Actions, box: Simulated, fault: str
) -> None:
    """Reading changes nothing, so also where a yes cannot be read."""
    size = {"size": 6_000_000} if fault == "oversized" else {}
    box.fault(**{fault: {"next": 1, "path": "app-registrations", **size}})
    with pytest.raises(VendorError) as caught:
        await ask(run)
    assert type(caught.value) is VendorUnavailable
    if fault != "rate_limited":  # then the whole vendor rests
        assert (await ask(run)).state == "done"


@pytest.mark.shows("error", kind="slow", action=NAME)
async def test_an_answer_that_does_not_come_in_time(box: Simulated) -> None:
    box.fault(slow={"next": 1, "path": "app-registrations", "seconds": 1.0})
    async with actions(box, "verifik", seconds=0.2) as run:
        with pytest.raises(VendorUnavailable, match="timed out"):
            await ask(run)


# What the documents leave open, said by a server that follows no document.


@pytest.fixture
async def stub() -> AsyncIterator[VendorStub]:
    async with vendor_stub() as running:
        yield running


async def read(stub: VendorStub, reply: bytes) -> Any:
    stub.reply(reply)
    tools = Tools({"verifik": CLIENTS["verifik"](stub.url, KEY, 20.0)}, ImageFetcher(frozenset()))
    try:
        outcome = await bind(tools)[NAME](action_call(NAME, **ABOUT))
        (sent,) = stub.seen
        assert (sent.method, sent.target, sent.body) == ("GET", PATH, b"")
        assert sent.headers["authorization"] == f"Bearer {KEY}"
        return outcome.result
    finally:
        await tools.close()


@pytest.mark.parametrize(
    ("body", "session_id", "status"),
    [
        ({"data": {"_id": "r-1", "status": "FAILED"}}, "r-1", "Declined"),
        ({"_id": "r-1", "status": "failed"}, "r-1", "Declined"),
        ({"id": "r-1", "data": {"status": "FAILED"}}, None, None),
        ({"id": "r-1", "data": {"_id": "r-9", "status": 3}}, "r-9", None),
        ({"data": {"_id": "r-9", "status": "FAILED"}}, "r-9", None),
        ({"data": {"_id": {"$oid": "r-1"}, "status": "FAILED"}}, None, None),
        ({"status": "failed", "message": "not found"}, None, None),
        ({"data": {"_id": "r-1", "status": "FAILED"}, "message": "could not be loaded"}, "r-1", None),
        ({"data": {"_id": "r-1", "status": "FAILED"}, "error": {"code": 5}}, "r-1", None),
    ],
)
async def test_the_shape_is_not_published(stub: VendorStub, body: Any, session_id: Any, status: Any) -> None:
    """An id that the registration does not name is not made up from what was asked for; the envelope's `id` is none.
    Only of the registration that was asked for a status is told, and not beside an error.
    """
    result = await read(stub, answer(200, body))
    assert (result["session_id"], result["status"]) == (session_id, status)


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"data": {}}, {"data": [{"_id": "r-1"}]}, {"message": "ok"}, [1], "text"),
        {"data": {"_id": "r-1", "status": "FAILED"}, "message": "internal_error", "code": "ERROR"},
        {"data": {"_id": "r-1", "status": "FAILED"}, "statusCode": "500"},
        {"_id": "r-1", "status": "FAILED", "success": False},
    ],
)
async def test_a_yes_without_a_registration_is_asked_for_again(stub: VendorStub, body: Any) -> None:
    with pytest.raises(VendorUnavailable, match="cannot be read"):
        await read(stub, answer(200, body))


async def test_no_picture_template_or_link_is_kept(stub: VendorStub) -> None:
    data = {
        "_id": "r-1",
        "status": "COMPLETED",
        "faceImage": "QUJD",
        "face": {"template": [0.25, 0.5], "source": "https://h.invalid/a.jpg?sig=s3cr3t", "photo": "QUJD" * 100},
        "token": "t" * 20,
    }
    result = await read(stub, answer(200, {"data": data}))
    assert result["extra"] == {"face": {"source": "https://h.invalid/…", "photo": "[base64]"}, "token": "[redacted]"}
