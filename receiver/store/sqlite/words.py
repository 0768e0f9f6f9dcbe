"""Which values the columns of the record have, and in which blocks of 64 entries: the tables `word` and `word_block`.

An index on every column would cost each insert a tenth, and most columns have few values. A row for each value and
block costs a fraction of that, and finds rare values as fast: a block is read in about 30 microseconds. Tags, rules and
facts have tables of their own that say each entry. Leaves hold no personal data, and so neither do these tables.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from receiver.audit.leaf import Leaf
from receiver.store.sqlite.text import storable

BLOCK_BITS: Final = 6  # a block is 64 entries: a quarter of a tile
Word: TypeAlias = tuple[str, str]  # key and value
Place: TypeAlias = tuple[str, str, int]  # key, value and index of the entry
Look: TypeAlias = Callable[..., list[sqlite3.Row]]
"""Runs a statement with its values: for what must be known before a search can be made."""

POSTINGS: Final = {  # key of what has a table that says each entry: (table, column)
    "session": ("session_ref", "session_id"),
    "tag": ("entry_tag", "tag"),
    "rule": ("entry_rule", "rule"),
    "fact": ("entry_fact", "value"),
}

_COLUMNS: Final = (("kind", 3), ("actor", 4), ("type", 7), ("outcome", 9), ("policy", 10), ("source", 11))
_ADD_BLOCK = "INSERT OR IGNORE INTO word_block VALUES (?, ?, ?)"
_ADD_FACT = "INSERT OR IGNORE INTO entry_fact VALUES (?, ?)"
_ADD_WORD = "INSERT OR IGNORE INTO word VALUES (?, ?)"
_ENTRIES = "SELECT * FROM entry ORDER BY idx"
_FOUND_BY = (
    "INSERT OR IGNORE INTO word SELECT DISTINCT 'tag', tag FROM entry_tag",
    "INSERT OR IGNORE INTO word SELECT DISTINCT 'rule', rule FROM entry_rule",
)
_FILLED_AT_ONCE: Final = 65_536  # entries
_LONGEST: Final = 400  # characters
_IDENTIFIER = re.compile(r"[a-z]{2,8}_[0-9a-z]{20,}(?:_[0-9]+)?|[0-9a-f]{32,}|[0-9]{6,}")


def is_identifier(value: str) -> bool:
    """Whether a value names one thing: found whole, and not a word of the vocabulary."""
    return _IDENTIFIER.fullmatch(value) is not None


def of_leaf(leaf: Leaf) -> Iterator[Word]:
    """The words of an entry that no column holds."""
    if "status" in leaf:
        yield "status", storable(leaf["status"])
    if "attempt" in leaf:
        yield "attempt", str(leaf["attempt"])
    if "http_status" in leaf:
        yield "http", str(leaf["http_status"])
    if "facts" in leaf:
        for value in leaf["facts"].values():
            yield "fact", storable(value[:_LONGEST])


def write(
    connection: sqlite3.Connection,
    entries: Sequence[tuple[Any, ...]],
    others: Iterable[Place],
    tags: Iterable[tuple[str, int]] = (),
    rules: Iterable[tuple[str, int]] = (),
) -> None:
    """Note the words of entries, as rows of the table `entry`; `others` are words that no column holds."""
    places = {(key, row[at], row[0] >> BLOCK_BITS) for key, at in _COLUMNS for row in entries if row[at] is not None}
    facts = []
    for key, value, index in others:
        if key == "fact":
            facts.append((value, index))
        else:
            places.add((key, value, index >> BLOCK_BITS))
    words = {(key, value) for key, value, _ in places}
    words.update(("fact", value) for value, _ in facts if not is_identifier(value))
    words.update(("tag", tag) for tag, _ in tags)
    words.update(("rule", rule) for rule, _ in rules)
    connection.executemany(_ADD_BLOCK, places)
    connection.executemany(_ADD_FACT, facts)
    connection.executemany(_ADD_WORD, words)


def fill(connection: sqlite3.Connection) -> None:
    """Note the words of a record that was begun before they were kept."""
    cursor = connection.execute(_ENTRIES)
    while rows := list(islice(cursor, _FILLED_AT_ONCE)):
        write(connection, rows, ((*word, row[0]) for row in rows for word in of_leaf(decoded(row[1]))))
    for sql in _FOUND_BY:
        connection.execute(sql)


def decoded(encoded: bytes) -> Leaf:
    """The leaf of an entry. One that somebody damaged has no words; `audit verify` is who tells of it."""
    try:
        leaf: Leaf = json.loads(encoded)
    except ValueError:
        return {}
    return leaf
