"""What one commit appends to the record: entries, their place in the tree, the tables that find them, running counts.

Gathered while the jobs of a batch run, written in a few statements at its end. The index of the next entry is read
inside the transaction, under the write lock: several processes may append, and none can take another's index.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from receiver.audit.leaf import VERSION, Leaf, encode
from receiver.audit.tree import leaf_hash
from receiver.store.sqlite import rollups, words
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.tiles import Tiles

MS_PER_HOUR: Final = 3_600_000
TAGS_FOUND_BY: Final = 1000  # tags of one entry that a search can find it by

_HEAD = "SELECT max(idx) FROM entry"
_ADD_ENTRY = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_TAG = "INSERT OR IGNORE INTO entry_tag VALUES (?, ?)"
_ADD_RULE = "INSERT OR IGNORE INTO entry_rule VALUES (?, ?)"
_ADD_SESSION = "INSERT OR IGNORE INTO session_ref VALUES (?, ?)"
_ADD_HOUR = (
    "INSERT INTO entry_hour VALUES (?, ?, ?) ON CONFLICT (hour) DO UPDATE SET"
    " first_idx = min(first_idx, excluded.first_idx), last_idx = max(last_idx, excluded.last_idx)"
)
_ADD_TALLY = "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT (name, key) DO UPDATE SET n = n + excluded.n"


class Ledger:
    """One per batch. `mark` and `rewind` undo what a job that failed had gathered."""

    def __init__(self) -> None:
        self._first = 0
        self._next = 0
        self._entries: list[tuple[Any, ...]] = []
        self._tags: list[tuple[str, int]] = []
        self._rules: list[tuple[str, int]] = []
        self._sessions: list[tuple[str, int]] = []
        self._unfound: list[tuple[frozenset[str], int]] = []  # sessions, and how many of `_sessions` came before
        self._tallies: list[tuple[str, str, int]] = []
        self._words: list[tuple[str, str, int]] = []  # that no column holds
        self.woke = False  # an action was planned or freed
        self.sign = False  # somebody waits for a checkpoint that covers this batch

    def begin(self, connection: sqlite3.Connection) -> None:
        """Find where the record ends."""
        head = connection.execute(_HEAD).fetchone()[0]
        self._first = self._next = 0 if head is None else head + 1

    @property
    def size(self) -> int:
        """Entries in the record, with those gathered here."""
        return self._next

    def mark(self) -> tuple[int, ...]:
        """How far it has come."""
        gathered = (self._entries, self._tags, self._rules, self._sessions, self._tallies, self._words, self._unfound)
        return tuple(map(len, gathered))

    def rewind(self, mark: tuple[int, ...]) -> None:
        """Back to a mark."""
        entries = mark[0]
        self._next -= len(self._entries) - entries
        del self._entries[entries:], self._tags[mark[1] :], self._rules[mark[2] :]
        del self._sessions[mark[3] :], self._tallies[mark[4] :], self._words[mark[5] :], self._unfound[mark[6] :]

    def append(
        self, leaf: Leaf, session_id: str | None = None, tags: Iterable[str] = (), rules: Iterable[str] = ()
    ) -> None:
        """Append an entry. `session_id`, `tags` and `rules` are what it can be found by."""
        index = self._next
        self._next += 1
        leaf["v"] = VERSION
        leaf["idx"] = index
        encoded, kept = encode(leaf)
        rule = kept.get("rule") or ",".join(kept.get("rules", ())) or None
        clean = storable if b"\\ud" in encoded else _as_it_is  # no surrogate in the leaf, none in its columns
        self._entries.append(
            (
                index,
                encoded,
                kept["at"],
                kept["kind"],
                clean(kept["actor"]),
                kept.get("event_id"),
                kept.get("action_id"),
                clean(kept.get("type")),
                clean(rule),
                clean(kept.get("outcome")),
                kept.get("policy_sha256"),
                clean(kept.get("source")),
            )
        )
        self._words += [(key, value, index) for key, value in words.of_leaf(kept)]
        if session_id is not None:
            self._sessions.append((session_id, index))
        for tag in tags:
            self._tags.append((storable(tag), index))
        for fired in rules:
            self._rules.append((storable(fired), index))

    def unfind(self, session_ids: set[str]) -> None:
        """What was gathered is not found by these sessions any more: their person is being erased."""
        self._unfound.append((frozenset(session_ids), len(self._sessions)))

    def tally(self, name: str, key: str, change: int) -> None:
        """Move a running count."""
        self._tallies.append((name, key, change))

    def flush(self, connection: sqlite3.Connection) -> None:
        """Write all that was gathered. Raises sqlite3.Error."""
        for sql, rows in (
            (_ADD_ENTRY, self._entries),
            (_ADD_TAG, self._tags),
            (_ADD_RULE, self._rules),
            (_ADD_SESSION, self._findings()),
            (_ADD_HOUR, self._hours()),
            (_ADD_TALLY, self._sums()),
        ):
            if rows:
                connection.executemany(sql, rows)
        if self._entries:
            words.write(connection, self._entries, self._words, self._tags, self._rules)
            rollups.write(connection, self._entries, self._tags, self._rules, self._words)
            Tiles(connection).append(self._first, [leaf_hash(row[1]) for row in self._entries])

    def _findings(self) -> list[tuple[str, int]]:
        """Which sessions find which entries, without those that were unfound afterwards."""
        return [
            found
            for at, found in enumerate(self._sessions)
            if not any(at < before and found[0] in session_ids for session_ids, before in self._unfound)
        ]

    def _hours(self) -> list[tuple[int, int, int]]:
        spans: dict[int, tuple[int, int]] = {}
        for index, _, at, *_rest in self._entries:
            hour = at // MS_PER_HOUR
            spans[hour] = (spans[hour][0] if hour in spans else index, index)
        return [(hour, first, last) for hour, (first, last) in spans.items()]

    def _sums(self) -> list[tuple[str, str, int]]:
        sums: dict[tuple[str, str], int] = {}
        for name, key, change in self._tallies:
            sums[name, key] = sums.get((name, key), 0) + change
        return [(name, key, change) for (name, key), change in sums.items() if change]


def _as_it_is(text: str | None) -> str | None:
    return text
