"""Verifying the whole record: every entry against the tree, every tile against the one above, what repeats or finds
entries against the entries, the tree against every checkpoint that was ever signed. Pure; what it reads is given to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from receiver.audit import families, finders, persons, shape
from receiver.audit.absent import begins_rightly, erased_for_good
from receiver.audit.evidence import Evidence, Kept, Known, Read
from receiver.audit.findings import Findings, Verdict
from receiver.audit.note import Checkpoint, Verifier
from receiver.audit.persons import Keys
from receiver.audit.projection import decoded
from receiver.audit.shape import reading
from receiver.audit.signed import Notes, Roots, continues, covered
from receiver.audit.tree import HASH, WIDTH, root_of, split
from receiver.audit.walk import WINDOW, Walked, Walks, above_of, walk

_TRIES: Final = 3
_UNSIGNED_MS: Final = 6 * 3_600_000  # far more than `audit.checkpoints.every` is of use for


@dataclass(frozen=True, slots=True)
class _Extent:
    """How much of a record there is: entries from `first` to before `entries`, and a tree of `leaves`."""

    first: int
    entries: int
    leaves: int


@dataclass(frozen=True, slots=True)
class _Given:
    """What a verification is given from outside; see `verify`."""

    key: Verifier
    journal: Iterable[Kept]
    kept: Sequence[Kept]
    since: Known | None
    journal_rewritten: bool
    journal_until: int | None


@dataclass(frozen=True, slots=True)
class _Signed:
    """What came of the notes: the newest of the database, how many were read, the root of all that there is."""

    newest: Checkpoint | None
    notes: int
    root: bytes


def verify(
    read: Read,
    key: Verifier,
    *,
    journal: Iterable[Kept] = (),
    kept: Sequence[Kept] = (),
    since: Known | None = None,
    journal_rewritten: bool = False,
    journal_until: int | None = None,
    quick: bool = False,
    file: bool = False,
    walks: Walks | None = None,
    keys: Keys | None = None,
) -> Verdict:
    """Verify the record.

    `journal` are the notes of checkpoints.log, `kept` others that must be beginnings of this record. `since` goes on
    from an earlier verification; `journal_rewritten`: what that one read of checkpoints.log is not its beginning any
    more; `journal_until`: how many entries were signed when its end was looked for, beside a running server.
    `quick` leaves out what is no part of the tree: columns, look-up tables, sealed contents.
    `file` has the file itself checked, too.
    `walks` is for who has the windows walked by several processes. `keys` are those of persons: without, it is not
    verified that what is kept can be read, and whose session an event is of.
    """
    whole, given = Walked(), _Given(key, journal, kept, since, journal_rewritten, journal_until)
    findings, begun = whole.findings, None
    with reading("the record", findings), read() as reader:
        begun = _begun(reader, findings, quick=quick)
    if begun is None:
        return _unread(findings)
    extent, table, counts = begun
    known = since if since is not None and extent.first <= since.size <= extent.entries else None
    start = max(extent.first, known.size // WIDTH * WIDTH) if known else extent.first
    signed_size = covered(table, key)
    windows, over = _windows(start, extent), walks or _one_by_one(read, quick=quick)
    for window, once in zip(windows, over(windows, signed_size), strict=True):
        _take(whole, _again(read, key, window, signed_size) if once.unsigned else once, keys)
    suspects = _suspects(read, keys, signed_size, findings) if keys is not None and not quick else ()
    signed = _Signed(None, 0, b"")
    with read() as reader:
        with reading("the tiles of the tree", findings):
            leaves = max(extent.leaves, _leaves(reader, extent.first, Findings()))  # a running server goes on
            _stacked(reader, leaves, findings)
            shape.check_tiles(reader, leaves, max(extent.first, reader.first_idx()), findings)
        if not quick:
            with reading("what entries are found by and counted in", findings):
                _tables(reader, whole, start, extent, counts)
            with reading("what is kept of persons", findings):
                persons.check_missing(reader, suspects, findings)
        with reading("the checkpoints", findings):
            signed = _signed(reader, extent, table, given, findings)
        if file:
            with reading("the database file", findings):
                shape.check_file(reader, findings)
    return _verdict(extent, known, signed, findings)


def _begun(
    reader: Evidence, findings: Findings, *, quick: bool
) -> tuple[_Extent, Sequence[tuple[int, str]], Mapping[Any, Any]] | None:
    """How much there is, what was signed of it, and the counts of that; None where it cannot be read."""
    if not shape.check_schema(reader, findings):
        return None
    return _extent(reader, findings), reader.signed(), {} if quick else reader.counts()


def _suspects(read: Read, keys: Keys, signed: int, findings: Findings) -> Sequence[tuple[bytes, str]]:
    """Whose keys are missing at first sight."""
    suspects: list[tuple[bytes, str]] = []
    with reading("the persons, and their keys in keys.db", findings), read() as reader:
        erased = {ref: idx for idx, ref in erased_for_good(reader, signed)}
        suspects += persons.missing_keys(reader, keys, erased, findings)
    return suspects


def _unread(findings: Findings) -> Verdict:
    return _verdict(_Extent(0, 0, 0), None, _Signed(None, 0, b""), findings)


def _windows(start: int, extent: _Extent) -> list[tuple[int, int]]:
    end = min(extent.entries, extent.leaves)
    return [(at, min(at + WINDOW, end)) for at in range(start, end, WINDOW)]


def _one_by_one(read: Read, *, quick: bool) -> Walks:
    return lambda windows, signed: (walk(read, start, end, quick=quick, signed=signed) for start, end in windows)


def _take(whole: Walked, walked: Walked, keys: Keys | None) -> None:
    """Add what walking over a window found, and hold its marks of sessions against the persons' keys."""
    whole.add(walked)
    if keys is not None:
        with reading("the persons' keys in keys.db", whole.findings):
            persons.check_marks(keys, walked.marks, whole.findings)


def _again(read: Read, key: Verifier, window: tuple[int, int], signed: int) -> Walked:
    """Walk once more over a window in which something is gone by an entry that was not signed when this began: beside a
    running server, that may have been erased or pruned meanwhile, and signed.
    """
    walked = Walked()
    for _ in range(_TRIES):
        with read() as reader:
            signed = max(signed, covered(reader.signed(), key))
        walked = walk(read, *window, quick=False, signed=signed)
        if not walked.unsigned:
            break
    return walked


def _verdict(extent: _Extent, known: Known | None, signed: _Signed, findings: Findings) -> Verdict:
    return Verdict(
        first=extent.first,
        since=known.size if known else 0,
        size=extent.entries,
        root=signed.root,
        checkpoint=signed.newest,
        notes=signed.notes,
        findings=findings.kept,
        counts=dict(findings.counts),
    )


def _tables(reader: Evidence, whole: Walked, start: int, extent: _Extent, counts: Mapping[Any, Any]) -> None:
    """What is held against the leaves once all were read. `counts` are those of the view that `extent` is of."""
    findings, end = whole.findings, max(start, min(extent.entries, extent.leaves))
    first = reader.first_idx()  # maybe more was pruned since this began
    finders.check_hours(reader, whole.hours, first, findings)
    finders.check_strays(reader, start, end, first, whole.found, findings)
    persons.check_loose(reader, whole.loose, start, findings, pruned=first > 0)
    for idx in sorted(whole.unsigned):
        what = (
            "says that something was erased or pruned, and no checkpoint covers it; if it was written just now, verify"
        )
        findings.add("note", f"entry {idx}", f"{what} again once it is signed")
    finders.check_tallies(reader, findings)
    taken = {sha256 for kind, sha256 in whole.policies if kind == "policy"}
    families.check_families(reader, findings, whole=first == 0)
    finders.check_policies(reader, {sha256 for kind, sha256 in whole.policies if kind != "policy"}, taken, findings)
    if first == extent.first:
        from_first = start == extent.first
        finders.check_counts(counts, whole.counts, whole.uncounted, findings, whole=from_first)


def _signed(
    reader: Evidence,
    extent: _Extent,
    table: Sequence[tuple[int, str]],
    given: _Given,
    findings: Findings,
) -> _Signed:
    """The tree against what was signed of it, and against what was verified before."""
    roots = Roots(reader, extent.leaves, max(extent.first, reader.first_idx()))
    if given.since is not None:
        continues(given.since, roots, findings)
    notes = Notes(given.key, roots, findings)
    newest = _newest(notes, table)
    since = given.since.size if given.since is not None else -1  # of where the journal is read from
    until = given.journal_until if given.journal_until is not None else extent.entries
    journaled = notes.journal(given.journal, [size for size, _ in table if since < size <= until])
    if given.since is None or given.journal_rewritten:
        _unsigned(reader, extent, len(table), journaled, findings)
    _behind(reader, newest, extent, findings)
    if given.journal_rewritten:
        findings.add("note", "checkpoints.log", "what was verified before was edited or removed: it was read anew")
    for note in given.kept:
        notes.size_of(note)
    return _Signed(newest, notes.count, roots.at(extent.leaves))


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
    row = next(reader.leaves(idx, idx + 1), None)
    leaf = decoded(row[0]) if row is not None else None
    return None if leaf is None else int(leaf["at"])


def _leaves(reader: Evidence, first: int, findings: Findings) -> int:
    """How many leaves the tree has."""
    bounds = reader.bounds()
    last = _last_tile(reader, first, first if bounds is None else bounds[1] + 1, findings)
    return first if last is None else last * WIDTH + len(reader.tile(0, last)) // HASH


def _extent(reader: Evidence, findings: Findings) -> _Extent:
    first, bounds = _first(reader, findings), reader.bounds()
    entries = first if bounds is None else bounds[1] + 1
    leaves = _leaves(reader, first, findings)
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
        elif right == WIDTH and root_of(split(tile)) != above_of(reader, level, number):
            findings.add("tile", where, "does not fit the level above it")
