"""What stands beside the entries, held against their leaves: the rows that people read (events, decisions, actions,
attempts, cases), what searches go by, and the counts. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from receiver.audit.evidence import Evidence
from receiver.audit.findings import Findings
from receiver.audit.projection import BLOCK, Counted, Expected, decoded, is_shortened, stored

Leaves: TypeAlias = Mapping[int, Mapping[str, Any]]

# What the newest entry about an action says, and what state its row may then be in: that it runs, or waits anew while a
# vendor is parked, stands in no entry.
_STATES: Final = {
    "planned": ("planned", "running", "waiting_retry"),
    "approved": ("planned", "running", "waiting_retry"),
    "retried": ("planned", "running", "waiting_retry"),
    "waiting_retry": ("waiting_retry", "running"),
    "lost": ("running", "waiting_retry"),
    "discarded": ("rejected",),
}
_ENDINGS: Final = {  # what an attempt came to, by what its entry says of the action
    "waiting_retry": ("retry", "failed"),
    "failed": ("failed", "retry"),
    "dead": ("failed", "retry"),
    "rejected": ("lost",),
}
_FAMILY: Final = ("decisions", "actions", "cases", "deeds of people")
_CUT_TO: Final = (400, 200, 100, 40)


def check_rows(reader: Evidence, leaves: Leaves, start: int, end: int, findings: Findings) -> None:
    """The rows that people read, of the entries from `start` to before `end`."""
    kinds = {leaf["kind"] for leaf in leaves.values()}
    for kind, check in (("event", _event), ("action", _action), ("review", _review)):
        for idx, *row in reader.rows(kind, start, end) if kind in kinds else ():
            leaf = leaves.get(idx)
            if leaf is not None and leaf["kind"] == kind:
                for what in [f"its {kind} is missing"] if row[0] is None else check(row, leaf):
                    findings.add("row", f"entry {idx}", what)
    _decisions(reader, leaves, start, end, findings)
    _attempts(reader, leaves, start, end, findings)
    for idx, *counts in reader.families(start, end):
        for name, rows, entries in zip(_FAMILY, counts[:4], counts[4:], strict=True):
            if rows != entries:
                findings.add("row", f"entry {idx}", f"its event has {rows} {name}; entries tell of {entries}")


def _event(row: Sequence[Any], leaf: Mapping[str, Any]) -> Iterable[str]:
    _, kind, status, tags, source, received_at, payload = row
    said = {"type": leaf.get("type"), "status": leaf.get("status"), "source": leaf.get("source")}
    yield from _texts("event", said, {"type": kind, "status": status or None, "source": source})
    if received_at != leaf["at"]:
        yield f"the event's received_at was edited: the leaf says {leaf['at']}"
    yield from _list("event", "tags", leaf, list(leaf.get("tags", ())), tags, most=1000)
    if payload is None:
        yield "the row of the event's sealed contents is missing"


def _action(row: Sequence[Any], leaf: Mapping[str, Any]) -> Iterable[str]:
    _, name, rule, state, newest, event_id = row
    said = {"name": leaf.get("type"), "rule": leaf.get("rule"), "event": leaf.get("event_id")}
    yield from _texts("action", said, {"name": name, "rule": rule, "event": event_id})
    if newest is not None and state not in _STATES.get(newest, (newest,)):
        yield f"the action's state was edited to {state!r}: the newest entry about it says {newest!r}"


def _review(row: Sequence[Any], leaf: Mapping[str, Any]) -> Iterable[str]:
    _, queue, state, opened_at, resolved_by, resolver = row
    yield from _texts("case", {"queue": leaf.get("facts", {}).get("queue")}, {"queue": queue})
    if opened_at != leaf["at"]:
        yield f"the case's opened_at was edited: the leaf says {leaf['at']}"
    if state != ("open" if resolver is None else "resolved") or resolved_by != resolver:
        by = "nobody" if resolver is None else repr(resolver)
        yield f"the case's state was edited: by its entries, {by} resolved it"


def _decisions(reader: Evidence, leaves: Leaves, start: int, end: int, findings: Findings) -> None:
    wrong: dict[int, list[str]] = {}
    right = set()
    for idx, *row in reader.rows("decision", start, end):
        leaf = leaves.get(idx)
        if leaf is None or leaf["kind"] != "decision":
            continue
        faults = ["its decision is missing"] if row[0] is None else list(_decision(row, leaf))
        if faults:  # two decisions of one millisecond are told apart by what they say
            wrong.setdefault(idx, faults)
        else:
            right.add(idx)
    for idx in sorted(wrong.keys() - right):
        for what in wrong[idx]:
            findings.add("row", f"entry {idx}", what)


def _decision(row: Sequence[Any], leaf: Mapping[str, Any]) -> Iterable[str]:
    _, actor, outcome, policy, status, fired, shadow = row
    said = {name: leaf.get(name) for name in ("actor", "outcome", "policy_sha256", "status")}
    found = {"actor": actor, "outcome": outcome, "policy_sha256": policy, "status": status or None}
    yield from _texts("decision", said, found)
    rules, silent = list(leaf.get("rules", ())), list(leaf.get("shadow", ()))
    if shadow is None:  # written before these stood apart
        silent, rules = [], rules + silent
    else:
        yield from _list("decision", "rules_shadow", leaf, silent, shadow)
    yield from _list("decision", "rules_fired", leaf, rules, fired)


def _attempts(reader: Evidence, leaves: Leaves, start: int, end: int, findings: Findings) -> None:
    found: dict[int, dict[int, tuple[Any, Any, Any]]] = {}
    for idx, n, outcome, http, spent in reader.rows("attempt", start, end):
        found.setdefault(idx, {})[n] = (outcome, http, spent)
    for idx, leaf in leaves.items():
        if leaf["kind"] != "action" or "attempt" not in leaf:
            continue
        attempts, number, said = found.get(idx, {}), leaf["attempt"], leaf.get("outcome", "")
        row = attempts.get(number)
        if row is None:
            if not was_waiting(leaf, attempts):
                findings.add("row", f"entry {idx}", f"attempt {number} of its action is missing")
        elif row[0] not in _ENDINGS.get(said, (said,)):
            findings.add(
                "row", f"entry {idx}", f"the attempt's outcome was edited to {row[0]!r}: the leaf says {said!r}"
            )
        elif row[1] != leaf.get("http_status"):
            what = f"the attempt's http_status was edited: the leaf says {leaf.get('http_status')!r}"
            findings.add("row", f"entry {idx}", what)


def was_waiting(leaf: Mapping[str, Any], attempts: Mapping[int, tuple[Any, Any, Any]]) -> bool:
    """Whether the attempt gave way to a later one that waits for the same: one row is kept of those."""
    later = [row for n, row in attempts.items() if n > leaf["attempt"]]
    return leaf.get("outcome") == "waiting_retry" and any(row[0] == "retry" and not row[2] for row in later)


def _texts(of: str, said: Mapping[str, Any], found: Mapping[str, Any]) -> Iterable[str]:
    for name, value in said.items():
        text, there = stored(value), found[name]
        if text == there or (text and len(value) in _CUT_TO and isinstance(there, str) and there.startswith(text)):
            continue
        yield f"the {of}'s {name} was edited to {there!r}: the leaf says {text!r}"


def _list(
    of: str, name: str, leaf: Mapping[str, Any], said: list[str], found: Any, most: int = 1 << 30
) -> Iterable[str]:
    if is_shortened(leaf, said):
        return
    try:
        there = list(dict.fromkeys(json.loads(found)))[:most]
    except (ValueError, TypeError, RecursionError):
        there = None
    if there != (list(dict.fromkeys(said)) if most == 1 << 30 else said) and sorted(there or ()) != sorted(set(said)):
        yield f"the {of}'s {name} was edited to {str(found)[:200]!r}: the leaf says {said!r}"


def check_finders(reader: Evidence, expected: Expected, start: int, end: int, findings: Findings) -> None:
    """What searches go by, beside the tables of tags and rules: words, facts, sessions."""
    for (key, value), blocks in expected.blocks.items():
        word = stored(value)
        missing = blocks - reader.blocks(key, word, start // BLOCK, (end - 1) // BLOCK + 1)
        for block in sorted(missing):
            what = f"a search for {key} {word!r} passes over them"
            findings.add("finder", f"entries {block * BLOCK}-{block * BLOCK + BLOCK - 1}", what)
        _in_vocabulary(reader, key, word, findings)
    for key, words in (("tag", expected.tags), ("rule", expected.rules)):
        for value in words:
            if len(value) not in _CUT_TO:
                _in_vocabulary(reader, key, stored(value), findings)
    for value, idx in expected.facts:
        if not reader.has_fact(value, idx):
            findings.add("finder", f"entry {idx}", f"is not found by the fact {value!r}, which its leaf has")
        _in_vocabulary(reader, "fact", value, findings)


def _in_vocabulary(reader: Evidence, key: str, word: str, findings: Findings) -> None:
    if not reader.has_word(key, word):
        findings.add("finder", f"{key} {word!r}", "stands in no vocabulary: a search for the word alone misses it")


def check_sessions(reader: Evidence, leaves: Leaves, start: int, end: int, excused: Any, findings: Findings) -> None:
    """Whether entries are found by the session of their event, and one session has one mark."""
    names: dict[tuple[str, Any], str] = {}
    for idx, session_id, found in reader.sessions(start, end):
        leaf = leaves.get(idx)
        mark = leaf.get("session") if leaf is not None else None
        if leaf is None or (mark is None and (session_id is None or leaf["kind"] != "event")):
            continue
        if mark is None:
            findings.add("row", f"entry {idx}", "its event was given a session; the leaf has none")
        elif session_id is None:
            if not excused(idx, leaf):
                findings.add(
                    "row", f"entry {idx}", "its event's session is missing, and no entry says that it was erased"
                )
        elif names.setdefault(mark, session_id) != session_id:
            findings.add(
                "row", f"entry {idx}", "its event's session was edited: other events of the session name another"
            )
        elif not found:
            findings.add("finder", f"entry {idx}", "is not found by its event's session")


def check_strays(reader: Evidence, start: int, first: int, findings: Findings) -> None:
    """Rows that somebody put in: what no entry tells of."""
    for event_id in reader.stray_events(pruned=first > 0):
        findings.add("row", f"event {event_id}", "no entry tells of it: it was put in")
    for idx in reader.stray_sessions(start):
        findings.add("finder", f"entry {idx}", "is found by a session that is not that of its event")
    for value, idx, content in reader.facts(start):
        leaf = decoded(content) if content is not None else None
        if leaf is None or value not in {stored(said[:400]) for said in leaf.get("facts", {}).values()}:
            findings.add("finder", f"entry {idx}", f"is found by the fact {str(value)!r}, which its leaf does not have")


def check_tallies(reader: Evidence, findings: Findings) -> None:
    """The running counts."""
    said, right = reader.tallies()
    for name in sorted(said.keys() | right.keys(), key=str):
        if said.get(name, 0) != right.get(name, 0):
            what = f"says {said.get(name, 0)!r}; there are {right.get(name, 0)}"
            findings.add("finder", f"the running count of {' '.join(map(str, name))}", what)


def check_counts(
    said: Mapping[Any, Any],
    counted: Counter[Counted],
    uncounted: Counter[tuple[str, int]],
    findings: Findings,
    *,
    whole: bool,
) -> None:
    """The counts by day against those of the leaves; where not the `whole` record was counted, none may be less."""
    for key in sorted(said.keys() | counted.keys(), key=str):
        found, right = said.get(key, 0), counted.get(key, 0)
        slack = uncounted.get(key[:2], 0) if whole else 1 << 62
        if not isinstance(found, int) or not right <= found <= right + slack:
            kind, day, word, outcome = key
            what = f"says {found!r} entries of outcome {outcome!r}; there are {right}"
            findings.add("finder", f"the count of {kind} {word!r} of day {day} (since 1970)", what)


def check_policies(reader: Evidence, decided: Iterable[str], taken: Iterable[str], findings: Findings) -> None:
    """Every policy text against its hash; and that of every policy that was taken into use, or decided."""
    kept = set()
    for sha256, text in reader.policies():
        kept.add(sha256)
        if hashlib.sha256(text or b"").hexdigest() != sha256:
            findings.add("row", f"policy {sha256}", "its text is not the one that has this hash: it was edited")
    for sha256 in sorted({*taken, *(decided if kept or taken else ())} - kept):
        findings.add("row", f"policy {sha256}", "entries name it, and its text is missing")
