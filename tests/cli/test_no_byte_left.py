"""What is destroyed is in no file any more: not in a database, its log or journal, nor in a copy that nobody asked for.

By the commands, beside a real server that has the files open. Everything under the folder is read, logs of the program
too, and what the server holds open without a name.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support.processes import Program, free_port, just_now, program, run
from tests.support.receiver import TOKENS, await_that, liveness, session_event, signed, write_configuration

NAME = "Zdenka Nevymyslena"
REASON = "letter 17 of the lawyers"
POLICY: dict[str, Any] = {
    "version": 1,
    "name": "test",
    "rules": [
        {
            "id": "attack",
            "tags": ["LIVENESS_FACE_ATTACK"],
            "then": [
                {"review": {"queue": "odd", "reason": "{{ event.vendor_data }}"}},
                {"label": {"add": ["seen"]}, "needs_approval": True},
            ],
        }
    ],
}
# all that a data folder has; a database that is open has a log (-wal) and an index of it (-shm), and never a journal
FILES = {f"{name}.db{part}" for name in ("hookwarden", "keys") for part in ("", "-wal", "-shm")}
FILES |= {"master.key", "master.key.lock", "publication.lock", "signing.key", "checkpoints.log", "verified.json"}


@dataclass(frozen=True)
class Person:
    """What can be known of one: words, and bytes of each class."""

    words: tuple[bytes, ...]
    personal: tuple[bytes, ...]  # the key, wrapped and in the clear, and what it sealed
    biometric: tuple[bytes, ...]


class Home:
    """A folder with a server at work in it."""

    def __init__(self, folder: Path, server: Program, *states: str) -> None:
        self.folder = folder
        self.states = sorted(states)  # in which the actions of a delivery come to rest
        self.server = server
        self.var = folder / "var"

    def audit(self, *arguments: str) -> str:
        done = run("audit", *arguments, cwd=self.folder)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def rows(self, database: str, sql: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.var / database)) as connection:
            return connection.execute(sql, values).fetchall()

    def send(self, number: int) -> Person:
        """A delivery of a person of their own, and what is on disk of it afterwards."""
        session, subject = f"session-of-{number:04}", f"customer-{number:04}"
        decision = liveness("LIVENESS_FACE_ATTACK")
        fields = {"vendor_data": subject, "event_id": f"e-{number}", "customer": {"name": NAME}, "decision": decision}
        body = json.dumps(session_event(session, **fields)).encode()
        answer = httpx.post(f"{self.server.url}/webhooks/didit", content=body, headers=signed(body), timeout=20)
        assert answer.status_code == 200, answer.text
        self._await_rest(answer.json()["event_id"])
        return self._person(session, subject)

    def _await_rest(self, event_id: str) -> None:
        headers = {"Authorization": f"Bearer {TOKENS['operator']}"}

        def settled() -> bool:
            event = httpx.get(f"{self.server.url}/api/events/{event_id}", headers=headers, timeout=20).json()
            return sorted(action["state"] for action in event["actions"]) == self.states

        await_that(settled)

    def _person(self, session: str, subject: str) -> Person:
        ((event, ref),) = self.rows("hookwarden.db", "SELECT n, subject_ref FROM event WHERE session_id = ?", session)
        payload = "SELECT document, body, biometric FROM payload WHERE n = ?"
        ((document, *face),) = self.rows("hookwarden.db", payload, event)
        keys = "SELECT wrapped, biometric FROM subject_key WHERE ref = ?"
        ((personal, biometric),) = self.rows("keys.db", keys, ref)
        return Person(
            words=(session.encode(), subject.encode(), NAME.encode(), REASON.encode()),
            personal=(personal[12:], self._opened(personal, b"subject key" + ref), document),
            biometric=(biometric[12:], self._opened(biometric, b"biometric key" + ref), *face),
        )

    def _opened(self, wrapped: bytes, place: bytes) -> bytes:
        ((kek,),) = self.rows("keys.db", "SELECT wrapped FROM secret WHERE name = 'kek'")
        master = AESGCM(bytes.fromhex((self.var / "master.key").read_text()))
        key = master.decrypt(kek[:12], kek[12:], b"key-encryption key")
        return AESGCM(key).decrypt(wrapped[:12], wrapped[12:], place)

    def left(self, secrets: tuple[bytes, ...]) -> list[bytes]:
        """Those of the secrets that are in a file, of whatever name and place."""
        files = [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]
        assert {path.name for path in self.var.rglob("*")} <= FILES, "a file that nobody knows"
        return [secret for secret in secrets if any(secret in file for file in files)]

    def nameless(self) -> list[str]:
        """The files that the server has open and that have no name any more, where the system tells."""
        folder = Path(f"/proc/{self.server.process.pid}/fd")
        links = [str(path.readlink()) for path in folder.iterdir()] if folder.exists() else []
        return [link for link in links if link.startswith("/") and link.endswith(" (deleted)")]


def retain(folder: Path, **limits: str) -> None:
    path = folder / "config.yaml"
    document = json.loads(path.read_text())
    document["audit"] = {"retention": {name.replace("_", "."): limit for name, limit in limits.items()}}
    path.write_text(json.dumps(document))


def test_what_is_destroyed_is_in_no_file(tmp_path: Path) -> None:
    port = free_port()
    write_configuration(tmp_path, POLICY, server={"port": port})
    with program("serve", cwd=tmp_path, url=f"http://127.0.0.1:{port}") as server:
        server.await_ready()
        home = Home(tmp_path, server, "awaiting_approval", "done")
        named, found, faced, kept = (home.send(number) for number in range(4))
        for person in (named, found, faced, kept):
            assert home.left(person.words[:1]) == [person.words[0]], "files are read where they do hold sessions"
            wrapped, _, sealed = person.personal
            assert home.left(person.personal) == [wrapped, sealed], "a key in the clear is nowhere, ever"
            assert len(home.left(person.biometric)) == len(person.biometric) - 1
        home.audit("erase", "customer-0000", "--yes", "--reason", REASON)
        assert home.left((*named.words, *named.personal, *named.biometric)) == []
        home.audit("erase", "--session", "session-of-0001", "--yes", "--reason", REASON)
        assert home.left((*found.words, *found.personal, *found.biometric)) == []
        home.audit("erase", "customer-0002", "--class", "biometric", "--yes", "--reason", REASON)
        assert home.left(faced.biometric) == []
        assert len(home.left(faced.personal)) == 2
        assert len(home.left((*kept.personal, *kept.biometric))) == 5, "nobody else lost anything"
        assert home.nameless() == []
        assert server.terminate() == 0
    assert home.left((*named.words, *named.personal, *named.biometric, *faced.biometric)) == []


def test_what_is_past_its_time_is_in_no_file(tmp_path: Path) -> None:
    """Also of a person whose cases are closed and actions over: keys, and what they sealed."""
    port = free_port()
    write_configuration(tmp_path, server={"port": port})
    with program("serve", cwd=tmp_path, url=f"http://127.0.0.1:{port}") as server:
        server.await_ready()
        home = Home(tmp_path, server)
        first, second = home.send(0), home.send(1)
        retain(tmp_path, blob_biometric="90d")
        (row,) = json.loads(home.audit("prune", "--before", just_now(), "--json"))["classes"]
        assert (row["keys"], row["scrubbed"]) == (2, True)
        assert home.left((*first.biometric, *second.biometric)) == []
        assert len(home.left(first.personal)) == 2
        retain(tmp_path, blob_pii="5y")
        home.audit("prune", "--before", just_now())
        assert home.left((*first.personal, *second.personal)) == []
        many = [home.send(number) for number in range(2, 100)]
        retain(tmp_path, entry="7y")
        (row,) = json.loads(home.audit("prune", "--before", just_now(), "--json"))["classes"]
        assert row["to"] == 256
        pruned = many[: row["events"] - 2]
        assert len(pruned) > 70
        assert home.left(tuple(secret for each in pruned for secret in (*each.personal, *each.biometric))) == []
        assert home.left(tuple(each.words[0] for each in pruned)) == []
        assert home.left((many[-1].words[0],)) == [many[-1].words[0]]
        assert home.nameless() == []


@pytest.mark.parametrize("options", [(), ("--all",)])
def test_what_an_old_master_key_opened_is_in_no_file(tmp_path: Path, options: tuple[str, ...]) -> None:
    port = free_port()
    write_configuration(tmp_path, POLICY, server={"port": port})
    with program("serve", cwd=tmp_path, url=f"http://127.0.0.1:{port}") as server:
        server.await_ready()
        home = Home(tmp_path, server, "awaiting_approval", "done")
        person = home.send(0)
        master = (home.var / "master.key").read_text().strip().encode()
        ((kek,),) = home.rows("keys.db", "SELECT wrapped FROM secret WHERE name = 'kek'")
        assert home.left((master, kek)) == [master, kek]
        assert json.loads(home.audit("rekey", *options, "--json"))["scrubbed"] is True
        assert home.left((master, kek)) == []
        assert bool(home.left((person.personal[0], person.biometric[0]))) is not bool(options)
        assert home.nameless() == []
