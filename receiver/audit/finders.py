"""What searches and counts go by, held against the leaves: tags, rules, words, facts, sessions, hours, counts. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from receiver.audit.evidence import Evidence, Finder
from receiver.audit.findings import Findings
from receiver.audit.projection import BLOCK, CUT_TO, Counted, Expected, Words, decoded, may_be_shortened, stored

Excused: TypeAlias = Callable[[int, Mapping[str, Any]], bool]
"""Whether an event may have no session any more."""


def check_words(reader: Evidence, finder: Finder, leaves: Words, start: int, end: int, findings: Findings) -> None:
    """The table of tags, or of rules."""
    said = {stored(word): indices for word, indices in leaves.items()}
    for word in sorted({*said, *reader.words(finder)}, key=str):
        found, right = reader.found(finder, word, start, end), said.get(word, [])
        if found != right:
            for idx in sorted(set(found) ^ set(right)):
                _word(reader, finder, word, idx, findings, found=idx in found)


def _word(reader: Evidence, finder: Finder, word: str, idx: int, findings: Findings, *, found: bool) -> None:
    row = next(reader.leaves(idx, idx + 1), None)
    if row is not None and (found or len(word) in CUT_TO) and may_be_shortened(row[0], finder):
        return
    what = f"is found by {finder[:-1]} {word!r}, which its leaf does not have"
    if not found:
        what = f"is not found by {finder[:-1]} {word!r}, which its leaf has"
    findings.add("finder", f"entry {idx}", what)


def check_finders(reader: Evidence, expected: Expected, start: int, end: int, findings: Findings) -> None:
    """Blocks, vocabulary and facts."""
    for (key, value), blocks in expected.blocks.items():
        word = stored(value)
        missing = blocks - reader.blocks(key, word, start // BLOCK, (end - 1) // BLOCK + 1)
        for block in sorted(missing):
            what = f"a search for {key} {word!r} passes over them"
            findings.add("finder", f"entries {block * BLOCK}-{block * BLOCK + BLOCK - 1}", what)
        _in_vocabulary(reader, key, word, findings)
    for key, words in (("tag", expected.tags), ("rule", expected.rules)):
        for value in words:
            if value not in expected.doubtful:
                _in_vocabulary(reader, key, stored(value), findings)
    for value, idx in expected.facts:
        if not reader.has_fact(value, idx):
            findings.add("finder", f"entry {idx}", f"is not found by the fact {value!r}, which its leaf has")
        _in_vocabulary(reader, "fact", value, findings)


def _in_vocabulary(reader: Evidence, key: str, word: str, findings: Findings) -> None:
    if not reader.has_word(key, word):
        findings.add("finder", f"{key} {word!r}", "stands in no vocabulary: a search for the word alone misses it")


def check_sessions(
    reader: Evidence,
    expected: Expected,
    sessions: dict[str, Any],
    start: int,
    end: int,
    excused: Excused,
    findings: Findings,
) -> int:
    """Whether entries are found by the session of their event, and one session has one mark. `sessions` are those of
    events that are known already. Gives how many entries are found so.
    """
    sessions.update(reader.sessions_of({event_id for event_id, _ in expected.events} - sessions.keys()))
    said = _found_by(expected, sessions)
    if said is not None and said == dict(reader.found_by(said.keys(), start, end)):
        return sum(indices.count(",") + 1 for indices in said.values())
    return _each_session(reader, expected, start, end, excused, findings)


def _found_by(expected: Expected, sessions: Mapping[str, Any]) -> dict[str, str] | None:
    """Which entries each session must find; None where something does not fit, or must be excused."""
    marks: dict[str, str] = {}
    found: defaultdict[str, list[int]] = defaultdict(list)
    for (event_id, mark), indices in expected.events.items():
        if event_id not in sessions:
            continue
        session_id = sessions[event_id]
        if mark is None and session_id is None:
            continue
        if mark is None or not isinstance(session_id, str) or marks.setdefault(mark, session_id) != session_id:
            return None
        found[session_id] += indices
    return {session_id: ",".join(map(str, sorted(indices))) for session_id, indices in found.items()}


def _each_session(
    reader: Evidence, expected: Expected, start: int, end: int, excused: Excused, findings: Findings
) -> int:
    """Entry by entry."""
    leaves, count = expected.leaves, 0
    names: dict[tuple[str, Any], str] = {}
    for idx, session_id, found in reader.sessions(start, end):
        count += found
        leaf = leaves.get(idx)
        mark = leaf.get("session") if leaf is not None else None
        if leaf is None or (mark is None and (session_id is None or leaf["kind"] != "event")):
            continue
        fault = "row"
        if mark is None:
            what = "its event was given a session; the leaf has none"
        elif session_id is None:
            what = "" if excused(idx, leaf) else "its event's session is missing, and no entry says that it was erased"
        elif names.setdefault(mark, session_id) != session_id:
            what = "its event's session was edited: other events of the session name another"
        else:
            fault, what = "finder", "" if found else "is not found by its event's session"
        if what:
            findings.add(fault, f"entry {idx}", what)
    return count


def check_strays(reader: Evidence, start: int, end: int, first: int, found: int, findings: Findings) -> None:
    """Rows that somebody put in: what no entry tells of. `found` entries from `start` to before `end` are rightly found
    by a session: where there are no more, none was put in among them.
    """
    for event_id in reader.stray_events(pruned=first > 0):
        findings.add("row", f"event {event_id}", "no entry tells of it: it was put in")
    for idx in reader.stray_sessions(end if reader.found_at_all(start, end) == found else start):
        findings.add("finder", f"entry {idx}", "is found by a session that is not that of its event")
    for value, idx, content in reader.facts(start):
        leaf = decoded(content) if content is not None else None
        if leaf is None or value not in {stored(said[:400]) for said in leaf.get("facts", {}).values()}:
            findings.add("finder", f"entry {idx}", f"is found by the fact {str(value)!r}, which its leaf does not have")


def check_hours(reader: Evidence, seen: Mapping[int, tuple[int, int]], kept: int, findings: Findings) -> None:
    """Which entries searches by time read. What stood before the entry `kept` was pruned, maybe after it was `seen`."""
    table = reader.hours()
    for hour, (first, last) in seen.items():
        if last < kept:
            continue
        found, first = table.get(hour), max(first, kept)  # noqa: PLW2901  # of what is left
        if found is None or not all(isinstance(idx, int) for idx in found) or found[0] > first or found[1] < last:
            what = f"a search by time misses entries of the hour {hour} (since 1970)"
            findings.add("finder", f"entries {first}-{last}", what)


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
    for key in sorted((key for key in said.keys() | counted.keys() if said.get(key) != counted.get(key)), key=str):
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
