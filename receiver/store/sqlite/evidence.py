"""Reading the record to verify it: entries, what finds them, tiles, what was sealed. Never writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from receiver.audit.evidence import Finder
from receiver.audit.projection import Row
from receiver.audit.shape import Misshapen
from receiver.errors import NotFound, StoreUnavailable
from receiver.store.sqlite.beside import Beside
from receiver.store.sqlite.connect import connect_reader
from receiver.store.sqlite.families import Families
from receiver.store.sqlite.persons import PersonsBeside
from receiver.store.sqlite.scripts import misfit_of

_BOUNDS = "SELECT (SELECT min(idx) FROM entry), (SELECT max(idx) FROM entry)"  # each alone is one look
_FIRST = "SELECT value FROM meta WHERE name = 'min_idx'"
_ENTRIES = (
    "SELECT CAST(leaf AS BLOB), idx, at, kind, actor, event_id, action_id, type, rule, outcome, policy_sha256, source"
    " FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx"
)
_LEAVES = "SELECT CAST(leaf AS BLOB), idx FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx"
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
_STRAY_TILES = (
    "SELECT level, n FROM tile WHERE typeof(level) <> 'integer' OR typeof(n) <> 'integer' OR n < 0"
    " OR level < 0 OR level > ?1 OR (level = 0 AND n < ?2) LIMIT 60"
)
_ORIGIN = "SELECT value FROM meta WHERE name = 'origin'"
_IS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'meta' AND type = 'table'"  # a view may never end
# What comes of the contents of a file, and not of the machine: https://sqlite.org/rescode.html
_WRITTEN: Final = frozenset(
    (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH)
)
_CACHE = "PRAGMA cache_size = -32768"  # KiB: the pages of a window, which several statements read


class SqliteEvidence(Beside, Families, PersonsBeside):
    """One view, in one read transaction that its owner begins and ends. See `receiver/audit/evidence.py`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute

    def schema(self) -> list[Misshapen]:
        """What is not as it was made."""
        from receiver.store.sqlite.schema import misshapen  # once for each verification, not for each process of one

        return misshapen(self._connection)

    def file_faults(self) -> Iterator[str]:
        """What is wrong with the file: pages, and indexes that do not fit their tables. Reads all of it."""
        from receiver.store.sqlite.schema import damage

        return damage(self._connection)

    def stray_tiles(self, top: int, first: int) -> list[tuple[Any, Any]]:
        """Tiles that belong to no tree: of no level up to `top`, or, in the lowest, before the tile `first`."""
        found: list[tuple[Any, Any]] = self._execute(_STRAY_TILES, (top, first)).fetchall()
        return found

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

    def leaves(self, start: int, end: int) -> Iterator[tuple[bytes, int]]:
        """The same without what repeats the leaf: leaf and index."""
        found: Iterator[tuple[bytes, int]] = self._execute(_LEAVES, (start, end))
        return found

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

    def signed(self) -> list[tuple[int, str]]:
        """The checkpoints of the table: size, note."""
        return [(size, bytes(note or b"").decode("utf-8", "replace")) for size, note in self._execute(_SIGNED)]

    def origin(self) -> str:
        """The name of the log."""
        row = self._execute(_ORIGIN).fetchone() if self._execute(_IS_TABLE).fetchone() else None
        if row is None or not isinstance(row[0], str):
            raise StoreUnavailable("the record does not say its log's name any more: restore a backup, or give --key")
        return row[0]


class EvidenceFile:
    """The record of a data folder, opened to be read only: nothing is migrated, signed or written."""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / "hookwarden.db"
        if not path.exists():
            raise NotFound(f"nothing is stored yet in {data_dir}; start `hookwarden serve`")
        try:
            self._connection = connect_reader(path)
        except sqlite3.Error as error:
            raise _unreadable(error) from error
        self._connection.row_factory = None

    def must_fit(self) -> None:
        """Raises StoreUnavailable where another version of the program made the record."""
        try:
            misfit = misfit_of(self._connection)
        except sqlite3.Error as error:
            raise _unreadable(error) from error
        if misfit is not None:
            raise StoreUnavailable(f"the record was {misfit}")

    @contextmanager
    def read(self) -> Iterator[SqliteEvidence]:
        """A consistent view. Raises StoreUnavailable where the file cannot be read for now, or is no database; and
        sqlite3.Error for what somebody wrote into it.
        """
        try:
            self._connection.execute(_CACHE)
            self._connection.execute("BEGIN")
            try:
                yield SqliteEvidence(self._connection)
            finally:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            if (getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF) in _WRITTEN:
                raise
            raise _unreadable(error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _unreadable(error: sqlite3.Error) -> StoreUnavailable:
    return StoreUnavailable(f"the record cannot be read: {error}; restore a backup of the file")
