"""Actions: order in their lanes, claims, leases and fences, endings, what people do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from receiver.contract import LabelSession, OpenReview
from receiver.errors import Conflict, NotFound
from receiver.store.port import Store
from receiver.store.shapes import Claim
from tests.support.store_samples import NOW, claim_all, ending, new_event, planned, put, settle


def _states(store: Store) -> list[str]:
    """States of all actions, oldest first."""
    with store.read() as reader:
        return [str(action["state"]) for action in reversed(reader.actions().items)]


def _document(store: Store, action_id: str) -> Any:
    with store.read() as reader:
        return reader.action(action_id)


def _one_claim(store: Store, at: int = NOW, owner: str = "worker-1") -> Claim:
    (claim,) = claim_all(store, at, owner)
    return claim


def test_only_the_first_of_a_lane_can_be_claimed(store: Store) -> None:
    """I3: in order per session, side by side across sessions."""
    first = put(store, new_event("ses-a"), planned(), planned(name="review"))
    other = put(store, new_event("ses-b"), planned())
    assert [claim.action_id for claim in claim_all(store)] == [first[0], other[0]]
    assert claim_all(store) == []


def test_a_lane_goes_on_in_order_across_events(store: Store) -> None:
    wanted = put(store, new_event(), planned(), planned()) + put(store, new_event(), planned())
    ran = []
    while claims := claim_all(store):
        (claim,) = claims
        ran.append(claim.action_id)
        assert settle(store, claim, ending())
    assert ran == wanted


def test_a_claim_says_all_that_a_handler_needs(store: Store) -> None:
    new = new_event()
    (action_id,) = put(store, new, planned(once="session", params={"face": True, "n": 10**40}))
    claim = _one_claim(store)
    assert claim == Claim(
        action_id=action_id,
        owner="worker-1",
        attempt=1,
        name="didit.blocklist_add",
        rule="attack",
        params={"face": True, "n": 10**40},
        once="session",
        event_id=new.event_id,
        event=new.event.document,
        depth=0,
        lane=new.lane,
        planned_at=NOW,
        attempts_spent=1,
        repeated=False,
        done_before=None,
    )


def test_no_more_are_claimed_than_asked_for(store: Store) -> None:
    for number in range(5):
        put(store, new_event(f"ses-{number}"), planned())
    assert len(claim_all(store, limit=3)) == 3
    assert len(claim_all(store, limit=3)) == 2


@pytest.mark.parametrize("state", ["done", "noop", "failed", "dead", "rejected", "skipped"])
def test_what_is_finished_releases_its_lane(store: Store, state: Any) -> None:
    first, second = put(store, new_event(), planned(), planned())
    settle(store, _one_claim(store), ending(state, reason="why"))
    assert _one_claim(store).action_id == second
    document = _document(store, first)
    assert (document["state"], document["reason"]) == (state, "why")
    assert document["finished_at"] == "2026-11-18T11:06:40.050Z"


def test_what_waits_to_be_retried_holds_its_lane_until_it_is_due(store: Store) -> None:
    first, _ = put(store, new_event(), planned(), planned())
    settle(store, _one_claim(store), ending("waiting_retry", due=NOW + 1000, http_status=503, reason="busy"))
    assert claim_all(store, NOW + 999) == []
    claim = _one_claim(store, NOW + 1000)
    assert (claim.action_id, claim.attempt, claim.attempts_spent, claim.repeated) == (first, 2, 2, False)
    attempts = _document(store, first)["attempts"]
    assert attempts[0] == {
        "n": 1,
        "at": "2026-11-18T11:06:40.000Z",
        "latency_ms": 41,
        "outcome": "retry",
        "http_status": 503,
        "repeated": False,
        "reason": "busy",
    }
    assert (attempts[1]["n"], attempts[1]["outcome"]) == (2, None)


def _ran(store: Store, at: int) -> list[str]:
    """What may be claimed then, each done at once."""
    ran = []
    while claims := claim_all(store, at):
        for claim in claims:
            ran.append(claim.action_id)
            assert settle(store, claim, ending())
    return ran


def test_what_waits_for_one_vendor_holds_up_no_other(store: Store) -> None:
    """A vendor that is away for hours must not keep a face off another's blocklist."""
    asked, told, later = put(
        store, new_event(), planned(needs="verifik"), planned(needs="didit"), planned(needs="verifik")
    )
    settle(store, _one_claim(store), ending("waiting_retry", due=NOW + 36_000_000, reason="parked"))
    more = put(store, new_event(), planned(needs="didit"), planned(needs=""))
    assert _ran(store, NOW + 1000) == [told, *more]
    assert _ran(store, NOW + 36_000_000) == [asked, later]


def test_what_is_planned_behind_one_that_waits_keeps_its_order(store: Store) -> None:
    """I3: of one vendor none overtakes another, and of other vendors only what need not wait for its own elders."""
    put(store, new_event(), planned(needs="verifik"))
    settle(store, _one_claim(store), ending("waiting_retry", due=NOW + 1000, reason="busy"))
    first, second = put(store, new_event(), planned(needs="didit"), planned(needs="kwikid"))
    put(store, new_event(), planned(needs="verifik"))
    claim = _one_claim(store)
    assert claim.action_id == first
    assert claim_all(store, NOW + 999) == []  # while it runs, nobody goes ahead
    settle(store, claim, ending("waiting_retry", due=NOW + 2000, reason="busy"))
    assert _ran(store, NOW + 999) == [second]


def test_two_that_waited_may_run_at_the_same_time_and_nobody_beside_them(store: Store) -> None:
    put(store, new_event(), planned(needs="verifik"), planned(needs="didit"), planned(needs="kwikid"))
    settle(store, _one_claim(store), ending("waiting_retry", due=NOW + 1000, reason="busy"))
    settle(store, _one_claim(store), ending("waiting_retry", due=NOW + 1000, reason="busy"))
    (last,) = claim_all(store, NOW + 999)
    assert claim_all(store, NOW + 999) == []
    both = claim_all(store, NOW + 1000)
    assert len(both) == 2
    (added,) = put(store, new_event(), planned(needs="notify.fraud"))
    for claim in (last, both[0]):
        settle(store, claim, ending())
        assert claim_all(store, NOW + 1000) == []
    settle(store, both[1], ending())
    assert _one_claim(store, NOW + 1000).action_id == added


def test_without_a_due_time_a_retry_is_due_at_once(store: Store) -> None:
    put(store, new_event(), planned())
    settle(store, _one_claim(store), ending("waiting_retry", NOW + 50))
    assert claim_all(store, NOW + 49) == []
    assert len(claim_all(store, NOW + 50)) == 1


def test_an_unspent_attempt_is_given_back_and_leaves_one_trace(store: Store) -> None:
    """A parked vendor is asked for hours: the record says so once, and no attempt is used up."""
    (action_id,) = put(store, new_event(), planned())
    for turn in range(4):
        claim = _one_claim(store, NOW + turn)
        assert (claim.attempt, claim.attempts_spent) == (turn + 1, 1)
        settle(store, claim, ending("waiting_retry", NOW + turn, spent=False, reason="parked"))
    attempts = _document(store, action_id)["attempts"]
    assert [(attempt["n"], attempt["reason"]) for attempt in attempts] == [(4, "parked")]
    with store.read() as reader:
        assert len(reader.audit("outcome:waiting_retry").items) == 1


def test_the_result_and_its_effects_are_recorded_with_the_outcome(store: Store) -> None:
    put(store, new_event(), planned())
    effects = (OpenReview("duplicates", "3 look-alikes", 2), LabelSession(("ring", "seen"), ()))
    settle(store, _one_claim(store), ending(result={"total": 3}, http_status=200, effects=effects))
    put(store, new_event(), planned())
    settle(store, _one_claim(store), ending(effects=(LabelSession(("ring",), ("seen", "never")),)))
    with store.read() as reader:
        session: Any = reader.session("ses-1")
        assert reader.counts()["reviews_open"] == {"duplicates": 1}
        assert len(reader.audit("kind:label").items) == 2
    assert session["actions"][0]["result"] == {"total": 3}
    assert [(label["label"], label["source"]) for label in session["labels"]] == [("ring", "didit")]
    (review,) = session["reviews"]
    assert (review["queue"], review["priority"], review["reason"], review["state"]) == (
        "duplicates",
        2,
        "3 look-alikes",
        "open",
    )


def test_labels_of_no_session_are_nowhere(store: Store) -> None:
    put(store, new_event(None), planned())
    assert settle(store, _one_claim(store), ending(effects=(LabelSession(("ring",), ()),)))
    with store.read() as reader:
        assert reader.audit("kind:label").items == []


def test_what_needs_approval_holds_nobody_up(store: Store) -> None:
    waiting, free = put(store, new_event(), planned(state="awaiting_approval"), planned())
    assert _one_claim(store).action_id == free
    store.submit(lambda tx: tx.approve_action(waiting, "token:ana", NOW + 9, "looks right")).result()
    assert claim_all(store, NOW + 9) == [], "what runs stays the head of its lane"
    (running,) = (each for each in [_document(store, free)] if each["state"] == "running")
    assert running["due"] is None


def test_an_approved_action_comes_before_what_was_planned_after_it(store: Store) -> None:
    waiting, later = put(store, new_event(), planned(state="awaiting_approval"), planned())
    store.submit(lambda tx: tx.approve_action(waiting, "token:ana", NOW + 9, "looks right")).result()
    claim = _one_claim(store, NOW + 9)
    assert (claim.action_id, claim.planned_at) == (waiting, NOW + 9)
    settle(store, claim, ending())
    assert _one_claim(store, NOW + 60).action_id == later
    (deed,) = _document(store, waiting)["deeds"]
    assert deed == {"at": "2026-11-18T11:06:40.009Z", "actor": "token:ana", "act": "approve", "reason": "looks right"}


def test_a_rejected_action_never_runs(store: Store) -> None:
    (waiting,) = put(store, new_event(), planned(state="awaiting_approval"))
    store.submit(lambda tx: tx.reject_action(waiting, "token:ana", NOW, "wrong person")).result()
    assert claim_all(store) == []
    assert (_document(store, waiting)["state"], _document(store, waiting)["reason"]) == (
        "rejected",
        "rejected by token:ana",
    )
    assert _document(store, waiting)["deeds"][0]["reason"] == "wrong person"


def test_an_owner_that_is_gone_loses_its_action_to_the_next(store: Store) -> None:
    """I4: what was in flight at a crash is repeated, and marked as repeated, for all attempts from then on."""
    (action_id,) = put(store, new_event(), planned())
    first = _one_claim(store, NOW, "worker-1")
    assert claim_all(store, NOW + 59_999, "worker-2") == []
    second = _one_claim(store, NOW + 60_000, "worker-2")
    assert (second.attempt, second.attempts_spent, second.repeated) == (2, 2, True)
    assert settle(store, first, ending()) is False
    assert settle(store, second, ending("waiting_retry", NOW + 60_010, due=NOW + 60_010)) is True
    third = _one_claim(store, NOW + 60_010, "worker-2")
    assert third.repeated
    assert settle(store, second, ending()) is False
    assert settle(store, third, ending()) is True
    attempts = _document(store, action_id)["attempts"]
    assert [(each["outcome"], each["repeated"]) for each in attempts] == [
        ("lost", False),
        ("retry", True),
        ("done", True),
    ]
    with store.read() as reader:
        outcomes = [entry["outcome"] for entry in reader.audit(f"action:{action_id}", ascending=True).items]
    assert outcomes == ["planned", "lost", "waiting_retry", "done"]


def test_a_claim_of_another_owner_settles_nothing(store: Store) -> None:
    put(store, new_event(), planned())
    claim = _one_claim(store)
    assert settle(store, replace(claim, owner="worker-2"), ending()) is False
    assert settle(store, replace(claim, attempt=2), ending()) is False
    assert settle(store, claim, ending()) is True
    assert settle(store, claim, ending()) is False


def test_a_renewed_lease_is_not_lost(store: Store) -> None:
    put(store, new_event(), planned())
    claim = _one_claim(store)
    store.submit(lambda tx: tx.renew("worker-1", NOW + 50_000, NOW + 110_000)).result()
    store.submit(lambda tx: tx.renew("worker-2", NOW + 50_000, NOW + 900_000)).result()
    assert claim_all(store, NOW + 109_999, "worker-2") == []
    assert len(claim_all(store, NOW + 110_000, "worker-2")) == 1
    assert settle(store, claim, ending()) is False


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ({}, {}, True),
        ({}, {"params": {"face": False}}, False),
        ({}, {"name": "didit.blocklist_remove"}, False),
        ({}, {"once": "event"}, False),
        ({"params": {"a": 1, "b": 2}}, {"params": {"b": 2, "a": 1}}, True),
    ],
    ids=["same", "other params", "other name", "repeats on purpose", "order of params"],
)
def test_what_was_done_before_for_the_session(
    store: Store, first: dict[str, Any], second: dict[str, Any], found: bool
) -> None:
    (done,) = put(store, new_event(), planned(**{"once": "session", **first}))
    settle(store, _one_claim(store), ending())
    put(store, new_event(), planned(**{"once": "session", **second}))
    assert _one_claim(store).done_before == (done if found else None)


def test_what_failed_or_was_done_for_another_session_was_not_done_before(store: Store) -> None:
    put(store, new_event("ses-a"), planned(once="session"))
    settle(store, _one_claim(store), ending("failed"))
    put(store, new_event("ses-b"), planned(once="session"))
    settle(store, _one_claim(store), ending())
    put(store, new_event(None), planned(once="session"))
    settle(store, _one_claim(store), ending())
    put(store, new_event("ses-a"), planned(once="session"))
    assert _one_claim(store).done_before is None


def test_a_retry_by_hand_is_a_fresh_run(store: Store) -> None:
    (action_id,) = put(store, new_event(), planned())
    settle(store, _one_claim(store), ending("dead", reason="attempts used up"))
    store.submit(lambda tx: tx.expect_echo(action_id, "ses-1", "Declined", NOW + 1)).result()
    store.submit(lambda tx: tx.retry_action(action_id, "token:ops", NOW + 500)).result()
    document = _document(store, action_id)
    assert (document["state"], document["reason"], document["finished_at"]) == ("planned", None, None)
    assert document["planned_at"] == "2026-11-18T11:06:40.000Z"
    claim = _one_claim(store, NOW + 500)
    assert (claim.planned_at, claim.attempt, claim.attempts_spent) == (NOW + 500, 2, 1)
    assert store.submit(lambda tx: tx.take_echo("didit", "ses-1", "Declined", NOW)).result() is None


def test_a_retry_by_hand_does_not_wait_for_what_is_due_later(store: Store) -> None:
    put(store, new_event(), planned())
    settle(store, _one_claim(store), ending("waiting_retry", due=NOW + 900_000))
    with store.read() as reader:
        (item,) = reader.actions(state="waiting_retry").items
    assert item["due"] == "2026-11-18T11:21:40.000Z"
    store.submit(lambda tx: tx.retry_action(str(item["action_id"]), "token:ops", NOW + 500)).result()
    assert len(claim_all(store, NOW + 500)) == 1


def test_an_action_that_comes_back_goes_before_the_planned_but_not_into_a_running_call(store: Store) -> None:
    first, second, third = put(store, new_event(), planned(), planned(), planned())
    settle(store, _one_claim(store), ending("failed"))
    running = _one_claim(store)
    assert running.action_id == second
    store.submit(lambda tx: tx.retry_action(first, "token:ops", NOW)).result()
    assert claim_all(store) == []
    settle(store, running, ending())
    again = _one_claim(store)
    assert again.action_id == first
    settle(store, again, ending())
    assert _one_claim(store).action_id == third


@pytest.mark.parametrize("state", ["planned", "waiting_retry", "awaiting_approval", "failed", "dead"])
def test_what_can_be_discarded(store: Store, state: Any) -> None:
    start = "awaiting_approval" if state == "awaiting_approval" else "planned"
    action_id, after = put(store, new_event(), planned(state=start), planned())
    claim = None
    if state not in ("planned", "awaiting_approval"):
        claim = _one_claim(store)
    if claim is not None:
        settle(store, claim, ending(state))
    store.submit(lambda tx: tx.discard_action(action_id, "token:ops", NOW + 70, "")).result()
    assert _document(store, action_id)["state"] == "rejected"
    assert _one_claim(store, NOW + 70).action_id == after
    if claim is not None:
        assert settle(store, claim, ending()) is False


def test_a_running_action_cannot_be_discarded(store: Store) -> None:
    """I3: its call is in flight; the next of its session must not start beside it, and its outcome must not be lost."""
    action_id, after = put(store, new_event(), planned(), planned())
    claim = _one_claim(store)
    with pytest.raises(Conflict):
        store.submit(lambda tx: tx.discard_action(action_id, "token:ops", NOW + 70, "")).result()
    assert claim_all(store, NOW + 70) == []
    assert settle(store, claim, ending()) is True
    assert _one_claim(store, NOW + 70).action_id == after


def _deeds() -> dict[str, Callable[[Any, str], None]]:
    return {
        "retry": lambda tx, action_id: tx.retry_action(action_id, "ops", NOW),
        "discard": lambda tx, action_id: tx.discard_action(action_id, "ops", NOW, "x"),
        "approve": lambda tx, action_id: tx.approve_action(action_id, "ops", NOW, "x"),
        "reject": lambda tx, action_id: tx.reject_action(action_id, "ops", NOW, "x"),
    }


@pytest.mark.parametrize(
    ("deed", "state"),
    [
        ("retry", "planned"),
        ("retry", "done"),
        ("retry", "awaiting_approval"),
        ("discard", "done"),
        ("discard", "skipped"),
        ("discard", "rejected"),
        ("approve", "planned"),
        ("approve", "rejected"),
        ("reject", "planned"),
        ("reject", "failed"),
    ],
)
def test_what_the_state_does_not_allow_is_a_conflict(store: Store, deed: str, state: Any) -> None:
    start = state if state in ("planned", "awaiting_approval", "skipped") else "planned"
    (action_id,) = put(store, new_event(), planned(state=start))
    if state != start:
        settle(store, _one_claim(store), ending(state))
    with pytest.raises(Conflict, match=f"{action_id} is {state}"):
        store.submit(lambda tx: _deeds()[deed](tx, action_id)).result()
    assert _states(store) == [state]


@pytest.mark.parametrize("deed", ["retry", "discard", "approve", "reject"])
def test_a_deed_on_nothing_is_not_found(store: Store, deed: str) -> None:
    with pytest.raises(NotFound, match="act_none"):
        store.submit(lambda tx: _deeds()[deed](tx, "act_none")).result()


def test_a_case_is_resolved_once(store: Store) -> None:
    put(store, new_event(), planned())
    settle(store, _one_claim(store), ending(effects=(OpenReview("duplicates", "look"),)))
    with store.read() as reader:
        (case,) = reader.reviews(state="open").items
    review_id = str(case["review_id"])
    store.submit(lambda tx: tx.resolve_review(review_id, "token:ana", NOW + 9, "confirmed", "same person")).result()
    with pytest.raises(Conflict, match="resolved already"):
        store.submit(lambda tx: tx.resolve_review(review_id, "token:ana", NOW, "confirmed", "")).result()
    with pytest.raises(NotFound, match="rev_none"):
        store.submit(lambda tx: tx.resolve_review("rev_none", "token:ana", NOW, "confirmed", "")).result()
    with store.read() as reader:
        (case,) = reader.reviews(state="resolved").items
        assert reader.reviews(state="open").items == []
        assert reader.counts()["reviews_open"]["duplicates"] == 0
    assert (case["resolution"], case["note"], case["resolved_by"]) == ("confirmed", "same person", "token:ana")
    assert (case["resolved_at"], case["rule"]) == ("2026-11-18T11:06:40.009Z", "attack")


def test_planning_for_nothing_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="evt_none"):
        store.submit(lambda tx: tx.add_actions("evt_none", [planned()], NOW)).result()


def test_the_gauges_follow_every_change(store: Store) -> None:
    put(store, new_event("ses-a"), planned(), planned(state="skipped", reason="shadow"))
    put(store, new_event("ses-b"), planned(state="awaiting_approval"))
    first = _one_claim(store)
    with store.read() as reader:
        counts = reader.counts()
    assert {state: number for state, number in counts["actions"].items() if number} == {
        "running": 1,
        "skipped": 1,
        "awaiting_approval": 1,
    }
    assert counts["events"] == {"all": 2}
    settle(store, first, ending())
    with store.read() as reader:
        assert (reader.counts()["actions"]["running"], reader.counts()["actions"]["done"]) == (0, 1)


@pytest.mark.parametrize("state", ["planned", "running", "waiting_retry", "failed", "done", "skipped"])
def test_actions_are_listed_by_state(store: Store, state: Any) -> None:
    (wanted,) = put(store, new_event("ses-a"), planned(state="skipped" if state == "skipped" else "planned"))
    if state not in ("planned", "skipped"):
        claim = _one_claim(store)
        if state != "running":
            settle(store, claim, ending(state))
    put(store, new_event("ses-b"), planned(state="awaiting_approval"))
    with store.read() as reader:
        assert [item["action_id"] for item in reader.actions(state=state).items] == [wanted]
        assert [item["session_id"] for item in reader.actions(session_id="ses-b").items] == ["ses-b"]
        assert reader.actions(state=state, session_id="ses-b").items == []
        assert reader.action("act_none") is None
