"""The process that a simulation runs in: it never outlives who asked for it, and its trouble is told."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from receiver import backtest
from receiver.backtest import Job, moment, run_apart
from receiver.errors import ConfigurationError, StoreUnavailable, Unusable
from tests.support.receiver import TOKENS, await_that, running

NOW = 1_790_000_000_000
POLICY = "version: 1\nname: p\nrules: []\n"


def job(folder: Path, text: str = POLICY) -> Job:
    return Job(str(folder), [("p.yaml", text)], inline=False, since=0, until=NOW, limit=10)


def children() -> list[int]:
    """Running children of this process that simulate."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent, command = (path / "stat").read_text().rpartition(")")[2].split()[1], (path / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == str(os.getpid()) and b"receiver.backtest" in command:
            found.append(int(path.name))
    return found


async def test_findings_of_the_child_are_the_parents(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"p\.yaml:1:8: error"):
        await run_apart(job(tmp_path, "rules: 7"))


async def test_a_store_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        await run_apart(job(tmp_path / "file"))


async def test_a_child_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "MAX_SECONDS", 0.01)
    with pytest.raises(StoreUnavailable, match="lower `limit`"):
        await run_apart(job(tmp_path))
    assert children() == []


async def test_a_child_ends_with_who_asked_for_it(tmp_path: Path) -> None:
    asking = asyncio.create_task(run_apart(job(tmp_path)))
    await asyncio.to_thread(await_that, children)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.to_thread(await_that, lambda: not children())


def test_a_child_ends_with_the_client_and_the_next_one_is_served(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    with running(tmp_path, "p.yaml") as receiver:
        host, port = receiver.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            head = f"POST /api/policy/simulate HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(POLICY)}\r\n"
            client.sendall(f"{head}Authorization: Bearer {TOKENS['analyst']}\r\n\r\n{POLICY}".encode())
            (child,) = await_that(children)
            os.kill(child, signal.SIGSTOP)  # it cannot come to its end by itself
        try:
            await_that(lambda: not children())
        finally:
            for left in children():
                os.kill(left, signal.SIGKILL)
        answer = receiver.api("/api/policy/simulate", "analyst", "POST", content=POLICY)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1h", NOW - 3_600_000),
        ("30d", NOW - 30 * 86_400_000),
        ("2026-09-21", 1_789_948_800_000),
        ("2026-09-21T14:13:20", NOW),
        ("2026-09-21T16:13:20+02:00", NOW),
        ("99999999999d", 0),
    ],
)
def test_a_moment_is_so_long_ago_or_a_time_in_utc(text: str, expected: int) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "5", "-1d", "2026-13-01"])
def test_what_is_no_moment_says_how_to_write_one(text: str) -> None:
    with pytest.raises(Unusable, match="write 30d, 24h"):
        moment(text, NOW)
