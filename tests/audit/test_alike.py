"""Verification gathers leaves that are alike: the smallest difference of one among many is told, and nothing else."""

# ruff: noqa: S608  # statements of a forger, made of constants

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.audit.note import Verifier
from receiver.audit.projection import Expected, decoded, is_shortened, rules_of, stored
from tests.support.tampering import edit, filled, query, rebuild_tiles, verified

DAY, HOUR = 86_400_000, 3_600_000


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Verifier]:
    """Four hundred entries, most of which are alike."""
    folder = tmp_path_factory.mktemp("alike") / "var"
    store = filled(folder, 100, sign_every=3600)
    store.close()
    return folder, store.verifier


def told(folder: Path, pristine: tuple[Path, Verifier]) -> list[str]:
    return sorted(f"{finding.kind}: {finding}" for finding in verified(folder, pristine[1]).findings)


def entry(folder: Path, kind: str, session: str) -> int:
    """The first entry of a kind about a session."""
    sql = "SELECT min(idx) FROM entry JOIN event USING (event_id) WHERE kind = ? AND session_id = ?"
    return int(query(folder, sql, kind, session)[0][0])


SMALL = {  # statements about the session s-50, among a hundred alike, and what is told of its entry of this kind
    "tag gone": (
        "decision",
        "DELETE FROM entry_tag WHERE tag = 'ALWAYS' AND idx = {idx}",
        "finder: entry {idx}: is not found by tag 'ALWAYS', which its leaf has",
    ),
    "tag altered": (
        "event",
        "UPDATE entry_tag SET tag = 'TAG_1' WHERE tag = 'TAG_0' AND idx = {idx}",
        "finder: entry {idx}: is found by tag 'TAG_1', which its leaf does not have",
        "finder: entry {idx}: is not found by tag 'TAG_0', which its leaf has",
    ),
    "rule put in": (
        "event",
        "INSERT INTO entry_rule VALUES ('ring', {idx})",
        "finder: entry {idx}: is found by rule 'ring', which its leaf does not have",
    ),
    "session gone": (
        "action",
        "DELETE FROM session_ref WHERE idx = {idx}",
        "finder: entry {idx}: is not found by its event's session",
    ),
    "session moved": (
        "action",
        "UPDATE session_ref SET session_id = 's-51' WHERE idx = {idx}",
        "finder: entry {idx}: is found by a session that is not that of its event",
        "finder: entry {idx}: is not found by its event's session",
    ),
    "session twice": (
        "event",
        "INSERT INTO session_ref VALUES ('s-51', {idx})",
        "finder: entry {idx}: is found by a session that is not that of its event",
    ),
    "session beyond the end": (
        "event",
        "INSERT INTO session_ref VALUES ('s-50', 5000)",
        "finder: entry 5000: is found by a session that is not that of its event",
    ),
    "outcome": (
        "decision",
        "UPDATE entry SET outcome = 'echo' WHERE idx = {idx}",
        "column: entry {idx}: outcome was edited: the leaf says 'decided'",
    ),
    "body, one bit": (
        "event",
        "UPDATE payload SET body = CAST(substr(body, 1, length(body) - 1) || x'00' AS BLOB) WHERE n ="
        " (SELECT n FROM event WHERE session_id = 's-50')",
        "blob: entry {idx}: its sealed body is not the one whose hash the leaf holds",
    ),
    "biometric gone": (
        "event",
        "UPDATE payload SET biometric = NULL WHERE n = (SELECT n FROM event WHERE session_id = 's-50')",
        "blob: entry {idx}: blob biometric is missing, and no entry says that it was erased or pruned",
    ),
    "one tag of the event": (
        "event",
        "UPDATE event SET tags = '[\"TAG_1\",\"ALWAYS\"]' WHERE session_id = 's-50'",
        "row: entry {idx}: the event's tags was edited to '[\"TAG_1\",\"ALWAYS\"]': the leaf says ['TAG_0', 'ALWAYS']",
    ),
    "fired in shadow": (
        "decision",
        "UPDATE decision SET rules_shadow = '[\"attack\"]' WHERE event_n ="
        " (SELECT n FROM event WHERE session_id = 's-50')",
        "row: entry {idx}: the decision's rules_shadow was edited to '[\"attack\"]': the leaf says []",
    ),
    "one deed more": (
        "event",
        "INSERT INTO deed SELECT n, 1, 'ana', 'retry', NULL FROM action WHERE event_n ="
        " (SELECT n FROM event WHERE session_id = 's-50') LIMIT 1",
        "row: entry {idx}: its event has 1 deeds of people; entries tell of 0",
    ),
}


@pytest.mark.parametrize("how", SMALL)
def test_one_small_difference_is_told_alone(folder: Path, pristine: tuple[Path, Verifier], how: str) -> None:
    kind, statement, *says = SMALL[how]
    idx = entry(folder, kind, "s-50")
    assert told(folder, pristine) == []
    edit(folder, statement.replace("{idx}", str(idx)))
    assert told(folder, pristine) == [line.replace("{idx}", str(idx)) for line in says]


def test_entries_that_change_their_sessions_are_all_told(folder: Path, pristine: tuple[Path, Verifier]) -> None:
    """As many are found as before: only not the same."""
    one, other = entry(folder, "event", "s-50"), entry(folder, "event", "s-51")
    edit(
        folder,
        f"UPDATE session_ref SET session_id = 's-51' WHERE idx = {one}",
        f"UPDATE session_ref SET session_id = 's-50' WHERE idx = {other}",
    )
    stray, lost = "is found by a session that is not that of its event", "is not found by its event's session"
    assert told(folder, pristine) == sorted(
        f"finder: entry {idx}: {what}" for idx in (one, other) for what in (stray, lost)
    )


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("kind", ["tag", "rule", "status", "kind", "source"])
def test_a_count_that_is_off_by_one_is_told(
    folder: Path, pristine: tuple[Path, Verifier], kind: str, change: int
) -> None:
    row = f"SELECT kind, day, key, outcome FROM rollup WHERE kind = '{kind}' LIMIT 1"
    _, day, key, outcome = query(folder, row)[0]
    edit(folder, f"UPDATE rollup SET n = n + {change} WHERE (kind, day, key, outcome) IN ({row})")
    (said,) = told(folder, pristine)
    assert said.startswith(f"finder: the count of {kind} {key!r} of day {day} (since 1970): says ")
    assert f"entries of outcome {outcome!r}" in said


def test_a_block_that_searches_pass_over_is_told(folder: Path, pristine: tuple[Path, Verifier]) -> None:
    edit(folder, "DELETE FROM word_block WHERE key = 'type' AND value = 'didit.blocklist_add' AND block = 2")
    what = "a search for type 'didit.blocklist_add' passes over them"
    assert told(folder, pristine) == [f"finder: entries 128-191: {what}"]


@pytest.mark.parametrize("member", ["tags", "type", "status", "outcome", "actor", "at"])
def test_a_leaf_that_is_no_more_like_the_others_is_told(
    folder: Path, pristine: tuple[Path, Verifier], member: str
) -> None:
    """Even where the tree was made to fit."""
    idx = entry(folder, "event", "s-50")
    leaf = json.loads(query(folder, "SELECT leaf FROM entry WHERE idx = ?", idx)[0][0])
    value = leaf[member]
    leaf[member] = ["TAG_1", "ALWAYS"] if member == "tags" else value + 1 if member == "at" else value + "x"
    encoded = json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode()
    edit(folder, f"UPDATE entry SET leaf = ? WHERE idx = {idx}", values=(encoded,))
    rebuild_tiles(folder)
    said = [line for line in told(folder, pristine) if not line.startswith("fork")]
    assert said
    assert any(f"entry {idx}:" in line or "entries" in line for line in said)


WORDS = ("a", "b", "long" * 10, "x" * 100, "é", "\ud800")
MEMBERS = {
    "actor": st.sampled_from(("didit", "engine")),
    "source": st.sampled_from(("didit", "kwikid")),
    "event_id": st.sampled_from(("evt_1", "evt_2")),
    "type": st.sampled_from(("x", "y")),
    "outcome": st.sampled_from(("done", "failed", "é")),
    "status": st.sampled_from(("Approved", "Declined")),
    "policy_sha256": st.sampled_from(("aa", "bb")),
    "session": st.sampled_from(("m1", "m2")),
    "attempt": st.integers(1, 2),
    "http_status": st.sampled_from((200, 503)),
    "tags": st.lists(st.sampled_from(WORDS), max_size=3),
    "rule": st.sampled_from(WORDS),
    "rules": st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    "shadow": st.lists(st.sampled_from(WORDS), min_size=1, max_size=2),
    "cut": st.just({"tags": 70}),
    "facts": st.dictionaries(st.sampled_from(("a", "b")), st.sampled_from(WORDS), max_size=2),
}
LEAVES = st.lists(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(("event", "policy")), "at": st.integers(0, 3 * DAY)}, optional=MEMBERS
    ),
    max_size=150,
)
COLUMNS = ("at", "kind", "actor", "event_id", "action_id", "type", "rule", "outcome", "policy_sha256", "source")
PLACED = {"policy": "policy_sha256", "http": "http_status"} | {
    name: name for name in ("kind", "actor", "type", "outcome", "source", "status", "attempt")
}


def one_by_one(leaves: list[dict[str, Any]]) -> dict[str, Any]:
    """The same without groups: leaf by leaf, in the plainest way."""
    words: dict[str, defaultdict[str, list[int]]] = {"tag": defaultdict(list), "rule": defaultdict(list)}
    counts, uncounted = Counter[Any](), Counter[Any]()
    blocks = defaultdict[Any, set[int]](set)
    hours = defaultdict[int, list[int]](list)
    for idx, leaf in enumerate(leaves):
        day, outcome = leaf["at"] // DAY, stored(leaf.get("outcome", ""))
        hours[leaf["at"] // HOUR].append(idx)
        for kind in ("kind", "source", "status"):
            if kind in leaf or kind == "source":
                counts[kind, day, leaf.get(kind, ""), outcome] += 1
        for kind, found in (("tag", leaf.get("tags", ())), ("rule", rules_of(leaf))):
            if found or (kind == "tag" and "tags" in leaf):
                uncounted[kind, day] += is_shortened(leaf, found)
            for word in dict.fromkeys(found):
                words[kind][word].append(idx)
                counts[kind, day, stored(word), outcome] += not is_shortened(leaf, found)
        for key, member in PLACED.items():
            if member in leaf:
                blocks[key, str(leaf[member])].add(idx // 64)
    policies = {(leaf["kind"], leaf["policy_sha256"]) for leaf in leaves if "policy_sha256" in leaf}
    spans = {hour: (min(found), max(found)) for hour, found in hours.items()}
    return {
        "tags": words["tag"],
        "rules": words["rule"],
        "counts": +counts,
        "uncounted": +uncounted,
        "blocks": blocks,
        "hours": spans,
        "policies": policies,
    }


@settings(max_examples=200, deadline=None)
@given(LEAVES)
def test_groups_come_to_what_each_leaf_comes_to(drawn: list[dict[str, Any]]) -> None:
    leaves = [{**leaf, "idx": idx} for idx, leaf in enumerate(drawn)]
    encoded = [json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode() for leaf in leaves]
    said = [{**leaf, "rule": leaf.get("rule") or ",".join(leaf.get("rules", ())) or None} for leaf in leaves]
    rows = [
        (content, idx, *(leaf.get(name) for name in COLUMNS))
        for idx, (content, leaf) in enumerate(zip(encoded, said, strict=True))
    ]
    expected = Expected()
    for at in range(0, len(rows), 50):
        expected.take(rows[at : at + 50])
    expected.sum_up()
    assert expected.faults == [] or any("\ud800" in str(leaf) for leaf in leaves)
    assert [expected.leaves[idx] for idx in range(len(rows))] == [decoded(content) for content in encoded]
    found = {name: getattr(expected, name) for name in one_by_one([])}
    found["counts"] = +found["counts"]
    assert found == one_by_one(leaves)
