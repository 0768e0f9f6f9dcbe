"""`hookwarden audit prune`, `hold`, `release` and `holds`: what is kept no longer, and what must be kept."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from receiver.cli.options import actor, json_option, with_store
from receiver.cli.output import print_json, print_table
from receiver.cli.scrubbing import tell_of_scrubbing
from receiver.config import Configuration
from receiver.store.port import Store

HOLD_COLUMNS = ("hold", "session_id", "subject_ref", "at", "actor", "reason", "released_at", "released_by")


@click.command("prune")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    help="For every class that has a limit, this past day or time (UTC) instead of what audit.retention says.",
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

    now = now_ms()
    limits = Limits.of(configured.settings.audit.retention, now)
    if limits == Limits(None, None, None):
        raise click.ClickException(
            "nothing has a limit: set `audit: {retention: {blob.biometric: 90d, blob.pii: 5y, entry: 7y}}`"
        )
    if before is not None:
        moved = round(1000 * before.replace(tzinfo=UTC).timestamp())
        if moved > now:
            raise click.UsageError(f"--before {before:%Y-%m-%dT%H:%M:%SZ} has not come yet; name a time that is past")
        limits = limits.moved(moved)
    rows = forecast(store, limits, actor(), now) if dry_run else prune(store, limits, actor(), now_ms)
    if as_json:
        print_json({"dry_run": dry_run, "classes": rows})
    else:
        print_table(list(dict.fromkeys(name for row in rows for name in row)), rows)
    tell_of_scrubbing("it is gone", scrubbed=all(row.get("scrubbed", True) for row in rows))


@click.command("hold")
@click.argument("subject")
@click.option("--reason", required=True, help="Who ordered it, and why; kept sealed.")
@with_store
def hold_person(store: Store, subject: str, reason: str) -> None:
    """Put a legal hold on a person: nothing of theirs is erased or pruned until it is released."""
    from receiver.wiring import now_ms

    ref = _ref(store, subject)
    number = store.submit(lambda tx: tx.hold(ref, actor(), now_ms(), reason)).result()
    click.echo(f"legal hold {number} stands on person {ref.hex()}{_known_by(store, number)}")


@click.command("release")
@click.argument("subject")
@with_store
def release_person(store: Store, subject: str) -> None:
    """End the legal hold on a person."""
    from receiver.wiring import now_ms

    ref = _ref(store, subject)
    number = store.submit(lambda tx: tx.release(ref, actor(), now_ms())).result()
    click.echo(f"legal hold {number} is released, of person {ref.hex()}{_known_by(store, number)}")


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


def _known_by(store: Store, number: int) -> str:
    """By which session people know the person of a hold."""
    with store.read() as reader:
        sessions = (hold["session_id"] for hold in reader.holds() if hold["hold"] == number)
        session_id = next(sessions, None)
    return f", newest session {session_id}" if session_id else ""


def _ref(store: Store, subject: str) -> bytes:
    from receiver.erasing import Wanted, find

    ref = find(store, Wanted(subject, None)).ref
    if ref is None:
        raise click.ClickException("this person was erased: nothing is left to hold")
    return ref
