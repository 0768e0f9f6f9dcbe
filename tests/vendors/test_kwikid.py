"""KwikID's webhooks: four events whose spelling and payload nobody has published."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.contract import EventDocument
from receiver.vendors.kwikid import normalise

NAMES = st.sampled_from(["Maker Approved", "maker_rejected", "CHECKER-APPROVED", "CheckerRejected", "Checker"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
NODES = st.recursive(
    SCALARS | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(["event", "session_id", "a", "b", ""]), NODES, max_size=5))
def test_any_object_is_normalised(payload: dict[str, Any]) -> None:
    event = normalise("src", payload)
    assert set(event.document) == set(EventDocument.__annotations__)
    assert (event.raw, event.occurred_at, event.document["tags"]) == (payload, None, [])
    assert event.document["status"] in (None, "Approved", "In Review", "Declined")
    assert event.dedupe_key == ""  # the bytes of the body count


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Maker Approved", "In Review"),
        ("maker_rejected", "Declined"),
        ("CHECKER-APPROVED", "Approved"),
        ("checkerRejected", "Declined"),
    ],
)
@pytest.mark.parametrize("field", ["event", "status", "whatever"])
def test_an_event_is_known_by_its_name_wherever_it_stands(field: str, name: str, status: str) -> None:
    """A maker's yes is no approval yet: a checker follows."""
    found = normalise("s", {field: name, "session_id": "vkyc-1"}).document
    assert (found["type"], found["status"], found["session_id"]) == (name, status, "vkyc-1")


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"event": "Approved"},
        {"event": "The checker approved of it"},
        {"event": "Maker Approved", "other": "Checker Approved"},
        {"event": {"name": "Checker Approved"}},
        {"events": ["Checker Approved"]},
        {"event": True, "session_id": 7},
    ],
)
def test_nothing_is_guessed(payload: Any) -> None:
    found = normalise("s", payload).document
    assert (found["type"], found["status"], found["session_id"]) == ("unknown", None, None)
