"""Whether what is read is what it is called: tables, views, triggers and indexes as Hookwarden makes them, no tile that
belongs to no tree; and what to make of a record that cannot be read. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from receiver.audit.findings import Findings
from receiver.audit.tree import WIDTH
from receiver.errors import HookwardenError

_SHOWN = 200  # characters of what went wrong


class Misshapen(NamedTuple):
    """A table, view, trigger or index that is not as it was made. `unreadable`: what is read there is not the record,
    and reading it may never end.
    """

    where: str
    what: str
    unreadable: bool


class Shaped(Protocol):
    """What is asked of the store."""

    def schema(self) -> list[Misshapen]:
        """What is not as it was made."""
        ...

    def file_faults(self) -> Iterable[str]:
        """What is wrong with the file: pages, and indexes that do not fit their tables. Reads all of it."""
        ...

    def stray_tiles(self, top: int, first: int) -> list[tuple[Any, Any]]:
        """Tiles that belong to no tree: of no level up to `top`, or, in the lowest, before the tile `first`."""
        ...


def check_schema(reader: Shaped, findings: Findings) -> bool:
    """Whether tables can be read."""
    found = reader.schema()
    for where, what, _ in found:
        findings.add("schema", where, what)
    return not any(fault.unreadable for fault in found)


def check_file(reader: Shaped, findings: Findings) -> None:
    """The file itself."""
    for what in reader.file_faults():
        findings.add("file", "the database file", what)


def check_tiles(reader: Shaped, leaves: int, first: int, findings: Findings) -> None:
    """Tiles that no tree of so many leaves has, of which all before `first` were pruned."""
    top = 0
    while leaves // WIDTH ** (top + 1):
        top += 1
    for level, number in reader.stray_tiles(top, first // WIDTH):
        findings.add("tile", f"tile {number!r} of level {level!r}", "belongs to no tree: it was put in")


@contextmanager
def reading(what: str, findings: Findings) -> Iterator[None]:
    """Whatever goes wrong in here is a finding: somebody wrote there what Hookwarden does not. What is raised on
    purpose (the file is locked, the disk fails) is no finding, and goes on.
    """
    try:
        yield
    except HookwardenError:
        raise
    except Exception as fault:  # noqa: BLE001  # whatever a forger can think of
        findings.add("unreadable", what, f"cannot be read: {type(fault).__name__}: {str(fault)[:_SHOWN]}")
