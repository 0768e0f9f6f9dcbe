"""`hookwarden audit erase`: a person's data is destroyed, and the record stays whole."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO, cast

import click

from receiver.cli.options import actor, json_option, with_store
from receiver.cli.output import print_json
from receiver.cli.scrubbing import tell_of_scrubbing
from receiver.contract import JsonObject
from receiver.store.port import Store
from receiver.store.shapes import Extent, Person

_WORDS: Final = {"all": "all personal data", "biometric": "biometric data"}
_DESTROYED: Final = "the keys are destroyed"


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
    proof of its entry, which `hookwarden audit prove --check FILE` checks; words about it go to standard error. What
    was sent to others, and backups, are not undone by it.
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
        whose = f"the person of session {session_id}" if session_id is not None else f"the person {subject}"
        click.confirm(f"Destroy {_WORDS[kind]} of {whose}? Nobody can bring it back", abort=True, err=True)
    with _receipt_file(output) as file:
        receipt = erasing.erase(store, person.ref, kind, actor(), now_ms, reason)
        file.truncate(0)
        file.write(json.dumps(receipt, indent=2) + "\n")
    print_json(receipt)
    if not as_json:
        _tell(receipt, kind)
    tell_of_scrubbing(_DESTROYED, scrubbed=bool(receipt["scrubbed"]))


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
    tell_of_scrubbing(_DESTROYED, scrubbed=scrubbed)


def _show_preview(counts: object, extent: Extent, as_json: bool) -> None:
    if as_json:
        print_json({"class": extent, "would_destroy": counts})
        return
    click.echo(f"would destroy {_WORDS[extent]} of this person: {_listed(counts)}")


def _tell(receipt: JsonObject, extent: Extent) -> None:
    """In words what the receipt says; not on standard output, which is the receipt and nothing else."""
    said = f"destroyed {_WORDS[extent]} of person {receipt['subject_ref']}: {_listed(receipt['destroyed'])}"
    click.echo(said, err=True)
    click.echo(
        f"entry {receipt['idx']} says so. Keep the receipt: `hookwarden audit prove --check FILE` checks it", err=True
    )


@contextmanager
def _receipt_file(path: Path | None) -> Iterator[TextIO]:
    """Where the receipt is written too, opened before anything is destroyed."""
    if path is None:
        yield io.StringIO()
        return
    try:
        file = path.open("a", encoding="utf-8")  # what it holds stays until there is a receipt
    except OSError as fault:
        raise click.UsageError(f"{path} cannot be written ({fault.strerror}); nothing was erased") from None
    with file:
        yield file


def _listed(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items() if number) or "the keys"
