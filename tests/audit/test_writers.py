"""Several processes write to one record, one of them killed again and again: one tree, nothing lost."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from receiver.audit.note import Verifier, open_checkpoint
from receiver.store.sqlite.store import open_store
from tests.support.store_samples import NOW
from tests.support.tampering import notes_in, query, verified

KILLS = 4
EVENTS = 60


def writer(folder: Path, label: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.store_writing", "write", str(folder), label, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2])


def key_of(folder: Path) -> Verifier:
    store = open_store(folder, clock=lambda: NOW)
    store.close()
    return store.verifier


def test_four_writers_and_kills_make_one_tree_and_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    key = key_of(folder)
    steady = [writer(folder, f"steady-{number}", EVENTS) for number in range(3)]
    acknowledged: list[str] = []
    for number in range(KILLS):
        dying = writer(folder, f"dying-{number}", 0)
        assert dying.stdout is not None
        acknowledged += [dying.stdout.readline().strip() for _ in range(5)]
        time.sleep(0.02 * number)
        dying.kill()
        acknowledged += dying.communicate()[0].split("\n")[:-1]  # the last line may be cut short
    for process in steady:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        assert len(said.split()) == EVENTS
        acknowledged += said.split()
    stored = {event_id for (event_id,) in query(folder, "SELECT event_id FROM event")}
    assert set(acknowledged) - stored == set()
    verdict = verified(folder, key)
    assert [str(finding) for finding in verdict.findings] == []
    assert verdict.size == query(folder, "SELECT count(*) FROM entry")[0][0] >= 4 * len(acknowledged)
    signed = [open_checkpoint(note, key) for note in notes_in(folder / "checkpoints.log")]
    assert len({(each.size, each.root) for each in signed}) == len({each.size for each in signed})  # no two branches
