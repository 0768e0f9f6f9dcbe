"""No JSON object is too odd to be normalised."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.contract import EventDocument
from receiver.vendors.didit import normalise
from tests.support.didit_wire import sample, sample_names

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
STATUSES = st.sampled_from(["Approved", "Declined", "In Review", "Not Finished"])
FIELDS = sorted(
    """
    status score method warnings matches reference_image target_image portrait_image front_image issuing_state
    similarity_percentage session_id vendor_data is_blocklisted risk log_type feature node_id additional_data hits email
    full_number ip_country_code is_vpn_or_tor liveness_status liveness_confidence document_number face_match_status
    """.split()
)
SECTIONS = sorted(
    """
    liveness_checks liveness face_matches face_match id_verifications id_verification kyc face location ip_analyses
    ip_analysis aml_screenings aml phone_verifications phone email_verifications email nfc_verifications nfc warnings
    metadata questionnaire_responses new_feature session_id status
    """.split()
)
ENVELOPE = (
    "event_id webhook_type event data timestamp created_at session_id status vendor_data decision metadata".split()
)

NODES = st.recursive(
    SCALARS | STATUSES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=12,
)
DECISIONS = st.dictionaries(st.sampled_from(SECTIONS), NODES, max_size=6)
PAYLOADS = st.dictionaries(st.sampled_from(ENVELOPE), NODES | DECISIONS, max_size=8)


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    if isinstance(value, dict):
        inside = list(value.items())
    else:
        inside = list(enumerate(value)) if isinstance(value, list) else []
    return [(*prefix, key) for key, _ in inside] + [
        place for key, inner in inside for place in paths(inner, (*prefix, key))
    ]


PLACES = [(name, place) for name in sample_names() for place in paths(sample(name))]


def assert_well_formed(document: EventDocument) -> None:
    assert set(document) == set(EventDocument.__annotations__)
    assert document["tags"] == list(dict.fromkeys(warning["tag"] for warning in document["warnings"]))
    assert all(tag for tag in document["tags"])
    assert document["severity_max"] in (None, "information", "warning", "error")
    values: dict[str, Any] = dict(document)
    for text in ("type", "session_id", "status", "vendor_data", "country", "phone", "email", "vendor_event_id"):
        assert values[text] is None or isinstance(values[text], str)
    for match in document["matches"]:
        assert not isinstance(match["similarity"], bool | str | list | dict)
        assert match["is_blocklisted"] in (None, True, False)


@settings(deadline=None)
@given(PAYLOADS)
def test_any_object_is_normalised(payload: dict[str, Any]) -> None:
    event = normalise("didit", payload)
    assert_well_formed(event.document)
    assert event.dedupe_key
    assert event.occurred_at is None or event.occurred_at >= 0


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(PLACES), NODES)
def test_any_one_field_may_be_of_another_type(place: tuple[str, tuple[Any, ...]], value: object) -> None:
    name, path = place
    payload = sample(name)
    node: Any = payload
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    assert_well_formed(normalise("didit", payload).document)
