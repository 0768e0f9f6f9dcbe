"""A group of commands of which only the one that runs is imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from receiver.suggestion import suggestion


class LazyGroup(click.Group):
    """`table` says for each command in which module of this package it stands, and what it is called there."""

    def __init__(self, *args: Any, table: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """One of them, imported now."""
        if cmd_name not in self._table:
            ctx.fail(f"no such command {cmd_name!r}{suggestion(cmd_name, self._table)}")
        module, _, name = self._table[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"receiver.cli.{module}"), name)
        return command
