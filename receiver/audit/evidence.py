"""What verifying a record asks of who keeps it, and what it is given from outside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from receiver.audit.projection import Row

Finder: TypeAlias = Literal["tags", "rules"]


class Evidence(Protocol):
    """What is read of a record, in one consistent view."""

    def bounds(self) -> tuple[int, int] | None:
        """The smallest and the largest index there is; None for an empty record."""
        ...

    def first_idx(self) -> int:
        """From which entry on the record is kept: a multiple of 256. What was before was pruned."""
        ...

    def entries(self, start: int, end: int) -> Iterator[Row]:
        """Leaf and columns of the entries from `start` to before `end`, in order."""
        ...

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile; empty where there is none."""
        ...

    def last_tile(self, level: int) -> int | None:
        """The largest number of a tile of a level."""
        ...

    def words(self, finder: Finder) -> list[str]:
        """The words that entries are found by."""
        ...

    def found(self, finder: Finder, word: str, start: int, end: int) -> list[int]:
        """The entries that a word finds, ascending."""
        ...

    def hours(self) -> dict[int, tuple[int, int]]:
        """Among which entries an hour of Unix time is looked for."""
        ...

    def sealed(self, parts: Collection[str], start: int, end: int) -> Iterator[tuple[int, str, bytes]]:
        """What is sealed and still there of these parts of these entries: entry, part, bytes."""
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
