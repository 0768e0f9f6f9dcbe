"""Which status wins: rules that set different ones, and statuses that `status_order` leaves out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from receiver.policy import codes
from receiver.policy.lint.placed import Placed
from receiver.policy.rules import Rule
from receiver.policy.template import Constant
from receiver.yamltext import Path


def warn_of_statuses(placed: Sequence[Placed], order: Collection[str]) -> None:
    """Against `status_order`, as far as it is said (else it is empty)."""
    if order:
        _warn_of_unranked(placed, order)
    else:
        _warn_of_difference(placed)


def _warn_of_difference(placed: Sequence[Placed]) -> None:
    """Once per policy, at the first rule whose status is not that of the rules before it."""
    first: tuple[str, str] | None = None
    for each in placed:
        for where, status in statuses(each):
            if first is None:
                first = (status, each.rule.id)
            elif status != first[0]:
                said = f"this sets {status!r}, rule {first[1]!r} {first[0]!r}: say in `status_order` which one wins"
                each.findings.warning(where, codes.STATUS_ORDER_UNSAID, said)
                return


def _warn_of_unranked(placed: Sequence[Placed], order: Collection[str]) -> None:
    told: set[str] = set()
    for each in placed:
        for where, status in statuses(each):
            if status not in order and status not in told:
                told.add(status)
                said = f"this sets {status!r}, which `status_order` leaves out: every status in it wins over this one"
                each.findings.warning(where, codes.STATUS_UNRANKED, said)


def statuses(each: Placed) -> Iterator[tuple[Path, str]]:
    """The statuses that the rule is known to set, with the places of the actions that do."""
    rule: Rule = each.rule
    for position, step in enumerate(rule.actions):
        template = step.params.get("status") if step.sets_status and rule.mode == "enforce" else None
        if isinstance(template, Constant) and isinstance(template.value, str):
            yield (*each.where, "then", position), template.value
