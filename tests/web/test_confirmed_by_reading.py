"""Unsigned deliveries that are confirmed by fetch, over real HTTP from end to end: a delivery that nobody signed, the
vendor's API asked, its answer as an event, and what may follow from it without a person.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from receiver.holding import NOT_CONFIRMED
from receiver.yamltext import read_yaml
from tests.support.other_vendors import KEY, Simulated, simulated
from tests.support.processes import run
from tests.support.receiver import SECRET, Receiver, await_that, running, session_event, signed

README = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
READ = "verifik.app_registration"
STATIC = {"X-Shared": "a-header-that-we-set-0123456789"}
VERIFY: dict[str, dict[str, Any]] = {
    "none": {"scheme": "none", "accept_unsigned": True},
    "static": {"scheme": "static", "header": "X-Shared", "secrets": [STATIC["X-Shared"]], "accept_unsigned": True},
}
MAP = {"type": '"status.updated"', "session_id": "raw.session", "status": "raw.status", "tags": "raw.flags"}
SIGNED = {"didit": {"vendor": "didit", "verify": {"scheme": "didit", "secrets": [SECRET]}}}
DECLINE = {"didit.update_status": {"status": "Declined", "comment": "{{ event.session_id }}"}}
CASE = {"review": {"queue": "read", "reason": "Verifik {{ result.status }}"}}
POLICY: dict[str, Any] = {
    "version": 1,
    "name": "look-first",
    "rules": [
        {"id": "at-once", "on": ["onboarding_app_registration_expired"], "then": [DECLINE]},
        {"id": "look", "on": ["onboarding_app_registration_failed", "onboarding_biometric_validation_liveness_failed"],
         "then": [{READ: {}}]},
        {"id": "act", "on": [f"action.{READ}"], "when": ["event.status == \"Declined\""], "then": [CASE, DECLINE]},
        {"id": "go-on", "on": ["action.didit.update_status"], "then": [{"didit.blocklist_add": {"face": True}}]},
        {"id": "look-at-didit", "on": ["status.updated"], "then": [{"didit.decision": {}, "once": "event"}]},
        {"id": "act-on-didit", "on": ["action.didit.decision"], "when": ["event.status == \"Approved\""],
         "then": [{"didit.update_status": {"status": "Declined"}}]},
    ],
}  # fmt: skip


@pytest.fixture
def box() -> Iterator[Simulated]:
    with simulated() as one:
        yield one


@contextmanager
def receiving(
    folder: Path,
    box: Simulated,
    confirm: list[str],
    scheme: str = "none",
    policy: dict[str, Any] = POLICY,
    more: dict[str, Any] | None = None,
) -> Iterator[Receiver]:
    """A receiver with an unsigned source of Verifik's and one of Didit's words, which these actions confirm."""
    verify = {**VERIFY[scheme], **({"confirm": confirm} if confirm else {})}
    sources = {
        "verifik": {"vendor": "verifik", "verify": verify},
        "proxy": {"vendor": "generic", "verify": verify, "map": MAP},
        **(more or {}),
    }
    vendors = {name: {"base_url": box.url, "api_key": KEY} for name in ("didit", "verifik")}
    with running(folder, policy, sources=sources, vendors=vendors) as one:
        yield one


def registered(box: Simulated, status: str, **more: Any) -> str:
    """A registration at Verifik, whose id is also a session of Didit's: so that an effect can be seen."""
    session_id = box.session("clean")
    box.world.registrations[session_id] = {"_id": session_id, "status": status, **more}
    return session_id


def deliver(receiver: Receiver, session_id: str, suffix: str = "app_registration_failed", **fields: Any) -> str:
    """A Verifik webhook, as anybody could send it."""
    body = {
        "type": f"onboarding_{suffix}",
        "object": {"_id": session_id, "status": "FAILED", "updatedAt": "2026-11-20T09:30:00Z", **fields},
    }
    return sent(receiver, "verifik", body)


def sent(receiver: Receiver, source: str, body: Any) -> str:
    answer = receiver.post(json.dumps(body).encode(), STATIC, source)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["event_id"])


def result_of(receiver: Receiver, parent: str) -> dict[str, Any]:
    """The result event that came of an event, settled."""
    items = await_that(
        lambda: [one for one in receiver.api("/api/events").json()["items"] if one["parent_id"] == parent]
    )
    return receiver.settled(items[0]["event_id"])


def states(event: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["name"], action["state"]) for action in event["actions"]]


def status_of(box: Simulated) -> str:
    return box.world.state.sessions[box.session("clean")].status


@pytest.mark.parametrize("scheme", ["none", "static"])
def test_a_delivery_that_the_vendor_bears_out_acts_without_a_person(
    tmp_path: Path, box: Simulated, scheme: str
) -> None:
    session_id = registered(box, "failed")
    with receiving(tmp_path, box, [READ], scheme) as receiver:
        delivery = deliver(receiver, session_id)
        read = result_of(receiver, delivery)
        assert states(receiver.settled(delivery)) == [(READ, "done")]
        assert receiver.event(delivery)["receipt"]["method"] == scheme
        assert states(read) == [("review", "done"), ("didit.update_status", "done")]
        assert status_of(box) == "Declined"
        assert [one["reason"] for one in receiver.api("/api/reviews").json()["items"]] == ["Verifik Declined"]


@pytest.mark.parametrize(
    "truth",
    [
        {"status": "COMPLETED"},
        {"status": "NEEDS_MANUAL_VERIFICATION"},
        {"status": "Certified"},
        {"status": None},
        {"status": "FAILED", "_id": "another"},
        {"status": "FAILED", "_id": None},
    ],
)
def test_a_forged_delivery_is_held(tmp_path: Path, box: Simulated, truth: dict[str, Any]) -> None:
    """What harms nobody goes ahead: a person is told."""
    session_id = registered(box, **truth)
    before = status_of(box)
    with receiving(tmp_path, box, [READ]) as receiver:
        read = result_of(receiver, deliver(receiver, session_id))
        assert states(read) == [("review", "done"), ("didit.update_status", "awaiting_approval")]
        assert read["actions"][1]["reason"] == NOT_CONFIRMED == "what was read does not confirm the delivery"
        assert (status_of(box), box.calls("update-status")) == (before, [])


@pytest.mark.parametrize(("truth", "state"), [("FAILED", "done"), ("COMPLETED", None)])
def test_the_rules_of_the_readme(tmp_path: Path, box: Simulated, truth: str, state: str | None) -> None:
    """They look at what was read, so that of a forgery nothing follows at all."""
    section = README.split("\n**Unsigned sources**")[1].split("\n## ")[0]
    rules: Any = read_yaml("rules:\n" + section.split("```yaml\n")[1].split("```")[0], "README.md").value
    session_id = registered(box, truth)
    with receiving(tmp_path, box, [READ], policy={"version": 1, "name": "readme", **rules}) as receiver:
        delivery = deliver(receiver, session_id)
        read = result_of(receiver, delivery)
        assert states(read) == ([("didit.update_status", state), ("review", "done")] if state else [])
    (tmp_path / "policy.yaml").write_text(json.dumps({"version": 1, "name": "readme", **rules}), encoding="utf-8")
    done = run("check", "policy.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_two_that_say_nothing_do_not_agree(tmp_path: Path, box: Simulated) -> None:
    """No status in the delivery, and none in the answer."""
    policy = json.loads(json.dumps(POLICY))
    policy["rules"][2].pop("when")
    session_id = registered(box, "FAILED")
    box.world.registrations[session_id] = {"_id": session_id}
    with receiving(tmp_path, box, [READ], policy=policy) as receiver:
        read = result_of(receiver, deliver(receiver, session_id, status=None))
        assert states(read)[1] == ("didit.update_status", "awaiting_approval")
        assert read["actions"][1]["reason"] == NOT_CONFIRMED


def test_each_delivery_is_confirmed_by_a_reading_of_its_own(tmp_path: Path, box: Simulated) -> None:
    """What was read for an earlier event of the session says nothing of a later one."""
    session_id = registered(box, "FAILED")
    with receiving(tmp_path, box, [READ]) as receiver:
        first = result_of(receiver, deliver(receiver, session_id))
        registered(box, "COMPLETED")
        second = result_of(receiver, deliver(receiver, session_id, updatedAt="2026-11-20T09:31:00Z"))
        assert (states(first)[1][1], states(second)[1][1]) == ("done", "awaiting_approval")
        assert len(box.calls("app-registrations")) == 2


def test_what_is_planned_on_the_delivery_itself_stays_held(tmp_path: Path, box: Simulated) -> None:
    session_id = registered(box, "EXPIRED")
    with receiving(tmp_path, box, [READ]) as receiver:
        found = receiver.settled(deliver(receiver, session_id, "app_registration_expired", status="EXPIRED"))
        assert states(found) == [("didit.update_status", "awaiting_approval")]
        assert "not signed" in found["actions"][0]["reason"]


def test_a_delivery_cannot_call_itself_a_result(tmp_path: Path, box: Simulated) -> None:
    """Neither from a source that nobody signs, nor from one that is signed."""
    session_id = registered(box, "COMPLETED")
    unsigned = {"type": f"action.{READ}", "object": {"_id": session_id, "status": "Declined"}}
    signed_one = json.dumps({**session_event(session_id), "webhook_type": "action.didit.decision"}).encode()
    with receiving(tmp_path, box, [READ], more=SIGNED) as receiver:
        answers = [
            receiver.post(json.dumps(unsigned).encode(), STATIC, "verifik"),
            receiver.post(signed_one, signed(signed_one), "didit"),
        ]
        assert [one.status_code for one in answers] == [400, 400]
        assert all("only the results of our own actions" in one.text for one in answers)
        assert receiver.api("/api/events").json()["items"] == []


def test_a_forged_time_and_id_do_not_get_in_the_way_of_a_true_event(tmp_path: Path, box: Simulated) -> None:
    """From the year 2999, it is from now; and the same id with another content is another event."""
    session_id = registered(box, "FAILED")
    with receiving(tmp_path, box, [READ]) as receiver:
        deliver(receiver, session_id, "app_registration_started", status="STARTED", updatedAt="2999-12-31T00:00:00Z")
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 301))
        forged = deliver(receiver, session_id, updatedAt=later, status="STARTED")
        true = deliver(receiver, session_id, updatedAt=later)
        assert true != forged
        assert receiver.settled(true)["event"]["stale"] is False
        assert deliver(receiver, session_id, updatedAt=later) == true


def test_findings_of_a_delivery_cannot_ride_on_a_true_status(tmp_path: Path, box: Simulated) -> None:
    """The delivery of another kind, with an attack in it, names a registration and its true status: nothing is read."""
    session_id = registered(box, "FAILED")
    with receiving(tmp_path, box, [READ]) as receiver:
        kind = "biometric_validation_liveness_failed"
        found = receiver.settled(deliver(receiver, session_id, kind, status="Declined"))
        assert found["event"]["tags"] == ["LOW_LIVENESS_SCORE"]
        assert states(found) == [(READ, "failed")]
        assert box.calls("app-registrations") == []


def test_what_follows_from_what_followed_is_held(tmp_path: Path, box: Simulated) -> None:
    """Only the reading confirms: the result of another action is no reading."""
    session_id = registered(box, "FAILED")
    with receiving(tmp_path, box, [READ]) as receiver:
        read = result_of(receiver, deliver(receiver, session_id))
        after = result_of(receiver, read["event_id"])
        assert states(after) == [("didit.blocklist_add", "awaiting_approval")]
        assert "not signed" in after["actions"][0]["reason"]


@pytest.mark.parametrize("confirm", [[], ["didit.decision"]])
def test_a_reading_that_is_not_to_confirm_does_not(tmp_path: Path, box: Simulated, confirm: list[str]) -> None:
    session_id = registered(box, "FAILED")
    with receiving(tmp_path, box, confirm) as receiver:
        read = result_of(receiver, deliver(receiver, session_id))
        assert states(read) == [("review", "done"), ("didit.update_status", "awaiting_approval")]
        assert "not signed" in read["actions"][1]["reason"]


@pytest.mark.parametrize(
    ("confirm", "said", "state", "reason"),
    [
        ([], "Approved", "awaiting_approval", "not signed"),
        ([READ], "Approved", "awaiting_approval", "not signed"),
        (["didit.decision"], "Approved", "done", ""),
        (["didit.update_status"], "Approved", "awaiting_approval", "not signed"),
    ],
)
def test_didit_s_decision_confirms_what_came_by_another_way(
    tmp_path: Path, box: Simulated, confirm: list[str], said: str, state: str, reason: str
) -> None:
    """Results of reading are held as the delivery itself is, unless that reading is to confirm it."""
    session_id = box.session("clean")
    assert status_of(box) == "Approved"
    with receiving(tmp_path, box, confirm) as receiver:
        read = result_of(receiver, sent(receiver, "proxy", {"session": session_id, "status": said}))
        assert states(read) == [("didit.update_status", state)]
        assert reason in (read["actions"][0]["reason"] or "")
        assert status_of(box) == ("Declined" if state == "done" else "Approved")


def test_didit_s_decision_gives_a_forgery_away(tmp_path: Path, box: Simulated) -> None:
    session_id = box.session("low-liveness")
    assert box.world.state.sessions[session_id].status == "In Review"
    with receiving(tmp_path, box, ["didit.decision"]) as receiver:
        read = result_of(receiver, sent(receiver, "proxy", {"session": session_id, "status": "Approved"}))
        assert [(one["state"], one["reason"]) for one in read["actions"]] == [("awaiting_approval", NOT_CONFIRMED)]


VICTIM = "somebody-else"
PERSONAL: dict[str, Any] = {
    "version": 1,
    "name": "no-when",
    "rules": [
        {"id": "look", "on": ["status.updated"], "then": [{"didit.decision": {}, "once": "event"}]},
        {"id": "act", "on": ["action.didit.decision"], "then": [
            {"didit.user_status": {"status": "BLOCKED"}},
            {"didit.create_session": {"workflow_id": "11111111-2222-4333-8444-555555555555"}},
            {"didit.import_session": {"share_token": "shared-by-nobody", "workflow_id": "w"}},
        ]},
        {"id": "say", "on": ["action.didit.decision"], "when": ['event.email == "a@example.com"'],
         "then": [{"label": {"add": ["unproven"]}}]},
    ],
}  # fmt: skip


def forged_person(folder: Path, box: Simulated, user: str) -> dict[str, Any]:
    """The result event of a delivery that tells the truth of a session, and names this person for it."""
    mapped = {**MAP, "vendor_data": "raw.user", "email": "raw.email", "created_at": "raw.at"}
    verify = {**VERIFY["none"], "confirm": ["didit.decision"]}
    sources = {"proxy": {"vendor": "generic", "verify": verify, "map": mapped}}
    vendors = {"didit": {"base_url": box.url, "api_key": KEY}}
    session_id = box.session("clean")
    with running(folder, PERSONAL, sources=sources, vendors=vendors) as receiver:
        said = {"session": session_id, "status": "Approved", "user": user, "flags": ["LIVENESS_FACE_ATTACK"], "at": 1}
        return result_of(receiver, sent(receiver, "proxy", {**said, "email": "a@example.com"}))


def test_a_person_whom_only_the_delivery_names_is_nobody(tmp_path: Path, box: Simulated) -> None:
    """Session and status are true; whose session it is was not read, so no handler and no rule is given it."""
    read = forged_person(tmp_path, box, VICTIM)
    assert (read["event"]["session_id"], read["event"]["status"]) == (box.session("clean"), "Approved")
    assert [read["event"][name] for name in ("vendor_data", "email", "created_at")] == [None] * 3
    assert (read["event"]["tags"], read["event"]["warnings"]) == ([], [])
    assert "say" not in [action["rule"] for action in read["actions"]]
    assert [call for call in box.world.calls.matching("") if VICTIM in str(call)] == []
    assert box.calls(f"users/{VICTIM}") == []


def test_a_person_whom_the_reading_names_too_is_acted_on(tmp_path: Path, box: Simulated) -> None:
    user = box.world.state.sessions[box.session("clean")].vendor_data
    assert user
    read = forged_person(tmp_path, box, user)
    assert read["event"]["vendor_data"] == user
    assert box.calls(f"users/{user}")


def test_a_person_may_still_let_it_go_ahead(tmp_path: Path, box: Simulated) -> None:
    session_id = registered(box, "COMPLETED")
    with receiving(tmp_path, box, [READ]) as receiver:
        read = result_of(receiver, deliver(receiver, session_id))
        action_id = read["actions"][1]["action_id"]
        answer = receiver.api(f"/api/actions/{action_id}/approve", method="POST", json={"reason": "I asked Verifik"})
        assert answer.status_code == 200, answer.text
        assert states(receiver.settled(read["event_id"]))[1] == ("didit.update_status", "done")
