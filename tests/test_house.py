"""The house rules that no other tool holds: arrows, empty `__init__.py`, README complete, no data in the clear."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from handlers.specs import SPECS
from receiver.cli.codes import ALL_CODES, CURES, code_table
from receiver.cli.main import main
from receiver.config import CONFIG_CODES
from receiver.policy.codes import CODES
from receiver.policy.suite import SUITE_CODES
from receiver.settings import Settings
from receiver.store.codes import STORE_CODES
from receiver.yamltext import YAML_CODES

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
    context = click.Context(group)
    for key in group.list_commands(context):
        command = group.get_command(context, key)
        assert command is not None, key
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


def test_every_code_is_in_the_readme_with_its_meaning() -> None:
    """After a change: put what `python -m receiver.cli.codes` prints in place of the table."""
    cure = "replace the table under `## Every code` in README.md with what `python -m receiver.cli.codes` prints"
    assert f"\n{code_table()}\n" in README, cure


def test_every_code_that_is_raised_has_a_meaning() -> None:
    files = [path for room in ("receiver", "handlers") for path in (ROOT / room).rglob("*.py")]
    raised = {code for path in files for code in re.findall(r'"([A-Z][0-9]{3})"', path.read_text(encoding="utf-8"))}
    assert len(raised) > 40
    assert raised - set(ALL_CODES) == set()


def test_no_code_has_two_meanings() -> None:
    tables = (CODES, YAML_CODES, CONFIG_CODES, STORE_CODES, SUITE_CODES)
    assert len(ALL_CODES) == sum(map(len, tables))
    assert set(CURES) <= set(ALL_CODES)
