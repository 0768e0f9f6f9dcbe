"""`/api/...`: roles, lists by cursor, deeds, and errors in one shape."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from pydantic import TypeAdapter

from receiver.contract import JsonObject
from receiver.erasing import Wanted, erase, find
from receiver.record import Recorder
from tests.support.processes import run
from tests.support.receiver import TOKENS, Receiver, await_that, liveness, running, session_event

POLICY: JsonObject = {
    "version": 1,
    "name": "test",
    "rules": [
        {
            "id": "ask",
            "when": ['event.status == "In Review"'],
            "then": [{"review": {"queue": "q", "reason": "for {{ event.vendor_data }}"}, "needs_approval": True}],
        },
        {"id": "case", "when": ['event.status == "Declined"'], "then": [{"review": {"queue": "q", "reason": "r"}}]},
    ],
}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with running(tmp_path_factory.mktemp("api"), POLICY) as one:
        yield one


def sent(receiver: Receiver, **fields: Any) -> str:
    answer = receiver.send(session_event(str(uuid.uuid4()), event_id=str(uuid.uuid4()), **fields))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["event_id"])


def test_lists_are_paged_without_loss_while_events_arrive(receiver: Receiver) -> None:
    expected = [sent(receiver, status="Approved") for _ in range(7)]
    seen: list[str] = []
    after: str | None = None
    while True:
        page = receiver.api("/api/events", params={"limit": 2, **({"after": after} if after else {})}).json()
        seen += [item["event_id"] for item in page["items"]]
        sent(receiver, status="Approved")
        after = page["next"]
        if after is None:
            break
    assert [event_id for event_id in seen if event_id in expected] == expected[::-1]
    assert len(seen) == len(set(seen))


def test_only_roles_for_personal_data_see_the_payload(receiver: Receiver) -> None:
    event_id = sent(receiver, status="Approved")
    saw = {
        role: receiver.api(f"/api/events/{event_id}", role).json()
        for role in ("reader", "pii_reader", "analyst", "operator")
    }
    assert {role: "raw" in document for role, document in saw.items()} == {
        "reader": False,
        "pii_reader": True,
        "analyst": False,
        "operator": True,
    }


def test_an_action_that_needs_approval_waits_and_then_runs(receiver: Receiver) -> None:
    action = receiver.event(sent(receiver))["actions"][0]
    assert action["state"] == "awaiting_approval"
    path = f"/api/actions/{action['action_id']}"
    assert receiver.api(f"{path}/approve", "reader", "POST").status_code == 403
    assert receiver.api(f"{path}/approve", "analyst", "POST", json={"reason": "seen"}).status_code == 200
    await_that(lambda: receiver.api(path).json()["state"] == "done")
    assert receiver.api(f"{path}/approve", "analyst", "POST").status_code == 409
    found = receiver.api("/api/audit", params={"q": "actor:token:analyst"}).json()["items"]
    assert found


def test_a_rejected_action_never_runs(receiver: Receiver) -> None:
    action = receiver.event(sent(receiver))["actions"][0]
    path = f"/api/actions/{action['action_id']}"
    answer = receiver.api(f"{path}/reject", "operator", "POST", json={"reason": "no"}).json()
    assert (answer["state"], answer["attempts"]) == ("rejected", [])


def test_a_case_is_listed_and_resolved_once(receiver: Receiver) -> None:
    event_id = sent(receiver, status="Declined")
    receiver.settled(event_id)
    cases = receiver.api("/api/reviews", params={"state": "open"}).json()["items"]
    case = next(item for item in cases if item["event_id"] == event_id)
    path = f"/api/reviews/{case['review_id']}/resolve"
    assert receiver.api(path, "analyst", "POST", json={"resolution": ""}).status_code == 400
    assert receiver.api(path, "reader", "POST", json={"resolution": "fine"}).status_code == 403
    assert receiver.api(path, "analyst", "POST", json={"resolution": "fine", "note": "n"}).status_code == 200
    assert receiver.api(path, "analyst", "POST", json={"resolution": "fine"}).status_code == 409


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/events?limit=0", 400, "limit must be a whole number"),
        ("/api/events?limit=501", 400, "limit must be a whole number"),
        ("/api/events?limit=%D9%A3", 400, "limit must be a whole number"),
        ("/api/events?after=nonsense", 400, "cursor"),
        ("/api/events?sesion_id=x", 400, "unknown parameter 'sesion_id'"),
        ("/api/actions?state=finished", 400, "unknown state 'finished'"),
        ("/api/events/evt_none", 404, "no event evt_none"),
        ("/api/sessions/none", 404, "no session"),
        ("/api/actions/act_none", 404, "no action act_none"),
        ("/api/audit?q=sesion:x", 400, "session"),
        ("/api/audit/999999999", 404, "no entry"),
        ("/api/nothing", 404, ""),
        (f"/api/audit/{'1' * 5000}", 404, "no entry"),
        (f"/api/events?limit={'9' * 5000}", 400, "limit must be a whole number"),
        (f"/api/audit?q={'+'.join(['kind:event'] * 65)}", 400, "64 terms"),
    ],
)
def test_a_bad_question_is_told_what_to_do(receiver: Receiver, path: str, status: int, said: str) -> None:
    answer = receiver.api(path)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"[", b"[]", b'"x"', b'{"a":' * 200])
def test_a_body_that_is_no_object_is_400(receiver: Receiver, body: bytes) -> None:
    answer = receiver.api("/api/actions/act_none/retry", "operator", "POST", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic eDp5", "Bearer \xff", "bearer"])
def test_a_wrong_token_is_401(receiver: Receiver, given: str) -> None:
    answer = httpx.get(f"{receiver.url}/api/events", headers=[(b"Authorization", given.encode("latin-1"))])
    assert answer.status_code == 401


def test_the_record_can_be_searched_and_its_entries_read(receiver: Receiver) -> None:
    event_id = sent(receiver, status="Declined")
    receiver.settled(event_id)
    entries = receiver.api("/api/audit", params={"q": f"event:{event_id}"}).json()["items"]
    assert {entry["kind"] for entry in entries} >= {"event", "decision", "action"}
    entry = receiver.api(f"/api/audit/{entries[0]['idx']}").json()
    assert entry["leaf"]


def test_an_event_can_be_decided_again(receiver: Receiver) -> None:
    event_id = sent(receiver, status="Approved")
    assert receiver.api(f"/api/events/{event_id}/replay", "analyst", "POST").status_code == 403
    answer = receiver.api(f"/api/events/{event_id}/replay", "operator", "POST")
    assert answer.json() == {"event_id": event_id, "outcome": "decided"}
    assert receiver.api("/api/events/evt_none/replay", "operator", "POST").status_code == 404


@pytest.mark.parametrize("extent", ["all", "biometric"])
def test_an_event_that_was_erased_is_there_and_cannot_be_decided_again(
    receiver: Receiver, extent: Literal["all", "biometric"]
) -> None:
    """Over HTTP and at the command line; one that never was is still 404."""
    event_id = sent(receiver, vendor_data=f"erased-{extent}", decision=liveness("LIVENESS_FACE_ATTACK"))
    receiver.settled(event_id)
    store = receiver.system.store
    ref = find(store, Wanted(f"erased-{extent}", None, extent)).ref
    assert ref is not None
    erase(store, ref, extent, "test", receiver.system.clock, "")
    answer = receiver.api(f"/api/events/{event_id}/replay", "operator", "POST")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert f"event {event_id} can no longer be decided" in answer.text
    for name, says in ((event_id, "can no longer be decided"), ("evt_none", "no event evt_none")):
        done = run("events", "replay", name, cwd=receiver.folder)
        assert (done.returncode, says in done.stderr) == (1, True), done.stderr


def test_the_policy_in_force_is_shown_with_its_hash(receiver: Receiver) -> None:
    policy = receiver.api("/api/policy", "reader").json()
    event = receiver.event(sent(receiver))
    assert event["decision"]["policy"]["sha256"] == policy["sha256"]


def test_without_tokens_there_is_no_api(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("no-api"), POLICY, api={"tokens": []}) as one:
        assert one.api("/api/events").status_code == 404
        assert httpx.get(f"{one.url}/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/api/events?after=x", "/api/audit?q=nonsense", "/api/policy/simulate?since=never"])
def test_what_the_caller_got_wrong_is_told(receiver: Receiver, path: str) -> None:
    answer = receiver.api(path, method="POST" if "simulate" in path else "GET")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_a_bug_is_ours_and_quotes_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stumble(*_: Any) -> None:
        TypeAdapter(int).validate_python("a name, a birthday")

    monkeypatch.setattr(Recorder, "replay", stumble)
    answer = receiver.api("/api/events/evt_1/replay", method="POST")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    said = "".join(capsys.readouterr())
    assert "ValidationError" in said
    assert "birthday" not in said + answer.text


def test_text_that_utf_8_cannot_hold_is_kept_and_not_an_error(receiver: Receiver) -> None:
    event_id = sent(receiver, status="In Review")
    action_id = receiver.event(event_id)["actions"][0]["action_id"]
    body = b'{"reason": "\\ud800", "resolution": "\\ud800", "note": "\\ud800"}'
    assert receiver.api(f"/api/actions/{action_id}/approve", method="POST", content=body).status_code == 200
    review_id = await_that(lambda: receiver.api("/api/reviews?state=open").json()["items"])[0]["review_id"]
    assert receiver.api(f"/api/reviews/{review_id}/resolve", method="POST", content=body).status_code == 200


def test_a_body_is_bounded_in_size_and_time(tmp_path: Path) -> None:
    with running(tmp_path, POLICY, server={"port": 0, "body_timeout": "200ms"}) as receiver:
        for path in ("/api/actions/a/retry", "/api/policy/check"):
            large = receiver.api(path, method="POST", content=b"x" * (1024**2 + 1))
            assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")
            host, port = receiver.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=10) as client:
                head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n"
                client.sendall(f"{head}Authorization: Bearer {TOKENS['operator']}\r\n\r\n{{".encode())
                assert client.recv(4096).startswith(b"HTTP/1.1 408 ")
