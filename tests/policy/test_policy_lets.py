"""`let` values need each other in any order; circles and long lists of them are refused soon."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from receiver.policy.formula import MAX_LETS
from tests.support.policies import problems_of


def _refusals(lets: Mapping[str, str]) -> list[str]:
    lines = "".join(f"  {name}: {text}\n" for name, text in lets.items())
    found = problems_of(f"name: x\nlet:\n{lines}rules: [{{id: r, when: ['v0 == 1'], then: []}}]\n", "x.yaml")
    return [str(problem) for problem in found if problem.severity == "error"]


def test_of_a_long_circle_its_ends_are_named() -> None:
    circle = {f"v{place}": f"v{(place + 1) % 500}" for place in range(500)}
    said = "v0 -> v1 -> v2 -> v3 -> v4 -> v5 -> v6 -> (492 more) -> v499 -> v0"
    (refusal,) = [line for line in _refusals(circle) if " P021 " in line]
    assert refusal == f"x.yaml:3:3: error P021 `let` names need each other: {said}"


def test_circles_that_share_a_name_are_told_once() -> None:
    """All need all: there are more circles than could be written down."""
    every = " + ".join(f"v{place}" for place in range(60))
    assert [line for line in _refusals({f"v{place}": every for place in range(60)}) if " P021 " in line] == [
        "x.yaml:3:3: error P021 `let` names need each other: v0 -> v0",
        *(f"x.yaml:{3 + n}:3: error P021 `let` names need each other: v{n} -> v{n}" for n in range(1, 60)),
    ]


@pytest.mark.parametrize(("count", "refused"), [(MAX_LETS, False), (MAX_LETS + 1, True)])
def test_so_many_values_may_be_named(count: int, refused: bool) -> None:
    chain = {f"v{place}": f"v{place + 1}" for place in range(count - 1)} | {f"v{count - 1}": "'1'"}
    assert any("at most 1,000 may be named" in line for line in _refusals(chain)) is refused
