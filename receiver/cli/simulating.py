"""`hookwarden simulate`: what another policy would have decided of the events that are stored."""

from __future__ import annotations

import contextlib
import csv
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import click

from receiver.cli.options import config_option, configuration, json_option
from receiver.cli.output import FINDINGS, FINE, console, fail, print_json
from receiver.config import Configuration
from receiver.contract import JsonObject
from receiver.errors import ConfigurationError, StoreUnavailable, Unusable
from receiver.textfiles import load_policy_file

if TYPE_CHECKING:
    from receiver.policy.recall import PastEvent
    from receiver.policy.rules import Policy
    from receiver.store.port import Store

Write: TypeAlias = "Callable[[Sequence[str]], object]"
"""Writes one row."""

_FILES = click.Path(path_type=Path, exists=True, dir_okay=False)


class _Moment(click.ParamType[int]):
    """A point in time, in Unix milliseconds: so long ago (30d, 24h), or a day or time in UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; the clock is looked at here."""
        if isinstance(value, int):
            return value
        from receiver.backtest import moment
        from receiver.wiring import now_ms

        try:
            return moment(value, now_ms())
        except Unusable as fault:
            self.fail(str(fault), param, ctx)


class _Bound(click.ParamType[Callable[[int], float]]):
    """A number of events, or a share of them: 25 or 5%. Gives a function of how many there are."""

    name = "number or %"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Callable[[int], float]:
        """Read it."""
        try:
            number = float(value.removesuffix("%")) if value.endswith("%") else int(value)
        except ValueError:
            number = -1
        if not 0 <= number < float("inf"):
            self.fail(f"{value!r} is no bound: write a number of events, or a share such as 5%", param, ctx)
        return (lambda events: events * number / 100) if value.endswith("%") else (lambda _: number)


@click.command()
@click.option("--policy", "policies", type=_FILES, multiple=True, help="The new policy; several files are one policy.")
@click.option("--against", type=_FILES, multiple=True, help="An old policy to decide by, instead of what was decided.")
@click.option("--since", type=_Moment(), default="30d", show_default=True, help="From then: 30d, 24h, 2026-11-01.")
@click.option("--until", type=_Moment(), help="To then; default now.")
@click.option(
    "--shadow", is_flag=True, help="What rules in shadow would have done, from the decisions that are stored."
)
@click.option("--max-changed", type=_Bound(), help="Exit 1 if more events than N, or than a share of 5%, differ.")
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False, allow_dash=True), help="Each difference as a row.")
@config_option
@json_option
def simulate(
    policies: tuple[Path, ...],
    against: tuple[Path, ...],
    since: int,
    until: int | None,
    shadow: bool,
    max_changed: Callable[[int], float] | None,
    csv_path: str | None,
    config_path: Path,
    as_json: bool,
) -> None:
    """Decide the stored events by another policy, and say what differs from what was decided. Nothing is called.

    Without --policy the policy of the configuration is taken, as it stands in the file now.
    """
    from receiver.backtest import framed

    if shadow and (policies or against or max_changed):
        raise click.UsageError(
            "--shadow reads what was decided; it goes with none of --policy, --against, --max-changed"
        )
    if as_json and csv_path == "-":
        raise click.UsageError("--json and --csv - would both write to standard output; give --csv a file")
    configured = configuration(config_path, "lenient")
    window = (since, _now() if until is None else until)
    started = time.perf_counter()
    with _store(configured) as store, _rows(csv_path, shadow=shadow) as write:
        _leave_access(store, window, "decisions" if shadow else "bodies")
        if shadow:
            document, status = _shadow(store, window, write), FINE
        else:
            new, old = _policies(configured, policies, against)
            document, status = _compared(store, window, new, old, write, max_changed)
    document = framed(document, *window, time.perf_counter() - started)
    if as_json:
        print_json(document)
    else:
        _print(document, shadow=shadow, aside=csv_path == "-")
    sys.exit(status)


def _print(document: JsonObject, *, shadow: bool, aside: bool) -> None:
    """For people; `aside`: standard output is another's."""
    from receiver.cli.simulated import print_shadow, print_simulation

    (print_shadow if shadow else print_simulation)(document, console(stderr=aside))


def _leave_access(store: Store, window: tuple[int, int], what: str) -> None:
    """One entry for all that is read: from when to when, and how many events."""
    from receiver.cli.access import leave_access
    from receiver.deeds import mass_read

    with store.read() as reader:
        events = reader.past_count(*window)
    leave_access(store, what, facts=mass_read("simulate", *window, events))


def _compared(
    store: Store,
    window: tuple[int, int],
    new: Policy,
    old: Policy | None,
    write: Write,
    max_changed: Callable[[int], float] | None,
) -> tuple[dict[str, Any], int]:
    """The simulation as JSON, with what `--max-changed` says of it."""
    from receiver.cli.simulated import difference_row
    from receiver.policy.simulate import reads_raw, simulate
    from receiver.wiring import is_billable

    raw = reads_raw(new) or (old is not None and reads_raw(old))
    with _events(store, window, raw=raw, decided=old is None) as events:
        result = simulate(events, new, old, lambda found: write(difference_row(found)))
    document: dict[str, Any] = result.document()
    document["calls"] = [{**call, "billable": is_billable(call["action"])} for call in document["calls"]]
    if max_changed is None:
        return document, FINE
    bound = max_changed(result.decided)
    over = result.changed > bound or not result.decided
    said = "nothing was compared" if not result.decided else f"{result.changed} of {result.decided} events differ"
    return {**document, "max_changed": {"bound": bound, "passed": not over, "said": said}}, FINDINGS if over else FINE


def _shadow(store: Store, window: tuple[int, int], write: Write) -> JsonObject:
    from handlers.specs import SPECS
    from receiver.cli.simulated import shadow_row
    from receiver.policy.shadow import shadow_report

    status_actions = [name for name, spec in SPECS.items() if spec.sets_status]

    with _events(store, window, raw=False, decided=True) as events:
        return shadow_report(events, status_actions, lambda found: write(shadow_row(found))).document()


@contextlib.contextmanager
def _rows(path: str | None, *, shadow: bool) -> Iterator[Write]:
    """What writes the rows of `--csv`, as they come up."""
    from receiver.cli.simulated import DIFFERENCE_COLUMNS, SHADOW_COLUMNS

    if path is None:
        yield lambda _: None
        return
    with click.open_file(path, "w", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(SHADOW_COLUMNS if shadow else DIFFERENCE_COLUMNS)
        yield writer.writerow


def _policies(
    configured: Configuration, policies: Sequence[Path], against: Sequence[Path]
) -> tuple[Policy, Policy | None]:
    """The new policy, and the old one if one is given. Findings of either end the command with status 2."""
    from receiver.policies import compile_documents

    try:
        if policies:
            new = compile_documents([load_policy_file(path) for path in policies])
        else:
            new = compile_documents(configured.policies, inline=configured.inline_policy)
        return new, compile_documents([load_policy_file(path) for path in against]) if against else None
    except ConfigurationError as error:
        fail(error)


@contextlib.contextmanager
def _store(configured: Configuration) -> Iterator[Store]:
    """The configured store, which must be there already. Trouble with it is told in one line."""
    from receiver.wiring import open_configured_store

    data_dir = configured.settings.data_dir
    if not (data_dir / "hookwarden.db").exists():
        raise click.ClickException(f"nothing is stored yet in {data_dir}; start `hookwarden serve`")
    try:
        store = open_configured_store(configured)
    except ConfigurationError as error:
        fail(error)
    except StoreUnavailable as trouble:
        _unusable(trouble)
    try:
        yield store
    except StoreUnavailable as trouble:
        _unusable(trouble)
    finally:
        store.close()


def _unusable(trouble: StoreUnavailable) -> NoReturn:
    raise click.ClickException(str(trouble)) from None


@contextlib.contextmanager
def _events(store: Store, window: tuple[int, int], *, raw: bool, decided: bool) -> Iterator[Iterator[PastEvent]]:
    """The stored events, with a progress bar where a person looks on."""
    from receiver.store.past import past_events

    if not sys.stderr.isatty():
        yield past_events(store, *window, raw=raw, decided=decided)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("deciding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with store.read() as reader:
        total = reader.past_count(*window)
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("deciding", total=total)
        yield past_events(store, *window, raw=raw, decided=decided, progress=lambda count: bar.advance(task, count))


def _now() -> int:
    from receiver.wiring import now_ms

    return now_ms() + 1  # what was received in this millisecond counts too
