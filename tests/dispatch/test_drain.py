"""Starting, stopping and being alive."""

from __future__ import annotations

import asyncio
import time

from receiver.contract import ActionCall, Outcome
from receiver.errors import VendorUnavailable
from tests.support.dispatching import Gate, Script, Yard, planned, until


async def test_drain_lets_running_calls_finish(yard: Yard) -> None:
    """A slow call within the grace ends as itself; what was not begun stays planned."""
    gate = Gate()
    first, second = yard.plan("s1", planned("a"), planned("a"))
    dispatcher = yard.dispatcher({"a": gate})
    task = asyncio.create_task(dispatcher.run())
    await gate.begun.wait()
    draining = asyncio.create_task(dispatcher.drain(20))
    await asyncio.sleep(0.05)
    [late] = yard.plan("s2", planned("a"))
    gate.opened.set()
    await draining
    await task
    assert [yard.action(action_id)["state"] for action_id in (first, second, late)] == ["done", "planned", "planned"]


async def test_drain_interrupts_what_outlasts_the_grace(yard: Yard) -> None:
    """It stays recorded as running; the next start repeats it and says so."""
    gate = Gate()
    [action_id] = yard.plan("s1", planned("a"))
    dispatcher = yard.dispatcher({"a": gate})
    task = asyncio.create_task(dispatcher.run())
    await gate.begun.wait()
    await dispatcher.drain(0.05)
    await task
    assert yard.action(action_id)["state"] == "running"
    yard.clock.offset += 11_000
    handler = Script(Outcome("done"))
    async with yard.running({"a": handler}, owner="second"):
        await yard.ended(action_id)
    [call] = handler.calls
    assert (call.repeated, call.attempt) == (True, 2)
    assert call.idempotency_key == gate.calls[0].idempotency_key
    assert yard.told.observed[-1].repeated


async def test_a_handler_that_dresses_its_interruption_up_stays_running(yard: Yard) -> None:
    """A client may turn a cancellation into an error of its own; the effect is unknown all the same."""
    begun = asyncio.Event()

    async def handler(call: ActionCall) -> Outcome:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise VendorUnavailable("connection lost") from None
        return Outcome("done")

    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}):
        await begun.wait()
    assert yard.action(action_id)["state"] == "running"


async def test_cancelling_run_interrupts_the_calls(yard: Yard) -> None:
    """A cancelled dispatcher leaves nothing running behind itself."""
    gate = Gate()
    [action_id] = yard.plan("s1", planned("a"))
    dispatcher = yard.dispatcher({"a": gate})
    task = asyncio.create_task(dispatcher.run())
    await gate.begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert not dispatcher.alive
    assert yard.action(action_id)["state"] == "running"
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_drain_before_and_after_running(yard: Yard) -> None:
    """A dispatcher that was drained before it ran ends at once, and draining twice is no harm."""
    [action_id] = yard.plan("s1", planned("a"))
    dispatcher = yard.dispatcher({"a": Script(Outcome("done"))})
    await dispatcher.drain(5)
    await asyncio.wait_for(dispatcher.run(), 5)
    await dispatcher.drain(5)
    assert yard.action(action_id)["state"] == "planned"


async def test_an_idle_dispatcher_drains_at_once(yard: Yard) -> None:
    """Nothing is running: nothing is waited for."""
    dispatcher = yard.dispatcher({})
    task = asyncio.create_task(dispatcher.run())
    await until(lambda: dispatcher.alive)
    started = time.monotonic()
    await dispatcher.drain(20)
    await task
    assert time.monotonic() - started < 5


async def test_alive_while_running_only(yard: Yard) -> None:
    """Readiness sees a loop that turns."""
    dispatcher = yard.dispatcher({})
    assert not dispatcher.alive
    task = asyncio.create_task(dispatcher.run())
    await until(lambda: dispatcher.alive)
    await dispatcher.drain(5)
    await task
    assert not dispatcher.alive


def test_waking_before_and_after_the_loop_is_no_harm(yard: Yard) -> None:
    """The store may commit at any time."""
    dispatcher = yard.dispatcher({})
    dispatcher.wake()

    async def briefly() -> None:
        task = asyncio.create_task(dispatcher.run())
        await until(lambda: dispatcher.alive)
        await dispatcher.drain(5)
        await task

    asyncio.run(briefly())
    dispatcher.wake()
