"""`hookwarden simulate` as people and CI use it: real processes, over what a real receiver stored."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import select
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import COMMAND, run
from tests.support.receiver import liveness, running, session_event, write_configuration

OLD = """\
name: faces
rules:
  - id: low
    when: event.liveness.score < 30
    then:
      - review: {queue: q, reason: "score {{ event.liveness.score }}"}
  - id: try-out
    mode: shadow
    when: event.liveness.score < 60
    then:
      - didit.update_status: {status: Declined}
"""
NEW = OLD.replace("< 30", "< 50").replace("name: faces", "name: wider")
SCORES = (10, 20, 40, 45, 55, 90)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a receiver that runs and has stored six events, and the policies to try."""
    folder = tmp_path_factory.mktemp("home")
    for name, text in {"old.yaml": OLD, "new.yaml": NEW, "broken.yaml": OLD.replace("when", "whn")}.items():
        (folder / name).write_text(text, encoding="utf-8")
    with running(folder, "old.yaml", actions={"mode": "dry_run"}) as receiver:
        for number, score in enumerate(SCORES):
            event = session_event(f"s-{number}", event_id=f"e-{number}", decision=liveness("LOW", score=score))
            assert receiver.send(event).status_code == 200
        yield folder


def simulate(home: Path, *arguments: str, status: int = 0) -> str:
    done = run("simulate", *arguments, cwd=home)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def document(home: Path, *arguments: str, status: int = 0) -> Any:
    return json.loads(simulate(home, *arguments, "--json", status=status))


def test_another_policy_is_held_against_what_was_decided(home: Path) -> None:
    found = document(home, "--policy", "new.yaml")
    assert found["events"] == {"read": 6, "unreadable": 0, "decided": 6, "changed": 2, "changed_with_effect": 2}
    assert found["rules"] == [{"rule": "low", "old": "not fired", "new": "fired", "events": 2}]
    (calls,) = found["calls"]
    assert (calls["action"], calls["old"], calls["new"], calls["billable"]) == ("review", 2, 4, False)
    assert (found["against"], found["policy"]["name"]) == ("stored decisions", "wider")
    example = found["examples"][0]["rules"][0]["decided_by"]["old"]
    assert (example["expr"], example["inputs"]) == ("event.liveness.score < 30", {"event.liveness.score": 40})
    assert found["events_per_second"] > 0
    assert re.fullmatch(r"[0-9T:.-]+Z", found["since"])


def test_the_report_names_rule_condition_and_value(home: Path) -> None:
    printed = simulate(home, "--policy", "new.yaml")
    assert "6 events: 2 decide differently (33.3%), 2 of them to another effect; 0 could not be read" in printed
    assert "low: not fired > fired" in printed
    assert "old: line 4: event.liveness.score < 30 is false  (event.liveness.score=40)" in printed
    assert "added review" in printed
    assert re.search(r"\d events/s", printed)


def test_without_a_policy_the_configured_one_is_tried(home: Path) -> None:
    found = document(home)
    assert (found["policy"]["name"], found["events"]["changed"]) == ("faces", 0)


def test_two_policies_can_be_held_against_each_other(home: Path) -> None:
    found = document(home, "--policy", "old.yaml", "--against", "new.yaml")
    assert found["against"]["name"] == "wider"
    assert found["rules"] == [{"rule": "low", "old": "fired", "new": "not fired", "events": 2}]


@pytest.mark.parametrize(("bound", "status"), [("2", 0), ("1", 1), ("34%", 0), ("33%", 1)])
def test_too_many_changes_end_with_status_1(home: Path, bound: str, status: int) -> None:
    found = document(home, "--policy", "new.yaml", "--max-changed", bound, status=status)
    assert found["max_changed"]["passed"] is (status == 0)


def test_a_bound_is_not_met_by_comparing_nothing(home: Path) -> None:
    printed = simulate(home, "--policy", "new.yaml", "--until", "2001-01-01", "--max-changed", "5", status=1)
    assert "nothing was compared" in printed
    assert "0 events" in simulate(home, "--policy", "new.yaml", "--until", "2001-01-01")


@pytest.mark.parametrize(
    ("since", "until", "read"),
    [("1h", None, 6), ("2001-01-01", None, 6), ("2001-01-01T00:00:00+02:00", "2002-01-01", 0), ("99999999d", None, 6)],
)
def test_the_time_can_be_said_in_several_ways(home: Path, since: str, until: str | None, read: int) -> None:
    rest = ("--until", until) if until else ()
    assert document(home, "--since", since, *rest)["events"]["read"] == read


def test_each_difference_is_a_row(home: Path) -> None:
    printed = simulate(home, "--policy", "new.yaml", "--csv", "-")
    first, second = csv.DictReader(io.StringIO(printed))
    assert first["event_id"].startswith("evt_")
    assert (first["rules"], first["actions"]) == ("low: not fired > fired", "added review")
    assert first["received_at"] <= second["received_at"]
    simulate(home, "--policy", "new.yaml", "--csv", "found.csv")
    assert (home / "found.csv").read_text(encoding="utf-8") == printed


def test_what_rules_in_shadow_would_have_done_is_shown(home: Path) -> None:
    found = document(home, "--shadow")
    (rule,) = found["rules"]
    assert (rule["rule"], rule["looked_at"], rule["fired"], rule["fired_alone"]) == ("try-out", 6, 5, 3)
    assert rule["calls"] == {"didit.update_status": 5}
    assert rule["statuses"] == [{"old": None, "new": "Declined", "events": 5}]
    printed = simulate(home, "--shadow")
    assert "try-out fired: didit.update_status, no enforced rule fired" in printed
    rows = list(csv.DictReader(io.StringIO(simulate(home, "--shadow", "--csv", "-"))))
    assert len(rows) == 5
    assert {(row["rule"], row["state"], row["would_set"]) for row in rows} == {("try-out", "fired", "Declined")}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--policy", "missing.yaml"), "missing.yaml"),
        (("--policy", "broken.yaml"), "unknown key 'whn'"),
        (("--policy", "new.yaml", "--against", "broken.yaml"), "unknown key 'whn'"),
        (("--since", "yesterday"), "write 30d"),
        (("--max-changed", "nan%"), "a share such as 5%"),
        (("--shadow", "--policy", "new.yaml"), "goes with none of"),
        (("--json", "--csv", "-"), "give --csv a file"),
    ],
)
def test_what_cannot_be_done_is_said_with_status_2(home: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run("simulate", *arguments, cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_without_a_store_it_says_so_and_makes_none(tmp_path: Path) -> None:
    write_configuration(tmp_path)
    done = run("simulate", cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing is stored yet" in done.stderr
    assert not (tmp_path / "var").exists()


def test_nothing_is_stored_by_it_but_who_read(home: Path) -> None:
    database = sqlite3.connect(home / "var" / "hookwarden.db")

    def counts() -> list[int]:
        tables = ("event", "decision", "action", "policy", "entry")
        return [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608  # constants

    before = counts()
    simulate(home, "--policy", "new.yaml")
    assert counts() == [*before[:-1], before[-1] + 1]
    database.close()


def test_a_person_at_a_terminal_sees_a_progress_bar(home: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    command = [COMMAND, "simulate", "--policy", "new.yaml", "--json"]
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    seen = _drained(ours)
    assert process.stdout is not None
    assert json.loads(process.stdout.read())["events"]["read"] == 6
    process.stdout.close()
    assert process.wait(20) == 0
    assert b"deciding" in seen


def _drained(terminal: int, seconds: float = 20) -> bytes:
    """All that is written to a terminal until nobody writes any more."""
    seen, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            seen += piece
    os.close(terminal)
    return seen
