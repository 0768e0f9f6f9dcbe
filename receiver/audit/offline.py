"""Checking what `hookwarden audit prove` and `hookwarden audit export` wrote, without a record and without Hookwarden:

    python -m receiver.audit.offline FILE --key VKEY

This file, `strict.py`, `tree.py` and `note.py` are all it takes; of other people's code, only `cryptography` (Ed25519).
`VKEY` is what `hookwarden audit key` printed; without it, the key that a file names itself is taken, and said so: who
made the file up could have made up that key. Exit status: 0 the file holds, 1 it does not, 2 it cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from receiver.audit.note import Checkpoint, NoteError, Verifier, open_checkpoint
from receiver.audit.strict import (
    LONGEST,
    NUMBER,
    NotReadable,
    checked_lines,
    decoded,
    has_members,
    hashes,
    joined,
    json_object,
    number,
    text_of,
)
from receiver.audit.tree import is_consistent, is_included, leaf_hash, node_hash

PROOF: Final = "hookwarden-proof/1"
CONSISTENCY: Final = "hookwarden-consistency/1"
EXPORT: Final = "hookwarden-export/1"
TLOG_PROOF: Final = "c2sp.org/tlog-proof@v1"

# The members that there are, no more and no fewer: what nothing signed must not pass for proved.
_OF_PROOF: Final = frozenset(("format", "idx", "leaf", "size", "checkpoint", "proof"))
_OF_RECEIPT: Final = _OF_PROOF | {"subject_ref", "class", "at", "actor", "destroyed", "scrubbed"}
_OF_GROWTH: Final = frozenset(("format", "from", "to", "proof"))
_OF_STATE: Final = frozenset(("size", "root", "checkpoint"))
_OF_HEAD: Final = frozenset(("format", "origin", "vkey", "checkpoint", "size", "query", "whole"))
_OF_ENTRY: Final = frozenset(("idx", "leaf"))
_OF_END: Final = frozenset(("end",))


class CheckFailed(ValueError):
    """The file does not prove what it says. The message says where."""


def check_file(path: Path, key: Verifier | None) -> str:
    """Check a file; gives what it proves, as a sentence. Raises CheckFailed, NotReadable."""
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            return check(iter(partial(file.readline, LONGEST + 1), ""), key)
    except UnicodeDecodeError:
        raise NotReadable("not UTF-8 text") from None
    except OSError as fault:
        raise NotReadable(f"the file cannot be read: {fault.strerror}") from None


def check(lines: Iterable[str], key: Verifier | None) -> str:
    """The same of a file that is given line by line, each with its line end."""
    rest = checked_lines(lines)
    first = next(rest, "")
    try:
        if first == f"{TLOG_PROOF}\n":
            return _tlog_proof(rest, _needed(key))
        document = json_object(first + joined(rest) if first == "{\n" else first)
        kind = document.get("format")
        if kind == EXPORT:
            return _export(document, rest, key)
        _finished(rest)
        if kind == PROOF:
            return _entry(document, _needed(key))
        if kind == CONSISTENCY:
            return _growth(document, _needed(key))
    except NoteError as fault:
        raise CheckFailed(f"the checkpoint does not hold: {fault}") from None
    except RecursionError:
        raise NotReadable("JSON that is nested too deep") from None
    raise NotReadable("not a proof or an export that Hookwarden wrote")


def prove_inclusion(leaf: bytes, idx: int, checkpoint: Checkpoint, proof: list[bytes]) -> None:
    """Make sure that a proof leads from a leaf, as entry `idx`, to the signed root. Raises CheckFailed, NotReadable."""
    if not is_included(leaf_hash(leaf), idx, checkpoint.size, proof, checkpoint.root):
        raise CheckFailed(f"entry {idx}: the proof does not lead from this leaf to the signed root")
    said = _content(leaf).get("idx", idx)
    if said != idx:
        raise CheckFailed(f"entry {idx}: the leaf is that of entry {said}")


class Roots:
    """The root over leaves that come one by one, in order."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []  # roots of full subtrees: width, hash

    def add(self, leaf: bytes) -> None:
        """The next leaf."""
        width, value = 1, leaf_hash(leaf)
        while self._peaks and self._peaks[-1][0] == width:
            value = node_hash(self._peaks.pop()[1], value)
            width *= 2
        self._peaks.append((width, value))
        self.size += 1

    def prove(self, checkpoint: Checkpoint) -> None:
        """Make sure that the leaves are those that were signed. Raises CheckFailed."""
        if self.size != checkpoint.size:
            raise CheckFailed(f"{checkpoint.size} entries were signed, the file has {self.size}")
        peaks = [value for _, value in self._peaks]
        root = peaks.pop() if peaks else checkpoint.root
        while peaks:
            root = node_hash(peaks.pop(), root)
        if root != checkpoint.root:
            raise CheckFailed("the entries do not give the signed root: at least one of them was changed")


def _needed(key: Verifier | None) -> Verifier:
    if key is None:
        raise NotReadable("give the log's key: --key VKEY, as `hookwarden audit key` prints it")
    return key


def _entry(document: dict[str, Any], key: Verifier) -> str:
    receipt = "subject_ref" in document
    has_members(document, _OF_RECEIPT if receipt else _OF_PROOF, "the proof")
    if document["checkpoint"] is None:
        raise NotReadable("it has no checkpoint, as none was signed: once the log is signed again, ask for a proof")
    checkpoint = open_checkpoint(text_of(document["checkpoint"]), key)
    leaf, idx = decoded(document["leaf"]), number(document["idx"])
    prove_inclusion(leaf, idx, checkpoint, hashes(document["proof"]))
    _same(document["size"], checkpoint.size, "size")
    said = _included(idx, checkpoint)
    if not receipt:
        return said
    _receipt(document, _content(leaf))
    return f"{said}, and is the erasure that the receipt tells of; `scrubbed` is the word of who wrote it, not signed"


def _receipt(document: dict[str, Any], content: dict[str, Any]) -> None:
    """What stands beside the proof is what the leaf says."""
    counts, at = document["destroyed"], content.get("at")
    if content.get("kind") != "erasure" or not isinstance(counts, dict) or type(document["scrubbed"]) is not bool:
        raise CheckFailed("the entry is not the erasure that the receipt tells of")
    facts = {"subject": document["subject_ref"], "class": document["class"]}
    facts |= {name: str(number(count)) for name, count in counts.items()}
    _same(facts, content.get("facts"), "subject_ref, class or destroyed")
    _same(document["actor"], content.get("actor"), "actor")
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number(at))
    _same(document["at"], moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "at")


def _included(idx: int, checkpoint: Checkpoint) -> str:
    return f"entry {idx} is in the log {checkpoint.origin}, which was signed with {checkpoint.size} entries"


def _tlog_proof(lines: Iterator[str], key: Verifier) -> str:
    """`extra` and `index` once each and in this order, the hashes, an empty line, the checkpoint."""
    extra, index = _after("extra ", lines), _after("index ", lines)
    if not NUMBER.fullmatch(index):
        raise NotReadable("the `index` line has no number: digits, with no sign, blank or leading zero")
    proof = []
    for line in lines:
        if line == "\n":
            break
        proof.append(decoded(line.removesuffix("\n")))
    checkpoint = open_checkpoint(joined(lines), key)
    prove_inclusion(decoded(extra), int(index), checkpoint, proof)
    return _included(int(index), checkpoint)


def _after(name: str, lines: Iterator[str]) -> str:
    line = next(lines, "")
    if not line.startswith(name):
        raise NotReadable(f"the proof lacks its `{name.strip()}` line where one should be")
    return line.removeprefix(name).removesuffix("\n")


def _growth(document: dict[str, Any], key: Verifier) -> str:
    has_members(document, _OF_GROWTH, "the proof")
    (old, old_root, old_signed), (new, new_root, new_signed) = (_state(document[end], key) for end in ("from", "to"))
    if not is_consistent(old, new, old_root, new_root, hashes(document["proof"])):
        raise CheckFailed(f"the state of {old} entries is not shown to be the beginning of that of {new}")
    if not new_signed:
        raise CheckFailed(f"the state of {new} entries is not signed: ask for one that is")
    signed = "both signed" if old_signed else f"of which {new} is signed"
    return f"the first {old} of {new} entries were the whole log {key.name} once, {signed}"


def _state(said: Any, key: Verifier) -> tuple[int, bytes, bool]:
    has_members(said, _OF_STATE, "a state")
    size, root, note = number(said["size"]), decoded(said["root"]), said["checkpoint"]
    if note is None:
        return size, root, False
    checkpoint = open_checkpoint(text_of(note), key)
    if (checkpoint.size, checkpoint.root) != (size, root):
        raise CheckFailed(f"the checkpoint beside the state of {size} entries is of another state")
    return size, root, True


def _export(head: dict[str, Any], lines: Iterator[str], key: Verifier | None) -> str:
    has_members(head, _OF_HEAD, "the first line")
    trusted = key if key is not None else _own_key(head)
    checkpoint = open_checkpoint(text_of(head["checkpoint"]), trusted)
    _same(head["size"], checkpoint.size, "size")
    _same(head["origin"], checkpoint.origin, "origin")
    _same(head["vkey"], str(trusted), "vkey")
    query, whole = text_of(head["query"]), head["whole"]
    if type(whole) is not bool or (whole and query.strip()):
        raise NotReadable("`whole` is not true or false, or true beside a query")
    doubt = "" if key is not None else "; checked with the key that the file names itself: compare it with the log's"
    signed = f"log {checkpoint.origin}, which was signed with {checkpoint.size} entries"
    if whole:
        _whole(lines, checkpoint)
        return f"the whole {signed}{doubt}"
    limit = "not proved: that no entry is left out which fits the search, nor what the search was"
    return f"{_selected(lines, checkpoint)} entries of the {signed}; {limit}{doubt}"


def _own_key(head: dict[str, Any]) -> Verifier:
    try:
        return Verifier.read(text_of(head["vkey"]))
    except NoteError as fault:
        raise NotReadable(f"the key that the file names cannot be read: {fault}") from None


def _selected(lines: Iterator[str], checkpoint: Checkpoint) -> int:
    count, before = 0, -1
    for entry in _entries(lines, _OF_ENTRY | {"proof"}):
        idx = number(entry["idx"])
        if idx <= before:
            raise CheckFailed(f"entry {idx} stands after entry {before}")
        prove_inclusion(decoded(entry["leaf"]), idx, checkpoint, hashes(entry["proof"]))
        count, before = count + 1, idx
    return count


def _whole(lines: Iterator[str], checkpoint: Checkpoint) -> None:
    roots = Roots()
    for entry in _entries(lines, _OF_ENTRY):
        idx = number(entry["idx"])
        if idx != roots.size:
            raise CheckFailed(f"entry {roots.size} is missing: entry {idx} stands there")
        roots.add(decoded(entry["leaf"]))
    roots.prove(checkpoint)


def _entries(lines: Iterator[str], members: frozenset[str]) -> Iterator[dict[str, Any]]:
    """The entries up to the last line, which counts them: a file that was cut short lacks it."""
    count = 0
    for line in lines:
        entry = json_object(line)
        if "end" in entry:
            has_members(entry, _OF_END, "the last line")
            if number(entry["end"]) != count:
                raise CheckFailed(f"the file ends with {count} entries, and says that it has {entry['end']}")
            _finished(lines)
            return
        has_members(entry, members, f"the line of entry number {count}")
        yield entry
        count += 1
    raise CheckFailed(f"the file was cut short after {count} entries: its last line is missing")


def _finished(lines: Iterator[str]) -> None:
    if next(lines, None) is not None:
        raise CheckFailed("something stands after the last line")


def _same(said: Any, signed: Any, name: str) -> None:
    if type(said) is not type(signed) or said != signed:
        raise CheckFailed(f"`{name}` is not what was signed")


def _content(leaf: bytes) -> dict[str, Any]:
    try:
        return json_object(leaf.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotReadable("a leaf that is not UTF-8 text") from None


def main() -> None:
    """Check one file and say so."""
    parser = argparse.ArgumentParser(
        prog="python -m receiver.audit.offline", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", help="the log's key, as `hookwarden audit key` prints it")
    options = parser.parse_args()
    try:
        said = check_file(options.file, None if options.key is None else Verifier.read(options.key))
    except CheckFailed as fault:
        sys.exit(_tell(f"DOES NOT HOLD: {fault}", 1))
    except (NotReadable, NoteError) as fault:
        sys.exit(_tell(f"cannot be checked: {fault}", 2))
    _tell(f"holds: {said}", 0)


def _tell(text: str, status: int) -> int:
    (sys.stdout if status == 0 else sys.stderr).write(f"{text}\n")
    return status


if __name__ == "__main__":
    main()
