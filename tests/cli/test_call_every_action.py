"""`hookwarden call` for every action that calls somebody: a real process, the simulated vendors, real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.sandbox.cast import PARTS, selfie_of
from tests.support.didit_calls import Case, Simulated, simulated
from tests.support.didit_sandbox import Inbox
from tests.support.every_call import EVERY, came, places, prepare, sections
from tests.support.processes import run
from tests.support.receiver import write_configuration

NOT_GOOD = {"didit.passive_liveness", "kwikid.liveness_v2"}  # the case is an attack: an answer, and status 1
PICTURED = ("kwikid.liveness", "kwikid.liveness_v2", "verifik.liveness")  # no session of theirs holds a picture


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Simulated]:
    with simulated() as running:
        yield running


@pytest.fixture(scope="module")
def box() -> Iterator[Inbox]:
    with places() as listening:
        yield listening


@pytest.fixture(scope="module")
def home(sandbox: Simulated, box: Inbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    write_configuration(folder, **sections(sandbox, box))
    for part in ("clean", "attack"):
        (folder / f"{part}.png").write_bytes(selfie_of(PARTS[part]))
    return folder


def _arguments(sandbox: Simulated, case: Case) -> list[str]:
    """The command line of a case: its parameters as a person would type them."""
    given = [f"{name}={json.dumps(value)}" for name, value in case.params.items()]
    arguments = [case.name, "--json", "--yes", *(part for each in given for part in ("--param", each))]
    if case.name in PICTURED:
        return [*arguments, "--image", f"{case.scenario}.png"]
    vendor_data = sandbox.vendor_data(case.scenario)
    person = ["--vendor-data", vendor_data] if vendor_data else []
    return [*arguments, "--session", sandbox.session(case.scenario), *person]


@pytest.mark.shows("call")
@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.name)
def test_it_is_called_and_its_answer_printed(sandbox: Simulated, box: Inbox, home: Path, case: Case) -> None:
    ready = prepare(sandbox, case)
    before = len(came(sandbox, box, case))
    done = run("call", *_arguments(sandbox, ready), cwd=home)
    assert done.returncode == (1 if case.name in NOT_GOOD else 0), done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert (document["action"], document["outcome"], document["reason"]) == (case.name, "done", None)
    assert came(sandbox, box, case)[before:][-1] == case.method
