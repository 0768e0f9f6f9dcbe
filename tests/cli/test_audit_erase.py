"""`hookwarden audit erase`, `prune`, `hold` and `rekey` as people run them: real processes, beside a real server."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import Program, free_port, just_now, program, run
from tests.support.receiver import TOKENS, session_event, signed, write_configuration
from tests.support.tampering import edit, filled

NAME = "Zdenka Nevymyslena"
PERSON = "customer-0815"
SESSION = "5f0c2a4e-1111-4222-8333-944455566677"


class Served:
    """A running server and its folder."""

    def __init__(self, server: Program, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.var = folder / "var"

    def send(self, event: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(event).encode()
        answer = httpx.post(f"{self.server.url}/webhooks/didit", content=body, headers=signed(body), timeout=20)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def ask(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKENS['operator']}"}
        return httpx.get(f"{self.server.url}{path}", headers=headers, timeout=20)

    def audit(self, *arguments: str, status: int = 0) -> str:
        done = run("audit", *arguments, cwd=self.folder)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def holds(self, *words: str) -> list[str]:
        """Those of the words that stand in any file of the data folder."""
        whole = b"".join(file.read_bytes() for file in self.var.iterdir() if file.is_file())
        return [word for word in words if word.encode() in whole]


POLICY: dict[str, Any] = {
    "version": 1,
    "name": "test",
    "rules": [{"id": "ask", "then": [{"label": {"add": ["seen"]}, "needs_approval": True}]}],
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    port = free_port()
    write_configuration(tmp_path, POLICY, server={"port": port})
    with program("serve", cwd=tmp_path, url=f"http://127.0.0.1:{port}") as server:
        server.await_ready()
        yield Served(server, tmp_path)


def event(**fields: Any) -> dict[str, Any]:
    return session_event(SESSION, vendor_data=PERSON, event_id="e-1", customer={"name": NAME}, **fields)


def test_a_person_is_erased_beside_a_running_server(served: Served) -> None:
    first = event()
    event_id = served.send(first)["event_id"]
    assert served.ask(f"/api/events/{event_id}").json()["raw"]["customer"]["name"] == NAME
    assert "would destroy" in served.audit("erase", PERSON, "--dry-run")
    receipt = served.folder / "receipt.json"
    said = json.loads(served.audit("erase", PERSON, "--yes", "--reason", "letter 17", "--json", "-o", str(receipt)))
    assert said == json.loads(receipt.read_text())
    assert said["scrubbed"] is True
    assert said["destroyed"]["events"] == 1
    assert served.holds(NAME, PERSON, SESSION, "letter 17") == []
    document = served.ask(f"/api/events/{event_id}").json()
    assert (document["raw"], document["event"], document["erased"]) == (None, None, True)
    assert [action["state"] for action in document["actions"]] == ["rejected"]
    assert served.ask(f"/api/sessions/{SESSION}").status_code == 404
    assert served.send(first) == {"event_id": event_id, "outcome": "duplicate"}
    assert "was erased already" in served.audit("erase", PERSON, "--yes")
    assert "nothing is kept" in served.audit("erase", "nobody", "--yes", status=1)
    assert "no session" in served.audit("erase", "--session", SESSION, "--yes", status=1)
    assert served.send({**event(), "event_id": "e-2"})["outcome"] == "accepted"
    again = json.loads(served.audit("erase", "--session", SESSION, "--yes", "--json"))
    assert again["subject_ref"] != said["subject_ref"]
    assert served.holds(NAME, PERSON, SESSION) == []


def test_a_receipt_is_checked_as_the_readme_says(served: Served) -> None:
    """With the key of the log that stands here, which is said; with none at hand, the cure."""
    served.send(event())
    served.audit("erase", "--session", SESSION, "--yes", "-o", "r.json")
    said = served.audit("prove", "--check", "r.json")
    assert "holds: entry" in said
    assert f"with the key of the log in {served.var}" in said
    assert served.audit("key").strip() in said
    elsewhere = served.folder / "elsewhere"
    elsewhere.mkdir()
    done = run("audit", "prove", "--check", str(served.folder / "r.json"), cwd=elsewhere)
    assert (done.returncode, "give the log's key" in done.stderr) == (2, True)
    other = run("audit", "prove", "--check", "r.json", "--key", "nonsense", cwd=served.folder)
    assert (other.returncode, "with the key of" in other.stderr) == (2, False)


def test_what_is_printed_is_the_receipt_that_is_written(served: Served) -> None:
    """Byte for byte, with and without --json, with every member that is documented; words go elsewhere."""
    for number, extent in enumerate(("biometric", "all")):
        served.send({**event(), "event_id": f"e-{number}"})
        done = run("audit", "erase", PERSON, "--class", extent, "--yes", "-o", "r.json", cwd=served.folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout == (served.folder / "r.json").read_text()
        assert "check" in done.stderr
        receipt = json.loads(done.stdout)
        members = "subject_ref class at actor destroyed scrubbed format idx leaf size checkpoint proof"
        assert list(receipt) == members.split()
        assert (receipt["format"], receipt["class"]) == ("hookwarden-proof/1", extent)
        printed = served.folder / "printed.json"
        printed.write_text(done.stdout)
        assert "is the erasure" in served.audit("prove", "--check", str(printed))
        printed.write_text(done.stdout.replace('"scrubbed": true,\n', ""))
        assert "lacks a member" in served.audit("prove", "--check", str(printed), status=2)


def test_a_receipt_that_cannot_be_written_stops_the_erasure(served: Served) -> None:
    served.send(event())
    nowhere = str(served.folder / "missing" / "r.json")
    assert "nothing was erased" in served.audit("erase", PERSON, "--yes", "-o", nowhere, status=2)
    kept = served.folder / "r.json"
    kept.write_text("the receipt of another erasure")
    served.audit("hold", PERSON, "--reason", "court 4711")
    served.audit("erase", PERSON, "--yes", "-o", str(kept), status=1)
    assert kept.read_text() == "the receipt of another erasure"
    assert served.holds(SESSION) == [SESSION]


def test_a_receipt_over_a_damaged_tree_has_no_proof_and_says_so(tmp_path: Path) -> None:
    """The keys are gone, and that is told; a proof that would not hold is not handed out."""
    write_configuration(tmp_path, POLICY)
    filled(tmp_path / "var", 100).close()
    edit(tmp_path / "var", "UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE level = 1")
    done = run("audit", "erase", "--session", "s-1", "--yes", cwd=tmp_path)
    receipt = json.loads(done.stdout)
    assert "is not signed any more" in done.stderr, "and nothing of it stands in the receipt"
    assert (receipt["format"], receipt["checkpoint"], receipt["proof"]) == ("hookwarden-proof/1", None, [])
    (tmp_path / "r.json").write_text(done.stdout)
    checked = run("audit", "prove", "--check", "r.json", cwd=tmp_path)
    assert (checked.returncode, "it has no checkpoint" in checked.stderr) == (2, True)


def test_without_a_yes_nothing_is_erased(served: Served) -> None:
    served.send(event())
    assert "Aborted" in served.audit("erase", PERSON, status=1)
    assert "name the person" in served.audit("erase", status=2)
    assert "name the person" in served.audit("erase", PERSON, "--session", SESSION, status=2)
    assert served.holds(SESSION) == [SESSION]


def test_biometric_data_goes_alone(served: Served) -> None:
    event_id = served.send(event(decision={"liveness_checks": [{"status": "Declined", "score": 3.5}]}))["event_id"]
    assert served.ask(f"/api/events/{event_id}").json()["event"]["liveness"]["score"] == 3.5
    served.audit("erase", PERSON, "--class", "biometric", "--yes")
    document = served.ask(f"/api/events/{event_id}").json()
    assert (document["raw"], document["event"]["liveness"], document["erased"]) == (None, None, ["biometric"])
    assert document["event"]["vendor_data"] == PERSON
    assert "erased already" in served.audit("erase", PERSON, "--class", "biometric", "--yes")


def test_who_is_to_be_erased_is_named_before_it_is_done(served: Served) -> None:
    served.send(event())
    for words, named in (((PERSON,), f"the person {PERSON}"), (("--session", SESSION), f"session {SESSION}")):
        done = run("audit", "erase", *words, cwd=served.folder)  # nobody answers
        assert (done.returncode != 0, named in done.stderr) == (True, True), done.stdout + done.stderr
    assert served.holds(SESSION) == [SESSION]


def test_who_is_held_is_not_erased(served: Served) -> None:
    served.send(event())
    said = served.audit("hold", PERSON, "--reason", "court 4711")
    assert ("legal hold 1 stands" in said, f"newest session {SESSION}" in said) == (True, True)
    assert "legal hold 1 of " in served.audit("erase", PERSON, "--yes", status=1)
    assert "legal hold 1 of " in served.audit("erase", PERSON, "--dry-run", status=1)
    (hold,) = json.loads(served.audit("holds", "--json"))["items"]
    assert (hold["reason"], hold["released_at"], hold["session_id"]) == ("court 4711", None, SESSION)
    assert SESSION in served.audit("holds")
    said = served.audit("release", PERSON)
    assert ("hold 1 is released" in said, SESSION in said) == (True, True)
    assert "no legal hold" in served.audit("release", PERSON, status=1)
    served.audit("erase", PERSON, "--yes")
    assert served.holds("court 4711", SESSION) == []
    assert json.loads(served.audit("holds", "--json"))["items"][0]["session_id"] is None
    assert "nothing is left to hold" in served.audit("hold", PERSON, "--reason", "late", status=1)


def test_a_running_server_goes_on_under_a_new_master_key(served: Served) -> None:
    event_id = served.send(event())["event_id"]
    key = (served.var / "master.key").read_text()
    assert "wrapped by the new master key" in served.audit("rekey")
    assert (served.var / "master.key").read_text() != key
    assert served.ask(f"/api/events/{event_id}").json()["raw"]["customer"]["name"] == NAME
    assert served.send({**event(), "event_id": "e-2", "vendor_data": "another"})["outcome"] == "accepted"
    assert served.send(event()) == {"event_id": event_id, "outcome": "duplicate"}
    assert served.server.terminate() == 0


def test_a_master_key_of_the_environment_and_its_rotation(tmp_path: Path) -> None:
    old, new, port = "0a" * 32, "0b" * 32, free_port()
    write_configuration(tmp_path, POLICY, server={"port": port}, audit={"master_key": "${TEST_MASTER_KEY}"})
    with program("serve", cwd=tmp_path, url=f"http://127.0.0.1:{port}", env={"TEST_MASTER_KEY": old}) as server:
        server.await_ready()
        served = Served(server, tmp_path)
        served.send(event())
        assert not (tmp_path / "var" / "master.key").exists()
        done = run("audit", "rekey", cwd=tmp_path, env={"TEST_MASTER_KEY": old})
        assert (done.returncode, "--new-key-file" in done.stderr) == (2, True)
        environment = {"TEST_MASTER_KEY": old, "HOOKWARDEN_NEW_MASTER_KEY": new}
        done = run("audit", "rekey", cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        assert "restart" in done.stdout
        body = json.dumps({**event(), "event_id": "e-2"}).encode()
        answer = httpx.post(f"{server.url}/webhooks/didit", content=body, headers=signed(body), timeout=20)
        assert answer.status_code == 503, "it cannot seal under keys that it cannot open"
    done = run("events", "list", "--json", cwd=tmp_path, env={"TEST_MASTER_KEY": old})
    assert (done.returncode, "S002" in done.stderr) == (2, True)
    done = run("events", "list", "--json", cwd=tmp_path, env={"TEST_MASTER_KEY": new})
    assert len(json.loads(done.stdout)["items"]) == 1
    assert new not in done.stdout + done.stderr


def test_a_master_key_that_is_none_is_refused_without_showing_it(tmp_path: Path) -> None:
    write_configuration(tmp_path, POLICY, audit={"master_key": "not-a-key-but-a-secret-0123456789"})
    done = run("check", cwd=tmp_path)
    assert done.returncode == 1
    assert "C005" in done.stdout + done.stderr
    assert "not-a-key-but-a-secret" not in done.stdout + done.stderr
    write_configuration(tmp_path, POLICY, audit={"master_key": "${SURELY_NOT_SET}"})
    assert "SURELY_NOT_SET" in run("serve", cwd=tmp_path).stderr


def test_pruned_entries_are_told_of(tmp_path: Path) -> None:
    port = free_port()
    write_configuration(tmp_path, server={"port": port}, audit={"retention": {"entry": "7y"}})
    with program("serve", cwd=tmp_path, url=f"http://127.0.0.1:{port}") as server:
        server.await_ready()
        served = Served(server, tmp_path)
        for number in range(140):
            served.send(session_event(f"s-{number}", event_id=f"e-{number}"))
        assert json.loads(served.audit("prune", "--json"))["classes"][0]["to"] == 0
        now = just_now()
        (row,) = json.loads(served.audit("prune", "--before", now, "--dry-run", "--json"))["classes"]
        assert (row["from"], row["to"]) == (0, 256)
        (row,) = json.loads(served.audit("prune", "--before", now, "--json"))["classes"]
        assert (row["from"], row["to"]) == (0, 256)
        later = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 2 * 86_400))
        for option in ((), ("--dry-run",)):
            assert "has not come yet" in served.audit("prune", "--before", later, *option, status=2)
        answer = served.ask("/api/audit/17")
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "pruned")
        assert "begins at 256" in answer.json()["error"]["message"]
        assert served.ask("/api/audit/256").status_code == 200
        assert served.ask("/api/audit/9999").status_code == 404
        assert "was pruned" in served.audit("show", "17", status=1)
        assert served.send(session_event("s-later", event_id="e-later"))["outcome"] == "accepted"
    with closing(sqlite3.connect(tmp_path / "var" / "hookwarden.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_without_a_limit_nothing_is_pruned(served: Served) -> None:
    served.send(event())
    assert "nothing has a limit" in served.audit("prune", status=1)
