"""Stored events as values again, with the decisions that stand: what a simulation reads. Many at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Final, Literal, NamedTuple

from pydantic_core import from_json

from receiver.contract import Decision, Event, JsonObject, Mode, PlannedAction, PolicyRef, RuleTrace
from receiver.policy.recall import PastEvent, Recalled
from receiver.store.sealing import Sealer, SubjectKey
from receiver.store.sqlite.clear import MARK
from receiver.store.sqlite.parts import join
from receiver.store.sqlite.places import biometric_place, body_place, decision_place, document_place, params_place
from receiver.store.sqlite.unit import actions_of, class_key
from receiver.store.vault import Vault

_PAST = (
    "SELECT e.n, e.event_id, e.received_at, e.occurred_at, e.depth, e.subject_ref, p.document,"
    " p.biometric, p.parted, CASE WHEN ? THEN p.body END AS body,"
    " d.at, d.policy, d.policy_sha256, d.mode, d.outcome, d.status, d.rules_fired,"
    " d.rules_undecided, d.rules_shadow, d.document AS decision"
    " FROM event AS e LEFT JOIN payload AS p USING (n) LEFT JOIN decision AS d"
    " ON ? AND d.n = (SELECT max(newest.n) FROM decision AS newest WHERE newest.event_n = e.n)"
    " WHERE e.n > ? AND e.received_at >= ? AND e.received_at < ? ORDER BY e.n LIMIT ?"
)
_COUNT = "SELECT count(*) FROM event WHERE received_at >= ? AND received_at < ?"
# Of each wanted decision: the event, between which identifiers its actions lie, and the time of the decision, which is
# that of what it planned: an event that was decided again has actions of several.
_ACTIONS = (
    "WITH wanted (event_n, first, past, at) AS (VALUES {}) SELECT wanted.event_n, a.action_id, a.name, a.rule, a.once,"
    " a.state, a.reason, a.params, a.biometric,"
    " EXISTS (SELECT 1 FROM deed WHERE action_n = a.n AND act IN ('approve', 'reject')) AS asked"
    " FROM wanted CROSS JOIN action AS a ON a.action_id >= wanted.first AND a.action_id < wanted.past"
    " AND a.planned_at = wanted.at ORDER BY a.n"
)
_HELD_BY_LIMIT: Final = "over the rule's limit"  # what the recorder writes: the policy itself planned it
_DRY_RUN: Final = "dry run"  # likewise

_State = Literal["planned", "awaiting_approval", "skipped"]
_Outcome = Literal["decided", "undecided", "echo"]


class _Row(NamedTuple):
    """An event, and from `at` on the columns of its decision: all None where there is none, or it is not asked for."""

    n: int
    event_id: str
    received_at: int
    occurred_at: int | None
    depth: int
    ref: bytes
    document: bytes | None
    biometric: bytes | None
    parted: int | None
    body: bytes | None
    at: int | None
    policy: str
    policy_sha256: str
    mode: Mode
    outcome: _Outcome
    status: str | None
    rules_fired: str
    rules_undecided: str | None
    rules_shadow: str | None
    decision: bytes | None

    @property
    def may_have_actions(self) -> bool:
        """Whether it is worth looking: rules that neither fired nor stayed undecided plan nothing."""
        if self.rules_fired == "[]" and self.rules_undecided == "[]":
            return self.rules_shadow != "[]"
        return self.at is not None

    def in_short(self, actions: tuple[PlannedAction, ...]) -> Decision:
        """The decision as the columns tell it."""
        ref = (self.policy, self.policy_sha256, self.mode)
        short = _in_short(
            self.outcome, *ref, self.status, self.rules_fired, self.rules_shadow, self.rules_undecided or "[]"
        )
        return replace(short, actions=actions) if actions else short


@lru_cache(maxsize=4096)  # events are many, what rules come to together is not
def _in_short(
    outcome: _Outcome,
    policy: str,
    sha256: str,
    mode: Mode,
    status: str | None,
    fired: str,
    shadow: str | None,
    undecided: str,
) -> Decision:
    """A decision without actions."""
    rules = (*_rules(fired, True, mode), *_rules(shadow or "[]", True, "shadow"), *_rules(undecided, None, mode))
    return Decision(outcome, PolicyRef(policy, sha256, mode), status, rules, ())


def _rules(names: str, fired: bool | None, mode: Mode) -> Iterator[RuleTrace]:
    return (RuleTrace(name, fired, mode, 0, ()) for name in json.loads(names))


class Past:
    """Reads in the view of a reader. Without `raw` the payloads, without `decided` the decisions stay sealed."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault, *, raw: bool = True, decided: bool = True) -> None:
        self._connection = connection
        self._vault = vault
        self._raw = raw
        self._decided = decided

    def events(self, after: int, limit: int, since: int, until: int) -> list[PastEvent]:
        """The next so many events after a place; times in Unix milliseconds. Their keys and actions are looked up for
        all of them at once: one by one that took as long as to read the events.
        """
        rows = [_Row(*row) for row in self._all(_PAST, (self._raw, self._decided, after, since, until, limit))]
        keys = self._vault.of_refs(row.ref for row in rows)
        planned = self._planned(rows, keys)
        return [self._event(row, keys.get(row.ref), tuple(planned.get(row.n, ()))) for row in rows]

    def count(self, since: int, until: int) -> int:
        """How many events were received from `since` to before `until`."""
        return int(self._connection.execute(_COUNT, (since, until)).fetchone()[0])

    def _all(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        cursor.row_factory = None  # plain tuples: nobody asks by name
        return cursor.execute(sql, values).fetchall()

    def _event(self, row: _Row, key: SubjectKey | None, actions: tuple[PlannedAction, ...]) -> PastEvent:
        if key is None:
            return PastEvent(row.n, row.event_id, row.received_at, None, None)
        kept = _kept(key, row)
        raw = _raw(key, row) if self._raw else {}
        event = None
        if kept is not None and raw is not None:
            known = kept["dedupe_key"], kept["action"], kept["result"]
            event = Event(kept["document"], raw, row.occurred_at, *known, row.depth)
        return PastEvent(row.n, row.event_id, row.received_at, event, _decision(key, row, actions))

    def _planned(self, rows: Iterable[_Row], keys: Mapping[bytes, SubjectKey]) -> dict[int, list[PlannedAction]]:
        """The actions of the decisions, in the states that the policy gave them, by the number of the event."""
        wanted = {row.n: row for row in rows if row.may_have_actions and row.ref in keys}
        values = [value for row in wanted.values() for value in (row.n, *actions_of(row.event_id), row.at)]
        planned: dict[int, list[PlannedAction]] = {}
        if wanted:
            for n, *action in self._all(_ACTIONS.format(", ".join(["(?, ?, ?, ?)"] * len(wanted))), values):
                planned.setdefault(n, []).append(_action(keys[wanted[n].ref], *action))
        return planned


def _raw(key: SubjectKey, row: _Row) -> Any:
    return _unsealed(class_key(key, biometric=bool(row.parted)), row.body, body_place(row.event_id))


def _kept(key: SubjectKey, row: _Row) -> Any:
    """What was sealed beside the body; None also where only the biometric part of it is gone."""
    kept = _unsealed(key, row.document, document_place(row.event_id))
    if kept is not None and "apart" in kept:
        join(kept, _unsealed(key.biometric, row.biometric, biometric_place(row.event_id)))
        return None if kept["erased"] else kept
    return kept


def _decision(key: SubjectKey, row: _Row, actions: tuple[PlannedAction, ...]) -> Recalled | None:
    if row.at is None or row.decision is None:
        return None
    load = partial(_explanation, key, row.decision, row.event_id, row.at)
    if row.rules_undecided is None or (row.status or "").startswith(MARK):  # the column has not all of it
        document = load()
        return None if document is None else Recalled.of(document, actions)
    return Recalled(row.in_short(actions), load)


def _explanation(key: SubjectKey, sealed: bytes, event_id: str, at: int) -> JsonObject | None:
    document: JsonObject | None = _unsealed(key, sealed, decision_place(event_id, at))
    return document


def _action(
    key: SubjectKey,
    action_id: str,
    name: str,
    rule: str,
    once: Literal["session", "event"],
    state: str,
    reason: str | None,
    params: bytes | None,
    biometric: int,
    asked: int,
) -> PlannedAction:
    started = _started(state, reason, asked=bool(asked))
    values = _unsealed(class_key(key, biometric=biometric), params, params_place(action_id)) or {}
    return PlannedAction(name, rule, values, started, reason if started != "planned" else None, once)


def _started(state: str, reason: str | None, *, asked: bool) -> _State:
    """The state an action began in. What was held back by a limit or a dry run is taken as planned."""
    if state == "skipped":
        return "planned" if reason == _DRY_RUN else "skipped"
    if asked or (state == "awaiting_approval" and not (reason or "").startswith(_HELD_BY_LIMIT)):
        return "awaiting_approval"
    return "planned"


def _unsealed(key: Sealer | None, sealed: bytes | None, place: bytes) -> Any:
    """The JSON value that was sealed; None where it was erased or dropped."""
    plain = key.unseal(sealed, place) if key is not None else None
    if plain is None:
        return None
    try:
        return from_json(plain)
    except ValueError:  # lone surrogates, which only escapes can spell
        return json.loads(plain)
