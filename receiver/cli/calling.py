"""`hookwarden call`: any action from the shell, with the configured vendors and under the guards of rules' calls."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from receiver.cli.options import actor, config_option, configuration, json_option
from receiver.cli.output import FINDINGS, FINE, UNUSABLE, print_json, print_table
from receiver.contract import ActionCall, ActionSpec, JsonObject, JsonValue, Outcome
from receiver.errors import AnswerUnreadable, VendorError, VendorRefused

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from receiver.config import Configuration

MAX_FILE = 20 * 1024 * 1024  # bytes; each action has its own, smaller bound
_BAD = ("Declined", "In Review")  # what a check may come to, and is not good


@click.command()
@click.argument("name", metavar="ACTION")
@config_option
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter; JSON, or else text.")
@click.option("--image", metavar="PATH", help="The picture: the same as --file image=PATH.")
@click.option("--file", "files", multiple=True, metavar="NAME=PATH", help="A file, where the parameter takes a link.")
@click.option("--session", "session_id", metavar="ID", help="The session that it is about.")
@click.option("--vendor-data", metavar="TEXT", help="The person that it is about, as you name them to the vendor.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, exists=False),
    help="A new file for what the record does not keep: a report, a link or token that opens a session.",
)
@click.option("--yes", is_flag=True, help="Do not ask before a call that is charged for, or changes something.")
@json_option
def call(
    name: str,
    config_path: Path,
    params: Sequence[str],
    image: str | None,
    files: Sequence[str],
    output: Path | None,
    yes: bool,
    as_json: bool,
    **about: str | None,
) -> None:
    """Carry one action out now, such as: hookwarden call didit.passive_liveness --image selfie.jpg

    Exit status: 0 for a good answer; 1 for one that is not (declined, in review, a warning that is more than
    information) and for the vendor's final no; 2 where there is no answer, or nothing could be asked. The record says
    who called what, and how it ended, but neither parameters nor result.
    """
    spec = _spec(name)
    pictures = [*files, *([f"image={image}"] if image else [])]
    if output is not None and output.exists():
        raise click.UsageError(f"{output} is there already; -o takes a new file")
    given = dict(_pairs(params, "--param"))
    asked = _asked(spec, {key: _value(text) for key, text in given.items()}, dict(_contents(pictures)), about)
    configured = configuration(config_path)
    if (spec.billable or spec.destructive) and not yes:
        _ask(spec)
    outcome = _recorded(configured, spec, asked)
    _show(spec, outcome, as_json)
    _hand_over(outcome, output)
    sys.exit(_status(spec, outcome))


def _ask(spec: ActionSpec) -> None:
    """Have a person say yes to a call that cannot be taken back. Where nobody can be asked, that is no yes."""
    what = f"{spec.name} {'is charged for' if spec.billable else 'changes something at the vendor'}"
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what}, and nobody can be asked here: add --yes if it is meant")
    click.confirm(f"{what}. Call it?", abort=True, err=True)


def _spec(name: str) -> ActionSpec:
    """The action, if it is one that calls somebody."""
    from handlers.specs import SPECS
    from receiver.suggestion import suggestion

    if name not in SPECS:
        raise click.UsageError(f"no action {name!r}{suggestion(name, SPECS)}")
    if name in ("review", "label"):
        raise click.UsageError(f"{name} is about an event, and only rules plan it; see `hookwarden reviews`")
    return SPECS[name]


def _pairs(texts: Sequence[str], option: str) -> Iterator[tuple[str, str]]:
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{option} takes NAME=VALUE, not {text!r}")
        yield key, value


def _value(text: str) -> JsonValue:
    """JSON, such as 80, true or {"a": 1}; anything else is text."""
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value


def _contents(files: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name, place in _pairs(files, "--file"):
        try:
            with Path(place).open("rb") as file:
                content = file.read(MAX_FILE + 1)
        except OSError as fault:
            raise click.UsageError(f"--file {name}={place}: {fault.strerror}") from None
        if len(content) > MAX_FILE:
            raise click.UsageError(f"--file {name}={place}: over {MAX_FILE // 1024**2} MiB")
        yield name, content


def _asked(
    spec: ActionSpec, params: JsonObject, files: Mapping[str, bytes], about: Mapping[str, str | None]
) -> ActionCall:
    """The call, about an event that says no more than the options do."""
    from pydantic import ValidationError

    from receiver.ids import new_id
    from receiver.vendors.empty import empty_document
    from receiver.wiring import now_ms

    try:
        spec.params.model_validate(params)
    except ValidationError as error:
        said = "\n".join(f"  {_misfit(spec, each)}" for each in error.errors())
        raise click.UsageError(f"the parameters of {spec.name} do not fit:\n{said}") from None
    event = empty_document("shell", spec.vendor or "none")
    event["session_id"], event["vendor_data"] = about["session_id"], about["vendor_data"]
    identity = new_id("call", now_ms())
    return ActionCall(identity, identity, spec.name, params, event, attempt=1, repeated=False, files=files)


def _misfit(spec: ActionSpec, error: ErrorDetails) -> str:
    """One thing that the parameters of an action cannot be."""
    from receiver.suggestion import suggestion

    loc, said = error["loc"], error["msg"]
    if error["type"] == "missing":
        said = "is missing"
    elif error["type"] == "extra_forbidden":
        known = suggestion(str(loc[0]), spec.params.model_fields) if len(loc) == 1 else ""
        said = f"unknown parameter{known}"
    return f"{'.'.join(map(str, loc)) or 'parameters'}: {said}"


def _recorded(configured: Configuration, spec: ActionSpec, asked: ActionCall) -> Outcome:
    """Call, with an entry of the record before and after. Ends the command where nothing could be asked."""
    from handlers.specs import unconfigured
    from receiver.wiring import now_ms, open_configured_store

    for name, vendor in unconfigured([spec.name], configured.settings.vendors):
        raise click.ClickException(f"{name} needs `vendors: {vendor}:` in {configured.path}")
    store = open_configured_store(configured)
    who, session_id = actor(), asked.event["session_id"]

    def note(act: str, **facts: str) -> None:
        said = {"act": act, "action": spec.name, "call": asked.action_id, **facts}
        store.submit(lambda tx: tx.add_note("operator", who, now_ms(), said, session_id)).result()

    try:
        note("call")
        outcome = asyncio.run(_called(configured, asked))
        note("called", outcome=outcome.state)
    finally:
        store.close()
    return outcome


async def _called(configured: Configuration, asked: ActionCall) -> Outcome:
    """One attempt; what went wrong comes as an outcome too."""
    from handlers.registry import bind
    from receiver.log import log_to_stderr
    from receiver.outgoing import open_tools

    log_to_stderr()  # standard output holds the answer, and nothing else
    tools = open_tools(configured.settings, configured.path)
    try:
        return await bind(tools)[asked.name](asked)
    except (VendorRefused, AnswerUnreadable) as no:
        return Outcome("failed", no.reason, http_status=no.http_status)
    except VendorError as trouble:
        return Outcome("retry", trouble.reason, http_status=trouble.http_status)
    finally:
        await tools.close()


def _show(spec: ActionSpec, outcome: Outcome, as_json: bool) -> None:
    document: JsonObject = {"action": spec.name, "outcome": outcome.state, "reason": outcome.reason}
    document |= {"http_status": outcome.http_status, "result": outcome.result}
    if as_json:
        print_json(document)
        return
    shown = {**document, **(outcome.result or {})}
    rows: list[JsonObject] = [{"name": name, "value": value} for name, value in shown.items() if value is not None]
    print_table(("name", "value"), [row for row in rows if row["name"] != "result"])


def _hand_over(outcome: Outcome, output: Path | None) -> None:
    """What is kept nowhere goes into a new file that only its owner can read, or nowhere. No terminal shows it."""
    for name, content in outcome.handover.items():
        if output is None:
            click.echo(f"hookwarden: {name} is shown nowhere; -o FILE writes it into a file", err=True)
            continue
        try:
            with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content if isinstance(content, bytes) else f"{content}\n".encode())
        except OSError as fault:
            raise click.ClickException(f"{output}: {fault.strerror}; {name} is lost") from None


def _status(spec: ActionSpec, outcome: Outcome) -> int:
    """The exit status: an answer that says no must be told from none at all."""
    if outcome.state == "retry":
        return UNUSABLE
    result = outcome.result or {}
    if outcome.state == "failed":
        return FINDINGS
    if spec.destructive or spec.sets_status:  # its status is what was asked for
        return FINE
    bad = result.get("status") in _BAD or _alarming(result.get("warnings"))
    return FINDINGS if bad else FINE


def _alarming(warnings: JsonValue) -> bool:
    """Any warning that the vendor does not call mere information."""
    listed = warnings if isinstance(warnings, list) else []
    return any(isinstance(each, dict) and each.get("severity") != "information" for each in listed)
