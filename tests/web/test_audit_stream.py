"""Searching, counting and following the record over real HTTP."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from receiver.web import record
from tests.support.processes import free_port, program
from tests.support.receiver import TOKENS, Receiver, await_that, liveness, running, session_event, write_configuration

QUERIES = {"attacks": "tag:LIVENESS_FACE_ATTACK kind:event"}
HEADERS = {"Authorization": f"Bearer {TOKENS['reader']}"}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with running(tmp_path, audit={"queries": QUERIES}) as one:
        yield one


@contextlib.contextmanager
def stream(url: str, headers: dict[str, str] | None = None, **params: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a stream, as a reader of the specification sees them."""
    with httpx.stream(
        "GET", f"{url}/api/audit/stream", params=params, headers={**HEADERS, **(headers or {})}, timeout=10
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    for line in lines:
        if not line:
            if "data" in event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def test_what_fits_comes_as_it_is_written_and_a_reader_that_was_away_misses_nothing(receiver: Receiver) -> None:
    receiver.send(session_event("before", decision=liveness("LIVENESS_FACE_ATTACK")))
    with stream(receiver.url, q="@attacks") as events:
        receiver.send(session_event("calm"))
        receiver.send(session_event("attack-1", decision=liveness("LIVENESS_FACE_ATTACK")))
        first = next(events)
    entry = json.loads(first["data"])
    assert (first["event"], first["id"], entry["session_id"]) == ("entry", str(entry["idx"]), "attack-1")
    for number in range(2, 5):
        receiver.send(session_event(f"attack-{number}", decision=liveness("LIVENESS_FACE_ATTACK")))
    with stream(receiver.url, {"Last-Event-ID": first["id"]}, q="@attacks") as events:
        assert [json.loads(next(events)["data"])["session_id"] for _ in range(3)] == [
            "attack-2",
            "attack-3",
            "attack-4",
        ]
    with stream(receiver.url, q="@attacks", after="0") as events:
        assert [json.loads(next(events)["data"])["session_id"] for _ in range(2)] == ["before", "attack-1"]


def test_streams_are_bounded_and_give_their_place_back(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_STREAMS", 2)
    url, ask = f"{receiver.url}/api/audit/stream", {"headers": HEADERS, "timeout": 10.0}
    with stream(receiver.url), stream(receiver.url):
        refused = httpx.get(url, **ask)  # type: ignore[arg-type]  # as named
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")

    def again() -> bool:
        with httpx.stream("GET", url, **ask) as answer:  # type: ignore[arg-type]  # as named
            return bool(answer.status_code == 200)

    await_that(again)


def test_a_stream_keeps_no_view_of_the_store_open(receiver: Receiver, tmp_path: Path) -> None:
    """An open view would keep the write-ahead log from being cut for as long as somebody watches."""
    import sqlite3

    with stream(receiver.url) as events:
        receiver.send(session_event("s"))
        next(events)
        connection = sqlite3.connect(tmp_path / "var" / "hookwarden.db", timeout=10)

        def cut() -> bool:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return bool(busy == 0)

        await_that(cut)
        connection.close()


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/audit/stream?after=x", 400, "index of the last entry"),
        ("/api/audit/stream?q=tags:x", 400, "did you mean"),
        ("/api/audit/stream?limit=5", 400, "unknown parameter"),
        ("/api/audit/counts?by=colour", 400, "cannot count by"),
        ("/api/audit?q=@nothing", 400, "no search is saved"),
    ],
)
def test_what_cannot_be_asked_is_told(receiver: Receiver, path: str, status: int, says: str) -> None:
    answer = receiver.api(path, "reader")
    assert (answer.status_code, says in answer.text) == (status, True), answer.text


def test_a_stream_needs_a_token(receiver: Receiver) -> None:
    assert httpx.get(f"{receiver.url}/api/audit/stream", timeout=10).status_code == 401


def test_counts_and_saved_searches(receiver: Receiver) -> None:
    for tags in (["LIVENESS_FACE_ATTACK"], ["LIVENESS_FACE_ATTACK"], []):
        receiver.send(session_event(f"s-{time.time_ns()}", decision=liveness(*tags)))
    assert len(receiver.api("/api/audit?q=@attacks").json()["items"]) == 2
    counts = receiver.api("/api/audit/counts?by=day,tag&q=kind:event").json()
    assert [(row["tag"], row["entries"]) for row in counts["items"]] == [("LIVENESS_FACE_ATTACK", 2)]
    assert counts["complete"] is True
    assert receiver.api("/api/audit/counts?q=@attacks").json()["items"] == [{"entries": 2}]
    assert "count" not in receiver.api("/api/audit").json()


def test_draining_ends_streams_at_once(tmp_path: Path) -> None:
    write_configuration(tmp_path)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with program("serve", "--port", str(port), cwd=tmp_path, url=url) as server:
        server.await_ready()
        with stream(url) as events:
            server.process.send_signal(signal.SIGTERM)
            assert list(events) == []  # ended whole: what goes on is cut when its time is over
        assert server.process.wait(10) == 0
