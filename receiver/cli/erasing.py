"""`hookwarden audit erase`: a person's data is destroyed, and the record stays whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final, cast

import click

from receiver.cli.options import actor, json_option, with_store
from receiver.cli.output import FINDINGS, print_json
from receiver.contract import JsonObject
from receiver.store.port import Person, Store
from receiver.store.vault import Extent

_WORDS: Final = {"all": "all personal data", "biometric": "biometric data"}
_NOT_SCRUBBED: Final = (
    "the keys are destroyed, but another program is reading, and old bytes stay in the write-ahead log until it stops;"
    " run the same command again, or restart `hookwarden serve`"
)


@click.command("erase")
@click.argument("subject", required=False)
@click.option("--session", "session_id", help="Erase the person of this session instead.")
@click.option(
    "--class",
    "extent",
    type=click.Choice(["all", "biometric"]),
    default="all",
    show_default=True,
    help="biometric: bodies, images, face checks and searches only.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be destroyed, and destroy nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--reason", default="", help="Why; kept sealed, beside the entry.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the receipt here too.")
@with_store
@json_option
def erase_person(
    store: Store,
    subject: str | None,
    session_id: str | None,
    extent: str,
    dry_run: bool,
    yes: bool,
    reason: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Erase a person for good: keys, sealed contents, and every row that leads to them.

    SUBJECT is the sender's name for the person (Didit: vendor_data, else the session's id). Prints a receipt with the
    proof of its entry. What was sent to others, and backups, are not undone by it.
    """
    from receiver import erasing
    from receiver.wiring import now_ms

    if (subject is None) == (session_id is None):
        raise click.UsageError("name the person: SUBJECT, or --session ID")
    kind = cast("Extent", extent)
    person = erasing.find(store, erasing.Wanted(subject, session_id, kind))
    if not erasing.is_there(person, kind) or person.ref is None:
        _say_erased_already(store, person, kind, as_json)
        return
    if dry_run:
        _show_preview(erasing.preview(store, person.ref, kind, actor(), now_ms()), kind, as_json)
        return
    if not yes:
        click.confirm(f"Destroy {_WORDS[kind]} of this person? Nobody can bring it back", abort=True, err=True)
    receipt = erasing.erase(store, person.ref, kind, actor(), now_ms, reason)
    if output is not None:
        output.write_text(json.dumps(receipt, indent=2) + "\n", encoding="utf-8")
    print_json(receipt) if as_json else _tell(receipt, kind)
    if not receipt["scrubbed"]:
        click.echo(f"hookwarden: {_NOT_SCRUBBED}", err=True)
        sys.exit(FINDINGS)


def _say_erased_already(store: Store, person: Person, extent: Extent, as_json: bool) -> None:
    """Nothing is left to destroy; bytes that readers kept in the logs are cut now."""
    from receiver.erasing import SCRUB_SECONDS
    from receiver.store.documents import iso_or_none

    at, scrubbed = iso_or_none(person.erased_at), store.scrub(SCRUB_SECONDS)
    if as_json:
        print_json({"erased_already": at, "class": extent, "scrubbed": scrubbed})
    else:
        when = f", at {at}" if at else ""
        click.echo(f"{_WORDS[extent]} of this person was erased already{when}: nothing is left")
    if not scrubbed:
        click.echo(f"hookwarden: {_NOT_SCRUBBED}", err=True)
        sys.exit(FINDINGS)


def _show_preview(counts: object, extent: Extent, as_json: bool) -> None:
    if as_json:
        print_json({"class": extent, "would_destroy": counts})
        return
    click.echo(f"would destroy {_WORDS[extent]} of this person: {_listed(counts)}")


def _tell(receipt: JsonObject, extent: Extent) -> None:
    click.echo(f"destroyed {_WORDS[extent]} of person {receipt['subject_ref']}: {_listed(receipt['destroyed'])}")
    click.echo(f"entry {receipt['idx']} says so; receipt (check it with `hookwarden audit prove --check FILE`):")
    print_json({name: receipt[name] for name in ("idx", "leaf", "size", "checkpoint", "proof")})


def _listed(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items() if number) or "the keys"
