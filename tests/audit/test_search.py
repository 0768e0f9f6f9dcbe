"""The search language of the record."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.audit.search import KINDS, VALUES, Between, Created, Is, Search, SearchError, Text, expanded, parse

DAY = 86_400_000
NOV_20 = 1_795_132_800_000  # 2026-11-20T00:00:00Z


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("", ()),
        (" \t ", ()),
        ("tag:A", (Is("tag", "A"),)),
        ("tag:A tag:B", (Is("tag", "A"), Is("tag", "B"))),
        ("-rule:ring", (Is("rule", "ring", True),)),
        ('rule:"two words"', (Is("rule", "two words"),)),
        ('rule:"a \\"quoted\\" \\\\ one"', (Is("rule", 'a "quoted" \\ one'),)),
        ('actor:""', (Is("actor", ""),)),
        ("actor:token:ana", (Is("actor", "token:ana"),)),
        ("rule:a-b.c/d", (Is("rule", "a-b.c/d"),)),
        ("policy:face\nkind:decision", (Is("policy", "face"), Is("kind", "decision"))),
        ("created:2026-11-20", (Created(NOV_20, NOV_20 + DAY),)),
        ("created:2026-11-20..2026-11-21", (Created(NOV_20, NOV_20 + 2 * DAY),)),
        ("created:2026-11-20..", (Created(NOV_20, None),)),
        ("-created:..2026-11-20", (Created(None, NOV_20 + DAY, True),)),
        ("created:2026-11-20T01:00:00Z", (Created(NOV_20 + 3_600_000, NOV_20 + 3_601_000),)),
        ("created:2026-11-20T01:00:00.500Z", (Created(NOV_20 + 3_600_500, NOV_20 + 3_600_501),)),
        ("created:>2026-11-20", (Created(NOV_20 + DAY, None),)),
        ("created:>=2026-11-20", (Created(NOV_20, None),)),
        ("created:<2026-11-20", (Created(None, NOV_20),)),
        ("-created:<=2026-11-20", (Created(None, NOV_20 + DAY, True),)),
        ("idx:7", (Between("idx", 7, 7),)),
        ("idx:>7 idx:<=9", (Between("idx", 8, None), Between("idx", None, 9))),
        ("http:500..599", (Between("http", 500, 599),)),
        ("-attempt:<2 http:..299", (Between("attempt", None, 1, True), Between("http", None, 299))),
        ('"glare"', (Text("glare"),)),
        ('tag:A -"two \\"words\\"" "tag:B"', (Is("tag", "A"), Text('two "words"', True), Text("tag:B"))),
        ("rule:>x", (Is("rule", ">x"),)),
        ("created:2026-11-20T01:00..2026-11-20T02:00+01:00", (Created(NOV_20 + 3_600_000, NOV_20 + 3_601_000),)),
    ],
)
def test_what_a_search_means(query: str, terms: tuple[Any, ...]) -> None:
    assert parse(query) == Search(terms)


@pytest.mark.parametrize("key", VALUES)
def test_every_key_is_known(key: str) -> None:
    value = KINDS[0] if key == "kind" else "x"
    assert parse(f"-{key}:{value}") == Search((Is(key, value, True),))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("tags:A", r"unknown key 'tags' \(did you mean 'tag'\?\); keys: session, subject, tag, rule"),
        ("Outcome:x", "did you mean 'outcome'"),
        ("colour:red", "unknown key 'colour'; keys: session"),
        ("free", "'free' is not a term: write key:value, or text in double quotes; keys: session"),
        ('""', "is no text"),
        ('-" "', "is no text"),
        ("idx:x", "idx:x is not a number; write idx:5, idx:>=5 or idx:5..9"),
        ("idx:-1", "not a number"),
        ("http:", "what follows 'http:'"),
        ("attempt:>1..2", "not a number"),
        ("http:..", "not a number"),
        ("idx:9..5", "ends before it begins"),
        ("created:>2026-11-20..2026-11-21", "names no time"),
        ("@mine", "no search is saved as @mine"),
        ("-@mine", "no search is saved as @mine"),
        ("--@mine", "not a term"),
        ("tag:A free words", "'free' is not a term"),
        ("tag:", "what follows 'tag:' is not a value"),
        ('tag:"open', "put text with spaces or quotes in double quotes"),
        ('-tag:"a"b', "what follows 'tag:' is not a value"),
        ("--tag:a", "what follows 'tag:' is not a value"),
        (":x", "not a term"),
        ("created:", "what follows 'created:'"),
        ('created:""', "names no time"),
        ("created:..", "names no time"),
        ("created:yesterday", "'yesterday' is not a time; write 2026-11-20 or"),
        ("created:2026-13-01", "not a time"),
        ("created:2026-11-20T25:00", "not a time"),
        ("created:2026-11-21..2026-11-20", "ends before it begins"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_would_do(query: str, says: str) -> None:
    with pytest.raises(SearchError, match=says):
        parse(query)


@given(st.text())
def test_any_text_is_a_search_or_a_search_error(text: str) -> None:
    with suppress(SearchError):
        assert isinstance(parse(text), Search)


@given(st.sampled_from([key for key in VALUES if key != "kind"]), st.text())  # kinds are a closed list
def test_any_value_can_be_quoted(key: str, value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse(f'{key}:"{quoted}"') == Search((Is(key, value),))


def test_a_saved_search_stands_for_its_terms() -> None:
    saved = {"attacks": "tag:A -outcome:echo", "nested": "@attacks"}
    assert parse("@attacks kind:event", saved).terms == (
        Is("tag", "A"),
        Is("outcome", "echo", True),
        Is("kind", "event"),
    )
    assert parse("-@attack -@not_echo", {"attack": "tag:A", "not_echo": " -outcome:echo "}).terms == (
        Is("tag", "A", True),
        Is("outcome", "echo"),
    )
    with pytest.raises(SearchError, match=r"`-` goes before one term, and @attacks has 2: write out .*tag:A -outcome"):
        parse("-@attacks", saved)
    with pytest.raises(SearchError, match="did you mean 'attacks'"):
        parse("@atacks", saved)
    with pytest.raises(SearchError, match="cannot stand on another"):
        parse("@nested", saved)


def test_a_saved_search_is_written_out_for_who_has_no_configuration() -> None:
    saved = {"attacks": "tag:A -outcome:echo", "one": " tag:B", "not": "-tag:C "}
    assert expanded("-@one -@not", saved) == "-tag:B tag:C"
    assert parse(expanded("-@one -@not", saved)) == parse("-@one -@not", saved)
    query = 'rule:"@attacks" @attacks "x @attacks y" -kind:event'
    assert expanded(query, saved) == 'rule:"@attacks" tag:A -outcome:echo "x @attacks y" -kind:event'
    assert parse(expanded(query, saved)) == parse(query, saved)
