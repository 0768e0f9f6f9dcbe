"""The tree of the record, and who signs it: on real files, with real processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from receiver.audit.evidence import Kept
from receiver.audit.journal import notes
from receiver.audit.note import Checkpoint, open_checkpoint
from receiver.audit.tree import leaf_hash, root_of
from receiver.audit.verify import verify
from receiver.errors import ConfigurationError
from receiver.store.port import Transaction
from receiver.store.sqlite.evidence import EvidenceFile
from receiver.store.sqlite.migrate import migrate
from receiver.store.sqlite.notary import MS_PER_HOUR, Notary
from receiver.store.sqlite.scripts import shipped
from receiver.store.sqlite.store import SqliteStore, open_store
from tests.support.store_samples import NOW, new_event, put


def leaves(folder: Path) -> list[bytes]:
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        return [leaf for (leaf,) in connection.execute("SELECT leaf FROM entry ORDER BY idx")]


def root(folder: Path, size: int) -> bytes:
    """By the definition, from the leaves."""
    return root_of([leaf_hash(leaf) for leaf in leaves(folder)[:size]])


def logged(folder: Path, store: SqliteStore) -> list[Checkpoint]:
    text = (folder / "checkpoints.log").read_text()
    return [open_checkpoint(note, store.verifier) for note in notes(text)]


def until(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = open_store(tmp_path, clock=lambda: time.time_ns() // 1_000_000, sign_every=0.05)
    yield opened
    opened.close()


def test_what_was_committed_is_signed_without_anything_coming_after_it(tmp_path: Path, store: SqliteStore) -> None:
    for _ in range(3):
        put(store, new_event())
    size = len(leaves(tmp_path))
    assert size >= 3
    until(lambda: bool(logged(tmp_path, store)) and logged(tmp_path, store)[-1].size == size)
    assert logged(tmp_path, store)[-1].root == root(tmp_path, size)
    with store.read() as reader:
        assert reader.tree_size() == size
        note = reader.checkpoint(size)
        assert note is not None
        assert open_checkpoint(note, store.verifier).size == size
        assert reader.checkpoint(size + 1) is None


def test_every_checkpoint_is_the_root_of_what_was_there(tmp_path: Path, store: SqliteStore) -> None:
    for _ in range(300):
        put(store, new_event())
    store.close()
    signed = logged(tmp_path, store)
    assert signed[-1].size == len(leaves(tmp_path))
    assert len(signed) > 1
    for each in signed:
        assert each.root == root(tmp_path, each.size)


def test_at_most_one_in_so_many_seconds_and_one_more_at_the_end(tmp_path: Path) -> None:
    store = open_store(tmp_path, clock=lambda: NOW, sign_every=3600)
    for _ in range(5):
        put(store, new_event())
    store.close()
    first, last = logged(tmp_path, store)
    assert first.size < last.size == len(leaves(tmp_path))


def test_one_who_asks_gets_a_checkpoint_now(tmp_path: Path) -> None:
    store = open_store(tmp_path, clock=lambda: NOW, sign_every=3600)
    put(store, new_event())
    put(store, new_event())
    store.submit(lambda tx: tx.ask_checkpoint()).result()
    with store.read() as reader:
        assert reader.checkpoint(reader.tree_size()) is not None
    store.close()


def test_two_stores_of_one_folder_make_one_tree(tmp_path: Path, store: SqliteStore) -> None:
    other = open_store(tmp_path, clock=lambda: time.time_ns() // 1_000_000, sign_every=0.05)
    for n in range(100):
        put(store if n % 2 else other, new_event())
    other.close()
    store.close()
    signed = sorted(logged(tmp_path, store), key=lambda each: each.size)
    assert signed[-1].size == len(leaves(tmp_path))
    for each in signed:
        assert each.root == root(tmp_path, each.size)


def test_a_record_that_was_begun_before_the_tree_gets_one(tmp_path: Path) -> None:
    scripts = shipped()
    older = {name: sql for name, sql in scripts.items() if name < "0003"}
    path = tmp_path / "hookwarden.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, path, older)
        rows = [(n, b"leaf %d" % n, NOW, "note", "test") for n in range(700)]
        connection.executemany("INSERT INTO entry (idx, leaf, at, kind, actor) VALUES (?, ?, ?, ?, ?)", rows)
    store = open_store(tmp_path, clock=lambda: NOW)
    put(store, new_event())
    store.close()
    assert logged(tmp_path, store)[-1].root == root(tmp_path, len(leaves(tmp_path)))


def harm(folder: Path, script: str) -> None:
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        connection.executescript(script)


CUT = """
DROP TRIGGER entry_no_delete;
DELETE FROM entry WHERE idx >= 2;
DELETE FROM checkpoint;
UPDATE tile SET hashes = substr(hashes, 1, 64) WHERE level = 0;
"""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("UPDATE tile SET hashes = zeroblob(length(hashes))", "the first 10 entries are not those that were signed"),
        (CUT, "10 were signed: its end was cut off"),
    ],
)
def test_a_tree_that_does_not_continue_what_was_signed_is_not_signed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], script: str, reason: str
) -> None:
    store = open_store(tmp_path, clock=lambda: NOW)
    for _ in range(5):
        put(store, new_event())
    store.close()
    signed = logged(tmp_path, store)
    harm(tmp_path, script)
    again = open_store(tmp_path, clock=lambda: NOW)
    put(again, new_event())  # stored all the same
    again.close()
    assert logged(tmp_path, store) == signed
    assert reason in capfd.readouterr().out


def test_a_note_that_was_cut_short_by_a_crash_spoils_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path, clock=lambda: NOW)
    put(store, new_event())
    store.close()
    log = tmp_path / "checkpoints.log"
    log.write_text(log.read_text() + log.read_text()[:30])
    again = open_store(tmp_path, clock=lambda: NOW)
    put(again, new_event())
    again.close()
    assert [each.size for each in logged(tmp_path, store)][-1] == len(leaves(tmp_path))
    assert len(logged(tmp_path, store)) == 2


def test_a_log_keeps_its_name_and_its_key(tmp_path: Path) -> None:
    store = open_store(tmp_path, clock=lambda: NOW, origin="audit.example.com/face")
    put(store, new_event())
    store.close()
    assert str(store.verifier).startswith("audit.example.com/face+")
    assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigurationError, match=r"is the log 'audit.example.com/face', not 'other'"):
        open_store(tmp_path, clock=lambda: NOW, origin="other")
    (tmp_path / "signing.key").unlink()
    with pytest.raises(ConfigurationError, match="is missing, and the record is signed with it"):
        open_store(tmp_path, clock=lambda: NOW)


ON_THE_HOUR = (NOW // MS_PER_HOUR + 1) * MS_PER_HOUR


def die_before_the_log(folder: str) -> None:
    """Sign, and die of SIGKILL after the commit, before checkpoints.log. Run in a process of its own."""
    store = open_store(Path(folder), clock=lambda: ON_THE_HOUR - 1500)
    put(store, new_event("ses-1"))
    Notary.committed = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment, method-assign]  # the instant

    def sign(tx: Transaction) -> None:
        tx.add_event(new_event("ses-2"))
        tx.ask_checkpoint()

    store.submit(sign).result()


@pytest.mark.parametrize("open_all_along", [False, True])
def test_a_note_whose_process_died_before_the_log_comes_there_once(tmp_path: Path, open_all_along: bool) -> None:
    """It was the last of its hour, so that it stays in the table: no alarm may come of it, however soon we are back."""
    now = [ON_THE_HOUR - 1600]
    stores = [open_store(tmp_path, clock=lambda: now[0])]
    put(stores[0], new_event("ses-0"))
    if not open_all_along:
        stores.pop().close()
    code = f"from tests.store.test_store_tree import *; die_before_the_log({str(tmp_path)!r})"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == -9
    now[0] = ON_THE_HOUR + 500
    if not open_all_along:
        stores.append(open_store(tmp_path, clock=lambda: now[0]))
    for session in ("ses-3", "ses-4"):
        put(stores[0], new_event(session))
        now[0] += 60_000
    stores[0].close()
    sizes = [each.size for each in logged(tmp_path, stores[0])]
    assert len(set(sizes)) == len(sizes), "and none stands there twice"
    kept = [Kept("checkpoints.log", note) for note in notes((tmp_path / "checkpoints.log").read_text())]
    evidence = EvidenceFile(tmp_path)
    findings = verify(evidence.read, stores[0].verifier, journal=kept).findings
    evidence.close()
    assert not findings
