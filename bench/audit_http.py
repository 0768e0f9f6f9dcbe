"""Our HTTP endpoint beside Datasette, both over the same file, on loopback, one request at a time.

Datasette is asked for the SQL by which our reader reads entries for the same search, in one request (several statements
are put together by UNION ALL), up to as many rows as our reader takes. The look-ups by which our reader finds which
entries to read are left out, so its figure is less than the whole answer would cost it. Counts it is asked for row by
row. It runs with what `hookwarden audit datasette` advises, but with free SQL, and without its limits on time and rows;
it gives one row more where we say that there is a next page.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from receiver.store.sqlite.store import open_store

TOKEN = "kq8-Zt4vR_w1NxB6mJc3"
TIMES = 40
ASKED = ("last 50", "session", "tag + 1 day", "rule + outcome", "rare kind", "policy", "status + tag", "text, of tags")
COUNTED = ("day", "tag")
PAGE = 50  # entries
_YEAR = "SELECT day, key AS tag, sum(n) AS entries FROM rollup WHERE kind = 'tag' GROUP BY day, key ORDER BY day, key"
_SETTINGS = {
    "sql_time_limit_ms": "60000",
    "max_returned_rows": "100000",
    "suggest_facets": "off",
    "allow_facet": "off",
    "allow_download": "off",
}


def write_configuration(folder: Path, port: int = 8000) -> Path:
    """A configuration over the record in a folder."""
    path = folder.parent / f"{folder.name}.yaml"
    document = {
        "data_dir": str(folder),
        "server": {"port": port},
        "api": {"tokens": [{"name": "auditor", "role": "reader", "token": TOKEN}]},
        "sources": {"didit": {"vendor": "didit", "verify": {"scheme": "didit", "secrets": [TOKEN]}}},
        "policy": {"version": 1, "name": "bench", "rules": []},
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def beside_datasette(
    folder: Path, questions: Iterator[tuple[str, Callable[[random.Random], str]]]
) -> Iterator[tuple[str, ...]]:
    """The rows of the table: what was asked, how many rows came, p50 of both, and the ratio."""
    number = random.Random(13)
    asked = {name: [search(number) for _ in range(TIMES)] for name, search in questions if name in ASKED}
    taken = statements(folder, asked)
    ours, theirs = free_port(), free_port()
    here = [
        str(Path(sys.executable).parent / "hookwarden"),
        "serve",
        "--config",
        str(write_configuration(folder, ours)),
    ]
    there = [sys.executable, "-m", "datasette", str(folder / "hookwarden.db"), "--port", str(theirs)]
    for name, value in _SETTINGS.items():
        there += ["--setting", name, value]
    with running(here, ours), running(there, theirs), httpx.Client(timeout=60) as client:
        headers = {"authorization": f"Bearer {TOKEN}"}

        def ask_us(path: str, **query: str) -> int:
            answer = client.get(f"http://127.0.0.1:{ours}{path}", params=query, headers=headers)
            answer.raise_for_status()
            return len(answer.json()["items"])

        def ask_them(sql: str) -> int:
            answer = client.get(f"http://127.0.0.1:{theirs}/hookwarden.json", params={"sql": sql, "_shape": "array"})
            answer.raise_for_status()
            return len(answer.json())

        for name, searches in asked.items():
            pairs = list(zip(searches, taken[name], strict=True))
            yield _row(name, pairs, lambda query: ask_us("/api/audit", q=query), ask_them)
        pairs = [(",".join(COUNTED), taken["counts"][0])] * 10
        yield _row("year by day and tag", pairs, lambda by: ask_us("/api/audit/counts", by=by), ask_them)


def _row(
    name: str, pairs: list[tuple[str, str]], ours: Callable[[str], int], theirs: Callable[[str], int]
) -> tuple[str, ...]:
    """Asked by turns, so that other load meets both; the first turn only warms."""
    took: tuple[list[float], list[float]] = ([], [])
    rows: tuple[list[int], list[int]] = ([], [])
    for pair in [pairs[0], *pairs]:
        for side, ask in enumerate((ours, theirs)):
            started = time.perf_counter()
            rows[side].append(ask(pair[side]))
            took[side].append(1000 * (time.perf_counter() - started))
    mine, others = (statistics.median(some[1:]) for some in took)
    came = " / ".join(f"{statistics.median(some[1:]):g}" for some in rows)
    return name, came, f"{mine:.2f}", f"{others:.2f}", f"{others / mine:.1f}"


def statements(folder: Path, asked: dict[str, list[str]]) -> dict[str, list[str]]:
    """What each search runs over entries, with its values in place."""
    taken: dict[str, list[str]] = {}
    store = open_store(folder, clock=lambda: 0)
    with store.read() as reader:
        seen: list[str] = []
        connection = reader._connection  # to see its statements
        connection.set_trace_callback(seen.append)
        for name, searches in asked.items():
            for search in searches:
                seen.clear()
                reader.audit(search)
                parts = [f"SELECT * FROM ({sql})" for sql in seen if sql.startswith("SELECT e.idx, e.at")]  # noqa: S608  # ours
                taken.setdefault(name, []).append(f"{' UNION ALL '.join(parts)} LIMIT {PAGE + 1}")
        taken["counts"] = [_YEAR]
        connection.set_trace_callback(None)
    store.close()
    return taken


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """A server, until it is not needed any more."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None:
                sys.exit(f"{command[0]} ended with {process.returncode}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)
