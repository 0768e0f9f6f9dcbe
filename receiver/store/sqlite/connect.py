"""Opening SQLite files the way this house uses them."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

BUSY_SECONDS: Final = 2.0  # how long a statement waits for another process's write lock
WAL_LIMIT: Final = 64 << 20  # bytes the write-ahead log is cut back to after a checkpoint

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
    return connection


def _connect(path: Path, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite itself would make it readable for others
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
