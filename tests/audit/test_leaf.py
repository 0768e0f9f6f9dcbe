"""The bytes of an entry: deterministic, small, and never a failure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.audit.leaf import GOAL, LIMIT, Leaf, encode, person_mark, session_hash

DIGEST = "d" * 64
LEAF: Leaf = {
    "v": 1,
    "idx": 7,
    "at": 1_795_000_000_000,
    "kind": "decision",
    "actor": "engine",
    "event_id": "evt_01",
    "outcome": "decided",
    "rules": ["attack", "ring"],
    "body": {"decision": DIGEST},
}


def test_the_bytes_are_compact_sorted_json() -> None:
    encoded, kept = encode(LEAF)
    assert kept is LEAF
    assert encoded == (
        b'{"actor":"engine","at":1795000000000,"body":{"decision":"' + b"d" * 64 + b'"},"event_id":"evt_01","idx":7,'
        b'"kind":"decision","outcome":"decided","rules":["attack","ring"],"v":1}'
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": "José"},
        {"actor": "\ud800"},
        {"actor": "a\x7fb"},
        {"actor": 'quote " slash \\ \b\f\n\r\t\x01\x1f'},
        {"facts": {"b": "1", "a": "2"}},
        {"rules": ["\U0001f600"]},
        {"at": 10**30},
    ],
    ids=["accent", "surrogate", "delete", "control", "facts", "astral", "large"],
)
def test_the_bytes_are_the_same_by_both_writers(changes: Any) -> None:
    """Whatever is in it, a leaf is what Python's json writes with sorted keys in ASCII."""
    leaf: Any = {**LEAF, **changes}
    expected = json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode("ascii")
    assert encode(leaf)[0] == expected


def test_the_order_of_members_does_not_matter() -> None:
    backwards: Any = dict(reversed(LEAF.items()))
    assert encode(backwards) == encode(LEAF)


def test_long_lists_are_cut_and_counted() -> None:
    leaf: Any = {**LEAF, "tags": [f"TAG_{number}" for number in range(5000)], "facts": {"a": "b" * 100_000}}
    encoded, kept = encode(leaf)
    assert len(encoded) <= GOAL
    assert kept["cut"] == {"facts": 1, "tags": 5000}
    assert kept["tags"][0] == "TAG_0"
    assert kept["facts"]["a"].startswith("bbb")
    assert (kept["event_id"], kept["body"]) == ("evt_01", {"decision": DIGEST})
    assert json.loads(encoded) == kept


def test_a_text_that_was_cut_says_so_and_one_of_that_length_does_not() -> None:
    cut = encode({**LEAF, "actor": "a" * 5000, "rules": ["r" * 5000, "short"]})[1]
    assert (cut["cut"], len(cut["actor"]), len(cut["rules"][0])) == ({"actor": 5000, "rules": 2}, 400, 400)
    whole: Leaf = {**LEAF, "actor": "a" * 400, "rules": ["r" * 40, "s" * 100], "tags": ["t" * 200]}
    assert "cut" not in encode(whole)[1]


def test_the_mark_of_a_person_fits_one_event_and_one_ref() -> None:
    mark = person_mark("evt_1", b"r" * 16)
    assert mark == hashlib.sha256(b"evt_1\0" + b"r" * 16).hexdigest()[:32]
    assert mark != person_mark("evt_2", b"r" * 16) != person_mark("evt_1", b"s" * 16)


def test_a_list_is_kept_as_long_as_it_fits() -> None:
    leaf: Any = {**LEAF, "tags": [f"TAG_{number:03}" for number in range(200)]}
    assert encode(leaf)[1] is leaf


_TEXT = st.text(st.characters(min_codepoint=0x10000, max_codepoint=0x10FFFF), min_size=1000, max_size=1200)


@given(
    text=_TEXT,
    tags=st.integers(0, 400),
    facts=st.integers(0, 100),
)
def test_no_leaf_is_too_long_for_a_tile(text: str, tags: int, facts: int) -> None:
    """The widest characters there are, in everything that can be long."""
    leaf: Any = dict(LEAF)
    leaf |= dict.fromkeys(("actor", "source", "type", "rule", "outcome", "status"), text)
    leaf |= {
        "tags": [text] * tags,
        "rules": [text] * tags,
        "facts": {f"{number}{text}": text for number in range(facts)},
    }
    encoded, kept = encode(leaf)
    assert len(encoded) < LIMIT // 2
    assert json.loads(encoded) == kept


def test_a_session_stands_as_the_hash_of_salt_and_name() -> None:
    assert session_hash(b"salt", "ses-1") == hashlib.sha256(b"saltses-1").hexdigest()
    assert len(session_hash(b"salt", "\ud800")) == 64
