"""Writes on the way in: dedupe, the place in the session, the event, its decision."""

from __future__ import annotations

import json
from typing import TypeVar

from receiver.audit.leaf import Leaf, person_mark
from receiver.contract import Decision, Event
from receiver.policy.explain import decision_document
from receiver.store.documents import dump, dump_text
from receiver.store.shapes import KnownEvent, NewEvent, SessionState, StoredEvent
from receiver.store.sqlite.clear import in_clear
from receiver.store.sqlite.ledger import TAGS_FOUND_BY
from receiver.store.sqlite.parts import opened, opened_body, seal
from receiver.store.sqlite.places import decision_place, subject_place
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.unit import EventRow, Unit, session_mark, unsealed_json

_KNOWN = (
    "SELECT event_id, subject_ref, body, parted FROM event LEFT JOIN payload USING (n)"
    " WHERE source = ? AND dedupe_key = ?"
)
_SESSION = "SELECT occurred_at, status, subject_ref, subject FROM session WHERE source = ? AND session_id = ?"
_COUNT_DELIVERY = "UPDATE event SET deliveries = deliveries + 1 WHERE event_id = ? RETURNING deliveries"
_EXPECTED_ECHO = (
    "SELECT echo.n, action_id FROM echo LEFT JOIN action USING (action_id) LEFT JOIN event ON event.n = action.event_n"
    " WHERE echo.session_id = ?1 AND echo.status = ?2 AND until >= ?3 AND taken_at IS NULL"
    " AND coalesce(event.source, ?4) = ?4"
    " ORDER BY echo.n LIMIT 1"
)
_TAKE_ECHO = "UPDATE echo SET taken_at = ? WHERE n = ?"
_SPENT = "SELECT coalesce(sum(n), 0) FROM spending WHERE key = ? AND at >= ?"
_SPEND = "INSERT INTO spending VALUES (?, ?, 1) ON CONFLICT (key, at) DO UPDATE SET n = n + 1"
_TRIM_SPENDING = "DELETE FROM spending WHERE key = ? AND at < ?"
_FIRINGS = "SELECT count(DISTINCT event_n) FROM firing WHERE rule = ? AND at >= ?"
_ADD_EVENT = (
    "INSERT INTO event (event_id, parent_id, source, dedupe_key, vendor, type, session_id, status, tags, received_at,"
    " occurred_at, lane, depth, subject_ref, receipt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_PAYLOAD = "INSERT INTO payload (n, body, document, biometric, parted) VALUES (?, ?, ?, ?, 1)"
# A time that is not known overwrites none; a status without a time overwrites none that has one.
_MOVE_SESSION = (
    "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
    " status = CASE WHEN excluded.occurred_at IS NOT NULL OR occurred_at IS NULL"
    " THEN coalesce(excluded.status, status) ELSE status END,"
    " occurred_at = coalesce(excluded.occurred_at, occurred_at), updated_at = excluded.updated_at"
)
_ADD_DECISION = (
    "INSERT INTO decision (event_n, at, actor, policy, policy_sha256, mode, outcome, status, rules_fired,"
    " rules_undecided, rules_shadow, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LOAD = (
    "SELECT occurred_at, lane, depth, subject_ref, body, document, biometric, parted"
    " FROM event LEFT JOIN payload USING (n) WHERE event_id = ?"
)

_Text = TypeVar("_Text", str, str | None)
_YEAR_10000 = 253_402_300_800  # Unix seconds


class Intake(Unit):
    """The writes of a delivery, and of a result that becomes an event."""

    def known(self, source: str, dedupe_key: str) -> KnownEvent | None:
        """The event that was first delivered under this key."""
        row = self._execute(_KNOWN, (storable(source), self._dedupe_key(source, dedupe_key))).fetchone()
        if row is None:
            return None
        event_id, ref, sealed, parted = row
        body = opened_body(self._vault.of_ref(ref), event_id, sealed, parted=bool(parted))
        return KnownEvent(event_id, body or b"")

    def redelivered(self, event_id: str, at: int, *, differs: bool) -> None:
        """Count one more delivery; one that says something else than the first is noted in the record."""
        row = self._event(event_id)
        (deliveries,) = self._execute(_COUNT_DELIVERY, (event_id,)).fetchone()
        if differs:
            leaf: Leaf = {"at": at, "kind": "redelivery", "actor": row.source, "outcome": "different body"}
            leaf["facts"] = {"delivery": str(deliveries)}
            self._append(row, leaf)

    def session(self, source: str, session_id: str) -> SessionState | None:
        """The newest that is known of a session. `subject` is empty once the person was erased."""
        source, session_id = storable(source), storable(session_id)
        row = self._execute(_SESSION, (source, session_id)).fetchone()
        if row is None:
            return None
        occurred_at, status, ref, sealed = row
        subject = unsealed_json(self._vault.of_ref(ref), sealed, subject_place(source, session_id))
        return SessionState(occurred_at, status, subject or "")

    def take_echo(self, source: str, session_id: str, status: str, at: int) -> str | None:
        """Use up the oldest expected echo of our own update_status; gives the action that expected it."""
        row = self._execute(_EXPECTED_ECHO, (storable(session_id), storable(status), at, storable(source))).fetchone()
        if row is None:
            return None
        self._execute(_TAKE_ECHO, (at, row[0]))
        return str(row[1])

    def firings_since(self, rule: str, since: int) -> int:
        """How many events this rule has planned actions for since then, counted while the rule has a limit."""
        count = self._execute(_FIRINGS, (storable(rule), since)).fetchone()[0]
        return int(count)

    def spend(self, key: str, at: int, since: int, most: int) -> bool:
        """Count one more call of a kind, unless `most` were counted since then: then False."""
        if self._execute(_SPENT, (key, since)).fetchone()[0] >= most:
            return False
        self._execute(_SPEND, (key, at))
        self._execute(_TRIM_SPENDING, (key, since))
        return True

    def add_event(self, new: NewEvent) -> None:
        """Store an event, sealed, and move its session on unless the event is stale."""
        document, event_id = new.event.document, new.event_id
        key = self._vault.of_subject(new.subject or new.lane)
        body, sealed, biometric = seal(new, key, self._vault.biometric(key))
        session_id = storable(document["session_id"])
        row = EventRow(
            n=self._insert_event(new, key.ref),
            event_id=event_id,
            source=storable(document["source"]),
            session_id=session_id,
            lane=storable(new.lane),
            key=key,
            tags=list(dict.fromkeys(self._tags(new)))[:TAGS_FOUND_BY],
            session=session_mark(key, session_id),
            actions=0,
        )
        self._events[event_id] = row
        self._execute(_ADD_PAYLOAD, (row.n, body, sealed, biometric))
        if row.session_id is not None and new.parent_id is None and not document["stale"]:
            self._move_session(new, row)
        leaf: Leaf = {"at": new.received_at, "kind": "event", "actor": row.source, "outcome": "accepted"}
        leaf["type"] = self._in_clear(document["type"])
        leaf["person"] = person_mark(event_id, key.ref)
        if new.parent_id is not None:
            leaf["parent"] = new.parent_id
        if document["status"]:
            leaf["status"] = self._in_clear(document["status"])
        if row.tags:
            leaf["tags"] = row.tags
        self._append(row, leaf, {"body": body, "document": sealed, "biometric": biometric}, row.tags)
        self._ledger.tally("events", "all", 1)

    def add_decision(self, event_id: str, decision: Decision, at: int, actor: str = "engine") -> None:
        """Store a decision of an event; the newest one is the one that is shown."""
        row = self._event(event_id)
        policy = decision.policy
        fired = [rule.id for rule in decision.rules if rule.fired and rule.mode == "enforce"]
        shadow = [rule.id for rule in decision.rules if rule.fired and rule.mode == "shadow"]
        undecided = [rule.id for rule in decision.rules if rule.fired is None]
        sealed = None
        if row.key is not None:
            sealed = row.key.seal(dump(decision_document(decision)), decision_place(event_id, at))
        self._execute(
            _ADD_DECISION,
            (
                row.n,
                at,
                storable(actor),
                policy.name,
                policy.sha256,
                policy.mode,
                decision.outcome,
                self._in_clear(decision.status),
                dump_text(fired),
                dump_text(undecided),
                dump_text(shadow),
                sealed,
            ),
        )
        row.policy_sha256 = policy.sha256
        leaf: Leaf = {"at": at, "kind": "decision", "actor": actor, "outcome": decision.outcome}
        leaf["policy_sha256"] = policy.sha256
        if fired:
            leaf["rules"] = fired
        if shadow:
            leaf["shadow"] = shadow
        if decision.status:
            leaf["status"] = self._in_clear(decision.status)
        if row.tags:
            leaf["tags"] = row.tags
        self._append(row, leaf, {"decision": sealed}, row.tags, [*fired, *shadow])

    def load_event(self, event_id: str) -> StoredEvent | None:
        """Read an event back. None also once its person, or what is biometric of it, was erased: it cannot be decided
        any more.
        """
        row = self._execute(_LOAD, (event_id,)).fetchone()
        if row is None:
            return None
        occurred_at, lane, depth, ref, body, document, biometric, parted = row
        key = self._vault.of_ref(ref)
        kept = opened(key, event_id, document, biometric)
        if kept is None or kept["erased"]:
            return None
        raw = json.loads(opened_body(key, event_id, body, parted=bool(parted)) or b"{}")
        event = Event(kept["document"], raw, occurred_at, kept["dedupe_key"], kept["action"], kept["result"], depth)
        return StoredEvent(event_id, event, lane, kept["subject"])

    def _insert_event(self, new: NewEvent, ref: bytes) -> int:
        document, receipt = new.event.document, new.receipt
        noted = None
        if receipt is not None:
            names = ("method", "secret", "signed_at", "notes")
            noted = dump_text({name: getattr(receipt, name) for name in names})
        cursor = self._execute(
            _ADD_EVENT,
            (
                new.event_id,
                new.parent_id,
                storable(document["source"]),
                self._dedupe_key(document["source"], new.event.dedupe_key),
                storable(document["vendor"]),
                self._in_clear(document["type"]),
                storable(document["session_id"]),
                self._in_clear(document["status"]),
                dump_text(self._tags(new)),
                new.received_at,
                _time(new.event.occurred_at),
                storable(new.lane),
                new.event.depth,
                ref,
                noted,
            ),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _move_session(self, new: NewEvent, row: EventRow) -> None:
        assert row.key is not None
        assert row.session_id is not None
        sealed = row.key.seal(dump(new.subject), subject_place(row.source, row.session_id))
        status, occurred_at = self._in_clear(new.event.document["status"]), _time(new.event.occurred_at)
        self._execute(
            _MOVE_SESSION,
            (row.source, row.session_id, occurred_at, status, row.key.ref, sealed, new.received_at),
        )

    def _tags(self, new: NewEvent) -> list[str]:
        return [in_clear(tag, self._vault.fingerprint) for tag in new.event.document["tags"]]

    def _in_clear(self, text: _Text) -> _Text:
        return in_clear(text, self._vault.fingerprint) if text else text

    def _dedupe_key(self, source: str, dedupe_key: str) -> bytes:
        return self._vault.fingerprint(b"delivery", source, dedupe_key)


def _time(seconds: int | None) -> int | None:
    """A time that no calendar holds is no time."""
    return seconds if seconds is not None and 0 <= seconds < _YEAR_10000 else None
