"""Runs an ASGI application on real HTTP on loopback, for as long as a `with` block lasts."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

_START_SECONDS = 15.0
_STOP_SECONDS = 15.0


class LiveServer:
    """One uvicorn server in its own thread, on a port that the system chose."""

    def __init__(self, app: Any, http: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app, http=http, log_config=None, access_log=False, lifespan="on", ws="none", timeout_graceful_shutdown=2
            )
        )
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"live server {self.base_url}", daemon=True)

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except BaseException as failure:  # noqa: BLE001 - whatever ends the thread is raised again in the test's thread
            self._failure = failure

    def start(self) -> None:
        """Return once the server accepts connections; AssertionError when it does not come up."""
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"the server did not start: {self._failure!r}")
            time.sleep(0.005)

    def stop(self) -> None:
        """Ask for the end, then insist; AssertionError when the thread outlives both."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(_STOP_SECONDS)
        self._socket.close()
        assert not self._thread.is_alive(), "the server thread did not end"


@contextmanager
def serve(app: Any, http: Any = "auto") -> Iterator[str]:
    """Serve `app` on an ephemeral loopback port; gives its base URL without a trailing slash. `http` is uvicorn's."""
    server = LiveServer(app, http)
    server.start()
    try:
        yield server.base_url
    finally:
        server.stop()
