"""Didit's payloads in all their shapes become one kind of event."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from receiver.vendors.didit import normalise
from receiver.vendors.table import VENDORS
from tests.support.didit_wire import sample, sample_names

LINK = "https://media.example.invalid/{}.jpg?expires=1795100000&signature=invented"


def seen(payload: dict[str, Any]) -> dict[str, Any]:
    """The document of the event that a payload tells of."""
    return dict(normalise("didit", payload).document)


def document(name: str) -> dict[str, Any]:
    return seen(sample(name))


def with_decision(**decision: Any) -> dict[str, Any]:
    """The document of a small event with this decision."""
    return seen({"webhook_type": "status.updated", "decision": decision})


def warning(risk: object, log_type: object = "error", **fields: Any) -> dict[str, Any]:
    return {"risk": risk, "log_type": log_type, **fields}


def test_an_attack_whole() -> None:
    event = VENDORS["didit"]("kyc-eu", sample("v3_attack"))
    assert event.raw == sample("v3_attack")
    assert event.occurred_at == 1795100060
    assert event.dedupe_key == "e7e47000-0000-4000-8000-000000000001"
    assert (event.action, event.result, event.depth) == (None, None, 0)
    shared = {"feature": "LIVENESS", "severity": "error", "node_id": "node-live", "data": None}
    assert event.document == {
        "source": "kyc-eu",
        "vendor": "didit",
        "vendor_event_id": "e7e47000-0000-4000-8000-000000000001",
        "type": "status.updated",
        "session_id": "5e550000-0000-4000-8000-000000000001",
        "session_kind": "user",
        "status": "Declined",
        "previous_status": None,
        "vendor_data": "user-5521",
        "workflow_id": "3f0e7c1a-55d2-4a83-9b6e-0c4f8d2a7711",
        "environment": "live",
        "created_at": 1795100054,
        "country": "PRT",
        "warnings": [{"tag": "LIVENESS_FACE_ATTACK", **shared}, {"tag": "LOW_LIVENESS_SCORE", **shared}],
        "tags": ["LIVENESS_FACE_ATTACK", "LOW_LIVENESS_SCORE"],
        "severity_max": "error",
        "liveness": {
            "status": "Declined",
            "score": 2.4,
            "method": "passive",
            "face_quality": 74.9,
            "face_luminance": 51.3,
            "age": 36.4,
        },
        "face_match": {"status": "Approved", "score": 64},
        "matches": [],
        "document": {
            "type": "Passport",
            "number": "ZK4410927",
            "issuing_state": "PRT",
            "expiration_date": "2031-02-14",
            "age": 38,
            "nationality": "PRT",
        },
        "ip": {"country": "PT", "is_vpn": False, "is_datacenter": False},
        "aml": None,
        "phone": None,
        "email": None,
        "images": {
            "selfie": LINK.format("selfie"),
            "document": LINK.format("front"),
            "portrait": LINK.format("portrait"),
        },
        "stale": False,
        "echo": False,
    }


def test_look_alikes_come_from_liveness_checks_and_from_documents() -> None:
    event = document("v3_duplicate")
    assert event["tags"] == ["DUPLICATED_FACE"]
    assert event["warnings"][0]["data"] == {
        "duplicated_session_id": "c0ffee00-0000-4000-8000-000000000001",
        "duplicated_session_number": 801,
    }
    assert event["severity_max"] == "warning"
    assert [match["similarity"] for match in event["matches"]] == [95.81, 90.0, 88]
    assert event["matches"][0] == {
        "session_id": "c0ffee00-0000-4000-8000-000000000001",
        "similarity": 95.81,
        "vendor_data": "user-7001",
        "status": "Approved",
        "source": None,
        "is_blocklisted": False,
        "is_allowlisted": None,
    }
    listed = event["matches"][2]
    assert (listed["source"], listed["is_blocklisted"], listed["is_allowlisted"]) == ("list_entry", True, False)
    assert (listed["vendor_data"], listed["status"]) == (None, None)


def test_a_review_with_several_nodes() -> None:
    event = document("v3_in_review")
    assert event["tags"] == [
        "POSSIBLE_MATCH_FOUND",
        "LOW_FACE_MATCH_SIMILARITY",
        "UNPARSED_ADDRESS",
        "PRIVATE_NETWORK_DETECTED",
        "POSSIBLE_DUPLICATED_FACE",
    ]
    assert event["warnings"][-1]["node_id"] == "node-live-2"
    assert event["liveness"]["score"] == 55.0
    assert event["liveness"]["method"] == "active"
    assert event["face_match"] == {"status": "In Review", "score": 61.5}
    assert event["ip"] == {"country": "PT", "is_vpn": True, "is_datacenter": False}
    assert (event["aml"]["score"], event["aml"]["total_hits"]) == (44.5, 1)
    assert event["aml"]["hits"] == sample("v3_in_review")["decision"]["aml_screenings"][0]["hits"]
    assert (event["phone"], event["email"]) == ("+351210000000", "iria@mail.example.invalid")
    assert event["images"] == {
        "selfie": LINK.format("selfie-2"),
        "document": LINK.format("front"),
        "portrait": LINK.format("chip"),
    }


def test_v2_reads_like_v3() -> None:
    event = document("v2_approved")
    assert (event["status"], event["country"], event["vendor_event_id"]) == ("Approved", "PRT", None)
    assert event["warnings"] == [
        {"tag": "LOW_FACE_QUALITY", "feature": "LIVENESS", "severity": "information", "node_id": None, "data": None}
    ]
    assert event["liveness"]["score"] == 97.2
    assert event["face_match"] == {"status": "Approved", "score": 91.6}
    assert event["ip"]["country"] == "PT"
    assert event["aml"] == {"score": 0, "total_hits": 0, "hits": []}
    assert (event["phone"], event["email"]) == (None, None)
    assert event["images"]["selfie"] == LINK.format("selfie")


def test_v1_reads_as_far_as_it_goes() -> None:
    event = document("v1_declined")
    assert (event["liveness"]["status"], event["liveness"]["score"]) == ("Declined", 11.25)
    assert event["face_match"] == {"status": "Approved", "score": 93.5}
    assert event["document"]["number"] == "ZK4410927"
    assert event["country"] == "PRT"
    assert event["ip"] == {"country": "PT", "is_vpn": False, "is_datacenter": True}
    assert event["images"]["selfie"] == LINK.format("selfie")
    assert event["warnings"] == []
    assert event["aml"] is None


def test_warnings_of_a_v1_shape_are_found_too() -> None:
    assert with_decision(face={"warnings": [warning("LIVENESS_FACE_ATTACK")]})["tags"] == ["LIVENESS_FACE_ATTACK"]
    assert with_decision(face={"status": "Declined"})["liveness"] is None


def test_an_entity_event_flat() -> None:
    event = normalise("didit", sample("entity_flat"))
    assert event.document["type"] == "user.status.updated"
    assert (event.document["status"], event.document["previous_status"]) == ("BLOCKED", "ACTIVE")
    assert (event.document["session_id"], event.document["vendor_data"]) == (None, "user-5521")
    assert event.occurred_at == 1795100720


def test_an_entity_event_in_the_older_wrapper() -> None:
    event = normalise("didit", sample("entity_wrapped"))
    assert event.document["type"] == "user.status.updated"
    assert (event.document["status"], event.document["previous_status"]) == ("FLAGGED", "ACTIVE")
    assert (event.document["vendor_data"], event.document["session_kind"]) == ("user-5521", "user")
    assert (event.document["session_id"], event.document["created_at"], event.occurred_at) == (None, None, None)
    assert event.dedupe_key.startswith("sha256:")


@pytest.mark.parametrize(
    ("name", "event_type", "status", "session_id"),
    [
        ("v3_data_updated", "data.updated", "Approved", "5e550000-0000-4000-8000-000000000004"),
        ("v3_resubmitted", "status.updated", "Resubmitted", "5e550000-0000-4000-8000-000000000005"),
        ("v3_no_decision", "status.updated", "In Progress", "5e550000-0000-4000-8000-000000000006"),
        ("v3_business", "status.updated", "In Review", "b0551000-0000-4000-8000-000000000007"),
        ("console_test", "status.updated", "Approved", "5e550000-0000-4000-8000-000000000014"),
    ],
)
def test_envelopes(name: str, event_type: str, status: str, session_id: str) -> None:
    event = document(name)
    assert (event["type"], event["status"], event["session_id"]) == (event_type, status, session_id)


@pytest.mark.parametrize("status", ["KYC Expired", "Kyc Expired", "approved", "Passed"])
def test_a_status_that_is_spelt_otherwise_stays_as_it_is(status: str) -> None:
    """Nothing is taken for Approved that does not say so to the letter."""
    event = normalise("didit", {"webhook_type": "status.updated", "session_id": "s-1", "status": status})
    assert event.document["status"] == status


@pytest.mark.parametrize("name", ["v3_resubmitted", "v3_no_decision", "console_test", "entity_flat", "entity_wrapped"])
def test_what_was_not_sent_is_null_or_empty(name: str) -> None:
    event = document(name)
    for section in ("liveness", "face_match", "document", "ip", "aml", "phone", "email", "images", "country"):
        assert event[section] is None
    assert (event["warnings"], event["tags"], event["matches"], event["severity_max"]) == ([], [], [], None)


def test_a_business_session() -> None:
    event = document("v3_business")
    assert event["session_kind"] == "business"
    assert event["tags"] == ["KYB_COMPANY_NOT_ACTIVE"]


@pytest.mark.parametrize(
    "event_type",
    [
        "status.updated",
        "data.updated",
        "user.status.updated",
        "user.data.updated",
        "business.status.updated",
        "business.data.updated",
        "activity.created",
        "transaction.created",
        "transaction.status.updated",
        "travel_rule.status.updated",
        "something.new",
    ],
)
def test_every_type_passes_through(event_type: str) -> None:
    assert seen({"webhook_type": event_type})["type"] == event_type
    assert seen({"event": event_type, "data": {}})["type"] == event_type


@pytest.mark.parametrize("payload", [{}, {"webhook_type": None}, {"webhook_type": 7, "event": ["x"]}, {"event": ""}])
def test_without_a_type_it_is_unknown(payload: dict[str, Any]) -> None:
    assert seen(payload)["type"] == "unknown"


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("liveness_checks", [{"warnings": [warning("NEW_TAG")]}]),
        ("liveness_checks", [{}, {"warnings": [warning("NEW_TAG")]}]),
        ("liveness_checks", [None, "x", {"warnings": "NEW"}, {"warnings": [None, 7, [], {}, warning("NEW_TAG")]}]),
        ("liveness_checks", [{"warnings": ["NEW_TAG"]}]),
        ("liveness", {"warnings": [warning("NEW_TAG")]}),
        ("deepfake_checks_of_tomorrow", [{"warnings": [warning("NEW_TAG")]}]),
        ("feature_of_tomorrow", {"warnings": [warning("NEW_TAG")]}),
        ("questionnaire_responses", {"node-1": {"warnings": []}, "node-2": {"warnings": [warning("NEW_TAG")]}}),
        ("warnings", [warning("NEW_TAG")]),
    ],
)
def test_warnings_are_found_in_every_node_of_every_feature(section: str, value: object) -> None:
    event = with_decision(reviews=[], aml=None, **{section: value})
    assert event["tags"] == ["NEW_TAG"]


@pytest.mark.parametrize("section", ["metadata", "expected_details", "contact_details", "vendor_data"])
def test_what_the_integrator_wrote_is_no_warning(section: str) -> None:
    """Otherwise a user's own words, kept there by the integrator, could set off a rule."""
    fakes = [warning("FACE_IN_BLOCKLIST")]
    for value in ({"warnings": fakes}, {"x": {"warnings": fakes}}, [{"warnings": fakes}]):
        assert with_decision(**{section: value})["tags"] == []


@pytest.mark.parametrize("risk", [None, "", 7, True, ["X"], {}])
def test_a_warning_without_a_tag_is_none(risk: object) -> None:
    assert with_decision(liveness={"warnings": [warning(risk)]})["warnings"] == []


def test_a_warning_keeps_what_was_sent_and_takes_the_node_of_its_item() -> None:
    warnings = [warning("A", "error", data=1), warning("A", 5, node_id="own", feature="F", additional_data=[1.0]), "A"]
    event = with_decision(liveness_checks=[{"node_id": "n1", "warnings": warnings}])
    assert event["tags"] == ["A"]
    assert event["warnings"] == [
        {"tag": "A", "feature": None, "severity": "error", "node_id": "n1", "data": None},
        {"tag": "A", "feature": "F", "severity": None, "node_id": "own", "data": [1.0]},
        {"tag": "A", "feature": None, "severity": None, "node_id": "n1", "data": None},
    ]


@pytest.mark.parametrize(
    ("sent", "worst"),
    [
        (["information", "error", "warning"], "error"),
        (["information", "warning"], "warning"),
        (["information"], "information"),
        (["critical", "ERROR", None, 7], None),
        (["critical", "information"], "information"),
        ([], None),
    ],
)
def test_the_worst_severity(sent: list[object], worst: str | None) -> None:
    warnings = [warning("TAG", log_type) for log_type in sent]
    assert with_decision(liveness={"warnings": warnings})["severity_max"] == worst


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([("Approved", 99), ("Declined", 98)], ("Declined", 98)),
        ([("Approved", 1), ("In Review", 60)], ("In Review", 60)),
        ([("In Review", 1), ("Declined", None)], ("Declined", None)),
        ([("Approved", 1), ("Not Finished", None)], ("Not Finished", None)),
        ([("Not Finished", None), ("In Review", 2)], ("In Review", 2)),
        ([("Approved", 90), ("Approved", 80.5)], ("Approved", 80.5)),
        ([("Declined", None), ("Declined", 80)], ("Declined", 80)),
        ([("Approved", 3), ("approved", 99)], ("approved", 99)),
        ([("Approved", 3), (None, "7")], (None, None)),
    ],
)
def test_the_worst_of_several_checks_is_shown(
    checks: list[tuple[object, object]], expected: tuple[object, ...]
) -> None:
    items = [{"status": status, "score": score} for status, score in checks]
    for ordered in (items, items[::-1]):
        liveness = with_decision(liveness_checks=ordered)["liveness"]
        assert (liveness["status"], liveness["score"]) == expected
        assert with_decision(face_matches=ordered)["face_match"] == dict(
            zip(("status", "score"), expected, strict=True)
        )


def test_of_several_aml_screenings_the_higher_score_is_the_worse() -> None:
    items = [{"status": "In Review", "score": 10, "hits": None}, {"status": "In Review", "score": 70, "hits": ["x"]}]
    for ordered in (items, items[::-1]):
        assert with_decision(aml_screenings=ordered)["aml"] == {"score": 70, "total_hits": None, "hits": ["x"]}


def test_images_fall_back() -> None:
    decision = sample("v3_in_review")["decision"]
    for check in decision["liveness_checks"]:
        check["reference_image"] = None
    decision["nfc_verifications"] = None
    images = with_decision(**decision)["images"]
    assert images["selfie"] == LINK.format("match-selfie")
    assert images["portrait"] == LINK.format("portrait")
    del decision["face_matches"], decision["id_verifications"]
    assert with_decision(**decision)["images"] is None


@pytest.mark.parametrize(
    ("field", "sent", "kept"),
    [
        ("status", 7, None),
        ("status", ["Approved"], None),
        ("status", "approved", "approved"),
        ("status", "KYC Expired", "KYC Expired"),
        ("session_id", 12345, "12345"),
        ("session_id", "", None),
        ("session_id", True, None),
        ("session_id", {"id": 1}, None),
        ("vendor_data", {"user": 1}, None),
        ("vendor_data", 42, "42"),
        ("workflow_id", 1.5, None),
        ("environment", None, None),
        ("created_at", "2026-11-19T08:00:00Z", None),
        ("created_at", 1.0, None),
        ("created_at", True, None),
        ("created_at", -1, None),
        ("created_at", 10**39, None),
    ],
)
def test_mistyped_fields_count_as_not_sent(field: str, sent: object, kept: object) -> None:
    assert seen({field: sent})[field] == kept


def test_the_envelope_wins_over_the_decision_and_lacks_are_filled_from_it() -> None:
    decision = {
        "status": "Approved",
        "session_id": "inner",
        "vendor_data": "v",
        "workflow_id": "w",
        "environment": "live",
    }
    event = seen({"status": "In Review", "session_id": "outer", "decision": decision})
    assert (event["status"], event["session_id"]) == ("In Review", "outer")
    assert (event["vendor_data"], event["workflow_id"], event["environment"]) == ("v", "w", "live")
    event = seen({"decision": decision})
    assert (event["status"], event["session_id"]) == ("Approved", "inner")


def test_numbers_stay_as_sent_and_nothing_else_is_a_number() -> None:
    event = document("accents_and_numbers")
    assert repr(event["liveness"]["score"]) == "95.0"
    assert event["liveness"]["face_luminance"] == 1e-05
    event = with_decision(liveness_checks=[{"score": "95", "age_estimation": True, "face_quality": [1]}])
    assert {event["liveness"][key] for key in ("score", "age", "face_quality")} == {None}


@pytest.mark.parametrize(
    ("payload", "occurred_at"),
    [
        ({"timestamp": 20, "created_at": 10}, 20),
        ({"timestamp": 0, "created_at": 10}, 0),
        ({"created_at": 10}, 10),
        ({"timestamp": "20", "created_at": 10}, 10),
        ({"timestamp": True}, None),
        ({}, None),
    ],
)
def test_when_it_happened(payload: dict[str, Any], occurred_at: int | None) -> None:
    assert normalise("didit", payload).occurred_at == occurred_at


def dedupe_key(payload: dict[str, Any]) -> str:
    return normalise("didit", payload).dedupe_key


def test_a_resend_without_an_id_has_the_same_dedupe_key_and_another_event_has_not() -> None:
    first = sample("v2_approved")
    key = dedupe_key(first)
    assert key.startswith("sha256:")
    assert len(key) == len("sha256:") + 64
    assert dedupe_key({**first, "timestamp": first["timestamp"] + 60}) == key
    assert dedupe_key(dict(reversed(first.items()))) == key
    assert dedupe_key({**first, "status": "Declined"}) != key
    changed = copy.deepcopy(first)
    changed["decision"]["liveness"]["score"] = 97.3
    assert dedupe_key(changed) != key


@pytest.mark.parametrize("event_id", [None, "", 1.5, True, [], {}])
def test_an_event_id_that_identifies_nothing_is_no_dedupe_key(event_id: object) -> None:
    """Otherwise all events with such an id would count as deliveries of one."""
    payload = {**sample("v3_attack"), "event_id": event_id}
    assert seen(payload)["vendor_event_id"] is None
    assert dedupe_key(payload).startswith("sha256:")


def test_a_lone_surrogate_has_a_dedupe_key() -> None:
    assert dedupe_key({"vendor_data": "\ud800"}).startswith("sha256:")


@pytest.mark.parametrize("name", sample_names())
def test_the_payload_is_left_as_it_was(name: str) -> None:
    payload = sample(name)
    assert normalise("didit", payload).raw is payload
    assert payload == sample(name)
