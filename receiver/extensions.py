"""What installed packages add: actions, sources and vendors, by entry points (Python Packaging, "Entry points").

| group                | an entry names                                                          |
|----------------------|-------------------------------------------------------------------------|
| `hookwarden.actions` | an `Action` (`handlers/extend.py`): what it is, and what carries it out  |
| `hookwarden.sources` | a function (source, payload) -> Event, for `sources.<name>.vendor`      |
| `hookwarden.vendors` | a function (base_url, api_key, timeout, concurrency) -> VendorClient, for `vendors.<name>` |

Our own names come first and cost nothing; the installed packages are looked through only where a name is not ours, or
all names are asked for, as `serve` and `check` do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from receiver.errors import ConfigurationError, Problem

T = TypeVar("T")


class Extended(Mapping[str, T], Generic[T]):
    """Our own by name, and those of a group behind them. `read` takes what an entry point names; it raises TypeError
    for what is none. Asking raises ConfigurationError for a package that cannot be used.
    """

    def __init__(self, group: str, own: Mapping[str, T], read: Callable[[str, Any], T]) -> None:
        self._group = group
        self._own = own
        self._read = read

    def __getitem__(self, name: str) -> T:
        """Our own, or one that is installed."""
        return self._own[name] if name in self._own else self._installed[name]

    def __iter__(self) -> Iterator[str]:
        """All names, ours first."""
        yield from self._own
        yield from self._installed

    def __len__(self) -> int:
        return len(self._own) + len(self._installed)

    def __contains__(self, name: object) -> bool:
        """Without looking for others where the name is ours."""
        return name in self._own or name in self._installed

    def own(self, name: str) -> bool:
        """Whether a name is ours, and no package's."""
        return name in self._own

    def unusable(self, name: str, fault: str) -> Problem:
        """What to say where what a package offers under a name turns out later to be of no use."""
        entry = next(iter(entry_points(group=self._group, name=name)))
        return self._problem(entry, fault)

    @cached_property
    def _installed(self) -> dict[str, T]:
        found: dict[str, T] = {}
        problems: list[Problem] = []
        for entry in entry_points(group=self._group):
            try:
                if entry.name in self._own or entry.name in found:
                    raise TypeError("that name is taken")
                found[entry.name] = self._read(entry.name, entry.load())
            except Exception as fault:  # noqa: BLE001  # whatever it was: it is theirs, and must be named
                problems.append(self._problem(entry, f"{type(fault).__name__}: {fault}"))
        if problems:
            raise ConfigurationError(problems)
        return found

    def _problem(self, entry: EntryPoint, fault: str) -> Problem:
        package = entry.dist.name if entry.dist is not None else "?"
        said = f"{entry.name!r} ({self._group}) cannot be used: {fault}; mend or remove it"
        return Problem(f"package {package}", 1, 1, "error", "C013", said)


def installed_problems(*tables: Iterable[str]) -> list[Problem]:
    """What is wrong with the installed packages that offer names of these tables, whether anything uses them or not."""
    problems: list[Problem] = []
    for table in tables:
        try:
            for _ in table:
                pass
        except ConfigurationError as error:
            problems += error.problems
    return problems
