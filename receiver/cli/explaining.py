"""`hookwarden explain`: why an event is decided as it is. Calls nobody; reading a stored event leaves an entry."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from receiver.cli.access import leave_access
from receiver.cli.options import config_option, configuration, json_option, with_store
from receiver.cli.output import UNUSABLE, console, fail, print_json
from receiver.config import Configuration
from receiver.contract import Event, JsonObject
from receiver.errors import ConfigurationError, PayloadRejected
from receiver.store.port import Store


@click.command()
@click.argument("event_id", required=False)
@click.option(
    "--payload",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Decide this payload of the vendor, a JSON file, instead of a stored event.",
)
@click.option("--source", help="The configured source that the payload would come from.  [default: the first one]")
@click.option("--now", is_flag=True, help="Decide the stored event anew, under the policy of today.")
@config_option
@json_option
def explain(
    event_id: str | None, payload: Path | None, source: str | None, now: bool, config_path: Path, as_json: bool
) -> None:
    """Explain the decision on a stored event, or on a payload: every rule that was looked at, every condition with its
    values, which one decided, what is missing, and what would have turned it.

    Nobody is called. Nothing is stored, but an entry in the record that says who read a stored event.
    """
    if (event_id is None) == (payload is None):
        raise click.UsageError("name a stored event, or a file with --payload")
    if payload is None:
        if source is not None:
            raise click.UsageError("--source goes with --payload: a stored event has its source")
        _with_stored(config_path=config_path, event_id=event_id, now=now, as_json=as_json)
        return
    if now:
        raise click.UsageError("--now goes with a stored event: a payload is always decided now")
    configured = configuration(config_path, "lenient")
    _explain_now(configured, _event_of(configured, payload, source), str(payload), as_json)


def _event_of(configured: Configuration, payload: Path, source: str | None) -> Event:
    """The payload, normalised as that of a source."""
    from receiver.intake import sources
    from receiver.jsontext import read_object

    known = sources(configured.settings)
    name = source or next(iter(known), None)
    if name is None or name not in known:
        listed = ", ".join(known) or "none is configured"
        raise click.UsageError(f"unknown source {name or ''!r}; known: {listed}")
    try:
        return known[name].normalise(name, read_object(payload.read_bytes()))
    except PayloadRejected as fault:
        click.echo(f"hookwarden: {payload} is no payload: {fault}", err=True)
        sys.exit(UNUSABLE)


def _explain_now(configured: Configuration, event: Event, what: str, as_json: bool) -> None:
    """Decide under the configured policy, and tell."""
    from receiver.cli.reasons import tell_planned, tell_reasons
    from receiver.policies import compile_documents
    from receiver.policy.decide import decide
    from receiver.policy.testing import why_not_looked_at
    from receiver.policy.would_change import explained

    try:
        policy = compile_documents(configured.policies, inline=configured.inline_policy)
    except ConfigurationError as error:
        fail(error)
    decision = decide(event, policy)
    document: Any = explained(decision, event, policy)
    if as_json:
        print_json(document)
        return
    _head(what, event.document)
    tell_reasons(document)
    looked_at = {trace.id for trace in decision.rules}
    for rule in policy.index.candidates(event.document):
        if rule.id not in looked_at:
            why = why_not_looked_at(policy, rule.id, event, decision)
            console().print(Text(f"  rule {rule.id} (line {rule.line}): not looked at: {why}", style="dim"))
    for action in decision.actions:
        tell_planned(action)


@with_store
def _with_stored(store: Store, event_id: str, now: bool, as_json: bool) -> None:
    with store.read() as reader:
        document = reader.event(event_id, raw=True)
    if document is None:
        raise click.ClickException(f"no event {event_id}")
    if document["event"] is not None:  # the values that conditions read are the body's
        leave_access(store, "explanation", event_id=event_id)
    if now:
        context = click.get_current_context()
        configured = configuration(context.params["config_path"], "lenient")
        _explain_now(configured, stored_event(document), event_id, as_json)
    elif as_json:
        print_json(document["decision"])
    else:
        _tell_stored(document)


def stored_event(document: JsonObject) -> Event:
    """A stored event, as it was decided: with what was then known of its session."""
    kept: Any = document["event"]
    if kept is None:
        why = "belongs to a person who was erased: nothing is left to decide"
        if document.get("unreadable"):
            why = "cannot be read, and nothing says that it was erased: run `hookwarden audit verify`"
        raise click.ClickException(f"{document['event_id']} {why}")
    raw: Any = document["raw"] or {}
    is_result = document["parent_id"] is not None
    action, result = (raw.get("action"), raw.get("result")) if is_result else (None, None)
    return Event(kept, raw, None, str(document["event_id"]), action, result)


def _tell_stored(document: Any) -> None:
    from receiver.cli.reasons import tell_reasons
    from receiver.cli.story import tell_action
    from receiver.policy.would_change import explained_again

    decision = document["decision"]
    if document["event"] is not None and decision is not None:
        decision = explained_again(decision, document["event"], document["raw"])
    _head(document["event_id"], document["event"] or {})
    if decision is not None:
        tell_reasons(decision)
    for action in document["actions"]:
        tell_action(action)


def _head(what: str, event: Any) -> None:
    from receiver.cli.output import cell

    tags = cell(event.get("tags"))
    words = f"{what}  {cell(event.get('type'))}  {cell(event.get('status'))}  tags: {tags}"
    console().print(Text(words, style="bold"))
