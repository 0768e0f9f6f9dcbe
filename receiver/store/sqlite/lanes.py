"""Lanes: what order actions run in. The head of a lane is its first unfinished action; only heads may be claimed.

An action that waits for approval holds nobody up. One that waits to be tried again holds up only those that need the
same vendor or target, so that a vendor who is away for hours keeps no other from being told; the first of those others
is a head beside it. While one of a lane runs, none becomes a head: nobody overtakes a call in flight.
`ready` marks the heads, so that claiming looks at heads that are due, and not at the backlog. A lane with unfinished
actions always has a head.
"""

from __future__ import annotations

import sqlite3

from receiver.store.sqlite.ledger import Ledger

_UNFINISHED = "lane = ? AND due IS NOT NULL"  # as the index action_lane has it
_IS_FREE = f"SELECT NOT EXISTS (SELECT 1 FROM action WHERE {_UNFINISHED})"  # noqa: S608  # constants
_IN_ORDER = f"SELECT n, needs, state FROM action WHERE {_UNFINISHED} ORDER BY n"  # noqa: S608  # constants
_HEADS = f"SELECT n, state FROM action WHERE {_UNFINISHED} AND ready = 1"  # noqa: S608  # constants
_SET_READY = "UPDATE action SET ready = ? WHERE n = ?"


def is_free(connection: sqlite3.Connection, lane: str) -> bool:
    """Whether the next action that is planned in the lane is its head, and the only one."""
    return bool(connection.execute(_IS_FREE, (lane,)).fetchone()[0])


def elect(connection: sqlite3.Connection, ledger: Ledger, lane: str) -> None:
    """Make the right actions the lane's heads. Called whenever an action enters, leaves or comes back to its lane."""
    execute = connection.execute
    before: dict[int, str] = dict(execute(_HEADS, (lane,)).fetchall())
    if "running" in before.values():
        return
    heads = _heads(connection, lane)
    for n in sorted(before.keys() - heads):
        execute(_SET_READY, (0, n))
    for n in sorted(heads - before.keys()):
        execute(_SET_READY, (1, n))
    if heads:
        ledger.woke = True


def _heads(connection: sqlite3.Connection, lane: str) -> set[int]:
    """The first action; and while all before either wait to be tried again, or wait behind such a one for the same
    vendor, the first that needs somebody else.
    """
    heads = dict[str, int]()
    for n, needs, state in connection.execute(_IN_ORDER, (lane,)):
        if heads.setdefault(needs, n) == n and state != "waiting_retry":
            break
    return set(heads.values())
