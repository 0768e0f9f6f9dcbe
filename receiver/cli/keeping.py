"""`hookwarden audit prune`, `hold`, `release` and `holds`: what is kept no longer, and what must be kept."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from receiver.cli.options import actor, json_option, with_store
from receiver.cli.output import print_json, print_table
from receiver.config import Configuration
from receiver.store.port import Store

HOLD_COLUMNS = ("hold", "subject_ref", "at", "actor", "reason", "released_at", "released_by")


@click.command("prune")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    help="For every class that has a limit, this day (UTC) instead of what audit.retention says.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and drop nothing.")
@with_store
@json_option
def prune_record(
    store: Store, configured: Configuration, before: datetime | None, dry_run: bool, as_json: bool
) -> None:
    """Drop what is past its time by audit.retention: sealed contents, then whole tiles of entries.

    A running server does so by itself once a day. Proofs of all that stays remain possible. What is not finished, and
    who is held, is kept.
    """
    from receiver.pruning import Limits, forecast, prune
    from receiver.wiring import now_ms

    limits = Limits.of(configured.settings.audit.retention, now_ms())
    if limits == Limits(None, None, None):
        raise click.ClickException(
            "nothing has a limit: set `audit: {retention: {blob.biometric: 90d, blob.pii: 5y, entry: 7y}}`"
        )
    if before is not None:
        limits = limits.moved(round(1000 * before.replace(tzinfo=UTC).timestamp()))
    rows = forecast(store, limits, actor(), now_ms()) if dry_run else prune(store, limits, actor(), now_ms)
    if as_json:
        print_json({"dry_run": dry_run, "classes": rows})
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    print_table(columns, rows)


@click.command("hold")
@click.argument("subject")
@click.option("--reason", required=True, help="Who ordered it, and why; kept sealed.")
@with_store
def hold_person(store: Store, subject: str, reason: str) -> None:
    """Put a legal hold on a person: nothing of theirs is erased or pruned until it is released."""
    from receiver.wiring import now_ms

    ref = _ref(store, subject)
    number = store.submit(lambda tx: tx.hold(ref, actor(), now_ms(), reason)).result()
    click.echo(f"legal hold {number} stands on person {ref.hex()}")


@click.command("release")
@click.argument("subject")
@with_store
def release_person(store: Store, subject: str) -> None:
    """End the legal hold on a person."""
    from receiver.wiring import now_ms

    ref = _ref(store, subject)
    number = store.submit(lambda tx: tx.release(ref, actor(), now_ms())).result()
    click.echo(f"legal hold {number} is released")


@click.command("holds")
@with_store
@json_option
def list_holds(store: Store, as_json: bool) -> None:
    """List legal holds, newest first."""
    with store.read() as reader:
        holds = reader.holds()
    if as_json:
        print_json({"items": holds})
    elif holds:
        print_table(HOLD_COLUMNS, holds)
    else:
        click.echo("nothing found")


def _ref(store: Store, subject: str) -> bytes:
    from receiver.erasing import Wanted, find

    ref = find(store, Wanted(subject, None)).ref
    if ref is None:
        raise click.ClickException("this person was erased: nothing is left to hold")
    return ref
