"""A simulation beside a running receiver: in a process of its own, which leaves this one's interpreter to deliveries.

The parent writes a job as JSON to the child's standard input and reads one JSON object from its standard output:
`{"document": ...}`, `{"problems": [...]}` or `{"unavailable": "..."}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from receiver.contract import JsonObject
from receiver.durations import Duration
from receiver.errors import ConfigurationError, Problem, StoreUnavailable, Unusable
from receiver.policies import compile_documents
from receiver.policy.rules import Policy
from receiver.policy.simulate import reads_raw, simulate
from receiver.store.documents import iso
from receiver.store.past import past_events
from receiver.store.port import Store
from receiver.store.sqlite.store import open_store
from receiver.wiring import is_billable, now_ms
from receiver.yamltext import read_yaml

MAX_EVENTS: Final = 1_000_000
MAX_SECONDS: Final = 900.0  # a child that takes longer is ended
NICENESS: Final = 10  # deliveries come first where the machine is busy
_LONG_AGO: Final = 1e10  # seconds: before all that is stored


@dataclass(frozen=True, slots=True)
class Job:
    """What to simulate: the documents (path, text) of a policy over the first `limit` events that were received from
    `since` to before `until`, in Unix milliseconds.
    """

    data_dir: str
    documents: Sequence[tuple[str, str]]
    inline: bool
    since: int
    until: int
    limit: int
    master_key: str | None = field(default=None, repr=False)  # hex; without it the one in its file


def moment(text: str, now: int) -> int:
    """A point in time, in Unix milliseconds: so long ago (30d, 24h), or a day or time in UTC. Raises Unusable."""
    try:
        found = datetime.fromisoformat(text)
        return max(0, int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000))
    except (ValueError, OverflowError):
        pass
    try:
        seconds = TypeAdapter(Duration).validate_python(text)
    except ValidationError:
        raise Unusable(f"{text!r} is no time: write 30d, 24h, 2026-11-01 or 2026-11-01T08:30") from None
    return max(0, now - int(min(seconds, _LONG_AGO) * 1000))


async def run_apart(job: Job) -> JsonObject:
    """Simulate in a child, and end it if nobody waits any more. Raises ConfigurationError, StoreUnavailable."""
    # -P: no file of the working folder may stand in for a module
    command = (sys.executable, "-P", "-m", "receiver.backtest")
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: ASYNC220,S603  # our own program; starts at once
    try:
        output, _ = await asyncio.to_thread(child.communicate, json.dumps(asdict(job)).encode(), MAX_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        await asyncio.to_thread(child.communicate)
        raise StoreUnavailable(f"the simulation took over {MAX_SECONDS:g} s and was ended: lower `limit`") from None
    finally:
        if child.poll() is None:
            child.kill()
    answer: dict[str, Any] = json.loads(output) if child.returncode == 0 else {}
    if "problems" in answer:
        raise ConfigurationError([Problem(**problem) for problem in answer["problems"]])
    if "document" not in answer:
        raise StoreUnavailable(answer.get("unavailable", "the simulation ended before its time; the log says why"))
    document: JsonObject = answer["document"]
    return document


def main() -> None:
    """The child: one job in, one answer out."""
    os.nice(NICENESS)
    job = Job(**json.load(sys.stdin))
    try:
        answer: JsonObject = {"document": backtest(job)}
    except ConfigurationError as error:
        answer = {"problems": [problem.document() for problem in error.problems]}
    except StoreUnavailable as trouble:
        answer = {"unavailable": str(trouble)}
    sys.stdout.write(json.dumps(answer))


def backtest(job: Job) -> JsonObject:
    """The document of `hookwarden simulate --json`, with the bound on events. Raises ConfigurationError,
    StoreUnavailable.
    """
    started = time.perf_counter()
    policy = compile_documents([read_yaml(text, path) for path, text in job.documents], inline=job.inline)
    key = bytes.fromhex(job.master_key) if job.master_key else None
    store = open_store(Path(job.data_dir), clock=now_ms, master_key=key)
    try:
        document = _simulated(store, policy, job)
    finally:
        store.close()
    return framed(document, job.since, job.until, time.perf_counter() - started)


def framed(document: JsonObject, since: int, until: int, seconds: float) -> JsonObject:
    """What a simulation found, between the time it is of (Unix milliseconds) and the time it took (seconds)."""
    events: Any = document["events"]
    pace = round(events["read"] / seconds) if seconds else None
    window: JsonObject = {"since": iso(since), "until": iso(until)}
    return {**window, **document, "seconds": round(seconds, 3), "events_per_second": pace}


def _simulated(store: Store, policy: Policy, job: Job) -> dict[str, Any]:
    events = past_events(store, job.since, job.until, raw=reads_raw(policy))
    document: dict[str, Any] = simulate(islice(events, job.limit), policy).document()
    for call in document["calls"]:
        call["billable"] = is_billable(call["action"])
    return {**document, "limit": job.limit, "more": next(events, None) is not None}


if __name__ == "__main__":
    main()
