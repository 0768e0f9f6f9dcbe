"""Events that are written down in part."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from receiver.contract import Event, EventDocument
from receiver.policy.sample import PartialEvent, sample_event
from receiver.vendors.didit import normalise


def sample(partial: dict[str, Any], **parts: Any) -> Event:
    return sample_event(PartialEvent.model_validate(partial), **parts)


def test_an_empty_one_has_every_key_of_an_event_in_which_nothing_was_sent() -> None:
    bare = normalise("didit", {"webhook_type": "status.updated", "session_id": "example-session"}).document
    assert sample({}).document == bare
    assert set(bare) == set(EventDocument.__annotations__)


def test_tags_give_warnings_with_those_tags() -> None:
    document = sample({"tags": ["B", "A"]}).document
    assert [(warning["tag"], warning["severity"]) for warning in document["warnings"]] == [("B", None), ("A", None)]
    assert document["severity_max"] is None


def test_warnings_give_tags_once_each_and_the_worst_severity() -> None:
    warnings = [{"tag": "B", "severity": "warning"}, {"tag": "A", "severity": "error"}, {"tag": "B"}]
    document = sample({"warnings": warnings}).document
    assert document["tags"] == ["B", "A"]
    assert document["severity_max"] == "error"
    assert document["warnings"][2] == {"tag": "B", "feature": None, "severity": None, "node_id": None, "data": None}


def test_a_section_is_completed_with_nulls() -> None:
    document: Any = sample({"liveness": {"score": 41}, "matches": [{"similarity": 9}], "aml": {"score": 3}}).document
    assert document["liveness"]["score"] == 41
    assert document["liveness"]["status"] is None
    assert document["matches"][0]["is_blocklisted"] is None
    assert document["aml"] == {"score": 3, "total_hits": None, "hits": []}


def test_the_type_that_is_written_wins_over_the_one_that_is_handed_in() -> None:
    assert sample({"type": "data.updated"}, kind="status.updated").document["type"] == "data.updated"
    assert sample({}, kind="data.updated").document["type"] == "data.updated"


def test_a_result_event_has_an_action() -> None:
    event = sample({"type": "action.didit.face_search"}, result={"n": 1}, action={"attempt": 2})
    assert event.result == {"n": 1}
    assert event.action is not None
    assert (event.action["name"], event.action["attempt"]) == ("didit.face_search", 2)
    assert sample({}).action is None


@pytest.mark.parametrize(
    ("partial", "kind", "place"),
    [
        ({"tag": ["A"]}, "extra_forbidden", ("tag",)),
        ({"liveness": {"scor": 1}}, "extra_forbidden", ("liveness", "scor")),
        ({"warnings": [{}]}, "missing", ("warnings", 0, "tag")),
        ({"warnings": [{"tag": "A", "severity": "eror"}]}, "literal_error", ("warnings", 0, "severity")),
        ({"tags": "A"}, "list_type", ("tags",)),
        ({"tags": ["A"], "warnings": [{"tag": "B"}]}, "views_differ", ()),
        ({"created_at": "today"}, "int_type", ("created_at",)),
    ],
)
def test_what_no_event_has_is_refused(partial: dict[str, Any], kind: str, place: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        PartialEvent.model_validate(partial)
    assert [(error["type"], error["loc"]) for error in caught.value.errors()] == [(kind, place)]
