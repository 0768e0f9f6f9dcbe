"""Real processes on one file: killed, restarted, side by side."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.dispatch_process import lines
from tests.support.dispatching import Yard, all_actions, planned, until

ROOT = Path(__file__).resolve().parents[2]
SESSIONS, STEPS = 12, 5


@contextmanager
def process(data_dir: Path, owner: str, lease: float, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A dispatcher process, ready; killed at the end if it still lives."""
    command = [sys.executable, "-m", "tests.support.dispatch_process", str(data_dir), owner, str(lease), str(seconds)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child
    finally:
        child.kill()
        child.communicate(timeout=10)


def plan_all(yard: Yard) -> list[str]:
    """A few sessions with a few actions each, numbered within their session."""
    return [
        action_id
        for session in range(SESSIONS)
        for action_id in yard.plan(f"s{session}", *(planned("a", i=step) for step in range(STEPS)))
    ]


def all_done(yard: Yard) -> bool:
    """Whether every action is done."""
    return {action["state"] for action in all_actions(yard.store)} == {"done"}


def begun(log: list[dict[str, Any]], what: str = "begin") -> list[tuple[str, int]]:
    """Which attempts began (or ended), in order."""
    return [(line["action"], line["attempt"]) for line in log if line["what"] == what]


def order_violations(log: list[dict[str, Any]]) -> list[str]:
    """Sessions whose calls were not begun one after the other, in the order of their plan."""
    steps: dict[str, list[int]] = {}
    for line in log:
        if line["what"] == "begin":
            steps.setdefault(line["session"], []).append(line["i"])
    return [session for session, order in steps.items() if order != sorted(order)]


async def test_kill_and_restart(yard: Yard, tmp_path: Path) -> None:
    """Kill -9 in mid-flight: the next start finishes everything, repeats what was in flight and marks it, in order."""
    plan_all(yard)
    with process(tmp_path, "first", 1.0, 0.4) as child:
        # of 60, eight at once: over a second is left; and killed while one is seen in flight
        await until(lambda: 10 <= len(begun(lines(tmp_path), "end")) < len(begun(lines(tmp_path))))
        child.kill()
        child.wait(10)
    before = lines(tmp_path)
    with process(tmp_path, "second", 1.0, 0.01):
        await until(lambda: all_done(yard), 30)
    after = lines(tmp_path)[len(before) :]
    in_flight = {
        action["action_id"]
        for action in all_actions(yard.store)
        if any(line["action"] == action["action_id"] for line in before)
        and any(line["action"] == action["action_id"] for line in after)
    }
    repeated = {line["action"] for line in after if line["repeated"]}
    assert in_flight
    assert in_flight <= repeated  # what was claimed and not yet begun is marked too: nobody can know
    assert len(repeated) <= 8
    assert order_violations(before + after) == []


async def test_two_processes_share_the_work(yard: Yard, tmp_path: Path) -> None:
    """While both live, no attempt runs twice, every session keeps its order, and both take part."""
    with process(tmp_path, "first", 5.0, 0.5) as one, process(tmp_path, "second", 5.0, 0.5) as two:
        plan_all(yard)
        await until(lambda: all_done(yard), 60)
        for child in (one, two):
            child.send_signal(signal.SIGTERM)
            assert child.wait(10) == 0
    log = lines(tmp_path)
    assert len(begun(log)) == SESSIONS * STEPS
    assert {line["attempt"] for line in log} == {1}
    assert {line["owner"] for line in log} == {"first", "second"}
    assert order_violations(log) == []


async def test_calls_longer_than_the_lease_are_not_taken_over(yard: Yard, tmp_path: Path) -> None:
    """Renewal keeps a slow call with its live owner."""
    action_ids = [yard.plan(f"s{n}", planned("a", i=0))[0] for n in range(3)]
    with process(tmp_path, "first", 2.0, 4.5):
        await until(lambda: len(begun(lines(tmp_path))) == 3)
        with process(tmp_path, "second", 2.0, 0.01):
            await yard.ended(*action_ids)
    assert {(line["owner"], line["attempt"]) for line in lines(tmp_path)} == {("first", 1)}


async def test_failover_after_the_lease(yard: Yard, tmp_path: Path) -> None:
    """One of two is killed: the other takes its calls over once their lease has run out."""
    action_ids = [yard.plan(f"s{n}", planned("a", i=0))[0] for n in range(3)]
    with process(tmp_path, "first", 1.0, 60.0) as first:
        await until(lambda: len(begun(lines(tmp_path))) == 3)
        with process(tmp_path, "second", 1.0, 0.01):
            first.kill()
            first.wait(10)
            await yard.ended(*action_ids)
    taken_over = [line for line in lines(tmp_path) if line["owner"] == "second" and line["what"] == "begin"]
    assert {(line["attempt"], line["repeated"]) for line in taken_over} == {(2, True)}
    assert {line["action"] for line in taken_over} == set(action_ids)


async def test_sigterm_leaves_a_clean_record(yard: Yard, tmp_path: Path) -> None:
    """A drained process exits with 0, has finished what it began, and leaves the rest planned."""
    plan_all(yard)
    with process(tmp_path, "first", 5.0, 0.1) as child:
        await until(lambda: len(begun(lines(tmp_path))) >= 10)
        child.send_signal(signal.SIGTERM)
        assert child.wait(15) == 0
    log = lines(tmp_path)
    assert sorted(begun(log)) == sorted(begun(log, "end"))
    states = [action["state"] for action in all_actions(yard.store)]
    assert states.count("done") == len(begun(log))
    assert set(states) == {"done", "planned"}
