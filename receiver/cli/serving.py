"""`hookwarden serve` and `hookwarden sandbox`: the two programs that stay up."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from receiver.cli.options import actor, config_option
from receiver.cli.output import UNUSABLE

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from receiver.wiring import System


@click.command()
@config_option
@click.option("--host", help="Listen here instead of where the configuration says.")
@click.option("--port", type=click.IntRange(0, 65535), help="Likewise; 0 takes a free one.")
def serve(config_path: Path, host: str | None, port: int | None) -> None:
    """Receive webhooks, decide, act. Ends cleanly on SIGTERM and Ctrl-C.

    A change of the policy's files is taken into use within seconds, or refused while the old one serves on; SIGHUP has
    them looked at now.
    """
    import uvloop

    from receiver.log import log_to_stderr
    from receiver.policies import load_whole
    from receiver.wiring import build

    log_to_stderr()
    configured, policy = load_whole(config_path)
    server = configured.settings.server
    bound = _bound(host or server.host, server.port if port is None else port)
    system = build(configured, policy)
    system.begin_service(actor())
    uvloop.run(_serve(system, bound))  # a third less CPU for each request than asyncio's own loop


def _bound(host: str, port: int) -> socket.socket:
    from receiver.web.server import bind

    try:
        return bind(host, port)
    except OSError as error:
        click.echo(f"hookwarden: cannot listen on {host}:{port}: {error.strerror or error}", err=True)
        sys.exit(UNUSABLE)


async def _serve(system: System, bound: socket.socket) -> None:
    from receiver.web.app import build_app
    from receiver.web.server import WebServer, on_signals

    server = WebServer(build_app(system), bound)

    def stop() -> None:
        system.begin_drain()
        server.stop()

    on_signals(stop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, system.watcher.hurry)
    running = asyncio.create_task(server.run())
    await server.started()
    names = ", ".join(f"{server.url}/webhooks/{name}" for name in system.sources)
    click.echo(f"hookwarden receives on {names or server.url + ' (no source is configured)'}", err=True)
    await running


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8100, show_default=True)
@click.option("--api-key", default="sandbox-api-key", show_default=True, help="The key that callers must send.")
@click.option("--webhook-url", help="Where to post webhooks, such as http://127.0.0.1:8000/webhooks/didit.")
@click.option("--webhook-secret", envvar="DIDIT_WEBHOOK_SECRET", show_envvar=True, help="What to sign them with.")
def sandbox(host: str, port: int, api_key: str, webhook_url: str | None, webhook_secret: str | None) -> None:
    """Simulate Didit's API over HTTP: sessions, face search, blocklist, status updates, webhooks, faults."""
    from receiver.log import log_to_stderr
    from receiver.wiring import build_sandbox_app

    log_to_stderr()
    app = build_sandbox_app(api_key=api_key, webhook_url=webhook_url, webhook_secret=webhook_secret)
    asyncio.run(_sandbox(app, _bound(host, port)))


async def _sandbox(app: Starlette, bound: socket.socket) -> None:
    from receiver.web.server import WebServer, on_signals

    server = WebServer(app, bound)
    on_signals(server.stop)
    click.echo(f"the sandbox listens on {server.url}", err=True)
    await server.run()
