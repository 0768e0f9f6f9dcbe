"""Which entries a search has to read: spans of the index, in order from the newest down (or the oldest up).

They are found a piece at a time, so that a page costs what is read for it and not what fits the search in all. First
the nearest blocks (`words.py`) of the rarest thing that the search asks for; where those gave too few, only the days
that the running counts (`rollups.py`) name for a tag or rule with an outcome; and always only the blocks that have
every word asked for. Every term is also a condition on the entry, so that all of this only narrows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from receiver.store.sqlite.words import BLOCK_BITS, POSTINGS, Look, Word

Span: TypeAlias = tuple[int, int]  # first and last, both included: of the index, or of its blocks
Piece: TypeAlias = Span | list[int]  # of the index; or blocks, one after the other

NEVER: Final = (1 << 63) - 1  # an index that no entry has
NEAR: Final = 64  # blocks that a search begins with
MOST: Final = 1024  # blocks that are looked for at once
_EACH: Final = 8  # blocks of each of several words, at least
_DAYS_AT_ONCE: Final = 16
_GUARDS: Final = 3  # words: more alternatives leave out too few blocks

_NEWEST = "SELECT max(idx) FROM entry"
_NEAREST = (
    "SELECT block FROM word_block WHERE key = ? AND value = ? AND block BETWEEN ? AND ? ORDER BY block {} LIMIT ?"
)
_NEAREST_POSTINGS = (
    f"SELECT DISTINCT idx >> {BLOCK_BITS} AS block FROM {{}} WHERE {{}} = ?"  # noqa: S608
    f" AND idx BETWEEN ? << {BLOCK_BITS} AND (? + 1 << {BLOCK_BITS}) - 1 ORDER BY idx {{}} LIMIT ?"
)
_SPANS = "SELECT json_extract(value, '$[0]') AS low, json_extract(value, '$[1]') AS high FROM json_each(?)"
_AMONG = f"SELECT block FROM ({_SPANS}) CROSS JOIN word_block ON key = ? AND value = ? AND block BETWEEN low AND high"  # noqa: S608  # constants, as all here
_AMONG_POSTINGS = (
    f"SELECT DISTINCT idx >> {BLOCK_BITS} FROM ({_SPANS}) CROSS JOIN {{}} ON {{}} = ?"  # noqa: S608
    f" AND idx BETWEEN low << {BLOCK_BITS} AND (high + 1 << {BLOCK_BITS}) - 1"
)
_HAVE = (
    "SELECT j.value FROM json_each(?) AS j"
    " WHERE EXISTS (SELECT 1 FROM word_block WHERE key = ? AND word_block.value = ? AND block = j.value)"
)
_HAVE_POSTINGS = (
    "SELECT j.value FROM json_each(?) AS j WHERE EXISTS (SELECT 1 FROM {0} WHERE {0}.{1} = ?"  # noqa: S608
    f" AND idx BETWEEN j.value << {BLOCK_BITS} AND (j.value + 1 << {BLOCK_BITS}) - 1)"
)
_ENDS = "SELECT (SELECT min(hour) FROM entry_hour) / 24, (SELECT max(hour) FROM entry_hour) / 24"
_DAYS = (
    "SELECT d.value FROM json_each(?) AS d"
    " CROSS JOIN rollup ON kind = ? AND day = d.value AND rollup.key = ? AND outcome = ?"
)
_HOURS = (
    "SELECT min(first_idx), max(last_idx) FROM json_each(?) AS d"
    " CROSS JOIN entry_hour ON hour BETWEEN 24 * d.value AND 24 * d.value + 23 GROUP BY d.value"
)


@dataclass(slots=True)
class Narrowing:
    """What is known of where the entries are that a search finds."""

    low: int = 0  # the first index that an entry may have
    high: int = NEVER  # the last
    words: list[tuple[Word, ...]] = field(default_factory=list)  # one of each is in a block that is read; rarest first
    counted: tuple[str, str, str] | None = None  # the running count that every entry is in: kind, key and outcome

    def pieces(self, look: Look, *, ascending: bool = False) -> Iterator[Piece]:
        """What to read, in order: spans of the index, or blocks, of which only what is from `low` to `high` counts."""
        newest = look(_NEWEST)[0][0]
        if self.low > self.high or newest is None:
            return
        if not self.words and self.counted is None:
            yield self.low, self.high
            return
        window = self.low >> BLOCK_BITS, min(self.high, newest) >> BLOCK_BITS
        for piece in self._of_blocks(window, look, ascending=ascending):
            if isinstance(piece, tuple):
                yield max(self.low, piece[0] << BLOCK_BITS), min(self.high, ((piece[1] + 1) << BLOCK_BITS) - 1)
            elif piece:
                yield piece

    def _of_blocks(self, window: Span, look: Look, *, ascending: bool) -> Iterator[Piece]:
        """Spans of blocks, or blocks."""
        size, days = max(_EACH, NEAR // len(self.words[0])) if self.words and self.words[0] else NEAR, None
        near, rest = self._near(window, size, look, ascending=ascending)
        yield near
        if rest is not None and self.counted is not None:
            days = _days(self.counted, look)
        if rest is not None and days is not None:
            yield from self._of_days(_cut(days, rest), look, ascending=ascending)
        elif rest is not None and not self.words:
            yield rest
        while self.words and days is None and rest is not None:
            size = min(4 * size, MOST)
            near, rest = self._near(rest, size, look, ascending=ascending)
            yield near

    def _near(self, window: Span, size: int, look: Look, *, ascending: bool) -> tuple[Piece, Span | None]:
        """What to read of the nearest so many blocks that have the first word, and the window behind them."""
        if self.words:
            blocks, near = _nearest(self.words[0], window, size, look, ascending=ascending)
            piece = self._narrowed(blocks, look, ascending=ascending)
        else:
            near = (window[0], window[0] + size - 1) if ascending else (window[1] - size + 1, window[1])
            piece = near = max(near[0], window[0]), min(near[1], window[1])
        rest = (near[1] + 1, window[1]) if ascending else (window[0], near[0] - 1)
        return piece, rest if rest[0] <= rest[1] else None

    def _of_days(self, days: list[Span], look: Look, *, ascending: bool) -> Iterator[Piece]:
        days.sort(reverse=not ascending)
        if not self.words:
            yield from days
            return
        at, size = 0, _DAYS_AT_ONCE
        while at < len(days):
            blocks = _among(self.words[0], days[at : at + size], look)
            yield self._narrowed(blocks, look, ascending=ascending)
            at, size = at + size, 2 * size

    def _narrowed(self, blocks: set[int], look: Look, *, ascending: bool) -> Piece:
        """Those of the blocks that have all other words too."""
        for words in self.words[1:]:
            if blocks and len(words) <= _GUARDS:
                blocks = _having(blocks, words, look)
        found = sorted(blocks, reverse=not ascending)
        whole = len(found) > 1 and abs(found[0] - found[-1]) == len(found) - 1  # neighbours, all of them
        return (min(found[0], found[-1]), max(found[0], found[-1])) if whole else found


def share(words: Sequence[Word], span: Span, look: Look) -> float:
    """In which part of the blocks of a span of the index one of the words is, roughly: going by the newest and the
    oldest. Tags, rules and facts are asked for entry by entry, and go last.
    """
    first, last = span[0] >> BLOCK_BITS, min(span[1], look(_NEWEST)[0][0] or 0) >> BLOCK_BITS
    if last < first or any(key in POSTINGS for key, _ in words):
        return 1.0
    return sum(min(_density(word, first, last, end, look) for end in ("ASC", "DESC")) for word in words)


def _density(word: Word, first: int, last: int, end: str, look: Look) -> float:
    rows = look(_NEAREST.format(end), *word, first, last, NEAR)
    return len(rows) / (
        last - first + 1 if len(rows) < NEAR else abs(rows[-1][0] - (first if end == "ASC" else last)) + 1
    )


def _nearest(words: Sequence[Word], window: Span, size: int, look: Look, *, ascending: bool) -> tuple[set[int], Span]:
    """The blocks of the window's nearest part that have one of the words, at most so many for each; and that part."""
    order, (low, high), found = "ASC" if ascending else "DESC", window, set[int]()
    for key, value in words:
        sql = _NEAREST_POSTINGS.format(*POSTINGS[key], order) if key in POSTINGS else _NEAREST.format(order)
        rows = look(sql, *((value, low, high) if key in POSTINGS else (key, value, low, high)), size)
        if len(rows) == size:  # farther ones were left out
            low, high = (low, min(high, rows[-1][0])) if ascending else (max(low, rows[-1][0]), high)
        found.update(row[0] for row in rows)
    return {block for block in found if low <= block <= high}, (low, high)


def _among(words: Sequence[Word], spans: Sequence[Span], look: Look) -> set[int]:
    """The blocks of these spans of blocks that have one of the words."""
    return _listed(words, json.dumps(spans), _AMONG_POSTINGS, _AMONG, look)


def _having(blocks: set[int], words: Sequence[Word], look: Look) -> set[int]:
    """Those of the blocks that have one of the words."""
    return _listed(words, json.dumps(list(blocks)), _HAVE_POSTINGS, _HAVE, look)


def _listed(words: Sequence[Word], listed: str, of_posting: str, of_word: str, look: Look) -> set[int]:
    """What a statement gives for a list in JSON and each of the words, whether or not it has postings of its own."""
    found = set[int]()
    for key, value in words:
        if key in POSTINGS:
            rows = look(of_posting.format(*POSTINGS[key]), listed, value)
        else:
            rows = look(of_word, listed, key, value)
        found.update(row[0] for row in rows)
    return found


def _days(counted: tuple[str, str, str], look: Look) -> list[Span] | None:
    """The blocks of the days that have one of this tag or rule with this outcome; None where those are most days."""
    first, last = look(_ENDS)[0]
    days = [row[0] for row in look(_DAYS, json.dumps(list(range(first, last + 1))), *counted)]
    if 2 * len(days) > last - first:
        return None
    return _merged((low >> BLOCK_BITS, high >> BLOCK_BITS) for low, high in look(_HOURS, json.dumps(days)))


def _merged(spans: Iterable[Span]) -> list[Span]:
    """In order, and none over another: the clocks of writers may disagree where a day ends."""
    merged: list[Span] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return merged


def _cut(spans: Iterable[Span], window: Span) -> list[Span]:
    """What of the spans is in the window."""
    cut = [(max(first, window[0]), min(last, window[1])) for first, last in spans]
    return [(first, last) for first, last in cut if first <= last]
