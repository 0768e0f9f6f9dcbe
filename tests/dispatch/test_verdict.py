"""How attempts end: a table of answers, and what holds for every wait."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.contract import Outcome
from receiver.dispatch.verdict import Answer, Attempt, RetryRules, judge, without_effect
from receiver.errors import (
    AnswerUnreadable,
    LinkRefused,
    NoOutcome,
    NotFound,
    VendorRefused,
    VendorUnavailable,
    VendorWaiting,
)

RULES = RetryRules(base=1.0, cap=300.0, attempts=8, max_age=86400.0)
NOW = 1_790_000_000_000
FIRST = Attempt(spent=1, tries=1, planned_at=NOW - 1000, ended_at=NOW, latency_ms=41, billable=False, chance=0.5)
LAST = replace(FIRST, spent=8)
OLD = replace(FIRST, planned_at=NOW - 86_400_000)
BILLABLE = replace(FIRST, billable=True)


@pytest.mark.parametrize(
    ("answer", "attempt", "state", "reason", "due_in", "spent"),
    [
        (Outcome("done"), FIRST, "done", None, None, True),
        (Outcome("done"), replace(OLD, spent=9), "done", None, None, True),
        (Outcome("noop", "was there"), FIRST, "noop", "was there", None, True),
        (Outcome("failed", "no"), FIRST, "failed", "no", None, True),
        (Outcome("retry", "busy"), FIRST, "waiting_retry", "busy", 500, True),
        (Outcome("retry", "busy", retry_after=7), FIRST, "waiting_retry", "busy", 7000, True),
        (Outcome("retry"), LAST, "dead", "no reason given; attempts used up (8)", None, True),
        (VendorUnavailable("HTTP 503", 503), FIRST, "waiting_retry", "HTTP 503", 500, True),
        (VendorUnavailable("HTTP 429", 429, 60.0), FIRST, "waiting_retry", "HTTP 429", 60_000, False),
        (VendorUnavailable("HTTP 429", 429), FIRST, "waiting_retry", "HTTP 429", 500, False),
        (VendorUnavailable("HTTP 429", 429), LAST, "waiting_retry", "HTTP 429", 500, False),
        (VendorUnavailable("HTTP 429", 429), OLD, "dead", "HTTP 429; age used up (86400 s)", None, False),
        (Outcome("retry", "HTTP 429", http_status=429), LAST, "waiting_retry", "HTTP 429", 500, False),
        (VendorUnavailable("HTTP 503", 503), LAST, "dead", "HTTP 503; attempts used up (8)", None, True),
        (VendorUnavailable("HTTP 503", 503), OLD, "dead", "HTTP 503; age used up (86400 s)", None, True),
        (VendorWaiting("parked", 60), FIRST, "waiting_retry", "parked", 63_000, False),
        (VendorWaiting("parked", 60), LAST, "waiting_retry", "parked", 63_000, False),
        (VendorWaiting("open", 0), FIRST, "waiting_retry", "open", 500, False),
        (VendorWaiting("parked", 60), OLD, "dead", "parked; age used up (86400 s)", None, False),
        (VendorRefused("HTTP 404", 404), FIRST, "failed", "HTTP 404", None, True),
        (LinkRefused("image link refused"), FIRST, "failed", "image link refused", None, True),
        (AnswerUnreadable("not JSON", 200), FIRST, "waiting_retry", "not JSON", 500, True),
        (AnswerUnreadable("not JSON", 200), BILLABLE, "failed", "not JSON", None, True),
        (NoOutcome("no Outcome, but 'dict'"), FIRST, "failed", "no Outcome, but 'dict'", None, True),
        (NotFound("of a person"), FIRST, "waiting_retry", "internal error: NotFound", 500, True),
        (ZeroDivisionError("by Jane"), FIRST, "waiting_retry", "internal error: ZeroDivisionError", 500, True),
        (KeyError("Jane"), LAST, "dead", "internal error: KeyError; attempts used up (8)", None, True),
        (KeyError("Jane"), BILLABLE, "failed", "internal error: KeyError; it may have been charged", None, True),
        (NotFound("of a person"), BILLABLE, "failed", "internal error: NotFound; it may have been charged", None, True),
        (VendorUnavailable("HTTP 503", 503), BILLABLE, "waiting_retry", "HTTP 503", 500, True),
    ],
)
def test_answer_and_ending(
    answer: Answer, attempt: Attempt, state: str, reason: str | None, due_in: int | None, spent: bool
) -> None:
    """Each answer has one ending, and the ending says why."""
    ending = judge(answer, attempt, RULES)
    due = None if due_in is None else NOW + due_in
    assert (ending.state, ending.outcome.reason, ending.due, ending.spent) == (state, reason, due, spent)
    assert (ending.ended_at, ending.latency_ms) == (NOW, 41)
    assert ending.outcome.http_status == getattr(answer, "http_status", None)


def test_a_result_and_its_effects_are_kept_as_they_are() -> None:
    """What is done is recorded as the handler gave it."""
    outcome = Outcome("done", result={"total_matches": 2}, http_status=200)
    assert judge(outcome, FIRST, RULES).outcome is outcome


retried = st.sampled_from(["outcome", "unavailable", "bug"])


@given(st.integers(1, 7), st.floats(0, 1, exclude_max=True), retried)
def test_backoff_is_full_jitter_within_a_doubling_bound(spent: int, chance: float, kind: str) -> None:
    """The wait is the drawn share of min(cap, base * 2^(n-1)), and never beyond it."""
    rules = RetryRules(base=2.0, cap=20.0, attempts=8, max_age=3600.0)
    answers: dict[str, Answer] = {
        "outcome": Outcome("retry"),
        "unavailable": VendorUnavailable("HTTP 500"),
        "bug": ValueError(),
    }
    ending = judge(answers[kind], replace(FIRST, spent=spent, chance=chance), rules)
    bound = min(20.0, 2.0 * 2 ** (spent - 1))
    assert ending.due is not None
    assert NOW <= ending.due <= NOW + 1000 * bound
    assert abs(ending.due - NOW - 1000 * chance * bound) <= 1


@given(st.integers(1, 2000), st.integers(0, 7), st.floats(0, 1, exclude_max=True))
def test_backoff_of_429_grows_with_the_tries_that_spend_nothing(tries: int, spent: int, chance: float) -> None:
    """The wait is the drawn share of min(cap, base * 2^(tries-1)), and no number of tries ends the action."""
    rules = RetryRules(base=2.0, cap=20.0, attempts=8, max_age=3600.0)
    attempt = replace(FIRST, spent=spent + 1, tries=tries, chance=chance)
    ending = judge(VendorUnavailable("HTTP 429", 429), attempt, rules)
    assert (ending.state, ending.spent) == ("waiting_retry", False)
    assert ending.due is not None
    assert abs(ending.due - NOW - 1000 * chance * min(20.0, 2.0 * 2.0 ** min(tries - 1, 62))) <= 1


@given(st.integers(1, 2000), st.floats(0, 1, exclude_max=True))
def test_no_number_of_attempts_overflows_the_bound(spent: int, chance: float) -> None:
    """However many attempts the rules allow, the cap holds."""
    ending = judge(Outcome("retry"), replace(FIRST, spent=spent, chance=chance), RetryRules(attempts=10_000, cap=300.0))
    assert ending.due is not None
    assert NOW <= ending.due <= NOW + 300_000


@given(st.integers(1, 7), st.floats(0, 1, exclude_max=True), st.floats(allow_nan=True, allow_infinity=True))
def test_retry_after_is_the_least_wait_and_is_bounded(spent: int, chance: float, retry_after: float) -> None:
    """Retry-After wins over a shorter backoff, whatever number it is, but not over an action's life."""
    ending = judge(VendorUnavailable("HTTP 429", 429, retry_after), replace(FIRST, spent=spent, chance=chance), RULES)
    assert ending.due is not None
    wait = (ending.due - NOW) / 1000
    least = 0.0 if math.isnan(retry_after) else min(max(retry_after, 0.0), RULES.max_age)
    assert least - 0.001 <= wait <= max(least, RULES.cap) + 0.001


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 3600))
def test_waiting_adds_only_a_little_jitter(chance: float, seconds: float) -> None:
    """What a parked vendor holds back comes back soon after its time, not all at once, and not in a spin."""
    ending = judge(VendorWaiting("parked", seconds), replace(FIRST, chance=chance), RULES)
    assert ending.due is not None
    wait = (ending.due - NOW) / 1000
    assert seconds - 0.001 <= wait <= seconds + max(1.0, seconds / 10) + 0.001


@pytest.mark.parametrize(
    ("answer", "attempt", "expected"),
    [
        (VendorRefused("HTTP 404"), FIRST, True),
        (LinkRefused("image link refused"), FIRST, True),
        (Outcome("failed"), FIRST, True),
        (Outcome("noop"), FIRST, True),
        (VendorWaiting("parked", 60), FIRST, True),
        (VendorUnavailable("HTTP 429", 429), FIRST, True),
        (Outcome("done"), FIRST, False),
        (Outcome("retry"), FIRST, False),
        (VendorUnavailable("timeout"), LAST, False),
        (AnswerUnreadable("not JSON"), BILLABLE, False),
        (NoOutcome("no Outcome, but 'dict'"), FIRST, False),
        (ValueError(), FIRST, False),
        (ValueError(), BILLABLE, False),
    ],
)
def test_only_a_certain_no_is_without_effect(answer: Answer, attempt: Attempt, expected: bool) -> None:
    """Where the vendor may have acted, an effect must be reckoned with."""
    assert without_effect(answer, judge(answer, attempt, RULES)) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (VendorRefused("the event names no session"), True),
        (LinkRefused("image link refused"), True),
        (Outcome("failed", "no channel has that name"), True),
        (AnswerUnreadable("the answer's head is broken"), False),
        (NoOutcome("no Outcome, but 'dict'"), False),
        (ValueError(), False),
    ],
)
def test_a_failure_without_a_status_says_whether_anything_was_asked(answer: Answer, expected: bool) -> None:
    """By this the store tells a person's retry that the call may have been charged before."""
    ending = judge(answer, BILLABLE, RULES)
    assert (ending.state, ending.outcome.http_status, ending.outcome.unsent) == ("failed", None, expected)
