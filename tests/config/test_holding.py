"""What waits for a person, said of one event and one action: settings in, reasons out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from handlers.specs import SPECS
from receiver.contract import Event
from receiver.holding import holds
from receiver.settings import Settings
from tests.support.action_calls import event_document

READ = "verifik.app_registration"
VERIFY: dict[str, dict[str, Any]] = {
    "careful": {"scheme": "none", "accept_unsigned": True, "confirm": [READ, "didit.update_status", "gone", "label"]},
    "other": {"scheme": "none", "accept_unsigned": True, "confirm": ["didit.decision"]},
    "bare": {"scheme": "none", "accept_unsigned": True},
    "trusted": {"scheme": "none", "accept_unsigned": True, "trust": True},
    "signed": {"scheme": "didit", "secrets": ["kR3-9vXq_hT7bWz2LmN8"]},
}
SETTINGS = Settings.model_validate(
    {"sources": {name: {"vendor": "didit", "verify": verify} for name, verify in VERIFY.items()}, "policy": ""}
)
HELD = holds(SETTINGS, SPECS)


def read(source: str, by: str = READ) -> Event:
    """The result of a reading that agrees with what was sent."""
    document = event_document(source=source, type=f"action.{by}")
    result: Any = {"session_id": document["session_id"], "status": document["status"]}
    return Event(document, {}, None, "act_1", {"name": by}, result, 1)


def delivery(event: Event) -> Event:
    return replace(event, action=None, result=None)


@pytest.mark.parametrize("source", VERIFY)
def test_each_source_is_confirmed_by_its_own_readings_only(source: str) -> None:
    free = source in ("careful", "trusted", "signed")
    assert (HELD(read(source), "didit.update_status") is None) is free
    assert (HELD(delivery(read(source)), "didit.update_status") is None) is (source in ("trusted", "signed"))


@pytest.mark.parametrize("name", ["didit.update_status", "gone", "label"])
def test_what_is_no_reading_confirms_nothing_though_it_is_named(name: str) -> None:
    """A setting that was not checked: the result of our own call agrees with itself."""
    reason = HELD(read("careful", name), "didit.delete_session")
    assert reason == "the event is not signed (scheme none), and the source is not trusted"


@pytest.mark.parametrize("action", ["didit.face_search", "didit.delete_session", "http.post", "of.nobody"])
def test_what_is_dear_is_held_and_what_is_not_known_too(action: str) -> None:
    assert HELD(delivery(read("careful")), action) is not None
    assert HELD(read("careful"), action) is None


@pytest.mark.parametrize("action", ["didit.decision", READ, "review", "label"])
def test_reading_and_telling_a_person_is_never_held(action: str) -> None:
    assert HELD(delivery(read("bare")), action) is None
