"""The bytes on the wire, their signatures, and how patiently they are delivered."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from handlers.sandbox.faults import Fault, Faults
from handlers.sandbox.webhooks import sign, wire
from tests.support.didit_sandbox import WEBHOOK_SECRET, Clock, Inbox, Sandbox, eventually, inbox, sandbox

SECRET = "vector-secret-for-the-sandbox"
BODY = (
    b'{"decision":{"big":170141183460469231731687303715884105727,"score":95},"name":"Zo\\u00eb","session_id":"s-1",'
    b'"status":"In Review","timestamp":1795000000,"webhook_type":"status.updated"}'
)


def test_the_wire_form_is_sorted_compact_escaped_and_shortened() -> None:
    document: dict[str, Any] = {
        "webhook_type": "status.updated",
        "timestamp": 1795000000,
        "status": "In Review",
        "session_id": "s-1",
        "name": "Zoë",
        "decision": {"score": 95.0, "big": 170141183460469231731687303715884105727},
    }
    assert wire(document) == BODY
    assert wire({"a": [1.5, 2.0, True, None, {"z": -0.0, "b": 1}]}) == b'{"a":[1.5,2,true,null,{"b":1,"z":0}]}'


def test_the_signatures_are_those_that_openssl_computes() -> None:
    """`printf %s BODY | openssl dgst -sha256 -hmac SECRET`, with BODY raw, unescaped, and the four fields."""
    headers = sign(BODY, SECRET)
    assert headers == {
        "Content-Type": "application/json",
        "User-Agent": "DiditWebhook/2.0 +https://didit.me",
        "X-Timestamp": "1795000000",
        "X-Signature": "d4a0962415dcd061faa60e4f4cbc20559af9fcbde17eb1818ceff57ca1a27930",
        "X-Signature-V2": "7b20930185e55b58e3b3d9d89aa5aab167f44dd07d6c9de4cb8806f9474d4e40",
        "X-Signature-Simple": "40df3b94f64919b3973be568644098a1927338363e22cf439ef181c9dfe528f5",
    }


def test_the_simple_signature_takes_missing_fields_as_empty() -> None:
    with_nulls = sign(b'{"session_id":null,"status":"","timestamp":5}', SECRET)
    without = sign(b'{"timestamp":5}', SECRET)
    assert with_nulls["X-Signature-Simple"] == without["X-Signature-Simple"]


def test_after_a_rotation_the_old_secret_signs_as_well() -> None:
    old, new = sign(BODY, "the-old-secret"), sign(BODY, SECRET, previous_secret="the-old-secret")
    for name in ("X-Signature", "X-Signature-V2", "X-Signature-Simple"):
        assert new[f"{name}-Previous"] == old[name] != new[name]


def test_a_console_test_is_marked() -> None:
    assert sign(BODY, SECRET, console_test=True)["X-Didit-Test-Webhook"] == "true"
    assert "X-Didit-Test-Webhook" not in sign(BODY, SECRET)


@pytest.mark.parametrize("body", [b"[]", b"5", b"{}", b'{"timestamp":"5"}'])
def test_only_an_object_with_a_timestamp_can_be_signed(body: bytes) -> None:
    with pytest.raises(ValueError, match="timestamp"):
        sign(body, SECRET)


# delivery


def _decline(box: Sandbox) -> None:
    path = f"/v3/session/{box.session_id('low-liveness')}/update-status/"
    assert box.http.patch(path, json={"new_status": "Declined"}).status_code == 200


def _settings(receiver: Inbox, **more: Any) -> dict[str, Any]:
    return {
        "webhook_url": receiver.url,
        "webhook_secret": WEBHOOK_SECRET,
        "webhook_delay_scale": 0.0,
        "clock": Clock(),
        **more,
    }


@pytest.mark.parametrize(
    ("answers", "attempts"),
    [
        ([200], 1),
        ([204], 1),
        ([500, 200], 2),
        ([404, 503, 200], 3),
        ([500, 500, 500, 200], 3),
        ([400], 1),
        ([401], 1),
        ([429], 1),
        ([302], 1),
    ],
)
def test_trouble_is_tried_again_twice_and_a_no_is_final(answers: list[int], attempts: int) -> None:
    with inbox(*answers) as receiver, sandbox(**_settings(receiver)) as box:
        _decline(box)
        receiver.wait(attempts)
        box.settled()
        assert [delivery.http_status for delivery in box.world.courier.deliveries] == answers[:attempts]
        assert len({json.loads(body)["event_id"] for _, body in receiver.deliveries}) == 1


@pytest.mark.parametrize(("refreshes", "expected"), [(True, 65), (False, 0)])
def test_a_retry_is_signed_for_its_own_moment_if_configured(refreshes: bool, expected: int) -> None:
    clock = Clock()

    def a_minute_passes() -> None:
        clock.now += 65

    settings = {"clock": clock, "webhook_retry_refreshes": refreshes}
    with inbox(503) as receiver, sandbox(**_settings(receiver, **settings)) as box:
        receiver.meanwhile = a_minute_passes
        _decline(box)
        first, second = (json.loads(body) for _, body in receiver.wait(2))
        assert second["timestamp"] - first["timestamp"] == expected
        assert receiver.deliveries[1][0]["x-timestamp"] == str(second["timestamp"])
        assert second["created_at"] == first["created_at"]


def test_the_delays_are_one_and_four_minutes_times_the_scale() -> None:
    with inbox(503, 503) as receiver, sandbox(**_settings(receiver, webhook_delay_scale=10.0)) as box:
        assert box.world.settings.webhook_retry_delays == (60.0, 240.0)
        _decline(box)
        receiver.wait(1)
        eventually(lambda: box.world.courier.deliveries, "the answer")
        assert box.world.courier.pending == 1
    assert len(receiver.deliveries) == 1


def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    with sandbox(webhook_url=url, webhook_secret=WEBHOOK_SECRET, webhook_delay_scale=0.0) as box:
        _decline(box)
        box.settled()
        assert [delivery.http_status for delivery in box.world.courier.deliveries] == [None, None, None]


def test_a_receiver_that_does_not_answer_in_time_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        settings = {"webhook_timeout": 0.05, "webhook_retry_delays": (0.0,)}
        with sandbox(webhook_url=url, webhook_secret=WEBHOOK_SECRET, **settings) as box:
            _decline(box)
            box.settled()
            assert [delivery.http_status for delivery in box.world.courier.deliveries] == [None, None]


def test_a_webhook_can_come_twice() -> None:
    faults = Faults(duplicate_webhook=Fault(next=1))
    with inbox() as receiver, sandbox(**_settings(receiver, faults=faults)) as box:
        _decline(box)
        (_, first), (_, second) = receiver.wait(2)
        assert first == second
        box.settled()
        assert len(receiver.deliveries) == 2


def test_a_webhook_can_come_late() -> None:
    faults = Faults(late_webhook=Fault(next=1, seconds=30.0))
    with inbox() as receiver, sandbox(**_settings(receiver, faults=faults)) as box:
        _decline(box)
        assert box.world.courier.pending == 1
        path = f"/v3/session/{box.session_id('low-face-match')}/update-status/"
        box.http.patch(path, json={"new_status": "Approved"})
        ((_, body),) = receiver.wait(1)
        assert json.loads(body)["status"] == "Approved"
