"""`hookwarden audit search`, `show`, `count`, `tail` and `policy`: finding entries of the record."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from receiver.audit.formats import FORMATS
from receiver.audit.search import Is, Search, parse
from receiver.cli.options import after_option, json_option, limit_option, with_store
from receiver.cli.output import cell, print_json, print_table
from receiver.cli.records import found, show_page
from receiver.config import Configuration
from receiver.contract import JsonObject
from receiver.errors import Unusable
from receiver.store.port import Store
from receiver.store.reader import Reader
from receiver.store.shapes import Page
from receiver.suggestion import suggestion

T = TypeVar("T")

ENTRY_COLUMNS: Final = (
    "idx",
    "at",
    "kind",
    "actor",
    "event_id",
    "session_id",
    "type",
    "status",
    "tags",
    "rule",
    "outcome",
    "policy_sha256",
)
COUNTED: Final = 10_000  # entries that a count looks at unasked
POLL: Final = 0.5  # seconds between two looks for new entries

_SHORT: Final = 12  # digits of a hash in tables
_WORDS: Final = ("tag", "status", "rule", "source", "outcome")  # keys of a search whose words grow with the record
_MOST_KNOWN: Final = 12  # words: so many are named where none is alike
_terms = click.argument("query", required=False, default="")
_as_terms = {"ignore_unknown_options": True}  # -tag:X is a term


@click.command("search", context_settings=_as_terms)
@_terms
@with_store
@limit_option
@after_option
@click.option("--saved", is_flag=True, help="List the saved searches instead.")
@click.option("--format", "form", type=click.Choice(["table", *FORMATS]), default="table", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@json_option
def search_audit(
    store: Store,
    configured: Configuration,
    query: str,
    limit: int,
    after: str | None,
    saved: bool,
    form: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Search the record, newest first.

    QUERY is made of key:value terms, such as 'tag:DUPLICATED_FACE -outcome:echo created:2026-11-01..2026-11-30', of
    text in double quotes, and of @name for a search that config.yaml saves.
    """
    if saved:
        _list_saved(configured.settings.audit.queries, as_json)
        return
    search = _asked(lambda: parse(query, configured.settings.audit.queries))
    whole = form != "table"
    with store.read() as reader:
        page = _asked(lambda: reader.audit(search, after, limit, whole=whole or not as_json))
        hints = [] if page.items or after else list(_unknown_words(reader, search))
    if whole:
        write_entries(form, page.items, output)
    else:
        show_page(page if as_json else Page([_row(item) for item in page.items], page.next), ENTRY_COLUMNS, as_json)
    for hint in hints:
        click.echo(hint, err=True)


@click.command("show")
@click.argument("idx", type=int)
@with_store
@json_option
def show_entry(store: Store, idx: int, as_json: bool) -> None:
    """Show one entry of the record."""
    with store.read() as reader:
        document, first = reader.audit_entry(idx), reader.first_idx()
    if document is None and 0 <= idx < first:
        raise click.ClickException(f"entry {idx} was pruned: the record begins at {first} (search kind:prune)")
    document = found(document, f"entry {idx}")
    if as_json:
        print_json(document)
    else:
        print_table(("key", "value"), [{"key": key, "value": value} for key, value in document.items()])


@click.command("count", context_settings=_as_terms)
@_terms
@with_store
@click.option(
    "--by", default="", help="One or several of day, outcome, tag, rule, status, kind, source, with commas between."
)
@click.option("--exact", is_flag=True, help=f"Go on after {COUNTED:,} entries.")
@json_option
def count_entries(store: Store, configured: Configuration, query: str, by: str, exact: bool, as_json: bool) -> None:
    """Count the entries that fit a search. Days are those of UTC."""
    names = [name.strip() for name in by.split(",") if name.strip()]
    search = _asked(lambda: parse(query, configured.settings.audit.queries))
    with store.read() as reader:
        counts, whole = _asked(lambda: reader.audit_counts(search, names, None if exact else COUNTED))
        hints = [] if any(row["entries"] for row in counts) else list(_unknown_words(reader, search))
    for hint in hints:
        click.echo(hint, err=True)
    if names:
        _show_counts(names, counts, whole, as_json)
        return
    count = (
        min(int(str(counts[0]["entries"])), COUNTED) if counts and not whole else counts[0]["entries"] if counts else 0
    )
    if as_json:
        print_json({"count": count, "complete": whole})
    else:
        click.echo(count if whole else f"{COUNTED:,}+")


@click.command("tail", context_settings=_as_terms)
@_terms
@with_store
@click.option("-n", "limit", type=click.IntRange(0, 500), default=10, show_default=True, help="Begin with so many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an entry on each line.")
def tail(store: Store, configured: Configuration, query: str, limit: int, follow: bool, as_json: bool) -> None:
    """Show the last entries that fit a search, oldest first."""
    search = _asked(lambda: parse(query, configured.settings.audit.queries))
    with store.read() as reader:
        size = reader.tree_size()
        items = _asked(lambda: reader.audit(search, None, limit, whole=not as_json).items if limit else [])
    try:
        _print_lines(items[::-1], as_json)
        while follow:
            time.sleep(POLL)
            size = _follow(store, search, size, as_json)
    except (KeyboardInterrupt, BrokenPipeError):
        return


@click.command("policy")
@click.argument("sha256")
@with_store
@json_option
def show_policy(store: Store, sha256: str, as_json: bool) -> None:
    """Print the text of a policy version that was in use. The first digits of its hash are enough."""
    with store.read() as reader:
        known = reader.policies_like(sha256.lower())
        if len(known) > 1:
            raise click.UsageError(f"{sha256} is the beginning of several: {', '.join(known)}")
        document = found(reader.policy(known[0]) if known else None, f"policy version {sha256}")
    if as_json:
        print_json(document)
    else:
        click.echo(document["text"], nl=not str(document["text"]).endswith("\n"))


@click.command("datasette")
@with_store
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
def describe_for_datasette(store: Store, configured: Configuration, output: Path | None) -> None:
    """Describe the record for Datasette: views, columns with units, ready queries. Tables and free SQL stay closed."""
    from receiver.store.sqlite.datasette import metadata

    with store.read() as reader:
        text = json.dumps(metadata(reader.tables(), configured.settings.audit.queries), indent=2)
    if output is None:
        click.echo(text)
        return
    output.write_text(f"{text}\n", encoding="utf-8")
    data = configured.settings.data_dir / "hookwarden.db"
    options = "--setting suggest_facets off --setting allow_facet off --setting allow_download off"
    click.echo(f"datasette {data} --metadata {output} {options}", err=True)


def write_entries(form: str, entries: Iterable[JsonObject], output: Path | None) -> None:
    """Write entries with their contents in one of the formats, to a file or to stdout."""
    if output is None:
        if form == "parquet":
            raise click.UsageError("parquet is no text: name a file with --output")
        _asked(lambda: FORMATS[form](entries, sys.stdout.buffer))
        sys.stdout.buffer.flush()
        return
    with output.open("wb") as file:
        _asked(lambda: FORMATS[form](entries, file))


def _asked(ask: Callable[[], T]) -> T:
    """The answer; what cannot be asked is a usage error."""
    try:
        return ask()
    except Unusable as fault:
        raise click.UsageError(str(fault)) from None


def _row(item: JsonObject) -> JsonObject:
    """A whole entry as a row of a table: with the status and the tags that its leaf has."""
    content: Any = item["content"]
    row = {**item, "status": content.get("status"), "tags": content.get("tags")}
    return {**row, "policy_sha256": str(item["policy_sha256"] or "-")[:_SHORT]}


def _told(row: JsonObject) -> Iterator[str]:
    """The cells of a row that say something, but for the policy."""
    for name in ENTRY_COLUMNS:
        if row[name] is not None and name != "policy_sha256":
            yield cell(row[name])


def _unknown_words(reader: Reader, search: Search) -> Iterator[str]:
    """Why nothing was found, as far as it hangs on words that no entry has."""
    for term in search.terms:
        if isinstance(term, Is) and term.key in _WORDS and not term.negated:
            counts, _ = reader.audit_counts("", (term.key,))
            known = [str(row[term.key]) for row in counts if row[term.key]]
            if term.value not in known:
                near = suggestion(term.value, known)
                hint = near if "did you mean" in near or len(known) <= _MOST_KNOWN else ""
                yield f"no entry has the {term.key} {term.value!r}{hint}"


def _list_saved(queries: dict[str, str], as_json: bool) -> None:
    if as_json:
        print_json(queries)
    elif queries:
        print_table(("name", "query"), [{"name": f"@{name}", "query": query} for name, query in queries.items()])
    else:
        click.echo("config.yaml saves no searches (`audit: queries:`)")


def _show_counts(names: list[str], counts: list[JsonObject], whole: bool, as_json: bool) -> None:
    if as_json:
        print_json({"items": counts, "complete": whole})
        return
    print_table((*dict.fromkeys(names), "entries"), counts)
    if not whole:
        click.echo(f"only the newest {COUNTED:,} entries; --exact counts all", err=True)


def _follow(store: Store, search: Search, size: int, as_json: bool) -> int:
    """Show what was written since there were `size` entries; gives how many there are. Each piece has its own view."""
    more = True
    while more:
        with store.read() as reader:
            items, size, more = _next(reader, search, size, whole=not as_json)
        _print_lines(items, as_json)
    return size


def _next(reader: Reader, search: Search, size: int, *, whole: bool) -> tuple[list[JsonObject], int, bool]:
    now = reader.tree_size()
    if now <= size:
        return [], size, False
    page = reader.audit(search, str(size - 1) if size else None, 500, ascending=True, whole=whole)
    return page.items, int(page.next) + 1 if page.next else now, page.next is not None


def _print_lines(items: list[JsonObject], as_json: bool) -> None:
    """An entry a line, at once: what follows a record is often a pipe."""
    for item in items:
        click.echo(json.dumps(item) if as_json else "  ".join(_told(_row(item))))
    sys.stdout.flush()
