"""uvicorn under our own signals: SIGTERM and SIGINT drain and then end with exit status 0."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette

from receiver.web.protocol import BoundedProtocol

MAX_CONNECTIONS = 2000  # beyond them the answer is 503: each may hold a body in memory


class _Server(uvicorn.Server):
    """uvicorn raises the caught signal again after its shutdown, which would turn a clean exit into a death."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """A socket to listen on; port 0 takes a free one. Raises OSError."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def url_of(bound: socket.socket) -> str:
    """Where a bound socket can be reached."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class WebServer:
    """One server on a bound socket."""

    def __init__(self, app: Starlette, bound: socket.socket) -> None:
        self._socket = bound
        self.url = url_of(bound)
        self._server = _Server(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                limit_concurrency=MAX_CONNECTIONS,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="on",
                ws="none",
                backlog=2048,
                timeout_graceful_shutdown=5,
            )
        )

    def stop(self) -> None:
        """Begin to drain. Calling it again changes nothing."""
        self._server.should_exit = True

    async def run(self) -> None:
        """Serve until `stop`."""
        await self._server.serve(sockets=[self._socket])

    async def started(self) -> None:
        """Wait until requests are answered."""
        while not self._server.started:  # noqa: ASYNC110  # uvicorn offers a flag, no event
            await asyncio.sleep(0.01)


def on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` on SIGTERM and SIGINT, on the running loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
