"""`http.post` and `notify`, over real HTTP: what goes out, what answers mean, and that no secret shows."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from handlers.images import ImageFetcher
from handlers.registry import bind
from handlers.targets import Channel, Hook
from handlers.tools import Tools
from receiver.contract import JsonObject, Outcome
from receiver.errors import VendorError, VendorRefused, VendorUnavailable, VendorWaiting
from tests.support.action_calls import action_call
from tests.support.vendor_stub import Reply, VendorStub, answer, reply_id, vendor_stub

KEY = b"thirty-two bytes of a made-up key"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
CASE: JsonObject = {"to": "core", "type": "face.attack", "data": {"session": "ses-1", "score": 2.5, "name": "Zoë"}}


@pytest.fixture
async def stub() -> AsyncIterator[VendorStub]:
    async with vendor_stub(answer(200)) as running:
        yield running


@pytest.fixture
async def tools(stub: VendorStub) -> AsyncIterator[Tools]:
    made = Tools(
        {},
        ImageFetcher(),
        {"core": Hook("core", f"{stub.url}/in?token=t0ken-in-the-url", SECRET, timeout=1.0)},
        {"ops": Channel("ops", f"json://127.0.0.1:{stub.port}/told?password=t0ken-in-the-url", timeout=5.0)},
    )
    yield made
    await made.close()


@pytest.mark.shows("success", action="http.post")
async def test_a_message_is_signed_as_standard_webhooks_has_it(tools: Tools, stub: VendorStub) -> None:
    stub.reply(answer(200, {"anything": "at all"}))
    outcome = await bind(tools)["http.post"](action_call("http.post", CASE))
    (seen,) = stub.seen
    assert outcome == Outcome("done", result={"bytes": len(seen.body)}, http_status=200)
    body = seen.json()
    assert (body["type"], body["data"]) == ("face.attack", CASE["data"])
    message_id, at = seen.headers["webhook-id"], seen.headers["webhook-timestamp"]
    assert message_id == "key-1"
    assert abs(int(at) - time.time()) < 5
    expected = hmac.new(KEY, f"{message_id}.{at}.".encode() + seen.body, hashlib.sha256).digest()
    assert seen.headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"


async def test_every_attempt_has_the_same_id(tools: Tools, stub: VendorStub) -> None:
    stub.reply(answer(503), answer(200))
    first = replace(action_call("http.post", CASE), planned_at=1_795_000_000_123)
    with pytest.raises(VendorUnavailable):
        await bind(tools)["http.post"](first)
    await bind(tools)["http.post"](replace(first, attempt=2, repeated=True))
    assert [seen.headers["webhook-id"] for seen in stub.seen] == ["key-1", "key-1"]
    assert stub.seen[0].body == stub.seen[1].body
    assert stub.seen[0].json()["timestamp"] == "2026-11-18T11:06:40.123Z"


@pytest.mark.shows("error", kind="refused", action="http.post")
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(500), VendorUnavailable),
        (answer(429, b"", retry_after="7"), VendorUnavailable),
        (answer(400), VendorRefused),
        (answer(401), VendorRefused),
        (answer(410), VendorRefused),
        (answer(302, b"", location="http://127.0.0.1:1/elsewhere"), VendorRefused),
        (b"", VendorUnavailable),
        (b"not HTTP at all\r\n\r\n", VendorUnavailable),
    ],
    ids=reply_id,
)
async def test_what_answers_mean(tools: Tools, stub: VendorStub, reply: Reply, error: type[VendorError]) -> None:
    stub.reply(reply)
    with pytest.raises(error) as raised:
        await bind(tools)["http.post"](action_call("http.post", CASE))
    assert "t0ken" not in str(raised.value)
    assert SECRET not in repr(tools)
    assert "t0ken" not in repr(tools)
    if isinstance(raised.value, VendorUnavailable) and raised.value.http_status == 429:
        assert raised.value.retry_after == 7


async def _silent(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


@pytest.mark.shows("error", kind="slow", action="http.post")
async def test_a_receiver_that_says_nothing_is_waited_for_no_longer_than_its_timeout(
    tools: Tools, stub: VendorStub
) -> None:
    stub.reply(_silent)
    with pytest.raises(VendorUnavailable):
        await asyncio.wait_for(bind(tools)["http.post"](action_call("http.post", CASE)), 5)


async def test_a_yes_with_an_endless_answer_is_a_yes(tools: Tools, stub: VendorStub) -> None:
    stub.reply(answer(200, b"x" * 1_000_000))
    assert (await bind(tools)["http.post"](action_call("http.post", CASE))).state == "done"


async def test_an_unknown_name_and_too_much_to_say(tools: Tools) -> None:
    outcome = await bind(tools)["http.post"](action_call("http.post", {**CASE, "to": "nobody"}))
    assert outcome == Outcome("failed", "`hooks` in config.yaml has no 'nobody'")
    huge: JsonObject = {**CASE, "data": {"text": "x" * 300_000}}
    outcome = await bind(tools)["http.post"](action_call("http.post", huge))
    assert outcome.state == "failed"
    assert "262,144 are the most" in (outcome.reason or "")
    outcome = await bind(tools)["notify"](action_call("notify", {"to": "nobody", "message": "x"}))
    assert outcome == Outcome("failed", "`notify` in config.yaml has no 'nobody'")


@pytest.mark.parametrize("secret", ["", "plain text of thirty characters", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%%"])
def test_a_secret_that_is_none_is_not_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match="must be `whsec_`") as raised:
        Hook("core", "https://core.example.invalid/", secret)
    assert secret == "" or len(secret) < 8 or secret not in str(raised.value)


@pytest.mark.shows("success", action="notify")
async def test_people_are_told_in_plain_text(tools: Tools, stub: VendorStub) -> None:
    """Apprise's own JSON service stands for all of them: the message arrives over real HTTP."""
    stub.reply(answer(200))
    params: JsonObject = {"to": "ops", "title": "A case", "message": "Session ses-1 <b>waits</b> & waits"}
    assert await bind(tools)["notify"](action_call("notify", params)) == Outcome("done")
    (seen,) = stub.seen
    told: dict[str, Any] = json.loads(seen.body)
    assert told["title"] == "A case"
    assert told["message"] == "Session ses-1 <b>waits</b> & waits"


@pytest.mark.parametrize("how", [{"repeated": True}, {"unanswered": True}])
async def test_a_repeat_says_that_it_may_be_one(tools: Tools, stub: VendorStub, how: dict[str, bool]) -> None:
    stub.reply(answer(200))
    params: JsonObject = {"to": "ops", "message": "m"}
    await bind(tools)["notify"](action_call("notify", params))
    await bind(tools)["notify"](action_call("notify", params, attempt=2, **how))
    assert ["may be a repeat" in seen.json()["message"] for seen in stub.seen] == [False, True]


@pytest.mark.shows("error", kind="slow", action="notify")
async def test_a_service_that_never_ends_holds_no_thread_that_others_need(stub: VendorStub) -> None:
    """What was given up on is still under way: beyond so many of them nothing more is sent, and nobody else stops."""
    stub.reply(_silent)
    stuck = Channel("stuck", f"json://127.0.0.1:{stub.port}/told", timeout=0.1)
    shared = {thread.ident for thread in threading.enumerate()}
    for _ in range(8):
        with pytest.raises(VendorUnavailable):
            await stuck.tell("t", "m")
    with pytest.raises(VendorWaiting, match="stuck is slow: earlier notifications are on their way"):
        await stuck.tell("t", "m")
    named = [thread for thread in threading.enumerate() if thread.name == "hookwarden daemon"]
    begun = [thread for thread in named if thread.ident not in shared]
    assert [thread.daemon for thread in begun] == [True] * 8
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 5) == "free"


@pytest.mark.shows("error", kind="refused", action="notify")
@pytest.mark.parametrize("reply", [answer(500), answer(404), b""], ids=reply_id)
async def test_a_notification_that_did_not_arrive_is_tried_again(
    tools: Tools, stub: VendorStub, reply: Reply, capfd: pytest.CaptureFixture[str]
) -> None:
    stub.reply(reply)
    with pytest.raises(VendorUnavailable, match="ops: the notification could not be delivered"):
        await bind(tools)["notify"](action_call("notify", {"to": "ops", "message": "m"}))
    assert "t0ken" not in "".join(capfd.readouterr())


def test_a_channel_that_apprise_cannot_read_is_refused_without_its_url() -> None:
    with pytest.raises(ValueError, match="is not a URL that Apprise can notify") as raised:
        Channel("ops", "nosuchservice://t0ken-in-the-url")
    assert "t0ken" not in str(raised.value)
