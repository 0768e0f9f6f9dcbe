"""The tree of RFC 6962: roots, tiles and proofs, held to the definition, and to what forgers try."""

from __future__ import annotations

import hashlib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.audit.tree import (
    EMPTY_ROOT,
    HASH,
    WIDTH,
    TreeError,
    consistency_proof,
    grow,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    root_of,
    tree_root,
    unfinished,
)

Hashes = list[bytes]


class Log:
    """A tree that grows in batches, kept as tiles."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.hashes: Hashes = []

    def append(self, count: int) -> None:
        size = len(self.hashes)
        added = [leaf_hash(b"leaf %d" % number) for number in range(size, size + count)]
        last = {level: self.tiles[level, number] for level, number in unfinished(size) if (level, number) in self.tiles}
        self.tiles |= dict(grow(size, added, last))
        self.hashes += added

    def get(self, level: int, number: int) -> bytes:
        return self.tiles[level, number]

    def root(self, size: int) -> bytes:
        return tree_root(size, self.get)


def by_definition(hashes: Hashes) -> bytes:
    """MTH of RFC 6962 section 2.1, as it stands there."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(by_definition(hashes[:split]), by_definition(hashes[split:]))


@pytest.fixture(scope="module")
def log() -> Log:
    """70,000 leaves and some, in batches of many sizes: three levels of tiles."""
    made, random = Log(), Random(6962)
    while len(made.hashes) < WIDTH * WIDTH + 5_000:
        made.append(random.choice([1, 2, 63, 64, 255, 256, 257, 512, 1_000, 5_000]))
    return made


def test_the_hashes_are_those_of_the_rfc() -> None:
    """The first roots of the RFC 6962 test tree of Certificate Transparency."""
    leaves = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243")]
    roots = [root_of([leaf_hash(leaf) for leaf in leaves[:size]]).hex() for size in range(7)]
    assert roots == [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=700), min_size=1, max_size=12))
def test_batches_of_any_size_give_the_same_tree(batches: list[int]) -> None:
    log = Log()
    for count in batches:
        log.append(count)
        size = len(log.hashes)
        assert log.root(size) == by_definition(log.hashes) == root_of(log.hashes)
        levels = range(1 + max(level for level, _ in log.tiles))
        assert {(level, (size - 1) // WIDTH ** (level + 1)) for level in levels} <= log.tiles.keys()
        for level, number in unfinished(size):
            assert len(log.tiles.get((level, number), b"")) == size // WIDTH**level % WIDTH * HASH


def test_tiles_say_what_c2sp_says(log: Log) -> None:
    """A hash of level 1 is the root of a full tile of level 0."""
    for number in (0, 17, 255):
        assert log.tiles[1, 0][number * HASH : (number + 1) * HASH] == by_definition(
            log.hashes[number * WIDTH : (number + 1) * WIDTH]
        )
    assert log.tiles[2, 0][:HASH] == by_definition(log.hashes[: WIDTH * WIDTH])


def sizes_around(log: Log, random: Random) -> int:
    """A size, often at an edge of a tile or a subtree."""
    edges = [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, len(log.hashes)]
    return random.choice(edges) if random.random() < 0.5 else random.randint(1, len(log.hashes))


@pytest.mark.parametrize("seed", range(150))
def test_every_entry_can_be_proved_in_every_tree(log: Log, seed: int) -> None:
    random = Random(seed)
    size = sizes_around(log, random)
    index = random.choice([0, size - 1, random.randrange(size)])
    proof, root = inclusion_proof(index, size, log.get), log.root(size)
    assert is_included(log.hashes[index], index, size, proof, root)
    assert not is_included(log.hashes[index], index, size, proof, node_hash(root, root))
    for wrong in forged(proof, random):
        assert not is_included(log.hashes[index], index, size, wrong, root)
    for place in {index - 1, index + 1, size, -1, 0} - {index}:
        assert not is_included(log.hashes[index], place, size, proof, root)
    assert not is_included(leaf_hash(b"another"), index, size, proof, root)


@pytest.mark.parametrize("seed", range(150))
def test_every_tree_is_the_beginning_of_every_later_one(log: Log, seed: int) -> None:
    random = Random(seed)
    old, new = sorted((sizes_around(log, random), sizes_around(log, random)))
    before, after = log.root(old), log.root(new)
    proof = consistency_proof(old, new, log.get)
    assert is_consistent(old, new, before, after, proof)
    other = leaf_hash(b"another root")
    assert not is_consistent(old, new, other, after, proof)
    assert not is_consistent(old, new, before, other, proof)
    for wrong in forged(proof, random):
        assert not is_consistent(old, new, before, after, wrong)
    if old < new:
        assert not is_consistent(new, old, after, before, proof)
        assert not is_consistent(old, new, after, after, proof)


def forged(proof: Hashes, random: Random) -> list[Hashes]:
    """What a forger would try: one hash more, less, changed, cut, swapped."""
    tries = [[*proof, leaf_hash(b"x")], [leaf_hash(b"x"), *proof]]
    if proof:
        at = random.randrange(len(proof))
        bit = bytes([proof[at][0] ^ 1]) + proof[at][1:]
        tries += [proof[:at] + proof[at + 1 :], [*proof[:at], bit, *proof[at + 1 :]]]
        tries += [[*proof[:at], proof[at][:-1], *proof[at + 1 :]], [*proof[:at], b"", *proof[at + 1 :]]]
        tries += [[*proof[:at], proof[at], *proof[at:]]]
    if len(proof) > 1 and proof[0] != proof[-1]:
        tries.append([proof[-1], *proof[1:-1], proof[0]])
    return tries


def test_small_trees_exhaustively() -> None:
    """Every pair up to 40 leaves: what is proved is true, and nothing else can be proved with the same proof."""
    log = Log()
    log.append(40)
    roots = [log.root(size) for size in range(41)]
    for new in range(1, 41):
        for index in range(new):
            proof = inclusion_proof(index, new, log.get)
            fits = [other for other in range(40) if is_included(log.hashes[other], index, new, proof, roots[new])]
            assert fits == [index]
        for old in range(1, new + 1):
            proof = consistency_proof(old, new, log.get)
            fits = [size for size in range(1, 41) if is_consistent(size, new, roots[size], roots[new], proof)]
            assert old in fits
            assert all(is_consistent(size, new, roots[old], roots[new], proof) is (size == old) for size in fits)


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0)])
def test_what_is_not_in_the_tree_has_no_proof(log: Log, index: int, size: int) -> None:
    with pytest.raises(TreeError):
        inclusion_proof(index, size, log.get)


@pytest.mark.parametrize(("old", "new"), [(0, 5), (6, 5), (-1, 5)])
def test_what_is_not_an_earlier_tree_has_no_proof(log: Log, old: int, new: int) -> None:
    with pytest.raises(TreeError):
        consistency_proof(old, new, log.get)


def test_a_tile_that_is_cut_short_is_an_error_and_not_another_root(log: Log) -> None:
    with pytest.raises(TreeError, match="cut short"):
        tree_root(300, lambda level, number: log.get(level, number)[: 20 * HASH])
    with pytest.raises(TreeError, match="last tile"):
        list(grow(5, [leaf_hash(b"x")], {0: b"\0" * HASH * 4}))


def test_an_empty_tree_has_the_root_of_nothing() -> None:
    assert tree_root(0, Log().get) == EMPTY_ROOT == root_of([])
    assert list(unfinished(0)) == []
