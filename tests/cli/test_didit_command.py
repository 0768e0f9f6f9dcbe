"""`hookwarden didit`: real processes against the sandbox on real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from receiver.cli.main import main
from tests.support.didit_sandbox import API_KEY, Sandbox, sandbox
from tests.support.processes import run
from tests.support.receiver import write_configuration

EMAIL = "ops@shop.invalid"
PASSWORD = "Correct-horse-9"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with sandbox() as box:
        yield box


@pytest.fixture
def box(running: Sandbox) -> Sandbox:
    return running.fresh()


def didit(box: Sandbox, *arguments: str, said: str = "") -> Result:
    """The command, with what is typed at its prompts (a terminal: the prompts do not echo)."""
    account = ["--account-url", f"{box.base_url}/auth/v2"] if arguments[0] != "balance" else []
    return CliRunner().invoke(main, ["didit", *arguments, *account], input=said)


def test_from_nothing_to_a_key(box: Sandbox) -> None:
    """Neither the password nor the code nor the key is printed, unless the key is asked for."""
    registered = didit(box, "register", "--email", EMAIL, said=f"{PASSWORD}\n{PASSWORD}\n")
    assert registered.exit_code == 0, registered.output
    assert "verify-email" in registered.output
    code = box.anonymous.get("/_sandbox/state").json()["codes"][EMAIL]
    verified = didit(box, "verify-email", "--email", EMAIL, "--show-key", "--json", said=f"{code}\n")
    document: Any = json.loads(verified.stdout[verified.stdout.index("{") :])
    assert document["api_key"] == API_KEY
    assert PASSWORD not in registered.output
    assert code not in verified.output


def test_the_key_is_not_shown_unasked(box: Sandbox) -> None:
    didit(box, "register", "--email", EMAIL, said=f"{PASSWORD}\n{PASSWORD}\n")
    code = box.anonymous.get("/_sandbox/state").json()["codes"][EMAIL]
    verified = didit(box, "verify-email", "--email", EMAIL, said=f"{code}\n")
    assert verified.exit_code == 0
    assert "application: Sandbox" in verified.output
    assert API_KEY not in verified.output


@pytest.mark.parametrize(
    ("email", "password", "words"),
    [
        (EMAIL, "short", "HTTP 400: password"),
        ("ops@example.com", PASSWORD, "HTTP 500"),
        ("nobody", PASSWORD, "HTTP 400: email"),
    ],
)
def test_a_no_is_said_in_didits_words(box: Sandbox, email: str, password: str, words: str) -> None:
    done = didit(box, "register", "--email", email, said=f"{password}\n{password}\n")
    assert done.exit_code == 1
    assert words in done.output
    assert PASSWORD not in done.output


def test_more_than_five_an_hour_are_refused(box: Sandbox) -> None:
    for n in range(5):
        assert didit(box, "register", "--email", f"{n}{EMAIL}", said=f"{PASSWORD}\n{PASSWORD}\n").exit_code == 0
    done = didit(box, "register", "--email", EMAIL, said=f"{PASSWORD}\n{PASSWORD}\n")
    assert (done.exit_code, "HTTP 429" in done.output) == (1, True)


def test_a_wrong_code(box: Sandbox) -> None:
    done = didit(box, "verify-email", "--email", EMAIL, said="ABC123\n")
    assert done.exit_code == 1
    assert "HTTP 400: The code is wrong or has expired" in done.output
    assert "ABC123" not in done.output


@pytest.mark.parametrize(("low", "status"), [(None, 0), ("10.00", 0), ("100.0001", 1)])
def test_the_balance(box: Sandbox, tmp_path: Path, low: str | None, status: int) -> None:
    write_configuration(tmp_path, vendors={"didit": {"base_url": box.base_url, "api_key": API_KEY}})
    done = run("didit", "balance", "--json", *(("--low", low) if low else ()), cwd=tmp_path)
    assert done.returncode == status, done.stderr
    document = json.loads(done.stdout)
    assert (document["balance"], document["below"]) == ("100.0000", bool(status) if low else None)


def test_the_balance_needs_a_configured_vendor_and_a_number(box: Sandbox, tmp_path: Path) -> None:
    write_configuration(tmp_path)
    done = run("didit", "balance", cwd=tmp_path)
    assert done.returncode != 0
    assert "vendors.didit" in done.stderr
    assert run("didit", "balance", "--low", "ten", cwd=tmp_path).returncode == 2


def test_an_account_host_that_does_not_answer() -> None:
    done = CliRunner().invoke(
        main,
        ["didit", "register", "--email", EMAIL, "--account-url", "http://127.0.0.1:9/auth/v2"],
        input=f"{PASSWORD}\n{PASSWORD}\n",
    )
    assert done.exit_code == 1
    assert "connection failed" in done.output
