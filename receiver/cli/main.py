"""The command line. Each command stands in the file of its kind; importing them costs little, running them more."""

from __future__ import annotations

import click

from receiver.cli.checking import check, init
from receiver.cli.demo import demo
from receiver.cli.records import actions, audit, events, rejects, reviews
from receiver.cli.sending import send
from receiver.cli.serving import sandbox, serve


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hookwarden")
def main() -> None:
    """Receive signed identity-verification webhooks, decide by a YAML policy, act, and keep the record.

    Exit status: 0 fine, 1 findings, 2 usage or configuration.
    """


for command in (demo, init, serve, sandbox, send, check, events, actions, reviews, rejects, audit):
    main.add_command(command)
