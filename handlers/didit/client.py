"""Didit's client, and what all its actions need: the session of the event, and the decision.

Facts: Didit's API reference (docs.didit.me), mid to late 2026; nothing here is confirmed against the live service.
Where versions contradict each other the safe reading is taken, and said at the place. Paths end with a slash because
the slash is part of the path.
"""

from __future__ import annotations

from typing import Final

from handlers.didit.wire import refuse_hidden_error
from handlers.http import VendorClient, segment
from receiver.contract import ActionCall, JsonObject
from receiver.errors import AnswerUnreadable, VendorRefused, VendorUnavailable

CALLS_A_MINUTE: Final = {"read": 600, "write": 300, "create": 600, "pdf": 50}
"""What a key may call in 60 seconds, by group. Older pages name less: the answers' headers have the last word."""

REPEATED: Final = "repeated after an interruption: Didit may have charged twice"


def didit_client(base_url: str, api_key: str, timeout: float = 30.0, concurrency: int = 16) -> VendorClient:
    """A client for Didit's verification API; `base_url` is its root, without `/v3`. `timeout` is in seconds."""
    headers = {"x-api-key": api_key}
    return VendorClient("didit", base_url, headers, timeout=timeout, concurrency=concurrency, budgets=CALLS_A_MINUTE)


def session_of(call: ActionCall) -> str:
    """The session that the event is about. Raises VendorRefused where it names none."""
    session_id = call.event["session_id"]
    if not session_id:
        raise VendorRefused("the event names no session")
    segment(session_id)  # an id that could stand in no path belongs in no body either
    return session_id


def session_path(session_id: str, operation: str) -> str:
    """`/v3/session/{id}/{operation}/`."""
    return f"/v3/session/{segment(session_id)}/{operation}/"


async def read(client: VendorClient, path: str, what: str, params: dict[str, str | int | bool]) -> JsonObject:
    """`GET` an object. Reading is free and changes nothing, so an answer that cannot be read, or speaks of an error, is
    asked for again.
    """
    try:
        answer = await client.request("GET", path, params=params or None)
        return refuse_hidden_error(answer.object(), answer.status)
    except AnswerUnreadable as error:
        reason, status = f"{what} cannot be read: {error.reason}", error.http_status
    raise VendorUnavailable(reason, status, unsent=True)


async def read_decision(client: VendorClient, session_id: str) -> JsonObject:
    """`GET /v3/session/{id}/decision/`. One of another session is no answer: nobody is judged by another's."""
    decision = await read(client, session_path(session_id, "decision"), "the decision", {})
    named = decision.get("session_id")
    if isinstance(named, str) and named.lower() != session_id.lower():
        raise VendorUnavailable("the decision cannot be read: it is that of another session", 200, unsent=True)
    return decision
