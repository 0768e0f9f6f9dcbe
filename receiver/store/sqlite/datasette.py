"""A description of the record for Datasette: what its views and columns mean, and ready queries.

See https://docs.datasette.io/en/0.65/metadata.html. Tables and free SQL are closed: the views are what is documented,
and they hold nothing sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from receiver.audit.search import parse
from receiver.contract import JsonObject
from receiver.store.sqlite.search import static

_TIME = "ISO 8601, UTC, milliseconds"
_COLUMNS: Final = {
    "v_events": {
        "event_id": "ours, sortable by time",
        "parent_id": "the event whose action's result this is; null for deliveries",
        "source": "as in config.yaml",
        "vendor": "whose webhook it is",
        "type": "of the webhook, or action.<name>",
        "session_id": "the vendor's",
        "status": "as sent",
        "tags": "JSON array of warning tags",
        "received_at": _TIME,
        "outcome": "of the newest decision: decided, undecided, echo",
        "deliveries": "how often it came",
    },
    "v_decisions": {
        "event_id": "of the event",
        "policy": "the policy's name",
        "policy_sha256": "the policy version, SHA-256 in hex",
        "outcome": "decided, undecided, echo",
        "status": "that the decision sets",
        "rules_fired": "JSON array; without those in shadow",
    },
    "v_actions": {
        "action_id": "ours",
        "event_id": "of the event that called for it",
        "session_id": "the vendor's",
        "name": "of the action",
        "rule": "that planned it",
        "state": "planned, running, waiting_retry, awaiting_approval; done, noop, failed, dead, skipped, rejected",
        "attempts": "how often it was tried",
        "planned_at": _TIME,
        "finished_at": _TIME,
        "reason": "of the state",
    },
    "v_audit": {
        "idx": "place in the record, from 0; the leaf index of its Merkle tree",
        "at": _TIME,
        "kind": "event, decision, action, review, label, operator, policy, ...",
        "actor": "who: a source, engine, dispatcher, token:<name>, cli:<user>",
        "event_id": "of the event that it is about",
        "session_id": "the vendor's; null once erased",
        "rule": "that fired; several with commas between",
        "outcome": "what came of it",
        "policy_sha256": "the policy version, SHA-256 in hex",
    },
}
_VIEWS: Final = {
    "v_events": "What came in.",
    "v_decisions": "What was decided, the newest decision of each event.",
    "v_actions": "What is to be done, and what was done.",
    "v_audit": "The record, entry by entry.",
}
_NEED_SOMEBODY = (
    "SELECT * FROM v_actions WHERE state IN ('dead', 'failed', 'awaiting_approval') ORDER BY planned_at DESC LIMIT 500"
)
_BY_DAY = (
    "SELECT date(day * 86400, 'unixepoch') AS day, outcome, n AS entries FROM rollup"
    " WHERE kind = :thing AND key = :key ORDER BY rollup.day DESC, outcome LIMIT 1000"
)
_QUERIES: Final = {
    "session_entries": (
        "The life of a session",
        "SELECT * FROM v_audit WHERE session_id = :session_id ORDER BY idx LIMIT 500",
    ),
    "event_entries": (
        "Entries about one event",
        "SELECT * FROM v_audit WHERE event_id = :event_id ORDER BY idx LIMIT 500",
    ),
    "newest_entries": ("The newest entries", "SELECT * FROM v_audit ORDER BY idx DESC LIMIT 100"),
    "need_somebody": (
        "Actions that need somebody",
        _NEED_SOMEBODY,
    ),
    "entries_by_day": (
        "Entries by day, for a tag, rule, status, kind or source (:thing) of this name (:key)",
        _BY_DAY,
    ),
}
_PAGE: Final = 100
_SAVED = "e.idx, e.at AS at_ms, e.kind, e.actor, e.event_id, e.type, e.rule, e.outcome, e.policy_sha256, e.source"


def metadata(tables: Iterable[str], saved: Mapping[str, str]) -> JsonObject:
    """The description, as Datasette's metadata.json; `saved` are the searches of config.yaml."""
    shown: dict[str, Any] = {
        name: {"title": name, "description": what, "columns": _COLUMNS[name], "facets": [], "sortable_columns": []}
        for name, what in _VIEWS.items()
    }
    closed = {name: {"hidden": True, "allow": False} for name in tables}
    queries = {name: {"title": title, "sql": sql} for name, (title, sql) in _QUERIES.items()}
    database: dict[str, Any] = {
        "description": "Every event, decision, action and operator's act, in order.",
        "allow_sql": False,
        "tables": closed | shown,
        "queries": queries | _saved(saved),
    }
    return {"title": "Hookwarden", "databases": {"hookwarden": database}}


def _saved(saved: Mapping[str, str]) -> dict[str, Any]:
    """Saved searches as SQL. Those by person need the keys, which Datasette never has."""
    queries = {}
    for name, query in saved.items():
        try:
            found = static(parse(query))
        except ValueError:
            continue
        sql = found.sql(_SAVED, f"{found.order(ascending=False)} LIMIT {_PAGE}")
        queries[name] = {
            "title": f"@{name}",
            "description": query,
            "sql": _inlined(sql, [*found.values, 0, found.narrowing.high]),
        }
    return queries


def _inlined(sql: str, values: Iterable[str | int | bytes]) -> str:
    """The statement with its values in place; no part of it but the marks has a `?`."""
    pieces = sql.split("?")
    literals = [*map(_literal, values), ""]
    return "".join(piece + literal for piece, literal in zip(pieces, literals, strict=True))


def _literal(value: str | int | bytes) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    quoted = value.replace("\0", "").replace("'", "''")
    return f"'{quoted}'"
