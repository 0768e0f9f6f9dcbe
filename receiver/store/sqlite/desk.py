"""Writes of people and of the house itself: deeds on actions and cases, rejects, notes, policy versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, cast

from receiver.audit.leaf import Leaf
from receiver.contract import ActionState
from receiver.errors import Conflict, NotFound
from receiver.store.documents import dump
from receiver.store.shapes import Reject
from receiver.store.sqlite.lanes import elect
from receiver.store.sqlite.places import deed_place, review_place
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.unit import Unit

_ACTION = (
    "SELECT action.n, event_id, action.lane, name, rule, state, attempt FROM action JOIN event ON event.n = event_n"
    " WHERE action_id = ?"
)
_RUN_ANEW = (
    "UPDATE action SET state = 'planned', reason = NULL, finished_at = NULL, due = ?, run_at = ?, spent = 0 WHERE n = ?"
)
_FORGET_ECHO = "DELETE FROM echo WHERE action_id = ?"
_GIVE_UP = (
    "UPDATE action SET state = 'rejected', reason = ?, finished_at = ?, owner = NULL, due = NULL, ready = 0 WHERE n = ?"
)
_ADD_DEED = "INSERT INTO deed VALUES (?, ?, ?, ?, ?)"
_REVIEW = "SELECT review.n, event_id, queue, state FROM review JOIN event ON event.n = event_n WHERE review_id = ?"
_RESOLVE = "UPDATE review SET state = 'resolved', resolved_at = ?, resolved_by = ?, note = ? WHERE n = ?"
_ADD_REJECT = "INSERT INTO reject (at, source, client, reason, body_bytes) VALUES (?, ?, ?, ?, ?)"
_TRIM_REJECTS = "DELETE FROM reject WHERE n <= (SELECT max(n) FROM reject) - ?"
_ADD_POLICY = "INSERT OR IGNORE INTO policy VALUES (?, ?, ?, ?, ?)"
_PROBE = "UPDATE meta SET value = 1 - value WHERE name = 'probe'"

_DONE = {"retry": "retried", "discard": "discarded", "approve": "approved", "reject": "rejected"}
_LONGEST = 500  # characters of a reject's text, which a stranger chose
_LONGEST_ID = 100
_RETRIABLE: tuple[ActionState, ...] = ("failed", "dead", "waiting_retry")
# not a running one: its call is in flight, and the next of its session must not start beside it
_DISCARDABLE: tuple[ActionState, ...] = ("planned", "waiting_retry", "awaiting_approval", "failed", "dead")


class _Action(NamedTuple):
    """A row of `_ACTION`."""

    n: int
    event_id: str
    lane: str
    name: str
    rule: str
    state: ActionState
    attempt: int


class Desk(Unit):
    """The writes of people, and what stands in the record for itself."""

    rejects_kept: int

    def retry_action(self, action_id: str, actor: str, at: int, reason: str = "") -> None:
        """A person sends a `failed`, `dead` or `waiting_retry` action again: a fresh run, its attempts and its age
        counted anew. Raises NotFound, Conflict.
        """
        action = self._action(action_id, _RETRIABLE, "be sent again")
        self._execute(_FORGET_ECHO, (action_id,))
        self._run_anew(action_id, action, at)
        self._note_deed("retry", action_id, action, actor, at, reason)

    def discard_action(self, action_id: str, actor: str, at: int, reason: str) -> None:
        """A person gives up an unfinished, failed or dead action: it becomes `rejected`. Raises NotFound, and Conflict
        also while an attempt is running.
        """
        self._give_up("discard", action_id, self._action(action_id, _DISCARDABLE, "be discarded"), actor, at, reason)

    def approve_action(self, action_id: str, actor: str, at: int, reason: str) -> None:
        """A person lets an `awaiting_approval` action run; its age counts from now. Raises NotFound, Conflict."""
        action = self._action(action_id, ("awaiting_approval",), "be approved")
        self._run_anew(action_id, action, at)
        self._note_deed("approve", action_id, action, actor, at, reason)

    def reject_action(self, action_id: str, actor: str, at: int, reason: str) -> None:
        """A person forbids an `awaiting_approval` action. Raises NotFound, Conflict."""
        action = self._action(action_id, ("awaiting_approval",), "be rejected")
        self._give_up("reject", action_id, action, actor, at, reason)

    def resolve_review(self, review_id: str, actor: str, at: int, resolution: str, note: str) -> None:
        """A person closes a case. Raises NotFound, Conflict."""
        found = self._execute(_REVIEW, (review_id,)).fetchone()
        if found is None:
            raise NotFound(f"no review {review_id}")
        n, event_id, queue, state = found
        if state != "open":
            raise Conflict(f"review {review_id} is {state} already")
        row = self._event(event_id)
        said = {"resolution": resolution, "note": note}  # both are people's own words, and may name somebody
        sealed = row.key.seal(dump(said), review_place(review_id, "note")) if row.key is not None else None
        self._execute(_RESOLVE, (at, storable(actor), sealed, n))
        self._ledger.tally("reviews_open", queue, -1)
        leaf: Leaf = {"at": at, "kind": "operator", "actor": actor, "outcome": "resolved"}
        leaf["facts"] = {"act": "resolve", "review_id": review_id}
        self._append(row, leaf, {"note": sealed})

    def add_rejects(self, rejects: Sequence[Reject]) -> None:
        """Keep refused deliveries; the oldest beyond the bound go."""
        for reject in rejects:
            source, reason = storable(reject.source[:_LONGEST]), storable(reject.reason[:_LONGEST])
            client = storable(reject.client[:_LONGEST]) if reject.client is not None else None
            self._execute(_ADD_REJECT, (reject.at, source, client, reason, reject.body_bytes))
        self._execute(_TRIM_REJECTS, (self.rejects_kept,))

    def add_note(self, kind: str, actor: str, at: int, facts: Mapping[str, str], session_id: str | None = None) -> None:
        """Append an entry that stands for itself: a policy taken into use, an export, a start, a call by hand.

        `facts` stand in the leaf for good, so they name no person. Facts called `event_id`, `action_id`, `rule`,
        `outcome`, `source` or `policy_sha256` are also what the entry is found by, and so are the `action` and its
        `call`. So is the session, if it is stored: a leaf has its salted hash only.
        """
        leaf: Leaf = {"at": at, "kind": kind, "actor": actor, "facts": dict(facts)}
        for name in _COLUMNS & facts.keys():
            leaf[cast("_Column", name)] = storable(facts[name])[:_LONGEST_ID]
        if "call" in facts and "action" in facts:
            leaf["action_id"], leaf["type"] = facts["call"], storable(facts["action"])[:_LONGEST_ID]
        rules = (facts["rule"],) if "rule" in facts else ()
        if session_id is not None:
            self._append_of_session(leaf, storable(session_id), rules)
        else:
            self._ledger.append(leaf, rules=rules)

    def add_policy(self, sha256: str, name: str, text: str, author: str | None, at: int) -> bool:
        """Keep a policy version; False if it was known already. Taking it into use is a note of its own."""
        added = self._execute(_ADD_POLICY, (sha256, storable(name), storable(text), storable(author), at))
        return added.rowcount > 0

    def ask_checkpoint(self) -> None:
        """Have the commit that this job belongs to signed, however short a time ago the last one was."""
        self._ledger.sign = True

    def probe(self) -> None:
        """Write something that leaves no trace: it fails where nothing could be written."""
        self._execute(_PROBE)

    def _action(self, action_id: str, allowed: tuple[ActionState, ...], what: str) -> _Action:
        found = self._execute(_ACTION, (action_id,)).fetchone()
        if found is None:
            raise NotFound(f"no action {action_id}")
        action = _Action(*found)
        if action.state not in allowed:
            raise Conflict(f"action {action_id} is {action.state}: only {', '.join(allowed)} can {what}")
        return action

    def _run_anew(self, action_id: str, action: _Action, at: int) -> None:
        self._execute(_RUN_ANEW, (at, at, action.n))
        self._count(action.state, "planned")
        elect(self._connection, self._ledger, action.lane)

    def _give_up(self, act: str, action_id: str, action: _Action, actor: str, at: int, reason: str) -> None:
        self._execute(_GIVE_UP, (storable(f"{_DONE[act]} by {actor}"), at, action.n))  # the words of why are sealed
        self._count(action.state, "rejected")
        elect(self._connection, self._ledger, action.lane)
        self._note_deed(act, action_id, action, actor, at, reason)

    def _note_deed(self, act: str, action_id: str, action: _Action, actor: str, at: int, reason: str) -> None:
        """Keep who did what to an action, and why: the reason sealed, as it may name somebody."""
        row, sealed = self._event(action.event_id), None
        if reason and row.key is not None:
            sealed = row.key.seal(dump(reason), deed_place(action_id, act, at))
        self._execute(_ADD_DEED, (action.n, at, storable(actor), act, sealed))
        leaf: Leaf = {"at": at, "kind": "operator", "actor": actor, "outcome": _DONE[act], "action_id": action_id}
        leaf["type"], leaf["rule"], leaf["facts"] = action.name, action.rule, {"act": act}
        self._append(row, leaf, {"reason": sealed}, rules=(action.rule,))


_Column = Literal["event_id", "action_id", "rule", "outcome", "source", "policy_sha256"]
_COLUMNS = frozenset(("event_id", "action_id", "rule", "outcome", "source", "policy_sha256"))
