"""From a search of the record to SQL. Values are always parameters.

The first term that a table finds entries by (session, tag or rule) leads, and is read from its newest entry down; the
other terms are asked of each entry. So a page costs what is read for it, not what fits the search in all. Times are
narrowed to the entries of their hours first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from receiver.audit.search import Created, Is, Search, Term
from receiver.store.sqlite.ledger import MS_PER_HOUR
from receiver.store.sqlite.text import storable

_FOUND_BY: Final = {  # key: (table, column)
    "session": ("session_ref", "session_id"),
    "tag": ("entry_tag", "tag"),
    "rule": ("entry_rule", "rule"),
}
_SINGLE: Final = {  # key: condition on the entry
    "outcome": "e.outcome = ?",
    "action": "e.action_id IS NOT NULL AND (e.action_id = ? OR e.type = ?)",
    "actor": "e.actor = ?",
    "kind": "e.kind = ?",
    "policy": (
        "(e.policy_sha256 BETWEEN ? AND ? || 'g'"  # by the first digits of the hash, or by name
        " OR e.policy_sha256 IN (SELECT sha256 FROM policy WHERE name = ?))"
    ),
    "source": "e.source = ?",
    "event": "e.event_id = ?",
}


@dataclass(slots=True)
class Query:
    """Pieces of a SELECT over entries, called `e`."""

    tables: str = "entry AS e"
    index: str = "e.idx"  # what to sort by and to compare cursors with
    conditions: list[str] = field(default_factory=list)
    values: list[str | int] = field(default_factory=list)

    def where(self, condition: str, *values: str | int) -> None:
        """One more condition."""
        self.conditions.append(condition)
        self.values.extend(values)

    def sql(self, columns: str, tail: str = "") -> str:
        """The statement."""
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"SELECT {columns} FROM {self.tables}{where}{tail}"  # noqa: S608  # all pieces are constants of this file


def build(search: Search) -> Query:
    """The query of a search."""
    query = Query()
    leader = next((term for term in search.terms if _leads(term)), None)
    if isinstance(leader, Is):
        table, column = _FOUND_BY[leader.key]
        query.tables = f"{table} AS l CROSS JOIN entry AS e ON e.idx = l.idx"  # CROSS: l is read first
        query.index = "l.idx"
        query.where(f"l.{column} = ?", storable(leader.value))
    for term in search.terms:
        if isinstance(term, Created):
            _add_created(query, term)
        elif term is not leader:
            _add_is(query, term)
    return query


def _leads(term: Term) -> bool:
    return isinstance(term, Is) and term.key in _FOUND_BY and not term.negated


def _add_is(query: Query, term: Is) -> None:
    value = storable(term.value)
    if term.key in _FOUND_BY:
        table, column = _FOUND_BY[term.key]
        condition = f"EXISTS (SELECT 1 FROM {table} AS x WHERE x.{column} = ? AND x.idx = e.idx)"  # noqa: S608  # constants
    else:
        condition = _SINGLE[term.key]
    if term.negated:
        condition = f"NOT coalesce({condition}, 0)"  # an entry without the column does not fit the term
    query.where(condition, *[value] * condition.count("?"))


def _add_created(query: Query, term: Created) -> None:
    bounds, values = [], []
    if term.since is not None:
        bounds.append("e.at >= ?")
        values.append(term.since)
    if term.until is not None:
        bounds.append("e.at < ?")
        values.append(term.until)
    within = f"({' AND '.join(bounds)})"
    query.where(f"NOT {within}" if term.negated else within, *values)
    if not term.negated:
        _narrow(query, term)


def _narrow(query: Query, term: Created) -> None:
    """To the entries of the hours that the span touches: exact, also where clocks of writers disagree."""
    if term.since is not None:
        first = f"{query.index} >= (SELECT min(first_idx) FROM entry_hour WHERE hour >= ?)"  # noqa: S608  # constants
        query.where(first, term.since // MS_PER_HOUR)
    if term.until is not None:
        last = f"{query.index} <= (SELECT max(last_idx) FROM entry_hour WHERE hour <= ?)"  # noqa: S608  # constants
        query.where(last, (term.until - 1) // MS_PER_HOUR)
