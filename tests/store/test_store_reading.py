"""Lists and their cursors, the search of the record, the views, rejects, notes and policies."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from receiver.contract import JsonObject, OpenReview, RuleTrace
from receiver.store.port import Store
from receiver.store.reader import Reader
from receiver.store.shapes import Page, Reject
from tests.support.store_samples import (
    NAME,
    NOW,
    POLICY,
    claim_all,
    ending,
    new_event,
    planned,
    put,
    sample_decision,
    settle,
)

HOUR = 3_600_000


def _walk(store: Store, ask: Callable[[Reader, str | None], Page], between: Callable[[], object]) -> list[JsonObject]:
    """All pages of a list, with something happening between them."""
    items: list[JsonObject] = []
    after: str | None = None
    while True:
        with store.read() as reader:
            page = ask(reader, after)
        items += page.items
        after = page.next
        if after is None:
            return items
        between()


def _several(store: Store) -> None:
    put(store, new_event(), planned())
    (claim,) = claim_all(store)
    settle(store, claim, ending(effects=(OpenReview("q", "r"),)))
    store.submit(lambda tx: tx.add_rejects([Reject(NOW, "didit", "127.0.0.1", "signature", 10)])).result()


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (lambda reader, after: reader.events(after, 2), "event_id"),
        (lambda reader, after: reader.events(after, 2, session_id="ses-1", source="didit"), "event_id"),
        (lambda reader, after: reader.events(after, 2, outcome="decided"), "event_id"),
        (lambda reader, after: reader.actions(after, 2), "action_id"),
        (lambda reader, after: reader.reviews(after, 2, state="open"), "review_id"),
        (lambda reader, after: reader.audit("", after, 2), "idx"),
        (lambda reader, after: reader.audit("session:ses-1", after, 2), "idx"),
    ],
    ids=["events", "events filtered", "events by outcome", "actions", "reviews", "audit", "audit by session"],
)
def test_pages_lose_and_repeat_nothing_while_rows_are_added(
    store: Store, ask: Callable[[Reader, str | None], Page], name: str
) -> None:
    for _ in range(5):
        _several(store)
    with store.read() as reader:
        wanted = [item[name] for item in _walk(store, ask, lambda: None)]
        assert len(reader.events().items) == 5
    found = [item[name] for item in _walk(store, ask, lambda: _several(store))]
    assert found == wanted


def test_rejects_are_paged_and_bounded(reopen: Callable[..., Store]) -> None:
    store = reopen(rejects_kept=3)
    rejects = [Reject(NOW + number, "didit", None, f"reason {number}", number) for number in range(5)]
    store.submit(lambda tx: tx.add_rejects(rejects)).result()
    store.submit(lambda tx: tx.add_rejects([])).result()
    with store.read() as reader:
        page = reader.rejects(limit=2)
        assert [item["reason"] for item in page.items] == ["reason 4", "reason 3"]
        (last,) = reader.rejects(page.next).items
    assert last == {
        "at": "2026-11-18T11:06:40.002Z",
        "source": "didit",
        "client": None,
        "reason": "reason 2",
        "body_bytes": 2,
    }


def test_what_a_stranger_sends_is_kept_short(store: Store) -> None:
    long = "\udc80" * 100_000
    store.submit(lambda tx: tx.add_rejects([Reject(NOW, long, long, long, 1)])).result()
    with store.read() as reader:
        (item,) = reader.rejects().items
    assert len(json.dumps(item)) < 12_000


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.0", "٣", "9" * 30, "1 OR 1=1", "null"])
def test_what_is_no_cursor_is_a_value_error(store: Store, cursor: str) -> None:
    with store.read() as reader:
        for ask in (
            reader.events,
            reader.actions,
            reader.reviews,
            reader.rejects,
            lambda after: reader.audit("", after),
        ):
            with pytest.raises(ValueError, match="cursor"):
                ask(cursor)


@pytest.mark.parametrize(("limit", "size"), [(0, 1), (-5, 1), (2, 2), (10_000, 3)])
def test_limits_are_kept_within_bounds(store: Store, limit: int, size: int) -> None:
    for _ in range(3):
        put(store, new_event())
    with store.read() as reader:
        assert len(reader.events(limit=limit).items) == size


def test_events_are_listed_by_outcome(store: Store) -> None:
    put(store, new_event())
    odd = new_event()

    def job(tx: Any) -> None:
        tx.add_event(odd)
        tx.add_decision(odd.event_id, sample_decision(outcome="echo"), NOW)

    store.submit(job).result()
    undecided = new_event()
    store.submit(lambda tx: tx.add_event(undecided)).result()
    with store.read() as reader:
        assert [item["event_id"] for item in reader.events(outcome="echo").items] == [odd.event_id]
        assert reader.events(outcome="undecided").items == []
        assert len(reader.events(outcome="decided").items) == 1
        whole = reader.event(undecided.event_id, raw=False)
    assert whole is not None
    assert (whole["decision"], whole["actions"]) == (None, [])
    store.submit(lambda tx: tx.add_decision(odd.event_id, sample_decision(), NOW + 1)).result()
    with store.read() as reader:
        assert reader.events(outcome="echo").items == []


def test_an_event_in_a_list(store: Store) -> None:
    new = new_event(tags=["B", "A"])
    put(store, new)
    with store.read() as reader:
        (item,) = reader.events().items
    assert item == {
        "event_id": new.event_id,
        "parent_id": None,
        "source": "didit",
        "vendor": "didit",
        "type": "status.updated",
        "session_id": "ses-1",
        "status": "Declined",
        "tags": ["B", "A"],
        "received_at": "2026-11-18T11:06:40.000Z",
        "outcome": "decided",
        "deliveries": 1,
    }


def test_the_life_of_a_session(store: Store) -> None:
    _several(store)
    _several(store)
    put(store, new_event("ses-2"))
    with store.read() as reader:
        session: Any = reader.session("ses-1")
        assert reader.session("ses-none") is None
    assert (session["source"], session["status"], session["occurred_at"]) == (
        "didit",
        "Declined",
        "2026-11-18T11:06:40.000Z",
    )
    assert [len(session[name]) for name in ("events", "decisions", "actions", "reviews")] == [2, 2, 2, 2]
    assert session["decisions"][0]["rules"][0]["id"] == "attack"
    assert session["actions"][0]["attempts"][0]["outcome"] == "done"


def test_a_session_known_only_from_stale_events_has_a_life_too(store: Store) -> None:
    put(store, new_event("ses-9", stale=True, occurred_at=None))
    with store.read() as reader:
        session: Any = reader.session("ses-9")
    assert (session["source"], session["status"], session["occurred_at"]) == ("didit", None, None)


def _known_record(store: Store) -> None:
    """Entries 0-3 an hour ago under `attack`, 4-6 now at another source without tags, 7 a note."""
    put(store, new_event("ses-a", at=NOW - HOUR), planned(), planned(name="review", state="skipped"))
    calm = RuleTrace("calm", True, "enforce", 1, ())
    new = new_event("ses-b", source="kwikid", tags=[])

    def job(tx: Any) -> None:
        tx.add_event(new)
        tx.add_decision(new.event_id, sample_decision(outcome="undecided", rules=(calm,)), NOW)
        tx.add_actions(new.event_id, [planned(rule="calm")], NOW)
        tx.add_policy(POLICY.sha256, "face", "version: 1", "ana", NOW)
        tx.add_note("policy", "ana", NOW, {"policy_sha256": "e" * 64, "name": "face", "rule": "calm"})

    store.submit(job).result()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [7, 6, 5, 4, 3, 2, 1, 0]),
        ("session:ses-a", [3, 2, 1, 0]),
        ("-session:ses-a", [7, 6, 5, 4]),
        ("tag:LIVENESS_FACE_ATTACK", [1, 0]),
        ("tag:LIVENESS_FACE_ATTACK kind:decision", [1]),
        ("-tag:LIVENESS_FACE_ATTACK -rule:calm", [4, 3, 2]),
        ("rule:attack", [3, 2, 1]),
        ("rule:calm", [7, 6, 5]),
        ("rule:attack tag:LIVENESS_FACE_ATTACK", [1]),
        ("tag:NONE", []),
        ("outcome:planned", [6, 2]),
        ("-outcome:planned", [7, 5, 4, 3, 1, 0]),
        ("kind:action", [6, 3, 2]),
        ("action:review", [3]),
        ("actor:engine -kind:decision", [6, 3, 2]),
        ("source:kwikid", [6, 5, 4]),
        ("-source:kwikid -source:didit", [7]),
        ("policy:face", [6, 5, 3, 2, 1]),
        ("policy:" + POLICY.sha256, [6, 5, 3, 2, 1]),
        ("policy:eee", [7]),
        ("-policy:eee kind:policy", []),
        ("created:2026-11-18", [7, 6, 5, 4, 3, 2, 1, 0]),
        ("created:2026-11-18T10:06:40Z", [3, 2, 1, 0]),
        ("created:2026-11-18T10:06:40.001Z..", [7, 6, 5, 4]),
        ("created:..2026-11-18T10:30:00+00:00 -kind:action", [1, 0]),
        ("-created:..2026-11-18T10:30:00", [7, 6, 5, 4]),
        ("created:2026-11-19..", []),
        ("created:..2026-11-17", []),
        ('outcome:"x\' OR 1=1 --"', []),
    ],
)
def test_the_search_of_the_record(store: Store, query: str, found: list[int]) -> None:
    _known_record(store)
    with store.read() as reader:
        assert [entry["idx"] for entry in reader.audit(query).items] == found
        assert [entry["idx"] for entry in reader.audit(query, ascending=True).items] == found[::-1]
        assert reader.audit_count(query) == len(found)


def test_a_search_goes_on_from_a_cursor_both_ways(store: Store) -> None:
    _known_record(store)
    with store.read() as reader:
        first = reader.audit("rule:attack", limit=2)
        assert [entry["idx"] for entry in reader.audit("rule:attack", first.next).items] == [1]
        first = reader.audit("-kind:action", limit=2, ascending=True)
        assert [entry["idx"] for entry in reader.audit("-kind:action", first.next, ascending=True).items] == [4, 5, 7]


def test_entries_are_searched_by_event_and_action(store: Store) -> None:
    new = new_event()
    (action_id,) = put(store, new, planned())
    put(store, new_event(), planned())
    with store.read() as reader:
        assert reader.audit_count(f"event:{new.event_id}") == 3
        assert reader.audit_count(f"action:{action_id}") == 1
        assert reader.audit_count("action:didit.blocklist_add") == 2


def test_entries_written_with_clocks_that_disagree_are_found_by_time(store: Store) -> None:
    """Order is the index and never the time: an entry that is late or early is in every search that it fits."""
    for minutes in (0, 90, -600, 30, 100_000, 10):
        store.submit(lambda tx, minutes=minutes: tx.add_note("start", "x", NOW + minutes * 60_000, {})).result()  # type: ignore[misc]  # the loop's value
    with store.read() as reader:
        assert [entry["idx"] for entry in reader.audit("created:2026-11-18T11:00..2026-11-18T12:00").items] == [5, 3, 0]
        assert [entry["idx"] for entry in reader.audit("created:..2026-11-18T01:10").items] == [2]


def test_a_wrong_search_is_a_value_error(store: Store) -> None:
    with store.read() as reader:
        with pytest.raises(ValueError, match="did you mean 'tag'"):
            reader.audit("tags:X")
        with pytest.raises(ValueError, match="keys:"):
            reader.audit_count("free words")


def test_an_entry_whole(store: Store) -> None:
    new = new_event()
    put(store, new)
    with store.read() as reader:
        entry: Any = reader.audit_entry(1)
        assert reader.audit_entry(99) is None
        assert reader.audit_entry(1 << 70) is None
    content = entry.pop("content")
    entry.pop("leaf")
    assert entry == {
        "idx": 1,
        "at": "2026-11-18T11:06:40.000Z",
        "kind": "decision",
        "actor": "engine",
        "event_id": new.event_id,
        "action_id": None,
        "session_id": "ses-1",
        "type": None,
        "rule": "attack",
        "outcome": "decided",
        "policy_sha256": POLICY.sha256,
        "source": "didit",
    }
    assert (content["rules"], content["tags"], content["status"]) == (["attack"], ["LIVENESS_FACE_ATTACK"], "Declined")


def test_entries_are_never_changed(store: Store, data_dir: Path) -> None:
    put(store, new_event())
    connection = sqlite3.connect(data_dir / "hookwarden.db")
    for change in ("UPDATE entry SET outcome = 'x'", "DELETE FROM entry"):
        with pytest.raises(sqlite3.IntegrityError, match="entries are never"):
            connection.execute(change)
    connection.close()


def test_a_policy_version_is_kept_once(store: Store) -> None:
    def add(sha: str) -> bool:
        return store.submit(lambda tx: tx.add_policy(sha, "face", "version: 1", None, NOW)).result()

    assert [add("a" * 64), add("a" * 64), add("b" * 64)] == [True, False, True]


def test_a_note_stands_for_itself(store: Store) -> None:
    facts = {"event_id": "evt_x", "outcome": "fine", "file": "\ud800"}
    store.submit(lambda tx: tx.add_note("export", "token:ana", NOW, facts)).result()
    with store.read() as reader:
        entry: Any = reader.audit_entry(0)
    assert (entry["kind"], entry["actor"], entry["event_id"], entry["outcome"]) == (
        "export",
        "token:ana",
        "evt_x",
        "fine",
    )
    assert entry["content"]["facts"] == facts


def test_the_views_answer_beside_the_open_store(store: Store, data_dir: Path) -> None:
    """Anybody's SQLite reads them, while the server runs."""
    new = new_event(at=NOW + 7)
    (action_id,) = put(store, new, planned(reason="why"))
    (claim,) = claim_all(store, NOW + 7)
    settle(store, claim, ending(reason=None))
    store.submit(lambda tx: tx.add_decision(new.event_id, sample_decision(outcome="undecided"), NOW)).result()
    script = (
        "import json, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.row_factory = sqlite3.Row\n"
        "print(json.dumps([[dict(r) for r in c.execute('SELECT * FROM ' + v)] for v in sys.argv[2:]]))"
    )
    command = [sys.executable, "-c", script, str(data_dir / "hookwarden.db")]
    command += ["v_events", "v_decisions", "v_actions", "v_audit"]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    events, decisions, actions, audit = json.loads(out)
    assert [list(rows[0]) for rows in (events, decisions, actions, audit)] == [
        "event_id parent_id source vendor type session_id status tags received_at outcome deliveries".split(),
        "event_id policy policy_sha256 outcome status rules_fired".split(),
        "action_id event_id session_id name rule state attempts planned_at finished_at reason".split(),
        "idx at kind actor event_id session_id rule outcome policy_sha256".split(),
    ]
    assert (events[0]["tags"], events[0]["received_at"], events[0]["outcome"]) == (
        '["LIVENESS_FACE_ATTACK"]',
        "2026-11-18T11:06:40.007Z",
        "undecided",
    )
    assert decisions == [
        {
            "event_id": new.event_id,
            "policy": "face",
            "policy_sha256": POLICY.sha256,
            "outcome": "undecided",
            "status": "Declined",
            "rules_fired": '["attack"]',
        }
    ]
    assert (actions[0]["action_id"], actions[0]["attempts"], actions[0]["finished_at"], actions[0]["reason"]) == (
        action_id,
        1,
        "2026-11-18T11:06:40.050Z",
        None,
    )
    assert [row["idx"] for row in audit] == [0, 1, 2, 3, 4]
    assert {row["session_id"] for row in audit} == {"ses-1"}


def test_sqlite_utils_reads_the_views(store: Store, data_dir: Path) -> None:
    put(store, new_event())
    command = [sys.executable, "-m", "sqlite_utils", "rows", str(data_dir / "hookwarden.db"), "v_events"]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    assert [row["session_id"] for row in json.loads(out)] == ["ses-1"]


def test_what_comes_in_while_a_view_is_opened_is_no_erased_person_s(store: Store) -> None:
    """Record and keys are two files: the view of the record must not be the newer one."""
    put(store, new_event())
    new = new_event("ses-fresh", subject="fresh person")
    with store.read() as reader:
        put(store, new)
        seen: Any = reader.event(new.event_id, raw=True)
    assert seen is None or not seen.get("erased")
    with store.read() as reader:
        seen = reader.event(new.event_id, raw=True)
    assert seen["raw"]["name"] == NAME
