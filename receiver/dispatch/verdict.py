"""From what a handler answered to how the attempt ends. Pure: the time and the die are handed in.

Backoff is exponential with full jitter (a wait is drawn from zero up to a doubling bound), so that actions that failed
together do not come back together. What the vendor asks for in Retry-After is the least that is waited. A 429 is no
failure of the action: it spends no attempt, and only age ends its being asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from receiver.contract import Outcome, RaiseAlert
from receiver.errors import (
    AnswerUnreadable,
    LinkRefused,
    NoOutcome,
    VendorError,
    VendorRefused,
    VendorUnavailable,
    VendorWaiting,
)
from receiver.store.shapes import Ending

_TOO_MANY: Final = 429


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How often and how long an action is tried. `base`, `cap` and `max_age` are in seconds."""

    base: float = 1.0
    cap: float = 300.0
    attempts: int = 8
    max_age: float = 86400.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known of an attempt besides its answer. `spent` counts the attempts used up, `tries` also those that were
    given back, both with this one; times are Unix milliseconds; `chance` was drawn from [0, 1).
    """

    spent: int
    tries: int
    planned_at: int
    ended_at: int
    latency_ms: int
    billable: bool
    chance: float

    @property
    def age(self) -> float:
        """Seconds since the action was planned."""
        return (self.ended_at - self.planned_at) / 1000


Answer: TypeAlias = Outcome | BaseException


def judge(answer: Answer, attempt: Attempt, rules: RetryRules) -> Ending:
    """How an attempt ends that was answered, or failed, like this. An exception that no handler raises on purpose is a
    fault of ours: only its type is named, because its message may hold anything. It may come after an answer that was
    charged, and would come again: a billable call is not repeated for it.
    """
    match answer:
        case Outcome(state="failed", http_status=None):  # nobody answered, so nobody was asked
            return Ending("failed", replace(answer, unsent=True), attempt.ended_at, attempt.latency_ms)
        case Outcome(state="done" | "noop" | "failed" as state):
            return Ending(state, answer, attempt.ended_at, attempt.latency_ms)
        case Outcome():
            return _again(answer, attempt, rules)
        case VendorWaiting():
            return _wait(answer, attempt, rules)
        case VendorUnavailable():
            outcome = replace(_outcome("retry", answer, answer.retry_after), unsent=answer.unsent)
            return _again(outcome, attempt, rules)
        case VendorRefused() | LinkRefused():
            return judge(_outcome("failed", answer), attempt, rules)
        case NoOutcome():
            return Ending("failed", _outcome("failed", answer), attempt.ended_at, attempt.latency_ms)
        case AnswerUnreadable():
            return _perhaps(_outcome("retry", answer), attempt, rules)
        case _:
            charged = "; it may have been charged" if attempt.billable else ""
            return _perhaps(Outcome("retry", f"internal error: {type(answer).__name__}{charged}"), attempt, rules)


def without_effect(answer: Answer, ending: Ending) -> bool:
    """Whether this attempt has certainly changed nothing at the vendor."""
    if isinstance(answer, AnswerUnreadable) or not isinstance(answer, Outcome | VendorError):
        return False
    return not ending.spent or ending.outcome.unsent or ending.state in ("failed", "noop")


def _outcome(state: Literal["retry", "failed"], error: VendorError, retry_after: float | None = None) -> Outcome:
    return Outcome(state, error.reason, http_status=error.http_status, retry_after=retry_after)


def _perhaps(outcome: Outcome, attempt: Attempt, rules: RetryRules) -> Ending:
    """What may have taken effect, and been paid for, is not repeated; what costs nothing is."""
    if attempt.billable:
        return Ending("failed", replace(outcome, state="failed"), attempt.ended_at, attempt.latency_ms)
    return _again(outcome, attempt, rules)


def _again(outcome: Outcome, attempt: Attempt, rules: RetryRules) -> Ending:
    spends = outcome.http_status != _TOO_MANY
    if spends and attempt.spent >= rules.attempts:
        return _dead(outcome, attempt, f"attempts used up ({rules.attempts})")
    if attempt.age >= rules.max_age:
        return replace(_dead(outcome, attempt, f"age used up ({rules.max_age:g} s)"), spent=spends)
    tries = attempt.spent if spends else attempt.tries
    bound = min(rules.cap, rules.base * 2.0 ** min(tries - 1, 62))
    seconds = max(attempt.chance * bound, _sane(outcome.retry_after, rules))
    return replace(_waiting(outcome, attempt, seconds), spent=spends)


def _wait(error: VendorWaiting, attempt: Attempt, rules: RetryRules) -> Ending:
    """Nothing was sent: the attempt is given back, and only age ends the waiting."""
    outcome = _outcome("retry", error, error.seconds)
    if error.alert is not None:
        outcome = replace(outcome, effects=(RaiseAlert("vendor", error.alert),))
    if attempt.age >= rules.max_age:
        return replace(_dead(outcome, attempt, f"age used up ({rules.max_age:g} s)"), spent=False)
    seconds = _sane(error.seconds, rules)
    jitter = attempt.chance * max(1.0, seconds / 10)  # what waited together does not come back together
    return replace(_waiting(outcome, attempt, seconds + jitter), spent=False)


def _waiting(outcome: Outcome, attempt: Attempt, seconds: float) -> Ending:
    due = attempt.ended_at + round(1000 * seconds)
    return Ending("waiting_retry", outcome, attempt.ended_at, attempt.latency_ms, due)


def _dead(outcome: Outcome, attempt: Attempt, bound: str) -> Ending:
    reason = f"{outcome.reason or 'no reason given'}; {bound}"
    return Ending("dead", replace(outcome, reason=reason), attempt.ended_at, attempt.latency_ms)


def _sane(seconds: float | None, rules: RetryRules) -> float:
    """What a vendor asked for, within bounds: neither negative, nor not a number, nor beyond an action's life."""
    return min(seconds, rules.max_age) if seconds is not None and seconds > 0 else 0.0
