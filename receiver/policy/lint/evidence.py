"""What a rule does on weak evidence: a person blocked or declined, or credits spent, for a hint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from receiver.contract import ActionSpec
from receiver.policy import codes
from receiver.policy.lint.placed import Placed, TagFacts
from receiver.policy.rules import Step
from receiver.policy.template import Constant

WORST_STATUS = "Declined"  # the one that hurts a person; setting another one is no destruction


def warn_of_weak_evidence(each: Placed, known_tags: Mapping[str, TagFacts], actions: Mapping[str, ActionSpec]) -> None:
    """Destructive actions without approval; billable ones that neither a condition nor a `limit` holds back."""
    weak = _weak_tags(each, known_tags)
    if not weak or each.rule.mode == "shadow":
        return
    for position, step in enumerate(each.rule.actions):
        said = _objection(each, step, actions[step.name])
        if said:
            place = (*each.where, "then", position)
            each.findings.warning(place, codes.WEAK_EVIDENCE, f"{said}, and {weak} is a hint, no proof: {_CURE[said]}")


_DESTROYS = "a person cannot easily undo this"
_COSTS = "each run of this costs"
_CURE = {_DESTROYS: "add `needs_approval: true`", _COSTS: "add a condition, or a `limit` such as 50/hour"}


def _objection(each: Placed, step: Step, spec: ActionSpec) -> str:
    if step.needs_approval:
        return ""
    if spec.destructive and (not spec.sets_status or _declines(step)):
        return _DESTROYS
    unbounded = not each.rule.conditions and each.rule.limit is None
    return _COSTS if spec.billable and unbounded else ""


def _declines(step: Step) -> bool:
    status = step.params.get("status")
    return isinstance(status, Constant) and status.value == WORST_STATUS


def _weak_tags(each: Placed, known_tags: Mapping[str, TagFacts]) -> str:
    """The tags that bring the rule about, if every one is weak; else nothing. Of `all`, one strong tag is enough."""
    selector = each.rule.selector
    tags = [*sorted(selector.any), *sorted(selector.all)]
    if not tags or not all(_is_weak(tag, known_tags) for tag in tags):
        return ""
    excluded = selector.severity and "information" not in selector.severity
    return "" if excluded or _looks_at_severity(each) else " or ".join(tags)


def _is_weak(tag: str, known_tags: Mapping[str, TagFacts]) -> bool:
    known = known_tags.get(tag)
    return tag.startswith("POSSIBLE_") or (known is not None and known.severity == "information")


def _looks_at_severity(each: Placed) -> bool:
    return any("severity" in path for path in _paths(each))


def _paths(each: Placed) -> Iterator[str]:
    for formula in each.rule.conditions:
        yield formula.expression.text
        yield from (let.formula.expression.text for let in formula.needs)
