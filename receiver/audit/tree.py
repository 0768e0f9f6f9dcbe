"""The Merkle tree over the entries of the record: hashes, tiles, roots and proofs. Pure; where tiles lie is others'
business.

The tree is that of RFC 6962 section 2.1 (the same as RFC 9162's): a leaf hashes as SHA-256(0x00 || leaf), a node as
SHA-256(0x01 || left || right). It is kept as C2SP tlog-tiles (https://c2sp.org/tlog-tiles): tile (level, n) holds up to
256 hashes, the n-th group of roots of full subtrees of 256^level leaves. So every hash of a full subtree can be worked
out from one tile, and a tile that is full never changes again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Final, TypeAlias

HASH: Final = 32  # bytes
WIDTH: Final = 256  # hashes in a full tile
HEIGHT: Final = 8  # levels of the tree that one tile spans
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
_REMEMBERED: Final = 1024  # roots of pieces of tiles, each with its piece: 4 MB at most

Place: TypeAlias = tuple[int, int]  # of a tile: level, number
Tiles: TypeAlias = Callable[[int, int], bytes]
"""The hashes of the tile (level, number), one after the other; fewer than 256 for the last of a level."""


class TreeError(ValueError):
    """What was asked of a tree cannot be: an index outside it, a tile that is cut short."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes (or over roots of equal full subtrees)."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:  # a lone last one rises as it is: what RFC 6962's split at a power of two comes to
        paired = [node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
        row = [*paired, row[-1]] if len(row) % 2 else paired
    return row[0]


def split(tile: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [tile[at : at + HASH] for at in range(0, len(tile), HASH)]


def grow(size: int, hashes: Sequence[bytes], last: Mapping[int, bytes]) -> Iterator[tuple[Place, bytes]]:
    """The tiles that change when leaves with these hashes are appended to a tree of `size`. `last` holds, by level, the
    last tile where it is not full (see `unfinished`).
    """
    level, first, added = 0, size, list(hashes)
    while added:
        number, tile = first // WIDTH, last.get(level, b"")
        if len(tile) != first % WIDTH * HASH:
            raise TreeError(f"the last tile of level {level} holds {len(tile)} bytes, not {first % WIDTH * HASH}")
        roots: list[bytes] = []
        pieces = split(tile) + added
        for at in range(0, len(pieces), WIDTH):
            group = pieces[at : at + WIDTH]
            yield (level, number + at // WIDTH), b"".join(group)
            if len(group) == WIDTH:
                roots.append(root_of(group))
        level, first, added = level + 1, number, roots


def unfinished(size: int) -> Iterator[Place]:
    """The tiles of a tree of this size that are not full, from the lowest level up."""
    level = 0
    while size:
        if size % WIDTH:
            yield level, size // WIDTH
        level, size = level + 1, size // WIDTH


def range_hash(start: int, end: int, tiles: Tiles) -> bytes:
    """The root over the leaves from `start` to before `end`; `start` lies where a subtree of that size would begin."""
    width = end - start
    if width == _largest_power(width):
        return _full(start, width, tiles)
    middle = start + _largest_power(width - 1)
    return node_hash(_full(start, middle - start, tiles), range_hash(middle, end, tiles))


def tree_root(size: int, tiles: Tiles) -> bytes:
    """The root of the tree of the first `size` leaves."""
    return range_hash(0, size, tiles) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, tiles: Tiles) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of the tree of `size` leaves (RFC 6962 section 2.1.1)."""
    if not 0 <= index < size:
        raise TreeError(f"no entry {index} in a tree of {size}")
    tiles, proof = cache(tiles), list[bytes]()
    start, end = 0, size
    while end - start > 1:
        middle = start + _largest_power(end - start - 1)
        if index < middle:
            proof.append(range_hash(middle, end, tiles))
            end = middle
        else:
            proof.append(range_hash(start, middle, tiles))
            start = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, tiles: Tiles) -> list[bytes]:
    """The hashes that show the tree of `old` leaves to be the beginning of that of `new` (RFC 6962 section 2.1.2)."""
    if not 0 < old <= new:
        raise TreeError(f"no tree of {old} entries lies within one of {new}")
    proof: list[bytes] = []
    start, end, whole = 0, new, True  # `whole`: the subtree at hand begins where the old tree does
    while old != end:
        middle = start + _largest_power(end - start - 1)
        if old <= middle:
            proof.append(range_hash(middle, end, tiles))
            end = middle
        else:
            proof.append(range_hash(start, middle, tiles))
            start, whole = middle, False
    if not whole:
        proof.append(range_hash(start, end, tiles))
    return proof[::-1]


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Does the proof lead from this leaf hash, as leaf `index`, to this root? (RFC 9162 section 2.1.3.2)"""
    if not 0 <= index < size or not _are_hashes([leaf, root, *proof]):
        return False
    node, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node % 2 or node == last:
            current = node_hash(sibling, current)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and current == root


def is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Does the proof show the tree of `old` leaves to be the beginning of that of `new`? (RFC 9162 section 2.1.4.2)"""
    if not 0 < old <= new or not _are_hashes([old_root, new_root, *proof]):
        return False
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old == _largest_power(old) else list(proof)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node % 2 or node == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _are_hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH for value in values)


def _largest_power(number: int) -> int:
    """The largest power of two that is not above the number."""
    return 1 << (number.bit_length() - 1)


def _full(start: int, width: int, tiles: Tiles) -> bytes:
    """The root of a full subtree, which lies within one tile."""
    level = (width.bit_length() - 1) // HEIGHT
    unit = WIDTH**level
    first, count = start // unit, width // unit
    tile = tiles(level, first // WIDTH)
    at = first % WIDTH * HASH
    piece = tile[at : at + count * HASH]
    if len(piece) != count * HASH:
        raise TreeError(f"tile {first // WIDTH} of level {level} is cut short")
    return _root_of(piece)


@lru_cache(_REMEMBERED)
def _root_of(piece: bytes) -> bytes:
    """Proofs of one tree share most of what is above the lowest tiles, and its right edge."""
    return root_of(split(piece))
