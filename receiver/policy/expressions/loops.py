"""The macros at run time: `exists`, `all`, `filter`, `map`, bounded in length and charged by the element."""

from __future__ import annotations

from typing import Any

from receiver.policy.expressions.faults import BudgetExceeded, ExpressionFault
from receiver.policy.expressions.operators import BUDGET, Run, Slots, settle
from receiver.policy.expressions.values import UNDECIDED, Value, fault, within_list_cap


def elements(container: Value, slots: Slots, steps: int) -> list[Any] | None:
    """What a macro walks: the elements of a list, the keys of a map, None where the container is null or undecided.
    Charges `steps` for each.
    """
    if container is None or container is UNDECIDED:
        return None
    if not isinstance(container, list | dict):
        raise fault("exists, all, filter and map need a list, not", container)
    slots[BUDGET].spend(within_list_cap(len(container)) * steps)
    return container if isinstance(container, list) else list(container)


def searching(items: Run, slot: int, body: Run, steps: int, *, winner: bool) -> Run:
    """`exists` (winner True) and `all` (winner False): one element that gives the winner decides."""
    loser = not winner

    def run(slots: Slots) -> Value:
        walked = elements(items(slots), slots, steps)
        if walked is None:
            return UNDECIDED
        odd: list[Value | ExpressionFault] = []
        for item in walked:
            slots[slot] = item
            value: Value | ExpressionFault
            try:
                value = body(slots)
            except BudgetExceeded:
                raise
            except ExpressionFault as absorbed:
                value = absorbed
            if value is winner:
                return winner
            if value is not loser:
                odd.append(value)
        return settle(odd) if odd else not winner

    return run


def filtering(items: Run, slot: int, body: Run, steps: int) -> Run:
    """`filter`: undecided if any element is."""

    def run(slots: Slots) -> Value:
        walked = elements(items(slots), slots, steps)
        if walked is None:
            return UNDECIDED
        kept: list[Any] = []
        undecided = False
        for item in walked:
            slots[slot] = item
            value = body(slots)
            if value is True:
                kept.append(item)
            elif value is not False:
                undecided = settle([value]) is UNDECIDED
        return UNDECIDED if undecided else kept

    return run


def mapping(items: Run, slot: int, where: Run | None, body: Run, steps: int) -> Run:
    """`map`, with or without a condition first: undecided if any element is."""

    def run(slots: Slots) -> Value:
        walked = elements(items(slots), slots, steps)
        if walked is None:
            return UNDECIDED
        made: list[Any] = []
        undecided = False
        for item in walked:
            slots[slot] = item
            if where is not None:
                chosen = where(slots)
                if chosen is False:
                    continue
                if chosen is not True:
                    undecided = settle([chosen]) is UNDECIDED
                    continue
            value = body(slots)
            undecided = undecided or value is UNDECIDED
            made.append(value)
        return UNDECIDED if undecided else made

    return run
