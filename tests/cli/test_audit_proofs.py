"""`hookwarden audit verify | prove | key | export` as an auditor types them: real processes, also beside a server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from receiver.audit.note import Verifier, open_checkpoint
from tests.support.processes import free_port, program, run
from tests.support.receiver import write_configuration
from tests.support.store_samples import new_event, put
from tests.support.tampering import EDITED_LEAF, edit, filled, notes_in, query


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_configuration(home)
    store = filled(home / "var", 100)
    store.close()
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    shutil.copytree(made, folder)
    write_configuration(folder)
    return folder


def audit(home: Path, *arguments: str, status: int = 0) -> str:
    done = run("audit", *arguments, cwd=home)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stdout + done.stderr


def key_of(home: Path) -> str:
    return audit(home, "key").strip()


def test_the_key_is_printed_as_others_read_it(home: Path) -> None:
    document = json.loads(audit(home, "key", "--json"))
    assert str(Verifier.read(document["vkey"])) == key_of(home)
    assert document["origin"] == Verifier.read(document["vkey"]).name


def test_an_intact_record(home: Path) -> None:
    size = query(home / "var", "SELECT count(*) FROM entry")[0][0]
    said = audit(home, "verify")
    assert f"The record is intact: entries 0-{size - 1}." in said
    document = json.loads(audit(home, "verify", "--json", "--quick"))
    assert (document["verdict"], document["size"], document["findings"]) == ("intact", size, [])


def test_a_damaged_record_says_what_where_and_what_to_do(home: Path) -> None:
    edit(home / "var", "UPDATE entry SET outcome = 'approved' WHERE idx = 300", "DELETE FROM entry WHERE idx = 301")
    said = audit(home, "verify", status=1)
    assert "THE RECORD IS DAMAGED" in said
    assert "tile 1: entries 256-404, entry 301: is missing" in said or "entry 301: is missing" in said
    assert "entry 300: outcome was edited: the leaf says" in said
    assert "do: the leaf is what was signed" in said
    document = json.loads(audit(home, "verify", "--json", status=1))
    assert document["verdict"] == "damaged"
    assert {finding["kind"] for finding in document["findings"]} >= {"column", "missing"}


def test_keys_that_are_gone_are_told_and_a_master_key_that_is_away(home: Path) -> None:
    (home / "var" / "master.key").rename(home / "away")
    done = run("audit", "verify", cwd=home)
    assert (done.returncode, "The record is intact" in done.stdout) == (0, True)
    assert "no master key here opens keys.db: whether persons' keys open" in done.stderr
    (home / "var" / "keys.db").rename(home / "keys.db")
    said = audit(home, "verify", status=1)
    assert "the personal key is missing from keys.db, and no entry says that what it opens was erased" in said
    assert "do: restore keys.db from a backup" in said
    (home / "var" / "keys.db").write_bytes(b"no database" * 999)
    assert "restore it from a backup" in audit(home, "verify", status=2)
    audit(home, "verify", "--quick")


def test_entries_that_nobody_signed_yet_are_counted(home: Path) -> None:
    store = filled(home / "var", 0, sign_every=3600)
    put(store, new_event("late"))
    put(store, new_event("later"))
    store.close()
    said, document = audit(home, "verify"), json.loads(audit(home, "verify", "--json"))
    size = query(home / "var", "SELECT count(*) FROM entry")[0][0]
    unsigned = size - query(home / "var", "SELECT max(size) FROM checkpoint")[0][0]
    assert document["unsigned"] == unsigned
    assert (f"The last {unsigned} entries are not signed yet" in said) == (unsigned > 0)


def test_verifying_writes_nothing_into_the_record(home: Path) -> None:
    before = query(home / "var", "SELECT count(*) FROM entry")
    notes = (home / "var" / "checkpoints.log").read_bytes()
    audit(home, "verify")
    assert query(home / "var", "SELECT count(*) FROM entry") == before
    assert (home / "var" / "checkpoints.log").read_bytes() == notes


def test_going_on_from_the_last_time(home: Path) -> None:
    size = query(home / "var", "SELECT count(*) FROM entry")[0][0]
    audit(home, "verify")
    assert f"of which those before {size} were verified earlier" in audit(home, "verify", "--since-last")
    store = filled(home / "var", 0)
    put(store, new_event("later"))
    store.close()
    assert json.loads(audit(home, "verify", "--since-last", "--json"))["since"] == size
    log = home / "var" / "checkpoints.log"
    log.write_text("".join(note + "\n" for note in notes_in(log)[1:]))
    assert "what was verified before was edited or removed" in audit(home, "verify", "--since-last", status=1)


def test_a_checkpoint_kept_elsewhere(home: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text(notes_in(home / "var" / "checkpoints.log")[-1])
    audit(home, "verify", "--checkpoint", str(kept))
    store = filled(tmp_path / "other", 10)
    store.close()
    shutil.rmtree(home / "var")
    shutil.copytree(tmp_path / "other", home / "var")
    assert str(kept) in audit(home, "verify", "--checkpoint", str(kept), status=1)
    (tmp_path / "nothing.txt").write_text("nothing\n")
    audit(home, "verify", "--checkpoint", str(tmp_path / "nothing.txt"), status=2)


def test_another_key_than_the_one_that_was_written_down(home: Path, tmp_path: Path) -> None:
    store = filled(tmp_path / "other", 1)
    store.close()
    assert "not signed by" in audit(home, "verify", "--key", str(store.verifier), status=1)
    assert "not a verifier key" in audit(home, "verify", "--key", "nonsense", status=2)


@pytest.mark.parametrize("form", ["json", "tlog"])
def test_a_proof_is_written_and_checked(home: Path, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"proof.{form}"
    audit(home, "prove", "300", "--format", form, "-o", str(file))
    assert "entry 300 is in the log" in audit(home, "prove", "--check", str(file), "--key", key_of(home))
    assert "entry 300 is in the log" in audit(home, "verify", "--export", str(file), "--key", key_of(home))
    file.write_text(file.read_text().replace("300", "299", 1))
    assert "does not hold" in audit(home, "prove", "--check", str(file), "--key", key_of(home), status=1)
    assert "does not hold" in audit(home, "prove", "--check", str(file), status=1)


def test_growth_is_proved_between_two_checkpoints(home: Path, tmp_path: Path) -> None:
    key = Verifier.read(key_of(home))
    sizes = sorted({open_checkpoint(note, key).size for note in notes_in(home / "var" / "checkpoints.log")})
    file = tmp_path / "growth.json"
    audit(home, "prove", "--from", str(sizes[0]), "--to", str(sizes[-1]), "-o", str(file))
    said = audit(home, "prove", "--check", str(file), "--key", str(key))
    assert f"the first {sizes[0]} of {sizes[-1]} entries were the whole log {key.name} once, both signed" in said


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("prove",), 2, "give the index of an entry"),
        (("prove", "1", "--from", "1"), 2, "give the index of an entry"),
        (("prove", "999999"), 1, "no entry 999999"),
        (("prove", "--from", "999999"), 1, "entries, not 999999"),
        (("prove", "--from", "1", "--format", "tlog"), 2, "is for the proof of one entry"),
    ],
)
def test_what_cannot_be_proved_says_why(home: Path, arguments: tuple[str, ...], status: int, says: str) -> None:
    assert says in audit(home, *arguments, status=status)


def test_an_export_proves_itself_and_leaves_an_entry(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "export.ndjson"
    done = run("audit", "export", "tag:TAG_1 session:s-1", "-o", str(file), cwd=home)
    number, size = len(file.read_text().splitlines()) - 2, json.loads(file.read_text().splitlines()[0])["size"]
    assert f"{file}: {number} entries, proved by the checkpoint of {size} entries" in done.stderr
    assert (done.returncode, done.stdout) == (0, "")
    assert "entries of the log" in audit(home, "verify", "--export", str(file), "--key", key_of(home))
    kind, facts = query(
        home / "var", "SELECT kind, json_extract(CAST(leaf AS TEXT), '$.facts') FROM entry ORDER BY idx DESC"
    )[0]
    assert kind == "export"
    assert json.loads(facts)["query"] == "tag:TAG_1 session:..."
    whole = audit(home, "export")
    file.write_text(whole)
    assert "the whole log" in audit(home, "verify", "--export", str(file), "--key", key_of(home))
    file.write_text(whole.replace('"idx":7', '"idx":8', 1))
    assert "entry 7 is missing" in audit(home, "verify", "--export", str(file), status=1)


def test_all_of_it_works_beside_a_running_server(home: Path) -> None:
    port = free_port()
    with program("serve", "--port", str(port), cwd=home, url=f"http://127.0.0.1:{port}") as running:
        running.await_ready()
        assert "intact" in audit(home, "verify")
        assert json.loads(audit(home, "prove", "5"))["idx"] == 5


def test_a_folder_without_a_record(tmp_path: Path) -> None:
    write_configuration(tmp_path)
    assert "nothing is stored yet" in audit(tmp_path, "verify", status=1)


def test_what_would_not_hold_is_not_handed_out(home: Path, tmp_path: Path) -> None:
    """The command says what to do and leaves no file. tests/audit/test_handed_out.py has every kind of damage."""
    file = tmp_path / "out"
    edit(home / "var", EDITED_LEAF)
    for asked in (("prove", "20"), ("export",), ("export", "idx:20")):
        said = audit(home, *asked, "-o", str(file), status=1)
        assert ("run `hookwarden audit verify`" in said, "Traceback" in said, file.exists()) == (True, False, False)
    assert json.loads(audit(home, "prove", "21"))["idx"] == 21


def test_growth_up_to_a_state_that_nobody_signed_is_not_handed_out(home: Path) -> None:
    key = Verifier.read(key_of(home))
    signed = {open_checkpoint(note, key).size for note in notes_in(home / "var" / "checkpoints.log")}
    free = next(size for size in range(2, 100) if size not in signed)
    assert f"no checkpoint of {free} entries" in audit(home, "prove", "--from", "1", "--to", str(free), status=1)


def test_growth_over_a_damaged_tile_is_not_handed_out(home: Path) -> None:
    edit(
        home / "var",
        "UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE level = 0 AND n = 0",
    )
    assert "run `hookwarden audit verify`" in audit(home, "prove", "--from", "20", status=1)
