"""Numbered migrations: applied once, all or none, and never backwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from receiver.errors import ConfigurationError
from receiver.store.sqlite.migrate import migrate
from receiver.store.sqlite.scripts import shipped, statements
from receiver.store.sqlite.store import open_store
from tests.support.store_samples import NOW, new_event, put

ONE = "CREATE TABLE one (a);\nINSERT INTO one VALUES (1);\n"
TWO = (
    "ALTER TABLE one ADD COLUMN b DEFAULT 2;\n"
    "CREATE TRIGGER one_stays BEFORE DELETE ON one BEGIN\n  SELECT 1;\n  SELECT RAISE(ABORT, 'no');\nEND;\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        yield opened


def test_a_database_of_an_older_program_is_brought_up(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, {"0001_one": ONE})
    migrate(connection, path, {"0001_one": ONE, "0002_two": TWO})
    assert connection.execute("SELECT a, b FROM one").fetchall() == [(1, 2)]
    with pytest.raises(sqlite3.IntegrityError, match="no"):
        connection.execute("DELETE FROM one")
    assert not connection.in_transaction
    names = connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id").fetchall()
    assert names == [("0001_one",), ("0002_two",)]


def test_applying_twice_changes_nothing(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, {"0001_one": ONE})
    migrate(connection, path, {"0001_one": ONE})
    assert connection.execute("SELECT count(*) FROM one").fetchone() == (1,)


def test_a_migration_that_fails_leaves_the_database_as_it_was(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, {"0001_one": ONE})
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        migrate(connection, path, {"0001_one": ONE, "0002_two": TWO, "0003_bad": "DROP TABLE missing;"})
    assert not connection.in_transaction
    assert [row[1] for row in connection.execute("PRAGMA table_info (one)")] == ["a"]
    migrate(connection, path, {"0001_one": ONE, "0002_two": TWO})


def test_a_database_of_a_newer_program_is_refused(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, {"0001_one": ONE, "0002_two": TWO})
    with pytest.raises(ConfigurationError, match=r"newer Hookwarden \(schema 0002_two; this program knows 0001_one\)"):
        migrate(connection, path, {"0001_one": ONE})
    assert not connection.in_transaction


def test_a_store_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path, clock=lambda: NOW)
    put(store, new_event())
    store.close()
    with closing(sqlite3.connect(tmp_path / "hookwarden.db")) as connection:
        connection.execute("INSERT INTO _sqlite_migrations VALUES (99, 'hookwarden', '0099_later', 'x')")
        connection.commit()
    with pytest.raises(ConfigurationError, match="0099_later"):
        open_store(tmp_path, clock=lambda: NOW)
    with closing(sqlite3.connect(tmp_path / "hookwarden.db")) as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (1,)


def test_an_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(ConfigurationError, match=r"needs SQLite 3\.35\.0 or newer"):
        open_store(tmp_path, clock=lambda: NOW)


def test_the_shipped_migrations_are_numbered_without_gaps() -> None:
    assert [int(name[:4]) for name in shipped()] == list(range(1, len(shipped()) + 1))


def test_a_script_is_split_at_its_statements_and_not_inside_them() -> None:
    found = list(statements(f"-- a; comment\nCREATE TABLE t (a);\n{TWO}CREATE TABLE u (b DEFAULT 'x;\ny');\n"))
    assert [statement.split()[-1] for statement in found] == ["(a);", "2;", "END;", "y');"]
