"""The schema of a database, held against what the migrations make.

Tables, views, triggers and indexes are code: a view in a table's place answers what its author likes, a trigger writes
what nobody asked for, an index with a condition of its own hides rows. What stands beside Hookwarden's own, attached to
none of it (a table that somebody keeps there), changes nothing and is passed over.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import lru_cache
from typing import Final, TypeAlias

from receiver.audit.shape import Misshapen
from receiver.errors import StoreUnavailable
from receiver.store.sqlite.scripts import misfit_of, shipped, statements

_Objects: TypeAlias = Mapping[str, tuple[str, str, str]]
"""Name to type, the table that it belongs to, and SQL."""

_MASTER = "SELECT name, type, tbl_name, CAST(coalesce(sql, '') AS TEXT) FROM sqlite_master"
_DONE = "_sqlite_migrations"  # sqlite-utils' own: its text is that of the version that made it
_CHECK = "PRAGMA integrity_check(50)"
_TOKENS: Final = re.compile(r"""--[^\n]*|/\*(?s:.*?)\*/|\s+|'(?:[^']|'')*'|"(?:[^"]|"")*"|[^\s'"/-]+|.""")
_SHOWN = 200  # characters of a text that somebody put there


def misshapen(connection: sqlite3.Connection) -> list[Misshapen]:
    """What is not as the migrations make it. Raises StoreUnavailable where the record says that another version of the
    program made it.
    """
    found = _objects(connection)
    if found.get(_DONE, ("",))[0] != "table":
        return [Misshapen(f"table {_DONE}", "is missing", unreadable=True)]
    misfit, right = misfit_of(connection), _made()
    if misfit is not None:
        raise StoreUnavailable(f"the record was {misfit}")
    return [*_wrong(found, right), *_put_in(found, right)]


def damage(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite finds wrong with the file itself: pages, and indexes that do not fit their tables."""
    for (line,) in connection.execute(_CHECK):
        yield from (part for part in str(line).splitlines() if part != "ok")


def _wrong(found: _Objects, right: _Objects) -> Iterator[Misshapen]:
    for name, (kind, of, sql) in right.items():
        there = found.get(name)
        where = f"{kind} {name}"
        if there is None or there[0] != kind:
            what = "is missing" if there is None else f"is a {there[0]} now"
            yield Misshapen(where, what, unreadable=kind == "table")
        elif there[1:] != (of, sql):
            yield Misshapen(where, f"was changed to {there[2][:_SHOWN]!r}", unreadable=kind == "table")


def _put_in(found: _Objects, right: _Objects) -> Iterator[Misshapen]:
    for name, (kind, of, sql) in found.items():
        if (
            name not in right and name != _DONE and of in right
        ):  # SQLite reads no schema in which this does not fit the text
            yield Misshapen(f"{kind} {name}", f"was put in on {of}: {sql[:_SHOWN]!r}", unreadable=False)


@lru_cache(maxsize=1)
def _made() -> _Objects:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for script in shipped().values():
            for statement in statements(script):
                connection.execute(statement)
        return _objects(connection)


def _objects(connection: sqlite3.Connection) -> _Objects:
    return {str(name): (kind, of, _plain(sql)) for name, kind, of, sql in connection.execute(_MASTER)}


def _plain(sql: str) -> str:
    """The text without comments and line breaks: these may differ between two versions of a migration."""
    plain = ""
    for token in _TOKENS.findall(sql):
        if not token.isspace() and not token.startswith(("--", "/*")):
            plain += token
        elif not plain.endswith(" "):
            plain += " "
    return plain.strip()
