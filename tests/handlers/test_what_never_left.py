"""What fails before a call that counts was sent has cost nothing, and no later attempt says that it may have."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.clients import CLIENTS
from handlers.http import VendorClient
from handlers.images import ImageFetcher
from handlers.registry import bind
from handlers.specs import SPECS
from handlers.tools import Tools
from receiver.contract import Handler
from receiver.errors import AnswerUnreadable, VendorError, VendorUnavailable
from receiver.store.sqlite.store import open_store
from tests.support.didit_calls import KEY, Simulated, simulated
from tests.support.dispatching import QUICK, Clock, Yard, planned
from tests.support.processes import free_port
from tests.support.vendor_stub import VendorStub, answer, vendor_stub

CHECKS = {
    "didit.face_search": "/v3/face-search/",
    "didit.passive_liveness": "/v3/passive-liveness/",
    "didit.face_match": "/v3/face-match/",
    "didit.id_verification": "/v3/id-verification/",
    "kwikid.liveness": "/liveness",
    "kwikid.liveness_v2": "/v2/liveness",
    "verifik.liveness": "/face-recognition/liveness",
}
BEFORE = [("error_503", "/media/"), ("drop", "/media/"), ("error_500", "/decision/"), ("malformed_json", "/decision/")]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Simulated]:
    with simulated() as running:
        yield running


@pytest.fixture
async def handlers(sandbox: Simulated) -> AsyncIterator[dict[str, Handler]]:
    clients = {name: CLIENTS[name](sandbox.url, KEY, 20.0) for name in ("didit", "kwikid", "verifik")}
    tools = Tools(clients, ImageFetcher(frozenset([sandbox.url.removeprefix("http://")])))
    yield bind(tools)
    await tools.close()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    clock = Clock()
    store = open_store(tmp_path, clock=clock)
    yield Yard(store, clock)
    store.close()


async def _ended(yard: Yard, handlers: dict[str, Handler], sandbox: Simulated, name: str) -> dict[str, Any]:
    (action_id,) = yard.plan(sandbox.session("clean"), planned(name, needs=SPECS[name].needs({})))
    async with yard.running(handlers, SPECS, retry=QUICK):
        await yard.ended(action_id)
    return yard.action(action_id)


@pytest.mark.parametrize(("fault", "path"), BEFORE, ids=lambda value: value.strip("/"))
@pytest.mark.parametrize("name", CHECKS)
async def test_a_picture_that_could_not_be_had_has_cost_nothing(
    yard: Yard, handlers: dict[str, Handler], sandbox: Simulated, name: str, fault: str, path: str
) -> None:
    """Neither our own download nor asking for the decision is charged: the check is made once, and says no more."""
    sandbox.fresh().fault(**{fault: {"next": 1, "path": path, "seconds": 0.0}})
    action = await _ended(yard, handlers, sandbox, name)
    assert [attempt["outcome"] for attempt in action["attempts"]] == ["retry", "done"]
    assert (action["state"], action["reason"]) == ("done", None)
    assert len(sandbox.calls(CHECKS[name])) == 1


@pytest.mark.parametrize("name", CHECKS)
async def test_a_check_that_was_sent_may_have_been_charged(
    yard: Yard, handlers: dict[str, Handler], sandbox: Simulated, name: str
) -> None:
    """Also where a download fails later on: what is not known of the first attempt stays so."""
    sandbox.fresh().fault(error_500={"next": 1, "path": CHECKS[name]})
    action = await _ended(yard, handlers, sandbox, name)
    assert action["state"] == "done"
    assert action["reason"].startswith("repeated after an interruption: ")
    assert len(sandbox.calls(CHECKS[name])) == 2


async def test_a_vendor_that_cannot_be_reached_was_sent_nothing() -> None:
    client = VendorClient("acme", f"http://127.0.0.1:{free_port()}", {"key": KEY}, timeout=5.0)
    for method in ("GET", "POST"):
        with pytest.raises(VendorUnavailable, match="connection failed") as caught:
            await client.request(method, "/a/")
        assert caught.value.unsent
    await client.close()


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("reply", [answer(500), b"", answer(200, b"{")], ids=["500", "hung up", "cut short"])
async def test_what_reads_has_no_effect_and_what_writes_may_have(method: str, reply: bytes) -> None:
    async with vendor_stub() as stub:
        client = _client(stub)
        stub.reply(reply)
        with pytest.raises(VendorError) as caught:
            await client.request(method, "/a/")
        await client.close()
    if not isinstance(caught.value, AnswerUnreadable):
        assert isinstance(caught.value, VendorUnavailable)
        assert caught.value.unsent is (method == "GET")


def _client(stub: VendorStub) -> VendorClient:
    return VendorClient("acme", stub.url, {"key": KEY}, timeout=5.0)
