"""What a handler is given, made by hand."""

from __future__ import annotations

from typing import Any

from receiver.contract import ActionCall, EventDocument, JsonObject


def event_document(**changes: Any) -> EventDocument:
    """A session's `status.updated`, with nothing in it but what is named."""
    empty: dict[str, Any] = dict.fromkeys(EventDocument.__annotations__)
    empty |= {
        "source": "didit",
        "vendor": "didit",
        "type": "status.updated",
        "session_id": "ses-1",
        "status": "In Review",
    }
    empty |= {"warnings": [], "tags": [], "matches": [], "stale": False, "echo": False, "vendor_data": "user-1"}
    document: Any = {**empty, **changes}
    event: EventDocument = document
    return event


def action_call(
    name: str,
    params: JsonObject | None = None,
    *,
    attempt: int = 1,
    repeated: bool = False,
    unanswered: bool = False,
    **event: Any,
) -> ActionCall:
    """One attempt at an action on `event_document(**event)`."""
    document = event_document(**event)
    return ActionCall("act_1", "key-1", name, params or {}, document, attempt, repeated, unanswered=unanswered)
