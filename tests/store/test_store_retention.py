"""What is past its time goes, in bounded jobs; proofs of the rest stay whole; what is held or unfinished is kept."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from receiver import pruning
from receiver.audit.tree import consistency_proof, inclusion_proof, is_consistent, is_included, leaf_hash, root_of
from receiver.audit.tree import tree_root as root_by_tiles
from receiver.contract import OpenReview
from receiver.erasing import Wanted, erase, find
from receiver.errors import Conflict
from receiver.pruning import Limits, Pruner, forecast, prune
from receiver.settings import RetentionSettings
from receiver.store.port import Store
from tests.support.store_samples import LINK, NAME, NOW, claim_all, ending, new_event, planned, put, settle

Open = Callable[..., Store]
DAY = 86_400_000
OLD = NOW - 100 * DAY
LINE = NOW - 50 * DAY  # between the old and the new


def clock() -> int:
    return NOW


def fill(store: Store, count: int, at: int, label: str = "old") -> list[str]:
    """So many events with an action each that is over: three entries for each event."""
    found = []
    for number in range(count):
        new = new_event(f"ses-{label}-{number}", at=at, subject=f"person-{label}-{number}", images={"selfie": LINK})
        put(store, new, planned(state="skipped", params={"comment": NAME}, biometric=True))
        found.append(new.event_id)
    return found


def everything(store: Store, biometric: int | None = None, pii: int | None = None, entry: int | None = None) -> Any:
    return prune(store, Limits(biometric, pii, entry), "cli:ana", clock)


def leaves(store: Store) -> dict[int, bytes]:
    with store.read() as reader:
        entries = [reader.audit_entry(idx) for idx in range(reader.tree_size())]
    return {int(str(entry["idx"])): base64.b64decode(str(entry["leaf"])) for entry in entries if entry is not None}


def test_entries_go_by_whole_tiles_and_every_proof_of_the_rest_holds(store: Store, data_dir: Path) -> None:
    fill(store, 200, OLD)
    fill(store, 60, NOW, "new")
    before = leaves(store)
    hashes = [leaf_hash(before[idx]) for idx in range(len(before))]
    (row,) = everything(store, entry=LINE)
    assert (row["from"], row["to"]) == (0, 512), "600 old entries are two whole tiles"
    after = leaves(store)
    assert min(after) == 512
    assert {idx: after[idx] for idx in before if idx >= 512} == {idx: before[idx] for idx in before if idx >= 512}
    with store.read() as reader:
        size = reader.tree_size()
        assert size > len(before)
        root = root_by_tiles(size, reader.tile)
        whole = hashes + [leaf_hash(after[idx]) for idx in range(len(before), size)]
        assert root == root_of(whole)
        for idx in (512, 513, 600, 767, size - 1):
            assert is_included(leaf_hash(after[idx]), idx, size, inclusion_proof(idx, size, reader.tile), root)
        for old in (512, 600, 768, len(before)):
            proof = consistency_proof(old, size, reader.tile)
            assert is_consistent(old, size, root_of(whole[:old]), root, proof)
        assert reader.first_idx() == 512
    last = json.loads(after[size - 1])
    assert (last["kind"], last["facts"]["from"], last["facts"]["to"]) == ("prune", "256", "512"), "a job for each tile"
    fill(store, 5, NOW, "later")
    with closing(sqlite3.connect(data_dir / "hookwarden.db")) as connection, pytest.raises(sqlite3.DatabaseError):
        connection.execute("DELETE FROM entry WHERE idx = 600")


def test_all_that_hangs_on_pruned_entries_goes(store: Store, data_dir: Path) -> None:
    gone = fill(store, 200, OLD)
    fill(store, 10, NOW, "new")
    everything(store, entry=LINE)
    whole_tiles = 512 // 3  # events all of whose entries are gone
    with closing(sqlite3.connect(data_dir / "hookwarden.db")) as connection:
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - constants
            for table in ("event", "payload", "decision", "action", "session")
        }
        for table in ("entry_tag", "entry_rule", "session_ref"):
            assert connection.execute(f"SELECT min(idx) FROM {table}").fetchone()[0] >= 512  # noqa: S608 - constants
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT count(*) FROM tile WHERE level = 0 AND n < 2").fetchone() == (0,)
        assert connection.execute("SELECT min(first_idx) FROM entry_hour").fetchone() == (512,)
    assert set(counts.values()) == {210 - whole_tiles}
    with closing(sqlite3.connect(data_dir / "keys.db")) as connection:
        assert connection.execute("SELECT count(*) FROM subject_key").fetchone() == (210 - whole_tiles,)
    with store.read() as reader:
        assert reader.event(gone[0], raw=True) is None
        assert reader.audit_count("session:ses-old-0") == 0
        assert reader.counts()["events"]["all"] == 210 - whole_tiles
        assert reader.counts()["actions"]["skipped"] == 210 - whole_tiles
        assert reader.event(gone[-1], raw=True) is not None


def test_pruning_stops_before_what_is_not_finished(store: Store) -> None:
    fill(store, 90, OLD)
    put(store, new_event("ses-waiting", at=OLD), planned(state="awaiting_approval"))
    fill(store, 200, OLD, "behind")
    (row,) = everything(store, entry=LINE)
    assert (row["from"], row["to"]) == (0, 256), "the action that waits is in entry 272"


def test_pruning_stops_before_an_open_case(store: Store) -> None:
    put(store, new_event("ses-odd", at=OLD), planned())
    (claim,) = claim_all(store)
    settle(store, claim, ending(effects=(OpenReview("q", "r"),), at=OLD))
    fill(store, 200, OLD)
    assert everything(store, entry=LINE)[0]["to"] == 0
    with store.read() as reader:
        (review,) = reader.reviews().items
    store.submit(lambda tx: tx.resolve_review(str(review["review_id"]), "ana", OLD, "fine", "")).result()
    assert everything(store, entry=LINE)[0]["to"] == 512


def test_nothing_is_pruned_that_is_not_signed_and_never_everything(reopen: Open) -> None:
    store = reopen(sign_every=3600)
    fill(store, 256, OLD)
    unsigned = store.submit(lambda tx: tx.prune_entries(NOW + DAY, 100, "cli:ana", NOW)).result()
    assert unsigned.stop == unsigned.first == 0
    (row,) = everything(store, entry=NOW + DAY)
    with store.read() as reader:
        assert row["to"] == 768 < reader.tree_size()
    fill(store, 1, NOW, "next")


def test_biometric_contents_go_by_their_own_clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "CONTENTS_AT_ONCE", 7)
    old, new = fill(store, 30, OLD), fill(store, 5, NOW, "new")
    (row,) = everything(store, biometric=LINE)
    assert row["contents"] == 60, "30 bodies and the parameters of 30 searches"
    assert row["keys"] == 30
    with store.read() as reader:
        past: Any = reader.event(old[0], raw=True)
        fresh: Any = reader.event(new[0], raw=True)
    assert (past["raw"], past["event"]["images"], past["erased"]) == (None, None, ["biometric"])
    assert past["event"]["vendor_data"] is not None
    assert past["decision"]["rules"][0]["id"] == "attack"
    assert past["actions"][0]["params"] is None
    assert (fresh["raw"]["name"], fresh["actions"][0]["params"]) == (NAME, {"comment": NAME})
    assert everything(store, biometric=LINE)[0]["contents"] == 0
    with store.read() as reader:
        prunes = reader.audit("kind:prune").items
    assert len(prunes) == 5, "one entry for each job that dropped something"


def test_all_contents_go_with_the_keys_and_what_leads_to_the_person(store: Store, data_dir: Path) -> None:
    old, new = fill(store, 12, OLD), fill(store, 3, NOW, "new")
    put(store, new_event("ses-both", at=NOW, subject="person-old-3"))
    (row,) = everything(store, pii=LINE)
    assert row["keys"] == 11, "one of them has something newer"
    with store.read() as reader:
        past: Any = reader.event(old[0], raw=True)
        both: Any = reader.event(old[3], raw=True)
        assert reader.session("ses-old-0") is None
        assert reader.session("ses-both") is not None
        fresh: Any = reader.event(new[0], raw=True)
    assert (past["event"], past["raw"], past["decision"]["rules"], past["erased"]) == (None, None, [], True)
    assert both["event"] is None
    assert fresh["raw"]["name"] == NAME
    assert store.scrub(5)
    whole = b"".join(file.read_bytes() for file in data_dir.iterdir())
    assert b"ses-old-0" not in whole
    assert b"ses-old-3" in whole


def test_unfinished_ones_are_passed_over_and_found_again(store: Store) -> None:
    fill(store, 3, OLD)
    waiting = new_event("ses-waiting", at=OLD)
    (action,) = put(store, waiting, planned(state="awaiting_approval"))
    fill(store, 3, OLD, "behind")
    (row,) = everything(store, pii=LINE)
    assert (row["kept_events"], row["keys"]) == (1, 6)
    store.submit(lambda tx: tx.reject_action(action, "ana", NOW, "")).result()
    (row,) = everything(store, pii=LINE)
    assert (row["kept_events"], row["keys"]) == (0, 1)


def test_who_is_held_is_neither_erased_nor_pruned(store: Store) -> None:
    fill(store, 200, OLD)
    person = find(store, Wanted("person-old-100", None))
    assert person.ref is not None
    ref = person.ref
    number = store.submit(lambda tx: tx.hold(ref, "cli:ana", NOW, f"court of {NAME}")).result()
    with pytest.raises(Conflict, match=f"legal hold {number} of 2026-11-18"):
        erase(store, ref, "all", "cli:ana", clock, "")
    with pytest.raises(Conflict, match="already"):
        store.submit(lambda tx: tx.hold(ref, "cli:ana", NOW, "again")).result()
    rows = everything(store, biometric=LINE, pii=LINE, entry=LINE)
    assert [row.get("kept_events") for row in rows] == [1, 1, None]
    assert rows[2]["to"] == 256, "the person's first entry is 300"
    with store.read() as reader:
        (hold,) = reader.holds()
        assert reader.session("ses-old-100") is not None
        assert reader.session("ses-old-99") is None
    assert (hold["reason"], hold["released_at"]) == (f"court of {NAME}", None)
    store.submit(lambda tx: tx.release(ref, "cli:bo", NOW)).result()
    with pytest.raises(Conflict, match="no legal hold"):
        store.submit(lambda tx: tx.release(ref, "cli:bo", NOW)).result()
    rows = everything(store, biometric=LINE, pii=LINE, entry=LINE)
    assert rows[2]["to"] == 512
    assert (rows[0]["contents"], rows[1]["keys"]) == (2, 1)
    with store.read() as reader:
        (hold,) = reader.holds()
        assert (hold["reason"], hold["released_by"]) == (None, "cli:bo")
        assert {entry["kind"] for entry in reader.audit("kind:hold").items + reader.audit("kind:release").items} == {
            "hold",
            "release",
        }


def test_a_forecast_says_what_would_go_and_drops_nothing(store: Store) -> None:
    fill(store, 100, OLD)
    before = leaves(store)
    rows = forecast(store, Limits(LINE, None, LINE), "cli:ana", NOW)
    assert [(row["class"], row.get("events"), row.get("to")) for row in rows] == [
        ("blob.biometric", 100, None),
        ("entry", None, 256),
    ]
    assert leaves(store) == before


def test_a_forecast_names_what_is_passed_over_and_not_again_what_is_gone(store: Store) -> None:
    fill(store, 5, OLD)
    ref = find(store, Wanted("person-old-1", None)).ref
    assert ref is not None
    store.submit(lambda tx: tx.hold(ref, "cli:ana", NOW, "court")).result()
    limits = Limits(LINE, LINE, None)
    for events in (4, 0):
        said = [(row["events"], row["kept_events"]) for row in forecast(store, limits, "cli:ana", NOW)]
        assert said == [(events, 1), (events, 1)]
        done = prune(store, limits, "cli:ana", clock)
        assert [row["kept_events"] for row in done] == [1, 1]


def test_zero_keeps(store: Store) -> None:
    assert Limits.of(RetentionSettings(), NOW) == Limits(None, None, None)
    settings = RetentionSettings.model_validate({"blob.biometric": "90d", "entry": "7y"})
    assert Limits.of(settings, NOW) == Limits(NOW - 90 * DAY, None, NOW - 7 * 365 * DAY)
    assert Pruner(store, RetentionSettings(), clock).idle


async def test_a_server_prunes_by_itself(store: Store) -> None:
    fill(store, 3, OLD)
    settings = RetentionSettings.model_validate({"blob.biometric": "50d"})
    running = asyncio.create_task(Pruner(store, settings, clock, 0.01).run())
    try:
        async with asyncio.timeout(20):
            while await asyncio.to_thread(_prunes, store) < 1:  # noqa: ASYNC110  # nothing in the program tells of it
                await asyncio.sleep(0.01)
            await asyncio.to_thread(fill, store, 1, OLD, "again")
            while await asyncio.to_thread(_prunes, store) < 2:  # noqa: ASYNC110  # likewise
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def _prunes(store: Store) -> int:
    with store.read() as reader:
        return len([entry for entry in reader.audit().items if entry["kind"] == "prune"])


def trigger(store: Store, sql: str) -> None:
    store._connection.execute(sql)  # type: ignore[attr-defined]  # stands for a fault in the middle of a job


def secure_delete(store: Store) -> int:
    ((found,),) = store._connection.execute("PRAGMA secure_delete")  # type: ignore[attr-defined]
    return int(found)


@pytest.mark.parametrize("table", ["payload", "meta"])
def test_a_job_that_fails_leaves_no_key_destroyed_and_no_setting_behind(store: Store, table: str) -> None:
    ids = fill(store, 3, OLD)
    for act in ("UPDATE", "INSERT"):
        trigger(store, f"CREATE TRIGGER boom_{act} BEFORE {act} ON {table} BEGIN SELECT RAISE(ABORT, 'boom'); END")
    with pytest.raises(sqlite3.IntegrityError, match="boom"):
        everything(store, pii=LINE)
    assert secure_delete(store) == 0
    with store.read() as reader:
        documents: list[Any] = [reader.event(event_id, raw=True) for event_id in ids]
    assert [each["raw"]["name"] for each in documents] == [NAME] * 3


def test_no_job_of_pruning_reads_a_whole_table(store: Store) -> None:
    """Each statement finds its rows by an index: intake waits for every job, however long the record is."""
    fill(store, 200, OLD)
    fill(store, 60, NOW, "new")
    connection, ran = store._connection, list[str]()  # type: ignore[attr-defined]
    connection.set_trace_callback(ran.append)
    everything(store, pii=LINE, entry=LINE)
    connection.set_trace_callback(None)
    large = "action attempt deed decision done echo entry entry_fact event firing label payload rollup word_block"
    scans = {
        (row[3], sql)
        for sql in set(ran)
        if sql.startswith(("DELETE", "UPDATE", "SELECT"))
        for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
        if row[3].startswith("SCAN") and row[3].split()[1] in large.split() and " USING " not in row[3]
    }
    assert not scans


def test_what_pruning_would_do_is_counted_without_the_write_lock(store: Store, data_dir: Path) -> None:
    fill(store, 3, OLD)
    with closing(sqlite3.connect(data_dir / "hookwarden.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (row,) = forecast(store, Limits(None, LINE, None), "cli:ana", NOW)
        other.execute("ROLLBACK")
    assert row["events"] == 3
