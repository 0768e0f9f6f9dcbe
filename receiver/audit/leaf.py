"""The bytes of one entry of the record: what is hashed, proved and kept for good.

A leaf is JSON, written once and never written anew: compact, keys sorted, ASCII, absent rather than null. It names no
person: sealed contents stand in it as the SHA-256 of their ciphertext, the session as a salted hash. Its members:

v int 2 · idx int · at int (Unix ms) · kind · actor · source · event_id · action_id · type (of the event, or the
action's name) · rule, or rules (that fired) and shadow (that fired in shadow) · outcome · status · policy_sha256 ·
tags · attempt int · repeated bool · http_status int · facts {name: text} · body {part: SHA-256 hex of the sealed part}
· biometric true, where the parts of an action are sealed under the biometric key · session (SHA-256 hex of salt and
session id) · person, of an event (`person_mark`) · parent, of an event that is a result (the event whose action's) ·
cut {member: its full length}, where something was too long to stand here whole.

Leaves of v 1 have no `person`, `parent` and `biometric`, their `cut` tells of lists and mappings only, and what was
sealed for their events may have been sealed before biometric parts had a key of their own.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TypedDict

from pydantic_core import PydanticSerializationError, to_json

VERSION = 2
GOAL = 4096  # bytes: what a leaf should stay under
LIMIT = 65_535  # bytes: what C2SP tlog-tiles can carry (a uint16 length)

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False)
# the rest has fixed sizes
LONG = ("actor", "source", "type", "rule", "outcome", "status", "tags", "rules", "shadow", "facts")
STEPS = ((400, 64), (200, 32), (100, 16), (40, 8))  # characters of a text, members of a list: tried until it fits


class Leaf(TypedDict, total=False):
    """The members of a leaf; see the head of this file."""

    v: int
    idx: int
    at: int
    kind: str
    actor: str
    source: str
    event_id: str
    action_id: str
    type: str
    rule: str
    rules: list[str]
    shadow: list[str]
    outcome: str
    status: str
    policy_sha256: str
    tags: list[str]
    attempt: int
    repeated: bool
    http_status: int
    facts: dict[str, str]
    body: dict[str, str]
    biometric: bool
    session: str
    person: str
    parent: str
    cut: dict[str, int]


def encode(leaf: Leaf) -> tuple[bytes, Leaf]:
    """The bytes of a leaf, and the leaf as it stands in them: too long texts and lists are cut, and counted."""
    shortened, encoded = leaf, _bytes(leaf)
    for characters, members in STEPS:
        if len(encoded) <= GOAL:
            break
        shortened = _shorten(leaf, characters, members)
        encoded = _bytes(shortened)
    return encoded, shortened


def _bytes(leaf: Leaf) -> bytes:
    """Pydantic's writer takes a third of json's time, and writes the same for printable ASCII."""
    if "facts" not in leaf:
        with suppress(PydanticSerializationError):
            encoded = to_json(dict(sorted(leaf.items())))
            if encoded.isascii() and b"\x7f" not in encoded:
                return encoded
    return _ENCODER.encode(leaf).encode()


def session_hash(salt: bytes, session_id: str) -> str:
    """How a session stands in a leaf: with the salt one can show that it is this session, without it nobody can."""
    return hashlib.sha256(salt + session_id.encode("utf-8", "surrogatepass")).hexdigest()


def person_mark(event_id: str, ref: bytes) -> str:
    """Whose an event is, as it stands in its leaf: with the person's random ref one can show it, without it nobody
    can. 128 bits of SHA-256, as hex.
    """
    return hashlib.sha256(event_id.encode() + b"\0" + ref).hexdigest()[:32]


def _shorten(leaf: Leaf, characters: int, members: int) -> Leaf:
    shortened: dict[str, object] = dict(leaf)
    cut: dict[str, int] = {}
    for name in LONG:
        value = shortened.get(name)
        if isinstance(value, str):
            shortened[name] = value[:characters]
        elif isinstance(value, list):
            shortened[name] = [item[:characters] for item in value[:members]]
        elif isinstance(value, dict):
            shortened[name] = {key[:characters]: value[key][:characters] for key in sorted(value)[:members]}
        if value is not None and shortened[name] != value:
            cut[name] = len(value)  # type: ignore[arg-type]  # a text, a list or a mapping
    if cut:
        shortened["cut"] = dict(sorted(cut.items()))
    return shortened  # type: ignore[return-value]  # the same members, only shorter
