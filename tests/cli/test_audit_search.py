"""Finding entries from the command line, and with the tools that others bring: real processes over one real record."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from receiver.audit.search import KINDS
from receiver.store.sqlite.store import open_store
from tests.support.processes import COMMAND, free_port, run
from tests.support.receiver import write_configuration
from tests.support.store_samples import NOW, claim_all, ending, new_event, planned, put, settle

QUERIES = {
    "attacks": "tag:LIVENESS_FACE_ATTACK kind:event",
    "bad": "outcome:failed",
    "ana": "subject:ana",
    "q": '"what?"',
}
_WRITES = r'leaf: Leaf = {"at": [^}]*?"kind": "(\w+)"|append\({"at": [^}]*?"kind": "(\w+)"|add_note\(\s*"(\w+)"'
POLICY_TEXT = "version: 1\nname: face\nrules: []\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a record: a hundred events, an action that failed, a policy."""
    folder = tmp_path_factory.mktemp("home")
    write_configuration(folder, audit={"queries": QUERIES})
    store = open_store(folder / "var", clock=lambda: NOW)
    for number in range(100):
        put(store, new_event(f"s-{number}", tags=["LIVENESS_FACE_ATTACK"] if number < 5 else ["BLUR"], at=NOW + number))
    put(store, new_event("s-act", subject="ana", tags=[]), planned())
    (claim,) = claim_all(store)
    settle(store, claim, ending("failed", http_status=503))

    def policy(tx: Any) -> None:
        tx.add_policy("ab" * 32, "face", POLICY_TEXT, "ana", NOW)
        tx.add_note("policy", "token:ana", NOW, {"policy_sha256": "ab" * 32, "name": "face"})

    store.submit(policy).result(10)
    store.close()
    return folder


def audit(home: Path, *arguments: str, status: int = 0) -> str:
    done = run("audit", *arguments, cwd=home)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def test_one_search_in_every_format(home: Path) -> None:
    found = json.loads(audit(home, "search", "@attacks", "--json"))["items"]
    assert [item["session_id"] for item in found] == ["s-4", "s-3", "s-2", "s-1", "s-0"]
    indexes = [item["idx"] for item in found]
    lines = audit(home, "search", "@attacks", "--format", "ndjson").splitlines()
    assert [json.loads(line)["idx"] for line in lines] == indexes
    rows = list(csv.DictReader(io.StringIO(audit(home, "search", "@attacks", "--format", "csv"))))
    assert [int(row["idx"]) for row in rows] == indexes
    assert all(line.startswith("CEF:0|") for line in audit(home, "search", "@attacks", "--format", "cef").splitlines())
    assert json.loads(audit(home, "search", "@attacks", "--format", "ocsf").splitlines()[0])["class_uid"] == 6003
    assert "s-4" in audit(home, "search", "@attacks")
    assert "--output" in audit(home, "search", "--format", "parquet", status=2)
    audit(home, "search", "@attacks", "--format", "parquet", "-o", str(home / "x.parquet"))
    assert (home / "x.parquet").read_bytes()[:4] == b"PAR1"


def test_text_comparison_and_negation(home: Path) -> None:
    (entry,) = json.loads(audit(home, "search", "http:>=500", "--json"))["items"]
    assert (entry["outcome"], entry["session_id"]) == ("failed", "s-act")
    assert len(json.loads(audit(home, "search", '"face_att" kind:event', "--json"))["items"]) == 5
    assert [
        item["session_id"] for item in json.loads(audit(home, "search", "subject:ana kind:event", "--json"))["items"]
    ] == ["s-act"]
    assert audit(home, "count", "kind:event -tag:BLUR").strip() == "6"


def test_a_policy_version_is_shown_and_printed(home: Path) -> None:
    assert re.search(r"token:ana.*abababababab", audit(home, "search", "kind:policy"))
    assert audit(home, "policy", "abab") == POLICY_TEXT
    assert "no policy version ffff" in audit(home, "policy", "ffff", status=1)


def test_counts(home: Path) -> None:
    counted = json.loads(audit(home, "count", "kind:event", "--by", "day,outcome", "--json"))
    assert counted == {"items": [{"day": "2026-11-18", "outcome": "accepted", "entries": 101}], "complete": True}
    assert re.search(r"LIVENESS_FACE_ATTACK +5", audit(home, "count", "outcome:accepted", "--by", "tag")), (
        "as rollups say"
    )
    assert audit(home, "count", "kind:event").strip() == "101"
    assert "did you mean 'tag'" in audit(home, "count", "--by", "tags", status=2)


def test_a_kind_that_there_is_not_is_an_error(home: Path) -> None:
    said = audit(home, "search", "kind:decison", status=2)
    assert "did you mean 'decision'" in said
    assert "redelivery" in audit(home, "search", "-kind:zzz", status=2)
    assert "did you mean 'decision'" in audit(home, "count", "kind:decison", status=2)


def test_every_kind_that_is_written_can_be_asked_for(home: Path) -> None:
    """As the sources say it: the kinds of leaves and of notes."""
    texts = [path.read_text(encoding="utf-8") for path in Path("receiver").rglob("*.py")]
    written = {kind for text in texts for found in re.findall(_WRITES, text) for kind in found if kind}
    written |= {"hold", "release"}
    assert len(written) > 10
    assert written - set(KINDS) == set()


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("tag:LIVENES_FACE_ATTACK", "no entry has the tag 'LIVENES_FACE_ATTACK'; did you mean 'LIVENESS_FACE_ATTACK'?"),
        ("source:diddit kind:event", "no entry has the source 'diddit'; did you mean 'didit'?"),
        ("status:Zzz", "no entry has the status 'Zzz'"),
        ("outcome:faild", "no entry has the outcome 'faild'; did you mean 'failed'?"),
    ],
)
def test_nothing_found_by_a_word_that_no_entry_has(home: Path, query: str, hint: str) -> None:
    for arguments in (("search", query), ("search", query, "--json"), ("count", query)):
        done = run("audit", *arguments, cwd=home)
        assert done.returncode == 0
        assert hint in done.stderr
        assert hint not in done.stdout
    assert run("audit", "search", "tag:BLUR tag:LIVENESS_FACE_ATTACK", cwd=home).stderr == ""
    assert run("audit", "search", "tag:BLUR", cwd=home).stderr == ""


def test_tables_show_statuses_and_tags(home: Path) -> None:
    head, first = audit(home, "search", "kind:event tag:LIVENESS_FACE_ATTACK", "--limit", "1").splitlines()[:2]
    assert {"status", "tags"} <= set(head.split())
    assert first[head.index("status") :].startswith("Declined")
    assert "LIVENESS_FACE_ATTACK" in first
    assert "LIVENESS_FACE_ATTACK" in audit(home, "tail", "-n", "1", "kind:event tag:LIVENESS_FACE_ATTACK")
    item = json.loads(audit(home, "search", "@attacks", "--json"))["items"][0]
    assert not {"status", "tags", "content"} & item.keys()


def test_saved_searches_are_listed_and_checked_before_a_start(home: Path, tmp_path: Path) -> None:
    assert "@attacks" in audit(home, "search", "--saved")
    assert json.loads(audit(home, "search", "--saved", "--json")) == QUERIES
    path = write_configuration(tmp_path, audit={"queries": {"wrong": "tags:X"}})
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "tags:X" in text)
    done = run("check", "--format", "json", cwd=tmp_path)
    problem = next(one for one in json.loads(done.stdout) if "search" in one["message"])
    assert (done.returncode, problem["line"], problem["code"]) == (1, line, "C003")
    assert "did you mean 'tag'" in problem["message"]
    assert run("serve", "--port", "0", cwd=tmp_path).returncode == 2


def test_tail_shows_the_last_ones_then_follows_until_ctrl_c(home: Path) -> None:
    shown = [
        json.loads(line)["session_id"] for line in audit(home, "tail", "-n", "3", "@attacks", "--json").splitlines()
    ]
    assert shown == ["s-2", "s-3", "s-4"]
    with subprocess.Popen(
        [COMMAND, "audit", "tail", "-f", "-n", "1", "@attacks", "--json"], cwd=home, stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["session_id"] == "s-4"
        store = open_store(home / "var", clock=lambda: NOW)
        put(store, new_event("calm", tags=["BLUR"]))
        put(store, new_event("s-new"))
        store.close()
        assert json.loads(following.stdout.readline())["session_id"] == "s-new"
        following.send_signal(signal.SIGINT)
        assert following.stdout.read() == ""
        assert following.wait(10) == 0


@pytest.fixture(scope="module")
def datasette(home: Path) -> Iterator[str]:
    """Datasette over the file, as the command says to start it."""
    pytest.importorskip("datasette")
    said = run("audit", "datasette", "-o", "metadata.json", cwd=home).stderr.split()
    port = free_port()
    command = [sys.executable, "-m", *said, "--port", str(port)]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                httpx.get(f"{url}/-/versions.json", timeout=5)
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        try:
            yield url
        finally:
            process.terminate()


def test_datasette_answers_views_and_ready_queries_and_nothing_sealed(home: Path, datasette: str) -> None:
    def ask(path: str, **params: str) -> httpx.Response:
        return httpx.get(f"{datasette}/hookwarden{path}", params=params, timeout=30)

    view = ask("/v_audit.json", _shape="array", kind="event", _size="3").json()
    assert [row["kind"] for row in view] == ["event"] * 3
    ours = [item["idx"] for item in json.loads(audit(home, "search", "@attacks", "--json"))["items"]]
    assert [row["idx"] for row in ask("/attacks.json", _shape="array").json()] == ours
    assert [row["outcome"] for row in ask("/bad.json", _shape="array").json()] == ["failed"]
    assert ask("/q.json", _shape="array").json() == []
    life = ask("/session_entries.json", _shape="array", session_id="s-act").json()
    assert {row["kind"] for row in life} == {"event", "decision", "action"}
    days = ask("/entries_by_day.json", _shape="array", thing="kind", key="event").json()
    assert days[0]["day"] == "2026-11-18"
    for path in ("/payload.json", "/entry.json", "/event.json"):
        assert ask(path).status_code == 403
    assert ask(".json", sql="select body from payload").status_code == 403
    assert ask("/ana.json").status_code == 404  # a person is found by keys, which Datasette never has
    assert "keys" not in {one["name"] for one in httpx.get(f"{datasette}/-/databases.json", timeout=10).json()}


def test_sqlite_utils_reads_the_views(home: Path) -> None:
    tool = Path(sys.executable).parent / "sqlite-utils"
    query = "select idx, kind from v_audit where session_id = 's-act' order by idx"
    done = subprocess.run(
        [tool, "query", "var/hookwarden.db", query], cwd=home, capture_output=True, text=True, check=True
    )
    assert [row["kind"] for row in json.loads(done.stdout)] == ["event", "decision", "action", "action"]


def test_an_export_has_the_rows_of_its_search_and_leaves_an_entry(home: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(audit(home, "export", "@attacks", "--format", "csv"))))
    assert [row["session_id"] for row in rows][:5] == [f"s-{number}" for number in range(5)]  # oldest first
    (entry,) = json.loads(audit(home, "search", "kind:export", "--json"))["items"]
    assert entry["actor"].startswith("cli:")
