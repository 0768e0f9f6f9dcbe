"""A new master key: at every instant a key is found that opens keys.db: here, in other processes, after kill -9."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from receiver.errors import ConfigurationError, StoreUnavailable
from receiver.store.port import Store
from tests.support.store_samples import NAME, new_event, planned, put

Open = Callable[..., Store]


def name_in(store: Store, event_id: str) -> Any:
    with store.read() as reader:
        event: Any = reader.event(event_id, raw=True)
    return event["raw"] and event["raw"]["name"]


def wrapped(folder: Path) -> list[bytes]:
    with closing(sqlite3.connect(folder / "keys.db")) as connection:
        rows = connection.execute("SELECT wrapped, biometric FROM subject_key").fetchall()
        rows += connection.execute("SELECT wrapped, wrapped FROM secret WHERE name = 'index'").fetchall()
    return [each for row in rows for each in row]


def filled(store: Store) -> list[str]:
    events = [new_event(f"ses-{number}", subject=f"person-{number}") for number in range(5)]
    for new in events:
        put(store, new, planned(biometric=True))
    return [new.event_id for new in events]


def locked_by_the_master_key(folder: Path) -> list[bytes]:
    with closing(sqlite3.connect(folder / "keys.db")) as connection:
        return [row[0] for row in connection.execute("SELECT wrapped FROM secret WHERE name = 'kek'")]


def as_before_there_was_a_key_between(folder: Path) -> None:
    """Bring keys.db into the form of older programs: the master key itself wraps everything."""
    master = bytes.fromhex((folder / "master.key").read_text())
    with closing(sqlite3.connect(folder / "keys.db")) as connection:
        ((kek,),) = connection.execute("SELECT wrapped FROM secret WHERE name = 'kek'").fetchall()
        old, new = AESGCM(AESGCM(master).decrypt(kek[:12], kek[12:], b"key-encryption key")), AESGCM(master)

        def anew(wrapped: bytes, place: bytes) -> bytes:
            return wrapped[:12] + new.encrypt(wrapped[:12], old.decrypt(wrapped[:12], wrapped[12:], place), place)

        ((index,),) = connection.execute("SELECT wrapped FROM secret WHERE name = 'index'").fetchall()
        connection.execute("UPDATE secret SET wrapped = ? WHERE name = 'index'", (anew(index, b"index secret"),))
        for ref, one, two in connection.execute("SELECT ref, wrapped, biometric FROM subject_key").fetchall():
            values = anew(one, b"subject key" + ref), anew(two, b"biometric key" + ref), ref
            connection.execute("UPDATE subject_key SET wrapped = ?, biometric = ? WHERE ref = ?", values)
        connection.execute("DELETE FROM secret WHERE name = 'kek'")
        connection.commit()


@pytest.mark.parametrize("whole", [False, True])
def test_everything_is_read_as_before_under_the_new_key(
    store: Store, reopen: Open, data_dir: Path, whole: bool
) -> None:
    ids, before, key = filled(store), wrapped(data_dir), (data_dir / "master.key").read_text()
    other = reopen()
    assert name_in(other, ids[0]) == NAME
    locked = locked_by_the_master_key(data_dir)
    assert store.rekey(None, "cli:ana", whole=whole) == 5
    assert locked_by_the_master_key(data_dir) != locked
    assert len(set(before) & set(wrapped(data_dir))) == (0 if whole else 11), "one row, or all of them"
    assert (data_dir / "master.key").read_text() != key
    assert not (data_dir / "master.key.new").exists()
    for each in (store, other, reopen()):
        assert [name_in(each, event_id) for event_id in ids] == [NAME] * 5
        new = new_event("ses-later", subject=f"later-{id(each)}")
        put(each, new)
        assert name_in(store, new.event_id) == NAME
        known = each.submit(lambda tx: tx.find_person("person-0", None, "all")).result()
        assert known.personal, "persons are found as before"
    with store.read() as reader:
        kinds = [(entry["kind"], entry["actor"]) for entry in reader.audit(ascending=True).items]
    assert kinds.count(("key", "cli:ana")) == 1


def test_the_old_key_opens_nothing_any_more(store: Store, reopen: Open, data_dir: Path) -> None:
    filled(store)
    key = (data_dir / "master.key").read_text()
    store.rekey(None, "cli:ana")
    store.scrub(5)
    store.close()
    (data_dir / "master.key").write_text(key)
    with pytest.raises(ConfigurationError, match="S002"):
        reopen()


def test_a_key_can_be_given(store: Store, data_dir: Path) -> None:
    filled(store)
    store.rekey(b"n" * 32, "cli:ana")
    assert (data_dir / "master.key").read_text() == (b"n" * 32).hex() + "\n"
    assert ((data_dir / "master.key").stat().st_mode & 0o777) == 0o600


def test_where_the_key_is_given_others_are_told_to_restart(reopen: Open, data_dir: Path) -> None:
    first, second = reopen(master_key=b"a" * 32), reopen(master_key=b"a" * 32)
    ids = filled(first)
    assert name_in(second, ids[0]) == NAME
    first.rekey(b"b" * 32, "cli:ana")
    assert name_in(first, ids[0]) == NAME
    with pytest.raises(StoreUnavailable, match="restart with that one"):
        name_in(second, ids[0])
    with pytest.raises(StoreUnavailable, match="restart with that one"):
        put(second, new_event("ses-x"))
    assert not (data_dir / "master.key").exists()
    with pytest.raises(ConfigurationError, match="S002"):
        reopen(master_key=b"a" * 32)
    assert name_in(reopen(master_key=b"b" * 32), ids[0]) == NAME


@pytest.mark.parametrize("options", [(), ("--all",)])
@pytest.mark.parametrize(("after", "changed"), [("stage", False), ("keys", True), ("main", True)])
def test_kill_9_leaves_one_key_that_fits(
    reopen: Open, data_dir: Path, after: str, changed: bool, options: tuple[str, ...]
) -> None:
    store = reopen()
    ids, key = filled(store), (data_dir / "master.key").read_text()
    before, persons = locked_by_the_master_key(data_dir), wrapped(data_dir)
    store.close()
    command = [sys.executable, "-m", "tests.support.rekeying_killed", str(data_dir), after, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -9, done.stderr
    store = reopen()
    assert [name_in(store, event_id) for event_id in ids] == [NAME] * 5
    assert (locked_by_the_master_key(data_dir) != before) is changed
    assert ((data_dir / "master.key").read_text() != key) is changed
    assert (not set(persons) & set(wrapped(data_dir))) is (changed and "--all" in options), "all of them, or none"
    store.rekey(None, "cli:ana")
    assert name_in(reopen(), ids[4]) == NAME
    with store.read() as reader:
        keys = [entry for entry in reader.audit().items if entry["kind"] == "key"]
    assert len(keys) >= (2 if changed else 1)
    assert {entry["outcome"] for entry in keys} == {"rotated"}


def test_the_signing_key_is_noted_once(store: Store) -> None:
    assert store.submit(lambda tx: tx.note_signing_key("00ff", "engine", 1)).result()
    assert not store.submit(lambda tx: tx.note_signing_key("00ff", "engine", 1)).result()
    with store.read() as reader:
        (entry,) = reader.audit().items
    assert (entry["kind"], entry["outcome"]) == ("key", "made")


@pytest.mark.parametrize("after", ["stage", "keys", "main"])
def test_a_second_rotation_keeps_the_key_that_a_killed_one_left(reopen: Open, data_dir: Path, after: str) -> None:
    """A server that was open all along replaces the key after another process died in the middle of it."""
    server = reopen()
    ids = filled(server)
    command = [sys.executable, "-m", "tests.support.rekeying_killed", str(data_dir), after]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -9, done.stderr
    assert (data_dir / "master.key.new").exists()
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -9, "killed once more"
    server.rekey(None, "cli:ana")
    assert not (data_dir / "master.key.new").exists()
    for each in (server, reopen()):
        assert [name_in(each, event_id) for event_id in ids] == [NAME] * 5


def test_a_rotation_beside_an_open_store_never_drops_the_only_key(reopen: Open, data_dir: Path) -> None:
    first, second = reopen(), reopen()
    ids = filled(first)
    command = [sys.executable, "-m", "tests.support.rekeying_killed", str(data_dir), "main"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == -9
    with sqlite3.connect(data_dir / "hookwarden.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")  # the second rotation fails before it wraps anything
        with pytest.raises(StoreUnavailable, match="locked"):
            second.rekey(None, "cli:ana")
        other.execute("ROLLBACK")
    assert name_in(reopen(), ids[0]) == NAME


def test_keys_of_an_older_program_go_on_and_get_a_key_between(store: Store, reopen: Open, data_dir: Path) -> None:
    ids = filled(store)
    store.close()
    as_before_there_was_a_key_between(data_dir)
    store, before, master = reopen(), wrapped(data_dir), (data_dir / "master.key").read_text()
    assert [name_in(store, event_id) for event_id in ids] == [NAME] * 5
    put(store, new_event("ses-more", subject="one more"))
    assert not locked_by_the_master_key(data_dir)
    assert store.rekey(None, "cli:ana") == 6
    assert not set(before) & set(wrapped(data_dir)), "what the old master key wrapped itself is gone"
    once = wrapped(data_dir)
    assert store.rekey(None, "cli:ana") == 6
    assert wrapped(data_dir) == once
    assert [name_in(reopen(), event_id) for event_id in ids] == [NAME] * 5
    store.close()
    (data_dir / "master.key").write_text(master)
    with pytest.raises(ConfigurationError, match="S002"):
        reopen()
