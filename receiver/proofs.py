"""Proofs over an open store, as the command line and HTTP hand them out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from receiver.audit.note import Checkpoint, NoteError, Verifier, open_checkpoint
from receiver.audit.offline import CheckFailed, check
from receiver.audit.prove import entry_proof
from receiver.audit.strict import NotReadable
from receiver.audit.tree import TreeError
from receiver.contract import JsonObject
from receiver.errors import Conflict, NotFound
from receiver.store.port import Store, Transaction
from receiver.store.reader import Reader


def entry_document(store: Store, idx: int) -> JsonObject:
    """The proof that entry `idx` is in the record, under a checkpoint that is signed now if none covers it yet.

    Raises NotFound; Conflict where the record is not signed any more, or what is stored does not give what was signed.
    """
    with store.read() as reader, sound(f"entry {idx}"):
        if reader.leaf(idx) is None:
            raise NotFound(_absent(reader, idx))
    note, checkpoint = covering(store, idx + 1)
    with store.read() as reader, sound(f"entry {idx}"):
        leaf = reader.leaf(idx)
        if leaf is None:  # pruned meanwhile
            raise NotFound(_absent(reader, idx))
        return checked(entry_proof(idx, leaf, note, checkpoint, reader.tile), store.verifier)


def checked(document: JsonObject, key: Verifier) -> JsonObject:
    """The same proof, after it was checked as whoever gets it will. Raises CheckFailed, NotReadable."""
    check([json.dumps(document) + "\n"], key)
    return document


@contextmanager
def sound(what: str) -> Iterator[None]:
    """Whatever cannot be read or does not hold becomes a Conflict: nothing is handed out that would not hold. A
    TypeError is what a value of another type in the database comes to.
    """
    try:
        yield
    except (CheckFailed, NotReadable, NoteError, TreeError, TypeError) as fault:
        raise Conflict(
            f"{what} cannot be proved, as the record does not give what was signed: {fault};"
            " run `hookwarden audit verify` to see what is damaged"
        ) from fault


def covering(store: Store, size: int) -> tuple[str, Checkpoint]:
    """The newest checkpoint that covers so many entries, signed now if there is none. Raises Conflict."""
    with store.read() as reader:
        note = reader.checkpoint(size)
    if note is None:
        store.submit(_ask).result()
        with store.read() as reader:
            note = reader.checkpoint(size)
    if note is None:
        raise Conflict("the record is not signed any more; run `hookwarden audit verify` to see why")
    with sound("the newest checkpoint"):
        return note, open_checkpoint(note, store.verifier)


def _ask(tx: Transaction) -> None:
    tx.ask_checkpoint()


def _absent(reader: Reader, idx: int) -> str:
    first, size = reader.first_idx(), reader.tree_size()
    if idx < first:
        return f"entry {idx} was pruned: entries are kept from {first} on"
    return f"no entry {idx}: the record has {size}, counted from 0"
