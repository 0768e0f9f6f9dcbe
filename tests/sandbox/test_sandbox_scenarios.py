"""The tour: that each of its deliveries is what its title says, on the wire."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from handlers.sandbox.scenarios import LATE, SCENARIOS, TOUR
from receiver.vendors.tags import KNOWN_TAGS
from tests.support.didit_sandbox import NOW, WEBHOOK_SECRET, Clock, Inbox, Sandbox, inbox, sandbox

Delivered = tuple[dict[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Sandbox, Inbox, Clock]]:
    clock = Clock()
    with inbox() as receiver, sandbox(clock=clock, webhook_url=receiver.url, webhook_secret=WEBHOOK_SECRET) as box:
        yield box, receiver, clock


@pytest.fixture
def box(running: tuple[Sandbox, Inbox, Clock]) -> Sandbox:
    return running[0].fresh()


@pytest.fixture
def receiver(running: tuple[Sandbox, Inbox, Clock], box: Sandbox) -> Inbox:
    running[1].deliveries.clear()
    return running[1]


@pytest.fixture
def clock(running: tuple[Sandbox, Inbox, Clock], box: Sandbox) -> Clock:
    running[2].now = NOW
    return running[2]


def _send(box: Sandbox, receiver: Inbox, name: str) -> Delivered:
    count = len(receiver.deliveries)
    assert box.anonymous.post("/_sandbox/deliver", json={"scenario": name}).json()["http_status"] == 200
    headers, body = receiver.wait(count + 1)[-1]
    return headers, json.loads(body)


def _risks(event: dict[str, Any]) -> list[str]:
    decision = event["decision"]
    found = [records for records in decision.values() if isinstance(records, list)]
    return sorted(
        warning["risk"]
        for records in found
        for record in records
        if isinstance(record, dict)
        for warning in record.get("warnings", [])
    )


def test_every_delivery_is_signed_as_it_says(box: Sandbox, receiver: Inbox) -> None:
    for name, scenario in SCENARIOS.items():
        count = len(receiver.deliveries)
        headers, event = _send(box, receiver, name)
        body = receiver.deliveries[count][1]
        genuine = headers["x-signature"] == hmac.new(WEBHOOK_SECRET.encode(), body, "sha256").hexdigest()
        assert genuine is (scenario.signed == "good"), name
        assert headers["x-timestamp"] == str(event["timestamp"]), name


def test_every_session_of_the_tour_answers_follow_up_calls(box: Sandbox, receiver: Inbox) -> None:
    for scenario in TOUR:
        _, event = _send(box, receiver, scenario.name)
        decision = box.http.get(f"/v3/session/{event['session_id']}/decision/")
        assert decision.status_code == (404 if scenario.session is None else 200), scenario.name
        if scenario.session is not None:
            image = decision.json()["liveness_checks"][0]["reference_image"]
            assert box.anonymous.get(image).status_code == 200


def test_links_in_a_webhook_can_be_followed(box: Sandbox, receiver: Inbox) -> None:
    _, event = _send(box, receiver, "duplicate")
    liveness = event["decision"]["liveness_checks"][0]
    for link in (liveness["reference_image"], liveness["matches"][0]["match_image_url"]):
        assert box.anonymous.get(link).status_code == 200


def test_all_are_fresh_and_only_the_late_ones_are_older(box: Sandbox, receiver: Inbox, clock: Clock) -> None:
    for scenario in TOUR:
        _, event = _send(box, receiver, scenario.name)
        assert event["timestamp"] == NOW - scenario.age
        assert scenario.age in (0, LATE)
    assert LATE < 300


@pytest.mark.parametrize(
    ("name", "status", "risks"),
    [
        ("clean", "Approved", []),
        ("attack", "Declined", ["LIVENESS_FACE_ATTACK", "LOW_LIVENESS_SCORE"]),
        ("duplicate", "In Review", ["DUPLICATED_FACE"]),
        ("possible-duplicate", "Approved", ["POSSIBLE_DUPLICATED_FACE"]),
        ("blocklisted", "Declined", ["FACE_IN_BLOCKLIST"]),
        ("possible-blocklisted", "In Review", ["POSSIBLE_FACE_IN_BLOCKLIST"]),
        ("low-liveness", "In Review", ["LOW_LIVENESS_SCORE"]),
        ("low-face-match", "In Review", ["LOW_FACE_MATCH_SIMILARITY"]),
        ("declined-by-hand", "Declined", ["LOW_FACE_MATCH_SIMILARITY"]),
        ("no-portrait", "Declined", ["NO_REFERENCE_IMAGE"]),
        ("too-dark", "In Review", ["LOW_FACE_LUMINANCE"]),
        ("expired", "Declined", ["BREACHED_EMAIL_DETECTED", "DOCUMENT_EXPIRED"]),
        ("forged-document", "Declined", ["PORTRAIT_MANIPULATION_DETECTED"]),
        ("screen-copy", "Declined", ["SCREEN_CAPTURE_DETECTED"]),
        ("wrong-number", "In Review", ["DOCUMENT_NUMBER_FORMAT_MISMATCH"]),
        ("blocked-document", "Declined", ["ID_DOCUMENT_IN_BLOCKLIST"]),
        ("blocked-phone", "Declined", ["PHONE_NUMBER_IN_BLOCKLIST"]),
        ("underage", "In Review", ["MINIMUM_AGE_NOT_MET"]),
        ("returning", "Approved", ["DUPLICATED_DOCUMENT"]),
        ("second-account", "Approved", ["POSSIBLE_DUPLICATED_USER"]),
        ("resembling", "In Review", ["DUPLICATED_FACE"]),
        ("attackers-face", "In Review", ["DUPLICATED_FACE"]),
        ("due-diligence", "Approved", []),
        ("sanctioned", "In Review", ["POSSIBLE_MATCH_FOUND"]),
        ("namesake", "In Review", ["POSSIBLE_MATCH_FOUND"]),
        (
            "hidden",
            "Approved",
            [
                "COUNTRY_FROM_DOCUMENT_DOES_NOT_MATCH_COUNTRY_FROM_IP",
                "DISPOSABLE_EMAIL_DETECTED",
                "PRIVATE_NETWORK_DETECTED",
                "VOIP_NUMBER_DETECTED",
            ],
        ),
        ("injected", "Approved", ["FRAME_INJECTION_SUSPECTED"]),
        ("undeliverable", "Declined", ["UNDELIVERABLE_EMAIL_DETECTED"]),
        ("reviewed-attack", "In Review", ["LIVENESS_FACE_ATTACK"]),
        ("overruled", "Approved", ["LIVENESS_FACE_ATTACK"]),
        ("late-attack", "Declined", ["LIVENESS_FACE_ATTACK", "LOW_LIVENESS_SCORE"]),
        ("data-updated", "Approved", []),
    ],
)
def test_status_and_findings_are_those_of_the_title(
    box: Sandbox, receiver: Inbox, name: str, status: str, risks: list[str]
) -> None:
    _, event = _send(box, receiver, name)
    assert (event["status"], event["decision"]["status"], _risks(event)) == (status, status, risks)


def test_every_finding_is_a_tag_that_the_vendor_documents(box: Sandbox, receiver: Inbox) -> None:
    for scenario in TOUR:
        _, event = _send(box, receiver, scenario.name)
        if "id_verifications" in event.get("decision", {}):
            assert set(_risks(event)) <= KNOWN_TAGS.keys(), scenario.name


def test_a_known_document_points_to_the_sessions_that_showed_it(box: Sandbox, receiver: Inbox) -> None:
    for name, earlier, same_customer in (("returning", "distant", True), ("second-account", "lookalike", False)):
        _, event = _send(box, receiver, name)
        document = event["decision"]["id_verifications"][0]
        assert [match["session_id"] for match in document["matches"]] == [box.session_id(earlier)]
        assert (document["matches"][0]["vendor_data"] == event["vendor_data"]) is same_customer
        assert box.decision(earlier)["id_verifications"][0]["document_number"] == document["document_number"]


def test_the_overruled_attack_was_approved_by_a_reviewer(box: Sandbox, receiver: Inbox) -> None:
    _, event = _send(box, receiver, "overruled")
    assert [entry["new_status"] for entry in event["decision"]["reviews"]] == ["Approved"]
    assert event["session_id"] == box.session_id("reviewed-attack")


def test_nothing_to_compare_gives_no_score(box: Sandbox, receiver: Inbox) -> None:
    _, event = _send(box, receiver, "no-portrait")
    match = event["decision"]["face_matches"][0]
    assert (match["score"], match["source_image"], match["status"]) == (None, None, "Declined")


def test_the_redelivery_is_the_same_event_signed_afresh(box: Sandbox, receiver: Inbox, clock: Clock) -> None:
    old_headers, old = _send(box, receiver, "attack")
    clock.now += 90
    new_headers, new = _send(box, receiver, "redelivery")
    assert {**new, "timestamp": NOW} == old
    assert new["timestamp"] == NOW + 90
    assert new_headers["x-signature"] != old_headers["x-signature"]
    assert SCENARIOS["redelivery"].expected_outcome == "duplicate"


def test_the_forged_one_claims_an_approval(box: Sandbox, receiver: Inbox) -> None:
    _, event = _send(box, receiver, "forged")
    assert (event["session_id"], event["status"]) == (box.session_id("attack"), "Approved")
    assert (SCENARIOS["forged"].expected_status, SCENARIOS["forged"].expected_outcome) == (401, None)


def test_the_out_of_order_one_is_older_than_the_decline(box: Sandbox, receiver: Inbox) -> None:
    _, decline = _send(box, receiver, "attack")
    _, progress = _send(box, receiver, "out-of-order")
    assert progress["session_id"] == decline["session_id"]
    assert progress["event_id"] != decline["event_id"]
    assert progress["status"] == "In Progress"
    assert "decision" not in progress
    assert progress["timestamp"] < decline["timestamp"]


def test_the_late_attack_is_older_than_the_approval_of_the_same_session(box: Sandbox, receiver: Inbox) -> None:
    _, approval = _send(box, receiver, "clean")
    _, attack = _send(box, receiver, "late-attack")
    assert attack["session_id"] == approval["session_id"]
    assert attack["timestamp"] < approval["timestamp"]
    assert box.decision("clean")["status"] == "Approved"


def test_the_correction_changes_the_surname_only(box: Sandbox, receiver: Inbox) -> None:
    _, approval = _send(box, receiver, "clean")
    _, correction = _send(box, receiver, "data-updated")
    assert correction["webhook_type"] == "data.updated"
    before, after = (event["decision"]["id_verifications"][0] for event in (approval, correction))
    assert {name for name in before if before[name] != after[name]} <= {"last_name", "full_name"}
    assert after["last_name"] == "Lindqvist-Ohlin"
    assert correction["decision"]["reviews"][0]["comment"] == "surname corrected"


def test_accents_make_the_two_signatures_differ(box: Sandbox, receiver: Inbox) -> None:
    headers, event = _send(box, receiver, "accents")
    assert event["decision"]["id_verifications"][0]["full_name"] == "Zoë Núñez-Łukasiewicz"
    assert receiver.deliveries[-1][1].isascii()
    assert headers["x-signature"] != headers["x-signature-v2"]
    headers, _ = _send(box, receiver, "clean")
    assert headers["x-signature"] == headers["x-signature-v2"]


def test_the_console_test_is_marked_and_about_nobody(box: Sandbox, receiver: Inbox) -> None:
    headers, event = _send(box, receiver, "console-test")
    assert headers["x-didit-test-webhook"] == "true"
    assert event["metadata"] == {"test_webhook": True}
    assert event["vendor_data"] == "test-vendor-data-123"
    assert "event_id" not in event


def test_version_2_has_one_object_for_each_feature(box: Sandbox, receiver: Inbox) -> None:
    _, event = _send(box, receiver, "v2-shape")
    decision = event["decision"]
    assert "event_id" not in event
    assert decision["liveness"]["score"] == 98.4
    assert "node_id" not in decision["liveness"]
    assert decision["id_verification"]["issuing_state"] == "LVA"
    assert decision["phone"] is None
    assert "liveness_checks" not in decision


def test_version_1_has_kyc_and_face(box: Sandbox, receiver: Inbox) -> None:
    _, event = _send(box, receiver, "v1-shape")
    decision = event["decision"]
    assert decision["features"] == "OCR + FACE"
    assert decision["kyc"]["full_name"] == "Tomas Berzins"
    assert decision["face"]["liveness_confidence"] == 98.4
    assert box.anonymous.get(decision["face"]["target_image"]).status_code == 200


def test_the_bytes_are_sorted_and_compact(box: Sandbox, receiver: Inbox) -> None:
    for scenario in TOUR:
        _send(box, receiver, scenario.name)
    for _, body in receiver.deliveries:
        assert json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode() == body
        assert b".0," not in body


def test_an_event_reports_the_state_that_is(box: Sandbox, receiver: Inbox) -> None:
    path = f"/v3/session/{box.session_id('low-liveness')}/update-status/"
    box.http.patch(path, json={"new_status": "Approved"})
    receiver.wait(1)
    _, event = _send(box, receiver, "low-liveness")
    assert event["status"] == "Approved"


def test_names_are_unique_and_titles_are_sentences() -> None:
    names = [scenario.name for scenario in TOUR]
    assert len(set(names)) == len(names) >= 12
    assert all(scenario.title.endswith(".") for scenario in SCENARIOS.values())
    accepted = [scenario for scenario in TOUR if scenario.expected_outcome == "accepted"]
    events = [scenario.event or scenario.name for scenario in accepted]
    assert all(one != other for one, other in pairwise(sorted(events)))
