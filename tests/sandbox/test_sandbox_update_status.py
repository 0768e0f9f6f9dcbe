"""PATCH /v3/session/{id}/update-status/ and the webhook that it causes."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.didit_sandbox import NOW, WEBHOOK_SECRET, Clock, Inbox, Sandbox, inbox, sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Sandbox, Inbox]]:
    with (
        inbox() as receiver,
        sandbox(clock=Clock(), webhook_url=receiver.url, webhook_secret=WEBHOOK_SECRET) as box,
    ):
        yield box, receiver


@pytest.fixture
def box(running: tuple[Sandbox, Inbox]) -> Sandbox:
    return running[0].fresh()


@pytest.fixture
def receiver(box: Sandbox, running: tuple[Sandbox, Inbox]) -> Inbox:
    running[1].deliveries.clear()
    return running[1]


def _update(box: Sandbox, part: str, **body: Any) -> httpx.Response:
    return box.http.patch(f"/v3/session/{box.session_id(part)}/update-status/", json=body)


@pytest.mark.parametrize("status", ["Approved", "Declined"])
def test_a_status_that_was_set_shows_in_the_decision(box: Sandbox, status: str) -> None:
    answer = _update(box, "low-liveness", new_status=status, comment="looked at")
    assert (answer.status_code, answer.json()) == (200, {"session_id": box.session_id("low-liveness")})
    decision = box.decision("low-liveness")
    assert decision["status"] == status
    assert [(review["new_status"], review["comment"]) for review in decision["reviews"]] == [(status, "looked at")]


def test_the_echo_arrives_signed(box: Sandbox, receiver: Inbox) -> None:
    """All three signatures recompute with nothing but the standard library."""
    _update(box, "accents", new_status="Declined")
    ((headers, body),) = receiver.wait(1)
    event = json.loads(body)
    assert (event["webhook_type"], event["status"], event["environment"]) == ("status.updated", "Declined", "sandbox")
    assert event["session_id"] == event["decision"]["session_id"] == box.session_id("accents")
    assert event["decision"]["status"] == "Declined"
    assert event["timestamp"] == NOW
    canonical = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    simple = f"{NOW}:{event['session_id']}:Declined:status.updated".encode()
    secret = WEBHOOK_SECRET.encode()
    assert headers["x-signature"] == hmac.new(secret, body, "sha256").hexdigest()
    assert headers["x-signature-v2"] == hmac.new(secret, canonical, "sha256").hexdigest()
    assert headers["x-signature-simple"] == hmac.new(secret, simple, "sha256").hexdigest()
    assert canonical != body
    assert headers["x-timestamp"] == str(NOW)
    assert headers["user-agent"] == "DiditWebhook/2.0 +https://didit.me"
    assert headers["content-type"] == "application/json"


def test_each_change_is_an_event_of_its_own(box: Sandbox, receiver: Inbox) -> None:
    _update(box, "low-liveness", new_status="Approved")
    _update(box, "low-liveness", new_status="Declined")
    events = [json.loads(body) for _, body in receiver.wait(2)]
    assert {event["status"] for event in events} == {"Approved", "Declined"}
    assert len({event["event_id"] for event in events}) == 2


@pytest.mark.parametrize("status", ["In Review", "approved", "", None, 5])
def test_no_other_status_can_be_set(box: Sandbox, status: object) -> None:
    answer = _update(box, "low-liveness", new_status=status)
    assert (answer.status_code, list(answer.json())) == (400, ["new_status"])
    assert box.decision("low-liveness")["status"] == "In Review"


@pytest.mark.parametrize(
    ("present", "status"),
    [
        ("Approved", 200),
        ("Declined", 200),
        ("In Review", 200),
        ("Kyc Expired", 200),
        ("Abandoned", 200),
        ("Resubmitted", 200),
        ("Not Started", 400),
        ("In Progress", 400),
        ("Awaiting User", 400),
        ("Expired", 400),
    ],
)
def test_only_a_finished_session_can_be_updated(box: Sandbox, present: str, status: int) -> None:
    box.world.state.sessions[box.session_id("clean")].status = present
    target = "Declined" if present == "Approved" else "Approved"
    assert _update(box, "clean", new_status=target).status_code == status
    assert box.decision("clean")["status"] == (target if status == 200 else present)


def test_a_stranger_cannot_be_updated(box: Sandbox) -> None:
    answer = box.http.patch("/v3/session/nobody/update-status/", json={"new_status": "Approved"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"send_email": True}, 400),
        ({"send_email": True, "email_address": ""}, 400),
        ({"send_email": True, "email_address": "nowhere"}, 400),
        ({"send_email": True, "email_address": "a@mail.example.invalid", "email_language": "de"}, 200),
        ({"send_email": False}, 200),
        ({"send_email": "perhaps"}, 400),
        ({"comment": 5}, 400),
        ({"email_language": 5}, 400),
    ],
)
def test_an_email_needs_an_address(box: Sandbox, fields: dict[str, Any], status: int) -> None:
    assert _update(box, "low-liveness", new_status="Approved", **fields).status_code == status


@pytest.mark.parametrize(
    ("same_status", "status", "webhooks"), [("silent", 200, 0), ("webhook", 200, 1), ("refused", 400, 0)]
)
def test_setting_the_present_status_again_does_as_configured(
    receiver: Inbox, same_status: str, status: int, webhooks: int
) -> None:
    with sandbox(webhook_url=receiver.url, webhook_secret=WEBHOOK_SECRET, same_status=same_status) as box:
        assert _update(box, "attack", new_status="Declined").status_code == status
        box.settled()
        assert len(receiver.deliveries) == webhooks


def test_a_resubmission_names_the_steps_that_did_not_end_well(box: Sandbox, receiver: Inbox) -> None:
    assert _update(box, "low-liveness", new_status="Resubmitted").status_code == 200
    ((_, body),) = receiver.wait(1)
    event = json.loads(body)
    assert "decision" not in event
    assert event["resubmit_info"] == {
        "nodes_to_resubmit": [{"node_id": "feature_liveness", "feature": "LIVENESS"}],
        "reasons": {"feature_liveness": "Low liveness score"},
    }
    assert _update(box, "low-liveness", new_status="Resubmitted").status_code == 400


def test_a_resubmission_can_name_its_steps(box: Sandbox, receiver: Inbox) -> None:
    nodes = [{"node_id": "feature_ocr", "feature": "ID_VERIFICATION"}]
    assert _update(box, "clean", new_status="Resubmitted", nodes_to_resubmit=nodes).status_code == 200
    ((_, body),) = receiver.wait(1)
    assert json.loads(body)["resubmit_info"]["nodes_to_resubmit"] == nodes


@pytest.mark.parametrize(
    "nodes",
    [
        None,
        [],
        "feature_ocr",
        ["feature_ocr"],
        [{"feature": "OCR"}],
        [{"node_id": "feature_ocr", "feature": "CAT"}],
        [{"node_id": "x", "feature": "KYB_REGISTRY"}],
    ],
)
def test_a_resubmission_of_nothing_is_400(box: Sandbox, nodes: object) -> None:
    body = {} if nodes is None else {"nodes_to_resubmit": nodes}
    answer = _update(box, "clean", new_status="Resubmitted", **body)
    assert (answer.status_code, list(answer.json())) == (400, ["nodes_to_resubmit"])


def test_without_a_destination_the_status_changes_in_silence() -> None:
    with sandbox() as box:
        assert _update(box, "low-liveness", new_status="Approved").status_code == 200
        assert box.decision("low-liveness")["status"] == "Approved"
        assert box.world.courier.deliveries == []
