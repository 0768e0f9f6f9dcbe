"""Hookwarden as its users run it: a real process, started, asked over HTTP, and ended with real signals."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

COMMAND = str(Path(sys.executable).parent / "hookwarden")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def just_now() -> str:
    """A time for `--before` that is past, and later than all that was done before the call."""
    begun = int(time.time())
    while int(time.time()) == begun:
        time.sleep(0.05)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun + 1))


def run(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


class Program:
    """One long-running command."""

    def __init__(self, *arguments: str, cwd: Path, url: str, env: dict[str, str] | None = None) -> None:
        self.url = url
        self.log = cwd / f"{arguments[0]}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, *arguments], cwd=cwd, env={**os.environ, **(env or {})}, stdout=log, stderr=log
            )

    def await_ready(self, path: str = "/readyz", seconds: float = 20.0) -> None:
        """Wait until it answers."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(self.url + path, timeout=2).status_code == 200:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"{self.url} did not come up:\n{self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """Kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def terminate(self, seconds: float = 35.0) -> int:
        """SIGTERM; gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@contextlib.contextmanager
def program(*arguments: str, cwd: Path, url: str, env: dict[str, str] | None = None) -> Iterator[Program]:
    """A long-running command that surely ends with the test."""
    running = Program(*arguments, cwd=cwd, url=url, env=env)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.kill()
