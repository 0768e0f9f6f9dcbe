"""Rules that an earlier rule with `stop` always precedes."""

from __future__ import annotations

from collections.abc import Sequence

from receiver.policy import codes
from receiver.policy.lint.placed import Placed
from receiver.policy.rules import Rule, Selector


def warn_of_unreached(placed: Sequence[Placed]) -> None:
    """By tags, event types and `stop` alone: what conditions say is not weighed."""
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
