"""Checking what `hookwarden audit prove` and `hookwarden audit export` wrote, without a record and without Hookwarden:

    python -m receiver.audit.offline FILE --key VKEY

This file, `tree.py` and `note.py` are all it takes; of other people's code, only `cryptography` (Ed25519). `VKEY` is
what `hookwarden audit key` printed; without it, the key that a file names itself is taken, and said so: who made the
file up could have made up that key. Exit status: 0 the file holds, 1 it does not, 2 it cannot be read.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

from receiver.audit.note import Checkpoint, NoteError, Verifier, open_checkpoint
from receiver.audit.tree import is_consistent, is_included, leaf_hash, node_hash

PROOF: Final = "hookwarden-proof/1"
CONSISTENCY: Final = "hookwarden-consistency/1"
EXPORT: Final = "hookwarden-export/1"
TLOG_PROOF: Final = "c2sp.org/tlog-proof@v1"
_LINE: Final = 1_000_000  # bytes of a line that is read


class CheckFailed(ValueError):
    """The file does not prove what it says. The message says where."""


class NotReadable(ValueError):
    """The file is none of those that can be checked, or the key is missing."""


def check(lines: Iterable[str], key: Verifier | None) -> str:
    """Check a file that is given line by line; gives what it proves, as a sentence. Raises CheckFailed, NotReadable."""
    rest = iter(lines)
    first = next(rest, "")
    try:
        if first.rstrip("\n") == TLOG_PROOF:
            return _tlog_proof(rest, _needed(key))
        document = _object(first) if _is_whole(first) else _object(first + "".join(rest))
        kind = document.get("format")
        if kind == PROOF:
            return _entry(document, _needed(key))
        if kind == CONSISTENCY:
            return _growth(document, _needed(key))
        if kind == EXPORT:
            return _export(document, rest, key)
    except NoteError as fault:
        raise CheckFailed(f"the checkpoint does not hold: {fault}") from None
    except (KeyError, TypeError, AttributeError) as fault:
        raise NotReadable(f"the file lacks a part, or it has another form: {fault}") from None
    raise NotReadable("not a proof or an export that Hookwarden wrote")


def _needed(key: Verifier | None) -> Verifier:
    if key is None:
        raise NotReadable("give the log's key: --key VKEY, as `hookwarden audit key` prints it")
    return key


def _entry(document: dict[str, Any], key: Verifier) -> str:
    checkpoint = open_checkpoint(document["checkpoint"], key)
    leaf, idx = _bytes(document["leaf"]), _number(document["idx"])
    _include(leaf, idx, checkpoint, [_bytes(value) for value in document["proof"]])
    return f"entry {idx} is in the log {checkpoint.origin}, which was signed with {checkpoint.size} entries"


def _tlog_proof(lines: Iterator[str], key: Verifier) -> str:
    extra, index, proof = None, None, list[bytes]()
    for line in lines:
        text = line.rstrip("\n")
        if not text:
            break
        if text.startswith("extra "):
            extra = _bytes(text.removeprefix("extra "))
        elif text.startswith("index "):
            index = int(text.removeprefix("index "))
        else:
            proof.append(_bytes(text))
    checkpoint = open_checkpoint("".join(lines), key)
    if extra is None or index is None:
        raise NotReadable("the proof lacks its `index` line, or the `extra` line with the leaf")
    _include(extra, index, checkpoint, proof)
    return f"entry {index} is in the log {checkpoint.origin}, which was signed with {checkpoint.size} entries"


def _include(leaf: bytes, idx: int, checkpoint: Checkpoint, proof: list[bytes]) -> None:
    if not is_included(leaf_hash(leaf), idx, checkpoint.size, proof, checkpoint.root):
        raise CheckFailed(f"entry {idx}: the proof does not lead from this leaf to the signed root")
    said = _object(leaf.decode("utf-8", "replace")).get("idx", idx)
    if said != idx:
        raise CheckFailed(f"entry {idx}: the leaf is that of entry {said}")


def _growth(document: dict[str, Any], key: Verifier) -> str:
    (old, old_root, old_signed), (new, new_root, new_signed) = (_state(document[end], key) for end in ("from", "to"))
    proof = [_bytes(value) for value in document["proof"]]
    if not is_consistent(old, new, old_root, new_root, proof):
        raise CheckFailed(f"the state of {old} entries is not shown to be the beginning of that of {new}")
    if not new_signed:
        raise CheckFailed(f"the state of {new} entries is not signed: ask for one that is")
    signed = "both signed" if old_signed else f"of which {new} is signed"
    return f"the first {old} of {new} entries were the whole log {key.name} once, {signed}"


def _state(said: dict[str, Any], key: Verifier) -> tuple[int, bytes, bool]:
    size, root, note = _number(said["size"]), _bytes(said["root"]), said["checkpoint"]
    if note is None:
        return size, root, False
    checkpoint = open_checkpoint(note, key)
    if (checkpoint.size, checkpoint.root) != (size, root):
        raise CheckFailed(f"the checkpoint beside the state of {size} entries is of another state")
    return size, root, True


def _export(head: dict[str, Any], lines: Iterator[str], key: Verifier | None) -> str:
    trusted = key if key is not None else Verifier.read(head["vkey"])
    checkpoint = open_checkpoint(head["checkpoint"], trusted)
    count = _whole(lines, checkpoint) if head["whole"] else _selected(lines, checkpoint)
    what = "the whole log" if head["whole"] else f"{count} entries of the log"
    doubt = "" if key is not None else "; checked with the key that the file names itself: compare it with the log's"
    return f"{what} {checkpoint.origin}, which was signed with {checkpoint.size} entries{doubt}"


def _selected(lines: Iterator[str], checkpoint: Checkpoint) -> int:
    count, before = 0, -1
    for entry in _entries(lines):
        idx = _number(entry["idx"])
        if idx <= before:
            raise CheckFailed(f"entry {idx} stands after entry {before}")
        _include(_bytes(entry["leaf"]), idx, checkpoint, [_bytes(value) for value in entry["proof"]])
        count, before = count + 1, idx
    return count


def _whole(lines: Iterator[str], checkpoint: Checkpoint) -> int:
    count, peaks = 0, list[tuple[int, bytes]]()  # roots of full subtrees: width, hash
    for entry in _entries(lines):
        if _number(entry["idx"]) != count:
            raise CheckFailed(f"entry {count} is missing: entry {entry['idx']} stands there")
        width, value = 1, leaf_hash(_bytes(entry["leaf"]))
        while peaks and peaks[-1][0] == width:
            value = node_hash(peaks.pop()[1], value)
            width *= 2
        peaks.append((width, value))
        count += 1
    if count != checkpoint.size:
        raise CheckFailed(f"{checkpoint.size} entries were signed, the file has {count}")
    if peaks:
        root = peaks.pop()[1]
        while peaks:
            root = node_hash(peaks.pop()[1], root)
        if root != checkpoint.root:
            raise CheckFailed("the entries do not give the signed root: at least one of them was changed")
    return count


def _entries(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The entries up to the last line, which counts them: a file that was cut short lacks it."""
    count = 0
    for line in lines:
        entry = _object(line)
        if "end" in entry:
            if entry["end"] != count:
                raise CheckFailed(f"the file ends with {count} entries, and says that it has {entry['end']}")
            if next(lines, "").strip():
                raise CheckFailed("something stands after the last line")
            return
        yield entry
        count += 1
    raise CheckFailed(f"the file was cut short after {count} entries: its last line is missing")


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise NotReadable("not a JSON object where one should be")
    return document


def _number(value: Any) -> int:
    if type(value) is not int:
        raise NotReadable(f"{value!r} is not a number of entries")
    return value


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise NotReadable("not base64 where it should be") from None


def main() -> None:
    """Check one file and say so."""
    parser = argparse.ArgumentParser(
        prog="python -m receiver.audit.offline", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", help="the log's key, as `hookwarden audit key` prints it")
    options = parser.parse_args()
    try:
        key = Verifier.read(options.key) if options.key else None
        with options.file.open(encoding="utf-8") as file:
            said = check(chain(iter(lambda: file.readline(_LINE), "")), key)
    except CheckFailed as fault:
        sys.exit(_tell(f"DOES NOT HOLD: {fault}", 1))
    except (NotReadable, NoteError, OSError, UnicodeDecodeError) as fault:
        sys.exit(_tell(f"cannot be checked: {fault}", 2))
    _tell(f"holds: {said}", 0)


def _tell(text: str, status: int) -> int:
    (sys.stdout if status == 0 else sys.stderr).write(f"{text}\n")
    return status


if __name__ == "__main__":
    main()
