"""`hookwarden audit rekey`: a new master key."""

from __future__ import annotations

from pathlib import Path

import click

from receiver.cli.options import actor, json_option, with_store
from receiver.cli.output import print_json
from receiver.cli.scrubbing import tell_of_scrubbing
from receiver.config import Configuration
from receiver.store.port import Store


@click.command("rekey")
@click.option(
    "--new-key-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Take the new key from this file (64 hex digits), or from HOOKWARDEN_NEW_MASTER_KEY; else one is made.",
)
@click.option(
    "--all",
    "whole",
    is_flag=True,
    help="Also replace the key between the master key and those of persons: stops intake for seconds.",
)
@with_store
@json_option
def rekey_store(store: Store, configured: Configuration, new_key_file: Path | None, whole: bool, as_json: bool) -> None:
    """Replace the master key. It wraps one key, which wraps those of all persons: that one is wrapped anew.

    With --all that one is replaced too, and every key in keys.db wrapped anew: do so when the old master key may have
    been seen together with a copy of keys.db.

    With the key in master.key, a running server goes on. With `audit: master_key` it answers 503 until it is started
    with the new key, which then has to be given, not made.
    """
    import os

    from receiver.erasing import SCRUB_SECONDS
    from receiver.store.master import parse, read

    text = os.environ.get("HOOKWARDEN_NEW_MASTER_KEY")
    given = configured.settings.audit.master_key is not None
    new = read(new_key_file) if new_key_file is not None else parse(text) if text else None
    if text and new is None:
        raise click.UsageError("HOOKWARDEN_NEW_MASTER_KEY does not hold 64 hex digits")
    if given and new is None:
        raise click.UsageError("audit.master_key is in use: give the new key with --new-key-file or the environment")
    count = store.rekey(new, actor(), whole=whole)
    scrubbed = store.scrub(SCRUB_SECONDS)
    print_json({"subjects": count, "restart": given, "scrubbed": scrubbed}) if as_json else _tell(count, given=given)
    tell_of_scrubbing("the new key is in use", scrubbed=scrubbed)


def _tell(count: int, *, given: bool) -> None:
    click.echo(f"the keys of {count} persons are wrapped by the new master key")
    if given:
        click.echo(
            "put it where `audit: master_key` reads it, and restart `hookwarden serve`: until then it answers 503"
        )
    else:
        click.echo(
            "it is in master.key; a running server goes on. Back it up, apart from keys.db, and destroy the old one"
        )
