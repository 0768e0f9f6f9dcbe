"""What pruning may drop, and what it has to pass over: looks only, of writers and of readers alike."""

from __future__ import annotations

import sqlite3
from typing import Final

from receiver.audit.tree import WIDTH
from receiver.store.shapes import Extent, Forecast, Retained

_UNFINISHED = (
    "SELECT event_n FROM action INDEXED BY action_lane WHERE due IS NOT NULL UNION ALL SELECT event_n FROM action"
    " WHERE due IS NULL AND state <> 'done' AND state <> 'skipped' AND state = 'awaiting_approval'"
    " UNION ALL SELECT event_n FROM review WHERE state = 'open'"
)
_HELD = "SELECT ref FROM hold WHERE released_at IS NULL"
PROTECTED: Final = f"{_UNFINISHED} UNION ALL SELECT n FROM event WHERE subject_ref IN ({_HELD})"  # noqa: S608  # constants, here and below
"""The events that are unfinished or held."""
_CURSOR = "SELECT value FROM meta WHERE name = ?"
_CONTENTS: Final = {"biometric": "coalesce(body, payload.biometric)", "all": "coalesce(body, document)"}
_FORECAST = (
    f"SELECT total(NOT kept AND full), total(kept) FROM (SELECT n IN ({PROTECTED}) AS kept,"  # noqa: S608
    " {} IS NOT NULL AS full FROM event JOIN payload USING (n) WHERE n > ? AND received_at < ?)"
)
_LAST = "SELECT max(idx) FROM entry"
_SIGNED = "SELECT max(size) FROM checkpoint"
_FIRST_YOUNG = "SELECT min(idx) FROM entry WHERE idx >= ? AND idx < ? AND at >= ?"
_FIRST_PROTECTED = f"SELECT min(idx) FROM entry WHERE event_id IN (SELECT event_id FROM event WHERE n IN ({PROTECTED}))"  # noqa: S608


def noted(connection: sqlite3.Connection, name: str) -> int:
    """A number that pruning keeps in `meta`; 0 where it has not run yet."""
    row = connection.execute(_CURSOR, (name,)).fetchone()
    return 0 if row is None else int(row[0])


def retained(connection: sqlite3.Connection, extent: Extent, before: int) -> Retained:
    """After which event the first look is due, and which entry is the first."""
    return Retained(noted(connection, f"pruned_{extent}"), noted(connection, "min_idx"))


def forecast(connection: sqlite3.Connection, extent: Extent, before: int) -> Forecast:
    """What pruning would do; see `receiver/store/reader.py`."""
    after = noted(connection, f"pruned_{extent}")
    counts = connection.execute(_FORECAST.format(_CONTENTS[extent]), (after, before)).fetchone()
    return Forecast(*map(int, counts))


def stop_of(connection: sqlite3.Connection, first: int, before: int, tiles: int) -> int:
    """Before which entry pruning ends that begins at `first`: at most so many tiles; the last tile stays, and so does
    what is not signed yet.
    """
    last, signed = (connection.execute(sql).fetchone()[0] for sql in (_LAST, _SIGNED))
    most = first + tiles * WIDTH
    bounds = [most, last or 0, signed or 0]
    young = connection.execute(_FIRST_YOUNG, (first, most, before)).fetchone()[0]
    protected = connection.execute(_FIRST_PROTECTED).fetchone()[0]
    bounds += [bound for bound in (young, protected) if bound is not None]
    return max(first, min(bounds) // WIDTH * WIDTH)
