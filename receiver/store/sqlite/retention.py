"""Keeping no longer than one may: sealed contents go by their class, entries by whole tiles from the start.

Theory of operation. Each job drops a bounded number of rows, so that intake goes on between two. Contents of an event
go together, by the time it came in. Entries go in whole tiles of 256: the tiles above keep what every later proof
needs, and `meta.min_idx` says where the record now begins. With its entries goes every row of an event that has none
left. What is not finished, and who is held by law, is passed over (contents) or stopped at (entries).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from receiver.audit.leaf import Leaf
from receiver.audit.tree import WIDTH
from receiver.store.documents import iso
from receiver.store.shapes import Extent, PrunedContents, PrunedEntries
from receiver.store.sqlite import rollups
from receiver.store.sqlite.erasure import Erasure
from receiver.store.sqlite.retained import PROTECTED, noted, stop_of
from receiver.store.sqlite.unit import class_key
from receiver.store.sqlite.words import BLOCK_BITS

_LISTED = "(SELECT value FROM json_each(?1))"
_SET_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_OLD_EVENTS = f"SELECT n, received_at, subject_ref, n IN ({PROTECTED}) FROM event WHERE n > ? ORDER BY n LIMIT ?"  # noqa: S608  # constants, here and below
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
_FOUND_BY: Final = (("tag", "entry_tag"), ("rule", "entry_rule"))
_BLOCK_WORDS = "SELECT key, value FROM word WHERE key NOT IN ('tag', 'rule', 'fact')"
_DELETE_BLOCKS = f"DELETE FROM word_block WHERE key = ? AND value = ? AND block < ? >> {BLOCK_BITS}"  # noqa: S608
_DELETE_FINDING = "DELETE FROM session_ref WHERE session_id = ? AND idx < ?"
_DELETE_ENTRIES: Final = (
    "DELETE FROM entry WHERE idx < ?",
    "DELETE FROM entry_hour WHERE last_idx < ?",
    "UPDATE entry_hour SET first_idx = ?1 WHERE first_idx < ?1",
    "DELETE FROM entry_fact WHERE idx < ?",
    f"DELETE FROM tile WHERE level = 0 AND n < ? / {WIDTH}",  # noqa: S608
)
_TRIGGER = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'entry_no_delete'"


class Retention(Erasure):
    """The writes that drop what is past its time."""

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
        with self._overwriting():
            contents = sum(self._execute(sql, (json.dumps(going),)).rowcount for sql in _DROP[extent])
            refs = self._leave_empty(extent, {row[2] for row in rows if not row[3]}, at) if contents else []
        self._move_cursor(extent, after, rows)
        if contents:
            facts = {"class": extent, "before": iso(before), "contents": str(contents), "keys": str(len(refs))}
            self._note_prune(actor, at, facts)
        self._destroy(refs, extent)
        return PrunedContents(None if ends else rows[-1][0], contents, len(refs), len(rows) - len(going))

    def prune_entries(self, before: int, limit: int, actor: str, at: int) -> PrunedEntries:
        """Drop entries from the start of the record, in whole tiles, up to `limit` tiles: those written before the time
        `before`, but none from the first on that is about what is not finished or held. Ask again until it drops none.
        """
        first = noted(self._connection, "min_idx")
        stop = stop_of(self._connection, first, before, limit)
        if stop == first:
            return PrunedEntries(first, stop, 0, 0)
        going = self._execute(_GOING, (first, stop)).fetchall()
        sessions = [row[0] for row in self._execute(_SESSIONS_OF, (first, stop))]
        with self._overwriting():
            self._delete_events([row[0] for row in going])
            self._delete_findings(sessions, first, stop)
            self._delete_entries(stop)
        refs = self._with_key((ref for ref in {row[4] for row in going} if self._is(_GONE, ref)), "all")
        self._execute(_SET_META, ("min_idx", stop))
        facts = {"class": "entry", "before": iso(before), "from": str(first), "to": str(stop)}
        self._note_prune(actor, at, facts | {"events": str(len(going)), "keys": str(len(refs))})
        self._destroy(refs, "all")
        return PrunedEntries(first, stop, len(going), len(refs))

    def _leave_empty(self, extent: Extent, refs: set[bytes], at: int) -> list[bytes]:
        """Whose keys are to go, as they have nothing left; with the last, what leads from their sessions to them."""
        empty = [ref for ref in refs if self._is(_EMPTY[extent], ref)]
        with_key = self._with_key(empty, extent)
        for ref in empty if extent == "all" else ():
            self._empty(ref, extent, at)
        return with_key

    def _with_key(self, refs: Iterable[bytes], extent: Extent) -> list[bytes]:
        """Of these persons, those who have the key of a class."""
        keys = ((ref, self._vault.of_ref(ref)) for ref in refs)
        return [ref for ref, key in keys if class_key(key, biometric=extent == "biometric") is not None]

    def _destroy(self, refs: list[bytes], extent: Extent) -> None:
        """The last step of a job: nothing may fail after it, as keys are not given back."""
        for ref in refs:
            self._vault.destroy(ref, extent)

    def _is(self, condition: str, value: object) -> bool:
        return bool(self._execute(condition, (value,)).fetchone()[0])

    def _move_cursor(self, extent: Extent, after: int, rows: Sequence[tuple[int, int, bytes, int]]) -> None:
        """Up to the first event that was passed over, all is dropped: the next run begins there."""
        if after == noted(self._connection, f"pruned_{extent}"):
            passed = next((row[0] - 1 for row in rows if row[3]), rows[-1][0])
            self._execute(_SET_META, (f"pruned_{extent}", passed))

    def _delete_events(self, numbers: list[int]) -> None:
        listed = json.dumps(numbers)
        for state, count in self._execute(_STATES, (listed,)).fetchall():
            self._ledger.tally("actions", state, -count)
        for sql in _DELETE_EVENTS:
            self._execute(sql, (listed,))
        self._ledger.tally("events", "all", -len(numbers))

    def _delete_findings(self, sessions: list[str], first: int, stop: int) -> None:
        for session_id in sessions:
            self._execute(_DELETE_FINDING, (session_id, stop))
            if self._is(_SESSION_GONE, session_id):
                for sql in _DELETE_SESSION:
                    self._execute(sql, (session_id,))
        rollups.take_off(self._connection, first, stop - 1)
        for column, table in _FOUND_BY:
            for (word,) in self._execute(_WORDS.format(column, table)).fetchall():
                self._execute(f"DELETE FROM {table} WHERE {column} = ? AND idx < ?", (word, stop))  # noqa: S608
        for key, value in self._execute(_BLOCK_WORDS).fetchall():
            self._execute(_DELETE_BLOCKS, (key, value, stop))

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
        self._ledger.sign = True  # what is gone is accounted for by what is signed, and nothing else
