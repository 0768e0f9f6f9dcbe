"""`hookwarden demo`: a receiver, a simulated vendor and a tour of webhooks, all on loopback, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from receiver.cli.example import example_text
from receiver.cli.output import FINDINGS, FINE, cell, console, fail
from receiver.cli.story import tell_action, tell_decision
from receiver.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx
    from starlette.applications import Starlette

    from receiver.wiring import System

_QUIET = frozenset({"done", "noop", "skipped", "failed", "dead", "rejected", "awaiting_approval"})
_GOOD = frozenset({"done", "noop", "skipped", "awaiting_approval"})
_MARKER = ".hookwarden-demo"
_PATIENCE = 20.0  # seconds that the tour waits for one event's actions


@click.command()
@click.option("--once", is_flag=True, help="End after the tour; exit status 0 only if all went as it should.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/demo"),
    show_default=True,
    help="Where the demo keeps its configuration and data; emptied at the start.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
def demo(once: bool, folder: Path, port: int) -> None:
    """Start a receiver and a simulated Didit, send a tour of webhooks, and show what comes of each."""
    try:
        problems = asyncio.run(_demo(folder, port, once))
    except ConfigurationError as error:
        fail(error)
    except OSError as error:
        raise click.UsageError(f"cannot listen on port {port} ({error.strerror}); try --port 0") from None
    for problem in problems:
        click.echo(f"NOT AS IT SHOULD: {problem}", err=True)
    sys.exit(FINDINGS if problems and once else FINE)


@dataclass(slots=True)
class _Tour:
    """What the tour has seen so far."""

    client: httpx.AsyncClient
    sandbox: str
    system: System
    fired: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


async def _demo(folder: Path, port: int, once: bool) -> list[str]:
    import httpx

    from receiver.config import load_configuration
    from receiver.web.app import build_app
    from receiver.web.server import bind, on_signals, url_of
    from receiver.wiring import build, build_sandbox_app

    stopped = asyncio.Event()
    on_signals(stopped.set)
    api_key, secret = secrets.token_hex(24), secrets.token_hex(24)
    with bind("127.0.0.1", port) as receiver, bind("127.0.0.1", 0) as vendor:
        url, vendor_url = url_of(receiver), url_of(vendor)
        config_path = _write_configuration(folder, vendor_url, api_key, secret)
        system = build(load_configuration(config_path))
        sandbox = build_sandbox_app(api_key=api_key, webhook_url=f"{url}/webhooks/didit", webhook_secret=secret)
        async with _serving(sandbox, vendor), _serving(build_app(system), receiver):
            _say(f"receiver {url}   simulated Didit {vendor_url}   data {folder}", "bold")
            async with httpx.AsyncClient(timeout=10.0) as client:
                tour = _Tour(client, vendor_url, system)
                await _guide(tour)
            if not once:
                _next_steps(config_path, url)
                await stopped.wait()
            return tour.problems


@contextlib.asynccontextmanager
async def _serving(app: Starlette, bound: socket.socket) -> AsyncIterator[None]:
    """A web server for as long as the block lasts."""
    from receiver.web.server import WebServer

    server = WebServer(app, bound)
    running = asyncio.create_task(server.run())
    await asyncio.wait_for(server.started(), 20)
    try:
        yield
    finally:
        server.stop()
        await running


def _empty(folder: Path) -> None:
    """Make the folder anew, unless it holds something that no demo has put there."""
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise click.ClickException(f"{folder} holds other things; name an empty folder with --folder")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    (folder / _MARKER).touch()


def _write_configuration(folder: Path, vendor_url: str, api_key: str, secret: str) -> Path:
    """The example, pointed at the sandbox, with secrets of its own and its policy as it stands: for every command."""
    import yaml

    from receiver.yamltext import read_yaml

    _empty(folder)
    settings, mark, policy = example_text().partition("\npolicy:\n")
    document: Any = read_yaml(settings, "config.yaml").value
    document["data_dir"] = "./data"
    document["api"]["tokens"][0]["token"] = secrets.token_hex(24)
    document["sources"]["didit"]["verify"]["secrets"] = [secret]
    document["vendors"]["didit"] |= {"base_url": vendor_url, "api_key": api_key}
    document["images"]["allow_hosts"] = [vendor_url.removeprefix("http://")]
    path = folder / "config.yaml"
    path.touch(mode=0o600)
    written = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    path.write_text(f"{written}{mark}{policy}", encoding="utf-8")
    return path


async def _guide(tour: _Tour) -> None:
    """Send each scenario and show what comes of it; then see that every rule was reached."""
    from handlers.sandbox.scenarios import TOUR

    for number, scenario in enumerate(TOUR, 1):
        _say(f"\n{number}. {scenario.title}", "bold cyan")
        answer = await tour.client.post(f"{tour.sandbox}/_sandbox/deliver", json={"scenario": scenario.name})
        answer.raise_for_status()
        delivered = answer.json()
        status, body = delivered["http_status"], delivered["answer"] or {}
        _say(f"   answer {status} {cell(body)}", "green" if status == scenario.expected_status else "red")
        if (status, body.get("outcome")) != (scenario.expected_status, scenario.expected_outcome):
            tour.problems.append(f"{scenario.name}: answered {status} {body}")
        if body.get("outcome") == "accepted":
            await _show(tour, str(body["event_id"]))
    await _show_caused(tour)
    _judge(tour)


async def _show(tour: _Tour, event_id: str) -> None:
    """Show one event once its actions are over."""
    document = await _settled(tour, event_id)
    tour.seen.add(event_id)
    event = document["event"]
    tags = cell(event["tags"])
    _say(f"   {event['type']} {cell(event['status'])}   tags {tags}{'   stale' if event['stale'] else ''}", "dim")
    _tell_decision(document["decision"])
    for action in document["actions"]:
        tell_action(action)
        if action["state"] not in _GOOD:
            tour.problems.append(f"{action['name']} of rule {action['rule']} is {action['state']}: {action['reason']}")
    tour.fired |= {rule["id"] for rule in document["decision"]["rules"] if rule["fired"]}


def _tell_decision(decision: dict[str, Any]) -> None:
    """The rules that came to something, whole; the others by name, so that the tour stays readable."""
    telling = [rule for rule in decision["rules"] if rule["fired"] is not False]
    silent = [rule["id"] for rule in decision["rules"] if rule["fired"] is False]
    tell_decision({**decision, "rules": telling})
    if silent:
        _say(f"  did not fire: {', '.join(silent)}", "dim")


async def _show_caused(tour: _Tour) -> None:
    """The events that our own calls caused: results, and the vendor's echoes of our status updates."""
    _say("\nWhat our own calls brought about", "bold cyan")
    await asyncio.sleep(0.5)  # the vendor's echoes are on their way
    page = await asyncio.to_thread(_latest, tour.system)
    for item in reversed(page):
        if item["event_id"] not in tour.seen:
            _say(f"\n   {item['event_id']}  caused by {cell(item['parent_id'] or 'our status update')}", "bold")
            await _show(tour, item["event_id"])


def _latest(system: System) -> list[Any]:
    with system.store.read() as reader:
        return reader.events(limit=200).items


async def _settled(tour: _Tour, event_id: str) -> Any:
    """The event, once none of its actions is under way."""

    def look() -> Any:
        with tour.system.store.read() as reader:
            return reader.event(event_id, raw=False)

    for _ in range(int(_PATIENCE / 0.05)):
        document = await asyncio.to_thread(look)
        if all(action["state"] in _QUIET for action in document["actions"]):
            return document
        await asyncio.sleep(0.05)
    tour.problems.append(f"{event_id}: its actions did not end within {_PATIENCE:g} s")
    return await asyncio.to_thread(look)


def _judge(tour: _Tour) -> None:
    """Every shipped rule must have fired, and our own echo must have been recognised."""
    rules = {rule.id for rule in tour.system.policy().rules}
    silent = rules - tour.fired
    if silent:
        tour.problems.append(f"rules that never fired: {', '.join(sorted(silent))}")
    if not any(item["outcome"] == "echo" for item in _latest(tour.system)):
        tour.problems.append("no echo of our own status update came back")
    word, style = ("all as it should be", "bold green") if not tour.problems else ("see below", "bold red")
    _say(f"\n{len(tour.seen)} events, {len(tour.fired)} of {len(rules)} rules fired: {word}", style)


def _next_steps(config_path: Path, url: str) -> None:
    config = f"--config {config_path}"
    _say("\nStill running. In another terminal (after `. .venv/bin/activate`), try:", "bold")
    for line in (
        f"hookwarden events list {config}",
        f"hookwarden events show EVENT_ID {config}",
        f"hookwarden actions list --state awaiting_approval {config}",
        f"hookwarden actions approve ACTION_ID {config}",
        f"hookwarden reviews list --state open {config}",
        f"hookwarden rejects {config}",
        f"hookwarden audit search 'tag:LIVENESS_FACE_ATTACK' {config}",
        f"hookwarden check {config}",
        f"curl {url}/metrics",
    ):
        _say(f"  {line}", "")
    _say("Ctrl-C ends it.", "dim")


def _say(text: str, style: str) -> None:
    console().print(Text(text, style=style))
