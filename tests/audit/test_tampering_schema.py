"""Tampering with what is code in a database (tables, views, triggers, indexes), and with values so that reading them
goes wrong: verification tells of it, and neither hangs nor fails.
"""

# ruff: noqa: S608  # statements of a forger, made of constants

from __future__ import annotations

import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from receiver.audit.note import Signer, Verifier
from receiver.errors import StoreUnavailable
from receiver.store.sqlite.store import open_store
from tests.support.processes import run
from tests.support.receiver import write_configuration
from tests.support.store_samples import NOW, new_event, put
from tests.support.tampering import edit, filled, notes_in, query, verified

SAMPLE = Path(__file__).parents[1] / "samples" / "record_before_the_tree.zip"
ENDLESS = "WITH RECURSIVE r (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r)"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Verifier]:
    folder = tmp_path_factory.mktemp("pristine") / "var"
    store = filled(folder, 80, sign_every=3600)
    store.submit(lambda tx: tx.ask_checkpoint()).result(10)
    store.close()
    return folder, store.verifier


SHAPES = {
    "view": ("DROP VIEW v_events", "CREATE VIEW v_events AS SELECT * FROM event WHERE session_id <> 's-3'"),
    "view gone": ("DROP VIEW v_audit",),
    "trigger": ("CREATE TRIGGER hide AFTER INSERT ON event BEGIN UPDATE event SET session_id = NULL; END",),
    "index": ("DROP INDEX event_session", "CREATE INDEX event_session ON event (session_id, n) WHERE n > 9"),
    "index put in": ("CREATE UNIQUE INDEX once ON event (session_id)",),
    "endless table": (
        "ALTER TABLE policy RENAME TO p0",
        f"CREATE VIEW policy AS {ENDLESS} SELECT x AS sha256, 'a' AS name, 't' AS text, 1 AS at FROM r",
    ),
    "endless hours": (
        "ALTER TABLE entry_hour RENAME TO h0",
        f"CREATE VIEW entry_hour AS SELECT * FROM h0 WHERE ({ENDLESS} SELECT count(*) FROM r) > 0",
    ),
    "endless meta": (
        "ALTER TABLE meta RENAME TO m0",
        f"CREATE VIEW meta AS {ENDLESS} SELECT 'x' AS name, x AS value FROM r",
    ),
    "endless migrations": (
        "ALTER TABLE _sqlite_migrations RENAME TO m0",
        f"CREATE VIEW _sqlite_migrations AS {ENDLESS} SELECT 'x' AS name, 'hookwarden' AS migration_set FROM r",
    ),
}


@pytest.mark.parametrize("quick", [False, True], ids=["whole", "quick"])
@pytest.mark.parametrize("how", SHAPES)
def test_a_schema_that_was_changed_is_told(folder: Path, key: Verifier, how: str, quick: bool) -> None:
    edit(folder, *SHAPES[how])
    assert "schema" in verified(folder, key, quick=quick).counts


def test_triggers_that_were_dropped_are_told(folder: Path, key: Verifier) -> None:
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        connection.execute("DROP TRIGGER entry_no_update")
        connection.execute("DROP TRIGGER entry_no_delete")
    assert [str(finding) for finding in verified(folder, key).findings] == [
        "trigger entry_no_update: is missing",
        "trigger entry_no_delete: is missing",
    ]


def test_a_trigger_that_says_it_is_on_another_table_lets_nobody_in(folder: Path, key: Verifier) -> None:
    """It would pass for somebody's own; but SQLite reads no schema that contradicts itself."""
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        connection.execute("CREATE TABLE mine (a)")
        connection.execute("CREATE TRIGGER hide AFTER INSERT ON event BEGIN DELETE FROM event; END")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET tbl_name = 'mine' WHERE name = 'hide'")
        connection.commit()
    with pytest.raises(StoreUnavailable, match="malformed database schema"):
        verified(folder, key)


def test_what_somebody_keeps_beside_the_record_is_nobodys_finding(folder: Path, key: Verifier) -> None:
    edit(
        folder,
        "CREATE TABLE mine (a PRIMARY KEY, b)",
        "CREATE INDEX mine_b ON mine (b)",
        "CREATE VIEW my_events AS SELECT * FROM v_events",
        "ANALYZE",
    )
    assert verified(folder, key).fine


def test_an_index_that_lacks_rows_is_told_by_looking_at_the_file(folder: Path, key: Verifier) -> None:
    """Its text is right, its rows are those of another condition: only SQLite's own check sees that."""
    (right,) = query(folder, "SELECT sql FROM sqlite_master WHERE name = 'event_session'")[0]
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        connection.execute("DROP INDEX event_session")
        connection.execute("CREATE INDEX event_session ON event (session_id, n) WHERE session_id <> 's-3'")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'event_session'", (right,))
        connection.commit()
    assert "schema" not in verified(folder, key).counts
    said = [str(finding) for finding in verified(folder, key, file=True).findings if finding.kind == "file"]
    assert any("missing from index event_session" in finding for finding in said)
    assert verified(folder, key, file=True, quick=True).counts["file"] == len(said)


def test_a_record_of_before_the_tree_says_so_and_verifies_once_it_is_up_to_date(tmp_path: Path) -> None:
    zipfile.ZipFile(SAMPLE).extractall(tmp_path)
    with pytest.raises(StoreUnavailable, match="older Hookwarden"):
        verified(tmp_path, Signer("x", Ed25519PrivateKey.generate()).verifier)
    store = open_store(tmp_path, clock=lambda: NOW)
    store.submit(lambda tx: tx.ask_checkpoint()).result(10)
    store.close()
    assert verified(tmp_path, store.verifier, file=True).findings == ()


def test_a_database_that_says_it_is_older_or_newer_than_it_is(folder: Path, key: Verifier) -> None:
    edit(folder, "DELETE FROM _sqlite_migrations WHERE name = (SELECT max(name) FROM _sqlite_migrations)")
    with pytest.raises(StoreUnavailable, match="older Hookwarden"):
        verified(folder, key)
    edit(folder, "UPDATE _sqlite_migrations SET name = '0099_later' WHERE name = '0002_decision_rules'")
    with pytest.raises(StoreUnavailable, match=r"newer Hookwarden \(schema 0099_later"):
        verified(folder, key)


NONSENSE = {
    "ref text": (
        "UPDATE event SET subject_ref = 'abc' WHERE n = 3",
        "UPDATE payload SET body = NULL WHERE n = 3",
    ),
    "ref number": (
        "UPDATE event SET subject_ref = 9000000000000 WHERE n = 3",
        "UPDATE payload SET body = NULL WHERE n = 3",
    ),
    "attempt": ("UPDATE attempt SET n = 'x'",),
    "attempt null": ("UPDATE attempt SET n = 1.5, outcome = NULL",),
    "tags": ("UPDATE event SET tags = x'ff00'",),
    "count": ("UPDATE rollup SET n = 'x'", "UPDATE rollup SET day = 'x' WHERE kind = 'tag'"),
    "hour": ("UPDATE entry_hour SET first_idx = x'ff'",),
    "checkpoint": ("INSERT INTO checkpoint VALUES (-5, 'x', 7)",),
    "fact": ("INSERT INTO entry_fact VALUES (x'ff', 'q')",),
    "session": ("UPDATE session_ref SET idx = 'q' WHERE idx = 3",),
    "tally": ("UPDATE tally SET n = 'a'",),
    "case": ("UPDATE event SET session_id = x'ff' WHERE n = 3",),
    "tile": ("INSERT INTO tile VALUES (0, 'abc', x'00')",),
    "tile of no level": ("INSERT INTO tile VALUES (70, 0, x'00')",),
    "tile below": ("INSERT INTO tile VALUES (0, -1, x'00')",),
    "leaf": ("UPDATE entry SET leaf = 7 WHERE idx = 3",),
    "at": ("UPDATE entry SET at = 'x', kind = 5 WHERE idx = 3",),
}


@pytest.mark.parametrize("how", NONSENSE)
def test_nonsense_is_a_finding_and_no_failure(folder: Path, key: Verifier, how: str) -> None:
    edit(folder, *NONSENSE[how])
    assert not verified(folder, key).fine


def test_a_page_that_was_overwritten_is_a_finding(folder: Path, key: Verifier) -> None:
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'rollup'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with (folder / "hookwarden.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert "unreadable" in verified(folder, key).counts


def test_notes_that_stand_there_many_times_count_once(folder: Path, key: Verifier) -> None:
    before = verified(folder, key)
    log = folder / "checkpoints.log"
    assert before.notes == len(set(notes_in(log)))
    log.write_text(log.read_text() * 400)
    after = verified(folder, key)
    assert (after.fine, after.notes) == (True, before.notes)


def test_the_command_tells_of_it_too(tmp_path: Path) -> None:
    write_configuration(tmp_path)
    store = filled(tmp_path / "var", 5)
    put(store, new_event("one"))
    store.close()
    shutil.copytree(tmp_path / "var", tmp_path / "kept")
    done = run("audit", "verify", "--file", cwd=tmp_path)
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "The record is intact")
    for statements, said in (
        (SHAPES["endless meta"], "log's name"),
        (SHAPES["view"], "view v_events"),
        (("UPDATE meta SET value = 'evil' || char(10) || '1' WHERE name = 'origin'",), "log's name"),
    ):
        edit(tmp_path / "var", *statements)
        done = run("audit", "verify", cwd=tmp_path)
        assert done.returncode in (1, 2)
        assert said in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        shutil.rmtree(tmp_path / "var")
        shutil.copytree(tmp_path / "kept", tmp_path / "var")
