"""From a search of the record to SQL. Values are always parameters.

Entries are read from the newest down (or the oldest up), so that a page costs what is read for it and not what fits the
search in all. What is read: the postings of a session, tag or rule where a term names one; of those, or of all entries,
only the blocks of 64 that have every word that the search asks for (`words.py`), unless the postings are few; of those,
only the days that the running counts (`rollups.py`) name for a tag or rule with an outcome. Times become bounds on the
index through the hours' first and last entries. Every term is also a condition on the entry, so that all of this only
narrows. A statement reads many scattered blocks.
"""

from __future__ import annotations

import json
import re
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from receiver.audit.search import Between, Created, Is, Search, Term, Text
from receiver.store.sqlite.ledger import MS_PER_HOUR
from receiver.store.sqlite.rollups import KINDS
from receiver.store.sqlite.text import storable
from receiver.store.sqlite.words import BLOCK_BITS, Word, is_identifier

Value: TypeAlias = str | int | bytes
Span: TypeAlias = tuple[int, int]  # first and last index, both included
Look: TypeAlias = Callable[..., list[sqlite3.Row]]
"""Runs a statement with its values: for what must be known before the query can be made."""

FEW: Final = 1000  # postings, or blocks: so many are looked at one by one
COMMON: Final = 4000  # blocks: where postings lead, a word that is in so many leaves out too few
NEARBY: Final = 64  # blocks at the end where a search begins: what is common is found there
FAR: Final = 128  # blocks of a window: from such a one on, the days are asked for
FARTHER: Final = 512  # the same, where words narrow already
PIECE: Final = 1024  # entries of short spans that one statement reads
_GUARDS: Final = 3  # texts that a leaf is looked through for before it is read as JSON
NEVER: Final = (1 << 63) - 1  # an index that no entry has

_POSTINGS: Final = {  # key: (table, column)
    "session": ("session_ref", "session_id"),
    "tag": ("entry_tag", "tag"),
    "rule": ("entry_rule", "rule"),
    "fact": ("entry_fact", "value"),
}
_COLUMNS: Final = {  # key of a word: the column of the entry that repeats it
    "kind": "e.kind",
    "actor": "e.actor",
    "type": "e.type",
    "outcome": "e.outcome",
    "policy": "e.policy_sha256",
    "source": "e.source",
}
_LEAF: Final = {"status": "status", "attempt": "attempt", "http": "http_status"}  # key of a word: member of the leaf
_TEXTS: Final = ("tag", "rule", "type", "outcome", "actor", "source", "kind", "status", "fact")
_ACTION_ID = re.compile(r"act_(.+)_[0-9]+\Z")
_PLAIN = re.compile(r"[A-Za-z0-9 _.-]*")

_OUTCOME = "e.outcome = ?"
_LIKE = r"LIKE ? ESCAPE '\'"
_POLICY = (
    "(value BETWEEN ? AND ? || 'g' OR value IN (SELECT sha256 FROM policy WHERE name = ?))"  # first digits, or name
)
_OF_ACTION = (
    "e.idx IN (SELECT idx FROM entry WHERE event_id = ? AND action_id = ?"
    " UNION ALL SELECT idx FROM entry WHERE event_id IS NULL AND action_id = ?)"
)
_OF_SUBJECT = "e.event_id IN (SELECT event_id FROM event WHERE subject_ref = ?)"
_FIRST = "(SELECT min(first_idx) FROM entry_hour WHERE hour >= ?)"
_BLOCKS = "SELECT block FROM word_block WHERE key = ? AND value = ? AND block BETWEEN ? AND ?"
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM word_block WHERE key = ? AND value = ? LIMIT ?)"
_HAVE = (
    "SELECT j.value FROM json_each(?) AS j"
    " WHERE EXISTS (SELECT 1 FROM word_block WHERE key = ? AND word_block.value = ? AND block = j.value)"
)
_LAST = "(SELECT max(last_idx) FROM entry_hour WHERE hour <= ?)"
_ENDS = "SELECT (SELECT min(hour) FROM entry_hour) / 24, (SELECT max(hour) FROM entry_hour) / 24"
_DAYS = (
    "SELECT value FROM json_each(?) AS d"
    " WHERE EXISTS (SELECT 1 FROM rollup WHERE kind = ? AND day = d.value AND rollup.key = ? AND outcome = ?)"
)
_HOURS = (
    "SELECT min(first_idx), max(last_idx) FROM json_each(?) AS s"
    " CROSS JOIN entry_hour ON hour BETWEEN s.value ->> 0 AND s.value ->> 1 GROUP BY s.key"
)
_SPANS = "json_each(?) AS s CROSS JOIN "
_IN_SPANS = "BETWEEN s.value ->> 0 AND s.value ->> 1"


@dataclass(slots=True)
class Query:
    """Pieces of a SELECT over entries, called `e`. It is run piece by piece: `pieces` gives which, `piece` how."""

    tables: str = "entry AS e"
    index: str = "e.idx"
    conditions: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    low: int = 0  # the first index that an entry may have
    high: int = NEVER  # the last
    words: list[tuple[Word, ...]] = field(default_factory=list)  # one of each is in a block that is read; rarest first
    counted: tuple[str, str, str] | None = None  # the running count that every entry is in: kind, key and outcome

    def where(self, condition: str, *values: Value) -> None:
        """One more condition."""
        self.conditions.append(condition)
        self.values.extend(values)

    def sql(self, columns: str, tail: str = "") -> str:
        """The statement over one span; what it takes after `values` are the span's bounds."""
        conditions = " AND ".join([*self.conditions, f"{self.index} BETWEEN ? AND ?"])
        return f"SELECT {columns} FROM {self.tables} WHERE {conditions}{tail}"  # noqa: S608  # constants of this file

    def piece(self, columns: str, tail: str, spans: Sequence[Span]) -> tuple[str, list[Value]]:
        """The statement over the spans of a piece, and its values but for those of `tail`."""
        if len(spans) == 1:
            return self.sql(columns, tail), [*self.values, *spans[0]]
        conditions = " AND ".join([*self.conditions, f"{self.index} {_IN_SPANS}"])
        sql = f"SELECT {columns} FROM {_SPANS}{self.tables} WHERE {conditions}{tail}"  # noqa: S608  # constants
        return sql, [json.dumps(spans), *self.values]

    def order(self, *, ascending: bool) -> str:
        """ORDER BY the index."""
        return f" ORDER BY {self.index} {'ASC' if ascending else 'DESC'}"

    def pieces(self, look: Look, *, ascending: bool = False) -> Iterator[list[Span]]:
        """Which entries to read, in order, in pieces: a long span, whose reading can stop in the middle, or some short
        ones.
        """
        piece, length = list[Span](), 0
        for span in self._spans(look, ascending=ascending):
            more = span[1] - span[0] + 1
            if piece and length + more > PIECE:
                yield piece
                piece, length = [], 0
            piece.append(span)
            length += more
            if length >= PIECE:
                yield piece
                piece, length = [], 0
        if piece:
            yield piece

    def _spans(self, look: Look, *, ascending: bool) -> Iterator[Span]:
        newest = look("SELECT max(idx) FROM entry")[0][0]
        if self.low > self.high or newest is None:
            return
        if not self.words and self.counted is None:
            yield self.low, self.high
            return
        days, far = None, FARTHER if self.words else FAR
        for window in _windows(self.low, min(self.high, newest), ascending=ascending):
            if days is None and self.counted is not None and window[1] - window[0] >= far:
                days = _days(self.counted, look)
            for low, high in self._of_window(window, days, look, ascending=ascending):
                if max(self.low, low) <= min(self.high, high):
                    yield max(self.low, low), min(self.high, high)

    def _of_window(self, window: Span, days: list[Span] | None, look: Look, *, ascending: bool) -> Iterable[Span]:
        whole = window[0] << BLOCK_BITS, ((window[1] + 1) << BLOCK_BITS) - 1
        if not self.words:
            cut = [whole] if days is None else [_both(whole, day) for day in days]
            return sorted(cut, reverse=not ascending)
        blocks = _blocks(self.words[0], look, window)
        if days is not None:
            blocks = _within(blocks, days)
        for words in self.words[1:]:
            blocks = _narrowed(blocks, words, look)
        return _runs(sorted(blocks, reverse=not ascending))


def _days(counted: tuple[str, str, str], look: Look) -> list[Span]:
    """The entries of the days that have one of this tag or rule with this outcome; all, where those are many days."""
    first, last = look(_ENDS)[0]
    days = [row[0] for row in look(_DAYS, json.dumps(list(range(first, last + 1))), *counted)]
    if 4 * len(days) > last - first:
        return [(0, NEVER)]
    hours = [(24 * first, 24 * last + 23) for first, last in _merged((day, day) for day in days)]
    return _merged(look(_HOURS, json.dumps(hours)))


def _merged(spans: Iterable[Sequence[int]]) -> list[Span]:
    """In order, and none over another: the clocks of writers may disagree where a day ends."""
    merged: list[Span] = []
    for first, last in sorted((span[0], span[1]) for span in spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return merged


def _both(one: Span, other: Span) -> Span:
    """What both spans have; none where the first is after the last."""
    return max(one[0], other[0]), min(one[1], other[1])


def _within(blocks: set[int], days: Sequence[Span]) -> set[int]:
    """Those of the blocks that have an entry of one of the days."""
    firsts = [first >> BLOCK_BITS for first, _ in days]
    lasts = [last >> BLOCK_BITS for _, last in days]
    found = {}
    for block in blocks:
        at = bisect_right(firsts, block) - 1
        found[block] = at >= 0 and block <= lasts[at]
    return {block for block, inside in found.items() if inside}


def _windows(low: int, high: int, *, ascending: bool) -> Iterator[tuple[int, int]]:
    """The blocks from one end to the other, in growing pieces: a word that is everywhere is looked up nearby only."""
    first, last, size = low >> BLOCK_BITS, high >> BLOCK_BITS, NEARBY
    while first <= last:
        if ascending:
            yield first, min(last, first + size - 1)
            first += size
        else:
            yield max(first, last - size + 1), last
            last -= size
        size *= 4


def _runs(blocks: Sequence[int]) -> Iterator[Span]:
    """Neighbours together: the entries of each run, in the order given."""
    first: int | None = None
    for at, block in enumerate(blocks):
        first = block if first is None else first
        if at + 1 == len(blocks) or abs(blocks[at + 1] - block) != 1:
            yield min(first, block) << BLOCK_BITS, ((max(first, block) + 1) << BLOCK_BITS) - 1
            first = None


def _blocks(words: Sequence[Word], look: Look, window: tuple[int, int]) -> set[int]:
    """The blocks that have one of the words."""
    found: set[int] = set()
    for key, value in words:
        if key in _POSTINGS:
            table, column = _POSTINGS[key]
            some = f"SELECT DISTINCT idx >> {BLOCK_BITS} FROM {table} WHERE {column} = ? AND idx BETWEEN ? AND ?"  # noqa: S608
            rows = look(some, value, window[0] << BLOCK_BITS, ((window[1] + 1) << BLOCK_BITS) - 1)
        else:
            rows = look(_BLOCKS, key, value, *window)
        found.update(row[0] for row in rows)
    return found


def _narrowed(blocks: set[int], words: Sequence[Word], look: Look) -> set[int]:
    """Those of the blocks that have one of the words. Of many, all: entries that fit cannot be rare there."""
    if not blocks or len(blocks) > FEW or len(words) > _GUARDS:
        return blocks
    found: set[int] = set()
    listed = json.dumps(list(blocks))
    for key, value in words:
        table, column = _POSTINGS.get(key, ("", ""))
        if table:
            has = (
                f"{table} WHERE {column} = ?2 AND idx BETWEEN value << {BLOCK_BITS} AND (value + 1 << {BLOCK_BITS}) - 1"
            )
            rows = look(f"SELECT value FROM json_each(?1) WHERE EXISTS (SELECT 1 FROM {has})", listed, value)  # noqa: S608
        else:
            rows = look(_HAVE, listed, key, value)
        found.update(row[0] for row in rows)
    return found


@dataclass(frozen=True, slots=True)
class _Condition:
    """A term as a condition on `e`. `words` are those of which an entry that fits has one; None: cannot be said."""

    sql: str
    values: tuple[Value, ...] = ()
    words: tuple[Word, ...] | None = None
    few: bool = False  # an index of its own finds the few entries that fit


def build(search: Search, look: Look, subject: Callable[[str], bytes | None], span: tuple[int, int]) -> Query:
    """The query of a search over the entries of a span of the index, first and last included. `subject` gives the
    reference of a person.
    """
    terms = [_posting(term, look) for term in search.terms if not _is_idx(term) or term.negated]
    postings = [term for term in terms if isinstance(term, Is) and term.key in _POSTINGS and not term.negated]
    conditions = {term: _condition(term, look, subject) for term in terms if term not in postings}
    positive = [condition for term, condition in conditions.items() if not term.negated]
    query = Query()
    query.low, query.high = _bounds(search, look, span)
    leader = None
    if not any(condition.few for condition in positive):
        leader = _lead(query, look, postings, [*positive, *_complements(terms, look)])
    for posting in postings:
        if posting is not leader:
            query.where(_has(posting.key), storable(posting.value))
    for term, condition in conditions.items():
        _add(query, term, condition)
    return query


def _posting(term: Term, look: Look) -> Term:
    """A text that only one tag, rule or fact has is a search for that one."""
    if not isinstance(term, Text) or term.negated:
        return term
    words = _words(term.value, look)
    return Is(*words[0]) if len(words) == 1 and words[0][0] in _POSTINGS else term


def _add(query: Query, term: Term, condition: _Condition) -> None:
    """An entry that has not what the term asks about does not fit it, and fits its negation."""
    query.where(f"NOT coalesce({condition.sql}, 0)" if term.negated else condition.sql, *condition.values)


def _is_idx(term: Term) -> bool:
    return isinstance(term, Between) and term.key == "idx"


def static(search: Search) -> Query:
    """The query of a search that anybody can run later: without what only today's record tells. Raises ValueError for
    a search by person, whom only keys can name.
    """
    query = Query()
    for term in search.terms:
        if isinstance(term, Is) and term.key == "subject":
            raise ValueError("a search by subject needs the keys")
        _add(query, term, _condition(term, None, lambda _: None))
    return query


def _bounds(search: Search, look: Look, span: tuple[int, int]) -> tuple[int, int]:
    """The first and the last index that an entry may have, by times, indexes and the cursor."""
    low, high = span
    for term in search.terms:
        if term.negated:
            continue
        if isinstance(term, Between) and term.key == "idx":
            low, high = max(low, _range(term)[0]), min(high, _range(term)[1])
        elif isinstance(term, Created):  # exact, also where the clocks of writers disagree
            if term.since is not None:
                first = look(f"SELECT {_FIRST}", term.since // MS_PER_HOUR)[0][0]
                low = NEVER if first is None else max(low, first)
            if term.until is not None:
                last = look(f"SELECT {_LAST}", (term.until - 1) // MS_PER_HOUR)[0][0]
                high = -1 if last is None else min(high, last)
    return low, high


def _lead(query: Query, look: Look, postings: list[Is], conditions: list[_Condition]) -> Is | None:
    """Have the rarest postings lead, and leave out blocks without a word; gives the term whose postings lead."""
    counted = [(_postings(term, look, query), at) for at, term in enumerate(postings)]
    number, at = min(counted, default=(FEW, 0))
    if number >= FEW:
        words = [condition.words for condition in conditions if condition.words is not None]
        rarest = sorted((_rarity(some, look), some) for some in words)
        query.words = [some for rarity, some in rarest if not postings or rarity < COMMON]
        if query.words and postings:
            query.words.append(((postings[at].key, storable(postings[at].value)),))
    if not postings:
        return None
    outcomes = [condition.values[0] for condition in conditions if condition.sql == _OUTCOME]
    if outcomes and postings[at].key in KINDS and number >= FEW:
        query.counted = postings[at].key, storable(postings[at].value), str(outcomes[0])
    table, column = _POSTINGS[postings[at].key]
    query.tables, query.index = f"{table} AS l CROSS JOIN entry AS e ON e.idx = l.idx", "l.idx"  # CROSS: in this order
    query.where(f"l.{column} = ?", storable(postings[at].value))
    return postings[at]


def _rarity(words: Sequence[Word], look: Look) -> int:
    """In how many blocks one of the words is, roughly: tags and rules have no such count, and go last."""
    if any(key in _POSTINGS for key, _ in words):
        return COMMON
    return sum(int(look(_COUNT, *word, COMMON)[0][0]) for word in words)


def _postings(term: Is, look: Look, query: Query) -> int:
    table, column = _POSTINGS[term.key]
    some = f"SELECT 1 FROM {table} WHERE {column} = ? AND idx BETWEEN ? AND ? LIMIT {FEW}"  # noqa: S608  # constants
    return int(look(f"SELECT count(*) FROM ({some})", storable(term.value), query.low, query.high)[0][0])  # noqa: S608


def _has(key: str) -> str:
    table, column = _POSTINGS[key]
    return f"EXISTS (SELECT 1 FROM {table} AS x WHERE x.{column} = ? AND x.idx = e.idx)"  # noqa: S608  # constants


def _complements(terms: list[Term], look: Look) -> list[_Condition]:
    """What `-kind:` and `-actor:` leave: every entry has one, so it has one of the others."""
    found = []
    for key in ("kind", "actor"):
        barred = [storable(term.value) for term in terms if isinstance(term, Is) and term.key == key and term.negated]
        if barred:
            rows = look("SELECT value FROM word WHERE key = ?", key)
            found.append(_Condition("", words=tuple((key, row[0]) for row in rows if row[0] not in barred)))
    return found


def _condition(term: Term, look: Look | None, subject: Callable[[str], bytes | None]) -> _Condition:
    """A term as it stands, not negated. Without `look`, from the entry alone."""
    if isinstance(term, Created):
        since, until = term.since, term.until
        return _Condition("e.at >= ? AND e.at < ?", (since if since is not None else -NEVER, until or NEVER))
    if isinstance(term, Text):
        return _text(term.value, look)
    if isinstance(term, Between):
        return _number(term, look) if term.key in _LEAF else _Condition("e.idx BETWEEN ? AND ?", _range(term))
    value = storable(term.value)
    if term.key in _POSTINGS:
        return _Condition(_has(term.key), (value,))
    if term.key == "event":
        return _Condition("e.event_id = ?", (value,), few=True)
    if term.key == "subject":
        return _Condition(_OF_SUBJECT, (subject(term.value) or b"",), few=True)
    if term.key == "action":
        return _action(value)
    if term.key == "policy":
        return _policy(value, look)
    if term.key == "status":
        guard = b'"status":"' + (_PLAIN.match(value) or [""])[0].encode()
        return _Condition(f"{_member('status')} = ?", (guard, value), ((term.key, value),))
    return _Condition(f"{_COLUMNS[term.key]} = ?", (value,), ((term.key, value),))


def _action(value: str) -> _Condition:
    """By its identifier, which holds that of its event; or by its name."""
    found = _ACTION_ID.match(value)
    if found:
        return _Condition(_OF_ACTION, (f"evt_{found[1]}", value, value), few=True)
    return _Condition("e.action_id IS NOT NULL AND e.type = ?", (value,), (("type", value),))


def _policy(value: str, look: Look | None) -> _Condition:
    if look is None:
        return _Condition(_POLICY.replace("value", "e.policy_sha256"), (value,) * 3)
    known = look(f"SELECT value FROM word WHERE key = 'policy' AND {_POLICY}", value, value, value)  # noqa: S608
    return _among("policy", [row[0] for row in known])


def _number(term: Between, look: Look | None) -> _Condition:
    low, high = _range(term)
    guard = f'"{_LEAF[term.key]}":'.encode()
    if look is None:
        return _Condition(f"{_member(_LEAF[term.key])} BETWEEN ? AND ?", (guard, low, high))
    known = look("SELECT value FROM word WHERE key = ? AND CAST(value AS INT) BETWEEN ? AND ?", term.key, low, high)
    guards = [guard + row[0].encode() for row in known] if len(known) <= _GUARDS else [guard]
    some = " OR ".join("instr(e.leaf, ?)" for _ in guards) or "0"
    exact = _member(_LEAF[term.key]).removeprefix("instr(e.leaf, ?) AND ")
    words = tuple((term.key, row[0]) for row in known)
    return _Condition(f"e.action_id IS NOT NULL AND ({some}) AND {exact} BETWEEN ? AND ?", (*guards, low, high), words)


def _range(term: Between) -> tuple[int, int]:
    return term.low or 0, NEVER if term.high is None else term.high


def _member(name: str) -> str:
    """A member of the leaf; the first parameter is bytes that stand in every leaf that has it."""
    return f"instr(e.leaf, ?) AND json_extract(CAST(e.leaf AS TEXT), '$.{name}')"


def _like(text: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", storable(text)) + "%"


def _words(text: str, look: Look) -> list[Word]:
    """The words that have a text in them; an identifier, which is no word, is a fact as a whole."""
    keys = ", ".join(f"'{key}'" for key in _TEXTS)
    rows = look(f"SELECT key, value FROM word WHERE key IN ({keys}) AND value {_LIKE}", _like(text))  # noqa: S608
    return [*((row[0], row[1]) for row in rows), *([("fact", storable(text))] if is_identifier(text) else [])]


def _text(text: str, look: Look | None) -> _Condition:
    if look is None:
        return _plain_text(_like(text))
    words, found = _words(text, look), dict[str, list[str]]()
    for key, value in words:
        found.setdefault(key, []).append(value)
    parts = [_among(key, values) for key, values in found.items()]
    either = " OR ".join(part.sql for part in parts)
    return _Condition(f"({either or '0'})", tuple(value for part in parts for value in part.values), tuple(words))


def _plain_text(like: str) -> _Condition:
    columns = [f"{_COLUMNS[key]} {_LIKE}" for key in ("type", "outcome", "actor", "source", "kind")]
    members = (
        "EXISTS (SELECT 1 FROM json_tree(CAST(e.leaf AS TEXT)) AS f WHERE f.path IN ('$.tags', '$.rules', '$.facts')"
    )
    tree = f"{members} AND f.value {_LIKE})"
    return _Condition(f"({' OR '.join([*columns, f'e.rule {_LIKE}', tree])})", (like,) * 7)


def _among(key: str, values: list[str]) -> _Condition:
    """The entry has one of these words."""
    listed, words = json.dumps(values), tuple((key, value) for value in values)
    some = "IN (SELECT value FROM json_each(?))"
    if key in _POSTINGS:
        table, column = _POSTINGS[key]
        has = f"EXISTS (SELECT 1 FROM {table} AS x WHERE x.{column} {some} AND x.idx = e.idx)"  # noqa: S608  # constants
        return _Condition(has, (listed,), words)
    if key == "status":
        return _Condition(f"{_member('status')} {some}", (b'"status":', listed), words)
    return _Condition(f"{_COLUMNS[key]} {some}", (listed,), words)
