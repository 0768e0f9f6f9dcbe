"""What people do, by name: the same words at the command line and over HTTP."""

from __future__ import annotations

from receiver.store.documents import iso
from receiver.store.port import Transaction

ACTION_DEEDS = ("retry", "discard", "approve", "reject")


def act(tx: Transaction, deed: str, action_id: str, actor: str, at: int, reason: str) -> None:
    """Do one of ACTION_DEEDS. Raises NotFound, Conflict."""
    if deed == "retry":
        tx.retry_action(action_id, actor, at, reason)
    elif deed == "discard":
        tx.discard_action(action_id, actor, at, reason)
    elif deed == "approve":
        tx.approve_action(action_id, actor, at, reason)
    else:
        tx.reject_action(action_id, actor, at, reason)


def mass_read(act: str, since: int, until: int, events: int) -> dict[str, str]:
    """The facts of one entry about many readings: the act, from when to when events were received, how many at most."""
    return {"act": act, "since": iso(since), "until": iso(until), "events": str(events)}
