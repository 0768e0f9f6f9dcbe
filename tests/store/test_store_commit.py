"""Group commit: who sees what when, who is told what, and what happens when the disk or the lock is not ours."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from receiver.errors import Conflict, StoreUnavailable
from receiver.store.port import Store, Transaction
from receiver.store.shapes import Reject
from tests.support.store_samples import NOW, claim_all, ending, new_event, planned, put, record, settle

Open = Callable[..., Store]


@contextmanager
def busy_writer(store: Store) -> Iterator[None]:
    """Hold the writer's thread in a job, so that what is submitted meanwhile comes into one batch."""
    entered, leave = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        entered.set()
        leave.wait(10)

    store.submit(hold)
    entered.wait(10)
    try:
        yield
    finally:
        leave.set()


def _event_ids(store: Store) -> list[Any]:
    with store.read() as reader:
        return [item["event_id"] for item in reader.events(limit=500).items]


def test_what_is_acknowledged_can_be_read(store: Store) -> None:
    new = new_event()
    put(store, new)
    assert _event_ids(store) == [new.event_id]


def test_a_reader_sees_one_state_however_much_is_written_meanwhile(store: Store) -> None:
    put(store, new_event())
    with store.read() as reader:
        before = reader.counts()
        put(store, new_event())
        assert reader.counts() == before
        assert len(reader.events().items) == 1
    assert len(_event_ids(store)) == 2


def test_jobs_of_one_batch_see_each_other(store: Store) -> None:
    with busy_writer(store):
        first = store.submit(lambda tx: record(tx, new_event(key="k"), []))
        second = store.submit(lambda tx: tx.known("didit", "k"))
    assert first.result(10) == []
    assert second.result(10) is not None


def test_a_job_that_raises_undoes_itself_and_nobody_else(store: Store) -> None:
    kept = [new_event(f"ses-{number}") for number in range(3)]

    def fail(tx: Transaction) -> None:
        record(tx, new_event("ses-1", key="undone"), [planned()])
        tx.add_rejects([Reject(NOW, "didit", None, "x", 1)])
        raise Conflict("as it must")

    with busy_writer(store):
        futures: list[Any] = []
        for new in kept:
            futures += [store.submit(lambda tx, new=new: record(tx, new, [planned()])), store.submit(fail)]  # type: ignore[misc]  # the loop's value
    for good, bad in zip(futures[::2], futures[1::2], strict=True):
        assert len(good.result(10)) == 1
        with pytest.raises(Conflict):
            bad.result(10)
    assert sorted(_event_ids(store)) == sorted(new.event_id for new in kept)
    with store.read() as reader:
        assert reader.rejects().items == []
        assert reader.counts()["actions"]["planned"] == 3
        assert [entry["idx"] for entry in reader.audit(ascending=True).items] == list(range(9))
        assert reader.audit_count("rule:attack") == 6
        assert reader.audit_count("session:ses-1") == 3


def test_a_statement_that_the_data_refuses_is_the_jobs_own_fault(store: Store) -> None:
    put(store, new_event(key="k"))
    with pytest.raises(sqlite3.IntegrityError):
        put(store, new_event(key="k"))
    put(store, new_event())


def test_who_gave_up_waiting_hinders_nobody(store: Store) -> None:
    with busy_writer(store):
        gone = store.submit(lambda tx: record(tx, new_event(key="gone"), []))
        assert gone.cancel()
        stays = store.submit(lambda tx: record(tx, new_event(), [planned()]))
    assert len(stays.result(10)) == 1


async def test_coroutines_are_answered_on_their_own_loop(store: Store) -> None:
    answers = await asyncio.gather(*(store.run(lambda _: threading.current_thread().name) for _ in range(20)))
    assert set(answers) == {"store-writer"}
    with pytest.raises(Conflict):
        await store.run(_raise)


def _raise(_: Transaction) -> None:
    raise Conflict("no")


async def test_a_coroutine_that_was_cancelled_hinders_nobody(store: Store) -> None:
    with busy_writer(store):
        task = asyncio.create_task(store.run(lambda tx: record(tx, new_event(key="gone"), [])))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await store.run(lambda _: None)
    assert len(_event_ids(store)) == 1, "what was submitted is done all the same"


def test_an_event_loop_that_is_closed_hinders_nobody(store: Store) -> None:
    loop = asyncio.new_event_loop()
    with busy_writer(store):
        coroutine = store.run(lambda _: None)
        task = loop.create_task(coroutine)
        loop.run_until_complete(asyncio.sleep(0))
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()
    put(store, new_event())


def test_the_dispatcher_is_woken_for_work_and_for_nothing_else(store: Store) -> None:
    woken: list[str] = []
    store.on_commit(lambda: woken.append("x"))

    def wakes(job: Callable[[Transaction], Any]) -> bool:
        woken.clear()
        store.submit(job).result(10)
        store.submit(lambda _: None).result(10)  # the wake of the commit before has been called by now
        return bool(woken)

    new = new_event()
    assert not wakes(lambda tx: record(tx, new_event("ses-b"), [planned(state="skipped")]))
    assert wakes(lambda tx: record(tx, new, [planned(), planned(), planned(state="awaiting_approval")]))
    assert not wakes(lambda tx: tx.claim("nobody", NOW, NOW, 0))
    (claim,) = claim_all(store)
    assert wakes(lambda tx: tx.settle(claim, ending())), "the next of the lane is free"
    with store.read() as reader:
        (waiting,) = reader.actions(state="awaiting_approval").items
    assert wakes(lambda tx: tx.approve_action(str(waiting["action_id"]), "ops", NOW, ""))
    for each in claim_all(store):
        settle(store, each, ending())


def test_a_wake_of_a_closed_loop_hinders_nobody(store: Store) -> None:
    loop = asyncio.new_event_loop()
    loop.close()

    def wake() -> None:
        loop.call_soon_threadsafe(print)

    store.on_commit(wake)
    put(store, new_event(), planned())
    put(store, new_event(), planned())


def test_too_many_waiting_are_refused_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """I7: a queue that only grows helps nobody; the sender is asked to come back."""
    monkeypatch.setattr("receiver.store.sqlite.writer.MAX_WAITING", 3)
    with busy_writer(store):
        futures = [store.submit(lambda _: None) for _ in range(5)]
        refused = [future for future in futures if future.done()]
        assert [type(future.exception(0)) for future in refused] == 2 * [StoreUnavailable]
    assert [future.result(10) for future in futures if future not in refused] == 3 * [None]


def test_closing_finishes_what_was_submitted_and_takes_nothing_more(reopen: Open) -> None:
    store = reopen()
    with busy_writer(store):
        futures = [store.submit(lambda tx: record(tx, new_event(), [])) for _ in range(300)]
        closing = threading.Thread(target=store.close)
        closing.start()
    closing.join(10)
    assert [future.result(0) for future in futures] == 300 * [[]]
    with pytest.raises(StoreUnavailable, match="closed"):
        store.submit(lambda _: None).result(0)
    with pytest.raises(StoreUnavailable, match="closed"), store.read():
        pass
    store.close()
    assert len(_event_ids(reopen())) == 300


def test_a_reader_may_outlive_the_store(reopen: Open) -> None:
    store = reopen()
    put(store, new_event())
    with store.read() as reader:
        store.close()
        assert len(reader.events().items) == 1


def test_what_cannot_be_read_is_unavailable(store: Store, data_dir: Path) -> None:
    connection = sqlite3.connect(data_dir / "hookwarden.db")
    connection.execute("DROP TABLE tally")
    connection.close()
    with pytest.raises(StoreUnavailable, match="cannot be read"), store.read() as reader:
        reader.counts()


def test_many_readers_at_once(store: Store) -> None:
    put(store, new_event())
    opened = [store.read() for _ in range(7)]
    assert {len(each.__enter__().events().items) for each in opened} == {1}
    for each in opened:
        each.__exit__(None, None, None)


def test_a_probe_leaves_no_trace(store: Store) -> None:
    store.submit(lambda tx: tx.probe()).result()
    with store.read() as reader:
        assert reader.audit().items == []


@pytest.fixture
def program() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `tests.support.store_writing`; ends what is left of it."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.support.store_writing", *arguments]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None and not stream.closed:
                stream.close()
        child.wait(10)


def _check_record(folder: Path) -> None:
    """The database is whole, and the entries have no gap."""
    connection = sqlite3.connect(folder / "hookwarden.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    count, last = connection.execute("SELECT count(*), max(idx) FROM entry").fetchone()
    assert count == last + 1
    events, decided, planned_actions = (
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - constants
        for table in ("event", "decision", "action")
    )
    assert (decided, planned_actions, count) == (events, 2 * events, 4 * events)
    heads = "SELECT lane, sum(ready) FROM action WHERE state = 'planned' GROUP BY lane"
    assert {ready for _, ready in connection.execute(heads)} == {1}
    connection.close()


def test_a_full_disk_is_told_and_leaves_nothing_half_written(program: Any, data_dir: Path) -> None:
    """I7: StoreUnavailable, and the store recovers by itself."""
    child = program("fill", str(data_dir))
    out, _ = child.communicate(timeout=60)
    told, recovered = out.splitlines()
    assert told == "StoreUnavailable"
    assert recovered.startswith("evt_")
    assert child.returncode == 0
    _check_record(data_dir)
    connection = sqlite3.connect(data_dir / "hookwarden.db")
    sessions = {session for (session,) in connection.execute("SELECT session_id FROM event")}
    connection.close()
    assert sessions == {"before", "again", "after"}


def test_a_lock_that_another_process_holds_is_told(program: Any, store: Store, data_dir: Path) -> None:
    child = program("lock", str(data_dir))
    assert child.stdout.readline() == "locked\n"
    with pytest.raises(StoreUnavailable, match="locked") as told:
        put(store, new_event())
    assert told.value.retry_after > 0
    with store.read() as reader:
        assert reader.events().items == [], "reading goes on beside any lock"
    child.stdin.close()
    assert child.stdout.readline() == "free\n"
    new = new_event()
    put(store, new)
    assert _event_ids(store) == [new.event_id]


def test_a_bug_at_the_end_of_a_batch_leaves_nobody_waiting(store: Store) -> None:
    def break_it(tx: Any) -> None:
        tx._ledger.tally("events", [], 1)  # nothing in the house can do this

    with pytest.raises(TypeError):
        store.submit(break_it).result(10)
    put(store, new_event())


@pytest.mark.parametrize("after", [1, 40, 150])
def test_kill_9_loses_nothing_that_was_acknowledged(program: Any, reopen: Open, data_dir: Path, after: int) -> None:
    """I1: the acknowledgement is a receipt."""
    child = program("write", str(data_dir), "ses", "0")
    acknowledged = [child.stdout.readline().strip() for _ in range(after)]
    child.kill()
    acknowledged += child.stdout.read().split()
    store = reopen()
    assert set(acknowledged) <= set(_all_event_ids(store))
    with store.read() as reader:
        last: Any = reader.event(acknowledged[-1], raw=True)
    assert last["raw"]["filler"].startswith("xxx")
    assert len(last["actions"]) == 2
    _check_record(data_dir)
    put(store, new_event("later"), planned(), planned())
    _check_record(data_dir)


def _all_event_ids(store: Store) -> list[Any]:
    found: list[Any] = []
    after = None
    with store.read() as reader:
        while True:
            page = reader.events(after, limit=500)
            found += [item["event_id"] for item in page.items]
            if page.next is None:
                return found
            after = page.next


def test_two_processes_that_start_and_write_at_once_share_one_record(
    program: Any, reopen: Open, data_dir: Path
) -> None:
    """Also at the very first start, when both want to make the files."""
    children = [program("write", str(data_dir), label, "150") for label in ("a", "b", "c")]
    written: list[str] = []
    for child in children:
        out, _ = child.communicate(timeout=120)
        assert child.returncode == 0, out
        written += out.split()
    _check_record(data_dir)
    assert len(written) == 450
    assert sorted(written) == sorted(_all_event_ids(reopen()))


def test_a_signature_that_cannot_be_made_is_tried_once_in_its_time(reopen: Open, data_dir: Path) -> None:
    every = 0.05
    store = reopen(sign_every=every)
    put(store, new_event())
    tried: list[str] = []
    store._connection.set_trace_callback(tried.append)  # type: ignore[attr-defined]  # no answer tells of an idle writer
    (data_dir / "keys.db").rename(data_dir / "away")
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        put(store, new_event("ses-2"))
    store._writer._notary._unsigned = True  # type: ignore[attr-defined]  # what came before waits for its signature
    store.submit(lambda _: None).exception(10)
    began, tried[:] = time.monotonic(), []
    time.sleep(10 * every)
    most = (time.monotonic() - began) / every + 2
    (data_dir / "away").rename(data_dir / "keys.db")
    assert 1 <= sum(sql.startswith("BEGIN") for sql in tried) <= most
