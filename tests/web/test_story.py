"""What the invariants mean over a whole life of a session, on real HTTP and with a vendor that we watch."""

from __future__ import annotations

import contextlib
import io
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from receiver.cli.story import tell_event
from receiver.config import load_configuration
from receiver.web.app import build_app
from receiver.web.protocol import BoundedProtocol
from receiver.wiring import build
from tests.support.crashing import Vendor
from tests.support.live_server import serve
from tests.support.processes import run
from tests.support.receiver import Receiver, await_that, liveness, running, session_event, signed, write_configuration

DECLINE: dict[str, Any] = {"didit.update_status": {"status": "Declined"}}


def policy(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "name": "story", "rules": list(rules)}


@pytest.fixture
def vendor() -> Iterator[tuple[Vendor, dict[str, Any]]]:
    """A vendor that accepts everything, and the settings that point to it."""
    one = Vendor()
    with serve(one.app()) as url:
        yield one, {"didit": {"base_url": url, "api_key": "k" * 20}}


def sent(receiver: Receiver, session: str, **fields: Any) -> str:
    answer = receiver.send(session_event(session, event_id=str(uuid.uuid4()), **fields))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["event_id"])


def test_an_echo_that_something_newer_has_overtaken_is_still_our_echo(tmp_path: Path, vendor: Any) -> None:
    """Otherwise its expectation would swallow the next real decline."""
    now = int(time.time())
    rule = {"id": "attack", "tags": ["LIVENESS_FACE_ATTACK"], "then": [DECLINE]}
    with running(tmp_path, policy(rule), vendors=vendor[1]) as receiver:
        first = sent(receiver, "s", timestamp=now - 60, decision=liveness("LIVENESS_FACE_ATTACK"))
        receiver.settled(first)
        sent(receiver, "s", status="In Review", timestamp=now - 5)
        echo = sent(receiver, "s", status="Declined", timestamp=now - 10, decision=liveness("LIVENESS_FACE_ATTACK"))
        real = sent(receiver, "s", status="Declined", timestamp=now, decision=liveness("LIVENESS_FACE_ATTACK"))
        assert [receiver.event(event)["decision"]["outcome"] for event in (echo, real)] == ["echo", "decided"]
        assert receiver.event(echo)["actions"] == []


def test_a_limit_parks_what_is_over_it_and_lets_go_again(tmp_path: Path) -> None:
    rule = {"id": "limited", "limit": "2/minute", "then": [{"label": {"add": ["x"]}}]}
    now = [time.time_ns() // 1_000_000]
    system = build(load_configuration(write_configuration(tmp_path, policy(rule))), clock=lambda: now[0])
    with serve(build_app(system), BoundedProtocol) as url:
        receiver = Receiver(url, system, tmp_path)
        for _ in range(3):
            burst = [sent(receiver, str(uuid.uuid4())) for _ in range(4)]
            states = [receiver.event(event)["actions"][0]["state"] for event in burst]
            assert [state == "awaiting_approval" for state in states] == [False, False, True, True]
            now[0] += 60_001


def test_the_result_of_a_stale_event_is_stale_too(tmp_path: Path, vendor: Any) -> None:
    """I3: an older state does not overwrite a newer one by way of a look-up."""
    now = int(time.time())
    look = {"id": "look", "when": ['event.status == "In Review"'], "on_stale": "act", "then": [{"didit.decision": {}}]}
    decline = {"id": "decline", "on": "action.didit.decision", "then": [DECLINE]}
    with running(tmp_path, policy(look, decline), vendors=vendor[1]) as receiver:
        sent(receiver, "s", status="Approved", timestamp=now)
        late = sent(receiver, "s", status="In Review", timestamp=now - 60)
        receiver.settled(late)
        results = await_that(
            lambda: [one for one in receiver.api("/api/events").json()["items"] if one["parent_id"] == late]
        )
        actions = receiver.settled(results[0]["event_id"])["actions"]
        assert [(action["name"], action["params"]["queue"]) for action in actions] == [("review", "stale")]
    assert vendor[0].updates == []


def test_a_dry_run_calls_nobody_not_even_what_was_planned_before(tmp_path: Path, vendor: Any) -> None:
    rule = {"id": "ask", "then": [{**DECLINE, "needs_approval": True}]}
    with running(tmp_path, policy(rule), vendors=vendor[1]) as receiver:
        waiting = receiver.event(sent(receiver, "s"))["actions"][0]["action_id"]
    with running(tmp_path, policy(rule), vendors=vendor[1], actions={"mode": "dry_run"}) as receiver:
        assert receiver.event(sent(receiver, "t"))["actions"][0]["state"] == "skipped"
        receiver.api(f"/api/actions/{waiting}/approve", method="POST")
        await_that(lambda: receiver.api(f"/api/actions/{waiting}").json()["state"] == "waiting_retry")
        assert "dry run" in receiver.api(f"/api/actions/{waiting}").json()["reason"]
    assert vendor[0].updates == []


def test_keys_that_are_deleted_under_us_stop_the_intake(tmp_path: Path) -> None:
    """I1: what could never be read again must not be acknowledged."""
    with running(tmp_path, policy()) as receiver:
        sent(receiver, "before")
        for path in (tmp_path / "var").glob("keys.db*"):
            path.unlink()
        answer = receiver.send(session_event("after"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert httpx.get(f"{receiver.url}/readyz", timeout=10).status_code == 503


def test_many_conditions_over_a_large_payload_do_not_multiply_it(tmp_path: Path) -> None:
    rules = [{"id": f"r{n}", "when": [f"raw.exists(k, k == 'x{n}')"]} for n in range(50)]
    with running(tmp_path, policy(*rules)) as receiver:
        event = receiver.event(sent(receiver, "s", **{f"field_{n}": "y" * 100 for n in range(2000)}))
        assert len(json.dumps(event["decision"])) < 50_000
        assert "too large to be shown" in str(event["decision"]["rules"][0]["conditions"][0]["inputs"])


def test_a_resend_with_a_fresh_timestamp_says_nothing_else(tmp_path: Path) -> None:
    with running(tmp_path, policy()) as receiver:
        event = session_event("s", event_id="e-1")
        for change in ({}, {"timestamp": event["timestamp"] + 1}, {"status": "Approved"}):
            receiver.send({**event, **change})
        assert len(receiver.api("/api/audit", params={"q": "kind:redelivery"}).json()["items"]) == 1


def test_a_terminal_is_not_written_to_by_strangers(tmp_path: Path) -> None:
    with running(tmp_path, policy()) as receiver:
        event_id = sent(receiver, "s", webhook_type="x\x1b]0;PWNED\x07", status="\x1b[2J")
        document = receiver.event(event_id)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        tell_event(document)
    assert "\x1b]0" not in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


def test_a_delivery_that_waits_while_we_drain_is_told_to_come_again(tmp_path: Path) -> None:
    with running(tmp_path, policy()) as receiver:
        receiver.system.begin_drain()
        body = json.dumps(session_event("s")).encode()
        answer = httpx.post(f"{receiver.url}/webhooks/didit", content=body, headers=signed(body))
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


def test_another_process_that_comes_and_goes_takes_nothing_with_it(tmp_path: Path) -> None:
    """I1: were our locks dropped, the other one would delete the write-ahead log as it leaves, with commits in it."""
    with running(tmp_path, policy()) as receiver:
        for session in ("first", "second", "third"):
            event_id = sent(receiver, session)
            assert receiver.event(event_id)["event"]["session_id"] == session
            shown = run("events", "show", event_id, "--json", "--config", str(tmp_path / "config.yaml"), cwd=tmp_path)
            assert json.loads(shown.stdout)["event"]["session_id"] == session
