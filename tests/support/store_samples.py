"""Invented events, decisions and actions to put into a store, and the jobs that do so."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

from receiver.contract import (
    ActionState,
    ConditionTrace,
    Decision,
    Effect,
    Event,
    EventDocument,
    JsonObject,
    Outcome,
    PlannedAction,
    PolicyRef,
    RuleTrace,
    Verified,
)
from receiver.ids import new_id
from receiver.store.port import Store, Transaction
from receiver.store.shapes import Claim, Ending, NewEvent

NOW = 1_795_000_000_000  # Unix ms: November 2026
LINK = "https://images.example.invalid/selfie.jpg?signature=Zm9yZ2VkLWxpbmstYnl0ZXM"
SUBJECT = "person-4711-of-the-shop"
NAME = "Zdenka Nevymyslena"
POLICY_TEXT = "version: 1"
POLICY = PolicyRef("face", hashlib.sha256(POLICY_TEXT.encode()).hexdigest(), "enforce")

_numbers = itertools.count(1)


def sample_document(**changes: Any) -> EventDocument:
    """A normalised event; `changes` replace sections of it."""
    document: dict[str, Any] = dict.fromkeys(EventDocument.__annotations__)
    document.update(source="didit", vendor="didit", type="status.updated", status="Declined", vendor_data=SUBJECT)
    document.update(session_id="ses-1", warnings=[], tags=["LIVENESS_FACE_ATTACK"], matches=[], stale=False, echo=False)
    document.update(images={"selfie": LINK, "document": None, "portrait": None})
    document.update(changes)
    event: EventDocument = document  # type: ignore[assignment]  # all keys are there
    return event


def new_event(
    session: str | None = "ses-1",
    *,
    at: int = NOW,
    key: str | None = None,
    occurred_at: int | None = NOW // 1000,
    subject: str = SUBJECT,
    body: bytes | None = None,
    parent_id: str | None = None,
    action: JsonObject | None = None,
    result: JsonObject | None = None,
    **changes: Any,
) -> NewEvent:
    """An event on its way in, with a body that holds personal data."""
    event_id = new_id("evt", at)
    raw: JsonObject = {"name": NAME, "image": LINK, "number": next(_numbers)}
    event = Event(
        document=sample_document(session_id=session, **changes),
        raw=raw,
        occurred_at=occurred_at,
        dedupe_key=key or event_id,
        action=action,
        result=result,
        depth=0 if parent_id is None else 1,
    )
    return NewEvent(
        event_id=event_id,
        parent_id=parent_id,
        event=event,
        lane=f"didit:{session}" if session else event_id,
        subject=subject,
        received_at=at,
        body=json.dumps(raw).encode() if body is None else body,
        receipt=Verified("x-signature", 0, at // 1000, ("a note",)) if parent_id is None else None,
    )


def planned(name: str = "didit.blocklist_add", rule: str = "attack", **fields: Any) -> PlannedAction:
    """A planned action; `params` and the rest can be given."""
    return PlannedAction(**{"name": name, "rule": rule, "params": {"face": True}, "once": "event", **fields})


def sample_decision(*actions: PlannedAction, **fields: Any) -> Decision:
    """A decision in which `attack` fired and `calm` did not."""
    read = ConditionTrace("event.liveness.score < 50.0", True, 12, {"event.liveness.score": 3.5}, ())
    open_ = ConditionTrace("event.age > 18", None, 20, {}, ("event.age",))
    rules = (
        RuleTrace("attack", True, "enforce", 10, (read,)),
        RuleTrace("calm", False, "enforce", 18, ()),
        RuleTrace("young", None, "shadow", 19, (open_,)),
    )
    whole = {"outcome": "decided", "policy": POLICY, "status": "Declined", "rules": rules, "actions": actions}
    return Decision(**{**whole, "values": {"top_face": 96.37}, **fields})


def record(tx: Transaction, new: NewEvent, actions: Sequence[PlannedAction] = ()) -> list[str]:
    """The job of a delivery: event, decision, actions. Gives the actions' identifiers."""
    tx.add_event(new)
    tx.add_decision(new.event_id, sample_decision(*actions), new.received_at)
    return tx.add_actions(new.event_id, actions, new.received_at)


def put(store: Store, new: NewEvent, *actions: PlannedAction) -> list[str]:
    """Record a delivery and wait for the commit."""
    return store.submit(lambda tx: record(tx, new, actions)).result(10)


def claim_all(
    store: Store, at: int = NOW, owner: str = "worker-1", lease: int = 60_000, limit: int = 100
) -> list[Claim]:
    """Claim what is due."""
    return store.submit(lambda tx: tx.claim(owner, at, at + lease, limit)).result(10)


def ending(
    state: ActionState = "done",
    at: int = NOW + 50,
    *,
    due: int | None = None,
    spent: bool = True,
    effects: tuple[Effect, ...] = (),
    **outcome: Any,
) -> Ending:
    """How an attempt ended."""
    kind: Any = "retry" if state == "waiting_retry" else state if state in ("done", "noop") else "failed"
    return Ending(state, Outcome(kind, effects=effects, **outcome), at, 41, due, spent)


def settle(store: Store, claim: Claim, how: Ending) -> bool:
    """Settle and wait for the commit."""
    return store.submit(lambda tx: tx.settle(claim, how)).result(10)
