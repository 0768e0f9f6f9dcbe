"""What rules see as `result` of calls on sessions, lists, users and the account. Pure.

Lists tell of other people's sessions, and the record keeps this result with the event's own person: so only fields that
name nobody are kept of an item, and none that we do not know.
"""

from __future__ import annotations

from typing import TypedDict

from handlers.didit.wire import extra, flag, objects, readable_decision, text
from handlers.liveness import number
from receiver.contract import JsonObject, JsonValue


class SetStatusResult(TypedDict):
    """A session whose status was set."""

    session_id: str
    status: str


class BlocklistResult(TypedDict):
    """What was put on the blocklist, or taken off."""

    items: list[str]
    message: str | None


class SessionRow(TypedDict):
    """One session of a list."""

    session_id: str | None
    session_number: float | None
    session_kind: str | None
    status: str | None
    vendor_data: str | None
    workflow_id: str | None
    created_at: str | None


class SessionsResult(TypedDict):
    """A page of sessions: `count` is how many there are in all, `more` whether another page follows."""

    count: float | None
    more: bool
    sessions: list[SessionRow]


class BlockedItem(TypedDict):
    """One entry of the blocklist."""

    type: str | None
    session_id: str | None
    session_number: float | None
    blocklisted_at: str | None


class BlockedResult(TypedDict):
    """A page of the blocklist."""

    count: float | None
    more: bool
    items: list[BlockedItem]


class NewSessionResult(TypedDict):
    """A session that was created, or the unfinished one that Didit gave back in its place."""

    session_id: str | None
    session_number: float | None
    status: str | None
    vendor_data: str | None
    workflow_id: str | None
    workflow_version: float | None
    url: str | None
    extra: JsonValue


class PdfResult(TypedDict):
    """A report that was read: its size in bytes and its hash, to prove later which one it was."""

    session_id: str
    bytes: int
    sha256: str


class ShareResult(TypedDict):
    """A share of a session: whose it is, for how many seconds."""

    session_id: str
    for_application_id: str
    ttl_in_seconds: int


class ImportResult(TypedDict):
    """The session that came of an import."""

    session_id: str | None
    session_number: float | None
    status: str | None
    vendor_data: str | None
    workflow_id: str | None
    shared_from_session: JsonValue
    extra: JsonValue


class ListAddResult(TypedDict):
    """An entry of a list. `entry` is null where Didit does not name it."""

    list_uuid: str
    entry: str | None
    entry_type: str


class UserStatusResult(TypedDict):
    """A user whose status was set."""

    vendor_data: str
    status: str


class BalanceResult(TypedDict):
    """The balance as sent, a decimal number as text; `below` is null where no `low` was given."""

    balance: str
    low: str | None
    below: bool | None
    auto_refill_enabled: bool | None
    extra: JsonValue


def sessions_result(answer: JsonObject) -> JsonObject:
    """`GET /v3/sessions/`: {count, next, previous, results[]}."""
    texts = ("session_id", "session_kind", "status", "vendor_data", "workflow_id", "created_at")
    rows: list[JsonValue] = [_row(item, texts) for item in objects(answer.get("results"))]
    return {**_page(answer), "sessions": rows}


def blocked_result(answer: JsonObject) -> JsonObject:
    """`GET /v3/blocklist/`: {count, next, previous, results[]}, without faces, documents, numbers and addresses."""
    rows: list[JsonValue] = [
        _row(item, ("type", "session_id", "blocklisted_at")) for item in objects(answer.get("results"))
    ]
    return {**_page(answer), "items": rows}


def _page(answer: JsonObject) -> JsonObject:
    return {"count": number(answer.get("count")), "more": bool(answer.get("next"))}


def _row(item: JsonObject, texts: tuple[str, ...]) -> JsonObject:
    return {**{name: text(item.get(name)) for name in texts}, "session_number": number(item.get("session_number"))}


_NEW = ("session_id", "session_number", "status", "vendor_data", "workflow_id", "workflow_version", "url")


def new_session_result(answer: JsonObject) -> JsonObject:
    """A session as created. Its link and token open it, so of the link only the host is kept."""
    document = readable_decision(answer)
    return {
        **_row(document, ("session_id", "status", "vendor_data", "workflow_id", "url")),
        "workflow_version": number(document.get("workflow_version")),
        "extra": extra(document, (*_NEW, "session_token", "metadata", "callback")),
    }


def import_result(answer: JsonObject) -> JsonObject:
    """The decision of the imported session, redacted."""
    document = readable_decision(answer)
    known = ("session_id", "session_number", "status", "vendor_data", "workflow_id", "shared_from_session")
    return {
        **_row(document, ("session_id", "status", "vendor_data", "workflow_id")),
        "shared_from_session": document.get("shared_from_session"),
        "extra": extra(document, known),
    }


def balance_extra(answer: JsonObject) -> JsonObject:
    """What an answer on the balance holds beside it."""
    return {
        "auto_refill_enabled": flag(answer.get("auto_refill_enabled")),
        "extra": extra(answer, ("balance", "auto_refill_enabled")),
    }
