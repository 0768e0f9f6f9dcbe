"""Rate limits are kept to before the vendor has to say no."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from handlers.didit.client import CALLS_A_MINUTE
from handlers.http import VendorClient
from handlers.rates import LONGEST_PACE, WINDOW, Rate
from handlers.sandbox.settings import RateLimits
from receiver.errors import VendorUnavailable, VendorWaiting
from tests.support.didit_calls import hand, simulated
from tests.support.vendor_stub import Clock, VendorStub, answer, vendor_stub


def headers(limit: int, remaining: int, reset: float) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(int(reset)),
    }


def test_no_more_calls_than_documented_in_a_window() -> None:
    rate = Rate(3)
    for at in (0.0, 10.0, 20.0):
        assert rate.wait(at) <= 0
        rate.sent(at)
    assert rate.wait(21.0) == 39.0
    assert rate.wait(WINDOW) <= 0
    rate.sent(WINDOW)
    assert rate.wait(61.0) == 9.0


def test_the_answers_have_the_last_word_on_the_number() -> None:
    """A free account has 10 a minute in one text, whatever the documented number is."""
    rate = Rate(600)
    for _ in range(10):
        rate.sent(0.0)
    rate.heed(0.0, headers(10, 5, 1060), 1000)
    assert rate.wait(1.0) == 59.0
    rate.heed(1.0, headers(1000, 900, 1060), 1000)
    assert rate.wait(1.0) <= 0


def test_what_is_left_is_spread_when_less_than_15_percent_is() -> None:
    rate = Rate(100)
    rate.heed(0.0, headers(100, 15, 1030), 1000)
    assert [rate.pace(0.0), rate.pace(0.0)] == [0.0, 0.0]
    rate.heed(0.0, headers(100, 14, 1030), 1000)
    assert [rate.pace(0.0) for _ in range(4)] == [2.0, 4.0, LONGEST_PACE, LONGEST_PACE]
    assert rate.wait(0.0) <= 0  # slower, and not refused
    assert rate.pace(30.0) == 0.0
    rate.heed(30.0, headers(100, 90, 1060), 1000)
    assert rate.pace(30.0) == 0.0


def test_a_later_no_cuts_no_rest_short() -> None:
    rate = Rate(60)
    rate.rest(0.0, 60.0)
    rate.rest(1.0, 0.0)  # a 429 that names no time
    assert rate.wait(2.0) == 58.0
    rate.rest(30.0, 60.0)
    assert rate.wait(30.0) == 60.0


@pytest.mark.parametrize("between", [True, False])
def test_turns_end_with_their_window(between: bool) -> None:
    """However many calls asked for a turn, the next window begins without them."""
    rate = Rate(60)
    rate.heed(0.0, headers(60, 5, 1060), 1000)
    assert {rate.pace(1.0) for _ in range(100)} == {LONGEST_PACE}
    if between:
        rate.heed(60.0, headers(60, 59, 1120), 1060)
        assert rate.pace(61.0) == 0.0
    rate.heed(70.0, headers(60, 8, 1080), 1070)
    assert rate.pace(70.0) == pytest.approx(10 / 9)


@pytest.mark.parametrize(
    "said",
    [{}, {"x-ratelimit-remaining": "0"}, {"x-ratelimit-remaining": "-1"}, headers(0, 5, 1000), headers(10, 1, 5)],
)
def test_odd_headers_hold_nobody_back(said: dict[str, str]) -> None:
    rate = Rate()
    rate.heed(0.0, said, 1000)
    assert (rate.wait(0.0), rate.pace(0.0)) == (0.0, 0.0)


def test_groups_that_didit_documents() -> None:
    assert CALLS_A_MINUTE == {"read": 600, "write": 300, "create": 600, "pdf": 50}


@pytest.fixture
async def stub() -> AsyncIterator[VendorStub]:
    async with vendor_stub(answer(200, {"ok": True})) as running:
        yield running


async def test_all_actions_of_a_key_share_its_budget_and_groups_are_apart(stub: VendorStub) -> None:
    clock = Clock()
    client = VendorClient("acme", stub.url, {}, monotonic=clock, budgets={"read": 2, "pdf": 1})
    await client.request("GET", "/a/")
    await client.request("GET", "/b/")
    with pytest.raises(VendorWaiting, match="no calls left in its rate window") as caught:
        await client.request("GET", "/c/")
    assert caught.value.seconds == 60.0
    await client.request("GET", "/pdf/", group="pdf")
    with pytest.raises(VendorWaiting):
        await client.request("GET", "/pdf/", group="pdf")
    await client.request("POST", "/d/")
    assert [seen.target for seen in stub.seen] == ["/a/", "/b/", "/pdf/", "/d/"]
    clock.now += 60.0
    await client.request("GET", "/c/")
    await client.close()


async def test_a_key_with_few_calls_left_is_slowed_down(stub: VendorStub) -> None:
    """What the answer says holds the next ones back, and none is refused."""
    stub.reply(answer(200, {}, x_ratelimit_limit="100", x_ratelimit_remaining="9", x_ratelimit_reset="1001"))
    clock = Clock()
    client = VendorClient("acme", stub.url, {}, monotonic=clock, clock=lambda: 1000.0)
    started = asyncio.get_running_loop().time()
    for _ in range(3):
        await client.request("GET", "/a/")
    assert asyncio.get_running_loop().time() - started >= 0.2  # 1 s for the ten that are left, twice
    await client.close()


async def test_a_paced_call_waits_elsewhere_and_has_its_turn_when_it_comes_again(stub: VendorStub) -> None:
    """Nobody else's place is held while it waits; who comes before the turn is told to wait too."""
    stub.reply(answer(200, {}, x_ratelimit_limit="100", x_ratelimit_remaining="9", x_ratelimit_reset="1010"))
    clock = Clock()
    client = VendorClient("acme", stub.url, {}, monotonic=clock, clock=lambda: 1000.0)
    await asyncio.create_task(client.request("GET", "/a/"))
    waits = []
    for _ in range(2):
        with pytest.raises(VendorWaiting, match="acme has few calls left in its rate window") as caught:
            await asyncio.create_task(client.request("GET", "/a/"))
        waits.append(caught.value.seconds)
    assert waits == pytest.approx([1.0, 2.0])
    clock.now += 1.01
    await asyncio.create_task(client.request("GET", "/a/"))
    with pytest.raises(VendorWaiting):
        await asyncio.create_task(client.request("GET", "/a/"))
    await asyncio.create_task(client.request("POST", "/b/"))  # of another group
    assert len(stub.seen) == 3
    await client.close()


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("didit.generate_pdf", {"pdf": 2}),
        ("didit.decision", {"read": 2}),
        ("didit.blocklist_add", {"write": 2}),
    ],
)
async def test_the_sandbox_never_has_to_say_no(name: str, limits: Any) -> None:
    """The third call of the window is not sent: the answers to the first two named the limit."""
    params = {"face": True} if name == "didit.blocklist_add" else {}
    with simulated(limits=RateLimits(**limits)) as sandbox:
        async with hand(sandbox) as run:
            await run(name, "clean", params)
            await run(name, "clean", params)
            with pytest.raises(VendorWaiting):
                await run(name, "clean", params)
    assert [status for _, status in sandbox.calls()] == [200, 200]


async def test_another_program_with_the_same_key_used_it_up() -> None:
    """Then the vendor does say no, and names the time; until then nothing is sent."""
    with simulated(limits=RateLimits(pdf=1)) as sandbox:
        async with hand(sandbox) as other:
            await other("didit.generate_pdf")
        async with hand(sandbox) as run:
            with pytest.raises(VendorUnavailable) as caught:
                await run("didit.generate_pdf")
            with pytest.raises(VendorWaiting):
                await run("didit.generate_pdf")
    assert caught.value.retry_after is not None
    assert [status for _, status in sandbox.calls()] == [200, 429]
