"""Examples worth a look, out of a stream of any length: few of each kind, the clearest kinds first."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, Generic, TypeVar

T = TypeVar("T")

KINDS: Final = 50  # of which examples are kept
EXAMPLES: Final = 10


@dataclass(slots=True)
class _Kind(Generic[T]):
    clearness: tuple[int, ...]
    seen: int = 0
    examples: list[T] = field(default_factory=list)


class Gallery(Generic[T]):
    """Keeps at most `EXAMPLES` of at most `KINDS` kinds, whatever is shown to it."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, _Kind[T]] = {}

    def show(self, kind: Hashable, clearness: tuple[int, ...], example: T) -> None:
        """One more of a kind. The smaller its `clearness`, the earlier the kind stands among the clearest."""
        held = self._kinds.get(kind)
        if held is None:
            if len(self._kinds) >= KINDS:
                return
            held = self._kinds[kind] = _Kind(clearness)
        held.seen += 1
        if len(held.examples) < EXAMPLES:
            held.examples.append(example)

    def clearest(self) -> list[T]:
        """At most `EXAMPLES`: the first of each kind, then the second of each. Of equally clear kinds, frequent ones
        come first.
        """
        kinds = sorted(self._kinds.values(), key=lambda kind: (kind.clearness, -kind.seen))
        return list(self._in_turn(kinds))[:EXAMPLES]

    @staticmethod
    def _in_turn(kinds: list[_Kind[T]]) -> Iterator[T]:
        for round_ in zip_longest(*(kind.examples for kind in kinds)):
            yield from (example for example in round_ if example is not None)


class Tally(Generic[T]):
    """Counts by key, of which the first thousand have a line of their own; the rest are counted together."""

    LINES: Final = 1000

    def __init__(self) -> None:
        self._counts: dict[T, int] = {}
        self.others = 0

    def add(self, key: T, number: int = 1) -> None:
        """Count so many more."""
        if key in self._counts or len(self._counts) < self.LINES:
            self._counts[key] = self._counts.get(key, 0) + number
        else:
            self.others += number

    def get(self, key: T) -> int:
        """How many there were."""
        return self._counts.get(key, 0)

    def most(self) -> list[tuple[T, int]]:
        """The counts, the largest first; equal ones in the order they came up."""
        return sorted(self._counts.items(), key=lambda item: -item[1])
