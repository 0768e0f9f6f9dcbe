"""KwikID and Verifik as sources, over real HTTP: neither signs, so a static header, or nothing, must be asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.receiver import Receiver, running

HEADER = {"Content-Type": "application/json", "Authorization": "a-header-that-we-set-0123456789"}
BARE = {"Content-Type": "application/json"}
SOURCES = {
    "kwikid": {
        "vendor": "kwikid",
        "verify": {
            "scheme": "static",
            "header": "Authorization",
            "secrets": [HEADER["Authorization"]],
            "accept_unsigned": True,
        },
    },
    "verifik": {"vendor": "verifik", "verify": {"scheme": "none", "accept_unsigned": True}},
}
REVIEW = {"review": {"queue": "other", "reason": "{{ event.vendor }} {{ event.status }} {{ event.tags }}"}}
DELETE = {"kwikid.delete_face": {"bucket": "customers", "external_image_id": "{{ event.session_id }}"}}
POLICY: dict[str, Any] = {
    "version": 1,
    "name": "others",
    "rules": [
        {"id": "declined", "on": ["Maker Rejected", "Checker Rejected"], "then": [REVIEW]},
        {"id": "not-live", "tags": ["LOW_LIVENESS_SCORE"], "on": ["onboarding_biometric_validation_liveness_failed"],
         "then": [REVIEW, DELETE]},
    ],
}  # fmt: skip


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    vendors = {"kwikid": {"base_url": "http://127.0.0.1:9/sumi/v1", "api_key": "k" * 20}}
    with running(tmp_path, POLICY, sources=SOURCES, vendors=vendors) as one:
        yield one


def post(receiver: Receiver, source: str, payload: Any, headers: dict[str, str]) -> Any:
    return receiver.post(json.dumps(payload).encode(), headers, source)


def test_kwikid_s_static_header_lets_its_events_in(receiver: Receiver) -> None:
    payload = {"event_name": "Checker Rejected", "session_id": "vkyc-1", "n": 1}
    assert post(receiver, "kwikid", payload, BARE).status_code == 401
    answers = [post(receiver, "kwikid", payload, HEADER).json() for _ in range(2)]
    assert [answer["outcome"] for answer in answers] == ["accepted", "duplicate"]
    found = receiver.settled(answers[0]["event_id"])
    assert (found["event"]["type"], found["event"]["status"]) == ("Checker Rejected", "Declined")
    assert [action["params"]["reason"] for action in found["actions"]] == ["kwikid Declined []"]


def test_what_nobody_signed_decides_nothing_dear(receiver: Receiver) -> None:
    """Verifik's event opens a case; a deletion that would follow from it waits for a person."""
    payload = {
        "type": "onboarding_biometric_validation_liveness_failed",
        "object": {"_id": "v-1", "updatedAt": "2026-11-20T09:30:00Z", "status": "failed"},
    }
    answers = [post(receiver, "verifik", sent, BARE).json() for sent in (payload, payload, {**payload, "new": 1})]
    assert [answer["outcome"] for answer in answers] == ["accepted", "duplicate", "accepted"]  # by the same bytes only
    found = receiver.settled(answers[0]["event_id"])
    assert [(action["name"], action["state"]) for action in found["actions"]] == [
        ("review", "done"),
        ("kwikid.delete_face", "awaiting_approval"),
    ]
