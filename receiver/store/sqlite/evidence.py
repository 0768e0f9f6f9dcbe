"""Reading the record to verify it: entries, what finds them, tiles, what was sealed. Never writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from receiver.audit.evidence import Finder
from receiver.audit.projection import Row
from receiver.errors import NotFound, StoreUnavailable
from receiver.store.sqlite.beside import Beside
from receiver.store.sqlite.connect import connect_reader
from receiver.store.sqlite.rows import Rows

_BOUNDS = "SELECT min(idx), max(idx) FROM entry"
_LEAF_OF = "SELECT leaf FROM entry WHERE idx = ?"
_FIRST = "SELECT value FROM meta WHERE name = 'min_idx'"
_ENTRIES = (
    "SELECT CAST(leaf AS BLOB), idx, at, kind, actor, event_id, action_id, type, rule, outcome, policy_sha256, source"
    " FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx"
)
_TILE = "SELECT CAST(hashes AS BLOB) FROM tile WHERE level = ? AND n = ?"
_LAST_TILE = "SELECT max(n) FROM tile WHERE level = ? AND typeof(n) = 'integer'"
_TILES = "SELECT count(*) FROM tile WHERE level = ?"
_HOURS = "SELECT hour, first_idx, last_idx FROM entry_hour"
_SIGNED = "SELECT size, CAST(note AS BLOB) FROM checkpoint ORDER BY size"
_FOUND: Final[dict[Finder, str]] = {
    "tags": "SELECT idx FROM entry_tag WHERE tag = ? AND idx >= ? AND idx < ? ORDER BY idx",
    "rules": "SELECT idx FROM entry_rule WHERE rule = ? AND idx >= ? AND idx < ? ORDER BY idx",
}
# each word by one step down the index, whatever number of entries it finds
_WORDS: Final[dict[Finder, str]] = {
    "tags": "WITH RECURSIVE w (x) AS (SELECT min(tag) FROM entry_tag UNION ALL"
    " SELECT (SELECT min(tag) FROM entry_tag WHERE tag > x) FROM w WHERE x IS NOT NULL)"
    " SELECT x FROM w WHERE x IS NOT NULL",
    "rules": "WITH RECURSIVE w (x) AS (SELECT min(rule) FROM entry_rule UNION ALL"
    " SELECT (SELECT min(rule) FROM entry_rule WHERE rule > x) FROM w WHERE x IS NOT NULL)"
    " SELECT x FROM w WHERE x IS NOT NULL",
}
_RANGE = "entry.idx >= ?1 AND entry.idx < ?2"
_LEAF = "CASE WHEN json_valid(CAST(entry.leaf AS TEXT)) THEN json_extract(CAST(entry.leaf AS TEXT), '$.{}') END"
_ACT = _LEAF.format("facts.act")
_OF_EVENT = "JOIN event USING (event_id)"
_OF_ACTION = "JOIN action USING (action_id)"
_OF_REVIEW = f"JOIN review ON review.review_id = {_LEAF.format('facts.review_id')}"
# Where what an entry sealed is kept: the kind of entry, the part by its name in the leaf, and how to come to it.
_SEALED: Final = (
    ("event", "body", "payload.body", f"{_OF_EVENT} JOIN payload ON payload.n = event.n"),
    ("event", "document", "payload.document", f"{_OF_EVENT} JOIN payload ON payload.n = event.n"),
    ("event", "biometric", "payload.biometric", f"{_OF_EVENT} JOIN payload ON payload.n = event.n"),
    (
        "decision",
        "decision",
        "decision.document",
        f"{_OF_EVENT} JOIN decision ON decision.event_n = event.n AND decision.at = entry.at",
    ),
    ("action", "params", "action.params", _OF_ACTION),
    (
        "action",
        "result",
        "attempt.result",
        f"{_OF_ACTION} JOIN attempt ON attempt.action_n = action.n AND attempt.n = {_LEAF.format('attempt')}",
    ),
    ("review", "reason", "review.reason", _OF_REVIEW),
    ("operator", "note", "review.note", _OF_REVIEW),
    (
        "hold",
        "reason",
        "hold.reason",
        f"JOIN hold ON hold.n = CAST({_LEAF.format('facts.hold')} AS INTEGER)",
    ),
    ("erasure", "reason", "erasure.reason", "JOIN erasure ON erasure.idx = entry.idx"),
    (
        "operator",
        "reason",
        "deed.reason",
        f"{_OF_ACTION} JOIN deed ON deed.action_n = action.n AND deed.at = entry.at AND deed.act = {_ACT}",
    ),
)
_BLOB = "SELECT entry.idx, CAST({0} AS BLOB) FROM entry {1} WHERE {2} AND kind = '{3}' AND {0} IS NOT NULL"
_BLOBS = tuple((part, _BLOB.format(column, joins, _RANGE, kind)) for kind, part, column, joins in _SEALED)


class Leaves(Rows):
    """The leaves themselves, for those who hand out proofs."""

    def leaf(self, idx: int) -> bytes | None:
        """The bytes of an entry's leaf; None where there is none."""
        row = self._one(_LEAF_OF, idx) if 0 <= idx < 1 << 63 else None
        return None if row is None else bytes(row[0])

    def first_idx(self) -> int:
        """From which entry on the record is kept: what was before was pruned."""
        return SqliteEvidence(self._connection).first_idx()


class SqliteEvidence(Beside):
    """One view, in one read transaction that its owner begins and ends. See `receiver/audit/evidence.py`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile; empty where there is none."""
        row = self._execute(_TILE, (level, number)).fetchone()
        return b"" if row is None or row[0] is None else bytes(row[0])

    def bounds(self) -> tuple[int, int] | None:
        """The smallest and the largest index there is; None for an empty record."""
        first, last = self._execute(_BOUNDS).fetchone()
        return None if first is None else (first, last)

    def first_idx(self) -> int:
        """From which entry on the record is kept; -1 where what says so is no such number."""
        row = self._execute(_FIRST).fetchone()
        if row is None:
            return 0
        return row[0] if isinstance(row[0], int) and row[0] >= 0 else -1

    def entries(self, start: int, end: int) -> Iterator[Row]:
        """Leaf and columns of the entries from `start` to before `end`, in order."""
        rows: Iterator[Row] = self._execute(_ENTRIES, (start, end))
        return rows

    def last_tile(self, level: int) -> int | None:
        """The largest number of a tile of a level."""
        number: int | None = self._execute(_LAST_TILE, (level,)).fetchone()[0]
        return number

    def tiles(self, level: int) -> int:
        """How many tiles of a level there are."""
        return int(self._execute(_TILES, (level,)).fetchone()[0])

    def words(self, finder: Finder) -> list[Any]:
        """The words that entries are found by."""
        return [word for (word,) in self._execute(_WORDS[finder])]

    def found(self, finder: Finder, word: str, start: int, end: int) -> list[int]:
        """The entries that a word finds, ascending."""
        return [idx for (idx,) in self._execute(_FOUND[finder], (word, start, end))]

    def hours(self) -> dict[int, tuple[int, int]]:
        """Among which entries an hour of Unix time is looked for."""
        return {hour: (first, last) for hour, first, last in self._execute(_HOURS)}

    def sealed(self, parts: Collection[str], start: int, end: int) -> Iterator[tuple[int, str, bytes]]:
        """What is sealed and still there of these parts of these entries: entry, part, bytes."""
        for part, sql in _BLOBS:
            for idx, blob in self._execute(sql, (start, end)) if part in parts else ():
                yield idx, part, blob

    def signed(self) -> list[tuple[int, str]]:
        """The checkpoints of the table: size, note."""
        return [(size, bytes(note or b"").decode("utf-8", "replace")) for size, note in self._execute(_SIGNED)]

    def origin(self) -> str:
        """The name of the log."""
        row = self._execute("SELECT value FROM meta WHERE name = 'origin'").fetchone()
        if row is None or not isinstance(row[0], str):
            raise StoreUnavailable("the record does not say its log's name any more: restore a backup, or give --key")
        return row[0]


class EvidenceFile:
    """The record of a data folder, opened to be read only: nothing is migrated, signed or written."""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / "hookwarden.db"
        if not path.exists():
            raise NotFound(f"nothing is stored yet in {data_dir}; start `hookwarden serve`")
        self._connection = connect_reader(path)
        self._connection.row_factory = None

    @contextmanager
    def read(self) -> Iterator[SqliteEvidence]:
        """A consistent view. Raises StoreUnavailable where the file cannot be read."""
        try:
            self._connection.execute("BEGIN")
            try:
                yield SqliteEvidence(self._connection)
            finally:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the record cannot be read: {error}; restore a backup of the file") from error

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
