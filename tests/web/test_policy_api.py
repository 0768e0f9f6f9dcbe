"""`/api/policy...`: a policy is checked, tried and published over HTTP; no edit is lost, and nothing is half done."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from receiver.config import load_configuration
from receiver.contract import JsonObject
from receiver.errors import Conflict, StoreUnavailable
from receiver.policies import compile_documents
from receiver.publication import Publication, Submits
from receiver.store.port import Store, Transaction
from receiver.store.sqlite.store import open_store
from receiver.wiring import build, now_ms
from tests.support.receiver import Receiver, await_that, running, session_event, write_configuration

T = TypeVar("T")

FACE = """\
version: 1
name: face
rules:
  - id: case
    when: ['event.status == "Declined"']
    then:
      - review: {queue: first, reason: r}
    examples:
      - {name: declined, event: {status: Declined}, fires: true}
      - {name: approved, event: {status: Approved}, fires: false}
"""
SECOND = FACE.replace("first", "second")
BAD = FACE.replace("then:", "thn:")


def written(folder: Path, **texts: str) -> list[str]:
    (folder / "policies").mkdir()
    for name, text in texts.items():
        (folder / "policies" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return [f"policies/{name}.yaml" for name in texts]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    (name,) = written(tmp_path, face=FACE)
    with running(tmp_path, name) as one:
        yield one


@pytest.fixture
def face(receiver: Receiver) -> Path:
    return receiver.folder / "policies" / "face.yaml"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def put(receiver: Receiver, text: str, tag: str | None = "", role: str = "operator", **query: str) -> httpx.Response:
    """PUT with the tag of the running version, unless another one (or None) is given."""
    if tag == "":
        tag = receiver.api("/api/policy").headers["etag"]
    headers = {"Authorization": f"Bearer token-for-{role}-0123456789", **({"If-Match": tag} if tag else {})}
    return httpx.put(f"{receiver.url}/api/policy", content=text.encode(), headers=headers, params=query, timeout=20)


def post(receiver: Receiver, what: str, text: str, role: str = "analyst", **query: Any) -> httpx.Response:
    return receiver.api(f"/api/policy/{what}", role, "POST", content=text.encode(), params=query)


def decided(receiver: Receiver, **fields: Any) -> dict[str, Any]:
    answer = receiver.send(
        session_event(str(uuid.uuid4()), event_id=str(uuid.uuid4()), **{"status": "Declined", **fields})
    )
    assert answer.status_code == 200, answer.text
    return receiver.event(answer.json()["event_id"])


def notes(receiver: Receiver, sha256: str) -> list[str]:
    """Who took a version into use, oldest first."""
    found = receiver.api("/api/audit", params={"q": "kind:policy", "limit": 500}).json()["items"]
    return [entry["actor"] for entry in reversed(found) if entry["policy_sha256"] == sha256]


def test_a_version_is_published_and_decides_from_then_on(receiver: Receiver, face: Path) -> None:
    face.chmod(0o640)
    before = receiver.api("/api/policy")
    assert before.headers["etag"] == f'"{digest(FACE)}"'
    assert (before.json()["files"], before.json()["taken_by"]) == (["policies/face.yaml"], "serve")
    answer = put(receiver, SECOND)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == f'"{digest(SECOND)}"'
    assert (answer.json()["sha256"], answer.json()["taken_by"]) == (digest(SECOND), "token:operator")
    assert face.read_text() == SECOND
    assert stat.S_IMODE(face.stat().st_mode) == 0o640
    assert [path.name for path in face.parent.iterdir()] == ["face.yaml"]
    assert decided(receiver)["decision"]["policy"]["sha256"] == digest(SECOND)
    version = receiver.api(f"/api/policy/versions/{digest(SECOND)}", "reader").json()
    assert (version["author"], version["text"]) == ("token:operator", SECOND)


def test_what_was_published_is_no_news_to_the_watcher(receiver: Receiver) -> None:
    assert put(receiver, SECOND).status_code == 200
    look = receiver.system.watcher.look
    look(now=True)
    assert notes(receiver, digest(SECOND)) == ["token:operator"]
    assert receiver.api("/api/policy").json()["taken_by"] == "token:operator"


def test_every_version_that_decided_can_be_read_and_one_put_back_is_a_note(receiver: Receiver) -> None:
    hashes = [decided(receiver)["decision"]["policy"]["sha256"]]
    for text in (SECOND, FACE):
        assert put(receiver, text).status_code == 200
        hashes.append(decided(receiver)["decision"]["policy"]["sha256"])
    assert hashes == [digest(FACE), digest(SECOND), digest(FACE)]
    for sha256 in hashes:
        text = receiver.api(f"/api/policy/versions/{sha256}").json()["text"]
        assert digest(text) == sha256
    listed = receiver.api("/api/policy/versions", "reader").json()["items"]
    assert [(item["sha256"], item["author"]) for item in listed] == [
        (digest(SECOND), "token:operator"),
        (digest(FACE), None),
    ]
    assert notes(receiver, digest(FACE)) == ["serve", "token:operator"]
    assert receiver.api("/api/policy/versions", params={"limit": 1}).json()["next"]
    assert receiver.api("/api/policy/versions/none").status_code == 404


def test_errors_are_named_and_nothing_is_written(receiver: Receiver, face: Path) -> None:
    answer = put(receiver, BAD)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "policy_refused"
    finding = next(found for found in answer.json()["findings"] if found["code"] == "P002")
    assert (finding["line"], finding["column"]) == (6, 5)
    assert face.read_text() == FACE
    assert [path.name for path in face.parent.iterdir()] == ["face.yaml"]
    assert receiver.api("/api/policy").json()["sha256"] == digest(FACE)
    assert receiver.api(f"/api/policy/versions/{digest(BAD)}").status_code == 404


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        (None, 428),
        (f'"{digest(SECOND)}"', 412),
        ("*", 412),
        (f'W/"{digest(FACE)}"', 412),
        (digest(FACE), 412),
        (f'"{digest(SECOND)}", "{digest(FACE)}"', 200),
    ],
)
def test_only_the_version_that_was_edited_is_replaced(receiver: Receiver, face: Path, tag: str, status: int) -> None:
    answer = put(receiver, SECOND, tag)
    assert answer.status_code == status, answer.text
    assert face.read_text() == (SECOND if status == 200 else FACE)


@pytest.mark.parametrize("role", ["reader", "pii_reader", "analyst"])
def test_only_an_operator_publishes(receiver: Receiver, role: str) -> None:
    assert put(receiver, SECOND, role=role).status_code == 403
    assert post(receiver, "check", SECOND, role).status_code == (200 if role == "analyst" else 403)
    assert post(receiver, "simulate", SECOND, role).status_code == (200 if role == "analyst" else 403)


def test_of_publications_at_the_same_time_one_wins(receiver: Receiver, face: Path) -> None:
    tag = receiver.api("/api/policy").headers["etag"]
    texts = [FACE.replace("first", f"queue-{number}") for number in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda text: put(receiver, text, tag), texts))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    won = next(text for text, answer in zip(texts, answers, strict=True) if answer.status_code == 200)
    assert face.read_text() == won
    assert receiver.api("/api/policy").json()["sha256"] == digest(won)


@pytest.mark.parametrize("edit", [SECOND, BAD, ""])
def test_an_edit_on_disk_is_not_written_over(receiver: Receiver, face: Path, edit: str) -> None:
    tag = receiver.api("/api/policy").headers["etag"]
    face.write_text(edit)
    answer = put(receiver, FACE.replace("first", "third"), tag)
    assert answer.status_code in ((409, 412) if edit == SECOND else (409,)), answer.text
    assert face.read_text() == edit


def test_the_target_of_a_link_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (name,) = written(tmp_path, real=FACE)
    link = tmp_path / "face.yaml"
    link.symlink_to(name)
    with running(tmp_path, "face.yaml") as receiver:
        assert put(receiver, SECOND).status_code == 200
        assert link.is_symlink()
        assert (tmp_path / name).read_text() == SECOND


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said_so(receiver: Receiver, face: Path) -> None:
    face.parent.chmod(0o500)
    try:
        answer = put(receiver, SECOND)
    finally:
        face.parent.chmod(0o700)
    assert (answer.status_code, "Permission denied" in answer.json()["error"]["message"]) == (409, True)
    assert (face.read_text(), receiver.api("/api/policy").json()["sha256"]) == (FACE, digest(FACE))


@dataclass
class _Meddling:
    """The store, but something happens around each job: `before` it, and `after` it in the same transaction."""

    store: Store
    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None

    def submit(self, job: Callable[[Transaction], T]) -> Future[T]:
        def meddled(tx: Transaction) -> T:
            self.before()
            done = job(tx)
            self.after()
            return done

        return self.store.submit(meddled)


def publication_over(receiver: Receiver, store: Submits) -> Publication:
    """As the receiver's own, over another store."""
    system = receiver.system
    policy = system.policy.version.policy
    return Publication(system.configuration, policy, compile_documents, store, system.clock)


def test_a_version_whose_file_cannot_be_swapped_is_neither_stored_nor_used(receiver: Receiver, face: Path) -> None:
    def take_the_staged_file_away() -> None:
        for staged in face.parent.glob(".face.yaml.*.tmp"):
            staged.unlink()

    publication = publication_over(receiver, _Meddling(receiver.system.store, before=take_the_staged_file_away))
    with pytest.raises(Conflict, match=r"face\.yaml was not written: No such file"):
        publication.publish(SECOND.encode(), None, digest(FACE), "token:ops")
    assert (face.read_text(), publication.version.policy.ref.sha256) == (FACE, digest(FACE))
    assert receiver.api(f"/api/policy/versions/{digest(SECOND)}").status_code == 404


def test_a_commit_that_fails_puts_the_file_back(receiver: Receiver, face: Path) -> None:
    held: list[str] = []

    def fail() -> None:
        held.append(face.read_text())
        raise StoreUnavailable("the disk is full")

    publication = publication_over(receiver, _Meddling(receiver.system.store, after=fail))
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        publication.publish(SECOND.encode(), None, digest(FACE), "token:ops")
    assert held == [SECOND]
    assert (face.read_text(), publication.version.policy.ref.sha256) == (FACE, digest(FACE))
    assert receiver.api(f"/api/policy/versions/{digest(SECOND)}").status_code == 404
    assert [path.name for path in face.parent.iterdir()] == ["face.yaml"]


def test_what_a_publication_left_that_died_is_removed_at_the_start_and_nothing_else(tmp_path: Path) -> None:
    (name,) = written(tmp_path, face=FACE)
    folder = (tmp_path / name).parent
    kept = [".face.yaml.tmp", ".face.yaml.0123456789AB.tmp", "face.yaml.0123456789ab.tmp", ".aml.yaml.0123456789ab.tmp"]
    for file in (".face.yaml.0123456789ab.tmp", *kept):
        (folder / file).write_text("")
    with running(tmp_path, name) as receiver:
        assert {path.name for path in folder.iterdir()} == {"face.yaml", *kept}
        assert put(receiver, SECOND).status_code == 200


def test_a_start_that_fails_leaves_no_store_open(tmp_path: Path) -> None:
    configuration = load_configuration(write_configuration(tmp_path))
    open_store(configuration.settings.data_dir, clock=now_ms).close()
    connection = sqlite3.connect(configuration.settings.data_dir / "hookwarden.db", isolation_level=None)
    connection.execute("CREATE TRIGGER no BEFORE INSERT ON policy BEGIN SELECT RAISE(ABORT, 'no version is kept'); END")
    connection.close()
    before = threading.active_count()
    with pytest.raises(sqlite3.IntegrityError, match="no version is kept"):
        build(configuration)
    assert threading.active_count() == before


def test_a_store_that_cannot_be_written_leaves_the_file_as_it_was(receiver: Receiver, face: Path) -> None:
    connection = sqlite3.connect(receiver.folder / "var" / "hookwarden.db", isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        answer = put(receiver, SECOND)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    assert face.read_text() == FACE
    assert receiver.api("/api/policy").json()["sha256"] == digest(FACE)
    assert put(receiver, SECOND).status_code == 200


def test_an_inline_policy_is_checked_but_not_published(tmp_path: Path) -> None:
    policy: JsonObject = {"version": 1, "name": "inline", "rules": []}
    with running(tmp_path, policy) as receiver:
        shown = receiver.api("/api/policy").json()
        assert (shown["inline"], shown["files"]) == (True, [])
        answer = put(receiver, SECOND)
        assert (answer.status_code, "move it to a file" in answer.json()["error"]["message"]) == (409, True)
        assert post(receiver, "check", FACE).json() == {"errors": 0, "warnings": 0, "findings": []}
        found = post(receiver, "check", BAD).json()["findings"]
        assert ("policy", 6, "P002") in [(finding["path"], finding["line"], finding["code"]) for finding in found]
        assert post(receiver, "simulate", SECOND).json()["policy"]["name"] == "face"


def test_one_file_of_several_is_named(tmp_path: Path) -> None:
    other = FACE.replace("name: face", "name: aml").replace("id: case", "id: other")
    names = written(tmp_path, face=FACE, aml=other)
    with running(tmp_path, names) as receiver:
        for file in ({}, {"file": "../config.yaml"}, {"file": "policies/none.yaml"}):
            for answer in (put(receiver, SECOND, **file), post(receiver, "check", SECOND, **file)):
                assert answer.status_code == 400
                assert "policies/face.yaml, policies/aml.yaml" in answer.json()["error"]["message"]
        twice = post(receiver, "check", other, file="policies/face.yaml").json()["findings"]
        assert "P010" in [finding["code"] for finding in twice]
        answer = put(receiver, SECOND, file="policies/face.yaml")
        assert (answer.status_code, answer.json()["name"]) == (200, "face+aml")
        assert json.loads(answer.json()["text"]) == [SECOND, other]
        assert (tmp_path / "policies" / "aml.yaml").read_text() == other


def test_a_check_answers_what_the_command_says(receiver: Receiver) -> None:
    text = FACE.replace("rules:", "lists: {unused: [NO]}\nrules:").replace("declined", "x")
    proposed = receiver.folder / "proposed.yaml"
    proposed.write_text(text)
    command = [str(Path(sys.executable).parent / "hookwarden"), "check", str(proposed), "--format", "json"]
    said = json.loads(subprocess.run(command, capture_output=True, check=False, cwd=receiver.folder).stdout)
    answer = post(receiver, "check", text).json()
    assert said
    assert [{**found, "path": ""} for found in answer["findings"]] == [{**found, "path": ""} for found in said]
    assert (answer["errors"], answer["warnings"]) == (0, len(said))


def test_a_vendor_that_is_not_configured_is_found(receiver: Receiver) -> None:
    text = FACE.replace("review: {queue: first, reason: r}", "didit.face_search: {}")
    assert [found["code"] for found in post(receiver, "check", text).json()["findings"]] == ["C009"]
    assert put(receiver, text).status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"x" * (1024**2 + 1), 413), (b"name: \xff", 400), (b"", 422), (b"a: [", 422), (b"a: &a [*a]", 422)],
)
def test_a_body_that_is_no_policy_is_refused(receiver: Receiver, body: bytes, status: int) -> None:
    headers = {"If-Match": receiver.api("/api/policy").headers["etag"]}
    headers["Authorization"] = "Bearer token-for-operator-0123456789"
    assert httpx.put(f"{receiver.url}/api/policy", content=body, headers=headers).status_code == status


def test_a_simulation_is_what_the_command_says(receiver: Receiver) -> None:
    for status in ("Declined", "Approved", "Declined"):
        decided(receiver, status=status)
    text = FACE.replace('"Declined"', '"Approved"').partition("    examples")[0]
    proposed = receiver.folder / "proposed.yaml"
    proposed.write_text(text)
    command = [str(Path(sys.executable).parent / "hookwarden"), "simulate", "--policy", str(proposed), "--json"]
    said = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=receiver.folder).stdout)
    answer = post(receiver, "simulate", text, since="1h").json()
    passing = {"since", "until", "seconds", "events_per_second"}
    assert {key: value for key, value in answer.items() if key not in passing | {"limit", "more"}} == {
        key: value for key, value in said.items() if key not in passing
    }
    assert (answer["events"]["read"], answer["limit"], answer["more"]) == (3, 100_000, False)
    bounded = post(receiver, "simulate", text, limit=2).json()
    assert (bounded["events"]["read"], bounded["more"]) == (2, True)
    assert post(receiver, "simulate", text, until="1h").json()["events"]["read"] == 0


@pytest.mark.parametrize(
    ("query", "said"),
    [({"since": "yesterday"}, "is no time"), ({"limit": "0"}, "limit must be"), ({"sinse": "1h"}, "unknown parameter")],
)
def test_a_simulation_of_nothing_is_told(receiver: Receiver, query: dict[str, str], said: str) -> None:
    answer = post(receiver, "simulate", FACE, **query)
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (400, True)


def test_a_simulation_of_a_bad_policy_says_why(receiver: Receiver) -> None:
    answer = post(receiver, "simulate", BAD)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "policy_refused")
    assert {found["path"] for found in answer.json()["findings"]} == {str(receiver.folder / "policies" / "face.yaml")}


def test_one_simulation_runs_at_a_time(receiver: Receiver) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post(receiver, "simulate", SECOND), range(4)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert set(statuses) <= {200, 429}
    assert 429 in statuses
    assert post(receiver, "simulate", SECOND).status_code == 200


def test_metrics_say_what_became_of_changes(receiver: Receiver, face: Path) -> None:
    def metric(name: str) -> float:
        lines = httpx.get(f"{receiver.url}/metrics").text.splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    started = metric("hookwarden_policy_last_taken_timestamp_seconds")
    assert abs(started - time.time()) < 600
    assert metric('hookwarden_policy_reloads_total{result="taken"}') == 0
    put(receiver, SECOND)
    assert metric('hookwarden_policy_reloads_total{result="taken"}') == 1
    face.write_text(BAD)
    await_that(lambda: metric("hookwarden_policy_refused") == 1)
    assert metric('hookwarden_policy_reloads_total{result="refused"}') == 1
    assert httpx.get(f"{receiver.url}/readyz").status_code == 200
