"""What is found in a policy that is wrong, or odd: `bad/<what-is-wrong>.yaml` with all its findings beside it, and the
place of a finding inside a text, however YAML spells that text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.policy.codes import CODES
from receiver.policy.findings import Findings
from receiver.yamltext import read_yaml
from tests.support.policies import problems_of

BAD = Path(__file__).parent / "bad"
CASES = sorted(path.stem for path in BAD.glob("*.yaml"))


def _findings(case: str) -> str:
    text = (BAD / f"{case}.yaml").read_text(encoding="utf-8")
    return "".join(f"{problem}\n" for problem in problems_of(text, f"{case}.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_findings_are_these_and_no_others(case: str) -> None:
    assert _findings(case) == (BAD / f"{case}.txt").read_text(encoding="utf-8")


def test_every_code_is_found_in_some_case() -> None:
    found = {problem.split()[2] for case in CASES for problem in _findings(case).splitlines()}
    assert {code for code in found if not code.startswith("Y")} == set(CODES)


@pytest.mark.parametrize(
    "source",
    [
        "x: first second !",
        "x: 'first second !'",
        'x: "first second !"',
        "x: 'it''s second !'",
        'x: "a \\"b\\" second !"',
        "x: |\n  first\n  second !",
        "x: >\n  first\n  second !",
        "x: first\n  second !",
        'x: "first\n\n  second !"',
        "- x:\n    - y\n    - 'first second !'",
    ],
)
def test_a_place_after_a_text_is_the_place_in_the_file(source: str) -> None:
    """Quotes, folds, indentation and simple escapes are seen through."""
    document = read_yaml(source, "x.yaml")
    where = ("x",) if source.startswith("x") else (0, "x", 1)
    value = document.value
    for step in where:
        value = value[step]  # type: ignore[index]  # the shapes above
    line, column = Findings(document).place_after(where, str(value).split("!")[0])
    assert source.split("\n")[line - 1][column - 1] == "!"


def test_a_place_after_an_escape_that_gives_something_else_is_that_escape() -> None:
    document = read_yaml('x: "a \\u00e9 !"', "x.yaml")
    assert Findings(document).place_after(("x",), "a é ") == (1, 7)


def _damaged(value: Any, draw: st.DrawFn) -> Any:
    """The value with something in it replaced by something else, or gone."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        rest = {other: inner for other, inner in value.items() if other != key}
        return (
            draw(st.sampled_from([rest, {**rest, "strange": value[key]}]))
            if draw(st.booleans())
            else {**rest, key: _damaged(value[key], draw)}
        )
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        position = draw(st.integers(0, len(value) - 1))
        return [*value[:position], _damaged(value[position], draw), *value[position + 1 :]]
    return draw(
        st.sampled_from([None, True, 7, 0.5, "", "text", "{{ event.", "{{ x }}", [], {}, [[]], {"a": {"b": 1}}])
    )


@st.composite
def damaged_policies(draw: st.DrawFn) -> str:
    """The text of a policy that was right, damaged in up to four places."""
    value: Any = read_yaml((BAD / "fine.yaml").read_text(encoding="utf-8"), "fine.yaml").value
    for _ in range(draw(st.integers(1, 4))):
        value = _damaged(value, draw)
    return json.dumps(value)


@settings(max_examples=300, deadline=None)
@given(damaged_policies())
def test_whatever_is_wrong_is_found_and_nothing_else_is_raised(text: str) -> None:
    """Every finding has a place in the file and a code that is documented."""
    for problem in problems_of(text):
        assert problem.code in CODES
        assert problem.line == 1
        assert 1 <= problem.column <= len(text) + 1
