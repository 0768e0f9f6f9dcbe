"""Packages of somebody else's that cannot be used: `check` names them, whether a policy calls them or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from handlers.extend import Action, read_action
from handlers.review import ReviewParams
from receiver.contract import ActionSpec
from tests.support.processes import run
from tests.support.receiver import write_configuration

POLICY: dict[str, Any] = {
    "version": 1,
    "name": "ours",
    "rules": [{"id": "look", "tags": ["LIVENESS_FACE_ATTACK"], "then": [{"review": {"queue": "q", "reason": "r"}}]}],
}
CODE = """
from handlers.extend import Action
from receiver.contract import ActionSpec, Outcome
from pydantic import BaseModel

class Params(BaseModel):
    x: int = 1

class NoModel:
    pass

async def fine(params, call):
    return Outcome("done")

def sync(params, call):
    return Outcome("done")

async def gives_a_dict(params, call):
    return {"a": 1}

class Called:
    async def __call__(self, params, call):
        return Outcome("done")

def raises(tools):
    raise RuntimeError("boom, api_key=sk-1234567890abcdef")

def action(name, make, params=Params, **more):
    return Action(ActionSpec(name, params, "Some action.", **more), make)

FINE = action("acme.fine", lambda tools: fine)
OBJECT = action("acme.object", lambda tools: Called())
DICT = action("acme.dict", lambda tools: gives_a_dict)
SYNC = action("acme.sync", lambda tools: sync)
RAISES = action("acme.raises", raises)
NAMED = action("Bad Name", lambda tools: fine)
NO_MODEL = action("acme.no_model", lambda tools: fine, NoModel)
NO_RESULT = action("acme.no_result", lambda tools: fine, result=dict)
NO_MAKE = action("acme.no_make", None)
"""


def offering(folder: Path, group: str = "hookwarden.actions", **entries: str) -> dict[str, str]:
    """An environment in which a package offers these: what `pip install` leaves behind, written by hand."""
    facts = folder / "acme_odd-1.dist-info"
    facts.mkdir(parents=True)
    (folder / "acme_odd.py").write_text(CODE, encoding="utf-8")
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-odd\nVersion: 1\n", encoding="utf-8")
    lines = [f"{name} = acme_odd:{value}" for value, name in entries.items()]
    (facts / "entry_points.txt").write_text("\n".join((f"[{group}]", *lines, "")), encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


def test_check_names_all_that_no_policy_calls(tmp_path: Path) -> None:
    env = offering(
        tmp_path / "installed",
        FINE="acme.fine",
        NAMED="Bad Name",
        NO_MODEL="acme.no_model",
        NO_RESULT="acme.no_result",
        NO_MAKE="acme.no_make",
        MISSING="acme.missing",
    )
    write_configuration(tmp_path, POLICY)
    done = run("check", "config.yaml", cwd=tmp_path, env=env)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    found = [line for line in done.stdout.splitlines() if line.startswith("package acme-odd") and " C013 " in line]
    assert len(found) == 5, done.stdout
    for name, said in {
        "Bad Name": "is no name of an action",
        "acme.no_model": "no pydantic model",
        "acme.no_result": "no TypedDict",
        "acme.no_make": "its `make` is no function",
        "acme.missing": "AttributeError",
    }.items():
        assert [line for line in found if repr(name) in line and said in line], done.stdout


@pytest.mark.parametrize("group", ["hookwarden.sources", "hookwarden.vendors"])
def test_check_names_a_source_or_vendor_that_nothing_uses(tmp_path: Path, group: str) -> None:
    env = offering(tmp_path / "installed", group, FINE="acme")  # an Action, which is no function
    write_configuration(tmp_path, POLICY)
    done = run("check", "config.yaml", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert f"error C013 'acme' ({group}) cannot be used: TypeError: not a function" in done.stdout


@pytest.mark.parametrize("command", [["serve", "--port", "1"], ["call", "acme.fine", "--yes"]])
def test_what_cannot_be_made_is_refused_at_the_start(tmp_path: Path, command: list[str]) -> None:
    env = offering(
        tmp_path / "installed", FINE="acme.fine", OBJECT="acme.object", SYNC="acme.sync", RAISES="acme.raises"
    )
    write_configuration(tmp_path, POLICY)
    done = run(*command, cwd=tmp_path, env=env)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert "'acme.raises' (hookwarden.actions) cannot be used: its `make` fails with RuntimeError: boom" in done.stderr
    assert "'acme.sync' (hookwarden.actions) cannot be used: its `make` gives no `async def` function" in done.stderr
    assert "acme.object" not in done.stderr
    assert "1234567890" not in done.stderr


def test_an_action_that_gives_no_outcome_fails(tmp_path: Path) -> None:
    env = offering(tmp_path / "installed", DICT="acme.dict")
    write_configuration(tmp_path, POLICY)
    done = run("call", "acme.dict", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert "gave back no Outcome, but 'dict'; what it did is not known" in " ".join(done.stdout.split())


@pytest.mark.parametrize("name", ["Bad Name", "acme.", "Acme.check", "acme..check", "acme check", "acme/check", ""])
def test_names_that_no_rule_could_write(name: str) -> None:
    with pytest.raises(TypeError, match="is no name of an action"):
        read_action(name, Action(ActionSpec(name, ReviewParams, "Some action."), lambda _: None))
