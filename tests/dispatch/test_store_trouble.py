"""The store is away, or fails: no outcome is lost, no call is repeated for it, and work goes on afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from receiver.contract import Outcome
from receiver.errors import StoreUnavailable
from tests.support.dispatching import Gate, Script, WatchedStore, Yard, planned, until


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Another process holds the write lock of the file."""
    connection = sqlite3.connect(data_dir / "hookwarden.db", isolation_level=None, timeout=10)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


async def test_an_outcome_is_written_when_the_store_is_back(yard: Yard, tmp_path: Path) -> None:
    """The file is locked when the call returns: the outcome is kept and written later, the handler called once."""
    gate = Gate()
    [action_id] = yard.plan("s1", planned("a"))
    with capture_logs() as logs:
        async with yard.running({"a": gate}):
            await gate.begun.wait()
            with locked(tmp_path):
                gate.opened.set()
                await until(lambda: any(log.get("action_id") == action_id for log in logs))
                assert yard.action(action_id)["state"] == "running"
            await yard.ended(action_id)
    assert yard.action(action_id)["state"] == "done"
    assert len(gate.calls) == 1


async def test_an_outage_longer_than_the_lease_repeats_nothing(yard: Yard, tmp_path: Path) -> None:
    """The lease runs out while nobody can write: afterwards the owner renews it before anything else."""
    gate = Gate()
    [action_id] = yard.plan("s1", planned("a"))
    with capture_logs() as logs:
        async with yard.running({"a": gate}, lease=0.6):
            await gate.begun.wait()
            with locked(tmp_path):
                await until(lambda: any("actions wait" in log["event"] for log in logs))
            [other] = yard.plan("s2", planned("a"))
            await until(lambda: len(gate.calls) == 2)
            gate.opened.set()
            await yard.ended(action_id, other)
    assert [call.action_id for call in gate.calls] == [action_id, other]
    assert [log["event"] for log in logs].count("store unavailable; actions wait") == 1


async def test_a_submitted_outcome_survives_the_drain(yard: Yard, tmp_path: Path) -> None:
    """Draining while the outcome waits for the file does not take it back."""
    gate = Gate()
    store = WatchedStore(yard.store)
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": gate}, store=store) as dispatcher:
        await gate.begun.wait()
        with locked(tmp_path):
            before = store.jobs
            gate.opened.set()
            await until(lambda: store.jobs > before)
            await dispatcher.drain(0)
    await yard.ended(action_id)
    assert yard.action(action_id)["state"] == "done"


async def test_writing_is_tried_again_until_it_works(yard: Yard) -> None:
    """Several refusals in a row, also before the first claim."""
    handler = Script(Outcome("done"))
    [action_id] = yard.plan("s1", planned("a"))
    store = WatchedStore(yard.store, StoreUnavailable("disk full"), StoreUnavailable("disk full"))

    async def then_more(call: Any) -> Outcome:
        store.faults += [StoreUnavailable("disk full")] * 4
        return await handler(call)

    async with yard.running({"a": then_more}, store=store, lease=0.6):
        await yard.ended(action_id)
    assert yard.action(action_id)["state"] == "done"
    assert len(handler.calls) == 1


async def test_a_turn_that_fails_is_logged_and_the_next_one_works(yard: Yard) -> None:
    """A bug below must not stop all actions."""
    [action_id] = yard.plan("s1", planned("a"))
    store = WatchedStore(yard.store, RuntimeError("about Jane Doe"))
    with capture_logs() as logs:
        async with yard.running({"a": Script(Outcome("done"))}, store=store, lease=0.6):
            await yard.ended(action_id)
    [entry] = logs
    assert entry["fault"] == "RuntimeError"
    assert "Jane" not in str(entry)


async def test_a_fault_that_passes_costs_nothing(yard: Yard) -> None:
    """What another job of the same commit has broken does not make an outcome poorer."""
    [action_id] = yard.plan("s1", planned("a"))
    store = WatchedStore(yard.store)

    async def handler(call: Any) -> Outcome:
        store.faults.append(RuntimeError("broken"))
        return Outcome("done", result={"n": 1})

    async with yard.running({"a": handler}, store=store):
        await yard.ended(action_id)
    action = yard.action(action_id)
    assert (action["state"], action["reason"], action["result"]) == ("done", None, {"n": 1})
    assert yard.told.results == [(action_id, {"n": 1})]


async def test_an_outcome_that_cannot_be_recorded_at_all_is_logged(yard: Yard) -> None:
    """It stays recorded as running, so that the next start looks after it."""
    [action_id] = yard.plan("s1", planned("a"))
    store = WatchedStore(yard.store)

    async def handler(call: Any) -> Outcome:
        store.faults += [RuntimeError("broken")] * 3
        return Outcome("noop")

    with capture_logs() as logs:
        async with yard.running({"a": handler}, store=store):
            await until(lambda: any("unfinished" in log["event"] for log in logs))
    assert {log["action_id"] for log in logs} == {action_id}
    assert yard.action(action_id)["state"] == "running"


async def test_a_lost_lease_drops_the_outcome(yard: Yard) -> None:
    """Another owner has taken the action over: what our late call brings changes nothing."""
    gate = Gate()
    [action_id] = yard.plan("s1", planned("a"))
    with capture_logs() as logs:
        async with yard.running({"a": gate}):
            await gate.begun.wait()
            later = yard.clock() + 60_000
            [claim] = await yard.store.run(lambda tx: tx.claim("other", later, later + 10_000, 5))
            gate.opened.set()
            await until(lambda: yard.told.observed)
    assert (claim.action_id, claim.attempt, claim.repeated) == (action_id, 2, True)
    assert yard.told.observed[0].ending == "lost"
    assert "the action is no longer ours; its outcome is dropped" in [log["event"] for log in logs]
    assert yard.action(action_id)["state"] == "running"


async def test_cancelling_while_claiming(yard: Yard, tmp_path: Path) -> None:
    """A dispatcher that waits for a locked file can be drained all the same, within its grace."""
    store = WatchedStore(yard.store)
    dispatcher = yard.dispatcher({}, store=store)
    with locked(tmp_path):
        task = asyncio.create_task(dispatcher.run())
        await until(lambda: store.jobs)
        await asyncio.wait_for(dispatcher.drain(0.05), 1)
        await task
