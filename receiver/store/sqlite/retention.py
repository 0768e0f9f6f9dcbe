"""Keeping no longer than one may: sealed contents go by their class, entries by whole tiles from the start.

Theory of operation. Each job drops a bounded number of rows, so that intake goes on between two. Contents of an event
go together, by the time it came in. Entries go in whole tiles of 256: the tiles above keep what every later proof
needs, and `meta.min_idx` says where the record now begins. With its entries goes every row of an event that has none
left. What is not finished, and who is held by law, is passed over (contents) or stopped at (entries).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from receiver.audit.leaf import Leaf
from receiver.audit.tree import WIDTH
from receiver.store.documents import iso
from receiver.store.port import PrunedContents, PrunedEntries, Retained
from receiver.store.sqlite import rollups
from receiver.store.sqlite.erasure import Erasure
from receiver.store.sqlite.words import BLOCK_BITS
from receiver.store.vault import Extent

_LISTED = "(SELECT value FROM json_each(?1))"
_UNFINISHED = (
    "SELECT event_n FROM action INDEXED BY action_lane WHERE due IS NOT NULL UNION ALL SELECT event_n FROM action"
    " WHERE due IS NULL AND state <> 'done' AND state <> 'skipped' AND state = 'awaiting_approval'"
    " UNION ALL SELECT event_n FROM review WHERE state = 'open'"
)
_HELD = "SELECT ref FROM hold WHERE released_at IS NULL"
_PROTECTED = f"{_UNFINISHED} UNION ALL SELECT n FROM event WHERE subject_ref IN ({_HELD})"  # noqa: S608  # constants
_CURSOR = "SELECT value FROM meta WHERE name = ?"
_SET_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_OLD_EVENTS = f"SELECT n, received_at, subject_ref, n IN ({_PROTECTED}) FROM event WHERE n > ? ORDER BY n LIMIT ?"  # noqa: S608  # constants, here and below
_COUNT_OLD = "SELECT count(*) FROM event WHERE n > ? AND received_at < ?"
_ACTIONS = f"SELECT n FROM action WHERE event_n IN {_LISTED}"  # noqa: S608
_DROP: Final = {
    "biometric": (  # what was sealed before the parts had keys of their own goes whole, by the shorter clock
        (
            "UPDATE payload SET body = NULL, biometric = NULL, document = CASE WHEN parted THEN document END"  # noqa: S608
            f" WHERE n IN {_LISTED} AND body IS NOT NULL"
        ),
        f"UPDATE attempt SET result = NULL WHERE action_n IN ({_ACTIONS} AND biometric) AND result IS NOT NULL",  # noqa: S608
        f"UPDATE action SET params = NULL WHERE event_n IN {_LISTED} AND biometric AND params IS NOT NULL",  # noqa: S608
    ),
    "all": (
        (
            f"UPDATE payload SET body = NULL, biometric = NULL, document = NULL WHERE n IN {_LISTED}"  # noqa: S608
            " AND coalesce(body, document) IS NOT NULL"
        ),
        f"UPDATE decision SET document = NULL WHERE event_n IN {_LISTED} AND document IS NOT NULL",  # noqa: S608
        f"UPDATE attempt SET result = NULL WHERE action_n IN ({_ACTIONS}) AND result IS NOT NULL",  # noqa: S608
        f"UPDATE action SET params = NULL WHERE event_n IN {_LISTED} AND params IS NOT NULL",  # noqa: S608
        f"UPDATE deed SET reason = NULL WHERE action_n IN ({_ACTIONS}) AND reason IS NOT NULL",  # noqa: S608
        (
            f"UPDATE review SET reason = NULL, note = NULL WHERE event_n IN {_LISTED}"  # noqa: S608
            " AND coalesce(reason, note) IS NOT NULL"
        ),
    ),
}
_EMPTY: Final = {  # whether a person has nothing left of a class
    "biometric": (
        "SELECT NOT EXISTS (SELECT 1 FROM event JOIN payload USING (n) WHERE subject_ref = ?1"
        " AND coalesce(body, payload.biometric) IS NOT NULL)"
    ),
    "all": (
        "SELECT NOT EXISTS (SELECT 1 FROM event JOIN payload USING (n) WHERE subject_ref = ?1"
        " AND coalesce(body, document) IS NOT NULL)"
    ),
}
_GONE = "SELECT NOT EXISTS (SELECT 1 FROM event WHERE subject_ref = ?)"

_LAST = "SELECT max(idx) FROM entry"
_SIGNED = "SELECT max(size) FROM checkpoint"
_FIRST_YOUNG = "SELECT min(idx) FROM entry WHERE idx >= ? AND idx < ? AND at >= ?"
_FIRST_PROTECTED = (
    f"SELECT min(idx) FROM entry WHERE event_id IN (SELECT event_id FROM event WHERE n IN ({_PROTECTED}))"  # noqa: S608
)
_GOING = (
    "SELECT n, event_id, source, session_id, subject_ref FROM event WHERE event_id IN"
    " (SELECT event_id FROM entry WHERE idx >= ?1 AND idx < ?2)"
    " AND NOT EXISTS (SELECT 1 FROM entry AS later WHERE later.event_id = event.event_id AND later.idx >= ?2)"
)
_SESSIONS_OF = (
    "SELECT DISTINCT session_id FROM event WHERE session_id IS NOT NULL AND event_id IN"
    " (SELECT event_id FROM entry WHERE idx >= ? AND idx < ?)"
)
_STATES = f"SELECT state, count(*) FROM action WHERE event_n IN {_LISTED} GROUP BY state"  # noqa: S608
_DELETE_EVENTS: Final = (
    f"DELETE FROM echo WHERE action_id IN (SELECT action_id FROM action WHERE event_n IN {_LISTED})",  # noqa: S608
    f"DELETE FROM label WHERE action_id IN (SELECT action_id FROM action WHERE event_n IN {_LISTED})",  # noqa: S608
    f"DELETE FROM done WHERE action_id IN (SELECT action_id FROM action WHERE event_n IN {_LISTED})",  # noqa: S608
    f"DELETE FROM deed WHERE action_n IN ({_ACTIONS})",  # noqa: S608
    f"DELETE FROM attempt WHERE action_n IN ({_ACTIONS})",  # noqa: S608
    f"DELETE FROM review WHERE event_n IN {_LISTED}",  # noqa: S608
    f"DELETE FROM action WHERE event_n IN {_LISTED}",  # noqa: S608
    f"DELETE FROM firing WHERE event_n IN {_LISTED}",  # noqa: S608
    f"DELETE FROM decision WHERE event_n IN {_LISTED}",  # noqa: S608
    f"DELETE FROM payload WHERE n IN {_LISTED}",  # noqa: S608
    f"DELETE FROM event WHERE n IN {_LISTED}",  # noqa: S608
)
_SESSION_GONE = "SELECT NOT EXISTS (SELECT 1 FROM event WHERE session_id = ?)"
_DELETE_SESSION: Final = (
    "DELETE FROM session WHERE session_id = ?",
    "DELETE FROM label WHERE session_id = ?",
    "DELETE FROM session_ref WHERE session_id = ?",
)
# each word by one step down the index, whatever number of entries it finds
_WORDS = (
    "WITH RECURSIVE w (x) AS (SELECT min({0}) FROM {1} UNION ALL SELECT (SELECT min({0}) FROM {1} WHERE {0} > x) FROM w"
    " WHERE x IS NOT NULL) SELECT x FROM w WHERE x IS NOT NULL"
)
_FOUND_BY: Final = (("tag", "entry_tag"), ("rule", "entry_rule"), ("value", "entry_fact"))
_DELETE_FINDING = "DELETE FROM session_ref WHERE session_id = ? AND idx < ?"
_DELETE_ENTRIES: Final = (
    "DELETE FROM entry WHERE idx < ?",
    "DELETE FROM entry_hour WHERE last_idx < ?",
    "UPDATE entry_hour SET first_idx = ?1 WHERE first_idx < ?1",
    f"DELETE FROM word_block WHERE block < ? >> {BLOCK_BITS}",  # noqa: S608
    f"DELETE FROM tile WHERE level = 0 AND n < ? / {WIDTH}",  # noqa: S608
)
_TRIGGER = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'entry_no_delete'"


class Retention(Erasure):
    """The writes that drop what is past its time."""

    def retained(self, extent: Extent, before: int) -> Retained:
        """What there is to do: after which event the first look is due, how many events are older, which entry is the
        first.
        """
        after = self._meta(f"pruned_{extent}")
        count = int(self._execute(_COUNT_OLD, (after, before)).fetchone()[0])
        return Retained(after, count, self._meta("min_idx"))

    def prune_contents(
        self, extent: Extent, before: int, after: int, limit: int, actor: str, at: int
    ) -> PrunedContents:
        """Drop what is sealed of this class in up to `limit` events that came after the event `after` and before the
        time `before`, and the keys of persons who then have nothing left. Ask again from `last` until it is None.
        """
        rows = self._execute(_OLD_EVENTS, (after, limit)).fetchall()
        old = next((place for place, row in enumerate(rows) if row[1] >= before), len(rows))
        rows, ends = rows[:old], old < limit
        if not rows:
            return PrunedContents(None, 0, 0, 0)
        going = [row[0] for row in rows if not row[3]]
        self._overwriting(on=True)
        contents = sum(self._execute(sql, (json.dumps(going),)).rowcount for sql in _DROP[extent])
        keys = self._drop_keys(extent, {row[2] for row in rows if not row[3]}, at) if contents else 0
        self._overwriting(on=False)
        self._move_cursor(extent, after, rows)
        if contents:
            facts = {"class": extent, "before": iso(before), "contents": str(contents), "keys": str(keys)}
            self._note_prune(actor, at, facts)
        return PrunedContents(None if ends else rows[-1][0], contents, keys, len(rows) - len(going))

    def prune_entries(self, before: int, limit: int, actor: str, at: int, *, dry_run: bool = False) -> PrunedEntries:
        """Drop entries from the start of the record, in whole tiles, up to `limit` tiles: those written before the time
        `before`, but none from the first on that is about what is not finished or held. Ask again until it drops none.
        """
        first = self._meta("min_idx")
        stop = self._stop(first, before, limit)
        if stop <= first or dry_run:
            return PrunedEntries(first, max(first, stop), 0, 0)
        going = self._execute(_GOING, (first, stop)).fetchall()
        sessions = [row[0] for row in self._execute(_SESSIONS_OF, (first, stop))]
        self._overwriting(on=True)
        self._delete_events([row[0] for row in going])
        self._delete_findings(sessions, stop)
        self._delete_entries(stop)
        keys = self._drop_keys_without_events({row[4] for row in going})
        self._overwriting(on=False)
        self._execute(_SET_META, ("min_idx", stop))
        facts = {"class": "entry", "before": iso(before), "from": str(first), "to": str(stop)}
        self._note_prune(actor, at, facts | {"events": str(len(going)), "keys": str(keys)})
        return PrunedEntries(first, stop, len(going), keys)

    def _meta(self, name: str) -> int:
        row = self._execute(_CURSOR, (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def _drop_keys(self, extent: Extent, refs: set[bytes], at: int) -> int:
        """The keys of persons who have nothing left; with the last, what leads from their sessions to them."""
        dropped = 0
        empty = [ref for ref in refs if self._execute(_EMPTY[extent], (ref,)).fetchone()[0]]
        for ref in empty:
            if extent == "all":
                self._empty(ref, extent, at)
        for ref in empty:  # last: nothing may fail after it
            dropped += self._vault.destroy(ref, extent) is not None
        return dropped

    def _drop_keys_without_events(self, refs: set[bytes]) -> int:
        gone = [ref for ref in refs if self._execute(_GONE, (ref,)).fetchone()[0]]
        return sum(self._vault.destroy(ref, "all") is not None for ref in gone)

    def _move_cursor(self, extent: Extent, after: int, rows: Sequence[tuple[int, int, bytes, int]]) -> None:
        """Up to the first event that was passed over, all is dropped: the next run begins there."""
        if after == self._meta(f"pruned_{extent}"):
            passed = next((row[0] - 1 for row in rows if row[3]), rows[-1][0])
            self._execute(_SET_META, (f"pruned_{extent}", passed))

    def _stop(self, first: int, before: int, limit: int) -> int:
        """Before which entry pruning ends: the last tile stays, and so does what is not signed yet."""
        last, signed = self._execute(_LAST).fetchone()[0], self._execute(_SIGNED).fetchone()[0]
        most = first + limit * WIDTH
        bounds = [most, last or 0, signed or 0]
        young = self._execute(_FIRST_YOUNG, (first, most, before)).fetchone()[0]
        protected = self._execute(_FIRST_PROTECTED).fetchone()[0]
        bounds += [bound for bound in (young, protected) if bound is not None]
        return min(bounds) // WIDTH * WIDTH

    def _delete_events(self, numbers: list[int]) -> None:
        listed = json.dumps(numbers)
        for state, count in self._execute(_STATES, (listed,)).fetchall():
            self._ledger.tally("actions", state, -count)
        for sql in _DELETE_EVENTS:
            self._execute(sql, (listed,))
        self._ledger.tally("events", "all", -len(numbers))

    def _delete_findings(self, sessions: list[str], stop: int) -> None:
        for session_id in sessions:
            self._execute(_DELETE_FINDING, (session_id, stop))
            if self._execute(_SESSION_GONE, (session_id,)).fetchone()[0]:
                for sql in _DELETE_SESSION:
                    self._execute(sql, (session_id,))
        rollups.take_off(self._connection, 0, stop - 1)
        for column, table in _FOUND_BY:
            for (word,) in self._execute(_WORDS.format(column, table)).fetchall():
                self._execute(f"DELETE FROM {table} WHERE {column} = ? AND idx < ?", (word, stop))  # noqa: S608

    def _delete_entries(self, stop: int) -> None:
        """The one place that deletes entries: the trigger that forbids it is away for no longer than that."""
        (trigger,) = self._execute(_TRIGGER).fetchone()
        self._execute("DROP TRIGGER entry_no_delete")
        for sql in _DELETE_ENTRIES:
            self._execute(sql, (stop,))
        self._execute(trigger)

    def _note_prune(self, actor: str, at: int, facts: dict[str, str]) -> None:
        leaf: Leaf = {"at": at, "kind": "prune", "actor": actor, "outcome": "pruned", "facts": facts}
        self._ledger.append(leaf)
