"""Walking over the entries of a record: each against the tile that holds its hash, and against what repeats it. Pure.

Memory is bounded: entries are read in windows, and each window in a view of its own, so that a running server's
write-ahead log does not grow meanwhile.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

from receiver.audit import finders
from receiver.audit.absent import ALL, Excuses
from receiver.audit.beside import Rows
from receiver.audit.evidence import Evidence, Read
from receiver.audit.families import Span, join_spans
from receiver.audit.findings import Findings
from receiver.audit.persons import Marks
from receiver.audit.projection import Counted, Expected
from receiver.audit.shape import reading
from receiver.audit.tree import HASH, WIDTH, root_of, split

WINDOW: Final = 32 * WIDTH  # entries of one view


@dataclass(slots=True)
class Walked:
    """What walking over windows of entries found, and what can be judged only once all are known."""

    findings: Findings = field(default_factory=Findings)
    hours: dict[int, tuple[int, int]] = field(default_factory=dict)  # when they were written: first and last entry
    counts: Counter[Counted] = field(default_factory=Counter)
    uncounted: Counter[tuple[str, int]] = field(default_factory=Counter)
    policies: set[tuple[str, str]] = field(default_factory=set)  # kind of the entry, and the version that it names
    found: int = 0  # how many entries their session finds
    marks: Marks = field(default_factory=dict)  # whose events are of which session; of one walk only
    loose: dict[int, str] = field(default_factory=dict)  # entries about a session and no event: the session's mark
    unsigned: set[int] = field(default_factory=set)  # entries that would account for what is gone, were they signed
    spans: dict[str, Span] = field(default_factory=dict)  # of the numbers of rows, by what they are

    def add(self, more: Walked) -> None:
        """Take over what another walk found."""
        self.findings.merge(more.findings)
        for hour, (first, last) in more.hours.items():
            before = self.hours.get(hour, (first, last))
            self.hours[hour] = (min(before[0], first), max(before[1], last))
        self.counts.update(more.counts)
        self.uncounted.update(more.uncounted)
        self.policies |= more.policies
        self.found += more.found
        self.loose.update(more.loose)
        self.unsigned |= more.unsigned
        join_spans(self.spans, more.spans, self.findings)


Walks: TypeAlias = Callable[[Sequence[tuple[int, int]], int], Iterable[Walked]]
"""Walks over windows, given how many entries are signed."""


def walk(read: Read, start: int, end: int, *, quick: bool, signed: int = ALL) -> Walked:
    """Walk over the entries from `start`, a multiple of 256, to before `end`, in a view of its own. Only the first
    `signed` entries are believed that something was erased or pruned.
    """
    walked = Walked()
    with reading(f"entries {start}-{end - 1}", walked.findings), read() as reader:
        start = max(start, reader.first_idx())  # pruned meanwhile
        if start < end:
            if quick:
                _quickly(reader, start, end, walked)
            else:
                _wholly(reader, start, end, walked, signed)
    return walked


def _quickly(reader: Evidence, start: int, end: int, walked: Walked) -> None:
    for at, stop, rows in _by_tile(reader.leaves(start, end), start, end):
        _tile(reader, at, stop, rows, walked.findings)


def _wholly(reader: Evidence, start: int, end: int, walked: Walked, signed: int) -> None:
    expected, findings = Expected(), walked.findings
    for at, stop, rows in _by_tile(reader.entries(start, end), start, end):
        _tile(reader, at, stop, rows, findings)
        expected.take(rows)
    expected.sum_up()
    walked.hours, walked.counts, walked.uncounted = expected.hours, expected.counts, expected.uncounted
    walked.policies = expected.policies
    _columns(expected, findings)
    finders.check_words(reader, "tags", expected.tags, start, end, findings)
    finders.check_words(reader, "rules", expected.rules, start, end, findings)
    excuses, beside = Excuses(reader, signed), Rows(reader, expected, start, end, findings)
    beside.check(excuses)
    walked.spans = beside.spans
    finders.check_finders(reader, expected, start, end, findings)
    walked.found = finders.check_sessions(reader, expected, beside.sessions, start, end, excuses.session, findings)
    walked.marks, walked.loose, walked.unsigned = beside.marks, expected.loose, excuses.unsigned


def _by_tile(rows: Iterator[Any], start: int, end: int) -> Iterator[tuple[int, int, Sequence[Any]]]:
    """The rows of each tile: where it begins, where it ends, and those that are there."""
    ahead = list(islice(rows, WIDTH))
    for at in range(start, end, WIDTH):
        stop = min(at + WIDTH, end)
        here = ahead
        if here and here[-1][1] >= stop:  # some are missing: what was read belongs further on
            here = [row for row in ahead if row[1] < stop]
        yield at, stop, here
        ahead = ahead[len(here) :]
        ahead += islice(rows, WIDTH - len(ahead))


def _tile(reader: Evidence, start: int, end: int, rows: Sequence[Any], findings: Findings) -> None:
    """Entries against their tile, and the tile against the one above. A row begins with leaf and index."""
    sha256, number, whole = hashlib.sha256, start // WIDTH, end - start == WIDTH
    hashes = [sha256(b"\x00" + row[0]).digest() for row in rows]
    tile = reader.tile(0, number)[: (end - start) * HASH]  # longer where the end was cut off
    above = above_of(reader, 0, number) if whole else b""
    if len(rows) == end - start and b"".join(hashes) == tile:
        if whole and above != _folded(hashes):
            where = f"tile {number // WIDTH} of level 1, hash {number % WIDTH} (entries {start}-{end - 1})"
            findings.add("tile", where, "is not the root of the tile below it, which fits its entries")
        return
    found = {row[1]: value for row, value in zip(rows, hashes, strict=True)}
    for kind, where, what in _damaged(start, end, found, tile, above):
        findings.add(kind, where, what)


def _damaged(
    start: int, end: int, hashes: Mapping[int, bytes], tile: bytes, above: bytes
) -> Iterator[tuple[str, str, str]]:
    """Say which it is: entries that were edited, or the tile."""
    where = f"tile {start // WIDTH}: entries {start}-{end - 1}"
    missing = [idx for idx in range(start, end) if idx not in hashes]
    for idx in missing:
        yield "missing", f"{where}, entry {idx}", "is missing"
    if len(tile) != (end - start) * HASH:
        what = f"the tile holds {len(tile) // HASH} hashes" if tile else "the tile is missing"
        yield "tile", where, f"{what}; there should be {end - start}"
    elif not missing and above and root_of([hashes[idx] for idx in range(start, end)]) == above:
        yield "tile", where, "the tile was edited: the entries fit the level above it"
    else:
        said = "" if not above or root_of(split(tile)) == above else ", and the tile does not fit the level above it"
        for idx, value in enumerate(split(tile), start):
            if hashes.get(idx, value) != value:
                yield "entry", f"{where}, entry {idx}", f"is not what the tile says it was{said}"


def above_of(reader: Evidence, level: int, number: int) -> bytes:
    """The hash that the level above has of a full tile."""
    at = number % WIDTH * HASH
    return reader.tile(level + 1, number // WIDTH)[at : at + HASH]


def _folded(row: list[bytes]) -> bytes:
    """`root_of` for a full tile, where every call counts."""
    sha256 = hashlib.sha256
    while len(row) > 1:
        each = iter(row)
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(each, each, strict=True)]
    return row[0]


def _columns(expected: Expected, findings: Findings) -> None:
    for idx, column, said in expected.faults:
        if column == "idx":
            findings.add("column", f"entry {idx}", f"holds the leaf of entry {said}: rows were swapped")
        elif column == "leaf":
            what = "the leaf has not the form of a leaf: it is not what Hookwarden writes"
            findings.add("entry", f"tile {idx // WIDTH}, entry {idx}", what)
        else:
            findings.add("column", f"entry {idx}", f"{column} was edited: the leaf says {said!r}")
