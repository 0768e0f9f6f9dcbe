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
    "tail": "searching:tail",
    "policy": "searching:show_policy",
    "datasette": "searching:describe_for_datasette",
    "verify": "proving:verify_record",
    "prove": "proving:prove",
    "key": "proving:show_key",
    "export": "exporting:export_entries",
    "explain": "telling:explain_session",
    "erase": "erasing:erase_person",
    "prune": "keeping:prune_record",
    "hold": "keeping:hold_person",
    "release": "keeping:release_person",
    "holds": "keeping:list_holds",
    "rekey": "rekeying:rekey_store",
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def audit() -> None:
    """The record: every event, decision, action and operator's act, in order."""
