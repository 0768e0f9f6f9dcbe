"""Proofs and exports that are checked with nothing but `cryptography`, as an auditor would, and forged ones refused."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from receiver.audit.export import proved_lines, without_names
from receiver.audit.note import Verifier, open_checkpoint
from receiver.audit.offline import CheckFailed, check
from receiver.audit.prove import as_tlog_proof, growth_proof
from receiver.audit.strict import NotReadable
from receiver.cli.exporting import _Entries
from receiver.erasing import Wanted, erase, find
from receiver.proofs import covering, entry_document
from receiver.store.sqlite.store import SqliteStore
from tests.support.processes import run
from tests.support.store_samples import NOW
from tests.support.tampering import filled, notes_in

# Python as it comes (-I: no user's folder, no environment; -S: nothing that is installed), and what is named here.
ALONE = """
import runpy, sys
sys.path[:0] = sys.argv.pop(1).split(":")
runpy.run_module("receiver.audit.offline", run_name="__main__")
"""
FILES = ("offline.py", "strict.py", "note.py", "tree.py")
Alone = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    folder = tmp_path_factory.mktemp("log")
    opened = filled(folder, 20)
    opened.submit(lambda tx: tx.ask_checkpoint()).result(10)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """Checks a file on a machine that has four files of ours, `cryptography`, what that needs, and nothing else."""
    home = tmp_path_factory.mktemp("auditor")
    (home / "receiver" / "audit").mkdir(parents=True)
    for name in FILES:
        shutil.copy(ROOT / "receiver" / "audit" / name, home / "receiver" / "audit" / name)
    for package in ("cryptography", "cffi", "_cffi_backend"):
        origin = Path(str(importlib.util.find_spec(package).origin))  # type: ignore[union-attr]  # it is installed
        found = origin.parent if origin.name == "__init__.py" else origin
        (home / found.name).symlink_to(found)

    def check_alone(file: Path, *arguments: str, program: str = ALONE) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", "-c", program, str(home), str(file), *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=home, check=False)

    return check_alone


@pytest.mark.parametrize("module", ["pydantic", "click", "receiver.contract", "receiver.audit.leaf"])
def test_alone_means_alone(alone: Alone, module: str) -> None:
    """What the tests below rely on: there, nothing else can be imported, and what can be is what was copied."""
    program = "import sys; sys.path[:0] = sys.argv.pop(1).split(':')\nimport receiver.audit.offline as o, {}"
    done = alone(Path("nothing"), program=program.format(module))
    assert done.stderr.strip().endswith(f"No module named '{module}'")
    done = alone(Path("nothing"), program=program.format("cryptography") + "; print(o.__file__)")
    assert not done.stdout.startswith(str(ROOT)), done.stderr
    assert done.stdout.endswith("receiver/audit/offline.py\n")


def exported(store: SqliteStore, query: str = "") -> list[str]:
    note, checkpoint = covering(store, 1)

    @contextmanager
    def read() -> Iterator[_Entries]:
        with store.read() as reader:
            yield _Entries(reader)

    return list(proved_lines(read, note, checkpoint, store.verifier, query))


def lines_of(document: Any) -> list[str]:
    return json.dumps(document, indent=1).splitlines(keepends=True)


@pytest.mark.parametrize("idx", [0, 1, 63, 64, 80])
def test_a_proof_of_an_entry_holds(store: SqliteStore, idx: int) -> None:
    document = entry_document(store, idx)
    assert f"entry {idx} is in the log {store.verifier.name}" in check(lines_of(document), store.verifier)
    assert f"entry {idx} is in" in check(as_tlog_proof(document).splitlines(keepends=True), store.verifier)


FORGED: dict[str, Any] = {
    "leaf": lambda d: d.update(
        leaf=base64.b64encode(base64.b64decode(d["leaf"]).replace(b"decided", b"echoing")).decode()
    ),
    "index": lambda d: d.update(idx=d["idx"] + 1),
    "negative index": lambda d: d.update(idx=-1),
    "huge index": lambda d: d.update(idx=2**70),
    "proof shortened": lambda d: d["proof"].pop(),
    "proof lengthened": lambda d: d["proof"].append(d["proof"][0]),
    "proof reordered": lambda d: d["proof"].reverse(),
    "proof empty": lambda d: d.update(proof=[]),
    "root": lambda d: d.update(checkpoint=d["checkpoint"].replace("A", "B", 1)),
    "size": lambda d: d.update(checkpoint=d["checkpoint"].replace("\n8", "\n9", 1)),
    "signature": lambda d: d.update(checkpoint=d["checkpoint"][:-10] + "AAAAAAAA=\n"),
    "hash of half a length": lambda d: d["proof"].__setitem__(0, base64.b64encode(b"x" * 16).decode()),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forged_proof_does_not_hold(store: SqliteStore, forgery: str) -> None:
    document = entry_document(store, 21)
    original = json.dumps(document)
    FORGED[forgery](document)
    assert json.dumps(document) != original
    with pytest.raises((CheckFailed, NotReadable)):
        check(lines_of(document), store.verifier)
    with pytest.raises((CheckFailed, NotReadable)):
        check(as_tlog_proof(document).splitlines(keepends=True), store.verifier)


@pytest.mark.parametrize("text", ["", "x", "{}", "[]", '{"format": "hookwarden-proof/1"}', "c2sp.org/tlog-proof@v1\n"])
def test_what_is_no_proof_cannot_be_checked(store: SqliteStore, text: str) -> None:
    with pytest.raises((NotReadable, CheckFailed)):
        check(text.splitlines(keepends=True), store.verifier)


def test_a_growing_log_is_shown_to_have_been_the_same(store: SqliteStore) -> None:
    note, checkpoint = covering(store, 1)
    with store.read() as reader:
        document: Any = growth_proof(30, checkpoint.size, {checkpoint.size: note}, reader.tile)
        other = growth_proof(31, checkpoint.size, {checkpoint.size: note}, reader.tile)
    assert f"the first 30 of {checkpoint.size} entries were the whole log" in check(lines_of(document), store.verifier)
    document["from"] = other["from"]
    with pytest.raises(CheckFailed, match="not shown to be the beginning"):
        check(lines_of(document), store.verifier)
    document["to"]["checkpoint"] = None
    with pytest.raises(CheckFailed):
        check(lines_of(document), store.verifier)


@pytest.mark.parametrize("query", ["", "kind:decision", "tag:TAG_3"])
def test_an_export_holds_alone(store: SqliteStore, alone: Alone, tmp_path: Path, query: str) -> None:
    file = tmp_path / "export.ndjson"
    file.write_text("".join(exported(store, query)))
    done = alone(file, "--key", str(store.verifier))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("holds: the whole log" if not query else "holds: ")
    assert "compare it with the log's" in alone(file).stdout


def test_a_proof_holds_alone_and_needs_the_key(store: SqliteStore, alone: Alone, tmp_path: Path) -> None:
    file = tmp_path / "a.tlog-proof"
    file.write_text(as_tlog_proof(entry_document(store, 7)))
    assert alone(file, "--key", str(store.verifier)).returncode == 0
    assert alone(file).returncode == 2
    file.write_text(file.read_text().replace("index 7", "index 8"))
    done = alone(file, "--key", str(store.verifier))
    assert done.returncode == 1
    assert "DOES NOT HOLD" in done.stderr


def changed(lines: list[str], at: int, **fields: Any) -> list[str]:
    return [*lines[:at], json.dumps({**json.loads(lines[at]), **fields}) + "\n", *lines[at + 1 :]]


def holds(lines: list[str], key: Verifier) -> bool:
    try:
        check(lines, key)
    except CheckFailed:
        return False
    return True


@pytest.mark.parametrize("query", ["", "kind:decision"])
def test_a_forged_export_does_not_hold(store: SqliteStore, query: str) -> None:
    lines, key = exported(store, query), store.verifier
    other = json.loads(lines[4])["leaf"]
    forged = {
        "leaf": changed(lines, 3, leaf=other),
        "removed": [*lines[:3], *lines[4:]],
        "twice": [*lines[:4], *lines[3:]],
        "swapped": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "cut": lines[:-1],
        "cut and counted": [*lines[:-2], json.dumps({"end": len(lines) - 3}) + "\n"],
        "after the end": [*lines, lines[3]],
        "no entries": [lines[0], '{"end": 0}\n'],
    }
    if query:  # a selection cannot show that it has all that fits
        del forged["cut and counted"], forged["no entries"]
    held = [name for name, made in forged.items() if holds(made, key)]
    assert held == []


def test_an_export_signed_by_another_key_does_not_hold(store: SqliteStore) -> None:
    other = Verifier(store.verifier.name, bytes(32))
    with pytest.raises(CheckFailed, match="not signed by"):
        check(exported(store), other)


def test_all_notes_of_the_log_open(store: SqliteStore, tmp_path: Path) -> None:
    folder = tmp_path / "var"
    made = filled(folder, 3, sign_every=0.001)
    made.close()
    assert [open_checkpoint(note, made.verifier).size for note in notes_in(folder / "checkpoints.log")][-1] > 3


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("tag:A -rule:x", "tag:A -rule:x"),
        ("session:s-1 tag:A", "session:... tag:A"),
        ('-subject:"Jane Doe" kind:event', "-subject:... kind:event"),
        ('"Jane Doe" kind:event', '"..." kind:event'),
        ('rule:"two words"', 'rule:"two words"'),
    ],
)
def test_what_an_export_leaves_in_the_record_names_nobody(query: str, kept: str) -> None:
    assert without_names(query) == kept


def unreadable(text: str, key: Verifier | None) -> str:
    """Why a text is refused; it must be with one of the two words, and never with a traceback."""
    with pytest.raises((CheckFailed, NotReadable)) as refused:
        check(io.StringIO(text, newline="\n"), key)
    return str(refused.value)


@pytest.mark.parametrize(
    "index", ["abc", "4_", "+4", "0_4", "04", " 4", "4 ", "\u0664", "-4", "", "4.0", "9" * 5000, "9" * 19]
)
def test_an_index_is_written_in_one_way(store: SqliteStore, index: str) -> None:
    text = as_tlog_proof(entry_document(store, 4))
    assert check(text.splitlines(keepends=True), store.verifier)
    unreadable(text.replace("\nindex 4\n", f"\nindex {index}\n"), store.verifier)


@pytest.mark.parametrize("name", ["index ", "extra "])
def test_a_line_of_a_proof_stands_once_and_in_its_place(store: SqliteStore, name: str) -> None:
    lines = as_tlog_proof(entry_document(store, 4)).splitlines(keepends=True)
    (at,) = (at for at, line in enumerate(lines) if line.startswith(name))
    for other in ([*lines[:at], lines[at], *lines[at:]], [*lines[:at], *lines[at + 1 :]], [lines[0], *lines[3:0:-1]]):
        unreadable("".join(other), store.verifier)


def doubled(lines: list[str], at: int, member: str) -> list[str]:
    """A member twice in one object, of which JSON readers take the last."""
    return [*lines[:at], lines[at].replace("{", f"{{{member},", 1), *lines[at + 1 :]]


STRICT: dict[str, Any] = {
    "not a number": lambda d: d.update(idx="4"),
    "true": lambda d: d.update(idx=True),
    "a fraction": lambda d: d.update(idx=4.0),
    "another size": lambda d: d.update(size=d["size"] - 1),
    "no size": lambda d: d.pop("size"),
    "a member more": lambda d: d.update(verified_by="a notary"),
    "a proof that is text": lambda d: d.update(proof="".join(d["proof"])),
    "a surrogate in the note": lambda d: d.update(checkpoint="\ud800" + d["checkpoint"]),
    "a surrogate in a signature": lambda d: d.update(checkpoint=d["checkpoint"].replace("\u2014 ", "\u2014 \ud800")),
    "no note": lambda d: d.update(checkpoint=None),
    "base64 with other last bits": lambda d: d["proof"].__setitem__(0, d["proof"][0][:-2] + "/="),
    "deep": lambda d: d.update(idx=json.loads("[" * 500 + "]" * 500)),
}


@pytest.mark.parametrize("name", STRICT)
@pytest.mark.parametrize("indent", [1, None])
def test_a_proof_says_nothing_that_is_not_proved(store: SqliteStore, name: str, indent: int | None) -> None:
    document = entry_document(store, 4)
    assert check((json.dumps(document, indent=indent) + "\n").splitlines(keepends=True), store.verifier)
    STRICT[name](document)
    unreadable(json.dumps(document, indent=indent) + "\n", store.verifier)


def test_no_line_end_but_a_line_feed_no_member_twice_and_nothing_behind(store: SqliteStore) -> None:
    text = json.dumps(entry_document(store, 4)) + "\n"
    assert "names a member twice" in unreadable("".join(doubled([text], 0, '"idx": 5')), store.verifier)
    assert "carriage return" in unreadable(text.replace("\n", "\r\n"), store.verifier)
    assert "stands after" in unreadable(text + "{}\n", store.verifier)
    tlog = as_tlog_proof(entry_document(store, 4))
    assert "carriage return" in unreadable(tlog.replace("\n", "\r\n"), store.verifier)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"format":' + "[" * 100_000, '{\n"a":' + "9" * 5000 + "}\n", "\ud800"]
)
def test_what_is_made_to_break_a_reader_is_refused(store: SqliteStore, text: str) -> None:
    unreadable(text, store.verifier)


EXPORTED: dict[str, Any] = {
    "another size": lambda lines: changed(lines, 0, size=1),
    "another origin": lambda lines: changed(lines, 0, origin="elsewhere"),
    "a head with more": lambda lines: changed(lines, 0, complete=True),
    "another key beside": lambda lines: changed(lines, 0, vkey="log.example+00000000+AAAA"),
    "a key that no one can write": lambda lines: changed(lines, 0, vkey="\ud800+00000000+AAAA"),
    "an entry with more": lambda lines: changed(lines, 2, said="2026-11-21"),
    "an entry that ends": lambda lines: changed(lines, 2, end=1),
    "an end that is true": lambda lines: [lines[0], lines[1], '{"end":true}\n'],
    "an end with more": lambda lines: [*lines[:-1], lines[-1].replace("}", ',"idx":1}')],
    "an end that is a fraction": lambda lines: [*lines[:-1], lines[-1].replace("}", ".0}")],
    "an index twice": lambda lines: doubled(lines, 2, '"idx":0'),
    "a size twice": lambda lines: doubled(lines, 0, '"size":0'),
    "an empty line, then more": lambda lines: [*lines, "\n", lines[2]],
    "carriage returns": lambda lines: [line.replace("\n", "\r\n") for line in lines],
    "a long line": lambda lines: [lines[0], " " * 1_000_001 + lines[1], *lines[2:]],
    "not whole nor selected": lambda lines: changed(lines, 0, whole=1),
}


@pytest.mark.parametrize("query", ["", "kind:decision"])
@pytest.mark.parametrize("name", EXPORTED)
@pytest.mark.parametrize("keyed", [True, False])
def test_an_export_says_nothing_that_is_not_proved(store: SqliteStore, name: str, query: str, keyed: bool) -> None:
    lines = exported(store, query)
    unreadable("".join(EXPORTED[name](lines)), store.verifier if keyed else None)


def test_an_export_of_all_names_no_search(store: SqliteStore) -> None:
    unreadable("".join(changed(exported(store), 0, query="tag:A")), store.verifier)


def test_a_selection_says_what_it_does_not_prove(store: SqliteStore) -> None:
    limit = "not proved: that no entry is left out which fits the search"
    assert limit in check(exported(store, "kind:decision"), store.verifier)
    assert "not proved" not in check(exported(store), store.verifier)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"[" * 100_000, 2),
        (b"\xff\xfe", 2),
        (b" " * 1_000_001 + b"{}\n", 2),
        (b'{"format":"hookwarden-export/1"}\r\n', 2),
        (b"c2sp.org/tlog-proof@v1\nextra AA==\nindex abc\n", 2),
    ],
)
def test_both_doors_say_the_same(store: SqliteStore, alone: Alone, tmp_path: Path, content: bytes, status: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    done = alone(file, "--key", str(store.verifier))
    assert (done.returncode, "Traceback" in done.stderr) == (status, False)
    other = run("audit", "verify", "--export", str(file), "--key", str(store.verifier), cwd=tmp_path)
    assert (other.returncode, "Traceback" in other.stderr) == (status, False)
    assert other.stderr.partition(": ")[2].split() == done.stderr.partition(": ")[2].split()


def test_a_key_that_no_text_can_hold_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("{}\n")
    done = subprocess.run(
        [sys.executable, "-m", "receiver.audit.offline", str(file), "--key", b"\xff+00000000+AAAA"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_a_receipt_says_what_its_entry_says(store: SqliteStore, alone: Alone, tmp_path: Path) -> None:
    made = filled(tmp_path / "var", 3)
    person = find(made, Wanted(None, "s-1", "all"))
    assert person.ref is not None
    receipt: Any = erase(made, person.ref, "all", "cli:ana", lambda: NOW + 1, "")
    made.close()
    assert "is the erasure" in check(lines_of(receipt), made.verifier)
    file = tmp_path / "receipt.json"
    file.write_text("".join(lines_of(receipt)))
    assert "is the erasure" in alone(file, "--key", str(made.verifier)).stdout
    file.write_text("".join(lines_of(receipt | {"size": None, "checkpoint": None, "proof": []})))
    assert "it has no checkpoint" in alone(file, "--key", str(made.verifier)).stderr
    others: tuple[dict[str, Any], ...] = (
        {"subject_ref": "00" * 16},
        {"class": "biometric"},
        {"at": "2020-01-01T00:00:00.000Z"},
        {"actor": "cli:eve"},
        {"destroyed": {**receipt["destroyed"], "events": 9}},
        {"destroyed": []},
        {"scrubbed": "yes"},
        {"by": "nobody"},
    )
    for other in others:
        unreadable("".join(lines_of(receipt | other)), made.verifier)
    unreadable("".join(lines_of(receipt | entry_document(store, 4))), store.verifier)
