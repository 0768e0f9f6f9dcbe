"""The table of actions: parameters, binding, and what handlers may hand back."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from handlers.clients import CLIENTS
from handlers.didit import didit_client
from handlers.images import ImageFetcher
from handlers.registry import bind, handler
from handlers.specs import SPECS, VENDORS, unconfigured
from handlers.tools import Tools
from receiver.contract import ActionCall, ActionSpec, LabelSession, OpenReview, Outcome
from receiver.vendors.table import API_VENDORS
from tests.support.action_calls import action_call

LINK = "https://cdn.example.invalid/a.jpg?sig=s3cr3t"


def test_every_action_is_described_for_people_and_machines() -> None:
    """Names, descriptions of actions and parameters, and closed schemas."""
    for name, spec in SPECS.items():
        schema = spec.params.model_json_schema()
        assert spec.name == name
        assert spec.description.endswith(".")
        assert schema["additionalProperties"] is False
        assert all("description" in field for field in schema["properties"].values()), name


def test_what_the_dispatcher_must_know_of_each_action() -> None:
    facts = {
        name: (spec.vendor, spec.billable, spec.destructive, spec.once, spec.sets_status)
        for name, spec in SPECS.items()
    }
    assert facts == {
        "didit.face_search": ("didit", True, False, "session", False),
        "didit.blocklist_add": ("didit", False, True, "session", False),
        "didit.blocklist_remove": ("didit", False, True, "session", False),
        "didit.update_status": ("didit", False, True, "session", True),
        "didit.decision": ("didit", False, False, "session", False),
        "review": (None, False, False, "event", False),
        "label": (None, False, False, "event", False),
    }


def test_only_update_status_echoes() -> None:
    echoes = SPECS["didit.update_status"].echoes
    assert echoes is not None
    assert echoes({"status": "Declined"}) == "Declined"
    assert echoes({"status": 1}) is None
    assert [name for name, spec in SPECS.items() if spec.echoes] == ["didit.update_status"]


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("didit.face_search", {}),
    ("didit.face_search", {"min_similarity": 0, "search_type": "most_similar", "rotate_image": False}),
    ("didit.face_search", {"min_similarity": 100.0, "include_own_vendor_data": True}),
    ("didit.blocklist_add", {"face": True}),
    ("didit.blocklist_remove", {"document": True, "phone": True, "email": True, "face": False}),
    ("didit.update_status", {"status": "Approved"}),
    ("didit.update_status", {"status": "Resubmitted", "nodes_to_resubmit": [{"node_id": "n", "feature": "POA"}]}),
    ("didit.update_status", {"status": "Declined", "send_email": True, "email_address": "a@example.invalid"}),
    ("didit.decision", {}),
    ("review", {"queue": "duplicates", "reason": "look"}),
    ("review", {"queue": "duplicates", "reason": "", "priority": -5}),
    ("label", {"add": ["vip"]}),
    ("label", {"add": ["a"], "remove": ["b", "c"]}),
]
BAD: list[tuple[str, dict[str, Any]]] = [
    ("didit.face_search", {"min_similarity": 100.1}),
    ("didit.face_search", {"min_similarity": -1}),
    ("didit.face_search", {"min_similarity": "70"}),
    ("didit.face_search", {"search_type": "all"}),
    ("didit.face_search", {"rotate_image": "yes"}),
    ("didit.face_search", {"session_id": "x"}),
    ("didit.face_search", {"save_api_request": True}),
    ("didit.blocklist_add", {}),
    ("didit.blocklist_add", {"face": False}),
    ("didit.blocklist_add", {"face": 1}),
    ("didit.blocklist_add", {"blocklist_face": True}),
    ("didit.blocklist_remove", {"ip": True}),
    ("didit.update_status", {}),
    ("didit.update_status", {"status": "In Review"}),
    ("didit.update_status", {"status": "approved"}),
    ("didit.update_status", {"status": "Declined", "send_email": True}),
    ("didit.update_status", {"status": "Declined", "nodes_to_resubmit": [{"node_id": "n", "feature": "OCR"}]}),
    ("didit.update_status", {"status": "Resubmitted", "nodes_to_resubmit": []}),
    ("didit.update_status", {"status": "Resubmitted", "nodes_to_resubmit": ["n"]}),
    ("didit.update_status", {"status": "Resubmitted", "nodes_to_resubmit": [{"node_id": "n", "feature": "KYB_X"}]}),
    ("didit.decision", {"include": "events"}),
    ("review", {"queue": "duplicates"}),
    ("review", {"queue": "", "reason": "x"}),
    ("review", {"queue": "a", "reason": "x", "priority": 1.5}),
    ("review", {"queue": "a", "reason": "x", "priority": 10**30}),
    ("label", {}),
    ("label", {"add": [], "remove": []}),
    ("label", {"add": [""]}),
    ("label", {"add": "vip"}),
    ("label", {"add": ["a"], "remove": ["a"]}),
]


@pytest.mark.parametrize(("name", "params"), GOOD)
def test_parameters_that_fit(name: str, params: dict[str, Any]) -> None:
    SPECS[name].params.model_validate(params)


@pytest.mark.parametrize(("name", "params"), BAD)
def test_parameters_that_do_not_fit(name: str, params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SPECS[name].params.model_validate(params)


async def test_without_a_vendor_its_actions_are_left_out() -> None:
    images = ImageFetcher()
    assert set(bind(Tools({}, images))) == {"review", "label"}
    tools = Tools({"didit": didit_client("http://127.0.0.1:9", "k" * 20)}, images)
    assert set(bind(tools)) == set(SPECS)
    await tools.close()
    await Tools({}, images).close()


def test_every_vendor_that_may_be_configured_can_be_called() -> None:
    assert set(CLIENTS) == set(API_VENDORS) == VENDORS


def test_the_wiring_can_ask_what_would_be_left_out() -> None:
    named = ["review", "didit.decision", "no.such", "didit.decision", "didit.blocklist_add"]
    assert unconfigured(named, {"didit"}) == []
    missing = [("didit.blocklist_add", "didit"), ("didit.decision", "didit")]
    assert unconfigured(named, {"verifik"}) == unconfigured(named, {}) == missing


async def test_parameters_are_checked_when_they_arrive_too() -> None:
    """A template may have given anything; the reason names the place and never the value."""
    handlers = bind(Tools({}, ImageFetcher()))
    outcome = await handlers["review"](action_call("review", {"queue": "q", "reason": {"s3cr3t": 1}, "odd": "s3cr3t"}))
    assert outcome.state == "failed"
    assert outcome.reason == (
        "the parameters do not fit: reason: Input should be a valid string; odd: Extra inputs are not permitted"
    )
    outcome = await handlers["label"](action_call("label", {}))
    assert outcome.reason == "the parameters do not fit: Value error, at least one of add, remove must name a label"


async def test_review_opens_a_case() -> None:
    handlers = bind(Tools({}, ImageFetcher()))
    call = action_call("review", {"queue": "duplicates", "reason": f"see {LINK}", "priority": 3}, session_id=None)
    assert await handlers["review"](call) == Outcome(
        "done", effects=(OpenReview("duplicates", "see https://cdn.example.invalid/…", 3),)
    )
    long = await handlers["review"](action_call("review", {"queue": "q", "reason": "word " * 500}))
    assert isinstance(long.effects[0], OpenReview)
    assert len(long.effects[0].reason) == 1000


async def test_label_marks_the_session() -> None:
    handlers = bind(Tools({}, ImageFetcher()))
    outcome = await handlers["label"](action_call("label", {"add": ["a", "b"], "remove": ["c"]}))
    assert outcome == Outcome("done", effects=(LabelSession(("a", "b"), ("c",)),))
    outcome = await handlers["label"](action_call("label", {"add": ["a"]}, session_id=None))
    assert outcome == Outcome("failed", "the event names no session")


async def test_nothing_secret_leaves_any_handler() -> None:
    """Whatever a function returns, reason and result are redacted."""

    class NoParams(BaseModel):
        pass

    async def careless(params: Any, call: ActionCall) -> Outcome:
        return Outcome("done", f"got {LINK}", {"link": LINK, "api_key": "k"}, 200)

    spec = ActionSpec("careless", NoParams, "Careless.")
    outcome = await handler(spec, careless)(action_call("careless"))
    assert outcome == Outcome(
        "done",
        "got https://cdn.example.invalid/…",
        {"link": "https://cdn.example.invalid/…", "api_key": "[redacted]"},
        200,
    )
