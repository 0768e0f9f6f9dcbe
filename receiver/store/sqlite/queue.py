"""Writes of the way out: planning actions, claiming them, recording how attempts ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

import structlog

from receiver.audit.leaf import Leaf
from receiver.contract import (
    FINISHED_STATES,
    ActionState,
    JsonObject,
    LabelSession,
    OpenReview,
    PlannedAction,
    RaiseAlert,
)
from receiver.ids import action_id as derive_action_id
from receiver.ids import new_id
from receiver.store.documents import dump, dump_sorted
from receiver.store.shapes import Claim, Ending
from receiver.store.sqlite.lanes import elect, is_free
from receiver.store.sqlite.parts import opened
from receiver.store.sqlite.places import params_place, result_place, review_place
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.unit import EventRow, Unit, class_key, unsealed_json
from receiver.store.vault import KeyDamaged

log = structlog.get_logger(__name__)

_ADD = (
    "INSERT INTO action (action_id, event_n, lane, name, rule, once, state, reason, params,"
    " planned_at, run_at, finished_at, due, ready, biometric, needs)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# From one value of the index to the next: whoever has no place left is stepped over with the whole backlog.
_NEEDED = (
    "WITH RECURSIVE needed (needs) AS (SELECT min(needs) FROM action WHERE ready = 1 UNION ALL"
    " SELECT (SELECT min(a.needs) FROM action AS a WHERE a.ready = 1 AND a.needs > needed.needs) FROM needed"
    " WHERE needed.needs IS NOT NULL) SELECT needs FROM needed WHERE needs IS NOT NULL"
)
_DUE = (
    "SELECT a.n, a.action_id, a.name, a.rule, a.once, a.state, a.attempt, a.spent, a.lost, a.run_at, a.lane, a.params,"
    " a.biometric, a.needs, e.source, e.session_id, e.event_id, e.depth, e.subject_ref, p.document, p.biometric"
    " FROM action AS a JOIN event AS e ON e.n = a.event_n LEFT JOIN payload AS p ON p.n = e.n"
    " WHERE a.ready = 1 AND a.needs = ? AND a.due <= ? ORDER BY a.due, a.n LIMIT ?"
)
_START = (
    "UPDATE action SET state = 'running', owner = ?, due = ?, lost = ?, attempt = attempt + 1, spent = spent + 1"
    " WHERE n = ?"
)
_PUT_OFF = "UPDATE action SET due = ? WHERE n = ?"
_ADD_ATTEMPT = "INSERT INTO attempt (action_n, n, owner, at, repeated) VALUES (?, ?, ?, ?, ?)"
_LOSE_ATTEMPT = (
    "UPDATE attempt SET ended_at = ?, outcome = 'lost', reason = 'its process died or lost its lease'"
    " WHERE action_n = ? AND n = ? AND outcome IS NULL"
)
# A 4xx is a no, and says so; a 2xx that could not be read, a 5xx and no answer at all leave the effect unknown.
_UNANSWERED = (
    "SELECT 1 FROM attempt WHERE action_n = ? AND spent AND NOT unsent AND (outcome IN ('retry', 'failed')"
    " AND http_status IS NULL OR outcome = 'retry' AND http_status NOT BETWEEN 400 AND 499"
    " OR outcome = 'failed' AND http_status BETWEEN 200 AND 299) LIMIT 1"
)
_DONE_BEFORE = "SELECT action_id FROM done WHERE same = ? AND action_id <> ?"
_ADD_DONE = "INSERT OR IGNORE INTO done VALUES (?, ?)"
_TRIM_FIRINGS = "DELETE FROM firing WHERE rule = ? AND at < ?"
_ADD_FIRING = "INSERT OR IGNORE INTO firing VALUES (?, ?, ?)"
_RENEW = "UPDATE action SET due = ? WHERE n IN (SELECT action_n FROM attempt WHERE owner = ? AND outcome IS NULL)"
_SETTLE = (
    "UPDATE action SET state = ?, reason = ?, due = ?, finished_at = ?, owner = NULL, ready = 0, spent = spent - ?"
    " WHERE action_id = ? AND owner = ? AND attempt = ? AND state = 'running' RETURNING n, lane, biometric"
)
_END_ATTEMPT = (
    "UPDATE attempt SET ended_at = ?, latency_ms = ?, outcome = ?, http_status = ?, spent = ?, unsent = ?, reason = ?,"
    " result = ? WHERE action_n = ? AND n = ?"
)
# While nothing can be sent (a vendor is parked), one attempt that says so is enough. Calls that were told to come later
# did go out: the first eight stay as they are.
_DROP_SAME_WAIT = (
    "DELETE FROM attempt WHERE action_n = ? AND n < ? AND spent = 0 AND outcome = 'retry' AND reason IS ?"
    " AND (http_status IS NOT 429 OR n > 8)"
)
_FAIL_ERASED = (
    "UPDATE action SET state = 'failed', reason = ?, finished_at = ?, owner = NULL, due = NULL, ready = 0 WHERE n = ?"
)
_EXPECT_ECHO = (
    "INSERT INTO echo (action_id, session_id, status, until) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (action_id) DO UPDATE SET until = excluded.until WHERE taken_at IS NULL"
)
_DROP_ECHO = "DELETE FROM echo WHERE action_id = ? AND taken_at IS NULL"
_ADD_REVIEW = (
    "INSERT INTO review (review_id, event_n, action_n, queue, priority, state, reason, opened_at)"
    " VALUES (?, ?, ?, ?, ?, 'open', ?, ?)"
)
_ADD_LABEL = "INSERT OR IGNORE INTO label VALUES (?, ?, ?, ?, ?)"
_DROP_LABEL = "DELETE FROM label WHERE source = ? AND session_id = ? AND label = ?"

_PUT_OFF_MS = 60_000
_ERASED = "the person's data was erased"
_UNREADABLE = "the person's data cannot be read, and was not erased: see `hookwarden audit verify`"


class _Due(NamedTuple):
    """A row of `_DUE`."""

    n: int
    action_id: str
    name: str
    rule: str
    once: Literal["session", "event"]
    state: ActionState
    attempt: int
    spent: int
    lost: int
    run_at: int
    lane: str
    params: bytes | None
    biometric: int
    needs: str
    source: str
    session_id: str | None
    event_id: str
    depth: int
    subject_ref: bytes
    document: bytes | None
    faces: bytes | None


class Queue(Unit):
    """The writes of actions that run by themselves."""

    def add_actions(self, event_id: str, actions: Sequence[PlannedAction], at: int) -> list[str]:
        """Plan actions, in order, at the end of the event's lane; gives their identifiers."""
        row = self._event(event_id)
        was_free, identifiers = is_free(self._connection, row.lane), []
        free = was_free
        for action in actions:
            head = free and action.state == "planned"
            free = free and not head
            identifiers.append(self._plan(row, action, at, head=head))
        if not was_free:  # what is before them may only be waiting, for a vendor that they do not need
            elect(self._connection, self._ledger, row.lane)
        return identifiers

    def claim(
        self, owner: str, at: int, lease_until: int, limit: int, room: Mapping[str, int] = MappingProxyType({})
    ) -> list[Claim]:
        """Take actions that are due and first in their lane, and record the start of an attempt: of those that need the
        same vendor or target up to `limit`, or what `room` has for it.

        Actions whose owner's lease has run out are taken over; `repeated` stays true for all their later attempts, as
        the lost one's effect stays unknown. An action whose event was erased, or cannot be read, cannot run any more:
        it ends `failed`. One whose person's key is damaged is put off: a restored keys.db mends that.
        """
        claims = []
        for due in self._due(at, limit, room):
            try:
                claim = self._claimed(due, owner)
            except KeyDamaged as fault:  # the others' actions go on
                log.error("action put off", action_id=due.action_id, reason=str(fault))
                self._execute(_PUT_OFF, (at + _PUT_OFF_MS, due.n))
                continue
            if claim is None:
                self._fail_erased(due, at)
            else:
                self._start(due, claim, at, lease_until)
                claims.append(claim)
        return claims

    def _due(self, at: int, limit: int, room: Mapping[str, int]) -> Iterator[_Due]:
        """The heads that are due, by whom they need, the oldest first; of each that many."""
        for (needs,) in self._execute(_NEEDED).fetchall():
            most = room.get(needs, limit)
            if most > 0:
                yield from (_Due(*found) for found in self._execute(_DUE, (needs, at, most)).fetchall())

    def expect_echo(self, action_id: str, session_id: str, status: str, until: int) -> None:
        """Note, before the call, the `status.updated` that it will cause. Asking twice for one action counts once."""
        self._execute(_EXPECT_ECHO, (action_id, storable(session_id), storable(status), until))

    def drop_echo(self, action_id: str) -> None:
        """The call had no effect: no echo will come."""
        self._execute(_DROP_ECHO, (action_id,))

    def renew(self, owner: str, at: int, lease_until: int) -> None:
        """Extend the leases of everything this owner runs."""
        self._execute(_RENEW, (lease_until, owner))

    def settle(self, claim: Claim, ending: Ending) -> bool:
        """Record how an attempt ended and apply its effects. False: the lease was lost, nothing was written."""
        reason, due = storable(ending.outcome.reason), None
        finished_at = ending.ended_at if ending.state in FINISHED_STATES else None
        if ending.state == "waiting_retry":
            due = ending.ended_at if ending.due is None else ending.due
        settled = self._execute(
            _SETTLE,
            (
                ending.state,
                reason,
                due,
                finished_at,
                0 if ending.spent else 1,
                claim.action_id,
                claim.owner,
                claim.attempt,
            ),
        ).fetchall()
        if not settled:
            return False
        n, lane, biometric = settled[0]
        row = self._event(claim.event_id)
        result = self._end_attempt(row, n, claim, ending, biometric=bool(biometric))
        self._count("running", ending.state)
        waited_before = not ending.spent and self._execute(_DROP_SAME_WAIT, (n, claim.attempt, reason)).rowcount > 0
        if not waited_before:
            self._append_ending(row, claim, ending, result, biometric=bool(biometric))
        if ending.state == "done" and row.session_id is not None:
            same = self._sameness(row.source, row.session_id, claim.name, claim.params)
            self._execute(_ADD_DONE, (same, claim.action_id))
        self._apply_effects(row, n, claim, ending)
        elect(self._connection, self._ledger, lane)
        return True

    def _plan(self, row: EventRow, action: PlannedAction, at: int, *, head: bool) -> str:
        identifier = derive_action_id(row.event_id, self._next_ordinal(row))
        sealed = None
        if row.key is not None:
            sealer = self._vault.biometric(row.key) if action.biometric else row.key
            sealed = sealer.seal(dump(action.params), params_place(identifier))
        name, rule = storable(action.name), storable(action.rule)
        self._execute(
            _ADD,
            (
                identifier,
                row.n,
                row.lane,
                name,
                rule,
                action.once,
                action.state,
                storable(action.reason),
                sealed,
                at,
                at,
                at if action.state == "skipped" else None,
                at if action.state == "planned" else None,
                head,
                action.biometric,
                storable(action.needs),
            ),
        )
        self._ledger.tally("actions", action.state, 1)
        self._ledger.woke |= head
        if action.limit is not None and action.state == "planned":  # what was parked does not use the limit up
            self._execute(_ADD_FIRING, (rule, at, row.n))
            self._execute(_TRIM_FIRINGS, (rule, at - 1000 * action.limit[1]))
        leaf: Leaf = {"at": at, "kind": "action", "actor": "engine", "outcome": action.state}
        leaf["action_id"], leaf["type"], leaf["rule"] = identifier, action.name, action.rule
        if action.biometric:
            leaf["biometric"] = True
        if row.policy_sha256 is not None:
            leaf["policy_sha256"] = row.policy_sha256
        self._append(row, leaf, {"params": sealed}, rules=(rule,))
        return identifier

    def _sameness(self, source: str, session_id: str, name: str, params: JsonObject) -> bytes:
        return self._vault.fingerprint(b"same action", source, session_id, name, dump_sorted(params).decode())

    def _claimed(self, due: _Due, owner: str) -> Claim | None:
        """The claim on a due action; None where what it needs was erased."""
        key = self._vault.of_ref(due.subject_ref)
        kept = opened(key, due.event_id, due.document, due.faces)
        params = unsealed_json(class_key(key, biometric=due.biometric), due.params, params_place(due.action_id))
        if kept is None or params is None:
            return None
        if kept["erased"]:
            kept["document"]["matches"] = []  # handlers are given a list
        done_before = None
        if due.once == "session" and due.session_id is not None:
            same = self._sameness(due.source, due.session_id, due.name, params)
            done_before = self._execute(_DONE_BEFORE, (same, due.action_id)).fetchone()
        return Claim(
            action_id=due.action_id,
            owner=owner,
            attempt=due.attempt + 1,
            name=due.name,
            rule=due.rule,
            params=params,
            once=due.once,
            event_id=due.event_id,
            event=kept["document"],
            depth=due.depth,
            lane=due.lane,
            planned_at=due.run_at,
            attempts_spent=due.spent + 1,
            repeated=due.state == "running" or bool(due.lost),
            done_before=done_before[0] if done_before else None,
            unanswered=due.attempt > 0 and self._execute(_UNANSWERED, (due.n,)).fetchone() is not None,
            needs=due.needs,
        )

    def _start(self, due: _Due, claim: Claim, at: int, lease_until: int) -> None:
        if due.state == "running":
            self._lose(due, at)
        else:
            self._count(due.state, "running")
        self._execute(_START, (claim.owner, lease_until, claim.repeated, due.n))
        self._execute(_ADD_ATTEMPT, (due.n, claim.attempt, claim.owner, at, claim.repeated))

    def _lose(self, due: _Due, at: int) -> None:
        """An attempt whose end nobody will tell."""
        self._execute(_LOSE_ATTEMPT, (at, due.n, due.attempt))
        leaf: Leaf = {"at": at, "kind": "action", "actor": "dispatcher", "outcome": "lost"}
        leaf["action_id"], leaf["type"], leaf["rule"] = due.action_id, due.name, due.rule
        leaf["attempt"] = due.attempt
        self._append(self._event(due.event_id), leaf, rules=(due.rule,))

    def _fail_erased(self, due: _Due, at: int) -> None:
        if due.state == "running":
            self._lose(due, at)
        erased = due.document is None or due.params is None
        self._execute(_FAIL_ERASED, (_ERASED if erased else _UNREADABLE, at, due.n))
        self._count(due.state, "failed")
        leaf: Leaf = {"at": at, "kind": "action", "actor": "dispatcher", "outcome": "failed"}
        leaf["action_id"], leaf["type"], leaf["rule"] = due.action_id, due.name, due.rule
        leaf["facts"] = {"reason": "erased" if erased else "unreadable"}
        self._append(self._event(due.event_id), leaf, rules=(due.rule,))
        elect(self._connection, self._ledger, due.lane)

    def _end_attempt(self, row: EventRow, n: int, claim: Claim, ending: Ending, *, biometric: bool) -> bytes | None:
        """Complete the attempt's row; gives the sealed result."""
        outcome, result = ending.outcome, None
        key = class_key(row.key, biometric=biometric)
        if outcome.result is not None and key is not None:
            result = key.seal(dump(outcome.result), result_place(claim.action_id, claim.attempt))
        self._execute(
            _END_ATTEMPT,
            (
                ending.ended_at,
                ending.latency_ms,
                outcome.state,
                outcome.http_status,
                ending.spent,
                outcome.unsent,
                storable(outcome.reason),
                result,
                n,
                claim.attempt,
            ),
        )
        return result

    def _append_ending(
        self, row: EventRow, claim: Claim, ending: Ending, result: bytes | None, *, biometric: bool
    ) -> None:
        leaf: Leaf = {"at": ending.ended_at, "kind": "action", "actor": "dispatcher", "outcome": ending.state}
        leaf["action_id"], leaf["type"], leaf["rule"] = claim.action_id, claim.name, claim.rule
        leaf["attempt"] = claim.attempt
        if biometric:
            leaf["biometric"] = True
        if claim.repeated:
            leaf["repeated"] = True
        if ending.outcome.http_status is not None:
            leaf["http_status"] = ending.outcome.http_status
        self._append(row, leaf, {"result": result}, rules=(claim.rule,))

    def _apply_effects(self, row: EventRow, n: int, claim: Claim, ending: Ending) -> None:
        for effect in ending.outcome.effects:
            if isinstance(effect, OpenReview):
                self._open_review(row, n, claim, effect, ending.ended_at)
            elif isinstance(effect, RaiseAlert):
                self._alert(row, claim, effect, ending.ended_at)
            else:
                self._label(row, claim, effect, ending.ended_at)

    def _open_review(self, row: EventRow, n: int, claim: Claim, case: OpenReview, at: int) -> None:
        review_id, queue = new_id("rev", at), storable(case.queue)
        sealed = row.key.seal(dump(case.reason), review_place(review_id, "reason")) if row.key is not None else None
        self._execute(_ADD_REVIEW, (review_id, row.n, n, queue, case.priority, sealed, at))
        self._ledger.tally("reviews_open", queue, 1)
        leaf: Leaf = {"at": at, "kind": "review", "actor": "engine", "outcome": "open", "action_id": claim.action_id}
        leaf["rule"], leaf["facts"] = claim.rule, {"review_id": review_id, "queue": case.queue}
        self._append(row, leaf, {"reason": sealed}, rules=(claim.rule,))

    def _alert(self, row: EventRow, claim: Claim, alert: RaiseAlert, at: int) -> None:
        leaf: Leaf = {"at": at, "kind": "alert", "actor": "engine", "action_id": claim.action_id, "rule": claim.rule}
        leaf["type"], leaf["facts"] = alert.subject, {"text": alert.text}
        self._append(row, leaf, rules=(claim.rule,))

    def _label(self, row: EventRow, claim: Claim, marks: LabelSession, at: int) -> None:
        if row.session_id is None:
            return
        for label in marks.remove:
            self._execute(_DROP_LABEL, (row.source, row.session_id, storable(label)))
        for label in marks.add:
            self._execute(_ADD_LABEL, (row.source, row.session_id, storable(label), claim.action_id, at))
        leaf: Leaf = {"at": at, "kind": "label", "actor": "engine", "action_id": claim.action_id, "rule": claim.rule}
        leaf["facts"] = {"add": ",".join(marks.add), "remove": ",".join(marks.remove)}
        self._append(row, leaf, rules=(claim.rule,))
