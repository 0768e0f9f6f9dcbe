"""`hookwarden audit explain`: the life of one session, for who must answer for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import click

from receiver.cli.access import leave_access
from receiver.cli.options import actor, json_option, with_store
from receiver.cli.output import print_json
from receiver.store.port import Store

_OWNER_ONLY: Final = 0o600  # it holds personal data


@click.command("explain")
@click.argument("session_id", metavar="[SESSION]", required=False)
@with_store
@click.option("--event", "event_id", metavar="ID", help="Only this event, and what came of it; needs no SESSION.")
@click.option(
    "--html",
    "html_path",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Write a page to read and to print; `-` is standard output.",
)
@click.option(
    "--for-person", is_flag=True, help="Leave out look-alikes and the names of staff, for the person concerned."
)
@json_option
def explain_session(
    store: Store, session_id: str | None, event_id: str | None, html_path: Path | None, for_person: bool, as_json: bool
) -> None:
    """Tell the life of a session: what came in, which rule decided on which values under which policy version, what was
    called and came back, who approved, and what would have changed it.

    It holds personal data, so that reading it leaves an entry in the record.
    """
    if as_json and html_path is not None:
        raise click.UsageError("--json and --html: choose one")
    if session_id is None and event_id is None:
        raise click.UsageError("name a session, or an event with --event")
    document = _told(store, session_id, event_id, for_person=for_person)
    if html_path is not None:
        _write_page(document, html_path)
    elif as_json:
        print_json(document)
    else:
        from receiver.cli.life import tell_life

        tell_life(document)


def _told(store: Store, session_id: str | None, event_id: str | None, *, for_person: bool) -> dict[str, Any]:
    from receiver.store.documents import iso
    from receiver.story.gather import gather
    from receiver.story.person import for_person as without_others
    from receiver.story.tell import told
    from receiver.wiring import now_ms

    with store.read() as reader:
        material = gather(reader, store.verifier, session_id, event_id)
    leave_access(store, "explanation", event_id=event_id, session_id=session_id)
    document: dict[str, Any] = told(material, iso(now_ms()), actor())
    return without_others(document) if for_person else document


def _write_page(document: dict[str, Any], path: Path) -> None:
    from receiver.story.page import page

    text = page(document)
    if str(path) == "-":
        click.echo(text)
        return
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY), "w", encoding="utf-8") as file:  # noqa: PTH123  # a descriptor, so that nobody else may read it
            file.write(text)
    except OSError as error:
        raise click.ClickException(f"{path} was not written: {error.strerror}") from None
    click.echo(f"written to {path}: personal data, readable by you alone", err=True)
