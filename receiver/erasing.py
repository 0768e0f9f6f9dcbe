"""Erasing a person from the record, with a receipt that anybody can check."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from receiver.audit.note import NoteError, open_checkpoint
from receiver.audit.offline import CheckFailed, check
from receiver.audit.prove import FORMAT, entry_proof
from receiver.audit.strict import NotReadable
from receiver.audit.tree import TreeError
from receiver.contract import JsonObject
from receiver.store.documents import iso
from receiver.store.port import Store, Transaction
from receiver.store.shapes import Erased, Extent, Person

SCRUB_SECONDS: Final = 10.0  # for how long readers that are in the way are waited for


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is to be erased, and how much: by the sender's name for the person, or by one of their sessions."""

    subject: str | None
    session_id: str | None
    extent: Extent = "all"


def find(store: Store, wanted: Wanted) -> Person:
    """The person, after erasures that a crash cut short are completed. Raises NotFound, Conflict, StoreUnavailable."""
    _finish(store)
    return store.submit(lambda tx: tx.find_person(wanted.subject, wanted.session_id, wanted.extent)).result()


def is_there(person: Person, extent: Extent) -> bool:
    """Whether there is a key left to destroy."""
    return person.ref is not None and (person.personal if extent == "all" else person.biometric)


def preview(store: Store, ref: bytes, extent: Extent, actor: str, at: int) -> Mapping[str, int]:
    """What erasing would do. Raises Conflict while a legal hold stands."""
    return store.submit(lambda tx: tx.try_erasure(ref, extent, actor, at)).result().counts


def erase(store: Store, ref: bytes, extent: Extent, actor: str, clock: Callable[[], int], reason: str) -> JsonObject:
    """Erase, and give the receipt: the proof of the erasure's entry, and beside it what that entry says. Raises
    Conflict while a legal hold stands, StoreUnavailable.

    `scrubbed` False: keys and rows are gone, but readers kept their old bytes in the logs of the files; asking again
    for the same person tries to cut them again.
    """
    at = clock()

    def job(tx: Transaction) -> Erased:
        tx.ask_checkpoint()
        return tx.erase(ref, extent, actor, at, reason)

    erased = store.submit(job).result()
    _finish(store)
    scrubbed = store.scrub(SCRUB_SECONDS)
    return {
        "subject_ref": ref.hex(),
        "class": extent,
        "at": iso(at),
        "actor": actor,
        "destroyed": dict(erased.counts),
        "scrubbed": scrubbed,
        **proof(store, erased.idx),
    }


def proof(store: Store, idx: int) -> JsonObject:
    """That an entry is in the record, as `hookwarden audit prove` gives it. Without a checkpoint that covers it (none
    is signed any more: the log says why), or where the tree is damaged (`audit verify` says how), only what is known.
    """
    with store.read() as reader:
        entry, note = reader.audit_entry(idx), reader.checkpoint(idx + 1)
        assert entry is not None
        known: JsonObject = {"format": FORMAT, "idx": idx, "leaf": entry["leaf"]}
        known |= {"size": None, "checkpoint": None, "proof": []}
        if note is None:
            return known
        leaf = base64.b64decode(str(entry["leaf"]))
        try:
            found = entry_proof(idx, leaf, note, open_checkpoint(note, store.verifier), reader.tile)
            check([json.dumps(found) + "\n"], store.verifier)
        except (CheckFailed, NotReadable, NoteError, TreeError, TypeError):  # keys are destroyed: that is to be told
            return known
        return found


def _finish(store: Store) -> None:
    while store.submit(lambda tx: tx.finish_erasures()).result():
        pass
