"""Reading what belongs together, for `receiver/audit/families.py`: deeds, attempts, sessions, policies."""

# ruff: noqa: S608  # statements made of constants

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

_ATTEMPT = "CASE WHEN json_valid(CAST(y.leaf AS TEXT)) THEN json_extract(CAST(y.leaf AS TEXT), '$.attempt') END"
_DEEDS = (
    "SELECT x.idx, d.at, d.act, d.actor FROM json_each(?) AS j CROSS JOIN entry AS x ON x.idx = j.value"
    " JOIN action AS a ON a.action_id = x.action_id JOIN deed AS d ON d.action_n = a.n"
)
# An attempt has an entry of its own, unless it runs, or goes on waiting for what an earlier one waited for; or its
# event began before all that is kept.
_TOLD = (
    "(EXISTS (SELECT 1 FROM entry AS y WHERE y.event_id = e.event_id AND y.action_id = a.action_id AND y.kind ="
    f" 'action' AND ({_ATTEMPT} = t.n OR t.outcome = 'retry' AND NOT t.spent AND t.n <= a.attempt AND y.outcome ="
    f" 'waiting_retry' AND {_ATTEMPT} < t.n)) OR (t.outcome IS NULL AND a.state = 'running' AND a.attempt = t.n)"
    " OR NOT EXISTS (SELECT 1 FROM entry AS y WHERE y.event_id = e.event_id AND y.kind = 'event'))"
)
_TELLS = (
    f"SELECT {_TOLD} FROM entry AS x JOIN action AS a ON a.action_id = x.action_id JOIN event AS e ON e.n = a.event_n"
    " JOIN attempt AS t ON t.action_n = a.n WHERE x.idx = ? AND t.n = ?"
)
# Of an action that ended by itself, an entry tells that is held against its attempts.
_STRAY_ATTEMPTS = (
    "SELECT a.action_id, t.n FROM attempt AS t CROSS JOIN action AS a ON a.n = t.action_n JOIN event AS e ON"
    f" e.n = a.event_n WHERE a.state NOT IN ('done', 'noop', 'failed', 'dead') AND NOT {_TOLD} LIMIT 60"
)
_STRAY_STATUSES = (
    "SELECT (SELECT event_id FROM event AS e WHERE e.session_id = s.session_id LIMIT 1) FROM session AS s"
    " WHERE s.status IS NOT NULL AND NOT EXISTS (SELECT 1 FROM event AS e WHERE e.session_id = s.session_id"
    " AND e.source = s.source AND e.status = s.status AND e.parent_id IS NULL) LIMIT 60"
)
_SAID = "CASE WHEN json_valid(CAST(x.leaf AS TEXT)) THEN json_extract(CAST(x.leaf AS TEXT), '$.facts.name') END"
_POLICIES_TAKEN = (
    f"SELECT p.sha256, p.name, p.at, {_SAID}, x.at FROM policy AS p JOIN entry AS x ON x.idx = (SELECT min(y.idx) FROM"
    " entry AS y WHERE y.policy_sha256 = p.sha256 AND y.kind = 'policy')"
)


class Families:
    """The part of a view that tells what belongs together."""

    _execute: Any

    def deeds(self, entries: Collection[int]) -> Iterator[tuple[int, Any, Any, Any]]:
        """What people did to the actions of these entries: the entry, then when, what and who."""
        found: Iterator[tuple[int, Any, Any, Any]] = self._execute(_DEEDS, (json.dumps([*entries]),))
        return found

    def tells_of_attempt(self, idx: int, n: Any) -> bool:
        """Whether an entry tells of this attempt of the entry's action, or it needs none: it runs, or waits on."""
        row = self._execute(_TELLS, (idx, n)).fetchone()
        return row is not None and bool(row[0])

    def stray_attempts(self) -> list[tuple[Any, Any]]:
        """Attempts of actions that have not ended, of which no entry tells: action, number."""
        found: list[tuple[Any, Any]] = self._execute(_STRAY_ATTEMPTS).fetchall()
        return found

    def stray_statuses(self) -> list[Any]:
        """Sessions whose status none of their events gave them, by one of their events."""
        return [event_id for (event_id,) in self._execute(_STRAY_STATUSES)]

    def policies_taken(self) -> Iterator[tuple[str, Any, Any, Any, Any]]:
        """Policy versions: hash, name and time; and what the first entry says that took it into use."""
        found: Iterator[tuple[str, Any, Any, Any, Any]] = self._execute(_POLICIES_TAKEN)
        return found
