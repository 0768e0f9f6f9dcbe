"""Counts of entries by UTC day, one thing (tag, rule, status, kind or source) and outcome: the table `rollup`.

Kept in the entries' transaction: one statement for each distinct key of a batch.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from receiver.store.sqlite.words import Place, decoded, of_leaf

MS_PER_DAY: Final = 86_400_000
KINDS: Final = ("tag", "rule", "status", "kind", "source")

_ADD = (
    "INSERT INTO rollup VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, day, key, outcome) DO UPDATE SET n = n + excluded.n"
)
_DROP_EMPTY = "DELETE FROM rollup WHERE kind = ? AND day = ? AND key = ? AND outcome = ? AND n <= 0"
_SOURCE = "coalesce(e.source, '')"
_COLUMNS = "SELECT ?, e.at / 86400000, {}, coalesce(e.outcome, ''), count(*) FROM "
_GROUPED = " BETWEEN ? AND ? GROUP BY 2, 3, 4"
_OF_ENTRIES = {
    "kind": f"{_COLUMNS.format('e.kind')} entry AS e WHERE e.idx {_GROUPED}",
    "source": f"{_COLUMNS.format(_SOURCE)} entry AS e WHERE e.idx {_GROUPED}",
}
_FOUND_BY = {
    kind: f"{_COLUMNS.format(f'x.{kind}')} entry_{kind} AS x CROSS JOIN entry AS e ON e.idx = x.idx"
    f" WHERE x.{kind} = ? AND x.idx {_GROUPED}"
    for kind in ("tag", "rule")
}
_HAVE_STATUS = (
    "SELECT at / 86400000, coalesce(outcome, ''), leaf FROM entry WHERE idx BETWEEN ? AND ? AND instr(leaf, ?)"
)
_WORDS = "SELECT value FROM word WHERE key = ?"
_ALL: Final = (0, (1 << 63) - 1)


def write(
    connection: sqlite3.Connection,
    entries: Sequence[tuple[Any, ...]],
    tags: Iterable[tuple[str, int]],
    rules: Iterable[tuple[str, int]],
    others: Iterable[Place],
) -> None:
    """Count entries, as rows of the table `entry`, with the tags and rules that they are found by; `others` are words
    that no column holds.
    """
    counts: Counter[tuple[str, int, str, str]] = Counter()
    place = {}
    for row in entries:
        day, outcome = place[row[0]] = row[2] // MS_PER_DAY, row[9] or ""
        counts["kind", day, row[3], outcome] += 1
        counts["source", day, row[11] or "", outcome] += 1
    for kind, found_by in (("tag", tags), ("rule", rules)):
        for key, index in set(found_by):  # an entry counts once, however often it says the same
            day, outcome = place[index]
            counts[kind, day, key, outcome] += 1
    for name, value, index in others:
        if name == "status":
            day, outcome = place[index]
            counts[name, day, value, outcome] += 1
    connection.executemany(_ADD, [(*key, n) for key, n in counts.items()])


def fill(connection: sqlite3.Connection) -> None:
    """Count a record that was begun before counts were kept."""
    _move(connection, *_ALL, 1)


def take_off(connection: sqlite3.Connection, first: int, last: int) -> None:
    """Uncount entries that are about to be dropped: from `first` to `last`, both included."""
    moved = _move(connection, first, last, -1)
    connection.executemany(_DROP_EMPTY, moved)


def _move(connection: sqlite3.Connection, first: int, last: int, sign: int) -> list[tuple[Any, ...]]:
    """Gives the keys of the counts that it moved."""
    rows = [row for kind, sql in _OF_ENTRIES.items() for row in connection.execute(sql, (kind, first, last))]
    for kind, sql in _FOUND_BY.items():
        for (word,) in connection.execute(_WORDS, (kind,)).fetchall():
            rows += connection.execute(sql, (kind, word, first, last)).fetchall()
    rows += _statuses(connection, first, last)
    connection.executemany(_ADD, [(*row[:4], sign * row[4]) for row in rows])
    return [tuple(row[:4]) for row in rows]


def _statuses(connection: sqlite3.Connection, first: int, last: int) -> list[tuple[Any, ...]]:
    counts: Counter[tuple[int, str, str]] = Counter()
    for day, outcome, leaf in connection.execute(_HAVE_STATUS, (first, last, b'"status":')):
        counts.update((day, value, outcome) for key, value in of_leaf(decoded(leaf)) if key == "status")
    return [("status", *key, n) for key, n in counts.items()]
