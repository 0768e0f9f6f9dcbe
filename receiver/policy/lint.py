"""What a policy may say but probably does not mean: warnings. They are sound for the simple shapes they look at, and
silent about the rest.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from receiver.contract import JsonValue
from receiver.policy import codes
from receiver.policy.document import RuleDocument
from receiver.policy.findings import Findings, original
from receiver.policy.rules import Rule, Selector
from receiver.policy.template import Constant
from receiver.yamltext import LEGACY_BOOLEANS, Path

# what vendors are known to send (Didit's webhook documentation, "Event types"); others pass and can be matched
KNOWN_EVENTS = """
status.updated data.updated user.status.updated user.data.updated business.status.updated business.data.updated
activity.created transaction.created transaction.status.updated travel_rule.status.updated unknown
""".split()


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule, as written and compiled, with its place."""

    findings: Findings
    where: Path
    written: RuleDocument
    rule: Rule


def lint_document(findings: Findings) -> None:
    """Warnings that need no meaning: words that other YAML readers take for booleans."""
    document = findings.document
    for where in document.plain:
        value: JsonValue = document.value
        for step in where:
            value = value[step]  # type: ignore[index]  # the reader's own paths
        if isinstance(value, str) and value in LEGACY_BOOLEANS:
            said = f'{value} is text here, but other YAML readers take it for true or false: write "{value}"'
            findings.warning(where, codes.LEGACY_BOOLEAN, said)


def lint_rules(placed: Sequence[Placed], known_tags: Collection[str], *, order_is_said: bool) -> None:
    """Warnings about rules, alone and together."""
    _warn_of_tags(placed, known_tags)
    for each in placed:
        _warn_of_contradiction(each)
        _warn_of_events(each)
        _warn_of_emptiness(each)
    _warn_of_unreached(placed)
    if not order_is_said:
        _warn_of_statuses(placed)


def _warn_of_tags(placed: Sequence[Placed], known_tags: Collection[str]) -> None:
    resembled: dict[str, list[str]] = {}  # comparing is slow, and policies repeat their tags
    for each in placed:
        for where, tag in _tags_with_places(each):
            if tag in known_tags:
                continue
            if re.search(r"[\s,]", tag):
                said = f"{tag!r} is one tag: put a comma between two, outside of quotes"
                each.findings.warning(where, codes.RESEMBLING_TAG, said)
                continue
            if tag not in resembled:
                resembled[tag] = difflib.get_close_matches(tag.upper(), known_tags, n=1, cutoff=0.8)
            for known in resembled[tag]:
                said = f"unknown tag {tag!r}; did you mean {known!r}?"
                each.findings.warning(where, codes.RESEMBLING_TAG, said)


def _tags_with_places(each: Placed) -> Iterator[tuple[Path, str]]:
    tags = each.written.tags
    if tags is not None:
        for key, named in (("any", tags.any), ("all", tags.all), ("none", tags.none)):
            for position, tag in enumerate(named or ()):
                yield original(each.findings.document.value, (*each.where, "tags", key, position)), tag


def _warn_of_contradiction(each: Placed) -> None:
    selector = each.rule.selector
    barred = sorted(selector.all & selector.none) or (selector.any <= selector.none and sorted(selector.any))
    if barred:
        said = f"rule {each.rule.id!r} can never fire: it asks for {', '.join(barred)} and bars it with `none`"
        each.findings.warning((*each.where, "tags"), codes.NEVER_FIRES, said)


def _warn_of_events(each: Placed) -> None:
    for position, kind in enumerate(each.written.on):
        if kind in KNOWN_EVENTS or kind.startswith("action."):
            continue  # whether the action exists is an error elsewhere
        close = difflib.get_close_matches(kind, KNOWN_EVENTS, n=1, cutoff=0.6)
        said = f"unknown event type {kind!r}" + (f"; did you mean {close[0]!r}?" if close else "")
        place = original(each.findings.document.value, (*each.where, "on", position))
        each.findings.warning(place, codes.UNKNOWN_EVENT, said)


def _warn_of_emptiness(each: Placed) -> None:
    rule = each.rule
    if not each.written.then:
        each.findings.warning(each.where, codes.NO_ACTION, f"rule {rule.id!r} has no `then`: it fires and does nothing")
    if not rule.conditions and rule.selector == Selector() and any(step.sets_status for step in rule.actions):
        said = f"rule {rule.id!r} has neither `tags` nor `when`: it sets the status at every event"
        each.findings.warning(each.where, codes.EVERY_EVENT, said)


def _warn_of_unreached(placed: Sequence[Placed]) -> None:
    stoppers: dict[str | None, list[Rule]] = {}  # by each tag of `any`; None: stops every event
    for each in placed:
        rule = each.rule
        found = [*stoppers.get(None, ()), *(stop for tag in _leading_tags(rule) for stop in stoppers.get(tag, ()))]
        first = next((stop for stop in found if _always_precedes(stop, rule)), None)
        if first is not None:
            said = f"rule {rule.id!r} is never reached: {first.id!r} (line {first.line}) always stops before it"
            each.findings.warning(each.where, codes.NEVER_REACHED, said)
        elif _stops_always(rule):
            for tag in rule.selector.any or [None]:
                stoppers.setdefault(tag, []).append(rule)


def _leading_tags(rule: Rule) -> Sequence[str]:
    """Tags one of which a stopper must name to precede this rule always."""
    return sorted(rule.selector.all) + sorted(rule.selector.any)[:1]


def _stops_always(rule: Rule) -> bool:
    """Does the rule stop every event that carries one of its `any` tags?"""
    selector = rule.selector
    plain = Selector(any=selector.any) == selector
    return rule.stop and rule.mode == "enforce" and not rule.conditions and plain


def _always_precedes(stop: Rule, rule: Rule) -> bool:
    tags, wanted = stop.selector.any, rule.selector
    covers = not tags or (wanted.any and wanted.any <= tags) or not wanted.all.isdisjoint(tags)
    return bool(covers and rule.on <= stop.on and (stop.echo or not rule.echo))


def _warn_of_statuses(placed: Sequence[Placed]) -> None:
    """Once per policy, at the first rule whose status is not that of the rules before it."""
    first: tuple[str, str] | None = None
    for each in placed:
        for position, status in _statuses(each.rule):
            if first is None:
                first = (status, each.rule.id)
            elif status != first[0]:
                said = f"this sets {status!r}, rule {first[1]!r} {first[0]!r}: say in `status_order` which one wins"
                each.findings.warning((*each.where, "then", position), codes.STATUS_ORDER_UNSAID, said)
                return


def _statuses(rule: Rule) -> Iterator[tuple[int, str]]:
    for position, step in enumerate(rule.actions):
        template = step.params.get("status") if step.sets_status and rule.mode == "enforce" else None
        if isinstance(template, Constant) and isinstance(template.value, str):
            yield position, template.value
