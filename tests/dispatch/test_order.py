"""In order per lane, side by side across lanes, at once when there is work, and still when there is none."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import replace

from receiver.contract import ActionCall, Handler, Outcome
from receiver.errors import VendorUnavailable
from tests.support.dispatching import QUICK, Gate, Script, WatchedStore, Yard, all_actions, planned, until


async def test_order_and_concurrency_under_load(yard: Yard) -> None:
    """30 sessions of 12 actions, a third of the calls failing: each session in order and one call at a time, never
    more calls than allowed, and every session comes to its end.
    """
    dice = random.Random(7)
    running: dict[str, str] = {}
    ended: dict[str, list[int]] = defaultdict(list)
    most = 0

    async def handler(call: ActionCall) -> Outcome:
        nonlocal most
        session = str(call.event["session_id"])
        ordinal = call.params["i"]
        assert isinstance(ordinal, int)
        assert session not in running, "two calls of one session at once"
        running[session] = call.action_id
        most = max(most, len(running))
        try:
            await asyncio.sleep(dice.random() * 0.004)
            assert ended[session] == list(range(ordinal)), "overtaken"
            fate = dice.random()
            if fate < 0.15:
                raise VendorUnavailable("HTTP 503", 503)
            if fate < 0.3:
                raise ConnectionResetError
            ended[session].append(ordinal)
            return Outcome(dice.choice(["done", "noop", "failed"]))
        finally:
            del running[session]

    ids: list[str] = []
    for start in range(0, 12, 3):
        for session in range(30):
            ids += yard.plan(f"s{session}", *(planned("a", i=start + step) for step in range(3)))
    patient = replace(QUICK, attempts=100)
    async with yard.running({"a": handler}, concurrency=8, retry=patient):
        await until(lambda: sum(map(len, ended.values())) == 360, 60)
        await yard.ended(*ids)
    assert most == 8
    assert all(order == list(range(12)) for order in ended.values())
    assert {action["state"] for action in all_actions(yard.store)} <= {"done", "noop", "failed"}


async def test_a_lane_that_waits_holds_up_no_other(yard: Yard) -> None:
    """More stuck sessions than places: others go on, because a waiting action holds no place."""
    stuck = [yard.plan(f"stuck{n}", planned("bad"), planned("good"))[1] for n in range(6)]
    handlers = {"bad": Script(Outcome("retry", "busy", retry_after=60)), "good": Script(Outcome("done"))}
    async with yard.running(handlers, concurrency=2):
        free = [yard.plan(f"free{n}", planned("good"))[0] for n in range(6)]
        await yard.ended(*free)
        assert {yard.action(action_id)["state"] for action_id in stuck} == {"planned"}


async def test_a_slow_lane_holds_up_no_other(yard: Yard) -> None:
    """Many sessions at once: one call that does not come back holds one place."""
    gate = Gate()
    [slow] = yard.plan("slow", planned("slow"))
    async with yard.running({"slow": gate, "a": Script(Outcome("done"))}, concurrency=2):
        await gate.begun.wait()
        others = [yard.plan(f"s{n}", planned("a"))[0] for n in range(10)]
        await yard.ended(*others)
        assert yard.action(slow)["state"] == "running"
        gate.opened.set()
        await yard.ended(slow)


async def test_a_full_house_takes_more_as_soon_as_a_place_is_free(yard: Yard) -> None:
    """With one place, the actions of many sessions follow each other without a poll between them."""
    ids = [yard.plan(f"s{n}", planned("a"))[0] for n in range(30)]
    started = time.monotonic()
    async with yard.running({"a": Script(Outcome("done"))}, concurrency=1):
        await yard.ended(*ids)
    assert time.monotonic() - started < 10  # at a poll a second it would take 30


async def test_from_commit_to_call_in_milliseconds(yard: Yard) -> None:
    """A commit wakes the loop: the call goes out long before the next poll."""
    begun: dict[str, float] = {}

    async def handler(call: ActionCall) -> Outcome:
        begun[call.action_id] = time.perf_counter()
        return Outcome("done")

    delays = []
    async with yard.running({"a": handler}):
        await asyncio.sleep(0.05)
        for n in range(40):
            [action_id] = await asyncio.to_thread(yard.plan, f"s{n}", planned("a"))
            committed = time.perf_counter()
            await until(lambda wanted=action_id: wanted in begun)  # type: ignore[misc]  # mypy does not infer a default's type
            delays.append(begun[action_id] - committed)
    assert statistics.median(delays) < 0.1  # loose: the machine is shared; bench/ measures


async def test_what_another_process_planned_is_found_by_polling(yard: Yard) -> None:
    """Without a wake, the loop looks by itself."""
    dispatcher = yard.dispatcher({"a": Script(Outcome("done"))})
    dispatcher.wake = lambda: None  # type: ignore[method-assign]  # as if the commit were another process's
    task = asyncio.create_task(dispatcher.run())
    await asyncio.sleep(0.1)
    [action_id] = yard.plan("s1", planned("a"))
    await yard.ended(action_id)
    await dispatcher.drain(5)
    await task


async def test_idle_is_quiet(yard: Yard) -> None:
    """With nothing to do, the store is asked about once a second, not in a loop."""
    store = WatchedStore(yard.store)
    async with yard.running({}, store=store):
        await until(lambda: store.jobs >= 1)
        await asyncio.sleep(1.5)
        assert 1 <= store.jobs <= 4


async def test_a_retry_that_is_far_away_is_quiet_too(yard: Yard) -> None:
    """Waiting for a due time is a timer, not a loop."""
    store = WatchedStore(yard.store)
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": Script(Outcome("retry", "busy", retry_after=30))}, store=store):
        await until(lambda: yard.action(action_id)["state"] == "waiting_retry")
        before = store.jobs
        await asyncio.sleep(1.2)
        assert store.jobs - before <= 4


async def test_a_vendor_with_no_place_left_stops_only_its_own(yard: Yard) -> None:
    """Its calls are bounded, by its own number too; what needs another vendor, a receiver or nobody goes on."""
    slow, quick = Gate(), Script(Outcome("done"))
    handlers: dict[str, Handler] = {"slow": slow, "few": slow, "other": quick, "tell": quick, "label": quick}
    for number in range(12):
        yard.plan(f"a{number}", planned("slow", needs="acme"))
        yard.plan(f"t{number}", planned("few", needs="hooks.tiny"))
    whom = {"other": "else", "tell": "hooks.other", "label": ""}
    later = [yard.plan(f"{name}-later", planned(name, needs=whom[name]))[0] for name in whom]
    unknown = yard.plan("u", planned("gone", needs="who-was-removed"))
    async with yard.running(handlers, concurrency=4, slots={"hooks.tiny": 1, "no-more-than-all": 99}):
        await yard.ended(*later, *unknown)
        counts = Counter(call.name for call in slow.calls)
        slow.opened.set()
        await until(lambda: len(slow.calls) == 24)
    assert counts == {"slow": 4, "few": 1}
    assert [yard.action(action_id)["state"] for action_id in later] == ["done"] * 3
