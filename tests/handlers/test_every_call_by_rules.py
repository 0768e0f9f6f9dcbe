"""Calls to KwikID and Verifik and messages to our own places from end to end: a signed webhook, a rule, the call over
real HTTP, the recorded outcome, the result event, and a rule that reads it. Didit's are in `test_didit_by_rules`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.specs import SPECS
from tests.support.didit_calls import Case, Simulated, simulated
from tests.support.didit_sandbox import Inbox
from tests.support.every_call import EVERY, MESSAGES, OTHERS, came, leaves, places, prepare, sections
from tests.support.receiver import Receiver, await_that, running, session_event


def test_every_call_is_among_the_cases() -> None:
    assert sorted(case.name for case in EVERY) == sorted(name for name in SPECS if leaves(name))


def _rules(case: Case) -> Iterator[dict[str, Any]]:
    short = case.name.replace(".", "-").replace("_", "-")
    asked = {"id": short, "when": [f'raw.metadata.case == "{case.name}"'], "then": [{case.name: case.params}]}
    yield asked
    if case.proof:
        seen = {"id": f"{short}-seen", "on": f"action.{case.name}", "when": [case.proof]}
        yield {**seen, "then": [{"label": {"add": [f"seen-{short}"]}}]}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Simulated]:
    with simulated() as running_sandbox:
        yield running_sandbox


@pytest.fixture(scope="module")
def box() -> Iterator[Inbox]:
    with places() as listening:
        yield listening


@pytest.fixture(scope="module")
def receiver(sandbox: Simulated, box: Inbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    folder: Path = tmp_path_factory.mktemp("receiver")
    rules = [rule for case in (*OTHERS, *MESSAGES) for rule in _rules(case)]
    policy: dict[str, Any] = {"version": 1, "name": "every-call", "rules": rules}
    with running(folder, policy, **sections(sandbox, box)) as built:
        yield built


@pytest.mark.shows("rule")
@pytest.mark.parametrize("case", [*OTHERS, *MESSAGES], ids=lambda case: case.name)
def test_a_rule_calls_and_another_reads_the_result(
    sandbox: Simulated, box: Inbox, receiver: Receiver, case: Case
) -> None:
    prepare(sandbox, case)
    before = len(came(sandbox, box, case))
    session_id = sandbox.session(case.scenario)
    event = session_event(session_id, metadata={"case": case.name}, event_id=str(uuid.uuid4()))
    event_id = receiver.send(event).json()["event_id"]
    (action,) = receiver.settled(event_id)["actions"]
    assert (action["name"], action["state"], action["reason"]) == (case.name, "done", None)
    assert came(sandbox, box, case)[before:] == [case.method]
    if case.proof:
        label = f"seen-{case.name}".replace(".", "-").replace("_", "-")
        await_that(lambda: label in str(receiver.api(f"/api/sessions/{session_id}").json()))
        told = [one for one in receiver.api("/api/events").json()["items"] if one["parent_id"] == event_id]
        assert [one["type"] for one in told] == [f"action.{case.name}"]


def test_the_second_version_s_opinion_is_of_the_session_s_own_face(sandbox: Simulated, receiver: Receiver) -> None:
    """What goes to KwikID is the picture that Didit's decision names, and what comes back stands there in Didit's
    words.
    """
    session_id, name = sandbox.fresh().session("duplicate"), "kwikid.liveness_v2"
    face = sandbox.world.state.sessions[session_id].face
    assert face is not None
    sandbox.world.opinions.set_score(face, 0.1)
    event = session_event(session_id, metadata={"case": name}, event_id=str(uuid.uuid4()))
    (action,) = receiver.settled(receiver.send(event).json()["event_id"])["actions"]
    (asked,) = sandbox.world.calls.matching("/v2/liveness")
    assert asked.fields["image_sha256"] == face
    result = action["result"]
    assert (result["status"], result["tags"], result["vendor_reason"]) == ("Declined", ["LIVENESS_FACE_ATTACK"], "fake")
    assert (result["score"], result["scale"]) == (10.0, None)
