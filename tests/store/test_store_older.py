"""A record that an earlier version made (42 invented events of the demo, schema 0002) loses nothing when opened."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from receiver.store.sqlite.store import SqliteStore, open_store
from tests.support.processes import run
from tests.support.receiver import write_configuration

SAMPLE = Path(__file__).parents[1] / "samples" / "record_before_the_tree.zip"
NOW = 1_795_100_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files as they were, and in `said.json` what the program that made them said of them."""
    with zipfile.ZipFile(SAMPLE) as archive:
        archive.extractall(tmp_path / "var")
    return tmp_path / "var"


@pytest.fixture
def said(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "said.json").read_text())
    (folder / "said.json").unlink()
    return found


def opened(folder: Path) -> SqliteStore:
    return open_store(folder, clock=lambda: NOW)


def test_every_event_and_session_reads_as_before(folder: Path, said: dict[str, Any]) -> None:
    store = opened(folder)
    with store.read() as reader:
        for event in said["events"]:
            assert reader.event(event["event_id"], raw=True) == event
        for session_id, session in said["sessions"].items():
            assert reader.session(session_id) == session
        assert reader.audit_count("") == said["entries"]
    store.close()


def test_its_record_gets_a_tree_that_verifies(folder: Path, said: dict[str, Any]) -> None:
    write_configuration(folder.parent)
    store = opened(folder)
    store.submit(lambda tx: tx.add_note("service", "test", NOW, {"act": "start"})).result()
    store.close()
    done = run("audit", "verify", "--json", cwd=folder.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["size"] == said["entries"] + 1
    assert run("audit", "prove", "0", cwd=folder.parent).returncode == 0


def test_what_it_holds_can_be_searched_counted_and_erased(folder: Path, said: dict[str, Any]) -> None:
    write_configuration(folder.parent)
    session_id = next(iter(said["sessions"]))
    found = json.loads(run("audit", "search", f"session:{session_id}", "--json", cwd=folder.parent).stdout)
    assert found["items"]
    counted = json.loads(run("audit", "count", "--by", "kind", "--json", cwd=folder.parent).stdout)
    assert "event" in json.dumps(counted)
    done = run("audit", "erase", "--session", session_id, "--yes", cwd=folder.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    after = run("audit", "search", f"session:{session_id}", "--json", cwd=folder.parent)
    assert json.loads(after.stdout)["items"] == []
    assert run("audit", "verify", cwd=folder.parent).returncode == 0


def test_before_it_is_brought_up_to_date_verify_says_what_to_do(folder: Path, said: dict[str, Any]) -> None:
    write_configuration(folder.parent)
    done = run("audit", "verify", cwd=folder.parent)
    assert done.returncode == 2
    assert "made by an older Hookwarden" in done.stderr
    assert "hookwarden events list" in done.stderr


def test_once_any_command_has_brought_it_up_to_date_it_is_signed(folder: Path, said: dict[str, Any]) -> None:
    write_configuration(folder.parent)
    assert run("events", "list", cwd=folder.parent).returncode == 0
    done = run("audit", "verify", cwd=folder.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"of {said['entries']} entries" in done.stdout


def test_a_record_of_a_newer_program_is_not_called_damaged(folder: Path, said: dict[str, Any]) -> None:
    write_configuration(folder.parent)
    opened(folder).close()
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " SELECT migration_set, '9999_later', applied_at FROM _sqlite_migrations LIMIT 1"
        )
    done = run("audit", "verify", cwd=folder.parent)
    assert done.returncode == 2
    assert "made by a newer Hookwarden" in done.stderr
