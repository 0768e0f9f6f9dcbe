"""Tiny pictures made in code: stand-ins for selfies that are valid files and show nobody.

Each label gives its own bytes, the same ones every time, so that a face can be recognised by the hash of its content.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from hashlib import sha256

MAX_IMAGE_BYTES = 5 * 1024 * 1024  # Didit's limit for standalone images
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/tiff": "tiff"}

_SIDE = 24
_BLOCKS = 9  # the JPEG is 3 x 3 flat blocks of 8 x 8 pixels


def fingerprint(content: bytes) -> str:
    """What the sandbox recognises a face by: SHA-256 of the file, in hex."""
    return sha256(content).hexdigest()


def image_type(content: bytes) -> str | None:
    """The media type by content, or None where it is no format that the vendor takes."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    if content.startswith((b"II*\x00", b"MM\x00*")):
        return "image/tiff"
    return None


def selfie_png(label: str) -> bytes:
    """A 24 x 24 PNG of a drawn face in colours of its own."""
    rows = b"".join(b"\x00" + bytes(_colour(x, y) for x in range(_SIDE)) for y in range(_SIDE))
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 3, 0, 0, 0)
    palette = sha256(label.encode()).digest()[:12]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _colour(x: int, y: int) -> int:
    """Palette index of one pixel: 0 background, 1 skin, 2 hair, 3 eyes and mouth."""
    if (x - 12) ** 2 + (y - 12) ** 2 > 81:
        return 0
    if y < 8:
        return 2
    eyes = y in (11, 12) and x in (8, 9, 15, 16)
    mouth = y == 17 and 9 <= x <= 15
    return 3 if eyes or mouth else 1


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def selfie_jpeg(label: str) -> bytes:
    """A 24 x 24 grey baseline JPEG of nine flat blocks (ITU T.81), with the label's hash in a comment."""
    digest = sha256(label.encode()).digest()
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"),
            _segment(0xFE, digest.hex().encode()),
            _segment(0xDB, b"\x00" + b"\x08" * 64),
            _segment(0xC0, struct.pack(">BHHB", 8, _SIDE, _SIDE, 1) + b"\x01\x11\x00"),
            _segment(0xC4, b"\x00" + bytes([0, 0, 0, 9] + [0] * 12) + bytes(range(9))),
            _segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\x00"),
            _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00"),
            _scan(digest[:_BLOCKS]),
            b"\xff\xd9",
        )
    )


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _scan(greys: Iterable[int]) -> bytes:
    """Entropy-coded data: per block the difference to the last one's grey, then "end of block"."""
    bits, previous = "", 128
    for grey in greys:
        difference, previous = grey - previous, grey
        size = abs(difference).bit_length()
        value = difference if difference > 0 else difference + (1 << size) - 1
        bits += f"{size:04b}" + (f"{value:0{size}b}" if size else "") + "0"
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
