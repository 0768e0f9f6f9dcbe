"""`hookwarden events`, `actions`, `reviews` and `rejects`: what is stored, and what people do with it."""

from __future__ import annotations

from collections.abc import Callable

import click

from receiver.cli.access import leave_access
from receiver.cli.options import actor, after_option, json_option, limit_option, with_store
from receiver.cli.output import print_json, print_table
from receiver.config import Configuration
from receiver.contract import FINISHED_STATES, UNFINISHED_STATES, Decision, JsonObject
from receiver.errors import NotFound, Unusable
from receiver.store.port import Store, Transaction
from receiver.store.shapes import Page

EVENT_COLUMNS = ("event_id", "received_at", "source", "type", "session_id", "status", "tags", "outcome", "deliveries")
ACTION_COLUMNS = ("action_id", "name", "rule", "session_id", "state", "attempts", "planned_at", "reason")
REVIEW_COLUMNS = ("review_id", "opened_at", "queue", "priority", "session_id", "rule", "state", "reason")
REJECT_COLUMNS = ("at", "source", "client", "reason", "body_bytes")

STATES = click.Choice((*UNFINISHED_STATES, *FINISHED_STATES))


def show_page(page: Page, columns: tuple[str, ...], as_json: bool) -> None:
    """Print one page of a list."""
    if as_json:
        print_json({"items": page.items, "next": page.next})
        return
    if not page.items:
        click.echo("nothing found")
        return
    print_table(columns, page.items)
    if page.next:
        click.echo(f"more: --after {page.next}")


def page_or_usage(ask: Callable[[], Page], columns: tuple[str, ...], as_json: bool) -> None:
    """Print the page that was asked for; what cannot be asked is a usage error."""
    try:
        page = ask()
    except Unusable as fault:
        raise click.UsageError(str(fault)) from None
    show_page(page, columns, as_json)


def found(document: JsonObject | None, what: str) -> JsonObject:
    """The document, or the end of the command."""
    if document is None:
        raise click.ClickException(f"no {what}")
    return document


@click.group()
def events() -> None:
    """What came in, and what was decided."""


@events.command("list")
@with_store
@limit_option
@after_option
@click.option("--session", "session_id", help="Only this session.")
@click.option("--source", help="Only this source.")
@click.option("--outcome", type=click.Choice(["decided", "undecided", "echo"]), help="Only this outcome.")
@json_option
def list_events(store: Store, limit: int, after: str | None, as_json: bool, **only: str | None) -> None:
    """List events, newest first."""
    with store.read() as reader:
        page_or_usage(lambda: reader.events(after, limit, **only), EVENT_COLUMNS, as_json)


@events.command("show")
@click.argument("event_id")
@with_store
@click.option("--raw", is_flag=True, help="With the vendor's payload: personal data.")
@json_option
def show_event(store: Store, event_id: str, raw: bool, as_json: bool) -> None:
    """Show one event whole: what came, which rules were looked at, what was done."""
    with store.read() as reader:
        document = found(reader.event(event_id, raw=raw), f"event {event_id}")
    if document.get("raw") is not None:
        leave_access(store, "body", event_id=event_id)
    if as_json:
        print_json(document)
        return
    from receiver.cli.story import tell_event

    tell_event(document)


@events.command("replay")
@click.argument("event_id")
@with_store
@json_option
def replay_event(store: Store, configured: Configuration, event_id: str, as_json: bool) -> None:
    """Decide a stored event again under the policy of today. A running server carries the actions out."""
    from receiver.policies import compile_configured
    from receiver.policy.explain import decision_document
    from receiver.publication import take_into_use
    from receiver.record import undecidable
    from receiver.wiring import now_ms, open_recorder

    policy = compile_configured(configured)
    recorder = open_recorder(configured.settings, lambda: policy)

    def decide_again(tx: Transaction) -> Decision:
        take_into_use(tx, policy, actor(), now_ms())
        return recorder.replay(tx, event_id, actor(), now_ms())

    try:
        decision = store.submit(decide_again).result()
    except NotFound:
        with store.read() as reader:
            raise undecidable(reader, event_id) from None
    fired = [rule.id for rule in decision.rules if rule.fired]
    if as_json:
        print_json(decision_document(decision))
    else:
        click.echo(
            f"{event_id}: {decision.outcome}; fired: {', '.join(fired) or 'none'}; actions: {len(decision.actions)}"
        )


@click.group()
def actions() -> None:
    """What is to be done, what was done, and what waits for you."""


@actions.command("list")
@with_store
@limit_option
@after_option
@click.option("--state", type=STATES, help="Only this state.")
@click.option("--session", "session_id", help="Only this session.")
@json_option
def list_actions(store: Store, limit: int, after: str | None, as_json: bool, **only: str | None) -> None:
    """List actions, newest first."""
    with store.read() as reader:
        page_or_usage(lambda: reader.actions(after, limit, **only), ACTION_COLUMNS, as_json)


@actions.command("show")
@click.argument("action_id")
@with_store
@json_option
def show_action(store: Store, action_id: str, as_json: bool) -> None:
    """Show one action with its attempts and its result."""
    with store.read() as reader:
        document = found(reader.action(action_id), f"action {action_id}")
    if as_json:
        print_json(document)
        return
    from receiver.cli.story import tell_action

    tell_action(document)


def _deed(name: str, what: str) -> click.Command:
    @actions.command(name, help=what)
    @click.argument("action_id")
    @with_store
    @click.option("--reason", default="", help="Why; stands in the record.")
    def deed(store: Store, action_id: str, reason: str) -> None:
        from receiver.deeds import act
        from receiver.wiring import now_ms

        store.submit(lambda tx: act(tx, name, action_id, actor(), now_ms(), reason)).result()
        with store.read() as reader:
            document = found(reader.action(action_id), f"action {action_id}")
        click.echo(f"{action_id} is now {document['state']}")

    return deed


_deed("retry", "Send a failed, dead or waiting action again.")
_deed("discard", "Give an action up for good.")
_deed("approve", "Let an action run that waits for approval.")
_deed("reject", "Forbid an action that waits for approval.")


@click.group()
def reviews() -> None:
    """Cases for people."""


@reviews.command("list")
@with_store
@limit_option
@after_option
@click.option("--state", type=click.Choice(["open", "resolved"]), help="Only this state.")
@json_option
def list_reviews(store: Store, limit: int, after: str | None, state: str | None, as_json: bool) -> None:
    """List cases, newest first."""
    with store.read() as reader:
        page_or_usage(lambda: reader.reviews(after, limit, state=state), REVIEW_COLUMNS, as_json)


@reviews.command("resolve")
@click.argument("review_id")
@click.argument("resolution")
@with_store
@click.option("--note", default="", help="What was found.")
def resolve_review(store: Store, review_id: str, resolution: str, note: str) -> None:
    """Close a case, with what was decided."""
    from receiver.wiring import now_ms

    store.submit(lambda tx: tx.resolve_review(review_id, actor(), now_ms(), resolution, note)).result()
    click.echo(f"{review_id} is resolved")


@click.command()
@with_store
@limit_option
@after_option
@json_option
def rejects(store: Store, limit: int, after: str | None, as_json: bool) -> None:
    """Refused deliveries, newest first, with the reason that the sender was not told."""
    with store.read() as reader:
        page_or_usage(lambda: reader.rejects(after, limit), REJECT_COLUMNS, as_json)
