"""Every `didit.` action from end to end: a signed webhook, a rule, the simulator's API, the recorded outcome, and a
rule that reads its result.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.didit_calls import CASES, KEY, Case, Simulated, simulated
from tests.support.receiver import Receiver, await_that, running, session_event


def _rules(case: Case) -> list[dict[str, Any]]:
    """The rule that calls, and where the action gives a result one that reads it."""
    short = case.name.removeprefix("didit.").replace("_", "-")
    params = dict(case.params)
    if case.name == "didit.import_session":
        params["share_token"] = "{{ raw.metadata.share_token }}"
    if case.name == "didit.list_add":
        params["value"] = "{{ raw.metadata.ip_address }}"
    rules: list[dict[str, Any]] = [
        {"id": short, "when": [f'raw.metadata.case == "{case.name}"'], "then": [{case.name: params}]}
    ]
    if case.proof:
        seen = {"id": f"{short}-seen", "on": f"action.{case.name}", "when": [case.proof]}
        rules.append({**seen, "then": [{"label": {"add": [f"seen-{short}"]}}]})
    return rules


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Simulated]:
    with simulated() as running_sandbox:
        yield running_sandbox


@pytest.fixture(scope="module")
def receiver(sandbox: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    folder: Path = tmp_path_factory.mktemp("receiver")
    policy: dict[str, Any] = {
        "version": 1,
        "name": "every-call",
        "rules": [rule for case in CASES for rule in _rules(case)],
    }
    host = sandbox.url.removeprefix("http://")
    vendors = {"didit": {"base_url": sandbox.url, "api_key": KEY}}
    with running(folder, policy, vendors=vendors, images={"allow_hosts": [host]}) as built:
        yield built


@pytest.mark.shows("rule")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_calls_and_another_reads_the_result(sandbox: Simulated, receiver: Receiver, case: Case) -> None:
    sandbox.fresh()
    session_id = sandbox.session(case.scenario)
    facts = {"case": case.name, "share_token": sandbox.token(), "ip_address": "198.51.100.24"}
    event = session_event(session_id, metadata=facts, vendor_data=sandbox.vendor_data(case.scenario))
    answer = receiver.send({**event, "event_id": str(uuid.uuid4())})
    document = receiver.settled(answer.json()["event_id"])
    (action,) = document["actions"]
    assert (action["name"], action["state"], action["reason"]) == (case.name, "done", None)
    assert case.method in [method for method, _ in sandbox.calls(case.path)]
    if case.proof:
        label = f"seen-{case.name.removeprefix('didit.').replace('_', '-')}"
        await_that(lambda: label in str(receiver.api(f"/api/sessions/{session_id}").json()))


def _alerts(receiver: Receiver, about: str) -> list[str]:
    """The texts of the alerts on something, as the record has them."""
    items = receiver.api("/api/audit", params={"q": "kind:alert"}).json()["items"]
    entries = [receiver.api(f"/api/audit/{item['idx']}").json() for item in items if item["type"] == about]
    return [str(entry) for entry in entries]


def test_a_low_balance_stands_in_the_record_once(receiver: Receiver) -> None:
    (case,) = [case for case in CASES if case.name == "didit.balance"]
    for n in range(2):
        event = session_event(f"low-{n}", metadata={"case": case.name}, event_id=str(uuid.uuid4()))
        receiver.settled(receiver.send(event).json()["event_id"])
    (alert,) = _alerts(receiver, "didit.balance")
    assert "below 500" in alert


def test_refused_credentials_stand_in_the_record_once(sandbox: Simulated, receiver: Receiver) -> None:
    """Not once for each event that waits for them."""
    sandbox.fresh().fault(unauthorized={"probability": 1.0})
    session_id = sandbox.session("clean")

    def waits(n: int) -> bool:
        event = session_event(session_id, metadata={"case": "didit.list_sessions"}, event_id=str(uuid.uuid4()), n=n)
        event_id = receiver.send({**event, "session_id": f"{session_id}-{n}"}).json()["event_id"]
        return bool(await_that(lambda: receiver.event(event_id)["actions"][0]["state"] == "waiting_retry"))

    assert all(waits(n) for n in range(3))
    (alert,) = _alerts(receiver, "vendor")
    assert "didit is parked: HTTP 401" in alert
