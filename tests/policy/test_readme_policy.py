"""README, "The policy": its tables of rule keys and of actions name what there is, with the defaults that hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from handlers.specs import SPECS
from receiver.policy.document import DEFAULT_EVENTS, PolicyDocument, RuleDocument, StepDocument, TagsDocument

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
REQUIRED = "must be there"
INHERITED = "the policy's"


def section(heading: str) -> str:
    return README.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]


def rows(heading: str) -> list[list[str]]:
    """The rows of the section's table, as cells."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def default_of(field: FieldInfo) -> str:
    """As the tables write it."""
    if field.is_required():
        return REQUIRED
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    return "none" if value in (None, "") else f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def documented(table: list[list[str]]) -> Iterator[tuple[str, str, str]]:
    """Action, parameter, default; where the action is left out, it is that of the row above. A default in words, such
    as "the session's selfie", says what is taken where nothing is given.
    """
    actions: list[str] = []
    for action, parameter, _, default, _ in table:
        actions = names(action) or actions
        for name in actions:
            for key in names(parameter):
                yield name, key, default if default == REQUIRED or default.startswith("`") else "none"


def model_keys(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


KEYS = rows("Every key of a rule")


def test_every_key_of_a_rule_is_in_the_table_in_the_order_of_the_model() -> None:
    assert [names(row[0]) for row in KEYS] == [[key] for key in RuleDocument.model_fields]
    assert all(cell for row in KEYS for cell in row)


@pytest.mark.parametrize("row", KEYS, ids=lambda row: row[0])
def test_the_default_of_a_rule_key_is_the_one_that_holds(row: list[str]) -> None:
    field = RuleDocument.model_fields[names(row[0])[0]]
    said = {"every event": "none", INHERITED: "none", "none": "none"}.get(row[2], row[2])
    expected = default_of(field)
    if row[0] == "`on`":
        expected = f"`[{', '.join(DEFAULT_EVENTS)}]`"
    assert said == ("none" if expected == "`[]`" else expected)


def test_the_keys_of_a_policy_of_tags_and_of_an_item_are_named() -> None:
    text = section("Every key of a rule")
    kept_for_later = {"facts"}
    assert set(names(text.partition("\n| key")[0])) >= model_keys(PolicyDocument) - kept_for_later
    assert set(names(next(row for row in KEYS if row[0] == "`tags`")[1])) == model_keys(TagsDocument)
    assert all(re.search(rf"`{key}[`:]", section("Every action")) for key in StepDocument.model_fields)


def test_every_parameter_of_every_action_is_in_the_table_with_its_default() -> None:
    expected = {
        (name, key, default_of(field))
        for name, spec in SPECS.items()
        for key, field in spec.params.model_fields.items()
    }
    found = list(documented(rows("Every action")))
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_every_action_stands_in_the_table_and_repeats_as_the_text_says() -> None:
    table = rows("Every action")
    assert {name for row in table for name in names(row[0])} == SPECS.keys()
    repeats = section("Every action").partition("`event` (it repeats; the default of ")[2].partition(")")[0]
    assert {name for name, spec in SPECS.items() if spec.once == "event"} == set(names(repeats))


def test_what_stays_in_the_clear_is_said_to_take_no_template() -> None:
    plain = {(name, key) for name, spec in SPECS.items() for key in spec.plain}
    actions: list[str] = []
    said = set()
    for action, parameter, takes, _, _ in rows("Every action"):
        actions = names(action) or actions
        said |= {(name, key) for name in actions for key in names(parameter) if "no `{{ }}`" in takes}
    assert said == plain
