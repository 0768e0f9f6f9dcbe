"""What a command says when old bytes could not be cut from the logs of the files."""

from __future__ import annotations

import sys

import click

from receiver.cli.output import FINDINGS


def tell_of_scrubbing(what: str, *, scrubbed: bool) -> None:
    """Nothing where they were; else what is true of the keys all the same and what to do, with status 1."""
    if scrubbed:
        return
    click.echo(
        f"hookwarden: {what}, but another program is reading, and old bytes stay in the write-ahead log until it stops;"
        " run the same command again, or restart `hookwarden serve`",
        err=True,
    )
    sys.exit(FINDINGS)
