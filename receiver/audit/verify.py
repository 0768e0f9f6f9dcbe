"""Verifying the whole record: every entry against the tree, every tile against the one above, what finds entries
against the entries, the tree against every checkpoint that was ever signed. Pure; what it reads is given to it.

Memory is bounded: entries are read in windows, and each window in a view of its own, so that a running server's
write-ahead log does not grow meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from receiver.audit.evidence import Evidence, Finder, Kept, Known, Read
from receiver.audit.findings import Findings, Verdict
from receiver.audit.note import Checkpoint, Verifier
from receiver.audit.projection import Expected, Row, Words, may_be_shortened, stored
from receiver.audit.signed import Notes, Roots, continues
from receiver.audit.tree import HASH, WIDTH, root_of, split

WINDOW: Final = 64 * WIDTH  # entries of one view


@dataclass(frozen=True, slots=True)
class Walked:
    """What walking over a window of entries found, and in which hours they were written: first and last entry."""

    findings: Findings
    hours: dict[int, tuple[int, int]]


Walks: TypeAlias = Callable[[Sequence[tuple[int, int]]], Iterable[Walked]]


def walk(read: Read, start: int, end: int, *, quick: bool) -> Walked:
    """Walk over the entries from `start`, a multiple of 256, to before `end`, in a view of its own."""
    walking = _Walk(read, quick=quick)
    walking.window(start, end)
    return Walked(walking.findings, walking.hours)


def _one_by_one(read: Read, *, quick: bool) -> Walks:
    return lambda windows: (walk(read, start, end, quick=quick) for start, end in windows)


def _widen(hours: dict[int, tuple[int, int]], more: dict[int, tuple[int, int]]) -> None:
    for hour, (first, last) in more.items():
        before = hours.get(hour, (first, last))
        hours[hour] = (min(before[0], first), max(before[1], last))


@dataclass(frozen=True, slots=True)
class _Extent:
    """How much of a record there is: entries from `first` to before `entries`, and a tree of `leaves`."""

    first: int
    entries: int
    leaves: int


def verify(
    read: Read,
    key: Verifier,
    *,
    journal: Iterable[Kept] = (),
    kept: Sequence[Kept] = (),
    since: Known | None = None,
    journal_rewritten: bool = False,
    quick: bool = False,
    walks: Walks | None = None,
) -> Verdict:
    """Verify the record.

    `journal` are the notes of checkpoints.log, `kept` others that must be beginnings of this record. `since` goes on
    from an earlier verification; `journal_rewritten`: what that one read of checkpoints.log is not its beginning any
    more. `quick` leaves out what is no part of the tree: columns, look-up tables, sealed contents.
    `walks` is for who has the windows walked by several processes.
    """
    findings, hours = Findings(), dict[int, tuple[int, int]]()
    with read() as reader:
        extent, table = _extent(reader, findings), reader.signed()
    known = since if since is not None and extent.first <= since.size <= extent.entries else None
    start = max(extent.first, known.size // WIDTH * WIDTH) if known else extent.first
    end = min(extent.entries, extent.leaves)
    windows = [(at, min(at + WINDOW, end)) for at in range(start, end, WINDOW)]
    for walked in (walks or _one_by_one(read, quick=quick))(windows):
        findings.merge(walked.findings)
        _widen(hours, walked.hours)
    with read() as reader:
        _stacked(reader, extent.leaves, findings)
        _hours(reader, hours, findings)
        roots = Roots(reader, extent.leaves, extent.first)
        if since is not None:
            continues(since, roots, findings)
        notes = Notes(key, roots, findings)
        newest = _newest(notes, table)
        notes.journal(journal, [size for size, _ in table if not known or size > known.size])
        if journal_rewritten:
            findings.add("note", "checkpoints.log", "what was verified before was edited or removed: it was read anew")
        for note in kept:
            notes.check(note)
        root = roots.at(extent.leaves)
    return Verdict(
        first=extent.first,
        since=known.size if known else 0,
        size=extent.entries,
        root=root,
        checkpoint=newest,
        notes=notes.count,
        findings=findings.kept,
        counts=dict(findings.counts),
    )


def _extent(reader: Evidence, findings: Findings) -> _Extent:
    first, bounds, last = reader.first_idx(), reader.bounds(), reader.last_tile(0)
    entries = first if bounds is None else bounds[1] + 1
    leaves = first if last is None else last * WIDTH + len(reader.tile(0, last)) // HASH
    if bounds is not None and bounds[0] < first:
        findings.add("entry", f"entry {bounds[0]}", f"stands before the first one that is kept, {first}")
    if entries < leaves:
        what = f"are missing: the tree has {leaves} leaves, the record {entries} entries; its end was cut off"
        findings.add("cut", f"entries {entries}-{leaves - 1}", what)
    elif entries > leaves:
        what = f"are not in the tree, which has {leaves} leaves: tiles were cut off, or entries put in"
        findings.add("tile", f"entries {leaves}-{entries - 1}", what)
    return _Extent(first, entries, leaves)


def _newest(notes: Notes, table: Sequence[tuple[int, str]]) -> Checkpoint | None:
    newest = None
    for size, note in table:
        newest = notes.check(Kept(f"the checkpoint of {size} entries in the database", note))
        if newest is not None and newest.size != size:
            notes.misplaced(size, newest)
    return newest


class _Walk:
    """Entries against the tiles of the lowest level, and against what repeats them."""

    def __init__(self, read: Read, *, quick: bool) -> None:
        self._read = read
        self.findings = Findings()
        self._quick = quick
        self.hours: dict[int, tuple[int, int]] = {}

    def window(self, start: int, end: int) -> None:
        """The entries from `start`, a multiple of 256, to before `end`, in a view of its own."""
        with self._read() as reader:
            start = max(start, reader.first_idx())  # pruned meanwhile
            expected, rows = Expected(), reader.entries(start, end)
            ahead = list(islice(rows, WIDTH))
            for at in range(start, end, WIDTH):
                stop = min(at + WIDTH, end)
                here = ahead
                if here and here[-1][1] >= stop:  # some are missing: what was read belongs further on
                    here = [row for row in ahead if row[1] < stop]
                self._tile(reader, at, stop, here)
                if not self._quick:
                    expected.take(here)
                ahead = ahead[len(here) :]
                ahead += islice(rows, WIDTH - len(ahead))
            if not self._quick:
                self._beside(reader, expected, start, end)

    def _tile(self, reader: Evidence, start: int, end: int, rows: Sequence[Row]) -> None:
        sha256, number, whole = hashlib.sha256, start // WIDTH, end - start == WIDTH
        hashes = [sha256(b"\x00" + row[0]).digest() for row in rows]
        tile = reader.tile(0, number)[: (end - start) * HASH]  # longer where the end was cut off
        above = _above(reader, 0, number) if whole else b""
        if len(rows) == end - start and b"".join(hashes) == tile:
            if whole and above != _folded(hashes):
                where = f"tile {number // WIDTH} of level 1, hash {number % WIDTH} (entries {start}-{end - 1})"
                self.findings.add("tile", where, "is not the root of the tile below it, which fits its entries")
            return
        self._damaged(start, end, {row[1]: value for row, value in zip(rows, hashes, strict=True)}, tile, above)

    def _damaged(self, start: int, end: int, hashes: dict[int, bytes], tile: bytes, above: bytes) -> None:
        """Say which it is: entries that were edited, or the tile."""
        where = f"tile {start // WIDTH}: entries {start}-{end - 1}"
        missing = [idx for idx in range(start, end) if idx not in hashes]
        for idx in missing:
            self.findings.add("missing", f"{where}, entry {idx}", "is missing")
        if len(tile) != (end - start) * HASH:
            what = f"the tile holds {len(tile) // HASH} hashes" if tile else "the tile is missing"
            self.findings.add("tile", where, f"{what}; there should be {end - start}")
        elif not missing and above and root_of([hashes[idx] for idx in range(start, end)]) == above:
            self.findings.add("tile", where, "the tile was edited: the entries fit the level above it")
        else:
            said = (
                "" if not above or root_of(split(tile)) == above else ", and the tile does not fit the level above it"
            )
            for idx, value in enumerate(split(tile), start):
                if hashes.get(idx, value) != value:
                    self.findings.add("entry", f"{where}, entry {idx}", f"is not what the tile says it was{said}")

    def _beside(self, reader: Evidence, expected: Expected, start: int, end: int) -> None:
        for idx, column, said in expected.faults:
            if column == "idx":
                self.findings.add("column", f"entry {idx}", f"holds the leaf of entry {said}: rows were swapped")
            elif column == "leaf":
                self.findings.add("entry", f"entry {idx}", "the leaf is not JSON")
            else:
                self.findings.add("column", f"entry {idx}", f"{column} was edited: the leaf says {said!r}")
        self._words(reader, "tags", expected.tags, start, end)
        self._words(reader, "rules", expected.rules, start, end)
        _widen(self.hours, expected.hours)
        self._blobs(reader, expected, start, end)

    def _words(self, reader: Evidence, finder: Finder, leaves: Words, start: int, end: int) -> None:
        said = {stored(word): indices for word, indices in leaves.items()}
        for word in sorted({*said, *reader.words(finder)}):
            found, right = reader.found(finder, word, start, end), said.get(word, [])
            if found != right:
                for idx in sorted(set(found) ^ set(right)):
                    self._word(reader, finder, word, idx, found=idx in found)

    def _word(self, reader: Evidence, finder: Finder, word: str, idx: int, *, found: bool) -> None:
        row = next(reader.entries(idx, idx + 1), None)
        if row is not None and found and may_be_shortened(row[0], finder):
            return
        what = f"is found by {finder[:-1]} {word!r}, which its leaf does not have"
        if not found:
            what = f"is not found by {finder[:-1]} {word!r}, which its leaf has"
        self.findings.add("finder", f"entry {idx}", what)

    def _blobs(self, reader: Evidence, expected: Expected, start: int, end: int) -> None:
        named, sha256 = dict(expected.bodies), hashlib.sha256
        fits, wrong = set[tuple[int, str]](), set[tuple[int, str]]()
        for idx, part, blob in reader.sealed({part for body in named.values() for part in body}, start, end):
            said = named.get(idx, {}).get(part)
            if said is not None:
                (fits if sha256(blob).hexdigest() == said else wrong).add((idx, part))
        for idx, part in sorted(wrong - fits):  # two decisions of one millisecond are told apart by their hashes
            self.findings.add("blob", f"entry {idx}", f"its sealed {part} is not the one whose hash the leaf holds")


def _above(reader: Evidence, level: int, number: int) -> bytes:
    """The hash that the level above has of a full tile."""
    at = number % WIDTH * HASH
    return reader.tile(level + 1, number // WIDTH)[at : at + HASH]


def _folded(row: list[bytes]) -> bytes:
    """`root_of` for a full tile, where every call counts."""
    sha256 = hashlib.sha256
    while len(row) > 1:
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def _stacked(reader: Evidence, leaves: int, findings: Findings) -> None:
    """Every tile is as long as the tree makes it, and fits the one above."""
    level, count = 1, leaves // WIDTH
    while count or reader.last_tile(level) is not None:
        last = reader.last_tile(level)
        if last is not None and last > (count - 1) // WIDTH:
            what = f"stands beyond the {leaves} leaves of the tree: its end was cut off"
            findings.add("cut", f"tile {last} of level {level}", what)
        _level(reader, level, count, findings)
        level, count = level + 1, count // WIDTH


def _level(reader: Evidence, level: int, count: int, findings: Findings) -> None:
    for number in range(-(-count // WIDTH)):
        tile, where = reader.tile(level, number), f"tile {number} of level {level}"
        right = min(WIDTH, count - number * WIDTH)
        if len(tile) != right * HASH:
            findings.add("tile", where, f"holds {len(tile) // HASH} hashes; there should be {right}")
        elif right == WIDTH and root_of(split(tile)) != _above(reader, level, number):
            findings.add("tile", where, "does not fit the level above it")


def _hours(reader: Evidence, seen: dict[int, tuple[int, int]], findings: Findings) -> None:
    table = reader.hours()
    for hour, (first, last) in seen.items():
        found = table.get(hour)
        if found is None or found[0] > first or found[1] < last:
            what = f"a search by time misses entries of the hour {hour} (since 1970)"
            findings.add("finder", f"entries {first}-{last}", what)
