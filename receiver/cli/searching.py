"""`hookwarden audit search`, `show` and `count`: finding entries of the record."""

from __future__ import annotations

import click

from receiver.cli.options import after_option, json_option, limit_option, with_store
from receiver.cli.output import print_json, print_table
from receiver.cli.records import found, page_or_usage
from receiver.errors import Unusable
from receiver.store.port import Store

ENTRY_COLUMNS = ("idx", "at", "kind", "actor", "event_id", "session_id", "rule", "outcome")


@click.command("search", context_settings={"ignore_unknown_options": True})
@click.argument("query", required=False, default="")
@with_store
@limit_option
@after_option
@json_option
def search_audit(store: Store, query: str, limit: int, after: str | None, as_json: bool) -> None:
    """Search the record, newest first.

    QUERY is made of key:value terms, such as 'tag:DUPLICATED_FACE -outcome:echo created:2026-11-01..2026-11-30'.
    """
    with store.read() as reader:
        page_or_usage(lambda: reader.audit(query, after, limit), ENTRY_COLUMNS, as_json)


@click.command("show")
@click.argument("idx", type=int)
@with_store
@json_option
def show_entry(store: Store, idx: int, as_json: bool) -> None:
    """Show one entry of the record."""
    with store.read() as reader:
        document = found(reader.audit_entry(idx), f"entry {idx}")
    if as_json:
        print_json(document)
    else:
        print_table(("key", "value"), [{"key": key, "value": value} for key, value in document.items()])


@click.command("count", context_settings={"ignore_unknown_options": True})
@click.argument("query", required=False, default="")
@with_store
@json_option
def count_entries(store: Store, query: str, as_json: bool) -> None:
    """Count the entries that fit a search."""
    with store.read() as reader:
        try:
            count = reader.audit_count(query)
        except Unusable as fault:
            raise click.UsageError(str(fault)) from None
    if as_json:
        print_json({"count": count})
    else:
        click.echo(count)
