"""`hookwarden audit rekey`: a new master key."""

from __future__ import annotations

from pathlib import Path

import click

from receiver.cli.options import actor, json_option, with_store
from receiver.cli.output import print_json
from receiver.config import Configuration
from receiver.store.port import Store


@click.command("rekey")
@click.option(
    "--new-key-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Take the new key from this file (64 hex digits), or from HOOKWARDEN_NEW_MASTER_KEY; else one is made.",
)
@with_store
@json_option
def rekey_store(store: Store, configured: Configuration, new_key_file: Path | None, as_json: bool) -> None:
    """Replace the master key: every key in keys.db is wrapped anew, in one transaction.

    With the key in master.key, a running server goes on. With `audit: master_key` it answers 503 until it is started
    with the new key, which then has to be given, not made.
    """
    import os

    from receiver.store.master import parse, read

    text = os.environ.get("HOOKWARDEN_NEW_MASTER_KEY")
    given = configured.settings.audit.master_key is not None
    new = read(new_key_file) if new_key_file is not None else parse(text) if text else None
    if text and new is None:
        raise click.UsageError("HOOKWARDEN_NEW_MASTER_KEY does not hold 64 hex digits")
    if given and new is None:
        raise click.UsageError("audit.master_key is in use: give the new key with --new-key-file or the environment")
    count = store.rekey(new, actor())
    if as_json:
        print_json({"subjects": count, "restart": given})
        return
    click.echo(f"the keys of {count} persons are wrapped by the new master key")
    if given:
        click.echo(
            "put it where `audit: master_key` reads it, and restart `hookwarden serve`: until then it answers 503"
        )
    else:
        click.echo(
            "it is in master.key; a running server goes on. Back it up, apart from keys.db, and destroy the old one"
        )
