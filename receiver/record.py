"""From a verified delivery to the record: dedupe, place in the session, decide, plan.

Each method here is one job for the store's writer, so that all it writes is committed together, or not at all. The
place in the session (is it stale? is it the echo of our own call?) is only known inside the transaction, and deciding
costs microseconds: so the decision is made there, and there is no moment in which an event is stored but undecided.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from receiver.contract import RESULT_PREFIX, Decision, Event, EventDocument, JsonObject, PlannedAction, Verified
from receiver.errors import Conflict, NotFound
from receiver.ids import new_id
from receiver.jsontext import read_object
from receiver.policy.compile import Policy
from receiver.policy.decide import decide
from receiver.store.port import Transaction
from receiver.store.reader import Reader
from receiver.store.shapes import Claim, NewEvent

MS_PER_HOUR = 3_600_000
MAX_DEPTH = 5  # result events nest at most so deep: a rule that feeds itself ends here


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery that was verified and normalised, on its way into the record. `received_at` in Unix milliseconds."""

    source: str
    event: Event
    body: bytes
    receipt: Verified
    received_at: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender is told."""

    event_id: str
    outcome: Literal["accepted", "duplicate"]


def _held_by_nothing(_event: Event, _action: str) -> str | None:
    return None


def _all_believed(_document: EventDocument, _result: JsonObject) -> EventDocument | None:
    return None


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many actions of a kind are planned in an hour; more wait for a person. Attempts are not counted: what
    is tried again was planned once.
    """

    key: str
    per_hour: int


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records events under the policy that is current when the job runs."""

    policy: Callable[[], Policy]
    dry_run: bool = False
    held: Callable[[Event, str], str | None] = _held_by_nothing  # (event, action) -> why it waits for a person
    budgets: Mapping[str, Sequence[Budget]] = field(default_factory=dict)  # by action
    bare: Callable[[EventDocument, JsonObject], EventDocument | None] = _all_believed  # see `holding.bares`

    def delivery(self, tx: Transaction, arrival: Arrival) -> Receipt:
        """One delivery: the first of its event is decided, any later one is counted."""
        known = tx.known(arrival.source, arrival.event.dedupe_key)
        if known is not None:
            differs = bool(known.body) and _said(known.body) != _said(arrival.body)
            tx.redelivered(known.event_id, arrival.received_at, differs=differs)
            return Receipt(known.event_id, "duplicate")
        event_id = new_id("evt", arrival.received_at)
        event, subject = _placed(tx, arrival.source, arrival.event, arrival.received_at, event_id)
        lane = _lane(arrival.source, event, event_id)
        tx.add_event(NewEvent(event_id, None, event, lane, subject, arrival.received_at, arrival.body, arrival.receipt))
        self._decide(tx, event_id, event, arrival.received_at, "engine")
        return Receipt(event_id, "accepted")

    def result(self, tx: Transaction, claim: Claim, result: JsonObject, at: int) -> None:
        """The result of an action, as an event that rules may listen to. Without such a rule nothing is stored: the
        action's own record holds the result.
        """
        policy = self.policy()
        kind = f"{RESULT_PREFIX}{claim.name}"
        parent = tx.load_event(claim.event_id) if kind in policy.listens else None
        if parent is None:
            return
        if claim.depth >= MAX_DEPTH:
            tx.add_note(
                "loop", "engine", at, {"action_id": claim.action_id, "action": claim.name, "depth": str(MAX_DEPTH)}
            )
            return
        believed = self.bare(claim.event, result)
        action: JsonObject = {
            "action_id": claim.action_id,
            "name": claim.name,
            "rule": claim.rule,
            "params": claim.params if believed is None else {},  # templates may have put into them what nobody proved
            "attempt": claim.attempt,
        }
        raw: JsonObject = {"action": action, "result": result}
        stale = claim.event["stale"] or self._overtaken(tx, parent.event)
        document = {**(believed or claim.event), "type": kind, "vendor_event_id": None, "stale": stale, "echo": False}
        event = Event(document, raw, None, claim.action_id, action, result, claim.depth + 1)  # type: ignore[arg-type]  # a TypedDict spread
        event_id = new_id("evt", at)
        body = json.dumps(raw).encode("ascii")
        tx.add_event(NewEvent(event_id, claim.event_id, event, claim.lane, parent.subject, at, body, None))
        self._decide(tx, event_id, event, at, "engine")

    def replay(self, tx: Transaction, event_id: str, actor: str, at: int) -> Decision:
        """Decide a stored event again, under the current policy and where it now stands in its session. Raises NotFound
        where there is nothing to decide by: `undecidable` tells why.
        """
        stored = tx.load_event(event_id)
        if stored is None:
            raise NotFound(f"no event {event_id}")
        event = stored.event
        event = replace(event, document={**event.document, "stale": self._overtaken(tx, event)})
        tx.add_note("operator", actor, at, {"act": "replay", "event_id": event_id})
        return self._decide(tx, event_id, event, at, actor)

    def _overtaken(self, tx: Transaction, event: Event) -> bool:
        """Whether something newer is known of the event's session by now."""
        session_id = event.document["session_id"]
        state = tx.session(event.document["source"], session_id) if session_id else None
        return state is not None and _older(event, state.occurred_at)

    def _decide(self, tx: Transaction, event_id: str, event: Event, at: int, actor: str) -> Decision:
        decision = decide(event, self.policy())
        tx.add_decision(event_id, decision, at, actor)
        actions = [self._admitted(tx, event, action, at) for action in decision.actions]
        if actions:
            tx.add_actions(event_id, actions, at)
        return decision

    def _admitted(self, tx: Transaction, event: Event, action: PlannedAction, at: int) -> PlannedAction:
        """Hold back what the operator's settings or the rule's own limit do not let run by itself."""
        if self.dry_run and action.state != "skipped":
            return replace(action, state="skipped", reason="dry run")
        if action.state != "planned":
            return action
        held = self.held(event, action.name)
        if held is not None:
            return replace(action, state="awaiting_approval", reason=held)
        if action.limit is not None:
            count, seconds = action.limit
            if tx.firings_since(action.rule, at - 1000 * seconds) >= count:
                reason = f"over the rule's limit of {count} in {seconds} s"
                return replace(action, state="awaiting_approval", reason=reason)
        for budget in self.budgets.get(action.name, ()):
            if not tx.spend(budget.key, at, at - MS_PER_HOUR, budget.per_hour):
                reason = f"over the budget of {budget.per_hour} calls an hour ({budget.key})"
                return replace(action, state="awaiting_approval", reason=reason)
        return action


def undecidable(reader: Reader, event_id: str) -> NotFound | Conflict:
    """Why an event cannot be decided again."""
    if reader.event(event_id, raw=False) is None:
        return NotFound(f"no event {event_id}")
    return Conflict(f"event {event_id} can no longer be decided: what it held, or a part of it, was erased")


def _placed(tx: Transaction, source: str, event: Event, at: int, event_id: str) -> tuple[Event, str]:
    """The event with `stale` and `echo` set, and the subject whose key seals it."""
    document = event.document
    session_id = document["session_id"]
    state = tx.session(source, session_id) if session_id else None
    stale = state is not None and _older(event, state.occurred_at)
    echo = False
    if session_id and document["type"] == "status.updated" and document["status"]:
        echo = tx.take_echo(source, session_id, document["status"], at) is not None
    subject = state.subject if state else document["vendor_data"] or session_id or event_id
    if stale or echo:
        event = replace(event, document={**document, "stale": stale, "echo": echo})
    return event, subject


def _said(body: bytes) -> JsonObject:
    """What a body says, but for its `timestamp`: a resend has a fresh one."""
    return {key: value for key, value in read_object(body).items() if key != "timestamp"}


def _older(event: Event, newest: int | None) -> bool:
    return newest is not None and event.occurred_at is not None and event.occurred_at < newest


def _lane(source: str, event: Event, event_id: str) -> str:
    """What the event's actions are ordered by."""
    session_id = event.document["session_id"]
    return f"{source}:{session_id}" if session_id else event_id
