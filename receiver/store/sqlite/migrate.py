"""Bringing a database to the present schema: the numbered files of `migrations/`, each applied once, recorded.

sqlite-utils keeps the record (table `_sqlite_migrations`) and puts a savepoint around each; all of them together are
one transaction, taken with the write lock, so that of two processes that start at once the second finds all done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sqlite_utils import Database, Migrations

from receiver.store.codes import misfit
from receiver.store.sqlite import rollups, tiles, words
from receiver.store.sqlite.scripts import SET, statements


def _count(connection: sqlite3.Connection) -> None:
    words.fill(connection)
    rollups.fill(connection)


_AFTERWARDS: Final[Mapping[str, Callable[[sqlite3.Connection], None]]] = {  # what SQL alone cannot work out
    "0003_proof": tiles.fill,
    "0005_counts": _count,
}


def migrate(connection: sqlite3.Connection, path: Path, scripts: Mapping[str, str]) -> None:
    """Apply what is missing. Raises ConfigurationError if the database is newer than the program, or sqlite3.Error."""
    database = Database(connection, execute_plugins=False)
    migrations = Migrations(SET)
    for name, sql in scripts.items():
        migrations(name=name)(_step(sql, _AFTERWARDS.get(name)))
    connection.execute("BEGIN IMMEDIATE")
    try:
        unknown = [done.name for done in migrations.applied(database) if done.name not in scripts]
        if unknown:
            known = max(scripts)
            raise misfit(
                path,
                "S003",
                f"was made by a newer Hookwarden (schema {unknown[-1]}; this program knows {known}): install that one",
            )
        if migrations.pending(database):
            migrations.apply(database)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


class _step:  # noqa: N801  # used like the function that Migrations takes
    """One script as the function that sqlite-utils runs."""

    def __init__(self, sql: str, afterwards: Callable[[sqlite3.Connection], None] | None) -> None:
        self._statements = list(statements(sql))
        self._afterwards = afterwards
        self.__name__ = "step"

    def __call__(self, database: Database, /) -> None:
        for statement in self._statements:
            database.conn.execute(statement)
        if self._afterwards is not None:
            self._afterwards(database.conn)
