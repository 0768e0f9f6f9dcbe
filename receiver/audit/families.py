"""What belongs together, held against the leaves: what people did to actions, attempts, in what order things came,
which event another one follows from. Pure.

All of it fits, almost always: so the store is asked closely only where it does not at first sight.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter, lt
from typing import Any, Final, Protocol, TypeAlias

from receiver.audit.findings import Findings
from receiver.audit.projection import stored

Leaves: TypeAlias = Mapping[int, Mapping[str, Any]]
Tell: TypeAlias = Callable[[int, str], None]
Span: TypeAlias = tuple[int, int]
"""The first and the last number that rows of a kind have in a range of entries."""
Deed: TypeAlias = tuple[Any, Any, Any]
"""When it was done, what, and who did it."""

_NAMES_PARENT: Final = 2  # version of leaves that do
_OF_RESULTS: Final = "action."  # how the type of an event begins that is an action's result


class Families(Protocol):
    """What is asked of the store."""

    def deeds(self, entries: Collection[int]) -> Iterator[tuple[int, Any, Any, Any]]:
        """What people did to the actions of these entries: the entry, then when, what and who."""
        ...

    def tells_of_attempt(self, idx: int, n: Any) -> bool:
        """Whether an entry tells of this attempt of the entry's action, or it needs none: it runs, or waits on."""
        ...

    def stray_attempts(self) -> list[tuple[Any, Any]]:
        """Attempts of actions that have not ended, of which no entry tells: action, number."""
        ...

    def stray_statuses(self) -> list[Any]:
        """Sessions whose status none of their events gave them, by one of their events."""
        ...

    def policies_taken(self) -> Iterator[tuple[str, Any, Any, Any, Any]]:
        """Policy versions: hash, name and time; and what the first entry says that took it into use."""
        ...


def check_deeds(reader: Families, leaves: Leaves, tell: Tell) -> None:
    """Who did what to an action, and when."""
    said = {idx: _deed(leaf) for idx, leaf in leaves.items() if leaf["kind"] == "operator" and _is_of_action(leaf)}
    found: defaultdict[int, Counter[Deed]] = defaultdict(Counter)
    for idx, at, act, actor in reader.deeds(said.keys()) if said else ():
        found[idx][at, act, actor] += 1
    alike = Counter((leaves[idx]["action_id"], deed) for idx, deed in said.items())
    for idx, deed in said.items():
        if found[idx][deed] < alike[leaves[idx]["action_id"], deed]:
            tell(idx, f"the deed on its action was edited: the leaf says {deed[1]!r} by {deed[2]!r} at {deed[0]}")


def _is_of_action(leaf: Mapping[str, Any]) -> bool:
    """Not so of a call by hand, which is of no event."""
    return "action_id" in leaf and "event_id" in leaf


def _deed(leaf: Mapping[str, Any]) -> Deed:
    return leaf["at"], leaf.get("facts", {}).get("act"), stored(leaf.get("actor"))


def check_attempts(reader: Families, leaves: Leaves, found: Mapping[int, Collection[Any]], tell: Tell) -> None:
    """Whether entries tell of all attempts. `found` are the attempts of the action of each entry about one."""
    told: defaultdict[Any, set[Any]] = defaultdict(set)
    for idx in found:
        leaf = leaves[idx]
        if "attempt" in leaf:
            told[leaf.get("action_id")].add(leaf["attempt"])
    looked_at = set()
    for idx, attempts in found.items():
        action_id = leaves[idx].get("action_id")
        for n in set(attempts) - told[action_id]:
            if (action_id, n) not in looked_at and not reader.tells_of_attempt(idx, n):
                tell(idx, f"attempt {n!r} of its action was put in: no entry tells of it")
            looked_at.add((action_id, n))


def check_order(numbers: Sequence[tuple[int, int]], what: str, tell: Tell) -> Span | None:
    """Whether the numbers of rows ascend as their entries do, as the newest is the one that counts. `numbers` are pairs
    of entry and number; where several rows fit an entry, any of them will do. Gives how far they go.
    """
    first = last = None
    listed = [n for _, n in numbers]
    if listed and all(map(lt, listed, listed[1:])):
        return listed[0], listed[-1]
    for idx, pairs in groupby(numbers, itemgetter(0)):
        fitting = [n for _, n in pairs]
        n = fitting[0] if last is None else next((n for n in fitting if n > last), None)
        if n is None:
            tell(idx, f"its {what} was moved before one that came earlier")
            n = fitting[0]
        first, last = n if first is None else first, n
    return None if first is None or last is None else (first, last)


def join_spans(spans: dict[str, Span], more: Mapping[str, Span], findings: Findings) -> None:
    """Take over how far the numbers of rows go in the entries behind."""
    for what, (first, last) in more.items():
        before = spans.get(what, (first, first - 1))
        if first <= before[1]:
            where = f"the {what}s numbered {first} and {before[1]}"
            findings.add("row", where, "do not stand in the order of their entries: one of them was moved")
        spans[what] = before[0], last


def wrong_parent(leaf: Mapping[str, Any], parent: Any) -> Iterable[str]:
    """Which event this one follows from. The leaf of an old result does not name it."""
    said = leaf.get("parent")
    if parent != said and not (leaf.get("v", 1) < _NAMES_PARENT and leaf.get("type", "").startswith(_OF_RESULTS)):
        yield f"the event's parent was edited to {parent!r}: the leaf says {said!r}"


def check_families(reader: Families, findings: Findings, *, whole: bool) -> None:
    """What no entry of a window tells of, asked of the whole tables once. `whole`: nothing was pruned."""
    for action_id, n in reader.stray_attempts():
        findings.add("row", f"action {action_id}", f"its attempt {n!r} was put in: no entry tells of it")
    for where in reader.stray_statuses() if whole else ():
        findings.add("row", f"the session of event {where}", "has a status that none of its events gave it")
    for sha256, name, at, said, since in reader.policies_taken():
        if said is not None and name != said:
            findings.add("row", f"policy {sha256}", f"its name was edited to {name!r}: the leaf says {said!r}")
        if whole and since is not None and at != since:
            findings.add("row", f"policy {sha256}", f"its time was edited: the leaf says {since}")
