"""Words of the vendors' vocabularies, wherever a policy says them: tags, statuses, severities, event types.

Vocabularies grow, so an unknown word passes; one that resembles a known word is most likely a slip.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from receiver.policy import codes
from receiver.policy.document import DEFAULT_EVENTS
from receiver.policy.expressions.reads import as_path
from receiver.policy.expressions.syntax import Binary, ListLiteral, Literal, Macro, Node, children
from receiver.policy.findings import original
from receiver.policy.formula import Formula
from receiver.policy.lint.placed import Placed, Source, warn_inside
from receiver.yamltext import Path

# what vendors are known to send (Didit's webhook documentation, "Event types"); others pass and can be matched
KNOWN_EVENTS = """
status.updated data.updated user.status.updated user.data.updated business.status.updated business.data.updated
activity.created transaction.created transaction.status.updated travel_rule.status.updated unknown
""".split()
# of sessions, and of single features; case matters (Didit's webhook documentation, "Statuses")
SESSION_STATUSES = (
    "Not Started",
    "In Progress",
    "Awaiting User",
    "In Review",
    "Approved",
    "Declined",
    "Resubmitted",
    "Expired",
    "Kyc Expired",
    "Abandoned",
)
FEATURE_STATUSES = ("Not Started", "Not Finished", "Approved", "Declined", "In Review", "Expired")
SEVERITIES = ("information", "warning", "error")
# statuses of users and transactions are other words, so statuses are looked at in rules about sessions only
_OF_SESSIONS = frozenset(DEFAULT_EVENTS)


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    noun: str
    known: Collection[str]
    code: str
    alike: float  # how much an unknown word must resemble a known one, from 0 to 1


class Words:
    """The vocabularies, and what was found to resemble what: comparing is slow, and policies repeat their words."""

    def __init__(self, known_tags: Collection[str]) -> None:
        self._tags = _Vocabulary("tag", known_tags, codes.RESEMBLING_TAG, 0.8)
        self._statuses = _Vocabulary("status", SESSION_STATUSES, codes.RESEMBLING_WORD, 0.7)
        feature = _Vocabulary("status of a check", FEATURE_STATUSES, codes.RESEMBLING_WORD, 0.7)
        severity = _Vocabulary("severity", SEVERITIES, codes.RESEMBLING_WORD, 0.5)
        self._by_path: Mapping[str, _Vocabulary] = {
            "event.tags[]": self._tags,
            "event.warnings[].tag": self._tags,
            "event.warnings[].severity": severity,
            "event.severity_max": severity,
            "event.status": self._statuses,
            "event.previous_status": self._statuses,
            "event.liveness.status": feature,
            "event.face_match.status": feature,
        }
        self._resembled: dict[tuple[str, str], str | None] = {}

    def warn_of_document(self, source: Source) -> None:
        """Words in `status_order` and in `let`."""
        for position, status in enumerate(source.model.status_order or ()):
            close = self._close(self._statuses, status)
            if close:
                said = f"unknown status {status!r}; did you mean {close!r}?"
                source.findings.warning(("status_order", position), codes.RESEMBLING_WORD, said)
        for name, let in source.lets.items():
            self._warn_of_formula(source, ("let", name), let.formula, of_sessions=True)

    def warn_of_rule(self, source: Source, each: Placed) -> None:
        """Words in `tags`, `on` and the conditions of a rule."""
        for where, tag in _tags_with_places(each):
            self._warn_of_tag(each, where, tag)
        _warn_of_events(each)
        kinds = each.rule.on
        of_sessions = all(kind in _OF_SESSIONS or kind.startswith("action.") for kind in kinds)
        for where, formula in each.conditions:
            self._warn_of_formula(source, where, formula, of_sessions=of_sessions)

    def _warn_of_tag(self, each: Placed, where: Path, tag: str) -> None:
        if re.search(r"[\s,]", tag) and tag not in self._tags.known:
            said = f"{tag!r} is one tag: put a comma between two, outside of quotes"
            each.findings.warning(where, codes.RESEMBLING_TAG, said)
        elif close := self._close(self._tags, tag):
            each.findings.warning(where, codes.RESEMBLING_TAG, f"unknown tag {tag!r}; did you mean {close!r}?")

    def _warn_of_formula(self, source: Source, where: Path, formula: Formula, *, of_sessions: bool) -> None:
        if "event" not in formula.expression.roots:
            return
        for path, literal in _compared(formula.expression.node, {}):
            words = self._by_path.get(path)
            if words is None or not isinstance(literal.value, str) or (words is self._statuses and not of_sessions):
                continue
            close = self._close(words, literal.value)
            if close:
                said = f"unknown {words.noun} {literal.value!r}; did you mean {close!r}?"
                warn_inside(source.findings, where, formula, literal.offset, words.code, said)

    def _close(self, words: _Vocabulary, word: str) -> str | None:
        """The known word that an unknown one resembles."""
        if word in words.known:
            return None
        if (words.noun, word) not in self._resembled:
            folded = {known.lower(): known for known in words.known}
            close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=words.alike)
            self._resembled[words.noun, word] = folded[close[0]] if close else None
        return self._resembled[words.noun, word]


def _tags_with_places(each: Placed) -> Iterator[tuple[Path, str]]:
    tags = each.written.tags
    if tags is not None:
        for key, named in (("any", tags.any), ("all", tags.all), ("none", tags.none)):
            for position, tag in enumerate(named or ()):
                yield original(each.findings.document.value, (*each.where, "tags", key, position)), tag


def _warn_of_events(each: Placed) -> None:
    for position, kind in enumerate(each.written.on):
        if kind in KNOWN_EVENTS or kind.startswith("action."):
            continue  # whether the action exists is an error elsewhere
        close = difflib.get_close_matches(kind, KNOWN_EVENTS, n=1, cutoff=0.6)
        said = f"unknown event type {kind!r}" + (f"; did you mean {close[0]!r}?" if close else "")
        place = original(each.findings.document.value, (*each.where, "on", position))
        each.findings.warning(place, codes.UNKNOWN_EVENT, said)


def _compared(node: Node, bound: Mapping[str, str]) -> Iterator[tuple[str, Literal]]:
    """Every constant that is compared with a path, with that path; for the variable of a macro stand its items."""
    match node:
        case Binary(_, "==" | "!=", left, Literal() as literal) | Binary(_, "==" | "!=", Literal() as literal, left):
            yield from _with_path(left, [literal], bound)
        case Binary(_, "in", left, ListLiteral(_, items)):
            yield from _with_path(left, items, bound)
        case Binary(_, "in", Literal() as literal, right):
            yield from ((f"{path}[]", literal) for path, _ in _with_path(right, [literal], bound))
    inside = {**bound, node.variable: f"{_path(node.items, bound)}[]"} if isinstance(node, Macro) else bound
    for child in children(node):
        yield from _compared(child, inside)


def _with_path(node: Node, items: Iterable[Node], bound: Mapping[str, str]) -> Iterator[tuple[str, Literal]]:
    path = _path(node, bound)
    if path is not None:
        yield from ((path, item) for item in items if isinstance(item, Literal))


def _path(node: Node, bound: Mapping[str, str]) -> str | None:
    found = as_path(node)
    if found is None:
        return None
    root, steps = found
    named = bound.get(root.name, root.name)
    return named + "".join("[]" if isinstance(step, int) else f".{step}" for step in steps)
