"""The numbered files of `migrations/`, and the statements in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib import resources
from typing import Final

SET: Final = "hookwarden"
_IS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations' AND type = 'table'"
_APPLIED = "SELECT name FROM _sqlite_migrations WHERE migration_set = ?"


def shipped() -> dict[str, str]:
    """The migrations of this program: name (such as `0001_first`) to SQL, in order."""
    folder = resources.files("receiver.store.sqlite") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return {file.name.removesuffix(".sql"): file.read_text(encoding="utf-8") for file in files}


def statements(sql: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would commit what is open."""
    waiting = ""
    for line in sql.splitlines(keepends=True):
        waiting += line
        if sqlite3.complete_statement(waiting):
            yield waiting
            waiting = ""
    if waiting.strip():
        raise ValueError("the last statement of the script has no end")


def misfit_of(connection: sqlite3.Connection) -> str | None:
    """Why a database that is only to be read is not of this program's schema; None: it is."""
    known = shipped().keys()
    if connection.execute(_IS_TABLE).fetchone() is None:  # a view, which may never end: verifying tells of it
        return None
    applied = {str(name) for (name,) in connection.execute(_APPLIED, (SET,))}
    if later := applied - known:
        return f"made by a newer Hookwarden (schema {max(later)}; this program knows {max(known)}): install that one"
    if known - applied:
        return (
            "made by an older Hookwarden: start `hookwarden serve`, or run `hookwarden events list`, which brings it up"
            " to date; then verify"
        )
    return None
