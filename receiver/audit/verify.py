"""Verifying the whole record: every entry against the tree, every tile against the one above, what finds entries
against the entries, the tree against every checkpoint that was ever signed. Pure; what it reads is given to it.

Memory is bounded: entries are read in windows, and each window in a view of its own, so that a running server's
write-ahead log does not grow meanwhile.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias

from receiver.audit import beside
from receiver.audit.absent import Excuses, begins_rightly
from receiver.audit.evidence import Evidence, Finder, Kept, Known, Read
from receiver.audit.findings import Findings, Verdict
from receiver.audit.note import Checkpoint, Verifier
from receiver.audit.projection import Counted, Expected, Row, Words, decoded, may_be_shortened, stored
from receiver.audit.signed import Notes, Roots, continues
from receiver.audit.tree import HASH, WIDTH, root_of, split

WINDOW: Final = 64 * WIDTH  # entries of one view
_UNSIGNED_MS: Final = 6 * 3_600_000  # far more than `audit.checkpoints.every` is of use for


@dataclass(frozen=True, slots=True)
class Walked:
    """What walking over a window of entries found, and in which hours they were written: first and last entry."""

    findings: Findings
    hours: dict[int, tuple[int, int]]
    counts: Counter[Counted] = field(default_factory=Counter)
    uncounted: Counter[tuple[str, int]] = field(default_factory=Counter)
    decided: set[str] = field(default_factory=set)  # policies that decisions name
    taken: set[str] = field(default_factory=set)  # policies that were taken into use


Walks: TypeAlias = Callable[[Sequence[tuple[int, int]]], Iterable[Walked]]


def walk(read: Read, start: int, end: int, *, quick: bool) -> Walked:
    """Walk over the entries from `start`, a multiple of 256, to before `end`, in a view of its own."""
    walking = _Walk(read, quick=quick)
    walking.window(start, end)
    return walking.walked


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
    findings = Findings()
    whole = Walked(findings, {})
    with read() as reader:
        extent, table = _extent(reader, findings), reader.signed()
        counts = {} if quick else reader.counts()
    known = since if since is not None and extent.first <= since.size <= extent.entries else None
    start = max(extent.first, known.size // WIDTH * WIDTH) if known else extent.first
    end = min(extent.entries, extent.leaves)
    windows = [(at, min(at + WINDOW, end)) for at in range(start, end, WINDOW)]
    for walked in (walks or _one_by_one(read, quick=quick))(windows):
        _add(whole, walked)
    with read() as reader:
        _stacked(reader, extent.leaves, findings)
        if not quick:
            _tables(reader, whole, start, extent, counts)
        roots = Roots(reader, extent.leaves, extent.first)
        if since is not None:
            continues(since, roots, findings)
        notes = Notes(key, roots, findings)
        newest = _newest(notes, table)
        before = notes.count
        notes.journal(journal, [size for size, _ in table if not known or size > known.size])
        if since is None or journal_rewritten:
            _unsigned(reader, extent, len(table), notes.count - before, findings)
        _behind(reader, newest, extent, findings)
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


def _add(whole: Walked, walked: Walked) -> None:
    whole.findings.merge(walked.findings)
    _widen(whole.hours, walked.hours)
    whole.counts.update(walked.counts)
    whole.uncounted.update(walked.uncounted)
    whole.decided.update(walked.decided)
    whole.taken.update(walked.taken)


def _tables(reader: Evidence, whole: Walked, start: int, extent: _Extent, counts: dict[object, object]) -> None:
    """What is held against the leaves once all were read. `counts` are those of the view that `extent` is of."""
    findings = whole.findings
    _hours(reader, whole.hours, findings)
    beside.check_strays(reader, start, extent.first, findings)
    beside.check_tallies(reader, findings)
    beside.check_policies(reader, whole.decided, whole.taken, findings)
    if reader.first_idx() == extent.first:  # nothing was pruned meanwhile
        from_first = start == extent.first
        beside.check_counts(counts, whole.counts, whole.uncounted, findings, whole=from_first)


def _first(reader: Evidence, findings: Findings) -> int:
    """From where on the record is kept; all before must have been pruned, by an entry that is kept."""
    first, bounds = reader.first_idx(), reader.bounds()
    if first < 0 or first % WIDTH or (first and (bounds is None or bounds[1] < first)):
        findings.add("missing", "meta.min_idx", "does not say from which entry on the record is kept: it was edited")
        return 0
    if not begins_rightly(reader, first):
        what = "are missing: no entry says that they were pruned"
        findings.add("missing", f"entries 0-{first - 1}", what)
    return first


def _last_tile(reader: Evidence, first: int, entries: int, findings: Findings) -> int | None:
    """The last tile that the number of entries, or of tiles, allows for: a number alone is no tree."""
    last, most = reader.last_tile(0), max((entries - 1) // WIDTH, first // WIDTH + reader.tiles(0) - 1)
    if last is None or last <= most:
        return last
    findings.add("tile", f"tile {last} of level 0", "stands far beyond the others: it was put in")
    return next((number for number in range(most, first // WIDTH - 1, -1) if reader.tile(0, number)), None)


def _unsigned(reader: Evidence, extent: _Extent, table: int, journal: int, findings: Findings) -> None:
    """A record is signed with its first entries: the notes of one that was are never all gone by themselves."""
    if extent.entries > 0 and not table:
        what = f"holds no note, and the record has {extent.entries} entries: its notes were removed"
        findings.add("note", "the table of checkpoints", what)
    if not journal and extent.entries > 0 and (reader.names_key() or not table):
        what = "holds no note, and the record was signed: it was emptied or removed"
        findings.add("note", "checkpoints.log", what)


def _behind(reader: Evidence, newest: Checkpoint | None, extent: _Extent, findings: Findings) -> None:
    """A running server signs as it writes: a long time without a note means that notes were removed."""
    if newest is None or not extent.first <= newest.size < extent.entries:
        return
    times = [_written(reader, idx) for idx in (newest.size, extent.entries - 1)]
    if None not in times and times[1] - times[0] > _UNSIGNED_MS:  # type: ignore[operator]  # neither is None
        what = "were never signed, for hours: newer checkpoints were removed, or signing failed (see the server's log)"
        findings.add("note", f"entries {newest.size}-{extent.entries - 1}", what)


def _written(reader: Evidence, idx: int) -> int | None:
    row = next(iter(reader.entries(idx, idx + 1)), None)
    leaf = decoded(row[0]) if row is not None else None
    return None if leaf is None else int(leaf["at"])


def _extent(reader: Evidence, findings: Findings) -> _Extent:
    first, bounds = _first(reader, findings), reader.bounds()
    entries = first if bounds is None else bounds[1] + 1
    last = _last_tile(reader, first, entries, findings)
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
        self.walked = Walked(self.findings, {})
        self._quick = quick

    def window(self, start: int, end: int) -> None:
        """The entries from `start`, a multiple of 256, to before `end`, in a view of its own."""
        with self._read() as reader:
            start = max(start, reader.first_idx())  # pruned meanwhile
            if start >= end:
                return
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
                what = "the leaf has not the form of a leaf: it is not what Hookwarden writes"
                self.findings.add("entry", f"tile {idx // WIDTH}, entry {idx}", what)
            else:
                self.findings.add("column", f"entry {idx}", f"{column} was edited: the leaf says {said!r}")
        self._words(reader, "tags", expected.tags, start, end)
        self._words(reader, "rules", expected.rules, start, end)
        self._tell(expected)
        excuses = Excuses(reader)
        self._blobs(reader, expected, excuses, start, end)
        beside.check_rows(reader, expected.leaves, start, end, self.findings)
        beside.check_finders(reader, expected, start, end, self.findings)
        beside.check_sessions(reader, expected.leaves, start, end, excuses.session, self.findings)

    def _tell(self, expected: Expected) -> None:
        """What can be judged only once all windows are known."""
        _widen(self.walked.hours, expected.hours)
        self.walked.counts.update(expected.counts)
        self.walked.uncounted.update(expected.uncounted)
        for leaf in expected.leaves.values():
            if "policy_sha256" in leaf:
                (self.walked.taken if leaf["kind"] == "policy" else self.walked.decided).add(leaf["policy_sha256"])

    def _words(self, reader: Evidence, finder: Finder, leaves: Words, start: int, end: int) -> None:
        said = {stored(word): indices for word, indices in leaves.items()}
        for word in sorted({*said, *reader.words(finder)}, key=str):
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

    def _blobs(self, reader: Evidence, expected: Expected, excuses: Excuses, start: int, end: int) -> None:
        named, sha256 = dict(expected.bodies), hashlib.sha256
        fits, wrong = set[tuple[int, str]](), set[tuple[int, str]]()
        for idx, part, blob in reader.sealed({part for body in named.values() for part in body}, start, end):
            said = named.get(idx, {}).get(part)
            if said is not None:
                (fits if sha256(blob).hexdigest() == said else wrong).add((idx, part))
        for idx, part in sorted(wrong - fits):  # two decisions of one millisecond are told apart by their hashes
            self.findings.add("blob", f"entry {idx}", f"its sealed {part} is not the one whose hash the leaf holds")
        absent = {(idx, part) for idx, body in named.items() for part in body} - fits - wrong
        for idx, part in sorted(absent):
            if not excuses.content(idx, expected.leaves[idx], part):
                what = f"blob {part} is missing, and no entry says that it was erased or pruned"
                self.findings.add("blob", f"entry {idx}", what)


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
        if found is None or not all(isinstance(idx, int) for idx in found) or found[0] > first or found[1] < last:
            what = f"a search by time misses entries of the hour {hour} (since 1970)"
            findings.add("finder", f"entries {first}-{last}", what)
