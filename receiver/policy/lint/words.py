"""Words of the vendors' vocabularies, wherever a policy says them: tags, statuses, severities, event types.

Vocabularies grow, so an unknown word passes; one that resembles a known word is most likely a slip.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping

from receiver.contract import FEATURE_STATUSES, RESULT_PREFIX, SESSION_STATUSES, SEVERITIES
from receiver.policy import codes
from receiver.policy.document import DEFAULT_EVENTS
from receiver.policy.findings import original
from receiver.policy.formula import Formula
from receiver.policy.lint.placed import Placed, Source, warn_inside
from receiver.policy.lint.vocabulary import Vocabulary
from receiver.yamltext import Path

# what vendors are known to send (Didit's webhook documentation, "Event types"); others pass and can be matched
KNOWN_EVENTS = """
status.updated data.updated user.status.updated user.data.updated business.status.updated business.data.updated
activity.created transaction.created transaction.status.updated travel_rule.status.updated unknown
""".split()
# statuses of users and transactions are other words, so statuses are looked at in rules about sessions only
_OF_SESSIONS = frozenset(DEFAULT_EVENTS)


class Words:
    """The vocabularies of events."""

    def __init__(self, known_tags: Collection[str]) -> None:
        self._tags = Vocabulary("tag", known_tags)
        self._statuses = Vocabulary("status", SESSION_STATUSES)
        feature = Vocabulary("status of a check", FEATURE_STATUSES)
        severity = Vocabulary("severity", SEVERITIES)
        self._by_path: Mapping[str, Vocabulary] = {
            "event.tags[]": self._tags,
            "event.warnings[].tag": self._tags,
            "event.warnings[].severity": severity,
            "event.severity_max": severity,
            "event.status": self._statuses,
            "event.previous_status": self._statuses,
            "event.liveness.status": feature,
            "event.face_match.status": feature,
        }

    def warn_of_document(self, source: Source) -> None:
        """Words in `status_order` and in `let`."""
        for position, status in enumerate(source.model.status_order or ()):
            said = self._statuses.objection(status)
            if said:
                source.findings.warning(("status_order", position), codes.RESEMBLING_WORD, said)
        for name, let in source.lets.items():
            self._warn_of_formula(source, ("let", name), let.formula, of_sessions=True)

    def warn_of_rule(self, source: Source, each: Placed) -> None:
        """Words in `tags`, `on` and the conditions of a rule."""
        for where, tag in (*_tags(each), *_tags_of_examples(each)):
            if tag not in self._tags.known:
                self._warn_of_tag(each, original(each.findings.document.value, where), tag)
        _warn_of_events(each)
        kinds = each.rule.on
        of_sessions = all(kind in _OF_SESSIONS or kind.startswith(RESULT_PREFIX) for kind in kinds)
        for where, formula in each.conditions:
            self._warn_of_formula(source, where, formula, of_sessions=of_sessions)

    def _warn_of_tag(self, each: Placed, where: Path, tag: str) -> None:
        if re.search(r"[\s,]", tag):
            said = f"{tag!r} is one tag: put a comma between two, outside of quotes"
            each.findings.warning(where, codes.RESEMBLING_TAG, said)
        elif objection := self._tags.objection(tag):
            each.findings.warning(where, codes.RESEMBLING_TAG, objection)

    def _warn_of_formula(self, source: Source, where: Path, formula: Formula, *, of_sessions: bool) -> None:
        expression = formula.expression
        if not formula.needs and ("event" not in expression.roots or not _holds_text(expression.text)):
            return
        for path, literal, place, _ in source.comparisons(formula).constants:
            words = self._by_path.get(path)
            if words is None or not isinstance(literal.value, str) or (words is self._statuses and not of_sessions):
                continue
            said = words.objection(literal.value)
            if said:
                warn_inside(source.findings, where, formula, place, words.code, said)


def _tags(each: Placed) -> Iterator[tuple[Path, str]]:
    """The tags of the rule, with their places in the long form of `tags`."""
    tags = each.written.tags
    if tags is not None:
        for key, named in (("any", tags.any), ("all", tags.all), ("none", tags.none)):
            for position, tag in enumerate(named or ()):
                yield (*each.where, "tags", key, position), tag


def _tags_of_examples(each: Placed) -> Iterator[tuple[Path, str]]:
    for index, example in enumerate(each.written.examples):
        tags = example.event.get("tags")
        for position, tag in enumerate(tags if isinstance(tags, list) else ()):
            if isinstance(tag, str):  # else it is an error elsewhere
                yield (*each.where, "examples", index, "event", "tags", position), tag


def _warn_of_events(each: Placed) -> None:
    for position, kind in enumerate(each.written.on):
        if kind in KNOWN_EVENTS or kind.startswith(RESULT_PREFIX):
            continue  # whether the action exists is an error elsewhere
        close = difflib.get_close_matches(kind, KNOWN_EVENTS, n=1, cutoff=0.6)
        if not close and ("." in kind or "_" in kind):
            continue  # other vendors' types, and those that a `map` makes, cannot be known
        said = f"unknown event type {kind!r}" + (f"; did you mean {close[0]!r}?" if close else "")
        place = original(each.findings.document.value, (*each.where, "on", position))
        each.findings.warning(place, codes.UNKNOWN_EVENT, said)


def _holds_text(expression: str) -> bool:
    return "'" in expression or '"' in expression
