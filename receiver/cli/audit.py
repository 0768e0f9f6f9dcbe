"""`hookwarden audit`: the record. Its commands stand in the files of their kinds, imported when they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from receiver.cli.lazy import LazyGroup

_COMMANDS: Final[Mapping[str, str]] = {
    "search": "searching:search_audit",
    "show": "searching:show_entry",
    "count": "searching:count_entries",
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def audit() -> None:
    """The record: every event, decision, action and operator's act, in order."""
