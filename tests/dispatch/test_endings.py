"""How attempts end in the record: every kind of answer, through a real store."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest
from structlog.testing import capture_logs

from receiver.contract import ActionCall, JsonObject, OpenReview, Outcome
from receiver.errors import AnswerUnreadable, LinkRefused, VendorRefused, VendorUnavailable, VendorWaiting
from receiver.store.port import Transaction
from receiver.store.shapes import Claim
from tests.support.dispatching import Gate, Script, Yard, planned, spec, until

SECRET = "Jane Doe 1990-01-01"


@pytest.mark.parametrize(
    ("answers", "state", "reason", "outcomes"),
    [
        ([Outcome("done")], "done", None, ["done"]),
        ([Outcome("noop", "was there")], "noop", "was there", ["noop"]),
        ([Outcome("failed", "no such face")], "failed", "no such face", ["failed"]),
        ([VendorRefused("HTTP 404", 404)], "failed", "HTTP 404", ["failed"]),
        ([LinkRefused("image link refused")], "failed", "image link refused", ["failed"]),
        ([Outcome("retry", "busy"), Outcome("done")], "done", None, ["retry", "done"]),
        ([VendorUnavailable("HTTP 503", 503), Outcome("done")], "done", None, ["retry", "done"]),
        ([AnswerUnreadable("not JSON", 200), Outcome("done")], "done", None, ["retry", "done"]),
        ([ValueError(SECRET), Outcome("done")], "done", None, ["retry", "done"]),
        (
            [VendorUnavailable("HTTP 503", 503)],
            "dead",
            "HTTP 503; attempts used up (8)",
            ["retry"] * 8,
        ),
    ],
)
async def test_every_answer_has_its_ending(
    yard: Yard, answers: list[Outcome | BaseException], state: str, reason: str | None, outcomes: list[str]
) -> None:
    """The action's state, its reason and its attempts tell what happened."""
    handler = Script(*answers)
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}):
        await yard.ended(action_id)
    action = yard.action(action_id)
    assert (action["state"], action["reason"]) == (state, reason)
    assert [attempt["outcome"] for attempt in action["attempts"]] == outcomes
    assert [call.attempt for call in handler.calls] == list(range(1, len(outcomes) + 1))


async def test_a_billable_call_with_an_unreadable_answer_is_not_repeated(yard: Yard) -> None:
    """What may have been paid for ends as failed, with the reason."""
    handler = Script(AnswerUnreadable("answer is not JSON", 200))
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}, {"a": spec("a", billable=True)}):
        await yard.ended(action_id)
    assert yard.action(action_id)["reason"] == "answer is not JSON"
    assert len(handler.calls) == 1


async def test_an_action_without_a_handler_fails(yard: Yard) -> None:
    """A plug-in that is gone leaves failed actions, not hanging ones, and the lane goes on."""
    gone, next_one = yard.plan("s1", planned("gone"), planned("a"))
    async with yard.running({"a": Script(Outcome("done"))}):
        await yard.ended(gone, next_one)
    assert yard.action(gone)["state"] == "failed"
    assert "'gone'" in yard.action(gone)["reason"]
    assert yard.action(next_one)["state"] == "done"


async def test_what_was_done_for_the_session_is_not_done_again(yard: Yard) -> None:
    """`once: session`: the same action with the same parameters is noop, and the handler is not called."""
    handler = Script(Outcome("done"))
    first, other, again = yard.plan(
        "s1", planned("a", "session", x=1), planned("a", "session", x=2), planned("a", "session", x=1)
    )
    async with yard.running({"a": handler}):
        await yard.ended(first, other, again)
    assert [call.action_id for call in handler.calls] == [first, other]
    assert yard.action(again)["state"] == "noop"
    assert first in yard.action(again)["reason"]


async def test_what_a_handler_is_given(yard: Yard) -> None:
    """Parameters, event and a key that is the same for every attempt and another one for every action."""
    handler = Script(Outcome("retry", "busy"), Outcome("done"))
    first, second = yard.plan("s1", planned("a", face=True), planned("a"))
    async with yard.running({"a": handler}):
        await yard.ended(first, second)
    one, again, other = handler.calls
    assert (one.name, one.params, one.event["session_id"]) == ("a", {"face": True}, "s1")
    assert one.idempotency_key == again.idempotency_key == hashlib.sha256(first.encode()).hexdigest()
    assert other.idempotency_key != one.idempotency_key
    assert [call.repeated for call in handler.calls] == [False] * 3


@pytest.mark.parametrize(
    ("first", "unanswered"),
    [
        (VendorUnavailable("timed out"), True),
        (VendorUnavailable("HTTP 504", 504), True),
        (AnswerUnreadable("not JSON", 200), True),
        (ValueError(SECRET), True),
        (VendorUnavailable("HTTP 429", 429), False),
        (VendorUnavailable("image download: timed out", unsent=True), False),
        (VendorUnavailable("image download: HTTP 503", 503, unsent=True), False),
        (VendorWaiting("parked", 0.001), False),
    ],
)
async def test_a_handler_is_told_that_an_earlier_attempt_may_have_taken_effect(
    yard: Yard, first: Exception, unanswered: bool
) -> None:
    """And so are all attempts from then on, however the later ones ended."""
    handler = Script(first, VendorUnavailable("HTTP 429", 429), Outcome("done"))
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}):
        await yard.ended(action_id)
    assert [call.uncertain for call in handler.calls] == [False, unanswered, unanswered]
    assert not any(call.repeated for call in handler.calls)


async def test_a_billable_call_after_which_we_stumble_is_not_repeated(yard: Yard) -> None:
    """A bug of ours may follow an answer that was charged: one call, and a reason that says so."""
    handler = Script(OverflowError(SECRET))
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}, {"a": spec("a", billable=True)}):
        await yard.ended(action_id)
    action = yard.action(action_id)
    assert (action["state"], action["reason"]) == ("failed", "internal error: OverflowError; it may have been charged")
    assert len(handler.calls) == 1


@pytest.mark.parametrize(
    ("first", "uncertain"),
    [
        (AnswerUnreadable("answer is not JSON", 200), True),
        (AnswerUnreadable("the answer's head is broken"), True),
        (OverflowError(), True),
        (VendorRefused("HTTP 404", 404), False),
        (VendorRefused("the event names no session"), False),
        (Outcome("failed", "no channel has that name"), False),
    ],
)
async def test_a_person_s_retry_of_what_was_paid_for_perhaps_says_so(
    yard: Yard, first: Outcome | Exception, uncertain: bool
) -> None:
    handler = Script(first, Outcome("done"))
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}, {"a": spec("a", billable=True)}):
        await yard.ended(action_id)
        yard.store.submit(lambda tx: tx.retry_action(action_id, "ada", yard.clock())).result(30)
        await until(lambda: len(handler.calls) == 2)
    assert handler.calls[1].uncertain is uncertain


async def test_effects_are_applied_with_the_outcome(yard: Yard) -> None:
    """A case that an action opens is there when the action is done."""
    [action_id] = yard.plan("s1", planned("review"))
    effects = (OpenReview("duplicates", "look closer"),)
    async with yard.running({"review": Script(Outcome("done", effects=effects))}):
        await yard.ended(action_id)
    with yard.store.read() as reader:
        [review] = reader.reviews().items
    assert review["queue"] == "duplicates"


async def test_a_result_is_told_in_the_settling_transaction(yard: Yard) -> None:
    """Only `done` with a result is told; what the listener writes is committed with the outcome."""

    def on_done(tx: Transaction, claim: Claim, result: JsonObject) -> None:
        yard.told.on_done(tx, claim, result)
        tx.add_note("told", "test", yard.clock(), {"action_id": claim.action_id})

    ids = yard.plan("s1", planned("a"), planned("b"), planned("c"))
    handlers = {
        "a": Script(Outcome("done", result={"n": 1})),
        "b": Script(Outcome("done")),
        "c": Script(Outcome("failed", result={"n": 3})),
    }
    async with yard.running(handlers, on_done=on_done):
        await yard.ended(*ids)
    assert yard.told.results == [(ids[0], {"n": 1})]
    with yard.store.read() as reader:
        kinds = [entry["kind"] for entry in reader.audit(limit=500).items]
    assert kinds.count("told") == 1
    assert yard.action(ids[0])["result"] == {"n": 1}


async def test_a_listener_that_fails_does_not_cost_the_outcome(yard: Yard) -> None:
    """A bug behind `on_done` loses the result event, not the result; the handler is not called again."""

    def on_done(tx: Transaction, claim: Claim, result: JsonObject) -> None:
        raise RuntimeError(SECRET)

    handler = Script(Outcome("done", "fine", {"n": 1}))
    first, second = yard.plan("s1", planned("a"), planned("a"))
    with capture_logs() as logs:
        async with yard.running({"a": handler}, on_done=on_done):
            await yard.ended(first, second)
    action = yard.action(first)
    assert (action["state"], action["result"]) == ("done", {"n": 1})
    assert action["reason"] == "fine; internal error: the result could not be decided on"
    assert len(handler.calls) == 2
    assert SECRET not in str(logs)
    assert {"action_id": first, "fault": "RuntimeError"}.items() <= logs[0].items()


async def test_a_result_that_cannot_be_stored_ends_as_failed(yard: Yard) -> None:
    """A handler that returns what is not JSON does not hold its lane up."""
    bad: Any = {"n": object()}
    handler = Script(Outcome("done", result=bad), Outcome("done"))
    first, second = yard.plan("s1", planned("a"), planned("a"))
    async with yard.running({"a": handler}):
        await yard.ended(first, second)
    assert yard.action(first)["state"] == "failed"
    assert yard.action(first)["reason"] == "internal error: the outcome done could not be recorded"
    assert yard.action(second)["state"] == "done"


async def test_a_handler_that_returns_no_outcome_is_a_fault(yard: Yard) -> None:
    """What a plug-in returns is checked."""

    async def handler(call: ActionCall) -> Any:
        return None if call.attempt == 1 else Outcome("done")

    [action_id] = yard.plan("s1", planned("a"))
    with capture_logs() as logs:
        async with yard.running({"a": handler}):
            await yard.ended(action_id)
    assert [log["fault"] for log in logs] == ["TypeError"]
    assert yard.action(action_id)["state"] == "done"


async def test_a_handler_that_cancels_itself_is_a_fault(yard: Yard) -> None:
    """A stray CancelledError is not our drain: the action is tried again."""
    handler = Script(asyncio.CancelledError(), Outcome("done"))
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}):
        await yard.ended(action_id)
    assert yard.action(action_id)["state"] == "done"
    assert not handler.calls[1].repeated


async def test_a_fault_is_logged_without_personal_data(yard: Yard) -> None:
    """The log names the action, the type and the place, and not the message."""
    [action_id] = yard.plan("s1", planned("a", person=SECRET))
    with capture_logs() as logs:
        async with yard.running({"a": Script(ValueError(SECRET), Outcome("done"))}):
            await yard.ended(action_id)
    [entry] = logs
    assert (entry["action_id"], entry["fault"]) == (action_id, "ValueError")
    assert "dispatching.py:" in entry["at"]
    assert SECRET not in str(logs)


async def test_waiting_spends_no_attempt(yard: Yard) -> None:
    """A parked vendor's actions wait past the number of attempts, and still have all of them."""
    answers = [VendorWaiting("breaker open", 0.0)] * 12 + [VendorUnavailable("HTTP 500", 500)] * 7
    handler = Script(*answers, Outcome("done"))
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}) as dispatcher:
        while yard.action(action_id)["state"] != "done":
            yard.clock.offset += 1000  # the waits of half a second pass at once
            dispatcher.wake()
            await asyncio.sleep(0.005)
    assert len(handler.calls) == 20


async def test_too_many_requests_spend_no_attempt(yard: Yard) -> None:
    """However often a vendor says 429, an action has all its attempts left; the record keeps eight of the same,
    and the last.
    """
    answers = [VendorUnavailable("HTTP 429", 429)] * 20 + [VendorUnavailable("HTTP 500", 500)] * 7
    handler = Script(*answers, Outcome("done"))
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}):
        await yard.ended(action_id)
    action = yard.action(action_id)
    assert (action["state"], len(handler.calls)) == ("done", 28)
    assert [attempt["http_status"] for attempt in action["attempts"]] == [*[429] * 9, *[500] * 7, None]


async def test_too_many_requests_end_with_age(yard: Yard) -> None:
    """A vendor that says 429 for longer than `max_age` leaves a dead letter that says so."""
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": Script(VendorUnavailable("HTTP 429", 429))}) as dispatcher:
        await until(lambda: yard.action(action_id)["state"] == "waiting_retry")
        yard.clock.offset += 3_600_000
        dispatcher.wake()
        await yard.ended(action_id)
    assert yard.action(action_id)["reason"] == "HTTP 429; age used up (3600 s)"


async def test_waiting_ends_with_age(yard: Yard) -> None:
    """A vendor parked for longer than `max_age` leaves a dead letter that says so."""
    handler = Script(VendorWaiting("credentials refused", 60, 401))
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}) as dispatcher:
        await until(lambda: yard.action(action_id)["state"] == "waiting_retry")
        yard.clock.offset += 3_600_000
        dispatcher.wake()
        await yard.ended(action_id)
    assert yard.action(action_id)["state"] == "dead"
    assert yard.action(action_id)["reason"] == "credentials refused; age used up (3600 s)"


async def test_retry_after_is_waited_for(yard: Yard) -> None:
    """The vendor's Retry-After is longer than our backoff: it wins, and the lane waits with it."""
    handler = Script(VendorUnavailable("HTTP 429", 429, 0.3), Outcome("done"))
    times: list[float] = []

    async def timed(call: ActionCall) -> Outcome:
        times.append(asyncio.get_running_loop().time())
        return await handler(call)

    first, second = yard.plan("s1", planned("a"), planned("a"))
    async with yard.running({"a": timed}):
        await yard.ended(first, second)
    assert times[1] - times[0] >= 0.29
    assert [call.action_id for call in handler.calls] == [first, first, second]


async def test_a_dead_letter_comes_back(yard: Yard) -> None:
    """An operator's retry of a dead action runs it again, with all its attempts and the same key."""
    handler = Script(VendorUnavailable("HTTP 500", 500))
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}):
        await yard.ended(action_id)
        assert yard.action(action_id)["state"] == "dead"
        handler.answers = [VendorUnavailable("HTTP 500", 500), Outcome("done")]
        await yard.store.run(lambda tx: tx.retry_action(action_id, "ops", yard.clock()))
        await until(lambda: yard.action(action_id)["state"] == "done")
    assert len({call.idempotency_key for call in handler.calls}) == 1


async def test_a_dead_letter_that_is_old_may_still_wait_for_its_vendor(yard: Yard) -> None:
    """An operator's retry begins the action's age anew: a parked vendor does not kill it at once."""
    handler = Script(VendorUnavailable("HTTP 500", 500))
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": handler}):
        await yard.ended(action_id)
        yard.clock.offset += 2 * 3_600_000
        handler.answers = [VendorWaiting("parked", 0.0), Outcome("done")]
        await yard.store.run(lambda tx: tx.retry_action(action_id, "ops", yard.clock()))
        await until(lambda: yard.action(action_id)["state"] == "done")


def echo_of(params: JsonObject) -> str | None:
    """The status that an invented update sets; a bad parameter is a fault of the plug-in."""
    status = params["status"]
    return status if isinstance(status, str) else None


ECHOING = {"update": spec("update", echoes=echo_of)}


def take_echo(yard: Yard, session_id: str, status: str) -> str | None:
    """Use up an expected echo, as the recorder does."""
    return yard.store.submit(lambda tx: tx.take_echo("didit", session_id, status, yard.clock())).result(10)


async def test_the_echo_is_expected_before_the_call_returns(yard: Yard) -> None:
    """The vendor's webhook may overtake its answer."""
    gate = Gate()
    [action_id] = yard.plan("s1", planned("update", status="Declined"))
    async with yard.running({"update": gate}, ECHOING):
        await gate.begun.wait()
        assert take_echo(yard, "s1", "Approved") is None
        assert take_echo(yard, "s1", "Declined") == action_id
        assert take_echo(yard, "s1", "Declined") is None
        gate.opened.set()
        await yard.ended(action_id)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([Outcome("done")], True),
        ([VendorUnavailable("timeout"), Outcome("done")], True),
        ([VendorUnavailable("timeout"), Outcome("noop")], True),
        ([AnswerUnreadable("not JSON"), VendorRefused("HTTP 400", 400)], True),
        ([VendorRefused("HTTP 400", 400)], False),
        ([Outcome("noop")], False),
        ([Outcome("failed")], False),
    ],
)
async def test_an_echo_is_dropped_only_when_none_can_come(
    yard: Yard, answers: list[Outcome | BaseException], expected: bool
) -> None:
    """After a certain no, nothing is expected; after any doubt, it still is."""
    [action_id] = yard.plan("s1", planned("update", status="Declined"))
    async with yard.running({"update": Script(*answers)}, ECHOING):
        await yard.ended(action_id)
    assert (take_echo(yard, "s1", "Declined") == action_id) is expected


@pytest.mark.parametrize(("session_id", "status"), [(None, "Declined"), ("s1", 7)])
async def test_no_echo_is_expected_where_none_is_caused(yard: Yard, session_id: str | None, status: Any) -> None:
    """Without a session or a status there is nothing to wait for."""
    [action_id] = yard.plan(session_id, planned("update", status=status))
    async with yard.running({"update": Script(Outcome("done"))}, ECHOING):
        await yard.ended(action_id)
    assert yard.action(action_id)["state"] == "done"
    assert take_echo(yard, "s1", "Declined") is None


async def test_an_echo_that_cannot_be_foretold_costs_no_other_action(yard: Yard) -> None:
    """A plug-in whose `echoes` raises ends its own action only, and its handler is not called."""
    handler = Script(Outcome("done"))
    [bad] = yard.plan("s1", planned("update"))
    [good] = yard.plan("s2", planned("update", status="Declined"))
    async with yard.running({"update": handler}, ECHOING):
        await yard.ended(bad, good)
    assert yard.action(bad)["reason"] == "internal error: KeyError; attempts used up (8)"
    assert [call.action_id for call in handler.calls] == [good]


async def test_what_is_observed(yard: Yard) -> None:
    """Each attempt that ended is told once, with its ending and its time."""
    [action_id] = yard.plan("s1", planned("a"))
    async with yard.running({"a": Script(Outcome("retry", "busy"), Outcome("done"))}):
        await yard.ended(action_id)
        await until(lambda: len(yard.told.observed) == 2)
    assert [(seen.action, seen.ending, seen.repeated) for seen in yard.told.observed] == [
        ("a", "waiting_retry", False),
        ("a", "done", False),
    ]
    assert all(0 <= seen.seconds < 5 for seen in yard.told.observed)


async def test_an_observer_that_fails_is_logged(yard: Yard) -> None:
    """Counting must not stop the dispatcher."""

    def observe(_: object) -> None:
        raise ValueError(SECRET)

    first, second = yard.plan("s1", planned("a"), planned("a"))
    with capture_logs() as logs:
        async with yard.running({"a": Script(Outcome("done"))}, observe=observe):
            await yard.ended(first, second)
            await until(lambda: len(logs) == 2)
    assert {log["action_id"] for log in logs} == {first, second}
    assert SECRET not in str(logs)
