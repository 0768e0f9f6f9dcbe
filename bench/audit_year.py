"""A year of invented events through the store's own writes, about three entries to an event: what bench/audit.py asks
about.

Each event is stored, decided, and where a rule fired acted upon, as the receiver and the dispatcher do it, so that the
record is whole: `audit verify` finds it intact, and has as much to verify as in a real one.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from receiver.contract import (
    ConditionTrace,
    Decision,
    Event,
    EventDocument,
    OpenReview,
    Outcome,
    PlannedAction,
    PolicyRef,
    RuleTrace,
    Verified,
)
from receiver.ids import new_id
from receiver.store.port import Transaction
from receiver.store.sealing import Sealer
from receiver.store.shapes import Ending, NewEvent
from receiver.store.sqlite import ledger
from receiver.store.sqlite.store import open_store

YEAR = 365 * 86_400_000
START = 1_763_683_200_000  # Unix ms: 2025-11-21
BATCH = 64  # events of a job
IN_FLIGHT = 4  # jobs, as many as may share a commit
TAGS = [f"TAG_{n:02}_{word}" for n in range(10) for word in ("GLARE", "ATTACK", "BLUR", "DUPLICATE")]
RULES = [f"rule-{n:02}" for n in range(36)]
POLICY_TEXTS = [f"version: 1\nname: face\nlet: {{edition: '{n}'}}\n" for n in range(20)]
POLICIES = [hashlib.sha256(text.encode()).hexdigest() for text in POLICY_TEXTS]
BODY = json.dumps({f"field_{n}": "x" * 40 for n in range(10)}).encode()
_BLANK: dict[str, Any] = dict.fromkeys(EventDocument.__annotations__) | {
    "warnings": [],
    "matches": [],
    "stale": False,
    "echo": False,
    "environment": "live",
    "country": "ESP",
}


def skewed(some: list[str], number: random.Random) -> str:
    """One of them, the first far more often than the last."""
    return some[int(len(some) * number.random() ** 3)]


class Year:
    """Writes a year of events."""

    def __init__(self, rows: int) -> None:
        self.rows, self.written, self._events = rows, 0, 0
        self._edition = -1  # of the policy
        self._random = random.Random(7)

    def batch(self, tx: Any) -> None:
        """A job: so many events with what follows from them."""
        for _ in range(BATCH):
            if self.written < self.rows:
                self._event(tx, START + YEAR * self.written // self.rows)
                self.written = tx._ledger.size

    def _event(self, tx: Transaction, at: int) -> None:
        self._publish(tx, at)
        new, rules = self._new(at), sorted({skewed(RULES, self._random) for _ in range(int(self._random.random() * 3))})
        actions = [self._action(rules[0])] if rules else []
        tx.add_event(new)
        tx.add_decision(new.event_id, self._decision(new, rules, actions), at)
        planned = tx.add_actions(new.event_id, actions, at)
        if actions and actions[0].state == "awaiting_approval":
            actor = "token:ana" if self._random.random() < 0.3 else "token:ben"
            tx.approve_action(planned[0], actor, at + 100, "looked at")
        for claim in tx.claim("bench", at + 100, at + 60_000, 1):
            tx.settle(claim, self._ending(claim.name, at + 500))
        self._events += 1

    def _publish(self, tx: Transaction, at: int) -> None:
        """A new edition of the policy now and then, and a restart, which takes the same one into use."""
        edition = self.written * len(POLICIES) // (self.rows + 9)
        if edition == self._edition and self._events % 5000:
            return
        self._edition = edition
        tx.add_policy(POLICIES[edition], "face", POLICY_TEXTS[edition], "ana", at)
        tx.add_note("policy", "file", at, {"policy_sha256": POLICIES[edition], "name": "face"})

    def _new(self, at: int) -> NewEvent:
        draw, session = self._random.random, f"session-{self._events // 3}"
        changes = {
            "source": "kwikid" if draw() < 0.03 else "didit",
            "vendor": "didit",
            "type": "status.updated",
            "session_id": session,
            "status": "Declined" if draw() < 0.1 else "Approved",
            "tags": sorted({skewed(TAGS, self._random) for _ in range(int(draw() * 4))}),
            "liveness": {"status": "Approved", "score": round(100 * draw(), 2), "method": "PASSIVE"},
        }
        event_id = new_id("evt", at)
        document: EventDocument = {**_BLANK, **changes}  # type: ignore[typeddict-item]  # all keys are there
        event = Event(document, {}, at // 1000, event_id)
        receipt = Verified("x-signature-v2", 0, at // 1000)
        person = f"person-{self._events // 6}"
        return NewEvent(event_id, None, event, f"didit:{session}", person, at, BODY, receipt)

    def _decision(self, new: NewEvent, rules: list[str], actions: list[PlannedAction]) -> Decision:
        draw = self._random.random
        outcome: Literal["decided", "undecided", "echo"]
        outcome = "undecided" if draw() < 0.002 else "echo" if draw() < 0.05 else "decided"
        read = ConditionTrace("event.liveness.score < 50.0", True, 12, {"event.liveness.score": 3.5}, ())
        traces = tuple(RuleTrace(rule, True, "enforce", 10, (read,)) for rule in rules)
        policy = PolicyRef("face", POLICIES[self._edition], "enforce")
        return Decision(outcome, policy, new.event.document["status"], traces, tuple(actions))

    def _action(self, rule: str) -> PlannedAction:
        draw = self._random.random
        if draw() < 0.015:
            return PlannedAction("review", rule, {"queue": "duplicates"}, once="event")
        approved: Literal["awaiting_approval", "planned"] = "awaiting_approval" if draw() < 0.0015 else "planned"
        return PlannedAction("didit.face_search", rule, {"min_similarity": 70}, approved, once="event")

    def _ending(self, name: str, at: int) -> Ending:
        if name == "review":
            case = OpenReview(f"queue-{self._events % 5}", "look closer")
            return Ending("done", Outcome("done", effects=(case,)), at, 1)
        if self._random.random() < 0.004:
            return Ending("failed", Outcome("failed", "no answer", http_status=503), at, 400)
        return Ending("done", Outcome("done", result={"total_matches": 0}, http_status=200), at, 400)


class _NoTiles:
    def __init__(self, connection: Any) -> None:
        pass

    def append(self, size: int, hashes: Any) -> None:
        """Nothing: what the tree costs is the difference."""


@contextmanager
def _without(*, tree: bool, encryption: bool) -> Iterator[None]:
    """Leave the tree out, or the encryption: only to measure what they cost."""
    changed: list[tuple[Any, str, Any]] = [(ledger, "Tiles", _NoTiles)] if tree else []
    if encryption:
        changed += [(Sealer, name, lambda _key, text, _place: text) for name in ("seal", "unseal")]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changed]
    try:
        for owner, name, other in changed:
            setattr(owner, name, other)
        yield
    finally:
        for owner, name, own in before:
            setattr(owner, name, own)


def fill(folder: Path, rows: int, *, integrity: bool = True, encryption: bool = True) -> tuple[float, float]:
    """Write a record; gives entries per second, and microseconds of CPU per entry, of all threads."""
    store = open_store(folder, clock=lambda: START + YEAR, sign_every=1.0 if integrity else 1e9)
    try:
        with _without(tree=not integrity, encryption=not encryption):
            return _filled(store.submit, Year(rows))
    finally:
        if integrity:
            store.close()


def _filled(submit: Any, year: Year) -> tuple[float, float]:
    started, spent = time.perf_counter(), time.process_time()
    jobs = deque[Future[None]]()
    while jobs or year.written < year.rows:
        while (
            year.written < year.rows and len(jobs) < IN_FLIGHT
        ):  # too many at the end: they find nothing left to write
            jobs.append(submit(year.batch))
        jobs.popleft().result(60)
    spent = time.process_time() - spent
    return year.written / (time.perf_counter() - started), 1e6 * spent / year.written
