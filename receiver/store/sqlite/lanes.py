"""Lanes: what order actions run in. The head of a lane is its first unfinished action; only the head may be claimed.

An action that waits for approval holds nobody up. One that runs stays the head even where an earlier one was freed
meanwhile. `ready` marks the head, so that claiming looks at heads that are due, and not at the backlog. A lane with
unfinished actions always has one head.
"""

from __future__ import annotations

import sqlite3

from receiver.store.sqlite.ledger import Ledger

_UNFINISHED = "lane = ? AND due IS NOT NULL"  # as the index action_lane has it
_IS_FREE = f"SELECT NOT EXISTS (SELECT 1 FROM action WHERE {_UNFINISHED})"  # noqa: S608  # constants
_HEAD = f"SELECT n, state FROM action WHERE {_UNFINISHED} AND ready = 1"  # noqa: S608  # constants
_FIRST = f"SELECT min(n) FROM action WHERE {_UNFINISHED}"  # noqa: S608  # constants
_SET_READY = "UPDATE action SET ready = ? WHERE n = ?"


def is_free(connection: sqlite3.Connection, lane: str) -> bool:
    """Whether the next action that is planned in the lane is its head."""
    return bool(connection.execute(_IS_FREE, (lane,)).fetchone()[0])


def elect(connection: sqlite3.Connection, ledger: Ledger, lane: str) -> None:
    """Make the right action the lane's head. Called whenever an action enters, leaves or comes back to its lane."""
    execute = connection.execute
    head = execute(_HEAD, (lane,)).fetchone()
    if head is not None and head[1] == "running":
        return
    first = execute(_FIRST, (lane,)).fetchone()[0]
    if head is not None and head[0] != first:
        execute(_SET_READY, (0, head[0]))
    if first is not None:
        if head is None or head[0] != first:
            execute(_SET_READY, (1, first))
        ledger.woke = True
