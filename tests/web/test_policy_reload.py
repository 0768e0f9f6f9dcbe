"""The policy's files change under a running `hookwarden serve`: each change is taken whole or refused whole, and no
delivery is lost or decided by anything that the record does not hold.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import os
import signal
import sqlite3
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from receiver.files import alone
from tests.support.processes import Program, free_port, program
from tests.support.receiver import Receiver, await_that, running, session_event, signed, write_configuration

TOKEN = {"Authorization": "Bearer token-for-operator-0123456789"}


def policy(queue: str, rules: int = 1) -> str:
    head = "version: 1\nname: face\nrules:\n"
    when = "    when: ['event.status == \"Declined\"']\n"
    then = f"    then: [{{review: {{queue: {queue}, reason: r}}}}]\n"
    return head + "".join(f"  - id: case-{number}\n{when}{then}" for number in range(rules))


BAD = policy("bad").replace("when:", "whn:")


def written(path: Path, text: str) -> None:
    """Write the file where it is, as some editors do."""
    path.write_text(text)


def replaced(path: Path, text: str) -> None:
    """Put another file in its place, as careful programs do."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Traffic:
    """Signed deliveries one after the other, each a new event, until told to end."""

    url: str
    answers: list[tuple[int, str]] = field(default_factory=list)  # status, event_id
    ending: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(timeout=20) as client:
            while not self.ending.is_set():
                event = session_event(str(uuid.uuid4()), event_id=str(uuid.uuid4()), status="Declined")
                body = json.dumps(event).encode()
                answer = client.post(f"{self.url}/webhooks/didit", content=body, headers=signed(body))
                self.answers.append((answer.status_code, answer.json().get("event_id", "")))
                time.sleep(0.02)

    def await_more(self, deliveries: int) -> None:
        count = len(self.answers) + deliveries
        await_that(lambda: len(self.answers) > count)


@dataclass
class Home:
    """A folder with a policy file, and the program that serves it."""

    folder: Path
    program: Program

    @property
    def face(self) -> Path:
        return self.folder / "face.yaml"

    def __post_init__(self) -> None:
        self._client = httpx.Client(base_url=self.program.url, headers=TOKEN, timeout=20)  # one: making it takes long

    def api(self, path: str, **options: Any) -> Any:
        answer = self._client.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def await_taken(self, text: str) -> None:
        def taken() -> bool:
            shown = self.api("/api/policy")
            return shown["sha256"] == digest(text) and shown["refused"] is None

        await_that(taken)

    def await_refused(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await_that(lambda: (self.api("/api/policy")["refused"] or {}).get("findings"))
        return found

    def close(self) -> None:
        self._client.close()

    def hurry(self) -> None:
        self.program.process.send_signal(signal.SIGHUP)

    def log(self) -> str:
        return self.program.log.read_text()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    (tmp_path / "face.yaml").write_text(policy("first"))
    write_configuration(tmp_path, "face.yaml")
    port = free_port()
    with program("serve", "--port", str(port), cwd=tmp_path, url=f"http://127.0.0.1:{port}") as running:
        running.await_ready()
        home = Home(tmp_path, running)
        yield home
        home.close()


def test_no_delivery_is_lost_and_every_decision_names_a_stored_version(home: Home) -> None:
    traffic = Traffic(home.program.url)
    sending = threading.Thread(target=traffic.run)
    sending.start()
    texts = [policy("first")]
    try:
        traffic.await_more(3)
        for number, (write, hurried) in enumerate(itertools.product((replaced, written), (True, False))):
            write(home.face, BAD + f"# {number}\n")
            home.hurry()
            home.await_refused()
            texts.append(policy(f"queue-{number}", 1 + number * 40))
            write(home.face, texts[-1])
            if hurried:
                home.hurry()
            home.await_taken(texts[-1])
            traffic.await_more(10)
    finally:
        traffic.ending.set()
        sending.join(30)
    assert {status for status, _ in traffic.answers} == {200}
    assert len({event_id for _, event_id in traffic.answers}) == len(traffic.answers) > 50
    decided = [home.api(f"/api/events/{event_id}")["decision"]["policy"]["sha256"] for _, event_id in traffic.answers]
    hashes = [digest(text) for text in texts]
    assert list(dict.fromkeys(decided)) == hashes  # each in its turn: no old one after a new one, no bad one ever
    for sha256 in hashes:
        assert digest(home.api(f"/api/policy/versions/{sha256}")["text"]) == sha256
    assert home.log().count("policy refused") == 4
    assert "unknown key 'whn'; did you mean 'when'?" in home.log()
    listed = home.api("/api/audit", params={"q": "kind:policy", "limit": 500})["items"]
    assert [entry["policy_sha256"] for entry in reversed(listed)] == hashes
    assert {entry["actor"] for entry in listed[:-1]} == {"file"}


def test_a_bad_file_is_refused_with_what_check_says_and_the_old_one_serves_on(home: Home) -> None:
    home.face.write_text(BAD)
    findings = home.await_refused()
    assert ("face.yaml", 5, 5, "P002") in [(f["path"], f["line"], f["column"], f["code"]) for f in findings]
    assert home.api("/api/policy")["sha256"] == digest(policy("first"))
    assert httpx.get(f"{home.program.url}/readyz").status_code == 200
    home.face.write_text(policy("second"))
    home.await_taken(policy("second"))


def test_a_file_that_goes_and_comes_back_is_refused_and_taken(home: Home) -> None:
    home.face.unlink()
    assert [finding["code"] for finding in home.await_refused()] == ["C007"]
    home.face.write_text(policy("back"))
    home.await_taken(policy("back"))


def test_the_running_version_put_back_clears_the_refusal_without_a_note(home: Home) -> None:
    home.face.write_text(BAD)
    home.await_refused()
    home.face.write_text(policy("first"))
    home.await_taken(policy("first"))
    assert len(home.api("/api/audit", params={"q": "kind:policy"})["items"]) == 1


def test_a_folder_of_links_that_is_swapped_is_followed(home: Home) -> None:
    """A mounted ConfigMap: face.yaml -> ..data/face.yaml, ..data -> ..one, and the middle link is replaced."""
    for name, text in (("..one", policy("one")), ("..two", policy("two"))):
        (home.folder / name).mkdir()
        (home.folder / name / "face.yaml").write_text(text)
    data = home.folder / "..data"
    data.symlink_to("..one")
    home.face.unlink()
    home.face.symlink_to("..data/face.yaml")
    home.await_taken(policy("one"))
    beside = home.folder / "..data_tmp"
    beside.symlink_to("..two")
    beside.replace(data)
    home.await_taken(policy("two"))


def test_settings_wait_for_a_restart_but_the_policy_of_the_same_file_does_not(home: Home) -> None:
    """config.yaml names another file now, and another time out: the file is taken, the rest is said."""
    (home.folder / "other.yaml").write_text(policy("other"))
    secrets = json.loads((home.folder / "config.yaml").read_text())["sources"]
    sources = {"didit": {**secrets["didit"], "verify": {**secrets["didit"]["verify"], "tolerance": "7m"}}}
    write_configuration(home.folder, "other.yaml", sources=sources)
    home.await_taken(policy("other"))
    said = [line for line in home.log().splitlines() if "settings changed" in line]
    assert len(said) == 1
    assert "['sources']" in said[0]
    assert secrets["didit"]["verify"]["secrets"][0] not in home.log()
    (home.folder / "other.yaml").write_text(policy("more"))
    home.await_taken(policy("more"))


def test_a_file_that_is_named_before_it_is_there_is_taken_when_it_comes(home: Home) -> None:
    write_configuration(home.folder, "later.yaml")
    home.await_refused()
    (home.folder / "later.yaml").write_text(policy("later"))
    home.await_taken(policy("later"))


def test_two_processes_over_one_folder_both_follow_a_publication(home: Home) -> None:
    port = free_port()
    second = program("serve", "--port", str(port), cwd=home.folder, url=f"http://127.0.0.1:{port}")
    with second as other:
        other.await_ready()
        headers = {**TOKEN, "If-Match": f'"{digest(policy("first"))}"'}
        answer = httpx.put(f"{other.url}/api/policy", content=policy("put"), headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
        late = httpx.put(f"{home.program.url}/api/policy", content=policy("late"), headers=headers, timeout=20)
        assert late.status_code in (409, 412)
        home.await_taken(policy("put"))
        assert home.face.read_text() == policy("put")
        assert home.api(f"/api/policy/versions/{digest(policy('put'))}")["author"] == "token:operator"


def test_an_inline_policy_is_reloaded_and_its_hash_is_of_its_content(tmp_path: Path) -> None:
    first: dict[str, Any] = {"version": 1, "name": "inline", "rules": []}
    with running(tmp_path, first) as receiver:
        before = receiver.api("/api/policy").json()["sha256"]
        look = receiver.system.watcher.look
        write_configuration(tmp_path, {**first, "name": "inline-2"}, server={"port": 0, "body_timeout": "9s"})
        look(now=True)
        shown = receiver.api("/api/policy").json()
        assert (shown["name"], shown["inline"]) == ("inline-2", True)
        assert shown["sha256"] != before
        write_configuration(tmp_path, first)
        look(now=True)
        assert receiver.api("/api/policy").json()["sha256"] == before


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver whose own watcher is still, so that each look is the test's."""
    (tmp_path / "face.yaml").write_text(policy("first"))
    with running(tmp_path, "face.yaml") as one:
        watching = next(task for task in one.system._beside if task.get_name() == "policy watcher")
        watching.get_loop().call_soon_threadsafe(watching.cancel)
        await_that(watching.done)
        yield one


def test_a_file_is_read_only_once_it_rests(receiver: Receiver) -> None:
    look, face = receiver.system.watcher.look, receiver.folder / "face.yaml"
    look()
    look()
    face.write_text("")
    look()
    face.write_text(policy("second"))
    look()
    assert receiver.api("/api/policy").json()["sha256"] == digest(policy("first"))
    look()
    shown = receiver.api("/api/policy").json()
    assert (shown["sha256"], shown["refused"]) == (digest(policy("second")), None)


def test_a_touch_is_no_news(receiver: Receiver) -> None:
    look, face = receiver.system.watcher.look, receiver.folder / "face.yaml"
    before = receiver.api("/api/policy").json()
    for _ in range(3):
        os.utime(face)
        look()
        look()
    assert receiver.api("/api/policy").json() == before
    assert len(receiver.api("/api/audit", params={"q": "kind:policy"}).json()["items"]) == 1


def test_the_same_text_in_another_file_is_published_there(receiver: Receiver) -> None:
    (receiver.folder / "other.yaml").write_text(policy("first"))
    write_configuration(receiver.folder, "other.yaml")
    receiver.system.watcher.look(now=True)
    shown = receiver.api("/api/policy")
    assert (shown.json()["files"], shown.json()["taken_by"]) == (["other.yaml"], "serve")
    headers = {**TOKEN, "If-Match": shown.headers["etag"]}
    answer = httpx.put(f"{receiver.url}/api/policy", content=policy("second"), headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    assert (receiver.folder / "other.yaml").read_text() == policy("second")
    assert (receiver.folder / "face.yaml").read_text() == policy("first")


def test_the_same_size_and_time_of_writing_do_not_hide_a_change(receiver: Receiver) -> None:
    look, face = receiver.system.watcher.look, receiver.folder / "face.yaml"
    look()
    look()
    known = face.stat()
    face.write_text(policy("FIRST"))
    os.utime(face, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert (face.stat().st_size, face.stat().st_mtime_ns) == (known.st_size, known.st_mtime_ns)
    look()
    look()
    assert receiver.api("/api/policy").json()["sha256"] == digest(policy("FIRST"))


def test_a_refusal_is_said_once_and_anew_when_it_changes(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    look, face = receiver.system.watcher.look, receiver.folder / "face.yaml"
    for text in (BAD, BAD + "# still\n", BAD.replace("whn", "wen")):
        face.write_text(text)
        look(now=True)
        look()
    assert capsys.readouterr().out.count("policy refused") == 2


def test_a_vendor_that_was_not_configured_at_the_start_cannot_be_called_later(receiver: Receiver) -> None:
    """Also if config.yaml configures it now: this process has no client for it."""
    vendors = {"didit": {"base_url": "http://127.0.0.1:1", "api_key": "key-1"}}
    write_configuration(receiver.folder, "face.yaml", vendors=vendors)
    calling = policy("x").replace("review: {queue: x, reason: r}", "didit.face_search: {}")
    (receiver.folder / "face.yaml").write_text(calling)
    receiver.system.watcher.look(now=True)
    refused = receiver.api("/api/policy").json()["refused"]
    assert [finding["code"] for finding in refused["findings"]] == ["C009"]


def test_a_store_that_is_locked_delays_the_new_version_and_nothing_else(receiver: Receiver) -> None:
    look, face = receiver.system.watcher.look, receiver.folder / "face.yaml"
    connection = sqlite3.connect(receiver.folder / "var" / "hookwarden.db", isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        face.write_text(policy("second"))
        look(now=True)
        assert receiver.api("/api/policy").json()["sha256"] == digest(policy("first"))
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    look()
    assert receiver.api("/api/policy").json()["sha256"] == digest(policy("second"))


def test_a_new_file_is_taken_once_the_store_can_be_written_though_the_old_one_is_gone(receiver: Receiver) -> None:
    look = receiver.system.watcher.look
    (receiver.folder / "new.yaml").write_text(policy("new"))
    write_configuration(receiver.folder, "new.yaml")
    (receiver.folder / "face.yaml").unlink()
    connection = sqlite3.connect(receiver.folder / "var" / "hookwarden.db", isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(4):
            look()
        assert receiver.api("/api/policy").json()["sha256"] == digest(policy("first"))
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    for _ in range(3):
        look()
    shown = receiver.api("/api/policy").json()
    assert (shown["sha256"], shown["files"]) == (digest(policy("new")), ["new.yaml"])


def test_a_file_that_is_missing_is_looked_for_and_not_read_again_and_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, read = receiver.system.watcher.look, receiver.system.policy.reread
    settled: list[bool] = []

    def noted(steady: Callable[[], bool], *, confirmed: bool) -> bool:
        settled.append(read(steady, confirmed=confirmed))
        return settled[-1]

    monkeypatch.setattr(receiver.system.policy, "reread", noted)
    (receiver.folder / "face.yaml").unlink()
    for _ in range(5):
        look()
    assert settled == [True]
    (receiver.folder / "face.yaml").write_text(policy("back"))
    look()
    look()
    assert receiver.api("/api/policy").json()["sha256"] == digest(policy("back"))


def test_a_file_that_is_there_but_cannot_be_read_for_now_is_tried_again(receiver: Receiver) -> None:
    """Out of descriptors, say; here a file that is not UTF-8 stands for it, since nothing else fails for everybody."""
    look = receiver.system.watcher.look
    (receiver.folder / "face.yaml").write_bytes(b"\xff")
    look(now=True)
    assert not receiver.system.policy.reread(lambda: True)


def test_what_came_out_of_a_variable_is_shown_to_no_reader_and_in_no_log(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2-hunter2")
    place = "${A_SECRET}"
    verify = {"scheme": place, "secrets": ["kR3-9vXq_hT7bWz2LmN8"], "tolerance": place}
    for settings in (
        {"server": {"port": 0, "body_timeout": place, "max_body": place, "host": place}},
        {"sources": {"didit": {"vendor": place, "verify": verify}}},
        {"sources": {"didit": {"vendor": place, "verify": {**verify, "tolerance": "5m"}}}},
        {"store": place, "actions": {"mode": place, "concurrency": place}},
        {"store": place, "images": {"allow_hosts": [f"http://{place}"]}},
        {"vendors": {"didit": {"base_url": place, "api_key": f"{place} "}}},
    ):
        write_configuration(receiver.folder, "face.yaml", **settings)
        receiver.system.watcher.look(now=True)
        shown = receiver.api("/api/policy", "reader")
        assert shown.json()["refused"]["findings"]
        assert "hunter2" not in shown.text + "".join(capsys.readouterr())


def test_a_pipe_in_the_place_of_a_file_stops_nothing(home: Home) -> None:
    home.face.unlink()
    os.mkfifo(home.face)
    assert [finding["code"] for finding in home.await_refused()] == ["C007"]
    headers = {**TOKEN, "If-Match": f'"{digest(policy("first"))}"'}
    url = f"{home.program.url}/api/policy"
    assert httpx.put(url, content=policy("put"), headers=headers, timeout=20).status_code == 409
    replaced(home.face, policy("back"))
    home.await_taken(policy("back"))
    home.face.unlink()
    os.mkfifo(home.face)
    home.await_refused()
    assert home.program.terminate() == 0


def test_a_file_cut_short_is_refused_until_somebody_confirms_it(home: Home) -> None:
    home.face.write_text(policy("long", 34))
    home.await_taken(policy("long", 34))
    home.face.write_text(policy("long", 3))
    found = home.await_refused()
    assert [(finding["code"], finding["line"]) for finding in found] == [("C010", 1)]
    assert "31 of 34 rules are gone" in found[0]["message"]
    home.hurry()
    home.await_taken(policy("long", 3))
    assert "34 -> 3" in home.log()


def test_a_put_confirms_what_was_cut_short(receiver: Receiver) -> None:
    look, face = receiver.system.watcher.look, receiver.folder / "face.yaml"
    face.write_text(policy("long", 34))
    look(now=True)
    face.write_text(policy("long", 3))
    look()
    look()
    shown = receiver.api("/api/policy")
    assert [finding["code"] for finding in shown.json()["refused"]["findings"]] == ["C010"]
    headers = {**TOKEN, "If-Match": shown.headers["etag"]}
    answer = httpx.put(f"{receiver.url}/api/policy", content=policy("long", 3), headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    assert receiver.api("/api/policy").json()["refused"] is None


def test_who_may_read_the_data_folder_cannot_stop_publishing(receiver: Receiver) -> None:
    held = os.open(receiver.folder / "var", os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        headers = {**TOKEN, "If-Match": f'"{digest(policy("first"))}"'}
        answer = httpx.put(f"{receiver.url}/api/policy", content=policy("put"), headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
    finally:
        os.close(held)
    lock = receiver.folder / "var" / "publication.lock"
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    with alone(lock, 1):
        headers["If-Match"] = f'"{digest(policy("put"))}"'
        answer = httpx.put(f"{receiver.url}/api/policy", content=policy("late"), headers=headers, timeout=20)
        assert answer.status_code == 503
        (receiver.folder / "face.yaml").write_text(policy("file"))
        receiver.system.watcher.look(now=True)
    assert receiver.api("/api/policy").json()["sha256"] == digest(policy("file"))


def test_a_secret_in_a_wrong_place_is_shown_to_operators_only(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "hunter2-hunter2"
    verify = {"scheme": "didit", "secrets": ["kR3-9vXq_hT7bWz2LmN8"], secret: ""}
    for named, sections in (
        ("face.yaml", {"sources": {"didit": {"vendor": "didit", "verify": verify}}}),
        (secret, {}),
    ):
        write_configuration(receiver.folder, named, **sections)
        receiver.system.watcher.look(now=True)
        shown = receiver.api("/api/policy", "reader")
        assert [finding["line"] for finding in shown.json()["refused"]["findings"]]
        assert secret not in shown.text + "".join(capsys.readouterr())
        assert secret in receiver.api("/api/policy", "operator").text
