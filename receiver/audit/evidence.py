"""What verifying a record asks of who keeps it, and what it is given from outside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from receiver.audit.families import Families
from receiver.audit.persons import Persons
from receiver.audit.projection import Row
from receiver.audit.shape import Shaped

Finder: TypeAlias = Literal["tags", "rules"]


class Evidence(Shaped, Families, Persons, Protocol):
    """What is read of a record, in one consistent view."""

    def bounds(self) -> tuple[int, int] | None:
        """The smallest and the largest index there is; None for an empty record."""
        ...

    def first_idx(self) -> int:
        """From which entry on the record is kept: a multiple of 256. What was before was pruned. -1 where what says so
        is no such number.
        """
        ...

    def entries(self, start: int, end: int) -> Iterator[Row]:
        """Leaf and columns of the entries from `start` to before `end`, in order."""
        ...

    def leaves(self, start: int, end: int) -> Iterator[tuple[bytes, int]]:
        """The same without what repeats the leaf: leaf and index."""
        ...

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile; empty where there is none."""
        ...

    def last_tile(self, level: int) -> int | None:
        """The largest number of a tile of a level."""
        ...

    def tiles(self, level: int) -> int:
        """How many tiles of a level there are."""
        ...

    def words(self, finder: Finder) -> list[Any]:
        """The words that entries are found by."""
        ...

    def found(self, finder: Finder, word: str, start: int, end: int) -> list[int]:
        """The entries that a word finds, ascending."""
        ...

    def hours(self) -> dict[int, tuple[int, int]]:
        """Among which entries an hour of Unix time is looked for."""
        ...

    def rows(self, kind: str, start: int, end: int) -> Iterator[Sequence[Any]]:
        """The rows that entries of a kind (event decision action review) repeat, with what is sealed in them. The
        entry's index comes first; nulls where there is no row. An entry about an attempt comes with all attempts of its
        action.
        """
        ...

    def sealed(self, parts: Collection[tuple[str, str]], start: int, end: int) -> Iterator[tuple[int, str, bytes]]:
        """What is sealed for entries of other kinds and still there, by kind and part: entry, part, bytes."""
        ...

    def family(self, idx: int) -> Sequence[int]:
        """How many decisions, actions, cases and deeds the event of an entry has, then how many its entries tell of."""
        ...

    def stray_events(self, *, pruned: bool) -> list[str]:
        """Events that no entry tells of; where the record was `pruned`, any entry of the event will do."""
        ...

    def sessions(self, start: int, end: int) -> Iterator[Sequence[Any]]:
        """Entries about events: entry, the event's session, whether the entry is found by it."""
        ...

    def sessions_of(self, event_ids: Collection[str]) -> Iterator[tuple[str, Any]]:
        """The sessions of those events that are there: event, session."""
        ...

    def found_by(self, sessions: Collection[str], start: int, end: int) -> Iterator[tuple[Any, str]]:
        """Which entries sessions find: session, indices in ascending order with commas between."""
        ...

    def found_at_all(self, start: int, end: int) -> int:
        """How often an entry is found by a session."""
        ...

    def stray_sessions(self, start: int) -> list[int]:
        """Entries from `start` on that are found by another session than that of their event."""
        ...

    def has_fact(self, value: str, idx: int) -> bool:
        """Whether an entry is found by a fact."""
        ...

    def facts(self, start: int) -> Iterator[tuple[Any, int, bytes | None]]:
        """The facts that entries from `start` on are found by, with their leaves."""
        ...

    def has_word(self, key: str, value: str) -> bool:
        """Whether a word stands in the vocabulary."""
        ...

    def blocks(self, key: str, value: str, first: int, end: int) -> set[int]:
        """Which blocks of 64 entries a search for a word reads."""
        ...

    def counts(self) -> dict[Any, Any]:
        """The counts by day."""
        ...

    def tallies(self) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """The running counts: as they stand, and counted anew. Those that are 0 need not stand."""
        ...

    def policies(self) -> Iterator[tuple[str, bytes]]:
        """Policy versions: hash and text."""
        ...

    def names_key(self) -> bool:
        """Whether the record says that it is signed."""
        ...

    def erasures(self) -> Iterator[tuple[int, bytes]]:
        """The entries about who was erased, newest first."""
        ...

    def of_event(self, idx: int) -> Iterator[tuple[int, str, Any, Any, bytes]]:
        """All entries of the event that an entry is about, ascending: index, kind, action, outcome, leaf."""
        ...

    def has_contents(self, ref: bytes) -> bool:
        """Whether anything of a person's deliveries is still kept."""
        ...

    def prunings(self) -> Iterator[tuple[int, bytes]]:
        """The entries about what was pruned, newest first."""
        ...

    def naming(self, value: str) -> list[tuple[int, bytes]]:
        """The entries with a fact of this value."""
        ...

    def owner(self, idx: int) -> tuple[bytes | None, int | None, int | None, int | None]:
        """Of the event that an entry is about: the person's ref, when it came in, whether its parts have keys of their
        own, whether the action's do.
        """
        ...

    def events_of(self, ref: bytes, before: int) -> int:
        """How many events of a person are there of those that came before an entry."""
        ...

    def signed(self) -> list[tuple[int, str]]:
        """The checkpoints of the table: size, note."""
        ...


Read: TypeAlias = Callable[[], AbstractContextManager[Evidence]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint that somebody kept elsewhere, and what it is called."""

    name: str
    note: str


@dataclass(frozen=True, slots=True)
class Known:
    """How far an earlier verification had come, and the root there."""

    size: int
    root: bytes
