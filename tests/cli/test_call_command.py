"""`hookwarden call`: real processes against the sandbox on real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from receiver.store.sqlite.store import open_store
from tests.support.didit_sandbox import API_KEY, Sandbox, sandbox, selfie
from tests.support.processes import run
from tests.support.receiver import write_configuration
from tests.support.store_samples import NOW, new_event, put


@pytest.fixture(scope="module")
def didit() -> Iterator[Sandbox]:
    with sandbox() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, didit: Sandbox) -> Path:
    write_configuration(tmp_path, vendors={"didit": {"base_url": didit.base_url, "api_key": API_KEY}})
    for part in ("attack", "clean"):
        (tmp_path / f"{part}.jpg").write_bytes(selfie(part))
    return tmp_path


def call(home: Path, *arguments: str, status: int = 0) -> CompletedProcess[str]:
    done = run("call", *arguments, "--yes", cwd=home)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def test_a_picture_is_checked_for_liveness(home: Path) -> None:
    said = call(home, "didit.passive_liveness", "--image", "clean.jpg", "--json").stdout
    document = json.loads(said)
    assert (document["action"], document["outcome"], document["result"]["status"]) == (
        "didit.passive_liveness",
        "done",
        "Approved",
    )


def test_an_attack_ends_with_status_1_and_says_why(home: Path) -> None:
    threshold = "face_liveness_score_decline_threshold=80"
    done = call(home, "didit.passive_liveness", "--image", "attack.jpg", "-p", threshold, status=1)
    assert "LIVENESS_FACE_ATTACK" in done.stdout
    assert "Declined" in done.stdout


def test_what_was_called_is_in_the_record_and_what_came_back_is_not(home: Path) -> None:
    call(home, "didit.face_search", "--image", "clean.jpg")
    entries = json.loads(run("audit", "search", "kind:operator", "--json", cwd=home).stdout)["items"]
    assert len(entries) == 2
    leaves = [
        json.loads(run("audit", "show", str(entry["idx"]), "--json", cwd=home).stdout)["content"] for entry in entries
    ]
    assert [leaf["facts"]["act"] for leaf in leaves] == ["called", "call"]
    assert {leaf["facts"]["action"] for leaf in leaves} == {"didit.face_search"}
    assert leaves[0]["facts"]["outcome"] == "done"
    assert set(leaves[0]["facts"]) == {"act", "action", "call", "outcome"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["didit.passive_livenes"], "did you mean 'didit.passive_liveness'"),
        (["review"], "only rules plan it"),
        (["didit.face_search", "-p", "min_similarity=low"], "min_similarity: "),
        (["didit.face_search", "-p", "min_similarty=80"], "unknown parameter; did you mean 'min_similarity'?"),
        (["didit.face_search", "-p", "nothing"], "takes NAME=VALUE"),
        (["didit.face_search", "--image", "not-there.jpg"], "not-there.jpg: No such file"),
        (["verifik.liveness", "--image", "clean.jpg", "--yes"], "needs `vendors: verifik:`"),
    ],
)
def test_what_cannot_be_asked(home: Path, arguments: list[str], says: str) -> None:
    done = run("call", *arguments, cwd=home)
    assert done.returncode in (1, 2)
    assert "extra inputs" not in done.stderr.lower()
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_picture_that_is_none_is_a_final_no(home: Path) -> None:
    (home / "page.jpg").write_text("<html>not a picture</html>")
    done = call(home, "didit.face_search", "--image", "page.jpg", status=1)
    assert "failed" in done.stdout


def test_no_answer_is_not_an_answer(tmp_path: Path) -> None:
    write_configuration(tmp_path, vendors={"didit": {"base_url": "http://127.0.0.1:9", "api_key": API_KEY}})
    (tmp_path / "face.jpg").write_bytes(selfie("clean"))
    done = call(tmp_path, "didit.passive_liveness", "--image", "face.jpg", "--json", status=2)
    assert json.loads(done.stdout)["outcome"] == "retry"


def test_a_report_and_a_token_go_into_new_files_and_onto_no_screen(home: Path, didit: Sandbox) -> None:
    """Neither the record nor a terminal holds them; a file that is there is not written over."""
    session = ("--session", didit.session_id("clean"))
    done = call(home, "didit.generate_pdf", *session, "-o", "report.pdf", "--json")
    report = home / "report.pdf"
    assert report.read_bytes().startswith(b"%PDF-")
    assert report.stat().st_mode & 0o077 == 0
    assert json.loads(done.stdout)["result"]["bytes"] == report.stat().st_size
    refused = call(home, "didit.generate_pdf", *session, "-o", "report.pdf", status=2)
    assert "report.pdf is there already" in refused.stderr
    shared = call(home, "didit.share_session", *session, "-p", "for_application_id=partner", "-o", "token")
    token = (home / "token").read_text().strip()
    assert token in didit.world.state.shares
    assert token not in shared.stdout + shared.stderr
    untold = call(home, "didit.generate_pdf", *session)
    assert "pdf is shown nowhere; -o FILE writes it" in untold.stderr


@pytest.mark.parametrize(
    ("name", "why"),
    [("didit.delete_session", "changes something at the vendor"), ("didit.face_search", "is charged for")],
)
def test_where_nobody_can_be_asked_nothing_is_called_without_a_yes(home: Path, name: str, why: str) -> None:
    done = run("call", name, "--session", "s-1", "--image", "clean.jpg", cwd=home)
    assert done.returncode == 2
    assert f"{name} {why}" in done.stderr
    assert "--yes" in done.stderr
    assert not (home / "var" / "hookwarden.db").exists()


def test_a_call_is_found_by_its_action_and_by_a_session_that_is_known(home: Path) -> None:
    """It is part of the session's life too, and hangs on nothing once the person is erased."""
    store = open_store(home / "var", clock=lambda: NOW)
    put(store, new_event("s-known", tags=[]))
    store.close()
    call(home, "didit.face_search", "--image", "clean.jpg", "--session", "s-known")
    call(home, "didit.face_search", "--image", "clean.jpg", "--session", "s-unknown")

    def found(query: str) -> list[tuple[str, str]]:
        items = json.loads(run("audit", "search", query, "--json", cwd=home).stdout)["items"]
        return [(item["kind"], item["type"]) for item in items]

    assert found("action:didit.face_search") == [("operator", "didit.face_search")] * 4
    assert found("session:s-known kind:operator") == [("operator", "didit.face_search")] * 2
    assert found("session:s-unknown") == []
    assert "didit.face_search" in run("audit", "search", "kind:operator", cwd=home).stdout
    told = run("audit", "explain", "s-known", cwd=home).stdout
    assert "called: didit.face_search" in told
    assert "Nobody acted by hand" not in told
    assert run("audit", "verify", cwd=home).returncode == 0
    run("audit", "erase", "--session", "s-known", "--yes", cwd=home)
    assert found("session:s-known") == []
    assert found("action:didit.face_search") == [("operator", "didit.face_search")] * 4
    assert run("audit", "verify", cwd=home).returncode == 0
