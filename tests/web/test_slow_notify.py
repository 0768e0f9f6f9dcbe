"""A service for notifications that never comes to an end, and a real process that is told to."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.support.processes import free_port, program
from tests.support.receiver import await_that, session_event, signed, write_configuration

POLICY: dict[str, Any] = {
    "version": 1,
    "name": "tell",
    "rules": [{"id": "tell", "on": ["status.updated"], "then": [{"notify": {"to": "ops", "message": "m"}}]}],
}


@contextmanager
def dripping() -> Iterator[tuple[int, list[socket.socket]]]:
    """A server that begins its answers, and sends a byte of them now and then: no time-out between bytes ends it."""
    seen: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    seen.append(listening.accept()[0])
                    threading.Thread(target=_drip, args=(seen[-1],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], seen
    for one in seen:
        one.close()


def _drip(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.2)


def test_a_notification_that_never_ends_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    port = free_port()
    with dripping() as (channel, seen):
        notify = {"ops": f"json://127.0.0.1:{channel}/told"}
        write_configuration(tmp_path, POLICY, server={"port": port}, notify=notify)
        with program("serve", "--port", str(port), cwd=tmp_path, url=f"http://127.0.0.1:{port}") as server:
            server.await_ready()
            body = json.dumps(session_event("ses-1")).encode()
            answer = httpx.post(f"{server.url}/webhooks/didit", content=body, headers=signed(body), timeout=20)
            assert answer.status_code == 200
            await_that(lambda: seen)
            assert server.terminate(30.0) == 0
