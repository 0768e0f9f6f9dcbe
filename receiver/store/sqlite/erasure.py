"""Erasing a person: the keys, the rows that lead to the person, and what was sealed for them.

Theory of operation. The keys go first: they are committed in keys.db before the main database commits, together with a
note of what has to follow. Without them nothing sealed can be read, whatever happens next. The main database's half
needs no more than the random ref, so that whoever opens the store after a crash in between can do it
(`finish_erasures`). What stays is what names nobody: entries, and the columns that repeat them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from receiver.audit.leaf import Leaf
from receiver.contract import ActionState
from receiver.errors import Conflict, NotFound
from receiver.store.documents import iso
from receiver.store.shapes import Erased, Extent, Person
from receiver.store.sqlite.lanes import elect
from receiver.store.sqlite.places import erasure_place, params_place
from receiver.store.sqlite.queue import Queue
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.unit import EventRow, class_key, session_mark, unsealed_json
from receiver.store.vault import Held

REASON: Final = "person erased"

_EVENTS = "SELECT n FROM event WHERE subject_ref = ?1"
_ACTIONS = f"SELECT n FROM action WHERE event_n IN ({_EVENTS})"  # noqa: S608  # constants, here and below
_REF_OF_SESSION = "SELECT DISTINCT subject_ref FROM event WHERE session_id = ?"
_HELD = "SELECT n, at FROM hold WHERE ref = ? AND released_at IS NULL ORDER BY n LIMIT 1"
_SESSIONS = "SELECT DISTINCT source, session_id FROM event WHERE subject_ref = ? AND session_id IS NOT NULL"
_UNFINISHED = (
    "SELECT a.n, a.action_id, e.event_id, a.name, a.rule, a.state, a.lane, a.attempt FROM event AS e"
    " JOIN action AS a ON a.event_n = e.n WHERE e.subject_ref = ? AND a.biometric >= ?"
    " AND a.state IN ('planned', 'running', 'waiting_retry', 'awaiting_approval') ORDER BY a.n"
)
_REJECT = (
    "UPDATE action SET state = 'rejected', reason = ?, finished_at = ?, owner = NULL, due = NULL, ready = 0 WHERE n = ?"
)
_END_ATTEMPT = "UPDATE attempt SET ended_at = ?, outcome = 'lost' WHERE action_n = ? AND outcome IS NULL"
_DONE = (
    "SELECT e.source, e.session_id, a.action_id, a.name, a.params, a.biometric FROM event AS e"
    " JOIN action AS a ON a.event_n = e.n WHERE e.subject_ref = ? AND a.state = 'done' AND e.session_id IS NOT NULL"
)
_DROP_DONE = "DELETE FROM done WHERE same = ? AND action_id = ?"
_DROP_DONE_OF = "DELETE FROM done WHERE action_id = ?"
_DROP_SESSION = "DELETE FROM session WHERE source = ? AND session_id = ? AND subject_ref = ?"
# Where another person's events stay, the session's status is what these gave it.
_LEFT = "event WHERE event.session_id = ?2 AND event.source = ?1 AND subject_ref <> ?3 AND parent_id IS NULL"
_SET_STATUS_BACK = (
    f"UPDATE session SET status = (SELECT event.status FROM {_LEFT} AND event.status IS NOT NULL"  # noqa: S608
    " ORDER BY event.occurred_at DESC, event.n DESC LIMIT 1) WHERE source = ?1 AND session_id = ?2"
    f" AND NOT EXISTS (SELECT 1 FROM {_LEFT} AND event.status = session.status)"
)
_DROP_LABELS = (
    "DELETE FROM label WHERE session_id = ?2 AND source = ?1 AND NOT EXISTS"
    " (SELECT 1 FROM event WHERE event.session_id = ?2 AND event.source = ?1 AND subject_ref <> ?3)"
)
# A session may be of several persons: what is about another's event stays, and what is about the session and has the
# other's mark.
_DROP_FINDING = (
    "DELETE FROM session_ref WHERE session_id = ?1 AND NOT EXISTS (SELECT 1 FROM entry LEFT JOIN event USING (event_id)"
    " WHERE entry.idx = session_ref.idx AND (event.subject_ref <> ?2 OR (entry.event_id IS NULL AND ?3 IS NOT NULL"
    " AND json_extract(CAST(entry.leaf AS TEXT), '$.session') IS NOT ?3"
    " AND EXISTS (SELECT 1 FROM event AS other WHERE other.session_id = ?1 AND other.subject_ref <> ?2))))"
)
_DROP_ECHOES = f"DELETE FROM echo WHERE action_id IN (SELECT action_id FROM action WHERE n IN ({_ACTIONS}))"  # noqa: S608

# What is sealed, and what strangers' words may stand in.
_CLEAR_ALL: Final = (
    ("payloads", f"UPDATE payload SET body = NULL, document = NULL, biometric = NULL WHERE n IN ({_EVENTS})"),  # noqa: S608
    ("decisions", f"UPDATE decision SET document = NULL WHERE event_n IN ({_EVENTS})"),  # noqa: S608
    ("attempts", f"UPDATE attempt SET result = NULL, reason = NULL WHERE action_n IN ({_ACTIONS})"),  # noqa: S608
    ("deeds", f"UPDATE deed SET reason = NULL WHERE action_n IN ({_ACTIONS})"),  # noqa: S608
    ("reviews", f"UPDATE review SET reason = NULL, note = NULL WHERE event_n IN ({_EVENTS})"),  # noqa: S608
    ("holds", "UPDATE hold SET reason = NULL WHERE ref = ?1"),
)
_CLEAR_BIOMETRIC: Final = (
    (
        "payloads",  # one that was sealed before the parts had keys of their own goes whole
        (
            "UPDATE payload SET body = NULL, biometric = NULL, document = CASE WHEN parted THEN document END"  # noqa: S608
            f" WHERE n IN ({_EVENTS})"
        ),
    ),
    (
        "attempts",
        f"UPDATE attempt SET result = NULL WHERE action_n IN ({_ACTIONS} AND action.biometric)",  # noqa: S608
    ),
    ("actions", f"UPDATE action SET params = NULL WHERE biometric AND event_n IN ({_EVENTS})"),  # noqa: S608
)
# One row each: an update of several, in a table with a unique column, opens a journal of its own, which was measured to
# take longer with each one in the same job.
_CLEAR_ROWS: Final = (
    (
        "actions",
        _ACTIONS,
        (
            "UPDATE action SET params = NULL, reason = CASE WHEN reason = 'person erased' THEN reason END,"
            " lane = (SELECT event_id FROM event WHERE event.n = event_n) WHERE n = ?"
        ),
    ),
    ("events", _EVENTS, "UPDATE event SET session_id = NULL, lane = event_id WHERE n = ?"),
)
_CLEAR: Final = {"all": _CLEAR_ALL, "biometric": _CLEAR_BIOMETRIC}
_HAS_CONTENTS = (
    "SELECT EXISTS (SELECT 1 FROM event JOIN payload USING (n) WHERE subject_ref = ?"
    " AND coalesce(body, document) IS NOT NULL)"
)
_KNOWN = "SELECT 1 FROM erasure WHERE ref = ? AND extent = ? AND at = ?"
_ADD_ERASURE = "INSERT INTO erasure VALUES (?, ?, ?, ?, ?)"
_OVERWRITE = "PRAGMA secure_delete = {}"


class Erasure(Queue):
    """The writes that erase."""

    def find_person(self, subject: str | None, session_id: str | None, extent: Extent) -> Person:
        """Who is to be erased, by the sender's name for the person or by a session. Raises NotFound; Conflict where a
        session is of several persons.
        """
        if subject is not None:
            key, at = self._vault.find(subject), self._vault.erased_at(subject, extent)
            if key is None and at is None:
                raise NotFound("nothing is kept of a person of this name; --session finds one by a session")
            return self._person(key, at)
        refs = [row[0] for row in self._execute(_REF_OF_SESSION, (storable(session_id),))]
        if not refs:
            raise NotFound("no session of this id; once its person is erased, no session leads there any more")
        if len(refs) > 1:
            raise Conflict("several persons have events of this session; name the person instead")
        return self._person(self._vault.held(refs[0]), None, refs[0])

    def erase(self, ref: bytes, extent: Extent, actor: str, at: int, reason: str) -> Erased:
        """Erase a person, or what is biometric of one. Raises Conflict while a legal hold stands.

        The bytes are overwritten in the database; `Store.scrub` cuts them from its logs. Nothing may fail after this in
        the same job: the keys are not given back.
        """
        self._refuse_held(ref)
        erased = self._forget(ref, extent, actor, at, reason)
        subject = self._vault.destroy(ref, extent)
        self._vault.note_erasure(subject or b"", ref, extent, at, actor)
        return erased

    def try_erasure(self, ref: bytes, extent: Extent, actor: str, at: int) -> Erased:
        """What erasing would do, undone again. Raises Conflict while a legal hold stands."""
        self._refuse_held(ref)
        mark = self._ledger.mark()
        self._execute("SAVEPOINT trial")
        try:
            return self._forget(ref, extent, actor, at, "")
        finally:
            self._execute("ROLLBACK TO trial")
            self._execute("RELEASE trial")
            self._ledger.rewind(mark)

    def finish_erasures(self) -> int:
        """Follow what was destroyed in keys.db; gives how many are still open. Ask again until there is none: one is
        closed only after what follows it was committed.
        """
        found = self._vault.open_erasures()
        for each in found:
            if self._execute(_KNOWN, (each.ref, each.extent, each.at)).fetchone():
                self._vault.close_erasure(each)
            else:
                self._forget(each.ref, each.extent, each.actor, each.at, "")
        return len(found)

    def _person(self, key: Held | None, erased_at: int | None, ref: bytes | None = None) -> Person:
        ref = key.ref if key is not None else ref
        kept = key is not None or (ref is not None and self._has_contents(ref))  # a key may be gone without an erasure
        return Person(
            ref=ref,
            personal=kept,
            biometric=key.biometric if key is not None else kept,
            erased_at=erased_at,
        )

    def _has_contents(self, ref: bytes) -> bool:
        return bool(self._execute(_HAS_CONTENTS, (ref,)).fetchone()[0])

    def _refuse_held(self, ref: bytes) -> None:
        held = self._execute(_HELD, (ref,)).fetchone()
        if held is not None:
            raise Conflict(f"legal hold {held[0]} of {iso(held[1])} stands on this person; release it first")

    def _forget(self, ref: bytes, extent: Extent, actor: str, at: int, reason: str) -> Erased:
        """The main database's half."""
        with self._overwriting():
            counts = self._empty(ref, extent, at)
        return self._note(ref, extent, actor, at, reason, counts)

    @contextmanager
    def _overwriting(self) -> Iterator[None]:
        """What is deleted is overwritten too."""
        self._execute(_OVERWRITE.format("ON"))
        try:
            yield
        finally:
            self._execute(_OVERWRITE.format("OFF"))

    def _empty(self, ref: bytes, extent: Extent, at: int) -> dict[str, int]:
        counts = {"unfinished_actions": self._reject_unfinished(ref, extent, at)}
        if extent == "all":
            counts |= self._drop_lookups(ref)
        for name, sql in _CLEAR[extent]:
            counts[name] = self._execute(sql, (ref,)).rowcount
        for name, which, sql in _CLEAR_ROWS if extent == "all" else ():
            rows = self._execute(which, (ref,)).fetchall()
            self._connection.executemany(sql, rows)
            counts[name] = len(rows)
        return counts

    def _reject_unfinished(self, ref: bytes, extent: Extent, at: int) -> int:
        """Actions that cannot run any more. A call in flight ends without leaving anything: its attempt is over."""
        least = 1 if extent == "biometric" else 0
        found = self._execute(_UNFINISHED, (ref, least)).fetchall()
        for n, action_id, event_id, name, rule, state, lane, attempt in found:
            self._execute(_REJECT, (REASON, at, n))
            self._execute(_END_ATTEMPT, (at, n))
            row = self._event(event_id)  # no session leads any more to a person who is erased altogether
            row = replace(row, session_id=None) if extent == "all" else row
            self._reject_entry(row, action_id, name, rule, state, attempt, at)
            elect(self._connection, self._ledger, lane)
        return len(found)

    def _reject_entry(
        self, row: EventRow, action_id: str, name: str, rule: str, state: ActionState, attempt: int, at: int
    ) -> None:
        self._count(state, "rejected")
        leaf: Leaf = {"at": at, "kind": "action", "actor": "erasure", "outcome": "rejected", "action_id": action_id}
        leaf["type"], leaf["rule"], leaf["facts"] = name, rule, {"reason": "erased"}
        if state == "running":
            leaf["attempt"] = attempt
        self._append(row, leaf, rules=(rule,))

    def _drop_lookups(self, ref: bytes) -> dict[str, int]:
        """The rows that lead from a session to the person, or say what was done for them."""
        sessions = self._execute(_SESSIONS, (ref,)).fetchall()
        self._forget_done(ref)
        key = self._vault.readable(ref)
        counts = {"sessions": len(sessions), "labels": 0, "lookups": 0}
        for source, session_id in sessions:
            self._execute(_DROP_SESSION, (source, session_id, ref))
            self._execute(_SET_STATUS_BACK, (source, session_id, ref))
            counts["labels"] += self._execute(_DROP_LABELS, (source, session_id, ref)).rowcount
            counts["lookups"] += self._execute(_DROP_FINDING, (session_id, ref, session_mark(key, session_id))).rowcount
        self._ledger.unfind({session_id for _, session_id in sessions})
        counts["echoes"] = self._execute(_DROP_ECHOES, (ref,)).rowcount
        return counts

    def _forget_done(self, ref: bytes) -> None:
        """That an action was done for a session is kept under a keyed hash of what it did."""
        key = self._vault.readable(ref)
        for source, session_id, action_id, name, sealed, biometric in self._execute(_DONE, (ref,)).fetchall():
            params = unsealed_json(class_key(key, biometric=biometric), sealed, params_place(action_id))
            if params is not None:
                self._execute(_DROP_DONE, (self._sameness(source, session_id, name, params), action_id))
            else:
                self._execute(_DROP_DONE_OF, (action_id,))

    def _note(self, ref: bytes, extent: Extent, actor: str, at: int, reason: str, counts: dict[str, int]) -> Erased:
        idx, facts = self._ledger.size, {"subject": ref.hex(), "class": extent}
        sealed = self._vault.house.seal(reason.encode(), erasure_place(ref, at)) if reason else None
        leaf: Leaf = {"at": at, "kind": "erasure", "actor": actor, "outcome": "erased"}
        leaf["facts"] = facts | {name: str(count) for name, count in counts.items()}
        if sealed is not None:
            leaf["body"] = {"reason": hashlib.sha256(sealed).hexdigest()}
        self._ledger.append(leaf)
        self._ledger.sign = True  # what is gone is accounted for by what is signed, and nothing else
        values: tuple[Any, ...] = (ref, extent, at, idx, sealed)
        self._execute(_ADD_ERASURE, values)
        return Erased(ref, idx, counts)
