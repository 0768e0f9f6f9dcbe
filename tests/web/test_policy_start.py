"""What `hookwarden serve` says of the policy that it starts with: its warnings, in one line for whoever reads logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.processes import free_port, program, run
from tests.support.receiver import write_configuration

CLEAN = "version: 1\nname: face\nrules: []\n"
OUT_OF_RANGE = """\
version: 1
name: face
rules:
- {id: never, when: [event.liveness.score > 140], then: [review: {queue: q, reason: r}]}
- {id: neither, when: [event.liveness.score > 150], then: [review: {queue: q, reason: r}]}
"""


def log_of_start(folder: Path) -> list[str]:
    port = free_port()
    with program("serve", "--port", str(port), cwd=folder, url=f"http://127.0.0.1:{port}") as running:
        running.await_ready()
        running.terminate()
        return running.log.read_text().splitlines()


def checked(folder: Path) -> list[str]:
    """The codes that `hookwarden check` gives."""
    return [each["code"] for each in json.loads(run("check", "--format", "json", cwd=folder).stdout)]


@pytest.mark.parametrize(("text", "warned"), [(CLEAN, False), (OUT_OF_RANGE, True)])
def test_the_start_tells_of_the_warnings_that_check_shows_in_one_line(tmp_path: Path, text: str, warned: bool) -> None:
    (tmp_path / "face.yaml").write_text(text)
    write_configuration(tmp_path, "face.yaml")
    codes = checked(tmp_path)
    assert bool(codes) == warned
    said = [line for line in log_of_start(tmp_path) if "the policy has warnings" in line]
    assert len(said) == warned
    for line in said:
        assert "level='warning'" in line
        assert f"count={len(codes)}" in line
        assert f"codes={sorted(set(codes))}" in line
