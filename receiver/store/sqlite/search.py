"""From a search of the record to SQL.

Entries are read from the newest down (or the oldest up), through the postings of a session, tag or rule where a term
names one, and only where `narrowing.py` says that some may be. Times become bounds on the index through the hours'
first and last entries.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, TypeAlias

from receiver.audit.search import Between, Created, Is, Search, Term, Text
from receiver.store.sqlite.conditions import (
    OUTCOME,
    Condition,
    Subject,
    Value,
    complements,
    condition,
    has,
    number_range,
    texts_with,
)
from receiver.store.sqlite.ledger import MS_PER_HOUR
from receiver.store.sqlite.narrowing import NEVER, Narrowing, Piece, Span, share
from receiver.store.sqlite.rollups import KINDS
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.words import BLOCK_BITS, POSTINGS, Look, Word

Stream: TypeAlias = Callable[..., sqlite3.Cursor]
"""Runs a statement with its values, of which not all rows may be wanted."""

FEW: Final = 256  # postings: so many are looked at one by one
COMMON: Final = 0.5  # of the blocks: where postings lead, a word that is in so many leaves out too few
PIECE: Final = 64  # blocks, the entries of which one statement puts in order

_FIRST = "SELECT min(first_idx) FROM entry_hour WHERE hour >= ?"
_LAST = "SELECT max(last_idx) FROM entry_hour WHERE hour <= ?"
_BLOCKS = "json_each(?) AS b CROSS JOIN "
_IN_BLOCK = f"BETWEEN max(b.value << {BLOCK_BITS}, ?) AND min((b.value + 1 << {BLOCK_BITS}) - 1, ?)"


@dataclass(slots=True)
class Query:
    """Pieces of a SELECT over entries, called `e`."""

    tables: str = "entry AS e"
    index: str = "e.idx"
    conditions: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    narrowing: Narrowing = field(default_factory=Narrowing)

    def where(self, one: Condition, *, negated: bool = False) -> None:
        """One more condition. An entry that has not what it asks about does not fit it, and fits its negation."""
        self.conditions.append(f"NOT coalesce({one.sql}, 0)" if negated else one.sql)
        self.values.extend(one.values)

    def sql(self, columns: str, tail: str = "") -> str:
        """The statement over one span; what it takes after `values` are the span's bounds."""
        conditions = " AND ".join([*self.conditions, f"{self.index} BETWEEN ? AND ?"])
        return f"SELECT {columns} FROM {self.tables} WHERE {conditions}{tail}"  # noqa: S608  # constants of this file

    def order(self, *, ascending: bool) -> str:
        """ORDER BY the index."""
        return f" ORDER BY {self.index} {'ASC' if ascending else 'DESC'}"

    def page(self, columns: str, most: int, look: Look, stream: Stream, *, ascending: bool) -> list[sqlite3.Row]:
        """The first `most` rows, or a few more; columns begin with the index."""
        rows = list[sqlite3.Row]()
        tail = f"{self.order(ascending=ascending)} LIMIT ?"
        for piece in self.narrowing.pieces(look, ascending=ascending):
            wanted = most - len(rows)
            if isinstance(piece, tuple):
                rows += look(self.sql(columns, tail), *self.values, *piece, wanted)
            else:
                with closing(stream(self._over(columns), *self._of_blocks(piece))) as found:
                    rows += _first(found, wanted, ascending=ascending)
            if len(rows) >= most:
                break
        return rows

    def newest(self, columns: str, look: Look) -> Iterator[tuple[str, list[Value]]]:
        """Statements that give all rows, the newest first, each with its values but for that of its LIMIT."""
        tail = f"{self.order(ascending=False)} LIMIT ?"
        for piece in _together(self.narrowing.pieces(look)):
            if isinstance(piece, tuple):
                yield self.sql(columns, tail), [*self.values, *piece]
            else:
                yield self._over(columns, tail), self._of_blocks(piece)

    def _of_blocks(self, blocks: list[int]) -> list[Value]:
        return [json.dumps(blocks), *self.values, self.narrowing.low, self.narrowing.high]

    def _over(self, columns: str, tail: str = "") -> str:
        conditions = " AND ".join([*self.conditions, f"{self.index} {_IN_BLOCK}"])
        return f"SELECT {columns} FROM {_BLOCKS}{self.tables} WHERE {conditions}{tail}"  # noqa: S608  # constants


def _first(found: Iterator[sqlite3.Row], wanted: int, *, ascending: bool) -> list[sqlite3.Row]:
    """The first rows of many blocks. SQLite reads one block after the other as they are given, and inside of one by
    rising index; so when the newest come first, the block is read to its end, and put in order here. To have SQLite put
    them in order would cost reading all blocks.
    """
    rows = list[sqlite3.Row]()
    for row in found:
        if len(rows) >= wanted and (ascending or row[0] < rows[-1][0]):
            break
        rows.append(row)
    return sorted(rows, key=itemgetter(0), reverse=not ascending)


def _together(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same, with as many blocks in each as one statement may put in order."""
    waiting = list[int]()
    for piece in pieces:
        if isinstance(piece, list):
            waiting += piece
            while len(waiting) >= PIECE:
                yield waiting[:PIECE]
                del waiting[:PIECE]
            continue
        if waiting:
            yield waiting
            waiting = []
        yield piece
    if waiting:
        yield waiting


def build(search: Search, look: Look, subject: Subject, span: Span) -> Query:
    """The query of a search over the entries of a span of the index, first and last included. `subject` gives the
    reference of a person.
    """
    terms = [_posting(term, look) for term in search.terms if not _is_idx(term) or term.negated]
    postings = [term for term in terms if isinstance(term, Is) and term.key in POSTINGS and not term.negated]
    conditions = {term: condition(term, look, subject) for term in terms if term not in postings}
    positive = [one for term, one in conditions.items() if not term.negated]
    query = Query()
    query.narrowing.low, query.narrowing.high = _bounds(search, look, span)
    leader = None
    if not any(one.few for one in positive):
        leader = _lead(query, look, postings, [*positive, *complements(terms, look)])
    for posting in postings:
        if posting is not leader:
            query.where(has(posting))
    for term, one in conditions.items():
        query.where(one, negated=term.negated)
    return query


def static(search: Search) -> Query:
    """The query of a search that anybody can run later: without what only today's record tells. Raises ValueError for
    a search by person, whom only keys can name.
    """
    query = Query()
    for term in search.terms:
        if isinstance(term, Is) and term.key == "subject":
            raise ValueError("a search by subject needs the keys")
        query.where(condition(term, None, lambda _: None), negated=term.negated)
    return query


def _posting(term: Term, look: Look) -> Term:
    """A text that only one tag, rule or fact has is a search for that one."""
    if not isinstance(term, Text) or term.negated:
        return term
    words = texts_with(term.value, look)
    return Is(*words[0]) if len(words) == 1 and words[0][0] in POSTINGS else term


def _is_idx(term: Term) -> bool:
    return isinstance(term, Between) and term.key == "idx"


def _bounds(search: Search, look: Look, span: Span) -> Span:
    """The first and the last index that an entry may have, by times, indexes and the cursor."""
    low, high = span
    for term in search.terms:
        if term.negated:
            continue
        if isinstance(term, Between) and term.key == "idx":
            low, high = max(low, number_range(term)[0]), min(high, number_range(term)[1])
        elif isinstance(term, Created):  # exact, also where the clocks of writers disagree
            if term.since is not None:
                first = look(_FIRST, term.since // MS_PER_HOUR)[0][0]
                low = NEVER if first is None else max(low, first)
            if term.until is not None:
                last = look(_LAST, (term.until - 1) // MS_PER_HOUR)[0][0]
                high = -1 if last is None else min(high, last)
    return low, high


def _lead(query: Query, look: Look, postings: list[Is], conditions: list[Condition]) -> Is | None:
    """Have the rarest postings lead, and leave out blocks without a word; gives the term whose postings lead."""
    span, few, leader = (query.narrowing.low, query.narrowing.high), False, None
    if postings:
        ((many, _), at) = min((_number(term, span, look), at) for at, term in enumerate(postings))
        few, leader = not many, postings[at]
    if not few:
        query.narrowing.words = _rarest_first(conditions, leader, span, look)
    if leader is None:
        return None
    value = storable(leader.value)
    outcomes = [str(one.values[0]) for one in conditions if one.sql == OUTCOME]
    if outcomes and leader.key in KINDS and not few:
        query.narrowing.counted = leader.key, value, outcomes[0]
    table, column = POSTINGS[leader.key]
    query.tables, query.index = f"{table} AS l CROSS JOIN entry AS e ON e.idx = l.idx", "l.idx"  # CROSS: in this order
    query.where(Condition(f"l.{column} = ?", (value,)))
    return leader


def _rarest_first(conditions: list[Condition], leader: Is | None, span: Span, look: Look) -> list[tuple[Word, ...]]:
    words = [one.words for one in conditions if one.words is not None]
    if leader is None and len(words) < 2:
        return words
    rarest = sorted((share(some, span, look), some) for some in words)
    return [some for part, some in rarest if leader is None or part < COMMON]


def _number(term: Is, span: Span, look: Look) -> tuple[bool, int]:
    """How many postings a term has, to compare with others: whether they are many, and if not how many; if so how far
    back the newest of them reach.
    """
    table, column = POSTINGS[term.key]
    newest = f"SELECT idx FROM {table} WHERE {column} = ? AND idx BETWEEN ? AND ? ORDER BY idx DESC LIMIT {FEW}"  # noqa: S608
    number, lowest = look(f"SELECT count(*), min(idx) FROM ({newest})", storable(term.value), *span)[0]  # noqa: S608
    return (True, lowest) if number >= FEW else (False, number)
