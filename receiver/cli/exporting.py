"""`hookwarden audit export`: entries of the record in a file. Who exported what is an entry itself."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import click

from receiver.audit.export import PAGE
from receiver.audit.formats import FORMATS
from receiver.audit.search import Between, Search, expanded, parse
from receiver.cli.options import actor, with_store
from receiver.cli.searching import write_entries
from receiver.config import Configuration
from receiver.contract import JsonObject
from receiver.errors import Unusable
from receiver.store.port import Store
from receiver.store.reader import Reader

if TYPE_CHECKING:
    from receiver.audit.export import Source
    from receiver.store.port import Transaction

T = TypeVar("T")


@click.command("export", context_settings={"ignore_unknown_options": True})
@click.argument("query", required=False, default="")
@with_store
@click.option("--format", "form", type=click.Choice(("proved", *FORMATS)), default="proved", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
def export_entries(store: Store, configured: Configuration, query: str, form: str, output: Path | None) -> None:
    """Write the entries that fit QUERY, oldest first; all of them without one.

    `proved` is one JSON object a line: entries that prove themselves, with no record at hand
    (`hookwarden audit verify --export FILE --key VKEY`, or `python -m receiver.audit.offline FILE --key VKEY`). The
    other formats are those of `audit search`.
    """
    from receiver.audit.export import proved_lines
    from receiver.proofs import covering, sound
    from receiver.wiring import now_ms

    try:
        query = expanded(query, configured.settings.audit.queries)
        with store.read() as reader:
            first, count = reader.first_idx(), reader.audit_count(query)
    except Unusable as fault:
        raise click.UsageError(str(fault)) from None
    idx = _note(store, query, form, count, now_ms())
    if form != "proved":
        counted = _Counted(_all(store, query, idx))
        write_entries(form, counted, output)
        _tell(output, f"{counted.number} entries as {form}, without proofs")
        return
    note, checkpoint = covering(store, idx)

    @contextmanager
    def read() -> Iterator[Source]:
        with store.read() as reader:
            yield _Entries(reader)

    lines = _Counted(proved_lines(read, note, checkpoint, store.verifier, query, first=first))
    with sound("the export"):
        _write(lines, output)
    number = lines.number - len(("head", "end"))
    _tell(output, f"{number} entries, proved by the checkpoint of {checkpoint.size} entries")


class _Counted(Generic[T]):
    """What is iterated over, counted."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items = items
        self.number = 0

    def __iter__(self) -> Iterator[T]:
        for item in self._items:
            self.number += 1
            yield item


def _tell(output: Path | None, what: str) -> None:
    """Say what was written to a file; where it went to standard output, that is all there is."""
    if output is not None:
        click.echo(f"{output}: {what}", err=True)


def _write(lines: Iterable[str], output: Path | None) -> None:
    """Write them; of an export that does not come to its end, no file is left."""
    if output is None:
        sys.stdout.writelines(lines)
        return
    with output.open("w", encoding="utf-8") as file:
        try:
            file.writelines(lines)
        except BaseException:
            if output.is_file():
                output.unlink()
            raise


def _all(store: Store, query: str, size: int) -> Iterator[JsonObject]:
    """The entries that fit, of the first `size`, oldest first; each page in a view of its own."""
    search, after = Search((*parse(query).terms, Between("idx", None, size - 1))), None
    while True:
        with store.read() as reader:
            page = reader.audit(search, after, PAGE, ascending=True, whole=True)
        yield from page.items
        after = page.next
        if after is None:
            return


def _note(store: Store, query: str, form: str, count: int, at: int) -> int:
    """Append the entry that says so, and have it signed; gives how many entries there are then, at least."""
    from receiver.audit.export import without_names

    facts = {"query": without_names(query), "format": form, "count": str(count)}

    def job(tx: Transaction) -> None:
        tx.add_note("export", actor(), at, facts)
        tx.ask_checkpoint()

    store.submit(job).result()
    with store.read() as reader:
        return reader.tree_size()


class _Entries:
    """What an export reads, out of the store."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.tile = reader.tile

    def leaves(self, query: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        """The next entries behind `after` that fit a search, in order."""
        page = self._reader.audit(query, str(after) if after >= 0 else None, limit, ascending=True)
        found = [int(str(item["idx"])) for item in page.items]
        return [(idx, leaf) for idx in found if (leaf := self._reader.leaf(idx)) is not None]
