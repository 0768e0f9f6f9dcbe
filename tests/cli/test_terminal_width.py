"""What stands on a terminal of some width: identifiers are whole, since the next command needs them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

IDENTIFIER = "evt_01m7ydg3c9t1tvnzy1sgb37762"
SHOW = f"""
from receiver.cli.output import print_table
row = {{"event_id": "{IDENTIFIER}", "tags": ["LIVENESS_FACE_ATTACK", "LOW_LIVENESS_SCORE"], "status": "In Review"}}
print_table(("event_id", "status", "tags"), [row, row])
"""


def on_a_terminal(width: int, *command: str, cwd: Path | None = None) -> tuple[int, str]:
    """The exit status of a command and what it writes on a terminal that is so wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"NO_COLOR": "1"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=cwd) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not piece:
                break
            written += piece
    os.close(ours)
    return process.returncode, re.sub(r"\x1b\[[0-9;]*m", "", written.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_table_that_does_not_fit_becomes_lines_with_whole_identifiers(width: int) -> None:
    _, written = on_a_terminal(width, sys.executable, "-c", SHOW)
    lines = written.splitlines()
    assert lines.count(IDENTIFIER) == 2
    assert "  status: In Review" in [line[: len("  status: In Review")] for line in lines]


def test_a_table_that_fits_is_a_table() -> None:
    _, written = on_a_terminal(120, sys.executable, "-c", SHOW)
    head, first, second = written.splitlines()
    assert head.split() == ["event", "id", "status", "tags"]
    assert first == second
    assert first.split()[0] == IDENTIFIER


@pytest.mark.parametrize("width", [60, 100])
def test_a_source_line_fits_the_terminal_and_the_caret_stands_under_the_mistake(tmp_path: Path, width: int) -> None:
    condition = " || ".join(["event.liveness.score < 60"] * 4 + ["event.liveness.scor < 60"])
    (tmp_path / "p.yaml").write_text(f"rules: [{{id: r, when: ['{condition}'], then: [review: {{queue: q}}]}}]\n")
    hookwarden = str(Path(sys.executable).parent / "hookwarden")
    status, written = on_a_terminal(width, hookwarden, "check", "p.yaml", cwd=tmp_path)
    lines = written.splitlines()
    place = next(number for number, line in enumerate(lines) if "P020" in line)
    source, caret = lines[place + 1 : place + 3]
    assert status == 1
    assert len(source) <= width
    assert source[caret.index("^") :].startswith("scor <")


def test_with_strict_a_warning_is_enough_for_status_1(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "rules: [{id: r, tags: [LIVENES_FACE_ATTACK], then: [review: {queue: q, reason: why}]}]\n"
    )
    command = [str(Path(sys.executable).parent / "hookwarden"), "check", "p.yaml"]
    plain = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    strict = subprocess.run([*command, "--strict"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (plain.returncode, strict.returncode) == (0, 1)
    assert plain.stdout == strict.stdout
    assert "W001" in plain.stdout


def test_a_piped_table_is_never_cut() -> None:
    long = "x" * 1500
    rows = [{"key": IDENTIFIER, "value": long}, {"key": "k", "value": 1}]
    show = f"from receiver.cli.output import print_table; print_table(('key', 'value'), {rows})"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    head, first, second = done.stdout.splitlines()
    assert head.split() == ["key", "value"]
    assert first.split() == [IDENTIFIER, long]
    assert second.split() == ["k", "1"]
    assert first.index(long) == second.index("1")
    assert [line for line in (head, first, second) if line != line.rstrip()] == []


def test_a_number_at_the_head_of_a_few_lines_has_its_name() -> None:
    show = SHOW.replace('("event_id", "status", "tags")', '("idx", "event_id", "tags")').replace("{", '{"idx": 17, ', 1)
    _, written = on_a_terminal(60, sys.executable, "-c", show)
    assert written.splitlines().count("idx: 17") == 2
