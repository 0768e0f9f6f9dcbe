"""What is taken out of results and reasons, and what stays."""

from __future__ import annotations

import json
import string
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.redact import MAX_DEPTH, public_text, redact, shortened

JPEG_BASE64 = "/9j/4AAQSkZJRgABAQAAAQ" + "ABCdef123+/" * 40
TOKEN = "tok-9f8e7d6c5b4a39281706f5e4"


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("https://cdn.example.invalid/a.jpg?X-Amz-Signature=abc", "https://cdn.example.invalid/…"),
        ("see https://user:pw@cdn.example.invalid/a now", "see https://cdn.example.invalid/… now"),
        ("HTTPS://CDN.example.invalid/a?b", "HTTPS://CDN.example.invalid/…"),
        ("https://cdn.example.invalid?sig='a'b'", "https://cdn.example.invalid/…"),
        ("https://cdn.example.invalid/a#token=1", "https://cdn.example.invalid/…"),
        (f"https://verify.example.invalid/session/{TOKEN}", "https://verify.example.invalid/…"),
        ("https://docs.example.invalid/errors/400", "https://docs.example.invalid/errors/400"),
        ("data:image/jpeg;base64,/9j/4AAQ and more", "[data] and more"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: [redacted] [redacted]"),
        ("sent Bearer abcdefgh12345", "sent Bearer [redacted]"),
        ("x-api-key: K3yK3yK3y", "x-api-key: [redacted]"),
        ("api_key=K3yK3yK3y&a=1", "api_key=[redacted]&a=1"),
        ('{"apiKey": "K3yK3yK3y"}', '{"apiKey": [redacted]"}'),
        ("cdn.example.invalid/a?X-Amz-Signature=abcdef&x=1", "cdn.example.invalid/a?X-Amz-Signature=[redacted]&x=1"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln is a JWT", "[redacted] is a JWT"),
        ("whsec_MTIzNDU2Nzg5MDEyMzQ1Ng== leaked", "[redacted] leaked"),
        (f"image {JPEG_BASE64} end", "image [base64] end"),
        ("half a pair \ud800 here", "half a pair \ufffd here"),
        ("Approved", "Approved"),
        ("3b2f7a0e-4c1d-4f6e-9a8b-2d5c6e7f8a90", "3b2f7a0e-4c1d-4f6e-9a8b-2d5c6e7f8a90"),
    ],
)
def test_a_text_loses_links_keys_and_images(given_text: str, expected: str) -> None:
    assert redact(given_text) == expected


def test_json_is_redacted_in_every_depth_and_by_key() -> None:
    """Texts below lists and objects are redacted; a key that names a secret loses its value whatever it looks like."""
    value: Any = {
        "a": [{"link": "https://h.example.invalid/x?sig=1"}],
        "X-API-Key": "short",
        "token": "t",
        "session_token": None,
        "n": 12345678901234567890,
        "f": 1.5,
        "ok": True,
    }
    assert redact(value) == {
        "a": [{"link": "https://h.example.invalid/…"}],
        "X-API-Key": "[redacted]",
        "token": "[redacted]",
        "session_token": None,
        "n": 12345678901234567890,
        "f": 1.5,
        "ok": True,
    }


def test_every_link_can_be_cut_down() -> None:
    assert redact({"url": "https://h.example.invalid/plain/path"}, every_link=True) == {
        "url": "https://h.example.invalid/…"
    }


def test_nesting_beyond_the_limit_is_cut_off() -> None:
    value: Any = "https://h.example.invalid/x?sig=1"
    for _ in range(5000):
        value = [value]
    cut = redact(value)
    depth = 0
    while isinstance(cut, list):
        cut, depth = cut[0], depth + 1
    assert cut == "[nested too deeply]"
    assert depth == MAX_DEPTH


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("mail a.b+c@example.invalid failed", "mail [email] failed"),
        ("document 12345678 unknown", "document [number] unknown"),
        ("call +34 600 123 456 now", "call +[number] now"),
        ("largest is 5 MB, HTTP 400", "largest is 5 MB, HTTP 400"),
        ("key K3y-of-ours was refused", "key [redacted] was refused"),
        ("two\nlines\t here", "two lines here"),
    ],
)
def test_a_vendors_words_are_made_fit_for_people(said: str, expected: str) -> None:
    assert public_text(said, ["K3y-of-ours"]) == expected


def test_a_vendors_words_are_shortened() -> None:
    assert len(public_text("word " * 1000)) == 300
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcd", 4) == "abcd"


def test_a_secret_that_lies_across_the_cut_leaves_no_half() -> None:
    key = "S3cretS3cretS3cret"
    for pad in range(5980, 6001):
        assert "S3cret" not in public_text("." * pad + key, [key])


def test_hostile_texts_take_no_long_time() -> None:
    """Linear in the text's length: what is quadratic takes minutes here."""
    for unit in ("a.", "https://", "a@", "1 ", "data:a/", "token=", "eyJ", "Bearer ", "abc\n", "whsec_", "://"):
        started = time.perf_counter()
        redact(unit * (300_000 // len(unit)))
        public_text(unit * (300_000 // len(unit)))
        assert time.perf_counter() - started < 5, unit


@given(
    host=st.from_regex(r"[a-z]{1,10}\.example\.invalid", fullmatch=True),
    secret=st.text(alphabet=string.ascii_letters + string.digits + "%+/=-_.~'()*", min_size=12, max_size=60),
    before=st.text(max_size=20),
)
def test_no_query_of_any_link_survives(host: str, secret: str, before: str) -> None:
    """Property: whatever stands before it, a signed link keeps its host at most."""
    said = f"{before} https://{host}/p?sig=!{secret}"
    assert f"!{secret}" not in redact(said)
    assert f"!{secret}" not in json.dumps(redact({"k": [said]}))
