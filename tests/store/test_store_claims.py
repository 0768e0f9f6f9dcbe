"""Claiming beside a backlog: whom an action needs, how many of each are given out, and what looking for them costs."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from receiver.contract import PlannedAction
from receiver.store.port import Store
from receiver.store.shapes import Claim
from receiver.store.sqlite import queue
from receiver.store.sqlite.migrate import migrate
from receiver.store.sqlite.scripts import shipped
from tests.support.store_samples import NOW, ending, new_event, planned, put, settle


def _put(store: Store, session_id: str, needs: str, name: str = "didit.face_search") -> str:
    asked: PlannedAction = planned(name, needs=needs)
    (action_id,) = put(store, new_event(session_id), asked)
    return action_id


def _claim(store: Store, limit: int, room: Mapping[str, int] | None = None) -> list[Claim]:
    return store.submit(lambda tx: tx.claim("worker", NOW, NOW + 60_000, limit, room or {})).result(10)


def test_of_each_as_many_as_there_is_room_for(store: Store) -> None:
    for number in range(4):
        for needs in ("didit", "hooks.core", "hooks.other", "", "gone"):
            _put(store, f"{needs or 'none'}-{number}", needs)
    found = [claim.needs for claim in _claim(store, 3, {"didit": 0, "hooks.core": 1, "nobody-has-it": 9})]
    assert sorted(found) == [*[""] * 3, *["gone"] * 3, "hooks.core", *["hooks.other"] * 3]
    assert {claim.needs for claim in _claim(store, 0, {"didit": 9})} == {"didit"}


def test_the_oldest_of_each_come_first(store: Store) -> None:
    ids = [_put(store, f"s{number}", "didit") for number in range(5)]
    assert [claim.action_id for claim in _claim(store, 2)] == ids[:2]
    assert [claim.action_id for claim in _claim(store, 2)] == ids[2:4]


def test_it_is_kept_through_attempts_and_retries(store: Store) -> None:
    action_id = _put(store, "s", "hooks.core")
    (claim,) = _claim(store, 1)
    settle(store, claim, ending("waiting_retry", NOW, due=NOW))
    (claim,) = _claim(store, 1)
    settle(store, claim, ending("dead", NOW))
    store.submit(lambda tx: tx.retry_action(action_id, "ada", NOW)).result(10)
    assert [claim.needs for claim in _claim(store, 1)] == ["hooks.core"]


def _steps(connection: sqlite3.Connection, sql: str, *values: object) -> int:
    """How many instructions SQLite's machine needs for a query: the same on every machine, fast or slow."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 1)
    connection.execute(sql, values).fetchall()
    connection.set_progress_handler(None, 1)
    return steps


def _cost(path: Path) -> int:
    """What one look past the backlog of `didit` costs: whom the heads need, and the heads of somebody else."""
    with closing(sqlite3.connect(path)) as connection:
        return _steps(connection, queue._NEEDED) + _steps(connection, queue._DUE, "hooks.core", NOW, 16)


def test_a_backlog_costs_others_nothing(store: Store, data_dir: Path) -> None:
    """Whoever has no place left is stepped over whole, however many of its actions wait."""
    _put(store, "other", "hooks.core", "http.post")
    _put(store, "first", "didit")
    small = _cost(data_dir / "hookwarden.db")
    for number in range(400):
        _put(store, f"s{number}", "didit")
    assert _cost(data_dir / "hookwarden.db") == small


@pytest.mark.parametrize(
    ("name", "state", "needs"),
    [
        ("didit.face_search", "planned", "didit"),
        ("acme.check", "waiting_retry", "acme"),
        ("http.post", "planned", "hooks"),
        ("notify", "dead", "notify"),
        ("label", "planned", ""),
        ("review", "awaiting_approval", ""),
        ("didit.decision", "done", ""),
    ],
)
def test_what_was_planned_by_an_older_program(tmp_path: Path, name: str, state: str, needs: str) -> None:
    """It still waits for its vendor's places; of what has ended nobody asks."""
    scripts = shipped()
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        older = {step: sql for step, sql in scripts.items() if step < "0008"}
        migrate(connection, tmp_path / "x.db", older)
        connection.execute("PRAGMA foreign_keys = OFF")
        ended = NOW if state in ("done", "dead") else None
        connection.execute(
            "INSERT INTO action (action_id, event_n, lane, name, rule, once, state, planned_at, run_at, finished_at,"
            " biometric) VALUES ('a', 1, 'l', ?, 'r', 'event', ?, ?, ?, ?, 0)",
            (name, state, NOW, NOW, ended),
        )
        migrate(connection, tmp_path / "x.db", scripts)
        assert connection.execute("SELECT needs FROM action").fetchall() == [(needs,)]
