"""Checkpoints and proofs in the eyes of others: pymerkle, sigstore-python, and Go's own transparency log code."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from receiver.audit.note import open_checkpoint
from receiver.audit.prove import growth_proof
from receiver.audit.tree import grow, inclusion_proof, leaf_hash, tree_root
from receiver.proofs import covering, entry_document
from receiver.store.sqlite.store import SqliteStore
from tests.support.tampering import filled

GO_PATH = Path("/usr/share/gocode")  # where Debian's golang-golang-x-mod-dev puts it
GO_PROGRAM = Path(__file__).parent / "peer" / "main.go"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """A log of more than 256 entries, so that proofs cross tiles."""
    opened = filled(tmp_path_factory.mktemp("log"), 80)
    opened.submit(lambda tx: tx.ask_checkpoint()).result(10)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def proofs(store: SqliteStore) -> list[dict[str, Any]]:
    return [entry_document(store, idx) for idx in (0, 1, 127, 255, 256, 300, 320)]


def tiles_of(leaves: list[bytes]) -> Any:
    tiles = dict(grow(0, [leaf_hash(leaf) for leaf in leaves], {}))
    return lambda level, number: tiles.get((level, number), b"")


def test_pymerkle_has_the_same_roots_and_proofs() -> None:
    pymerkle = pytest.importorskip("pymerkle")
    tree, leaves = pymerkle.InmemoryTree(algorithm="sha256"), []
    for number in range(600):
        leaves.append(b"leaf %d" % number)
        tree.append_entry(leaves[-1])
        size = number + 1
        if size in (1, 2, 3, 5, 100, 255, 256, 257, 300, 511, 512, 513, 600):
            tiles = tiles_of(leaves)
            assert tree.get_root(size) == tree_root(size, tiles)
            for index in {0, size // 3, size // 2, size - 1}:
                path = tree.prove_inclusion(index + 1, size).serialize()["path"]
                ours = [leaf_hash(leaves[index]), *inclusion_proof(index, size, tiles)]
                assert path == [value.hex() for value in ours]


def test_pymerkle_has_the_root_that_was_signed(store: SqliteStore) -> None:
    pymerkle = pytest.importorskip("pymerkle")
    _, checkpoint = covering(store, 1)
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    with store.read() as reader:
        for idx in range(checkpoint.size):
            tree.append_entry(reader.leaf(idx))
    assert tree.get_root() == checkpoint.root


class _Keyring:
    """What sigstore asks of its keyring, with the log's key in it."""

    def __init__(self, key: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(key)

    def verify(self, *, key_id: Any, signature: bytes, data: bytes) -> None:
        self._key.verify(signature, data)


def sigstore_entry(document: dict[str, Any], store: SqliteStore) -> Any:
    """A proof in the shape that sigstore's verification reads."""
    from types import SimpleNamespace as Bag

    checkpoint = open_checkpoint(document["checkpoint"], store.verifier)
    proof = Bag(
        log_index=document["idx"],
        tree_size=checkpoint.size,
        root_hash=checkpoint.root,
        hashes=[base64.b64decode(value) for value in document["proof"]],
        checkpoint=Bag(envelope=document["checkpoint"]),
    )
    body = base64.b64decode(document["leaf"])
    log_id = Bag(key_id=store.verifier.id + bytes(28))
    return Bag(_inner=Bag(inclusion_proof=proof, canonicalized_body=body, log_id=log_id))


def test_sigstore_accepts_checkpoints_and_proofs(store: SqliteStore, proofs: list[dict[str, Any]]) -> None:
    checkpoints = pytest.importorskip("sigstore._internal.rekor.checkpoint")
    merkle = pytest.importorskip("sigstore._internal.merkle")
    errors = pytest.importorskip("sigstore.errors")
    keyring = _Keyring(store.verifier.key)
    for document in proofs:
        entry = sigstore_entry(document, store)
        merkle.verify_merkle_inclusion(entry)
        checkpoints.verify_checkpoint(keyring, entry)
        entry._inner.canonicalized_body += b" "
        with pytest.raises(errors.VerificationError):
            merkle.verify_merkle_inclusion(entry)
        entry._inner.inclusion_proof.root_hash = hashlib.sha256(b"other").digest()
        with pytest.raises(errors.VerificationError):
            checkpoints.verify_checkpoint(keyring, entry)


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built."""
    compiler = shutil.which("go")
    if compiler is None:
        pytest.skip("Go is not installed (Debian: golang-go)")
    if not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("golang.org/x/mod is not installed (Debian: golang-golang-x-mod-dev)")
    folder = tmp_path_factory.mktemp("go")
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": str(GO_PATH),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "GOPROXY": "off",
    }
    built = folder / "peer"
    done = subprocess.run(
        [compiler, "build", "-o", str(built), str(GO_PROGRAM)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return built


def answers(go: Path, **given: Any) -> list[str]:
    done = subprocess.run([str(go)], input=json.dumps(given), capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_go_accepts_checkpoints_and_proofs(go: Path, store: SqliteStore, proofs: list[dict[str, Any]]) -> None:
    note, checkpoint = covering(store, 1)
    sizes = (1, 2, 100, 256, 257, 300, checkpoint.size)
    with store.read() as reader:
        growth = [growth_proof(size, checkpoint.size, {checkpoint.size: note}, reader.tile) for size in sizes]
    said = answers(go, vkey=str(store.verifier), entries=proofs, growth=growth)
    assert said == ["accepted"] * (len(proofs) + len(growth))


def test_go_refuses_what_was_changed(go: Path, store: SqliteStore, proofs: list[dict[str, Any]]) -> None:
    """So that accepting means something."""
    changed = [
        {**proofs[3], "idx": 254},
        {**proofs[3], "leaf": proofs[2]["leaf"]},
        {**proofs[3], "proof": proofs[3]["proof"][:-1]},
        {**proofs[3], "checkpoint": proofs[3]["checkpoint"].replace("\n3", "\n4", 1)},
    ]
    said = answers(go, vkey=str(store.verifier), entries=changed, growth=[])
    assert all(line.startswith("refused") for line in said), said
    assert len(said) == len(changed)
