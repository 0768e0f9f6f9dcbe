"""A year of invented entries, written through the real ledger, about three to an event: what bench/audit.py asks about.

Leaf bytes, tiles, words and counts are what the product writes.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from receiver.audit.leaf import Leaf
from receiver.ids import action_id, new_id
from receiver.store.sqlite import ledger
from receiver.store.sqlite.store import open_store

YEAR = 365 * 86_400_000
START = 1_763_683_200_000  # Unix ms: 2025-11-21
BATCH = 64  # events of a job
IN_FLIGHT = 4  # jobs, as many as may share a commit
TAGS = [f"TAG_{n:02}_{word}" for n in range(10) for word in ("GLARE", "ATTACK", "BLUR", "DUPLICATE")]
RULES = [f"rule-{n:02}" for n in range(36)]
POLICIES = [hashlib.sha256(bytes([n])).hexdigest() for n in range(20)]
BODY = json.dumps({f"field_{n}": "x" * 40 for n in range(10)}).encode()
_EVENT = (
    "INSERT INTO event (event_id, source, dedupe_key, vendor, type, session_id, status, tags, received_at, lane, depth,"
    " subject_ref) VALUES (?, ?, ?, 'didit', ?, ?, ?, ?, ?, ?, 0, ?)"
)


def skewed(some: list[str], number: random.Random) -> str:
    """One of them, the first far more often than the last."""
    return some[int(len(some) * number.random() ** 3)]


class Year:
    """Writes a year of events."""

    def __init__(self, rows: int, *, encryption: bool) -> None:
        self.rows, self.written, self.events = rows, 0, 0
        self._encryption = encryption
        self._random = random.Random(7)

    def batch(self, tx: Any) -> None:
        """A job: so many events with what follows from them."""
        for _ in range(BATCH):
            if self.written < self.rows:
                self._event(tx)

    def _event(self, tx: Any) -> None:
        number, draw, self.events = self.events, self._random.random, self.events + 1
        at = START + YEAR * self.written // self.rows
        event_id, session_id = new_id("evt", at), f"session-{number // 3}"
        source = "kwikid" if draw() < 0.03 else "didit"
        tags = sorted({skewed(TAGS, self._random) for _ in range(int(draw() * 4))})
        rules = sorted({skewed(RULES, self._random) for _ in range(int(draw() * 3))})
        key = tx._vault.of_subject(f"person-{number // 6}")
        sealed = key.seal(BODY, event_id.encode()) if self._encryption else BODY
        row = (event_id, source, os.urandom(16), "status.updated", session_id, "Approved", json.dumps(tags), at)
        n = tx._execute(_EVENT, (*row, session_id, key.ref)).lastrowid
        tx._execute("INSERT INTO payload (n, body) VALUES (?, ?)", (n, sealed))
        common: dict[str, Any] = {
            "at": at,
            "source": source,
            "event_id": event_id,
            "session": hashlib.sha256(row[2]).hexdigest(),
        }
        body = {"body": hashlib.sha256(sealed).hexdigest()}
        status = "Declined" if draw() < 0.1 else "Approved"

        def add(leaf: dict[str, Any], *found_by: list[str]) -> None:
            whole: Leaf = {**common, **leaf}  # type: ignore[typeddict-item]  # as built here
            tx._ledger.append(whole, session_id, *found_by)
            self.written += 1

        event = {"kind": "event", "actor": source, "outcome": "accepted", "type": "status.updated", "status": status}
        add({**event, "tags": tags, "body": body}, tags)
        policy = POLICIES[self.written * len(POLICIES) // (self.rows + 9)]
        outcome = "undecided" if draw() < 0.002 else "echo" if draw() < 0.05 else "decided"
        decided = {"kind": "decision", "actor": "engine", "outcome": outcome, "policy_sha256": policy, "tags": tags}
        add({**decided, "rules": rules, "body": body} if rules else {**decided, "body": body}, tags, rules)
        for ordinal, rule in enumerate(rules[:1]):
            action = {
                "kind": "action",
                "action_id": action_id(event_id, ordinal),
                "type": "didit.face_search",
                "rule": rule,
            }
            add({**action, "actor": "engine", "outcome": "planned", "policy_sha256": policy, "body": body}, [], [rule])
            failed = draw() < 0.004
            ended = {"outcome": "failed" if failed else "done", "http_status": 503 if failed else 200, "attempt": 1}
            add({**action, **ended, "actor": "dispatcher"}, [], [rule])
        if draw() < 0.01:
            facts = {"review_id": new_id("rev", at), "queue": f"queue-{number % 5}"}
            add({"kind": "review", "actor": "engine", "outcome": "open", "facts": facts}, [], [])
        if draw() < 0.001:
            add(
                {"kind": "operator", "actor": f"token:{'ana' if draw() < 0.3 else 'ben'}", "outcome": "approved"},
                [],
                [],
            )
        if number % 5000 == 0:
            facts = {"policy_sha256": policy, "name": "face"}
            add({"kind": "policy", "actor": "file", "policy_sha256": policy, "facts": facts}, [], [])


class _NoTiles:
    def __init__(self, connection: Any) -> None:
        pass

    def append(self, size: int, hashes: Any) -> None:
        """Nothing: what the tree costs is the difference."""


def fill(folder: Path, rows: int, *, integrity: bool = True, encryption: bool = True) -> tuple[float, float]:
    """Write a record; gives entries per second, and microseconds of CPU per entry, of all threads."""
    tiles = ledger.Tiles
    store = open_store(folder, clock=lambda: START + YEAR, sign_every=1.0 if integrity else 1e9)
    year = Year(rows, encryption=encryption)
    try:
        ledger.Tiles = tiles if integrity else _NoTiles  # type: ignore[misc,assignment]  # only measured
        started, spent = time.perf_counter(), time.process_time()
        jobs = deque[Future[None]]()
        for _ in range(-(-rows // BATCH)):  # too many: the last find nothing left to write
            jobs.append(store.submit(year.batch))
            if len(jobs) >= IN_FLIGHT:
                jobs.popleft().result(60)
            if year.written >= rows:
                break
        while jobs:
            jobs.popleft().result(60)
        spent = time.process_time() - spent
        return year.written / (time.perf_counter() - started), 1e6 * spent / year.written
    finally:
        ledger.Tiles = tiles  # type: ignore[misc]  # as it was
        if integrity:
            store.close()
