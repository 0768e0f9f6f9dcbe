"""Templates in action parameters: what they render to."""

from __future__ import annotations

from typing import Any

import pytest

from receiver.policy.template import Hole, TemplateError, holes
from tests.support.policies import decision_on, event_of


def _rendered(template: Any) -> Any:
    """What a parameter written so is for an invented event."""
    event = event_of(
        "A",
        country=None,
        created_at=1_700_000_000,
        liveness={"score": 96.0, "method": "ACTIVE"},
        matches=[{"similarity": 70.5}],
        phone="é",
        ip={"is_vpn": True, "is_datacenter": False},
    )
    text = f"rules: [{{id: a, then: [note: {{x: {template}}}]}}]"
    (action,) = decision_on(text, event).actions
    return action.params["x"]


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("'{{ event.created_at }}'", 1_700_000_000),
        ("'{{ event.liveness.score }}'", 96.0),
        ("'{{event.ip.is_vpn}}'", True),
        ("'{{ event.tags }}'", ["A"]),
        ("'{{ event.country }}'", None),
        ("'{{ event.country == \"ESP\" }}'", None),
        ("'{{ event.session_id }}'", "s-1"),
        ("'in {{ event.session_id }}'", "in s-1"),
        ("' {{ event.created_at }}'", " 1700000000"),
        ("'{{ event.created_at }}{{ event.session_id }}'", "1700000000s-1"),
        ("'<{{ event.country }}>'", "<>"),
        ("'<{{ event.liveness.age > 1 }}>'", "<>"),
        ("'<{{ event.ip.is_vpn }}{{ event.ip.is_datacenter }}>'", "<truefalse>"),
        ("'<{{ event.liveness.score }}>'", "<96.0>"),
        ("'<{{ event.matches }}>'", '<[{"similarity": 70.5}]>'),
        ("'<{{ event.phone }}>'", "<é>"),
        ("\"<{{ '}}' }}>\"", "<}}>"),
        ("'<{{ ''it\\''s'' }}>'", "<it's>"),
        ("'a }} b { c'", "a }} b { c"),
        ("plain", "plain"),
        ("7", 7),
        ("{deep: ['{{ event.session_id }}', {er: 'a {{ event.created_at }}', constant: 1}]}", None),
    ],
)
def test_rendering(template: str, value: Any) -> None:
    if template.startswith("{deep"):
        value = {"deep": ["s-1", {"er": "a 1700000000", "constant": 1}]}
    rendered = _rendered(template)
    assert rendered == value
    assert type(rendered) is type(value)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("no", ["no"]),
        ("{{a}}", [Hole("a", 2)]),
        ("x {{ a }} y{{b}}", ["x ", Hole(" a ", 4), " y", Hole("b", 13)]),
        ("{{ {'a': {'b': 1}}.a }}", [Hole(" {'a': {'b': 1}}.a ", 2)]),
        (r"""{{ "\"}}" }}""", [Hole(r' "\"}}" ', 2)]),
    ],
)
def test_where_the_holes_are(text: str, pieces: list[str | Hole]) -> None:
    assert list(holes(text)) == pieces


@pytest.mark.parametrize(
    ("text", "offset"), [("a {{ b", 2), ("{{ a }} {{ 'b }}", 8), ("{{ a }", 0), ("ab{{ }}", 2), ("{{", 0)]
)
def test_a_template_that_cannot_be_read_says_where(text: str, offset: int) -> None:
    with pytest.raises(TemplateError) as caught:
        list(holes(text))
    assert caught.value.offset == offset
