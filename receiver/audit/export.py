"""Exports that prove themselves: one JSON object a line, checked by `receiver/audit/offline.py`.

The first line is {format, origin, vkey, checkpoint, size, query, whole}. Then comes each entry, {idx, leaf (base64)},
in order, with its `proof`: the hashes that lead from it to the root of the checkpoint. An export of all entries needs
no proofs, as the root can be worked out from them: `whole` is true. The last line is {end: number of entries}.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol

from receiver.audit.note import Checkpoint, Verifier
from receiver.audit.offline import CheckFailed, Roots
from receiver.audit.prove import encoded
from receiver.audit.tree import inclusion_proof, is_included, leaf_hash
from receiver.contract import JsonObject, JsonValue

FORMAT: Final = "hookwarden-export/1"
PAGE: Final = 500  # entries read in one view
# what of a search may name a person, and so does not stand in the record for good
_PERSONAL: Final = re.compile(r'\b(session|subject):(?:"(?:[^"\\]|\\.)*"|\S+)|(?<!:)"(?:[^"\\]|\\.)*"')


class Source(Protocol):
    """What an export reads, in one view."""

    def leaves(self, query: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        """The next entries behind `after` that fit a search, in order: index, leaf."""
        ...

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile."""
        ...


def proved_lines(
    read: Callable[[], AbstractContextManager[Source]],
    note: str,
    checkpoint: Checkpoint,
    verifier: Verifier,
    query: str = "",
    *,
    first: int = 0,
) -> Iterator[str]:
    """The lines of an export of what fits a search, up to the checkpoint. `first` is the first entry that is kept.

    What would not hold is not handed out: raises CheckFailed before the line, or, where all lines give the root, before
    the last one, without which nothing holds.
    """
    whole = not query.strip() and first == 0
    head: JsonObject = {"format": FORMAT, "origin": verifier.name, "vkey": str(verifier), "checkpoint": note}
    yield _line(head | {"size": checkpoint.size, "query": query, "whole": whole})
    count, after, full, roots = 0, first - 1, True, Roots()
    while full:
        with read() as source:
            page = source.leaves(query, after, PAGE)
            full = len(page) == PAGE and page[-1][0] < checkpoint.size
            for idx, leaf in page:
                if idx < checkpoint.size:
                    entry: JsonObject = {"idx": idx, "leaf": encoded(leaf)}
                    if whole:
                        roots.add(leaf)
                    else:
                        entry["proof"] = _proof(idx, leaf, checkpoint, source)
                    yield _line(entry)
                    count, after = count + 1, idx
    if whole:
        roots.prove(checkpoint)
    yield _line({"end": count})


def _proof(idx: int, leaf: bytes, checkpoint: Checkpoint, source: Source) -> list[JsonValue]:
    proof = inclusion_proof(idx, checkpoint.size, source.tile)
    if not is_included(leaf_hash(leaf), idx, checkpoint.size, proof, checkpoint.root):
        raise CheckFailed(f"entry {idx}: the proof does not lead from this leaf to the signed root")
    return [encoded(value) for value in proof]


def without_names(query: str) -> str:
    """A search as the record may keep it: values that may name a person are left out."""
    return _PERSONAL.sub(lambda found: f"{found[1]}:..." if found[1] else '"..."', query)


def _line(document: JsonObject) -> str:
    return json.dumps(document, separators=(",", ":")) + "\n"
