"""The command line as people use it: real processes, a real server, and what is printed."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import Program, free_port, program, run
from tests.support.receiver import await_that, signed

ENVIRONMENT = {
    "DIDIT_WEBHOOK_SECRET": "kR3-9vXq_hT7bWz2LmN8",
    "DIDIT_API_KEY": "sandbox-api-key",
    "HOOKWARDEN_API_TOKEN": "t0ken-for-operators",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `init` leaves it."""
    folder = tmp_path_factory.mktemp("home")
    made = run("init", ".", cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Program]:
    """`hookwarden serve` on what `init` wrote."""
    port = free_port()
    with program("serve", "--port", str(port), cwd=home, url=f"http://127.0.0.1:{port}", env=ENVIRONMENT) as running:
        running.await_ready()
        yield running


def hookwarden(home: Path, *arguments: str, status: int = 0) -> str:
    done = run(*arguments, cwd=home, env=ENVIRONMENT)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def sent(home: Path, server: Program, **fields: Any) -> str:
    payload = home / "event.json"
    event = {
        "webhook_type": "status.updated",
        "session_id": "s-1",
        "status": "Approved",
        "event_id": str(time.time_ns()),
    }
    payload.write_text(json.dumps({**event, **fields}), encoding="utf-8")
    answer = hookwarden(home, "send", "didit", "--payload", "event.json", "--url", f"{server.url}/webhooks/didit")
    assert answer.startswith("200 ")
    return str(json.loads(answer[4:])["event_id"])


def test_init_writes_settings_and_policy_apart_and_never_overwrites(home: Path) -> None:
    assert "policy: policies/face.yaml" in (home / "config.yaml").read_text()
    assert (home / "policies" / "face.yaml").read_text().lstrip("# ").startswith("The policy")
    again = run("init", ".", cwd=home)
    assert again.returncode == 1
    assert "exists already" in again.stderr


def test_what_init_writes_has_no_findings(home: Path) -> None:
    done = run("check", cwd=home, env=ENVIRONMENT)
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 errors, 0 warnings" in done.stderr


def test_check_names_a_mistake_in_the_policy_with_its_place(home: Path) -> None:
    policy = home / "policies" / "face.yaml"
    text = policy.read_text()
    try:
        policy.write_text(text.replace("\n    then:", "\n    thn:", 1))
        done = run("check", cwd=home, env=ENVIRONMENT)
        assert done.returncode == 1
        assert "policies/face.yaml:" in done.stdout
        assert "unknown key 'thn'; did you mean 'then'?" in done.stdout
        alone = run("check", "policies/face.yaml", "--format", "json", cwd=home)
        assert {"path", "line", "column", "severity", "code", "message"} == set(json.loads(alone.stdout)[0])
    finally:
        policy.write_text(text)


def test_serve_refuses_to_start_and_names_every_cure(home: Path) -> None:
    environment = {**ENVIRONMENT, "DIDIT_WEBHOOK_SECRET": "changeme-changeme", "HOOKWARDEN_API_TOKEN": ""}
    done = run("serve", cwd=home, env=environment)
    assert done.returncode == 2
    assert "config.yaml:" in done.stderr
    assert done.stderr.count("C005") == 2
    assert "changeme" not in done.stderr


def test_a_command_without_a_configuration_says_what_to_do(tmp_path: Path) -> None:
    done = run("events", "list", cwd=tmp_path)
    assert done.returncode == 2
    assert "hookwarden init" in done.stderr


def test_an_event_is_sent_listed_shown_and_found(home: Path, server: Program) -> None:
    event_id = sent(home, server, session_id="s-told")
    listed = json.loads(hookwarden(home, "events", "list", "--json", "--session", "s-told"))
    assert [item["event_id"] for item in listed["items"]] == [event_id]
    assert event_id in hookwarden(home, "events", "list")
    shown = hookwarden(home, "events", "show", event_id)
    assert "rule clean-approval" in shown
    assert 'event.status == "Approved"  is true' in shown
    document = json.loads(hookwarden(home, "events", "show", event_id, "--json", "--raw"))
    assert document["raw"]["session_id"] == "s-told"
    action = document["actions"][0]
    assert action["name"] in hookwarden(home, "actions", "show", action["action_id"])
    found = json.loads(hookwarden(home, "audit", "search", f"event:{event_id} kind:decision", "--json"))
    assert len(found["items"]) == 1
    assert hookwarden(home, "audit", "count", f"event:{event_id}").strip().isdigit()
    assert hookwarden(home, "audit", "show", str(found["items"][0]["idx"]))


def test_actions_and_cases_are_worked_on_beside_the_server(home: Path, server: Program) -> None:
    sent(home, server, webhook_type="data.updated", session_id="s-case")
    cases = await_that(lambda: json.loads(hookwarden(home, "reviews", "list", "--state", "open", "--json"))["items"])
    assert "resolved" in hookwarden(home, "reviews", "resolve", cases[0]["review_id"], "fine", "--note", "seen")
    missing = run("actions", "retry", "act_none", cwd=home, env=ENVIRONMENT)
    assert (missing.returncode, "act_none" in missing.stderr) == (1, True)


def test_a_stored_event_is_decided_again(home: Path, server: Program) -> None:
    event_id = sent(home, server)
    assert f"{event_id}: decided; fired: clean-approval" in hookwarden(home, "events", "replay", event_id)


def test_a_refused_delivery_and_a_silent_server_are_told_apart(home: Path, server: Program) -> None:
    stale = home / "stale.json"
    stale.write_text('{"timestamp": 1600000000}', encoding="utf-8")
    url = f"{server.url}/webhooks/didit"
    assert hookwarden(home, "send", "didit", "--payload", "stale.json", "--as-is", "--url", url, status=1).startswith(
        "401"
    )
    await_that(lambda: "timestamp-old" in hookwarden(home, "rejects"))
    nobody = f"http://127.0.0.1:{free_port()}/webhooks/didit"
    done = run("send", "didit", "--payload", "stale.json", "--url", nobody, cwd=home, env=ENVIRONMENT)
    assert (done.returncode, "did not answer" in done.stderr) == (2, True)
    assert run("send", "nobody", "--payload", "stale.json", cwd=home, env=ENVIRONMENT).returncode == 2


@pytest.mark.parametrize("query", ["sesion:x", "created:yesterday", 'tag:"open'])
def test_a_search_that_cannot_be_read_says_what_is_known(home: Path, server: Program, query: str) -> None:
    done = run("audit", "search", query, cwd=home, env=ENVIRONMENT)
    assert done.returncode == 2
    assert "Error: " in done.stderr


def test_the_views_answer_beside_a_running_server(home: Path, server: Program) -> None:
    event_id = sent(home, server)
    connection = sqlite3.connect(f"file:{home / 'var' / 'hookwarden.db'}?mode=ro", uri=True)
    try:
        row = connection.execute("SELECT source, outcome FROM v_events WHERE event_id = ?", (event_id,)).fetchone()
        assert row == ("didit", "decided")
    finally:
        connection.close()


def test_a_locked_store_is_503_and_heals_by_itself(home: Path, server: Program) -> None:
    body = json.dumps({"timestamp": int(time.time()), "event_id": "locked-1", "session_id": "s-l"}).encode()
    connection = sqlite3.connect(home / "var" / "hookwarden.db", isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        answer = httpx.post(f"{server.url}/webhooks/didit", content=body, headers=signed(body), timeout=20)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert await_that(lambda: httpx.get(f"{server.url}/readyz", timeout=20).status_code == 503)
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    answer = httpx.post(f"{server.url}/webhooks/didit", content=body, headers=signed(body), timeout=20)
    assert answer.json()["outcome"] == "accepted"
    await_that(lambda: httpx.get(f"{server.url}/readyz", timeout=20).status_code == 200)


def test_sigterm_ends_it_with_status_0(home: Path) -> None:
    port = free_port()
    with program("serve", "--port", str(port), cwd=home, url=f"http://127.0.0.1:{port}", env=ENVIRONMENT) as running:
        running.await_ready()
        assert running.terminate() == 0


def test_a_port_that_is_taken_is_said_so(home: Path, server: Program) -> None:
    done = run("serve", "--port", server.url.rsplit(":", 1)[1], cwd=home, env=ENVIRONMENT)
    assert done.returncode == 2
    assert "cannot listen on" in done.stderr


def test_the_demo_goes_as_it_should(tmp_path: Path) -> None:
    done = run("demo", "--once", "--port", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "all as it should be" in done.stdout
    assert "?expires=" not in done.stdout
    assert run("events", "list", "--config", "var/demo/config.yaml", cwd=tmp_path).returncode == 0
