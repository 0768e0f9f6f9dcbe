"""What a person does with an action, by name: the same words at the command line and over HTTP."""

from __future__ import annotations

from receiver.store.port import Transaction

ACTION_DEEDS = ("retry", "discard", "approve", "reject")


def act(tx: Transaction, deed: str, action_id: str, actor: str, at: int, reason: str) -> None:
    """Do one of ACTION_DEEDS. Raises NotFound, Conflict."""
    if deed == "retry":
        tx.retry_action(action_id, actor, at)
    elif deed == "discard":
        tx.discard_action(action_id, actor, at, reason)
    elif deed == "approve":
        tx.approve_action(action_id, actor, at, reason)
    else:
        tx.reject_action(action_id, actor, at, reason)
