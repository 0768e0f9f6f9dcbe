"""Verifik's webhooks: what its documents say of them, and any other JSON object."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.contract import EventDocument
from receiver.vendors.verifik import normalise

UPDATED = "2026-11-20T09:30:00.123Z"
TYPES = st.sampled_from(
    [
        f"{flow}_{suffix}"
        for flow in ("onboarding", "login")
        for suffix in (
            "app_registration_completed",
            "app_registration_failed",
            "biometric_validation_liveness_failed",
            "biometrics_liveness_score_not_acceptable",
        )
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.text(alphabet=st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF), min_size=1, max_size=2)
)
FIELDS = ["_id", "updatedAt", "status", "biometricData", "livenessScore", "verificationResults", "antiSpoofing"]
NODES = st.recursive(
    SCALARS | TYPES | st.just(UPDATED),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=12,
)
PAYLOADS = st.dictionaries(st.sampled_from(["type", "object", "event", "data", "more"]), NODES, max_size=5)


def document(kind: str, **fields: Any) -> EventDocument:
    return normalise("verifik", {"type": kind, "object": {"_id": "reg-1", "updatedAt": UPDATED, **fields}}).document


@settings(deadline=None, max_examples=300)
@given(PAYLOADS)
def test_any_object_is_normalised(payload: dict[str, Any]) -> None:
    event = normalise("src", payload)
    assert set(event.document) == set(EventDocument.__annotations__)
    assert event.document["tags"] == [warning["tag"] for warning in event.document["warnings"]]
    assert event.document["type"]
    assert event.raw == payload
    assert not event.dedupe_key or event.dedupe_key.startswith("sha256:")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("COMPLETED", "Approved"),
        ("completed", "Approved"),
        ("FAILED", "Declined"),
        ("NEEDS_MANUAL_VERIFICATION", "In Review"),
        ("completed_without_kyc", "In Review"),
        ("STARTED", "In Progress"),
        ("Ongoing", "In Progress"),
        ("EXPIRED", "Expired"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
        (None, None),
        (3, None),
    ],
)
def test_a_registration_s_status_is_put_in_didit_s_words(sent: Any, status: str | None) -> None:
    """Without KYC nobody is approved."""
    found = document("onboarding_app_registration_completed", status=sent)
    assert (found["status"], found["session_id"], found["tags"]) == (status, "reg-1", [])


@pytest.mark.parametrize("sent", ["completed", "validated", "failed"])
def test_a_completed_step_approves_nobody(sent: str) -> None:
    assert document("onboarding_biometric_validation_validated", status=sent)["status"] == sent


def test_a_score_that_was_not_acceptable_is_a_low_score() -> None:
    found = document("login_biometrics_liveness_score_not_acceptable", biometricData={"livenessScore": 0.41})
    assert (found["tags"], found["severity_max"], found["liveness"]) == (["LOW_LIVENESS_SCORE"], "error", None)
    assert found["warnings"][0]["data"] == {
        "vendor_reason": "login_biometrics_liveness_score_not_acceptable",
        "score": 0.41,
    }


@pytest.mark.parametrize(
    ("spoofing", "tags"),
    [
        ("failed", ["LOW_LIVENESS_SCORE", "LIVENESS_FACE_ATTACK"]),
        ("passed", ["LOW_LIVENESS_SCORE"]),
        (None, ["LOW_LIVENESS_SCORE"]),
        (False, ["LOW_LIVENESS_SCORE"]),
    ],
)
def test_only_a_spoofing_check_that_did_not_pass_is_an_attack(spoofing: Any, tags: list[str]) -> None:
    results = {"antiSpoofing": spoofing}
    assert document("onboarding_biometric_validation_liveness_failed", verificationResults=results)["tags"] == tags


def test_the_dedupe_key_is_of_type_id_and_time() -> None:
    """So a second `completed` after a manual review is an event of its own, and a retry is none."""
    kind = "onboarding_app_registration_completed"
    first = normalise("s", {"type": kind, "object": {"_id": "1", "updatedAt": UPDATED, "status": "COMPLETED"}})
    again = normalise("s", {"object": {"updatedAt": UPDATED, "_id": "1", "more": 1}, "type": kind})
    later = normalise("s", {"type": kind, "object": {"_id": "1", "updatedAt": "2026-11-20T10:00:00Z"}})
    assert first.dedupe_key == again.dedupe_key != later.dedupe_key
    assert first.dedupe_key == "sha256:" + hashlib.sha256(f"{kind}\n1\n{UPDATED}".encode()).hexdigest()


@pytest.mark.parametrize("known", [{"_id": "1"}, {"updatedAt": UPDATED}, {"_id": 1, "updatedAt": UPDATED}, {}])
def test_without_id_or_time_there_is_no_key(known: dict[str, Any]) -> None:
    """Then the bytes of the body count."""
    assert normalise("s", {"type": "t", "object": known}).dedupe_key == ""


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (UPDATED, 1795167000),
        ("2026-11-20T09:30:00+00:00", 1795167000),
        ("2026-11-20T09:30:00", None),
        ("20 November 2026", None),
        ("2026-13-20T09:30:00Z", None),
        (1795167000, None),
        (None, None),
    ],
)
def test_only_a_time_with_its_zone_orders_events(sent: Any, seconds: int | None) -> None:
    assert normalise("s", {"type": "t", "object": {"updatedAt": sent}}).occurred_at == seconds


def test_the_guide_s_own_test_is_read_alike() -> None:
    """And a bare object, as older pages have it, is kept without a guess."""
    kind = "onboarding_app_registration_failed"
    one: dict[str, Any] = {"_id": "reg-9", "status": "FAILED"}
    found = normalise("s", {"event": kind, "data": one}).document
    assert (found["type"], found["session_id"], found["status"]) == (kind, "reg-9", "Declined")
    bare = normalise("s", {**one})
    assert (bare.document["type"], bare.document["status"], bare.raw) == ("unknown", None, one)


def test_a_face_in_the_payload_stays_in_the_payload() -> None:
    found = document("onboarding_biometric_validation_new", faceImage="QUJD" * 50, template="x")
    assert "QUJD" not in str(found)
