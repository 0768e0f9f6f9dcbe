"""Stored events as values again, with the decisions that stand: what a simulation reads. Many at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from pydantic_core import from_json

from receiver.contract import Decision, Event, Mode, PlannedAction, PolicyRef, RuleTrace
from receiver.policy.recall import PastEvent, Recalled
from receiver.store.sqlite.places import body_place, decision_place, document_place, params_place
from receiver.store.sqlite.unit import actions_of
from receiver.store.vault import SubjectKey, Vault

_PAST = (
    "SELECT e.n, e.event_id, e.received_at, e.occurred_at, e.depth, e.subject_ref, p.document,"
    " CASE WHEN ? THEN p.body END AS body, d.at, d.policy, d.policy_sha256, d.mode, d.outcome, d.status, d.rules_fired,"
    " d.rules_undecided, d.rules_shadow, d.document"
    " FROM event AS e LEFT JOIN payload AS p USING (n) LEFT JOIN decision AS d"
    " ON ? AND d.n = (SELECT max(newest.n) FROM decision AS newest WHERE newest.event_n = e.n)"
    " WHERE e.n > ? AND e.received_at >= ? AND e.received_at < ? ORDER BY e.n LIMIT ?"
)
_COUNT = "SELECT count(*) FROM event WHERE received_at >= ? AND received_at < ?"
# `planned_at` is the time of the decision that planned it: an event that was decided again has actions of several
_ACTIONS = (
    "SELECT action_id, name, rule, once, state, reason, params,"
    " EXISTS (SELECT 1 FROM deed WHERE action_n = action.n AND act IN ('approve', 'reject')) AS asked"
    " FROM action WHERE action_id >= ? AND action_id < ? AND planned_at = ? ORDER BY n"
)
_HELD_BY_LIMIT: Final = "over the rule's limit"  # what the recorder writes: the policy itself planned it
_DRY_RUN: Final = "dry run"  # likewise


class _Decided(NamedTuple):
    """The columns of a decision; all are None where there is none, or it is not asked for."""

    at: int | None
    policy: str
    policy_sha256: str
    mode: Mode
    outcome: Literal["decided", "undecided", "echo"]
    status: str | None
    rules_fired: str
    rules_undecided: str | None
    rules_shadow: str | None
    document: bytes | None

    def in_short(self, actions: tuple[PlannedAction, ...]) -> Decision:
        """The decision as the columns tell it."""
        fired = [RuleTrace(rule, True, self.mode, 0, ()) for rule in json.loads(self.rules_fired)]
        shadow = [RuleTrace(rule, True, "shadow", 0, ()) for rule in json.loads(self.rules_shadow or "[]")]
        undecided = [RuleTrace(rule, None, self.mode, 0, ()) for rule in json.loads(self.rules_undecided or "[]")]
        ref = PolicyRef(self.policy, self.policy_sha256, self.mode)
        return Decision(self.outcome, ref, self.status, (*fired, *shadow, *undecided), actions)


_State = Literal["planned", "awaiting_approval", "skipped"]


class Past:
    """Reads in the view of a reader. Without `raw` the payloads, without `decided` the decisions stay sealed."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault, *, raw: bool = True, decided: bool = True) -> None:
        self._connection = connection
        self._vault = vault
        self._raw = raw
        self._decided = decided

    def events(self, after: int, limit: int, since: int, until: int) -> list[PastEvent]:
        """The next so many events after a place; times in Unix milliseconds."""
        values = (self._raw, self._decided, after, since, until, limit)
        return [self._event(row) for row in self._connection.execute(_PAST, values).fetchall()]

    def count(self, since: int, until: int) -> int:
        """How many events were received from `since` to before `until`."""
        return int(self._connection.execute(_COUNT, (since, until)).fetchone()[0])

    def _event(self, row: sqlite3.Row) -> PastEvent:
        n, event_id, received_at, occurred_at, depth, ref, document, body, *decided = row
        key = self._vault.of_ref(ref)
        if key is None:
            return PastEvent(n, event_id, received_at, None, None)
        kept = _unsealed(key, document, document_place(event_id))
        raw = _unsealed(key, body, body_place(event_id)) if self._raw else {}
        event = None
        if kept is not None and raw is not None:
            event = Event(kept["document"], raw, occurred_at, kept["dedupe_key"], kept["action"], kept["result"], depth)
        return PastEvent(n, event_id, received_at, event, self._decision(key, event_id, _Decided(*decided)))

    def _decision(self, key: SubjectKey, event_id: str, row: _Decided) -> Recalled | None:
        at, sealed = row.at, row.document
        if at is None or sealed is None:
            return None
        load = partial(_unsealed, key, sealed, decision_place(event_id, at))
        actions = self._planned(key, event_id, at)
        if row.rules_undecided is None:
            document = load()
            return None if document is None else Recalled.of(document, actions)
        return Recalled(row.in_short(tuple(actions)), load)

    def _planned(self, key: SubjectKey, event_id: str, at: int) -> Iterator[PlannedAction]:
        """The actions of a decision, in the states that the policy gave them."""
        for row in self._connection.execute(_ACTIONS, (*actions_of(event_id), at)):
            action_id, name, rule, once, state, reason, params, asked = row
            started = _started(state, reason, asked=bool(asked))
            values = _unsealed(key, params, params_place(action_id)) or {}
            yield PlannedAction(name, rule, values, started, reason if started != "planned" else None, once)


def _started(state: str, reason: str | None, *, asked: bool) -> _State:
    """The state an action began in. What was held back by a limit or a dry run is taken as planned."""
    if state == "skipped":
        return "planned" if reason == _DRY_RUN else "skipped"
    if asked or (state == "awaiting_approval" and not (reason or "").startswith(_HELD_BY_LIMIT)):
        return "awaiting_approval"
    return "planned"


def _unsealed(key: SubjectKey, sealed: bytes | None, place: bytes) -> Any:
    """The JSON value that was sealed; None where it was erased or dropped."""
    plain = key.unseal(sealed, place)
    if plain is None:
        return None
    try:
        return from_json(plain)
    except ValueError:  # lone surrogates, which only escapes can spell
        return json.loads(plain)
