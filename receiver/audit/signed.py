"""The record against every note that was ever signed of it. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from receiver.audit.evidence import Evidence, Kept, Known
from receiver.audit.findings import Findings
from receiver.audit.note import Checkpoint, NoteError, NotSigned, Verifier, open_checkpoint
from receiver.audit.tree import WIDTH, TreeError, tree_root

_CACHED: Final = 512  # tiles


class Roots:
    """Roots of a tree of `size` leaves at earlier sizes, by its tiles. What stood before `first` was pruned."""

    def __init__(self, reader: Evidence, size: int, first: int) -> None:
        self._first = first
        self._reader = reader
        self._cache: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self.size = size

    def is_known(self, size: int) -> bool:
        """Whether the root can still be worked out: within a tile that was pruned it cannot."""
        return size >= self._first or size % WIDTH == 0

    def at(self, size: int) -> bytes:
        """The root of the first `size` leaves; empty where the tiles do not give one."""
        try:
            return tree_root(size, self._tile)
        except TreeError:
            return b""

    def _tile(self, level: int, number: int) -> bytes:
        tile = self._cache.pop((level, number), None)
        if tile is None:
            tile = self._reader.tile(level, number)
            if len(self._cache) >= _CACHED:
                self._cache.popitem(last=False)
        self._cache[level, number] = tile
        return tile


def covered(table: Iterable[tuple[int, str]], key: Verifier) -> int:
    """How many entries are signed with this key, as the notes of the database say."""
    sizes = [0]
    for _, note in table:
        with suppress(NoteError):
            sizes.append(open_checkpoint(note, key).size)
    return max(sizes)


def continues(since: Known, roots: Roots, findings: Findings) -> None:
    """Is what was verified before the beginning of the record?"""
    if since.size > roots.size:
        what = f"there are {roots.size}, and {since.size} were verified before: the end was cut off"
        findings.add("cut", "the last entries", what)
    elif roots.is_known(since.size) and roots.at(since.size) != since.root:
        findings.add("fork", f"entries 0-{since.size - 1}", "are not those that were verified before")


class Notes:
    """Checks notes as they come, each text once, and counts them."""

    def __init__(self, key: Verifier, roots: Roots, findings: Findings) -> None:
        self._key = key
        self._roots = roots
        self._findings = findings
        self._sizes: dict[int, int] = {}  # by hash of the text, which takes less room than it: the size, or -1

    @property
    def count(self) -> int:
        """How many there were."""
        return len(self._sizes)

    def size_of(self, kept: Kept) -> int:
        """How many entries a note is about, once it was checked; -1 for none."""
        known = self._sizes.get(hash(kept.note))
        if known is None:
            checkpoint = self.check(kept)
            known = -1 if checkpoint is None else checkpoint.size
        return known

    def check(self, kept: Kept) -> Checkpoint | None:
        """Is it signed, and the state of a beginning of this record?"""
        self._sizes[hash(kept.note)] = -1
        try:
            checkpoint = open_checkpoint(kept.note, self._key)
        except NoteError as fault:
            self._findings.add("key" if isinstance(fault, NotSigned) else "note", kept.name, str(fault))
            return None
        if checkpoint.size > self._roots.size:
            what = f"{checkpoint.size} entries were signed, the record has {self._roots.size}: its end was cut off"
            self._findings.add("cut", kept.name, what)
        elif self._roots.is_known(checkpoint.size) and self._roots.at(checkpoint.size) != checkpoint.root:
            what = f"another root was signed for the first {checkpoint.size} entries: they were changed, or are a fork"
            self._findings.add("fork", kept.name, what)
        self._sizes[hash(kept.note)] = checkpoint.size
        return checkpoint

    def misplaced(self, size: int, checkpoint: Checkpoint) -> None:
        """A note of the database that stands where another one should."""
        what = f"it is that of {checkpoint.size} entries: rows were swapped"
        self._findings.add("note", f"the checkpoint of {size} entries in the database", what)

    def journal(self, notes: Iterable[Kept], table: Sequence[int]) -> int:
        """Those of checkpoints.log, among which those of the database must be, of which `table` has the sizes: all but
        the newest, which is about to be written or, after a crash, will be at the next start. Gives how many there
        are, however often each.
        """
        seen, count = set(), 0
        for note in notes:
            seen.add(self.size_of(note))
            count += 1
        for size in table[:-1]:
            if size not in seen:
                what = f"the note of {size} entries, which the database has, is not in it: lines were removed or edited"
                self._findings.add("note", "checkpoints.log", what)
        return count
