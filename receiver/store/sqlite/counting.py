"""Counting entries by day and by what they have: from the rollups where they can tell, else entry by entry."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, Final

from receiver.audit.search import Created, Is, Search
from receiver.contract import JsonObject
from receiver.errors import Unusable
from receiver.store.sqlite.conditions import STATUS_GUARD
from receiver.store.sqlite.rollups import KINDS, MS_PER_DAY
from receiver.store.sqlite.search import Query
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.words import Look
from receiver.suggestion import suggestion

BY: Final = ("day", "outcome", *KINDS)

_DAYS: Final = (-(1 << 62), 1 << 62)
_PER_ENTRY: Final = {
    "day": "p.at / 86400000",
    "outcome": "coalesce(p.outcome, '')",
    "kind": "p.kind",
    "source": "coalesce(p.source, '')",
    "status": "p.status",
    "tag": "t.tag",
    "rule": "r.rule",
}
_STATUS: Final = (
    f", CASE WHEN CAST(e.leaf AS TEXT) GLOB '{STATUS_GUARD}'"
    " THEN json_extract(CAST(e.leaf AS TEXT), '$.status') END AS status"
)
_EACH: Final = {
    "tag": " JOIN entry_tag AS t ON t.idx = p.idx",
    "rule": " JOIN entry_rule AS r ON r.idx = p.idx",
}


def count(
    search: Search, by: Sequence[str], look: Look, query: Callable[[], Query], most: int | None
) -> tuple[list[JsonObject], bool]:
    """How many entries fit, by the names given in order; and whether none was left out. Raises Unusable."""
    for name in by:
        if name not in BY:
            raise Unusable(f"cannot count by {name!r}{suggestion(name, BY)}")
    names = tuple(dict.fromkeys(by))
    rolled = _rolled_up(search, names)
    if rolled is not None:
        return _documents(names, [json.loads(column) for column in look(*rolled)[0]]), True
    return _scanned(names, look, query(), most)


def _rolled_up(search: Search, names: tuple[str, ...]) -> tuple[Any, ...] | None:
    """The statement over the rollups, with its values; None where they cannot tell. It gives one row, each column of
    which is a JSON array: a year by day and tag has 10,000 counts, and as many rows would take twice the time.

    A row of theirs knows a day, an outcome and one thing: what asks for two things at once has to look at entries.
    """
    kinds = {name for name in names if name in KINDS}
    conditions, values = [], list[str | int]()
    for term in search.terms:
        if term.negated:
            return None
        if isinstance(term, Created) and (days := _whole_days(term)) is not None:
            conditions.append("day BETWEEN ? AND ?")
            values += days
        elif isinstance(term, Is) and (term.key in KINDS or term.key == "outcome"):
            kinds |= {term.key} & set(KINDS)
            conditions.append("outcome = ?" if term.key == "outcome" else "key = ?")
            values.append(storable(term.value))
        else:
            return None
    if len(kinds) > 1 or sum(condition == "key = ?" for condition in conditions) > 1:
        return None
    columns = [name if name in ("day", "outcome") else "key" for name in names]
    grouped = f" GROUP BY {', '.join(columns)} ORDER BY {', '.join(columns)}" if names else ""
    where = " AND ".join(["kind = ?", *conditions])
    counted = f"SELECT {', '.join([*columns, 'sum(n) AS entries'])} FROM rollup WHERE {where}{grouped}"  # noqa: S608  # constants
    arrays = ", ".join(f"json_group_array({column})" for column in (*columns, "entries"))
    return f"SELECT {arrays} FROM ({counted})", next(iter(kinds), "kind"), *values  # noqa: S608  # constants


def _whole_days(term: Created) -> tuple[int, int] | None:
    since, until = term.since, term.until
    if (since or 0) % MS_PER_DAY or (until or 0) % MS_PER_DAY:
        return None
    first = _DAYS[0] if since is None else since // MS_PER_DAY
    return first, _DAYS[1] if until is None else until // MS_PER_DAY - 1


def _scanned(names: tuple[str, ...], look: Look, query: Query, most: int | None) -> tuple[list[JsonObject], bool]:
    """Entry by entry, the newest first; one with several tags counts under each."""
    taken = f"e.idx, e.at, e.outcome, e.kind, e.source{_STATUS if 'status' in names else ''}"
    columns = "".join(f"{_PER_ENTRY[name]}, " for name in names)
    joined = "".join(_EACH.get(name, "") for name in names)
    joined += " WHERE p.status IS NOT NULL" if "status" in names else ""
    grouped = f" GROUP BY {', '.join(str(at + 1) for at in range(len(names)))}" if names else ""
    looked_at = f"SELECT {'NULL, ' * len(names)}count(*) FROM p"  # noqa: S608  # constants
    whole = f"WITH p AS ({{}}) SELECT {columns}count(*) FROM p{joined}{grouped} UNION ALL {looked_at}"  # noqa: S608  # constants
    counts: Counter[tuple[Any, ...]] = Counter()
    read = 0
    for some, values in query.newest(taken, look):
        rows = look(whole.format(some), *values, -1 if most is None else most + 1 - read)
        for row in rows[:-1]:
            counts[tuple(row[: len(names)])] += row[len(names)]
        read += rows[-1][-1]  # all that were looked at, also those that have no such thing
        if most is not None and read > most:
            break
    counted = [(*key, n) for key, n in sorted(counts.items())]
    return _documents(names, [list(column) for column in zip(*counted, strict=True)]), most is None or read <= most


def _documents(names: tuple[str, ...], columns: list[list[Any]]) -> list[JsonObject]:
    """A document for each count; the last column holds the counts, which without names may be none."""
    if not columns or columns[-1] == [None]:
        return []
    for at, name in enumerate(names):
        shown = {value: _day(value) if name == "day" else value or None for value in set(columns[at])}
        columns[at] = [shown[value] for value in columns[at]]
    if len(names) == 2:
        first, second = names
        return [{first: one, second: other, "entries": n} for one, other, n in zip(*columns, strict=True)]
    keys = (*names, "entries")
    return [dict(zip(keys, row)) for row in zip(*columns)]  # noqa: B905  # twice as fast


def _day(number: Any) -> str:
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()
