"""Records on disk, and hands that edit them as somebody with write access to the files would."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from receiver.audit.evidence import Kept, Known
from receiver.audit.findings import Verdict
from receiver.audit.journal import placed
from receiver.audit.note import Verifier
from receiver.audit.tree import grow, leaf_hash
from receiver.audit.verify import verify
from receiver.store.sqlite.evidence import EvidenceFile
from receiver.store.sqlite.store import SqliteStore, open_store
from tests.support.store_samples import NOW, POLICY, POLICY_TEXT, claim_all, ending, new_event, planned, record, settle

HOUR = 3_600_000
EDITED_LEAF = "UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'didit', 'tidid') AS BLOB) WHERE idx = 20"


def filled(folder: Path, events: int = 250, **options: Any) -> SqliteStore:
    """A store with 4 entries an event, more where actions ran."""
    store = open_store(folder, clock=lambda: NOW, **options)
    store.submit(lambda tx: tx.add_policy(POLICY.sha256, POLICY.name, POLICY_TEXT, "ana", NOW)).result(30)
    waiting = []
    for number in range(events):
        new = new_event(f"s-{number}", at=NOW + number * 60_000, tags=[f"TAG_{number % 5}", "ALWAYS"])
        waiting.append(store.submit(partial(record, new=new, actions=[planned(), planned(rule="ring")])))
    for future in waiting:
        future.result(30)
    for claim in claim_all(store, at=NOW + 10 * HOUR, limit=5):
        settle(store, claim, ending("done", NOW + 10 * HOUR, result={"n": 1}))
    return store


def copied(record_dir: Path, folder: Path) -> Path:
    """A copy to be edited."""
    shutil.copytree(record_dir, folder)
    return folder


def edit(folder: Path, *statements: str, values: tuple[Any, ...] = ()) -> None:
    """Run statements as SQLite's own shell would, without the triggers that hold honest programs back."""
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement, values if "?" in statement else ())
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()


def query(folder: Path, sql: str, *values: Any) -> list[Any]:
    """What a statement answers."""
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        return connection.execute(sql, values).fetchall()


def rebuild_tiles(folder: Path) -> None:
    """Make the tree fit the leaves again, as a careful forger would."""
    with closing(sqlite3.connect(folder / "hookwarden.db")) as connection:
        leaves = [leaf_hash(leaf) for (leaf,) in connection.execute("SELECT leaf FROM entry ORDER BY idx")]
        connection.execute("DELETE FROM tile")
        rows = [(level, number, tile) for (level, number), tile in grow(0, leaves, {})]
        connection.executemany("INSERT INTO tile VALUES (?, ?, ?)", rows)
        connection.commit()


def notes_in(path: Path) -> list[str]:
    """The notes of checkpoints.log."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [note for _, note in placed(file)]


def verified(
    folder: Path, key: Verifier, *kept: str, since: Known | None = None, quick: bool = False, file: bool = False
) -> Verdict:
    """Verify a data folder with everything in it."""
    evidence = EvidenceFile(folder)
    journal = [Kept(f"checkpoints.log, note {n}", note) for n, note in enumerate(notes_in(folder / "checkpoints.log"))]
    try:
        return verify(
            evidence.read,
            key,
            journal=journal,
            kept=[Kept("kept elsewhere", note) for note in kept],
            since=since,
            quick=quick,
            file=file,
        )
    finally:
        evidence.close()
