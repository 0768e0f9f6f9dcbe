"""Whatever is erased, pruned, held or locked anew: the record verifies, and what was proved before still is.

By the commands, one after another, beside a real server that takes in more all the while.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from receiver.audit.note import Verifier
from receiver.audit.offline import check_file
from tests.support.processes import free_port, just_now, program, run
from tests.support.receiver import (
    TOKENS,
    await_that,
    liveness,
    running,
    session_event,
    signed,
    write_configuration,
)

NAME = "Zdenka Nevymyslena"
POLICY: dict[str, Any] = {
    "version": 1,
    "name": "test",
    "rules": [
        {"id": "attack", "tags": ["LIVENESS_FACE_ATTACK"], "then": [{"label": {"add": ["seen"]}}]},
        {"id": "look", "then": [{"review": {"queue": "odd", "reason": "{{ event.vendor_data }}"}}], "tags": ["ODD"]},
    ],
}
PERSONS = 60  # so many entries that the first tile of 256 is full


def delivery(number: int) -> dict[str, Any]:
    decision = liveness("LIVENESS_FACE_ATTACK")
    return session_event(
        f"session-{number}",
        vendor_data=f"person-{number}",
        event_id=f"e-{number}",
        customer={"name": NAME},
        decision=decision,
    )


class Record:
    """A record that a server is writing to, with what was proved of it so far."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.sent = 0
        self.proofs: list[Path] = []
        self.key = self.audit("key").strip()

    def send(self) -> None:
        """One more delivery of one more person, decided and acted upon."""
        body = json.dumps(delivery(self.sent)).encode()
        answer = httpx.post(f"{self.url}/webhooks/didit", content=body, headers=signed(body), timeout=20)
        assert answer.status_code == 200, answer.text
        self.sent += 1

    def settle(self) -> None:
        """Wait until no action is under way: what is not finished is not pruned."""
        headers = {"Authorization": f"Bearer {TOKENS['operator']}"}

        def idle() -> bool:
            states = ("planned", "running", "waiting_retry")
            answers = [
                httpx.get(f"{self.url}/api/actions?state={state}", headers=headers, timeout=20) for state in states
            ]
            return not any(answer.json()["items"] for answer in answers)

        await_that(idle)

    def audit(self, *arguments: str) -> str:
        done = run("audit", *arguments, cwd=self.folder)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def prove(self, *arguments: str) -> None:
        """Have something proved, and keep the file."""
        name = f"proof-{len(self.proofs)}.json"
        self.audit(*arguments, "-o", name)
        self.proofs.append(self.folder / name)

    def retain(self, **limits: str) -> None:
        """Another `audit.retention`, for the commands that follow."""
        path = self.folder / "config.yaml"
        document = json.loads(path.read_text())
        document["audit"] = {"retention": {name.replace("_", "."): limit for name, limit in limits.items()}}
        path.write_text(json.dumps(document))

    def holds(self) -> None:
        """The record is intact, an export of it holds alone, and so does all that was proved before."""
        self.send()
        verdict = json.loads(self.audit("verify", "--json", "--checkpoint", "kept.txt"))
        assert (verdict["verdict"], verdict["findings"]) == ("intact", [])
        self.prove("export")
        for proof in self.proofs:
            assert check_file(proof, Verifier.read(self.key))


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    port = free_port()
    write_configuration(tmp_path, POLICY, server={"port": port})
    with program("serve", cwd=tmp_path, url=f"http://127.0.0.1:{port}") as server:
        server.await_ready()
        made = Record(tmp_path, server.url)
        for _ in range(PERSONS):
            made.send()
        made.settle()
        for idx in ("0", "255", "256"):
            made.prove("prove", idx)
        shutil.copy(tmp_path / "var" / "checkpoints.log", tmp_path / "kept.txt")
        made.prove("export")
        yield made


def test_the_record_is_intact_after_every_deed(record: Record) -> None:
    def receipt(*arguments: str) -> None:
        record.prove("erase", *arguments, "--yes", "--reason", "letter 17")
        record.holds()

    record.audit("hold", "person-1", "--reason", "court 4711")
    record.audit("release", "person-1")
    record.holds()
    receipt("person-2", "--class", "biometric")
    receipt("person-2")
    receipt("--session", "session-3")
    for rotation in ((), ("--all",)):
        record.audit("rekey", *rotation)
        record.holds()
    record.retain(blob_biometric="90d")
    (row,) = json.loads(record.audit("prune", "--before", just_now(), "--json"))["classes"]
    assert row["contents"] >= PERSONS - 3
    record.holds()
    record.retain(blob_pii="5y")
    (row,) = json.loads(record.audit("prune", "--before", just_now(), "--json"))["classes"]
    assert row["keys"] >= PERSONS - 3
    record.holds()
    record.settle()
    record.retain(entry="7y")
    (row,) = json.loads(record.audit("prune", "--before", just_now(), "--json"))["classes"]
    assert (row["from"], row["to"] >= 256) == (0, True)
    record.holds()
    record.audit("rekey", "--all")
    record.holds()
    assert record.audit("verify", "--export", str(record.proofs[-1]), "--key", record.key).startswith("holds: ")
    record.prove("prove", "--from", "256")
    assert "the first 256 of" in record.audit("prove", "--check", str(record.proofs[-1]))


@pytest.mark.parametrize(("after", "changed"), [("stage", False), ("keys", True), ("main", True)])
def test_kill_9_in_a_rotation_of_all_keys_leaves_everything_readable(tmp_path: Path, after: str, changed: bool) -> None:
    with running(tmp_path, POLICY) as receiver:
        ids = [receiver.send(delivery(number)).json()["event_id"] for number in range(5)]
    key = (tmp_path / "var" / "master.key").read_text()
    command = [sys.executable, "-m", "tests.support.rekeying_killed", str(tmp_path), after, "--all"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -9, done.stderr
    with running(tmp_path, POLICY) as receiver:
        assert [receiver.event(event_id)["raw"]["customer"]["name"] for event_id in ids] == [NAME] * 5
        assert receiver.send(delivery(1)).json()["outcome"] == "duplicate", "deliveries are known by the same secret"
    assert ((tmp_path / "var" / "master.key").read_text() != key) is changed
    assert not (tmp_path / "var" / "master.key.new").exists() or not changed
    done = run("audit", "rekey", "--all", cwd=tmp_path)
    assert (done.returncode, "the keys of 5 persons" in done.stdout) == (0, True), done.stderr
    done = run("audit", "verify", cwd=tmp_path)
    assert (done.returncode, "The record is intact" in done.stdout) == (0, True), done.stderr
