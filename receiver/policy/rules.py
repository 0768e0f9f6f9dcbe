"""A policy as it runs: compiled, frozen, ready for `decide.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from receiver.contract import EventDocument, JsonValue, Mode, PolicyRef, RuleTrace
from receiver.errors import Problem
from receiver.policy.formula import Formula
from receiver.policy.template import Template


@dataclass(frozen=True, slots=True)
class Selector:
    """Which warnings a rule is about. With `severity`, only tags of warnings of these severities count for `any` and
    `all`; alone, it asks for a warning of one of them. `none` looks at every tag.
    """

    any: frozenset[str] = frozenset()
    all: frozenset[str] = frozenset()
    none: frozenset[str] = frozenset()
    severity: frozenset[str] = frozenset()

    @property
    def is_simple(self) -> bool:
        """Whether carrying one of the keys is all that it asks for."""
        return not (self.none or self.severity or (self.all and (self.any or len(self.all) > 1)))

    @property
    def keys(self) -> Collection[str]:
        """The tags of which an event must carry one for the rule to match; empty: any event may match."""
        return sorted(self.all)[:1] or sorted(self.any)

    def matches(self, event: EventDocument) -> bool:
        """Does the event carry what the rule asks for?"""
        tags: Collection[str] = event["tags"]
        if not self.none.isdisjoint(tags):
            return False
        if self.severity:
            tags = {warning["tag"] for warning in event["warnings"] if warning["severity"] in self.severity}
            if not tags:
                return False
        return self.all.issubset(tags) and (not self.any or not self.any.isdisjoint(tags))


@dataclass(frozen=True, slots=True)
class Step:
    """One action of a rule, its parameters as templates."""

    name: str
    params: Mapping[str, Template]
    needs_approval: bool
    once: Literal["session", "event"]
    sets_status: bool
    biometric: bool = False
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `order` is its place over all documents; `document` says whose `let` and `lists` it sees; `mode` is
    shadow if the rule or its policy is.
    """

    order: int
    document: int
    id: str
    line: int
    mode: Mode
    on: frozenset[str]
    selector: Selector
    conditions: tuple[Formula, ...]
    on_missing: Literal["skip", "fire", "review"]
    on_stale: Literal["review", "act", "skip"]
    echo: bool
    stop: bool
    limit: tuple[int, int] | None
    actions: tuple[Step, ...]
    surroundings: tuple[int, Mode] = field(init=False)  # what expressions see, and whose budget they use
    unexplained: Mapping[bool | None, RuleTrace] = field(init=False, compare=False)  # by `fired`

    def __post_init__(self) -> None:
        """Make once what deciding would make for every event."""
        traces = {fired: RuleTrace(self.id, fired, self.mode, self.line, ()) for fired in (True, False, None)}
        object.__setattr__(self, "surroundings", (self.document, self.mode))
        object.__setattr__(self, "unexplained", traces)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The rules for one event type, by a tag that they need; those that need none are looked at always."""

    always: tuple[int, ...]
    by_tag: Mapping[str, tuple[int, ...]]


class Index:
    """Finds the rules that an event may concern, without looking at the others."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._looks_closer = tuple(not rule.selector.is_simple for rule in rules)
        self._shelves = {kind: _shelf(rules, kind) for kind in {kind for rule in rules for kind in rule.on}}

    def candidates(self, event: EventDocument) -> list[Rule]:
        """The rules whose event types and tags match, in policy order."""
        shelf = self._shelves.get(event["type"])
        if shelf is None:
            return []
        found = set(shelf.always)
        for tag in event["tags"]:
            found.update(shelf.by_tag.get(tag, ()))
        rules, closer = self._rules, self._looks_closer
        return [rules[order] for order in sorted(found) if not closer[order] or rules[order].selector.matches(event)]


def _shelf(rules: Sequence[Rule], kind: str) -> _Shelf:
    always: list[int] = []
    by_tag: dict[str, list[int]] = {}
    for position, rule in enumerate(rules):
        if kind in rule.on:
            for tag in rule.selector.keys:
                by_tag.setdefault(tag, []).append(position)
            if not rule.selector.keys:
                always.append(position)
    return _Shelf(tuple(always), {tag: tuple(found) for tag, found in by_tag.items()})


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy version, whole. `text` is what is kept of it: the file's text, or a JSON list of the files' texts.
    `listens` holds every event type that a rule is for. `lists`, and the `layouts` of what expressions see, are per
    document; `status_rank` orders statuses, the most severe first. `review_once` is how often the engine's own
    `review` actions run.
    """

    ref: PolicyRef
    text: str
    rules: tuple[Rule, ...]
    index: Index
    listens: frozenset[str]
    lists: tuple[Mapping[str, JsonValue], ...]
    layouts: tuple[tuple[str, ...], ...]
    status_rank: Mapping[str, int]
    review_once: Literal["session", "event"]
    warnings: tuple[Problem, ...]
