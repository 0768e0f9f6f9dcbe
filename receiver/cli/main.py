"""The command line. Each command stands in the file of its kind; importing them costs little, running them more."""

from __future__ import annotations

import sys
from typing import Any

import click

from receiver.cli.checking import check, init
from receiver.cli.demo import demo
from receiver.cli.explaining import explain
from receiver.cli.output import UNUSABLE, fail
from receiver.cli.records import actions, audit, events, rejects, reviews
from receiver.cli.schema import schema
from receiver.cli.sending import send
from receiver.cli.serving import sandbox, serve
from receiver.cli.simulating import simulate
from receiver.cli.testing import run_tests
from receiver.errors import ConfigurationError, Conflict, HookwardenError, NotFound


class _Commands(click.Group):
    """The commands. What they raise on purpose ends in a message and the right exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            fail(error)
        except (NotFound, Conflict) as error:
            raise click.ClickException(str(error)) from None
        except HookwardenError as error:
            click.echo(f"hookwarden: {error}", err=True)
            sys.exit(UNUSABLE)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hookwarden")
def main() -> None:
    """Receive signed identity-verification webhooks, decide by a YAML policy, act, and keep the record.

    Exit status: 0 fine, 1 findings, 2 usage or configuration.
    """


for command in (
    schema,
    run_tests,
    explain,
    simulate,
    demo,
    init,
    serve,
    sandbox,
    send,
    check,
    events,
    actions,
    reviews,
    rejects,
    audit,
):
    main.add_command(command)
