"""`verify: {confirm: [...]}`: what is wrong with it is found by `check` and stops a start, with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handlers.specs import SPECS
from receiver.errors import ConfigurationError
from receiver.holding import no_reader
from receiver.policies import load
from tests.support.processes import run
from tests.support.receiver import write_configuration

NONE = {"scheme": "none", "accept_unsigned": True}
STATIC = {"scheme": "static", "header": "X-Shared", "secrets": ["zQ8!pWm4_Ld6sXc1YvTf"], "accept_unsigned": True}
READERS = {"didit.decision", "verifik.app_registration"}


def configured(folder: Path, verify: dict[str, Any], *vendors: str) -> Path:
    sources = {"s": {"vendor": "verifik", "verify": verify}}
    apis = {name: {"base_url": "http://127.0.0.1:9", "api_key": "k" * 20} for name in vendors}
    return write_configuration(folder, sources=sources, vendors=apis)


@pytest.mark.parametrize("verify", [NONE, STATIC])
def test_actions_that_read_may_confirm(tmp_path: Path, verify: dict[str, Any]) -> None:
    path = configured(tmp_path, {**verify, "confirm": sorted(READERS)}, "didit", "verifik")
    configuration = load(path)
    assert set(configuration.settings.sources["s"].verify.confirm) == READERS  # type: ignore[union-attr]
    (warning,) = configuration.warnings
    assert warning.message.endswith("wait for approval unless what is read confirms the delivery")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("verifik.app_registratoin", "C006", "did you mean 'verifik.app_registration'?"),
        ("didit.face_search", "C003", "it is billable"),
        ("didit.delete_session", "C003", "it changes something"),
        ("didit.update_status", "C003", "it changes something"),
        ("http.post", "C003", "it asks no vendor"),
        ("label", "C003", "it asks no vendor"),
        ("didit.balance", "C003", "names no session with its status"),
        ("didit.generate_pdf", "C003", "names no session with its status"),
        ("verifik.app_registration", "C009", "`vendors: verifik:` is not configured"),
    ],
)
def test_an_action_that_cannot_confirm_is_found_where_it_stands(
    tmp_path: Path, name: str, code: str, said: str
) -> None:
    path = configured(tmp_path, {**NONE, "confirm": ["didit.decision", name]}, "didit")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    (found,) = [problem for problem in caught.value.problems if problem.severity == "error"]
    assert found.code == code
    assert said in found.message
    line = path.read_text().splitlines()[found.line - 1]
    assert line[found.column - 1 :].startswith(json.dumps(name))


def test_no_other_action_of_ours_may_confirm() -> None:
    """A new one is looked at here before it may."""
    assert {name for name, spec in SPECS.items() if no_reader(spec) is None} == READERS


@pytest.mark.parametrize("preset", ["didit", "onfido"])
def test_a_source_that_is_signed_has_nothing_to_confirm(tmp_path: Path, preset: str) -> None:
    scheme = {"scheme": "didit"} if preset == "didit" else {"preset": preset}
    path = configured(tmp_path, {**scheme, "secrets": STATIC["secrets"], "confirm": ["didit.decision"]}, "didit")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert [problem.code for problem in caught.value.problems] == ["C002"]


def test_what_a_variable_holds_is_not_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIP", "s3cr3t-in-the-wrong-place")
    with pytest.raises(ConfigurationError) as caught:
        load(configured(tmp_path, {**NONE, "confirm": ["${SLIP}"]}, "didit"))
    assert all("s3cr3t" not in problem.message for problem in caught.value.problems)


def test_check_and_serve_say_so(tmp_path: Path) -> None:
    configured(tmp_path, {**NONE, "confirm": ["didit.face_search"]}, "didit")
    for command, status in (("check", 1), ("serve", 2)):
        done = run(command, cwd=tmp_path)
        assert done.returncode == status, done.stdout + done.stderr
        assert "didit.face_search cannot confirm a delivery" in done.stdout + done.stderr
