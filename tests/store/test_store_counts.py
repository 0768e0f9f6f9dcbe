"""Searches over many blocks, and counts: always what reading entry by entry would find."""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from receiver import erasing
from receiver.audit.search import Between, Created, Is, Search, Text, parse
from receiver.contract import JsonObject
from receiver.store.port import Store
from receiver.store.sqlite import rollups, words
from tests.support.store_samples import NOW, claim_all, ending, new_event, planned, put, settle

DAY = 86_400_000
TAGS = ["SCREEN_GLARE", "LIVENESS_FACE_ATTACK", "BLUR", "RARE_ONE"]
ENTRIES = 1500


def _fill(store: Store) -> None:
    """Entries over 24 blocks of 64 and several days, most values common and some rare."""
    chance = random.Random(5)

    def some(tx: Any) -> None:
        for number in range(ENTRIES):
            tags = [tag for tag, share in zip(TAGS, (0.4, 0.2, 0.1, 0.003), strict=True) if chance.random() < share]
            rules = [f"r{n}" for n in range(4) if chance.random() < 0.2]
            leaf: dict[str, Any] = {
                "at": NOW + number * DAY // 300,
                "kind": "event",
                "actor": "didit",
                "source": "didit",
            }
            leaf |= {"outcome": "accepted", "status": chance.choice(["Approved", "Declined"]), "type": "status.updated"}
            if tags:
                leaf["tags"] = tags
            if rules:
                leaf |= {
                    "kind": "decision",
                    "actor": "engine",
                    "rules": rules,
                    "policy_sha256": chance.choice("ab") * 64,
                }
            if chance.random() < 0.01:
                leaf |= {
                    "kind": "policy",
                    "actor": "token:ana",
                    "outcome": "failed",
                    "facts": {"queue": "Manual checks"},
                }
            if chance.random() < 0.1:
                leaf |= {"http_status": chance.choice([200, 500, 503]), "attempt": chance.randrange(1, 4)}
                leaf |= {"action_id": f"act_{number}_0", "event_id": f"evt_{number}"}
            tx._ledger.append(leaf, f"s{number % 40}", tags, rules)

    store.submit(some).result(30)


def _entries(path: Path) -> list[dict[str, Any]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT leaf FROM entry ORDER BY idx").fetchall()
    connection.close()
    return [json.loads(leaf) for (leaf,) in rows]


def _fits(leaf: dict[str, Any], term: Any) -> bool:
    """What a term means, said once more and plainly."""
    if isinstance(term, Created):
        return term.since is None or (leaf["at"] >= term.since and (term.until is None or leaf["at"] < term.until))
    if isinstance(term, Between):
        value = leaf.get({"http": "http_status"}.get(term.key, term.key))
        return value is not None and (term.low or 0) <= value and (term.high is None or value <= term.high)
    if isinstance(term, Text):
        names = ("kind", "actor", "type", "outcome", "source", "status")
        texts = [leaf.get(name, "") for name in names] + leaf.get("tags", []) + leaf.get("rules", [])
        return any(term.value.lower() in text.lower() for text in [*texts, *leaf.get("facts", {}).values()])
    values = {"tag": leaf.get("tags", []), "rule": leaf.get("rules", []), "session": [f"s{leaf['idx'] % 40}"]}
    if term.key == "policy":
        return str(leaf.get("policy_sha256", "")).startswith(term.value)
    if term.key == "action":
        return "action_id" in leaf and leaf.get("type") == term.value
    return term.value in values.get(term.key, [leaf.get(term.key)])


TERMS: list[Any] = [
    *(Is("tag", tag) for tag in TAGS),
    Is("rule", "r1"),
    Is("session", "s7"),
    Is("kind", "decision"),
    Is("kind", "policy"),
    Is("outcome", "failed"),
    Is("actor", "token:ana"),
    Is("status", "Declined"),
    Is("policy", "aaa"),
    Is("source", "nobody"),
    Is("action", "status.updated"),
    Between("http", 500, None),
    Between("attempt", 2, 3),
    Between("idx", 200, 1100),
    Text("glare"),
    Text("manual"),
    Text("r1"),
    Text("E"),
    Text("100%_"),
    Created(NOW + DAY, NOW + 3 * DAY),
]


def _negated(term: Any) -> Any:
    return type(term)(**{name: getattr(term, name) for name in term.__slots__ if name != "negated"}, negated=True)


def test_every_pair_of_terms_finds_what_reading_all_entries_finds(store: Store, data_dir: Path) -> None:
    """Blocks, postings, vocabulary: whatever leads a query, it only narrows."""
    _fill(store)
    leaves = _entries(data_dir / "hookwarden.db")
    fitting = {term: {leaf["idx"] for leaf in leaves if _fits(leaf, term)} for term in TERMS}
    everything = set(range(ENTRIES))
    signed = {**fitting, **{_negated(term): everything - found for term, found in fitting.items()}}
    assert sum(map(bool, fitting.values())) > 15
    for one, other in itertools.combinations(signed, 2):
        wanted = sorted(signed[one] & signed[other])
        search = Search((one, other))
        with store.read() as reader:
            assert [item["idx"] for item in reader.audit(search).items] == wanted[::-1][:50], search
            assert [item["idx"] for item in reader.audit(search, "500", 7, ascending=True).items] == [
                idx for idx in wanted if idx > 500
            ][:7], search
            if isinstance(other, Text):
                assert reader.audit_count(search) == len(wanted), search


@pytest.mark.parametrize(
    "query", ['"glare"', "kind:policy", "http:>=500", "-actor:didit -actor:engine", "tag:BLUR status:Declined"]
)
def test_pages_through_blocks_lose_and_repeat_nothing(store: Store, query: str) -> None:
    _fill(store)
    found: list[Any] = []
    after: str | None = None
    with store.read() as reader:
        whole = [item["idx"] for item in reader.audit(query, limit=500).items]
        while True:
            page = reader.audit(query, after, 3)
            found += [item["idx"] for item in page.items]
            after = page.next
            if after is None or len(found) > 500:
                break
    assert len(whole) > 3
    assert found[:500] == whole


def test_a_person_is_found_by_name_though_no_name_is_stored(store: Store, data_dir: Path) -> None:
    put(store, new_event("s-a", subject="zdenka-of-the-shop"), planned())
    put(store, new_event("s-b", subject="somebody-else"))
    with store.read() as reader:
        assert {item["session_id"] for item in reader.audit("subject:zdenka-of-the-shop").items} == {"s-a"}
        assert reader.audit_count("subject:zdenka-of-the-shop") == 3
        assert reader.audit_count("subject:zdenka-of-the-shop kind:decision") == 1
        assert reader.audit_count("-subject:zdenka-of-the-shop") == 2
        assert reader.audit("subject:nobody").items == []
    store.close()
    for path in data_dir.iterdir():
        assert b"zdenka" not in path.read_bytes(), path


def test_who_is_erased_is_found_no_more_and_what_comes_later_is(store: Store) -> None:
    who = "zdenka-of-the-shop"
    put(store, new_event("s-a", subject=who), planned())
    put(store, new_event("s-b", subject="somebody-else"))
    with store.read() as reader:
        before = [item["idx"] for item in reader.audit().items]
        assert reader.audit_count(f"subject:{who}") == reader.audit_count("session:s-a") == 3
    person = erasing.find(store, erasing.Wanted(who, None))
    assert person.ref is not None
    erasing.erase(store, person.ref, "all", "cli:ana", lambda: NOW, "asked")
    with store.read() as reader:
        for query in (f"subject:{who}", f"subject:{who} kind:event", "session:s-a", f'"{who}"'):
            assert reader.audit(query).items == [], query
            assert reader.audit_count(query) == 0, query
        assert reader.audit_count("subject:somebody-else") == 2
        everything = reader.audit_count()
        assert reader.audit_count(f"-subject:{who}") == everything
        assert {item["idx"] for item in reader.audit().items} > set(before), "no entry goes"
        assert all(item["session_id"] != "s-a" for item in reader.audit().items)
    put(store, new_event("s-c", subject=who))
    with store.read() as reader:
        assert {item["session_id"] for item in reader.audit(f"subject:{who}").items} == {"s-c"}
        assert [item["idx"] for item in reader.audit(f"subject:{who}").items][-1] == everything


def test_a_day_without_the_outcome_is_left_out_and_no_other(store: Store, data_dir: Path) -> None:
    """Long records: days that the running counts name for a tag or rule, with clocks that disagree at midnight."""
    chance = random.Random(3)

    def some(tx: Any) -> None:
        for number in range(24_000):
            at = NOW + number * DAY // 1200 + chance.choice([0, 0, 3_600_000, -3_600_000])
            rare = number // 1200 in (2, 3, 11) and chance.random() < 0.01
            leaf = {"at": at, "kind": "decision", "actor": "engine", "outcome": "failed" if rare else "decided"}
            leaf["rules"] = rules = ["r1" if chance.random() < 0.5 else "r2"]
            tx._ledger.append(leaf, None, [], rules)

    store.submit(some).result(60)
    leaves = _entries(data_dir / "hookwarden.db")
    for rule, outcome in (("r1", "failed"), ("r2", "failed"), ("r1", "accepted"), ("r2", "decided")):
        wanted = [leaf["idx"] for leaf in leaves if leaf["rules"] == [rule] and leaf["outcome"] == outcome]
        query = f"rule:{rule} outcome:{outcome}"
        with store.read() as reader:
            assert [item["idx"] for item in reader.audit(query, limit=500).items] == wanted[::-1][:500], query
            assert [item["idx"] for item in reader.audit(query, "50", 500, ascending=True).items] == [
                idx for idx in wanted if idx > 50
            ][:500], query
            assert reader.audit_count(f"{query} idx:>=0") == len(wanted)


def test_actions_are_found_by_status_attempt_and_answer(store: Store) -> None:
    put(store, new_event(), planned())
    (claim,) = claim_all(store)
    settle(store, claim, ending("failed", http_status=503))
    with store.read() as reader:
        (item,) = reader.audit("http:>=500 attempt:1 outcome:failed").items
        assert item["action_id"] == claim.action_id
        assert reader.audit("http:<500").items == []
        assert reader.audit_count(f"action:{claim.action_id}") == 2
        assert reader.audit_count("-http:>=500") == reader.audit_count() - 1


def _by_hand(leaves: list[dict[str, Any]], of: Any) -> Counter[Any]:
    return Counter(key for leaf in leaves for key in of(leaf))


@pytest.mark.parametrize("query", ["", "outcome:accepted", f"created:{'2026-11-19'}..{'2026-11-20'}"])
def test_rollups_count_what_the_entries_say(store: Store, data_dir: Path, query: str) -> None:
    _fill(store)
    _fill(store)
    with store.read() as reader:
        fitting = {item["idx"] for item in _all(reader, query)}
        leaves = [leaf for leaf in _entries(data_dir / "hookwarden.db") if leaf["idx"] in fitting]
        days, whole = reader.audit_counts(query, ("day", "tag"))
        assert whole
        found = {(row["day"], row["tag"]): row["entries"] for row in days}
        assert [row["day"] for row in days] == sorted(str(row["day"]) for row in days)
        assert Counter(found) == _by_hand(leaves, lambda leaf: [(_day(leaf), tag) for tag in leaf.get("tags", [])])
        kinds = {row["kind"]: row["entries"] for row in reader.audit_counts(query, ["kind"])[0]}
        assert kinds == _by_hand(leaves, lambda leaf: [leaf["kind"]])
        for by in (
            ("rule",),
            ("status", "day"),
            ("source", "outcome"),
            ("tag", "kind"),
            ("status", "rule"),
        ):  # the last two are counted entry by entry
            exact = reader.audit_counts(f"{query} idx:>=0", by)
            assert _plain(reader.audit_counts(query, by)[0]) == _plain(exact[0])
        assert reader.audit_count(query) == len(leaves)


def _plain(rows: list[JsonObject]) -> list[JsonObject]:
    return sorted(rows, key=str)


def _all(reader: Any, query: str) -> list[Any]:
    items: list[Any] = []
    after = None
    while True:
        page = reader.audit(query, after, 500)
        items += page.items
        after = page.next
        if after is None:
            return items


def _day(leaf: dict[str, Any]) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(leaf["at"] // 1000, UTC).date().isoformat()


def test_counts_stop_where_they_are_told_to(store: Store) -> None:
    _fill(store)
    with store.read() as reader:
        assert reader.audit_counts('"glare"', (), 100)[1] is False
        assert reader.audit_count('"glare"', 100) == 100
        assert reader.audit_counts("kind:policy", (), 100)[1] is True
        assert reader.audit_counts("tag:NONE", ("day",)) == ([], True)
        with pytest.raises(ValueError, match="did you mean 'tag'"):
            reader.audit_counts("", ("tags",))


def test_what_was_looked_at_and_counts_under_nothing_also_ends_a_count(store: Store) -> None:
    """A limit is on the entries that are read, also where none of them has what is counted by."""
    plain: dict[str, Any] = {"at": NOW, "kind": "event", "actor": "didit", "source": "didit", "outcome": "accepted"}
    store.submit(lambda tx: [tx._ledger.append(dict(plain), None) for _ in range(150)]).result(30)  # type: ignore[attr-defined]
    with store.read() as reader:
        for by in ("tag", "rule", "status"):
            assert reader.audit_counts("kind:event -kind:policy", (by,), 100) == ([], False)
            assert reader.audit_counts("kind:event -kind:policy", (by,), 150) == ([], True)


def test_pages_over_many_blocks_are_in_order_and_whole(store: Store, data_dir: Path) -> None:
    """Rare, scattered, crowded and everywhere: more blocks than a search begins with, from both ends."""
    chance = random.Random(9)

    def some(tx: Any) -> None:
        for number in range(12_000):
            crowded = 5_000 < number < 6_500
            leaf: dict[str, Any] = {"at": NOW + number * DAY // 700, "kind": "event", "actor": "didit"}
            leaf["outcome"] = "failed" if chance.random() < 0.02 else "planned" if crowded else "accepted"
            leaf["type"] = "one.kind" if number % 130 == 0 else "other.kind"
            leaf |= {"status": "Declined"} if chance.random() < 0.3 else {}
            leaf |= {"action_id": f"act_{number}_0", "http_status": 503} if chance.random() < 0.01 else {}
            tags = [tag for tag, share in zip(TAGS, (0.5, 0.02, 0.03, 0.002), strict=True) if chance.random() < share]
            leaf |= {"tags": tags} if tags else {}
            tx._ledger.append(leaf, None, tags)

    store.submit(some).result(60)
    leaves = _entries(data_dir / "hookwarden.db")
    terms = [*(f"tag:{tag}" for tag in TAGS), "outcome:failed", "outcome:planned", "status:Declined", "http:503"]
    terms += ['"kind"', '"BLUR"', '"RE"', "kind:event", "-outcome:accepted", "idx:3000..9000"]
    for query in (*terms, *(f"{one} {other}" for one, other in itertools.combinations(terms, 2))):
        found = parse(query).terms
        wanted = [leaf["idx"] for leaf in leaves if all(_fits(leaf, term) != term.negated for term in found)]
        with store.read() as reader:
            assert [item["idx"] for item in reader.audit(query, limit=90).items] == wanted[::-1][:90], query
            assert [item["idx"] for item in reader.audit(query, "7777", 90).items] == [
                idx for idx in reversed(wanted) if idx < 7777
            ][:90], query
            assert [item["idx"] for item in reader.audit(query, "100", 90, ascending=True).items] == [
                idx for idx in wanted if idx > 100
            ][:90], query


def test_a_job_that_fails_leaves_no_word_and_no_count(store: Store) -> None:
    def fail(tx: Any) -> None:
        tx.add_note("odd-kind", "odd-actor", NOW, {"what": "odd-fact"})
        raise RuntimeError("no")

    put(store, new_event())
    with pytest.raises(RuntimeError):
        store.submit(fail).result(10)
    with store.read() as reader:
        assert reader.audit('"odd"').items == []
        assert {row["kind"] for row in reader.audit_counts("", ("kind",))[0]} == {"event", "decision"}


def test_a_record_that_was_begun_before_counts_gets_the_same_ones(store: Store, data_dir: Path) -> None:
    _fill(store)
    put(store, new_event(), planned())
    store.close()
    tables = ("word", "word_block", "entry_fact", "rollup")
    connection = sqlite3.connect(data_dir / "hookwarden.db")
    kept = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}  # noqa: S608
    for table in tables:
        connection.execute(f"DELETE FROM {table}")  # noqa: S608
    words.fill(connection)
    rollups.fill(connection)
    assert {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables} == kept  # noqa: S608
    rollups.take_off(connection, 0, ENTRIES + 10)
    assert connection.execute("SELECT count(*) FROM rollup").fetchone() == (0,)
    connection.close()


def test_no_table_but_the_index_is_read_whole(store: Store, data_dir: Path) -> None:
    """Each statement of a search goes by an index."""
    _fill(store)
    seen: list[str] = []
    with store.read() as reader:
        connection = reader._connection  # type: ignore[attr-defined]  # to see its statements
        connection.set_trace_callback(seen.append)
        for query in (
            "tag:BLUR status:Declined",
            "kind:policy",
            '"glare"',
            "http:>=500",
            "session:s1",
            "subject:x",
            "action:act_1_0",
        ):
            reader.audit(query)
        connection.set_trace_callback(None)
        plans = [row[3] for sql in seen for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert len(plans) > 20
    assert [
        plan
        for plan in plans
        if plan.startswith("SCAN")
        and "VIRTUAL TABLE" not in plan
        and "CONSTANT" not in plan
        and "subquery" not in plan.lower()
    ] == []


def test_what_is_pruned_is_not_counted_or_found_any_more(store: Store, data_dir: Path) -> None:
    _fill(store)
    store.submit(lambda tx: tx.ask_checkpoint()).result(10)
    store.submit(lambda tx: tx.prune_entries(NOW + DAY, 100, "engine", NOW + 9 * DAY)).result(10)
    leaves = _entries(data_dir / "hookwarden.db")
    assert 0 < leaves[0]["idx"] < ENTRIES
    with store.read() as reader:
        for query in ("kind:event", "kind:policy", "tag:BLUR", '"manual"', "http:>=500"):
            wanted = [leaf["idx"] for leaf in leaves if all(_fits(leaf, term) for term in parse(query).terms)]
            assert [item["idx"] for item in _all(reader, query)] == wanted[::-1], query
        for name, of in (("tag", lambda leaf: leaf.get("tags", [])), ("kind", lambda leaf: [leaf["kind"]])):
            found = {row[name]: row["entries"] for row in reader.audit_counts("", (name,))[0]}
            assert found == _by_hand(leaves, of), name
