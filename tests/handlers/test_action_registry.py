"""The table of actions: parameters, binding, and what handlers may hand back."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from handlers.clients import CLIENTS
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
        "didit.passive_liveness": ("didit", True, False, "session", False),
        "didit.face_match": ("didit", True, False, "session", False),
        "didit.id_verification": ("didit", True, False, "session", False),
        "didit.decision": ("didit", False, False, "event", False),
        "didit.list_sessions": ("didit", False, False, "event", False),
        "didit.create_session": ("didit", True, False, "session", False),
        "didit.delete_session": ("didit", False, True, "session", False),
        "didit.update_status": ("didit", False, True, "session", True),
        "didit.generate_pdf": ("didit", False, False, "event", False),
        "didit.share_session": ("didit", False, True, "session", False),
        "didit.import_session": ("didit", True, False, "session", False),
        "didit.blocklist_add": ("didit", False, True, "session", False),
        "didit.blocklist_remove": ("didit", False, True, "session", False),
        "didit.blocklist_list": ("didit", False, False, "event", False),
        "didit.list_add": ("didit", False, True, "session", False),
        "didit.user_status": ("didit", False, True, "session", False),
        "didit.balance": ("didit", False, False, "event", False),
        "kwikid.liveness": ("kwikid", True, False, "session", False),
        "kwikid.liveness_v2": ("kwikid", True, False, "session", False),
        "kwikid.delete_face": ("kwikid", False, True, "session", False),
        "verifik.liveness": ("verifik", True, False, "session", False),
        "verifik.app_registration": ("verifik", False, False, "event", False),
        "notify": (None, False, False, "session", False),
        "http.post": (None, False, False, "session", False),
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
    ("didit.passive_liveness", {"face_liveness_score_decline_threshold": 101}),
    ("didit.passive_liveness", {"save_api_request": True}),
    ("didit.face_match", {"face_match_score_decline_threshold": -1}),
    ("didit.id_verification", {"minimum_age": 0}),
    ("didit.id_verification", {"invalid_mrz_action": "REVIEW"}),
    ("didit.list_sessions", {"status": "declined"}),
    ("didit.list_sessions", {"limit": 101}),
    ("didit.create_session", {}),
    ("didit.create_session", {"workflow_id": "w", "contact_details": {"mail": "a@example.invalid"}}),
    ("didit.delete_session", {"face_retention_days": 3651}),
    ("didit.share_session", {"for_application_id": "a", "ttl_in_seconds": 59}),
    ("didit.share_session", {"partner_client_id": "a"}),
    ("didit.import_session", {"trust_review": True}),
    ("didit.blocklist_list", {"item_type": "ip_address"}),
    ("didit.list_add", {"entry_type": "ip_address"}),
    ("didit.list_add", {"entry_type": "ip_address", "value": "198.51.100.24", "from_session": True}),
    ("didit.list_add", {"entry_type": "ip_address", "value": "198.51.100.24", "reference_object_uuid": "o"}),
    ("didit.list_add", {"entry_type": "ip", "value": "198.51.100.24"}),
    ("didit.user_status", {"status": "blocked"}),
    ("didit.balance", {"low": 10}),
    ("didit.balance", {"low": "ten"}),
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
    assert set(bind(Tools({}, images))) == {"review", "label", "notify", "http.post"}
    clients = {name: open_client("http://127.0.0.1:9", "k" * 20, 1.0) for name, open_client in CLIENTS.items()}
    tools = Tools(clients, images)
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
