"""Opening SQLite files the way this house uses them."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

BUSY_SECONDS: Final = 2.0  # how long a statement waits for another process's write lock
WAL_LIMIT: Final = 64 << 20  # bytes the write-ahead log is cut back to after a checkpoint
READER_CACHE: Final = 8192  # KiB; SQLite's 2000 were measured to cost searches a quarter more, 16384 to save no more

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit is on disk when it returns
    "PRAGMA foreign_keys = ON",
    "PRAGMA wal_autocheckpoint = 16000",  # pages: larger than SQLite's 1000, measured x1.3 on inserts
    f"PRAGMA journal_size_limit = {WAL_LIMIT}",
    "PRAGMA cache_size = -16384",  # KiB
    "PRAGMA temp_store = MEMORY",  # savepoints else spill their undo pages to a file: measured
)
_KEY_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",  # a destroyed key is overwritten, not only unlinked
)


class Mooring:
    """The files that were opened, by inode: one that is deleted or replaced while we run would go on taking writes that
    nobody finds again.
    """

    def __init__(self, *paths: Path) -> None:
        self._inodes = {path: path.stat().st_ino for path in paths}

    def check(self) -> None:
        """Raises sqlite3.OperationalError when a file is no longer the one that was opened."""
        for path, inode in self._inodes.items():
            try:
                same = os.stat(path).st_ino == inode  # noqa: PTH116  # twice as fast, and asked for every commit
            except OSError:
                same = False
            if not same:
                raise sqlite3.OperationalError(f"{path.name} was deleted or replaced while it was open; restart")


def connect_main(path: Path) -> sqlite3.Connection:
    """The main database, to be written. Transactions are begun by hand."""
    return _connect(path, _PRAGMAS)


def connect_keys(path: Path) -> sqlite3.Connection:
    """The key database, to be written."""
    return _connect(path, _KEY_PRAGMAS)


def connect_reader(path: Path) -> sqlite3.Connection:
    """The main database, to be read only."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA cache_size = -{READER_CACHE}")
    return connection


def _make(path: Path) -> None:
    """Make a file that is not there, readable by nobody else; SQLite itself would let others read it.

    One that is there is not opened: closing it again would drop every lock that this process holds on it (POSIX), and
    another process would take the write-ahead log for unused and delete it, with commits in it.
    See https://sqlite.org/howtocorrupt.html section 2.2.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return


def _connect(path: Path, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    _make(path)
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        for pragma in pragmas:
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
