"""A map names the fields; whatever the sender sends, an event comes of it."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.contract import Event
from receiver.mapping import mapping_faults, reading
from receiver.vendors.generic import FIELDS, normalise, normaliser

MAP = {
    "id": "raw.id",
    "type": 'raw.event == "check.done" ? "status.updated" : raw.event',
    "session_id": "raw.data.id",
    "status": '{"clear": "Approved", "consider": "In Review"}[raw.data.result]',
    "vendor_data": "raw.data.customer ?? raw.customer",
    "tags": "raw.data.flags.filter(f, f.bad).map(f, f.code)",
    "created_at": "raw.at",
    "occurred_at": "raw.ms / 1000",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(["id", "a"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def event(payload: dict[str, Any], texts: dict[str, str] | None = None) -> Event:
    return normaliser(reading(MAP if texts is None else texts))("idv", payload)


def test_a_payload_is_read_by_its_map() -> None:
    flags = [{"bad": True, "code": "FAKE"}, {"bad": False, "code": "OK"}, {"bad": True, "code": "FAKE"}]
    data = {"id": 17, "result": "consider", "flags": flags}
    found = event({"id": "e-1", "event": "check.done", "customer": "c-9", "at": 5, "ms": 7999, "data": data})
    document = found.document
    assert (found.dedupe_key, found.occurred_at, document["created_at"]) == ("e-1", 7, 5)
    assert (document["type"], document["status"]) == ("status.updated", "In Review")
    assert (document["session_id"], document["vendor_data"]) == ("17", "c-9")
    assert document["tags"] == ["FAKE"]
    assert [warning["tag"] for warning in document["warnings"]] == ["FAKE"]
    assert (document["vendor"], document["source"]) == ("generic", "idv")


def test_what_is_of_another_kind_counts_as_not_sent() -> None:
    data = {"id": {"x": 1}, "result": "new word", "flags": "FAKE"}
    document = event({"id": True, "event": ["x"], "at": "yesterday", "ms": -5, "data": data}).document
    assert (document["type"], document["session_id"], document["status"], document["created_at"]) == (
        "unknown", None, None, None,
    )  # fmt: skip
    assert (document["tags"], document["vendor_event_id"]) == ([], None)
    assert event({}).dedupe_key == ""
    assert event({"t": ["A", 3, None, "", "A"]}, {"tags": "raw.t"}).document["tags"] == ["A"]


@pytest.mark.parametrize(
    "text",
    ["2026-11-21T08:00:00Z", "1970-01-01T00:00:00Z", "2024-02-29T23:59:59.999+05:30", "2000-03-01 00:00:00-0800"],
)
def test_iso_times_are_what_the_calendar_says(text: str) -> None:
    expected = int(datetime.fromisoformat(text).timestamp())
    assert event({"t": text}, {"created_at": "raw.t"}).document["created_at"] == expected


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1)))  # noqa: DTZ001 - a zone is given below
def test_any_iso_time_is_what_the_calendar_says(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    found = event({"t": moment.isoformat()}, {"created_at": "raw.t"}).document["created_at"]
    assert found == calendar.timegm(moment.utctimetuple())


@pytest.mark.parametrize(
    "text", ["2026-11-21", "2026-11-21T08:00:00", "2026-13-01T00:00:00Z", "٢٠٢٦-11-21T08:00:00Z", ""]
)
def test_other_times_are_none(text: str) -> None:
    assert event({"t": text}, {"created_at": "raw.t"}).document["created_at"] is None


def test_without_a_map_all_stays_in_raw() -> None:
    found = normalise("idv", {"a": 1})
    assert (found.document["type"], found.raw) == ("unknown", {"a": 1})


def test_what_cannot_be_run_is_named_with_its_place() -> None:
    faults = dict(mapping_faults({"type": "raw.event", "id": "raw.a +", "tags": "event.tags"}))
    assert set(faults) == {"id", "tags"}
    assert "event" in faults["tags"].message


@settings(deadline=None)
@given(st.dictionaries(st.text() | st.sampled_from(["id", "event", "data", "at", "ms", "customer"]), JSON))
def test_any_json_object_is_an_event(payload: dict[str, Any]) -> None:
    found = event(payload)
    assert found.raw is payload
    assert isinstance(found.document["type"], str)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_value_in_any_field_is_an_event(payload: dict[str, Any]) -> None:
    document = event(payload, {name: f"raw.{name}" for name in FIELDS}).document
    for name in ("type", "status", "session_id", "vendor_data", "country", "email"):
        assert isinstance(document[name], str | None)
    assert all(isinstance(tag, str) for tag in document["tags"])
