"""Proofs to hand out: that an entry is in the record, and that an older state is the beginning of a newer one. Pure.

A proof of an entry is JSON of its own (FORMAT) or C2SP tlog-proof (https://c2sp.org/tlog-proof), whose `extra` line
holds the leaf, so that both can be checked with nothing but the log's key (`receiver/audit/offline.py`).
"""

from __future__ import annotations

import base64
from typing import Final

from receiver.audit.note import Checkpoint
from receiver.audit.tree import Tiles, consistency_proof, inclusion_proof, tree_root
from receiver.contract import JsonObject

FORMAT: Final = "hookwarden-proof/1"
CONSISTENCY: Final = "hookwarden-consistency/1"
TLOG_PROOF: Final = "c2sp.org/tlog-proof@v1"


def entry_proof(idx: int, leaf: bytes, note: str, checkpoint: Checkpoint, tiles: Tiles) -> JsonObject:
    """That `leaf` is entry `idx` of the log in the state that `note`, which holds `checkpoint`, was signed for.

    Raises TreeError where the checkpoint does not cover the entry.
    """
    proof = inclusion_proof(idx, checkpoint.size, tiles)
    return {
        "format": FORMAT,
        "idx": idx,
        "leaf": encoded(leaf),
        "size": checkpoint.size,
        "checkpoint": note,
        "proof": [encoded(value) for value in proof],
    }


def as_tlog_proof(document: JsonObject) -> str:
    """A proof of an entry as C2SP tlog-proof."""
    proof = document["proof"]
    assert isinstance(proof, list)
    head = (TLOG_PROOF, f"extra {document['leaf']}", f"index {document['idx']}", *map(str, proof))
    return "\n".join(head) + f"\n\n{document['checkpoint']}"


def growth_proof(old: int, new: int, notes: dict[int, str], tiles: Tiles) -> JsonObject:
    """That the first `old` of `new` entries were the whole record once; with the notes that were signed of both, as far
    as there are any. Raises TreeError.
    """
    return {
        "format": CONSISTENCY,
        "from": _state(old, notes, tiles),
        "to": _state(new, notes, tiles),
        "proof": [encoded(value) for value in consistency_proof(old, new, tiles)],
    }


def _state(size: int, notes: dict[int, str], tiles: Tiles) -> JsonObject:
    return {"size": size, "root": encoded(tree_root(size, tiles)), "checkpoint": notes.get(size)}


def encoded(value: bytes) -> str:
    """Base64."""
    return base64.b64encode(value).decode("ascii")
