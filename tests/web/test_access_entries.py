"""Who: every act of a person and every reading of what is sealed is an entry with its actor, and names nobody else."""

from __future__ import annotations

import base64
import json
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from receiver.contract import JsonObject, JsonValue
from receiver.web.app import build_app
from tests.support.receiver import TOKENS, Receiver, await_that, running, session_event

ROLES = ("reader", "pii_reader", "analyst", "operator")
PERSONAL = "Erika-Mustermann-1964"
POLICY: JsonObject = {
    "version": 1,
    "name": "who",
    "rules": [
        {
            "id": "ask",
            "when": ['event.status == "In Review"'],
            "then": [{"label": {"add": ["asked"]}, "needs_approval": True}],
        },
        {"id": "case", "when": ['event.status == "Declined"'], "then": [{"review": {"queue": "q", "reason": "r"}}]},
    ],
}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with running(tmp_path_factory.mktemp("who"), POLICY) as one:
        yield one


def sent(receiver: Receiver, **fields: Any) -> str:
    session = f"{PERSONAL}-{uuid.uuid4()}"
    given = {"vendor_data": PERSONAL, "event_id": str(uuid.uuid4()), "decision": decision(), **fields}
    answer = receiver.send(session_event(session, **given))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["event_id"])


def decision() -> dict[str, Any]:
    image = f"https://media.example/{PERSONAL}.png?sig=1234"
    checks = [{"node_id": "n1", "status": "Approved", "score": 91, "reference_image": image, "warnings": []}]
    return {"liveness_checks": checks, "id_verifications": [{"full_name": PERSONAL, "document_number": PERSONAL}]}


def entries(receiver: Receiver, query: str) -> list[dict[str, Any]]:
    """Fitting entries, newest first, with what their leaves say."""
    items = receiver.api("/api/audit", "reader", params={"q": query, "limit": 500}).json()["items"]
    return [receiver.api(f"/api/audit/{item['idx']}", "reader").json() for item in items]


def session_of(receiver: Receiver, event_id: str) -> str:
    return str(receiver.api(f"/api/events/{event_id}", "reader").json()["event"]["session_id"])


@pytest.mark.parametrize("role", ROLES)
def test_a_reading_of_a_body_leaves_one_entry_and_any_other_none(receiver: Receiver, role: str) -> None:
    event_id = sent(receiver, status="Approved")
    document = receiver.api(f"/api/events/{event_id}", role).json()
    found = entries(receiver, f"kind:access event:{event_id}")
    assert ("raw" in document) == (role in ("pii_reader", "operator")) == (len(found) == 1)
    if found:
        entry = found[0]
        assert (entry["actor"], entry["content"]["facts"], entry["outcome"]) == (
            f"token:{role}",
            {"what": "body"},
            "read",
        )
        assert entry["content"]["session"]  # so that it is found by its session
        session = session_of(receiver, event_id)
        assert [each["idx"] for each in entries(receiver, f"kind:access session:{session}")] == [entry["idx"]]


@pytest.mark.parametrize("path", ["/api/events", "/api/reviews", "/api/actions", "/api/policy", "/api/audit"])
def test_lists_show_no_bodies_and_leave_no_entry(receiver: Receiver, path: str) -> None:
    sent(receiver, status="Approved")
    before = len(entries(receiver, "kind:access"))
    assert "full_name" not in receiver.api(path, "operator").text
    assert len(entries(receiver, "kind:access")) == before


def test_a_reading_that_cannot_be_recorded_is_refused(receiver: Receiver) -> None:
    event_id = sent(receiver, status="Approved")
    session = session_of(receiver, event_id)
    connection = sqlite3.connect(receiver.folder / "var" / "hookwarden.db", isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for path in (f"/api/events/{event_id}", f"/api/sessions/{session}/explanation"):
            answer = receiver.api(path, "pii_reader")
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
            assert PERSONAL not in answer.text
        assert receiver.api(f"/api/events/{event_id}", "reader").status_code == 200
    finally:
        connection.execute("ROLLBACK")
        connection.close()
    await_that(lambda: receiver.api(f"/api/events/{event_id}", "pii_reader").status_code == 200)


def test_readers_see_no_link_that_opens_an_image(receiver: Receiver) -> None:
    event_id = sent(receiver, status="Approved")
    session = session_of(receiver, event_id)
    for role in ("reader", "analyst"):
        for path in (f"/api/events/{event_id}", f"/api/sessions/{session}"):
            assert "media.example" not in receiver.api(path, role).text
    assert "media.example" in receiver.api(f"/api/events/{event_id}", "pii_reader").text


@pytest.mark.parametrize(
    ("role", "status"), [("reader", 403), ("pii_reader", 200), ("analyst", 200), ("operator", 200)]
)
def test_an_explanation_is_for_who_may_see_values_and_is_recorded(receiver: Receiver, role: str, status: int) -> None:
    event_id = sent(receiver, status="Approved")
    session = session_of(receiver, event_id)
    answer = receiver.api(f"/api/sessions/{session}/explanation", role)
    assert answer.status_code == status
    found = entries(receiver, f"kind:access session:{session}")
    facts = {"what": "explanation", "newest_event": event_id}
    assert [(each["actor"], each["content"]["facts"], each["session_id"]) for each in found] == (
        [(f"token:{role}", facts, session)] if status == 200 else []
    )
    listed = receiver.api("/api/audit", "reader", params={"q": "kind:access", "limit": 1}).json()["items"]
    assert status != 200 or listed[0]["session_id"] == session


def test_what_is_not_there_leaves_no_entry(receiver: Receiver) -> None:
    before = len(entries(receiver, "kind:access"))
    for path in ("/api/events/evt_none", "/api/sessions/none/explanation", "/api/events/evt_none/explanation"):
        assert receiver.api(path, "operator").status_code == 404
    assert len(entries(receiver, "kind:access")) == before


def test_a_simulation_is_one_entry_with_its_range_and_count(receiver: Receiver) -> None:
    sent(receiver, status="Approved")
    before = len(entries(receiver, "kind:access"))
    body = json.dumps({"version": 1, "name": "other", "rules": []})
    answer = receiver.api("/api/policy/simulate", "analyst", "POST", params={"since": "1h", "limit": 2}, content=body)
    assert answer.status_code == 200, answer.text
    newest, *rest = entries(receiver, "kind:access")
    facts = newest["content"]["facts"]
    assert (len(rest), newest["actor"]) == (before, "token:analyst")
    assert (facts["what"], facts["act"], facts["events"]) == ("bodies", "simulate", "2")
    assert facts["since"] < facts["until"]


def act_on_action(receiver: Receiver, deed: str) -> tuple[str, str]:
    action = receiver.event(sent(receiver))["actions"][0]["action_id"]
    path = f"/api/actions/{action}/"
    if deed == "retry":  # of one that is not finished, as the attempt cannot be had otherwise
        assert receiver.api(f"{path}{deed}", "operator", "POST").status_code == 409
        return "", ""
    answer = receiver.api(f"{path}{deed}", "operator", "POST", json={"reason": f"{PERSONAL} asked"})
    assert answer.status_code == 200, answer.text
    return f"kind:operator actor:token:operator action:{action}", deed


def resolve(receiver: Receiver) -> tuple[str, str]:
    event_id = sent(receiver, status="Declined")
    receiver.settled(event_id)
    items = receiver.api("/api/reviews", params={"state": "open"}).json()["items"]
    review = next(item["review_id"] for item in items if item["event_id"] == event_id)
    said = {"resolution": f"{PERSONAL} is real", "note": PERSONAL}
    answer = receiver.api(f"/api/reviews/{review}/resolve", "operator", "POST", json=said)
    assert answer.status_code == 200, answer.text
    return f"kind:operator actor:token:operator event:{event_id}", "resolve"


def replay(receiver: Receiver) -> tuple[str, str]:
    event_id = sent(receiver, status="Approved")
    assert receiver.api(f"/api/events/{event_id}/replay", "operator", "POST").status_code == 200
    return f"kind:operator actor:token:operator event:{event_id}", "replay"


ACTS = {
    "/api/actions/{action_id}/{deed}": ("retry", "discard", "approve", "reject"),
    "/api/reviews/{review_id}/resolve": (),
    "/api/events/{event_id}/replay": (),
    "/api/policy": (),  # tests/web/test_policy_api.py publishes; the entry is looked for below
    "/api/policy/simulate": (),  # above
}
HARMLESS = {"/api/policy/check", "/webhooks/{source}"}  # change nothing; are not a person's


def test_every_route_that_changes_something_is_walked_here(receiver: Receiver) -> None:
    """A new one belongs into ACTS, with a test that looks for its entry."""
    app: Starlette = build_app(receiver.system)
    changing = {
        route.path for route in app.routes if isinstance(route, Route) and {"POST", "PUT"} & (route.methods or set())
    }
    assert changing - HARMLESS - set(ACTS) == set()


@pytest.mark.parametrize("act", ["discard", "approve", "reject", "resolve", "replay"])
def test_every_act_is_an_entry_with_its_actor(receiver: Receiver, act: str) -> None:
    query, name = {"resolve": resolve, "replay": replay}.get(act, lambda one: act_on_action(one, act))(receiver)
    found = entries(receiver, query)
    assert [each["content"]["facts"]["act"] for each in found] == [name]


def test_a_retry_is_an_entry_and_keeps_its_reason(tmp_path: Path) -> None:
    """The vendor cannot be reached, so the action waits to be tried again."""
    then: list[JsonValue] = [{"didit.update_status": {"status": "Declined"}}]
    vendors = {"didit": {"base_url": "http://127.0.0.1:9", "api_key": "k" * 20, "timeout": 1}}
    rules: JsonObject = {"version": 1, "name": "retry", "rules": [{"id": "call", "then": then}]}
    with running(tmp_path, rules, vendors=vendors) as receiver:
        event_id = sent(receiver)
        action = receiver.event(event_id)["actions"][0]["action_id"]
        path = f"/api/actions/{action}"
        await_that(lambda: receiver.api(path).json()["state"] == "waiting_retry")
        answer = receiver.api(f"{path}/retry", "operator", "POST", json={"reason": "it is up again"})
        assert answer.status_code == 200, answer.text
        assert [deed["reason"] for deed in receiver.api(path).json()["deeds"]] == ["it is up again"]
        found = entries(receiver, f"kind:operator actor:token:operator action:{action}")
        assert [each["content"]["facts"] for each in found] == [{"act": "retry"}]


def test_a_published_policy_is_an_entry_with_its_author(tmp_path: Path) -> None:
    (tmp_path / "face.yaml").write_text(json.dumps(POLICY), encoding="utf-8")
    with running(tmp_path, "face.yaml") as receiver:
        before = receiver.api("/api/policy")
        text = json.dumps({**POLICY, "rules": []})
        headers = {"If-Match": before.headers["etag"], "Authorization": f"Bearer {TOKENS['operator']}"}
        answer = httpx.put(f"{receiver.url}/api/policy", content=text, headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
        found = entries(receiver, "kind:policy")
        assert (found[0]["actor"], found[0]["policy_sha256"]) == ("token:operator", answer.json()["sha256"])


def test_entries_hold_no_personal_data(receiver: Receiver) -> None:
    """All of them, whatever was done before."""
    event_id = sent(receiver, status="Approved")
    receiver.api(f"/api/events/{event_id}", "pii_reader")
    receiver.api(f"/api/sessions/{session_of(receiver, event_id)}/explanation", "pii_reader")
    found = entries(receiver, "")
    assert {"access", "event", "decision"} <= {each["kind"] for each in found}
    for entry in found:
        assert PERSONAL not in base64.b64decode(entry["leaf"]).decode()
