"""Reading what stands beside entries and repeats them: events, decisions, actions, cases, searches, counts. For
`receiver/audit/beside.py`, which holds it against the leaves.

Everything that a leaf names is read by windows of entries; what no leaf may name at all (rows that somebody put in) is
asked for once, of the whole tables.
"""

# ruff: noqa: S608  # statements made of constants

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from receiver.store.sqlite.words import is_identifier

_RANGE = "x.idx >= ?1 AND x.idx < ?2"
_LEAF = "CASE WHEN json_valid(CAST(x.leaf AS TEXT)) THEN json_extract(CAST(x.leaf AS TEXT), '$.{}') END"
_ACT, _CASE, _HOLD = map(_LEAF.format, ("facts.act", "facts.review_id", "facts.hold"))
_OF_ACTION = "y.event_id = e.event_id AND y.action_id = a.action_id AND y.kind IN ('action', 'operator')"
# What an event has of decisions, actions, cases and deeds.
_HAS = (
    "(SELECT count(*) FROM decision WHERE event_n = e.n), (SELECT count(*) FROM action WHERE event_n = e.n),"
    " (SELECT count(*) FROM review WHERE event_n = e.n), (SELECT count(*) FROM action AS a JOIN deed AS d ON"
    " d.action_n = a.n WHERE a.event_n = e.n)"
)

# What an entry of a kind repeats: the entry's index first, what is sealed last; nulls where there is none.
_ROWS: Final = {
    "event": (
        "SELECT x.idx, e.n, e.type, e.status, e.tags, e.source, e.received_at, p.n, e.session_id, e.event_id,"
        f" {_HAS}, (SELECT count(*) FROM entry AS y WHERE y.event_id = e.event_id),"
        " CAST(p.body AS BLOB), CAST(p.document AS BLOB), CAST(p.biometric AS BLOB), e.parent_id, e.subject_ref"
        " FROM entry AS x"
        f" LEFT JOIN event AS e ON e.event_id = x.event_id LEFT JOIN payload AS p ON p.n = e.n WHERE {_RANGE}"
        " AND x.kind = 'event'"
    ),
    "decision": (
        "SELECT x.idx, d.n, d.actor, d.outcome, d.policy_sha256, d.status, d.rules_fired, d.rules_shadow,"
        " CAST(d.document AS BLOB) FROM entry AS x LEFT JOIN event AS e ON e.event_id = x.event_id"
        f" LEFT JOIN decision AS d ON d.event_n = e.n AND d.at = x.at WHERE {_RANGE} AND x.kind = 'decision'"
    ),
    "action": (
        "SELECT x.idx, a.n, a.name, a.rule, a.state, CASE WHEN x.actor = 'engine' THEN"
        f" (SELECT y.outcome FROM entry AS y WHERE {_OF_ACTION} ORDER BY y.idx DESC LIMIT 1) END, e.event_id,"
        " t.n, t.outcome, t.http_status, t.spent, CAST(a.params AS BLOB), CAST(t.result AS BLOB) FROM entry AS x"
        " LEFT JOIN action AS a ON a.action_id = x.action_id LEFT JOIN event AS e ON e.n = a.event_n"
        f" LEFT JOIN attempt AS t ON t.action_n = a.n AND x.actor <> 'engine' WHERE {_RANGE} AND x.kind = 'action'"
    ),
    "review": (
        "SELECT x.idx, r.n, r.queue, r.state, r.opened_at, r.resolved_by, (SELECT y.actor FROM entry_fact AS f JOIN"
        " entry AS y ON y.idx = f.idx WHERE f.value = r.review_id AND y.kind = 'operator' AND y.outcome = 'resolved'),"
        f" CAST(r.reason AS BLOB) FROM entry AS x LEFT JOIN review AS r ON r.review_id = {_CASE}"
        f" WHERE {_RANGE} AND x.kind = 'review'"
    ),
}
# What entries of other kinds sealed: the kind, the part by its name in the leaf, and how to come to it.
_SEALED: Final = (
    ("operator", "note", "r.note", f"JOIN review AS r ON r.review_id = {_CASE}"),
    ("hold", "reason", "h.reason", f"JOIN hold AS h ON h.n = CAST({_HOLD} AS INTEGER)"),
    ("erasure", "reason", "r.reason", "JOIN erasure AS r ON r.idx = x.idx"),
    (
        "operator",
        "reason",
        "d.reason",
        f"JOIN action AS a USING (action_id) JOIN deed AS d ON d.action_n = a.n AND d.at = x.at AND d.act = {_ACT}",
    ),
)
_BLOB = "SELECT x.idx, CAST({0} AS BLOB) FROM entry AS x {1} WHERE {2} AND x.kind = '{3}' AND {0} IS NOT NULL"
_BLOBS: Final = tuple((kind, part, _BLOB.format(blob, joins, _RANGE, kind)) for kind, part, blob, joins in _SEALED)
_FAMILY = (
    f"SELECT {_HAS},"
    " sum(y.kind = 'decision'), count(DISTINCT CASE WHEN y.kind = 'action' THEN y.action_id END),"
    " sum(y.kind = 'review'), sum(y.kind = 'operator' AND y.action_id IS NOT NULL)"
    " FROM entry AS x JOIN event AS e ON e.event_id = x.event_id JOIN entry AS y ON y.event_id = x.event_id"
    " WHERE x.idx = ? GROUP BY x.idx"
)
_STRAY_EVENTS = (
    "SELECT event_id FROM event AS e WHERE NOT EXISTS (SELECT 1 FROM entry AS y WHERE y.event_id = e.event_id"
    " AND (y.kind = 'event' OR ?1)) LIMIT 60"
)
_SESSIONS = (
    "SELECT x.idx, e.session_id, EXISTS (SELECT 1 FROM session_ref AS r WHERE r.session_id = e.session_id AND r.idx ="
    f" x.idx) FROM entry AS x JOIN event AS e ON e.event_id = x.event_id WHERE {_RANGE}"
)
_SESSIONS_OF = "SELECT event_id, session_id FROM event WHERE event_id IN (SELECT value FROM json_each(?))"
_FOUND_BY = (
    "SELECT session_id, group_concat(idx) FROM session_ref WHERE session_id IN (SELECT value FROM json_each(?))"
    " AND idx >= ? AND idx < ? GROUP BY session_id"
)
_FOUND_AT_ALL = "SELECT count(*) FROM session_ref WHERE idx >= ? AND idx < ?"
_STRAY_SESSIONS = (
    "SELECT r.idx FROM session_ref AS r LEFT JOIN entry AS x ON x.idx = r.idx LEFT JOIN event AS e ON e.event_id ="
    " x.event_id WHERE r.idx >= ?1 AND e.session_id IS NOT r.session_id"
    " AND NOT coalesce(x.event_id IS NULL AND x.kind IN ('access', 'operator'), 0) LIMIT 60"
)
_FACT = "SELECT 1 FROM entry_fact WHERE value = ? AND idx = ?"
_FACTS = (
    "SELECT f.value, f.idx, CAST(x.leaf AS BLOB) FROM entry_fact AS f LEFT JOIN entry AS x ON x.idx = f.idx"
    " WHERE f.idx >= ?"
)
_WORD = "SELECT 1 FROM word WHERE key = ? AND value = ?"
_BLOCKS = "SELECT block FROM word_block WHERE key = ? AND value = ? AND block >= ? AND block < ?"
_COUNTS = "SELECT kind, day, key, outcome, n FROM rollup"
_TALLIES = (
    "SELECT 'events', 'all', count(*) FROM event UNION ALL SELECT 'actions', state, count(*) FROM action GROUP BY 2"
    " UNION ALL SELECT 'reviews_open', queue, count(*) FROM review WHERE state = 'open' GROUP BY 2"
)
_POLICIES = "SELECT sha256, CAST(text AS BLOB) FROM policy"
_KEYED = "SELECT 1 FROM meta WHERE name = 'signing_key'"

# What may have been dropped: entries of the kind `prune`, newest first, found by their blocks.
_OF_KIND = (
    "SELECT x.idx, CAST(x.leaf AS BLOB) FROM word_block AS b JOIN entry AS x ON x.idx >= b.block * 64"
    " AND x.idx < (b.block + 1) * 64 WHERE b.key = 'kind' AND b.value = ? AND x.kind = b.value"
    " ORDER BY b.block DESC, x.idx DESC"
)
_OF_FACT = "SELECT x.idx, CAST(x.leaf AS BLOB) FROM entry_fact AS f JOIN entry AS x USING (idx) WHERE f.value = ?"
_OWNER = (
    "SELECT CASE typeof(e.subject_ref) WHEN 'blob' THEN e.subject_ref END, e.received_at, p.parted, a.biometric"
    " FROM entry AS x LEFT JOIN event AS e ON e.event_id = x.event_id LEFT JOIN payload AS p ON p.n = e.n"
    " LEFT JOIN action AS a ON a.action_id = x.action_id WHERE x.idx = ?"
)
_EVENTS_OF = (
    "SELECT count(*) FROM event AS e WHERE subject_ref = ?1 AND (SELECT min(idx) FROM entry AS y WHERE y.event_id ="
    " e.event_id) < ?2"
)


class Beside:
    """The part of a view that is not the tree."""

    _execute: Any

    def rows(self, kind: str, start: int, end: int) -> Iterator[Sequence[Any]]:
        """The rows that entries of a kind repeat, with what is sealed in them."""
        found: Iterator[Sequence[Any]] = self._execute(_ROWS[kind], (start, end))
        return found

    def sealed(self, parts: Collection[tuple[str, str]], start: int, end: int) -> Iterator[tuple[int, str, bytes]]:
        """What is sealed for entries of other kinds and still there, by kind and part: entry, part, bytes."""
        for kind, part, sql in _BLOBS:
            for idx, blob in self._execute(sql, (start, end)) if (kind, part) in parts else ():
                yield idx, part, blob

    def family(self, idx: int) -> Sequence[int]:
        """How many decisions, actions, cases and deeds the event of an entry has, then how many its entries tell of."""
        found: Sequence[int] | None = self._execute(_FAMILY, (idx,)).fetchone()
        return found or (0,) * 8

    def stray_events(self, *, pruned: bool) -> list[str]:
        """Events that no entry tells of; where the record was `pruned`, any entry of the event will do."""
        return [event_id for (event_id,) in self._execute(_STRAY_EVENTS, (int(pruned),))]

    def sessions(self, start: int, end: int) -> Iterator[Sequence[Any]]:
        """Entries about events: entry, the event's session, whether the entry is found by it."""
        found: Iterator[Sequence[Any]] = self._execute(_SESSIONS, (start, end))
        return found

    def sessions_of(self, event_ids: Collection[str]) -> Iterator[tuple[str, Any]]:
        """The sessions of those events that are there: event, session."""
        found: Iterator[tuple[str, Any]] = self._execute(_SESSIONS_OF, (json.dumps([*event_ids]),))
        return found

    def found_by(self, sessions: Collection[str], start: int, end: int) -> Iterator[tuple[Any, str]]:
        """Which entries sessions find: session, indices in ascending order with commas between."""
        found: Iterator[tuple[Any, str]] = self._execute(_FOUND_BY, (json.dumps([*sessions]), start, end))
        return found

    def found_at_all(self, start: int, end: int) -> int:
        """How often an entry is found by a session."""
        return int(self._execute(_FOUND_AT_ALL, (start, end)).fetchone()[0])

    def stray_sessions(self, start: int) -> list[int]:
        """Entries from `start` on that are found by another session than that of their event."""
        return [idx for (idx,) in self._execute(_STRAY_SESSIONS, (start,))]

    def has_fact(self, value: str, idx: int) -> bool:
        """Whether an entry is found by a fact."""
        return self._execute(_FACT, (value, idx)).fetchone() is not None

    def facts(self, start: int) -> Iterator[tuple[Any, int, bytes | None]]:
        """The facts that entries from `start` on are found by, with their leaves."""
        found: Iterator[tuple[Any, int, bytes | None]] = self._execute(_FACTS, (start,))
        return found

    def has_word(self, key: str, value: str) -> bool:
        """Whether a word stands in the vocabulary."""
        if key == "fact" and is_identifier(value):
            return True  # identifiers are found whole
        return self._execute(_WORD, (key, value)).fetchone() is not None

    def blocks(self, key: str, value: str, first: int, end: int) -> set[int]:
        """Which blocks of 64 entries a search for a word reads."""
        return {block for (block,) in self._execute(_BLOCKS, (key, value, first, end))}

    def counts(self) -> dict[Any, Any]:
        """The counts by day."""
        return {tuple(row[:4]): row[4] for row in self._execute(_COUNTS)}

    def tallies(self) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """The running counts: as they stand, and counted anew. Those that are 0 need not stand."""
        said = {(name, key): n for name, key, n in self._execute("SELECT name, key, n FROM tally") if n}
        return said, {(name, key): n for name, key, n in self._execute(_TALLIES) if n}

    def policies(self) -> Iterator[tuple[str, bytes]]:
        """Policy versions: hash and text."""
        found: Iterator[tuple[str, bytes]] = self._execute(_POLICIES)
        return found

    def names_key(self) -> bool:
        """Whether the record says that it is signed."""
        return self._execute(_KEYED).fetchone() is not None

    def prunings(self) -> Iterator[tuple[int, bytes]]:
        """The entries about what was pruned, newest first."""
        found: Iterator[tuple[int, bytes]] = self._execute(_OF_KIND, ("prune",))
        return found

    def erasures(self) -> Iterator[tuple[int, bytes]]:
        """The entries about who was erased, newest first."""
        found: Iterator[tuple[int, bytes]] = self._execute(_OF_KIND, ("erasure",))
        return found

    def naming(self, value: str) -> list[tuple[int, bytes]]:
        """The entries with a fact of this value."""
        found: list[tuple[int, bytes]] = self._execute(_OF_FACT, (value,)).fetchall()
        return found

    def owner(self, idx: int) -> tuple[bytes | None, int | None, int | None, int | None]:
        """Of the event that an entry is about: the person's ref, when it came in, whether its parts have keys of their
        own, whether the action's do.
        """
        row: tuple[bytes | None, int | None, int | None, int | None] = self._execute(_OWNER, (idx,)).fetchone()
        return row

    def events_of(self, ref: bytes, before: int) -> int:
        """How many events of a person are there of those that came before an entry."""
        return int(self._execute(_EVENTS_OF, (ref, before)).fetchone()[0])
