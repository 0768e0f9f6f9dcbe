"""What every write of one job shares: the connection, the ledger, the keys, the events it has touched."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from receiver.audit.leaf import Leaf, session_hash
from receiver.contract import ActionState
from receiver.errors import NotFound
from receiver.ids import action_id
from receiver.store.sealing import Sealer, SubjectKey
from receiver.store.sqlite.ledger import Ledger
from receiver.store.vault import Vault

_EVENT = "SELECT n, source, session_id, lane, subject_ref, tags FROM event WHERE event_id = ?"
_EVENT_OF_SESSION = "SELECT event_id FROM event WHERE session_id = ? ORDER BY n DESC LIMIT 1"
_ACTIONS_OF_EVENT = "SELECT count(*) FROM action WHERE action_id >= ? AND action_id < ?"


@dataclass(slots=True)
class EventRow:
    """An event as the other writes of a job need it. `key` None: its person was erased."""

    n: int
    event_id: str
    source: str
    session_id: str | None
    lane: str
    key: SubjectKey | None
    tags: list[str]
    session: str | None  # as it stands in leaves
    actions: int | None = None  # how many it has; None: not counted yet
    policy_sha256: str | None = None  # of the decision that this job made


class Unit:
    """One job's view of the transaction. Made for the job, and not used after it."""

    def __init__(self, connection: sqlite3.Connection, ledger: Ledger, vault: Vault) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._ledger = ledger
        self._vault = vault
        self._events: dict[str, EventRow] = {}

    def _event(self, event_id: str) -> EventRow:
        """An event that other writes refer to. Raises NotFound."""
        row = self._events.get(event_id)
        if row is None:
            found = self._execute(_EVENT, (event_id,)).fetchone()
            if found is None:
                raise NotFound(f"no event {event_id}")
            n, source, session_id, lane, ref, tags = found
            key = self._vault.of_ref(ref)
            row = EventRow(n, event_id, source, session_id, lane, key, json.loads(tags), session_mark(key, session_id))
            self._events[event_id] = row
        return row

    def _append(
        self,
        row: EventRow,
        leaf: Leaf,
        body: Mapping[str, bytes | None] | None = None,
        tags: Iterable[str] = (),
        rules: Iterable[str] = (),
    ) -> None:
        """Append an entry about an event. `body` holds the sealed parts that it stands for."""
        leaf["event_id"] = row.event_id
        leaf["source"] = row.source
        if row.session is not None:
            leaf["session"] = row.session
        if body:
            leaf["body"] = {part: hashlib.sha256(sealed).hexdigest() for part, sealed in body.items() if sealed}
        self._ledger.append(leaf, row.session_id, tags, rules)

    def _append_of_session(self, leaf: Leaf, session_id: str, rules: Iterable[str] = ()) -> None:
        """Append an entry about a session, which finds it if it is stored; the session's newest event leads lists from
        the entry to the session, for as long as that one is known.
        """
        found = self._execute(_EVENT_OF_SESSION, (session_id,)).fetchone()
        row = self._event(found[0]) if found else None
        if row is not None:
            leaf["source"] = row.source
            if row.session is not None:
                leaf["session"] = row.session
            leaf["facts"] = {**leaf.get("facts", {}), "newest_event": row.event_id}
        # an erased person's session is looked up by nothing that this would leave behind
        self._ledger.append(leaf, session_id if row is not None and row.key is not None else None, rules=rules)

    def _count(self, state: ActionState, becomes: ActionState) -> None:
        """An action went from one state to another."""
        self._ledger.tally("actions", state, -1)
        self._ledger.tally("actions", becomes, 1)

    def _next_ordinal(self, row: EventRow) -> int:
        if row.actions is None:
            row.actions = self._execute(_ACTIONS_OF_EVENT, actions_of(row.event_id)).fetchone()[0]
        row.actions += 1
        return row.actions - 1


def actions_of(event_id: str) -> tuple[str, str]:
    """Between which identifiers those of an event's actions lie (see receiver/ids.py): first included, last not."""
    first = action_id(event_id, 0).removesuffix("0")
    return first, first[:-1] + chr(ord(first[-1]) + 1)


def session_mark(key: SubjectKey | None, session_id: str | None) -> str | None:
    """A session as it stands in leaves; None without one, or where the key that salts it is gone."""
    if key is None or session_id is None:
        return None
    return session_hash(key.session_salt(session_id), session_id)


def class_key(key: SubjectKey | None, *, biometric: int | bool) -> Sealer | None:
    """The key of a class of a subject's data; None once it was destroyed."""
    return key.biometric if key is not None and biometric else key


def unsealed_json(key: Sealer | None, sealed: bytes | None, place: bytes) -> Any:
    """The JSON value that was sealed; None where it was erased or dropped."""
    plain = key.unseal(sealed, place) if key is not None else None
    return None if plain is None else json.loads(plain)
