"""`check` knows what the results of the `didit.` actions hold: a rule that reads another field is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import pytest

from handlers.specs import SPECS
from tests.support.processes import run
from tests.support.receiver import write_configuration

TYPED = {name: spec.result for name, spec in SPECS.items() if name.startswith("didit.") and spec.result is not None}


def test_all_but_two_have_a_known_shape() -> None:
    """A decision is passed on as Didit has it; deleting tells nothing."""
    assert {name for name in SPECS if name.startswith("didit.")} - set(TYPED) == {
        "didit.decision",
        "didit.delete_session",
    }


def _policy(asked: dict[str, str]) -> dict[str, Any]:
    """One rule for each action, which looks at a field of its result."""
    rules = [
        {
            "id": name.removeprefix("didit.").replace("_", "-"),
            "on": f"action.{name}",
            "when": [f"result.{field} == null"],
            "then": [{"label": {"add": ["x"]}}],
        }
        for name, field in asked.items()
    ]
    return {"version": 1, "name": "fields", "rules": rules}


@pytest.mark.parametrize("misspelt", [False, True])
def test_a_field_that_no_result_has_is_found(tmp_path: Path, misspelt: bool) -> None:
    fields = {name: next(iter(get_type_hints(shape))) for name, shape in TYPED.items()}
    asked = {name: f"{field}x" if misspelt else field for name, field in fields.items()}
    vendors = {"didit": {"base_url": "http://127.0.0.1:9", "api_key": "k" * 20}}
    write_configuration(tmp_path, _policy(asked), vendors=vendors)
    done = run("check", cwd=tmp_path)
    said = done.stdout + done.stderr
    assert said.count("P020 unknown field") == (len(TYPED) if misspelt else 0), said
    assert done.returncode == (1 if misspelt else 0)
