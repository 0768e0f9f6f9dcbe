"""Signed notes and checkpoints: read back, and strict: what was changed or could be written in two ways is refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from receiver.audit.note import Checkpoint, NoteError, Signer, Verifier, open_checkpoint, open_note

SIGNER = Signer("log.example/hookwarden", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = Signer("log.example/other", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
CHECKPOINT = Checkpoint("log.example/hookwarden", 70_000, bytes(range(32)))
NOTE = SIGNER.sign(CHECKPOINT.text())


def test_a_checkpoint_comes_back_as_it_was() -> None:
    assert open_checkpoint(NOTE, SIGNER.verifier) == CHECKPOINT
    assert NOTE.splitlines()[:3] == ["log.example/hookwarden", "70000", base64.b64encode(bytes(range(32))).decode()]
    assert Verifier.read(str(SIGNER.verifier)) == SIGNER.verifier


def test_signatures_of_others_are_passed_over() -> None:
    line = OTHER.sign(CHECKPOINT.text()).splitlines()[-1]
    assert open_checkpoint(f"{NOTE}{line}\n", SIGNER.verifier) == CHECKPOINT
    with pytest.raises(NoteError, match="not signed by"):
        open_note(OTHER.sign(CHECKPOINT.text()), SIGNER.verifier)


def test_a_checkpoint_of_another_log_is_refused_though_the_key_signed_it() -> None:
    with pytest.raises(NoteError, match="another log"):
        open_checkpoint(SIGNER.sign(Checkpoint("elsewhere", 1, bytes(32)).text()), SIGNER.verifier)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        NOTE.removesuffix("\n"),
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("\u2014 ", "- "),
        NOTE.replace("\u2014 ", "\u2014  "),
        NOTE.replace("70000", "70000\r"),
        NOTE + "\u2014 x\n",
        NOTE + "\u2014 x AA==\n" * 101,
        NOTE + "x" * 1_000_001,
        NOTE.replace("\u2014 log.example/hookwarden ", "\u2014 log.example/hookwarden  "),
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        open_checkpoint(note, SIGNER.verifier)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n1\n",
        "a\n01\n{root}\n",
        "a\n-1\n{root}\n",
        "a\n1.0\n{root}\n",
        "\n1\n{root}\n",
        "a\n1\nAAAA\n",
        "a\n\u0661\n{root}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError, match="checkpoint"):
        Checkpoint.read(text.replace("{root}", base64.b64encode(bytes(32)).decode()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        "a+00000000+AAAA",
        str(SIGNER.verifier).replace("+", " ", 1),
        str(SIGNER.verifier)[:-2],
        str(SIGNER.verifier).replace("hook", "h00k"),
        "a b+1234abcd+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Verifier.read(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "\u00a0"])
def test_a_key_has_a_name_that_a_note_can_carry(name: str) -> None:
    with pytest.raises(NoteError):
        Signer(name, OTHER.private)


def test_a_text_without_its_line_end_is_not_signed() -> None:
    with pytest.raises(NoteError, match="line end"):
        SIGNER.sign("text")


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_a_changed_bit_anywhere_is_found(place: int, bit: int) -> None:
    encoded = bytearray(NOTE.encode())
    at = place % len(encoded)
    encoded[at] ^= 1 << bit
    try:
        changed = encoded.decode()
    except UnicodeDecodeError:
        return
    with pytest.raises(NoteError):
        open_checkpoint(changed, SIGNER.verifier)


@given(st.text())
def test_no_text_is_more_than_a_note_error(text: str) -> None:
    with pytest.raises(NoteError):
        open_checkpoint(text, SIGNER.verifier)
