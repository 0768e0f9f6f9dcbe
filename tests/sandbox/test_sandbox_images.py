"""Pictures made in code, and the signed links they are served at."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from hashlib import sha256

import httpx
import pytest

from handlers.sandbox.images import fingerprint, image_type, selfie_jpeg, selfie_png
from handlers.sandbox.media import Media
from tests.support.didit_sandbox import API_KEY, NOW, Clock, Sandbox, sandbox, selfie


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Sandbox, Clock]]:
    clock = Clock()
    with sandbox(clock=clock) as box:
        yield box, clock


@pytest.fixture
def clock(running: tuple[Sandbox, Clock]) -> Clock:
    running[1].now = NOW
    return running[1]


@pytest.fixture
def box(running: tuple[Sandbox, Clock], clock: Clock) -> Sandbox:
    return running[0].fresh()


def _png_chunks(content: bytes) -> dict[bytes, bytes]:
    chunks, at = {}, 8
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + data) == struct.unpack_from(">I", content, at + 8 + length)[0]
        chunks[kind] = data
        at += length + 12
    return chunks


def test_a_png_selfie_is_a_whole_valid_file() -> None:
    chunks = _png_chunks(selfie_png("somebody"))
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height, depth, colours = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (width, height, depth, colours) == (24, 24, 8, 3)
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) == 24 * 25
    assert set(rows) == {0, 1, 2, 3}


def _jpeg_greys(content: bytes) -> list[int]:
    """Decode the scan by hand: four bits of size, the difference, one bit of "end of block"."""
    scan = content[content.index(b"\xff\xda") + 10 : -2].replace(b"\xff\x00", b"\xff")
    bits = "".join(f"{byte:08b}" for byte in scan)
    greys, grey = [], 128
    for _ in range(9):
        size = int(bits[:4], 2)
        value = int(bits[4 : 4 + size] or "0", 2)
        grey += value if size == 0 or value >> (size - 1) else value - (1 << size) + 1
        greys.append(grey)
        assert bits[4 + size] == "0"
        bits = bits[5 + size :]
    assert set(bits) <= {"1"}
    return greys


@pytest.mark.parametrize("label", ["somebody", "x", "ñ", *map(str, range(50))])
def test_a_jpeg_selfie_decodes_to_the_greys_it_was_made_of(label: str) -> None:
    content = selfie_jpeg(label)
    assert content.startswith(b"\xff\xd8\xff\xe0")
    assert content.endswith(b"\xff\xd9")
    assert _jpeg_greys(content) == list(sha256(label.encode()).digest()[:9])


def test_each_label_gives_its_own_bytes_every_time() -> None:
    assert selfie_png("a") == selfie_png("a")
    assert len({fingerprint(make(label)) for make in (selfie_png, selfie_jpeg) for label in "abcdef"}) == 12
    assert len(selfie_png("a")) < 1000
    assert len(selfie_jpeg("a")) < 1000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (selfie_png("a"), "image/png"),
        (selfie_jpeg("a"), "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"II*\x00rest", "image/tiff"),
        (b"MM\x00*rest", "image/tiff"),
        (b"%PDF-1.7", None),
        (b"GIF89a", None),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"", None),
    ],
)
def test_the_type_is_told_by_content(content: bytes, expected: str | None) -> None:
    assert image_type(content) == expected


def test_only_images_can_be_stored() -> None:
    with pytest.raises(ValueError, match="not an image"):
        Media("key", Clock(), 60).add("1", b"%PDF-1.7")


def _link(box: Sandbox) -> str:
    link: str = box.decision("clean")["liveness_checks"][0]["reference_image"]
    return link


def test_a_link_gives_the_picture_and_counts_the_download(box: Sandbox) -> None:
    answer = box.anonymous.get(_link(box))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == selfie("clean")
    assert box.anonymous.get("/_sandbox/state").json()["downloads"] == {box.world.state.new_id("selfie:clean"): 1}


def test_a_link_expires(box: Sandbox, clock: Clock) -> None:
    link = _link(box)
    clock.now = NOW + 3600
    assert box.anonymous.get(link).status_code == 200
    clock.now = NOW + 3601
    assert box.anonymous.get(link).status_code == 403


def test_every_decision_holds_fresh_links(box: Sandbox, clock: Clock) -> None:
    first = _link(box)
    clock.now += 5
    assert _link(box) != first


@pytest.mark.parametrize(
    "change",
    [
        {"sig": "0" * 64},
        {"sig": ""},
        {"sig": "é"},
        {"expires": str(NOW + 999_999)},
        {"expires": ""},
        {"expires": "soon"},
    ],
)
def test_a_forged_link_is_refused(box: Sandbox, change: dict[str, str]) -> None:
    link = httpx.URL(_link(box)).copy_merge_params(change)
    assert box.anonymous.get(link).status_code == 403
    assert not box.world.media.downloads


def test_a_link_does_not_open_another_picture(box: Sandbox) -> None:
    link = httpx.URL(_link(box))
    other = link.copy_with(path=f"/media/{box.world.state.new_id('selfie:attack')}.png")
    assert box.anonymous.get(other).status_code == 403


def test_a_link_from_before_a_reset_is_refused(box: Sandbox) -> None:
    link = _link(box)
    box.anonymous.post("/_sandbox/reset", json={"seed": 8})
    assert box.anonymous.get(link).status_code == 403


def test_the_api_key_must_not_come_along(box: Sandbox) -> None:
    assert box.anonymous.get(_link(box), headers={"x-api-key": API_KEY}).status_code == 400


def test_links_begin_with_the_public_url_where_one_is_set() -> None:
    with sandbox(public_url="http://media.example.invalid") as box:
        assert _link(box).startswith("http://media.example.invalid/media/")
