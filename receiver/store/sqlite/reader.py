"""The Reader of the port: JSON documents out of one consistent view of the database.

Lists are newest first; a cursor is the number of the last row of a page, in the order of arrival: nothing that is
inserted meanwhile moves a page. What was sealed for a person who was erased reads as null (or an empty list), and the
object it stood in says `"erased": true`. What is still there and does not open, as its key is gone or was changed, was
not erased: the object says `"unreadable": true`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from receiver.contract import FINISHED_STATES, UNFINISHED_STATES, JsonObject, JsonValue
from receiver.policy.recall import PastEvent
from receiver.store.documents import iso, iso_or_none
from receiver.store.sealing import SubjectKey
from receiver.store.shapes import Extent, Forecast, Page, Retained
from receiver.store.sqlite import retained
from receiver.store.sqlite.holds import ALL_HOLDS, listed
from receiver.store.sqlite.leaves import Leaves
from receiver.store.sqlite.parts import opened, opened_body
from receiver.store.sqlite.past import Past
from receiver.store.sqlite.places import (
    decision_place,
    deed_place,
    params_place,
    result_place,
    review_place,
)
from receiver.store.sqlite.record import Record
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.unit import actions_of, class_key, unsealed_json
from receiver.store.vault import Vault

ALL_TILES: Final = 1 << 32  # more than there are
MAX_LIMIT: Final = 500
MAX_OF_SESSION: Final = 1000  # of each kind in one session's life

_EVENTS = (
    "SELECT n, event_id, parent_id, source, vendor, type, session_id, status, tags, received_at, deliveries,"
    " (SELECT outcome FROM decision WHERE event_n = event.n ORDER BY decision.n DESC LIMIT 1) AS outcome FROM event"
)
_DECIDED = "outcome = ?"
_NOT_DECIDED = "outcome = ? AND n IN (SELECT event_n FROM decision AS d WHERE d.outcome = ? AND d.outcome <> 'decided')"
_EVENT = (
    "SELECT n, event_id, parent_id, source, received_at, deliveries, receipt, subject_ref, body, document, biometric,"
    " parted"
    " FROM event LEFT JOIN payload USING (n) WHERE event_id = ?"
)
_DECISIONS = (
    "SELECT d.*, e.event_id, e.subject_ref FROM decision AS d JOIN event AS e ON e.n = d.event_n WHERE {} ORDER BY d.n"
)
_ACTIONS = (
    "SELECT a.*, e.event_id, e.session_id, e.subject_ref, (SELECT count(*) FROM attempt WHERE action_n = a.n) AS tries"
    " FROM action AS a JOIN event AS e ON e.n = a.event_n"
)
_ATTEMPTS = "SELECT * FROM attempt WHERE action_n = ? ORDER BY n"
_DEEDS = "SELECT * FROM deed WHERE action_n = ? ORDER BY rowid"
_REVIEWS = (
    "SELECT r.*, e.event_id, e.session_id, e.subject_ref, a.action_id, a.rule"
    " FROM review AS r JOIN event AS e ON e.n = r.event_n JOIN action AS a ON a.n = r.action_n"
)
_REJECTS = "SELECT n, at, source, client, reason, body_bytes FROM reject"
_OF_SESSION = "e.session_id = ?"
# Which way to the actions of a state: those in lanes and the rare ones have indexes of their own; of the rest there are
# so many that the newest are near the end of the table.
_IN_LANES = (
    _ACTIONS.replace("action AS a ", "action AS a INDEXED BY action_lane "),
    "a.due IS NOT NULL AND a.state = ?",
)
_RARE = (_ACTIONS, "a.due IS NULL AND a.state <> 'done' AND a.state <> 'skipped' AND a.state = ?")
_BY_STATE = {
    **dict.fromkeys(("planned", "running", "waiting_retry"), _IN_LANES),
    **dict.fromkeys(("awaiting_approval", "noop", "failed", "dead", "rejected"), _RARE),
}
_SESSIONS = "SELECT source, status, occurred_at, updated_at FROM session WHERE session_id = ? ORDER BY updated_at DESC"
_LABELS = "SELECT label, source, action_id, at FROM label WHERE session_id = ? ORDER BY at, label"
_POLICIES = "SELECT rowid AS n, sha256, name, author, at FROM policy"
_POLICY = "SELECT sha256, name, author, at, text FROM policy WHERE sha256 = ?"
_POLICY_USES = "SELECT idx, at, actor FROM entry WHERE kind = 'policy' AND policy_sha256 = ? ORDER BY idx"
_TALLIES = "SELECT name, key, n FROM tally"


class SqliteReader(Record, Leaves):
    """One view, in one read transaction that its owner begins and ends."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault) -> None:
        super().__init__(
            connection, lambda subject: key.ref if (key := vault.find(subject)) else None, vault.fingerprint
        )
        self._vault = vault

    def events(
        self,
        after: str | None = None,
        limit: int = 50,
        session_id: str | None = None,
        source: str | None = None,
        outcome: str | None = None,
    ) -> Page:
        """Events, newest first, without their contents. Raises Unusable for a cursor that is none."""
        only = {"session_id = ?": session_id, "source = ?": source}
        only[_DECIDED if outcome == "decided" else _NOT_DECIDED] = outcome
        return self._page(_EVENTS, "n", only, after, limit, _event_item)

    def event(self, event_id: str, *, raw: bool) -> JsonObject | None:
        """One event, whole; `raw` adds the vendor's payload."""
        row = self._one(_EVENT, event_id)
        if row is None:
            return None
        key = self._vault.readable(row["subject_ref"])
        kept = opened(key, event_id, row["document"], row["biometric"])
        body = opened_body(key, event_id, row["body"], parted=bool(row["parted"]))
        decisions = self._all(_DECISIONS.format("d.event_n = ?"), row["n"])
        actions = self._all(
            f"{_ACTIONS} WHERE a.action_id >= ? AND a.action_id < ? ORDER BY a.n", *actions_of(event_id)
        )
        document: JsonObject = {
            "event_id": event_id,
            "parent_id": row["parent_id"],
            "source": row["source"],
            "received_at": iso(row["received_at"]),
            "deliveries": row["deliveries"],
            "receipt": _receipt(row["receipt"]),
            "event": kept["document"] if kept else None,
            "decision": self._decision(decisions[-1]) if decisions else None,
            "actions": [self._action(action) for action in actions],
        }
        if kept is None:
            document[_gone(row["document"])] = True
        elif kept["erased"] and row["biometric"] is not None:
            document["unreadable"] = ["biometric"]
        elif kept["erased"] or body is None:
            document[_gone(row["body"])] = ["biometric"]
        if raw:
            document["raw"] = json.loads(body) if body else None
        return document

    def retained(self, extent: Extent, before: int) -> Retained:
        """Where pruning a class of contents that are older than this time begins."""
        return retained.retained(self._connection, extent, before)

    def forecast(self, extent: Extent, before: int) -> Forecast:
        """What pruning would do to the contents of a class that are older than this time."""
        return retained.forecast(self._connection, extent, before)

    def prunable(self, before: int) -> tuple[int, int]:
        """Which entries pruning would drop by now: the first of them, and the first that stays."""
        first = retained.noted(self._connection, "min_idx")
        return first, retained.stop_of(self._connection, first, before, ALL_TILES)

    def session(self, session_id: str) -> JsonObject | None:
        """The life of a session: events, decisions, actions, labels, reviews, each oldest first."""
        session_id = storable(session_id)
        events = self._all(f"{_EVENTS} WHERE session_id = ? ORDER BY n LIMIT {MAX_OF_SESSION}", session_id)
        known = self._all(_SESSIONS, session_id)
        if not events:
            return None
        newest = known[0] if known else None
        decisions = self._all(f"{_DECISIONS.format(_OF_SESSION)} LIMIT {MAX_OF_SESSION}", session_id)
        actions = self._all(f"{_ACTIONS} WHERE {_OF_SESSION} ORDER BY a.n LIMIT {MAX_OF_SESSION}", session_id)
        reviews = self._all(f"{_REVIEWS} WHERE {_OF_SESSION} ORDER BY r.n LIMIT {MAX_OF_SESSION}", session_id)
        labels = self._all(_LABELS, session_id)
        return {
            "session_id": session_id,
            "source": newest["source"] if newest else events[-1]["source"],
            "status": newest["status"] if newest else None,
            "occurred_at": iso_or_none(_ms(newest["occurred_at"])) if newest else None,
            "labels": [{**dict(label), "at": iso(label["at"])} for label in labels],
            "events": [_event_item(event) for event in events],
            "decisions": [self._decision(row, whole=True) for row in decisions],
            "actions": [self._action(action) for action in actions],
            "reviews": [self._review(review) for review in reviews],
        }

    def actions(
        self, after: str | None = None, limit: int = 50, state: str | None = None, session_id: str | None = None
    ) -> Page:
        """Actions, newest first. Raises Unusable for a cursor that is none."""
        select, by_state = _BY_STATE.get(state or "", (_ACTIONS, "a.state = ?"))
        return self._page(select, "a.n", {by_state: state, "e.session_id = ?": session_id}, after, limit, _action_item)

    def action(self, action_id: str) -> JsonObject | None:
        """One action with its attempts and its result."""
        row = self._one(f"{_ACTIONS} WHERE a.action_id = ?", action_id)
        return None if row is None else self._action(row)

    def reviews(self, after: str | None = None, limit: int = 50, state: str | None = None) -> Page:
        """Cases for people, newest first. Raises Unusable for a cursor that is none."""
        return self._page(_REVIEWS, "r.n", {"r.state = ?": state}, after, limit, self._review)

    def rejects(self, after: str | None = None, limit: int = 50) -> Page:
        """Refused deliveries, newest first. Raises Unusable for a cursor that is none."""
        return self._page(_REJECTS, "n", {}, after, limit, _reject_item)

    def policies(self, after: str | None = None, limit: int = 50) -> Page:
        """Policy versions that were in use, the newest first, without their texts. Raises Unusable for a cursor that
        is none.
        """
        return self._page(_POLICIES, "rowid", {}, after, limit, _policy_item)

    def policy(self, sha256: str) -> JsonObject | None:
        """One policy version with its text."""
        row = self._one(_POLICY, sha256)
        return None if row is None else {**_policy_item(row), "text": row["text"]}

    def policy_uses(self, sha256: str) -> list[JsonObject]:
        """Who took a policy version into use, and when, oldest first: `{idx, at, actor}` of the entries that say so."""
        rows = self._all(_POLICY_USES, sha256)
        return [{"idx": row["idx"], "at": iso(row["at"]), "actor": row["actor"]} for row in rows]

    def holds(self) -> list[JsonObject]:
        """Legal holds, the newest first."""
        return listed(self._all(ALL_HOLDS), self._vault)

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Gauges: `actions` by state, `reviews_open` by queue, `events` in all."""
        counts: dict[str, dict[str, int]] = {
            "actions": dict.fromkeys((*UNFINISHED_STATES, *FINISHED_STATES), 0),
            "reviews_open": {},
            "events": {"all": 0},
        }
        for name, key, number in self._all(_TALLIES):
            counts[name][key] = number
        return counts

    def past(
        self, after: int, limit: int, since: int, until: int, *, raw: bool = True, decided: bool = True
    ) -> list[PastEvent]:
        """Events received from `since` to before `until`, in the order of arrival, after the place `after`, each with
        the newest decision that stands. Without `raw` or `decided`, payloads or decisions are not unsealed.
        """
        return Past(self._connection, self._vault, raw=raw, decided=decided).events(after, limit, since, until)

    def past_count(self, since: int, until: int) -> int:
        """How many events were received in that time."""
        return Past(self._connection, self._vault).count(since, until)

    def _decision(self, row: sqlite3.Row, *, whole: bool = False) -> JsonObject:
        """A decision as it was sealed; what stands in the clear where it was erased."""
        key = self._vault.readable(row["subject_ref"])
        document: JsonObject | None = unsealed_json(key, row["document"], decision_place(row["event_id"], row["at"]))
        if document is None:
            document = {
                "outcome": row["outcome"],
                "policy": {"name": row["policy"], "sha256": row["policy_sha256"], "mode": row["mode"]},
                "status": row["status"],
                "rules": [],
                _gone(row["document"]): True,
            }
        if not whole:
            return document
        return {"event_id": row["event_id"], "at": iso(row["at"]), "actor": row["actor"], **document}

    def _action(self, row: sqlite3.Row) -> JsonObject:
        action_id: str = row["action_id"]
        key = self._vault.readable(row["subject_ref"])
        attempts = self._all(_ATTEMPTS, row["n"])
        document = _action_item(row)
        sealer = class_key(key, biometric=row["biometric"])
        document["params"] = unsealed_json(sealer, row["params"], params_place(action_id))
        document["attempts"] = [_attempt_item(attempt) for attempt in attempts]
        document["deeds"] = [_deed(key, action_id, deed) for deed in self._all(_DEEDS, row["n"])]
        last = attempts[-1] if attempts else None
        document["result"] = unsealed_json(sealer, last["result"], result_place(action_id, last["n"])) if last else None
        if document["params"] is None:
            document[_gone(row["params"])] = ["biometric"] if row["biometric"] and key is not None else True
        return document

    def _review(self, row: sqlite3.Row) -> JsonObject:
        key, review_id = self._vault.readable(row["subject_ref"]), row["review_id"]
        document: JsonObject = {name: row[name] for name in ("review_id", "queue", "priority", "state", "event_id")}
        document |= {name: row[name] for name in ("session_id", "action_id", "rule")}
        document["reason"] = unsealed_json(key, row["reason"], review_place(review_id, "reason"))
        document["opened_at"] = iso(row["opened_at"])
        document["resolved_at"] = iso_or_none(row["resolved_at"])
        document["resolved_by"] = row["resolved_by"]
        said = unsealed_json(key, row["note"], review_place(review_id, "note")) or {}
        document["resolution"], document["note"] = said.get("resolution"), said.get("note")
        if document["reason"] is None:
            document[_gone(row["reason"])] = True
        return document


def _gone(sealed: bytes | None) -> str:
    """What is said of something that does not open: only what is not there any more was erased, or pruned."""
    return "erased" if sealed is None else "unreadable"


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000


def _receipt(text: str | None) -> JsonObject | None:
    if text is None:
        return None
    receipt: dict[str, Any] = json.loads(text)
    signed_at = receipt["signed_at"]
    return {**receipt, "signed_at": None if signed_at is None else iso(signed_at * 1000)}


def _event_item(row: sqlite3.Row) -> JsonObject:
    names = ("event_id", "parent_id", "source", "vendor", "type", "session_id", "status")
    document: JsonObject = {name: row[name] for name in names}
    document["tags"] = json.loads(row["tags"])
    document["received_at"] = iso(row["received_at"])
    document["outcome"] = row["outcome"]
    document["deliveries"] = row["deliveries"]
    return document


def _action_item(row: sqlite3.Row) -> JsonObject:
    names = ("action_id", "event_id", "session_id", "name", "rule", "state", "reason")
    document: JsonObject = {name: row[name] for name in names}
    document["attempts"] = row["tries"]
    document["planned_at"] = iso(row["planned_at"])
    document["finished_at"] = iso_or_none(row["finished_at"])
    document["due"] = iso(row["due"]) if row["state"] in ("planned", "waiting_retry") else None
    return document


def _attempt_item(row: sqlite3.Row) -> JsonObject:
    document: JsonObject = {"n": row["n"], "at": iso(row["at"])}
    document |= {name: row[name] for name in ("latency_ms", "outcome", "http_status")}
    document["repeated"] = bool(row["repeated"])
    document["reason"] = row["reason"]
    return document


def _deed(key: SubjectKey | None, action_id: str, row: sqlite3.Row) -> JsonObject:
    why: JsonValue = unsealed_json(key, row["reason"], deed_place(action_id, row["act"], row["at"]))
    return {"at": iso(row["at"]), "actor": row["actor"], "act": row["act"], "reason": why}


def _reject_item(row: sqlite3.Row) -> JsonObject:
    document: JsonObject = {"at": iso(row["at"])}
    return document | {name: row[name] for name in ("source", "client", "reason", "body_bytes")}


def _policy_item(row: sqlite3.Row) -> JsonObject:
    return {"sha256": row["sha256"], "name": row["name"], "author": row["author"], "at": iso(row["at"])}
