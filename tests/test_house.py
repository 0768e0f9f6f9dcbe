"""The house rules that no other tool holds: arrows, empty `__init__.py`, README complete, no data in the clear."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from handlers.registry import SPECS
from receiver.cli.main import main
from receiver.config import Settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_imports_point_down_only() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(linter)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("package", ["receiver", "handlers"])
def test_init_files_are_empty(package: str) -> None:
    files = list((ROOT / package).rglob("__init__.py"))
    assert files
    assert [str(path) for path in files if path.read_text().strip()] == []


def commands(group: click.Group, name: str) -> Iterator[str]:
    for key, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {key}")
        else:
            yield f"{name} {key}"


@pytest.mark.parametrize("command", sorted(commands(main, "hookwarden")))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert command in README


@pytest.mark.parametrize("action", sorted(SPECS))
def test_every_action_is_in_the_readme(action: str) -> None:
    assert f"`{action}`" in README


@pytest.mark.parametrize("key", sorted(Settings.model_fields))
def test_every_settings_key_is_in_the_readme(key: str) -> None:
    assert re.search(rf"`{key}[.`]", README)


def test_every_room_of_the_map_exists() -> None:
    named = re.findall(r"^\| `((?:receiver|handlers)[^`]*)`", README, re.MULTILINE)
    assert len(named) > 8
    assert [path for path in named if not (ROOT / path).exists()] == []
