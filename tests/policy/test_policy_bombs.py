"""Policies and events made to hang or to fill the memory: how each ends (bench/bombs.py measures how soon)."""

from __future__ import annotations

import pytest

from tests.support.bombs import BOMBS, ends_as, how_it_ends

CASES = [
    pytest.param(name, marks=[pytest.mark.xfail(run=False, reason=bomb.open)] if bomb.open else [])
    for name, bomb in BOMBS.items()
    if not bomb.long
]


@pytest.mark.parametrize("name", CASES)
def test_a_bomb_ends_as_it_must(name: str) -> None:
    """Refused with its code, undecided by the bound that it met, or decided; the decision can be written down."""
    bomb = BOMBS[name]
    how = how_it_ends(bomb.policy(), bomb.event())
    assert ends_as(how, bomb.ends), how[:500]
