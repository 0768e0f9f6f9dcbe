"""The log over HTTP: proofs, checkpoint and tiles, from which a stranger to our code rebuilds the tree."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator

import httpx
import pytest

from receiver.audit.note import open_checkpoint
from receiver.audit.offline import check
from receiver.web.proofs import tile_path
from tests.support.receiver import Receiver, running, session_event


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with running(tmp_path_factory.mktemp("receiver")) as running_one:
        for _ in range(150):
            assert running_one.send(session_event(str(uuid.uuid4()))).status_code == 200
        yield running_one


def test_a_proof_holds_and_is_signed_at_once(receiver: Receiver) -> None:
    receiver.send(session_event("newest"))
    with receiver.system.store.read() as reader:
        last = reader.tree_size() - 1
    answer = receiver.api(f"/api/audit/{last}/proof", "reader")
    assert answer.status_code == 200
    assert f"entry {last} is in the log" in check([answer.text], receiver.system.store.verifier)


def test_who_follows_the_log_works_out_the_signed_root(receiver: Receiver) -> None:
    note = receiver.api("/log/checkpoint", "reader")
    assert note.headers["content-type"].startswith("text/plain")
    checkpoint = open_checkpoint(note.text, receiver.system.store.verifier)
    hashes: list[bytes] = []
    for number in range(-(-checkpoint.size // 256)):
        width = min(256, checkpoint.size - number * 256)
        path = tile_path(number) + (f".p/{width}" if width < 256 else "")
        tile, bundle = receiver.api(f"/log/tile/0/{path}"), receiver.api(f"/log/tile/entries/{path}")
        assert (tile.status_code, bundle.status_code) == (200, 200)
        assert "immutable" in tile.headers["cache-control"]
        assert len(tile.content) == 32 * width
        found, rest = [], bundle.content
        while rest:
            length = int.from_bytes(rest[:2], "big")
            found.append(hashlib.sha256(b"\x00" + rest[2 : 2 + length]).digest())
            rest = rest[2 + length :]
        assert b"".join(found) == tile.content
        hashes += found
    assert len(hashes) == checkpoint.size > 256
    assert rooted(hashes) == checkpoint.root


def rooted(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as it is written there."""
    if len(hashes) == 1:
        return hashes[0]
    middle = 1 << ((len(hashes) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + rooted(hashes[:middle]) + rooted(hashes[middle:])).digest()


@pytest.mark.parametrize(
    "path",
    [
        "/api/audit/99999999/proof",
        "/api/audit/9999999999999999999999/proof",
        f"/api/audit/{'9' * 5000}/proof",  # longer than Python reads
        "/api/audit/٣/proof",
        "/api/audit/-1/proof",
        "/api/audit/x/proof",
        "/log/tile/0/999",
        "/log/tile/0/001",  # not full yet
        "/log/tile/0/000.p/256",
        "/log/tile/0/000.p/0",
        "/log/tile/0/0",
        "/log/tile/0/x000/000",
        "/log/tile/64/000",
        "/log/tile/00/000",
        "/log/tile/-1/000",
        "/log/tile/0/x999/x999/x999/x999/x999/x999/999",
        "/log/tile/0/x999/x999/x999/x999/x999/999",
        "/log/tile/entries/900",
        "/log/tile/entries/x999/x999/x999/x999/x999/999",
        "/log/tile/entries/000/../../checkpoint",
        "/log/tile/data/000",
    ],
)
def test_what_is_not_there_is_404(receiver: Receiver, path: str) -> None:
    answer = receiver.api(path)
    assert answer.status_code == 404, answer.text
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "path",
    [
        "/log/checkpoint",
        "/log/tile/0/000",
        "/log/tile/entries/000",
        "/api/audit/0/proof",
        f"/api/audit/{'9' * 5000}/proof",
    ],
)
def test_the_log_is_not_open_to_the_world(receiver: Receiver, path: str) -> None:
    assert httpx.get(receiver.url + path).status_code == 401


def test_paths_of_tiles_are_those_of_the_specification() -> None:
    assert tile_path(1234067) == "x001/x234/067"
    assert tile_path(0) == "000"
