"""The command line. Each command stands in the file of its kind, and only the one that runs is imported."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

import click

from receiver.cli.lazy import LazyGroup
from receiver.errors import ConfigurationError, Conflict, HookwardenError, NotFound

_COMMANDS: Final[Mapping[str, str]] = {  # name: module and what it is called there, in the order of a first day
    "demo": "demo:demo",
    "init": "checking:init",
    "check": "checking:check",
    "serve": "serving:serve",
    "sandbox": "serving:sandbox",
    "send": "sending:send",
    "test": "testing:run_tests",
    "explain": "explaining:explain",
    "simulate": "simulating:simulate",
    "schema": "schema:schema",
    "call": "calling:call",
    "didit": "didit:didit",
    "events": "records:events",
    "actions": "records:actions",
    "reviews": "records:reviews",
    "rejects": "records:rejects",
    "audit": "audit:audit",
}


class _Commands(LazyGroup):
    """The commands. What they raise on purpose ends in a message and the right exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            from receiver.cli.output import fail

            fail(error)
        except (NotFound, Conflict) as error:
            raise click.ClickException(str(error)) from None
        except HookwardenError as error:
            from receiver.cli.output import UNUSABLE

            click.echo(f"hookwarden: {error}", err=True)
            sys.exit(UNUSABLE)


@click.group(
    cls=_Commands, table=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="hookwarden")
def main() -> None:
    """Receive signed identity-verification webhooks, decide by a YAML policy, act, and keep the record.

    Exit status: 0 fine, 1 findings, 2 usage or configuration.
    """
