"""The policy document as analysts write it (YAML), as strict models. What a value means is `compile.py`'s business.

Short forms (`tags: [A]`, `on: x`, `when: x`) become their long ones here. All findings come at once: what is wrong is
put aside, so that the rest of the document can still be checked.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from receiver.contract import JsonObject, JsonValue, Mode, Severity
from receiver.policy import codes
from receiver.policy.findings import Findings, KeyCodes, original
from receiver.yamltext import Path

DEFAULT_EVENTS = ("status.updated", "data.updated")
DEFAULT_STATUS_ORDER = ("Declined", "Resubmitted", "In Review", "Approved")

_LIMIT = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day)\Z")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
PUT_ASIDE = "(put aside)"  # stands for the action of an item of `then` that is no mapping
_HARMLESS: JsonObject = {"when": "true", "then": {PUT_ASIDE: None}}  # what can take a wrong item's place
# what can take the place of a wrong `let` value or list, so that its name stays known
_OPEN: Mapping[str, JsonValue] = {"let": "null", "lists": [None]}
_AS_ITEM = "write it as an item such as `- didit.blocklist_add: {face: true}`"
_CODES = KeyCodes("key", codes.UNKNOWN_KEY, codes.MISSING_KEY, codes.WRONG_VALUE)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _selector(value: object) -> object:
    if isinstance(value, str):
        raise PydanticCustomError("text_for_list", "must be a list, not text: put it in [ ]")
    return {"any": value} if isinstance(value, list) else value


def _steps(value: object) -> object:
    if isinstance(value, dict):
        raise PydanticCustomError("mapping_for_list", "must be a list: put `- ` before each action, also before one")
    if isinstance(value, str):
        raise PydanticCustomError("text_for_list", f"must be a list of actions: {_AS_ITEM}")
    return value


def _step(value: object) -> object:
    if isinstance(value, str):
        raise PydanticCustomError("text_for_step", f"must be an action with its parameters: {_AS_ITEM}")
    return value


def _at_least_one_key(value: object) -> object:
    if value == {}:
        raise PydanticCustomError("empty_mapping", "must hold at least one of any, all, none, severity")
    return value


def _limit(value: object) -> tuple[int, int]:
    match = _LIMIT.match(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("limit_format", "must be a count per second, minute, hour or day, such as 50/hour")
    return int(match[1]), _SECONDS[match[2]]


def _not_available(_: object) -> object:
    raise PydanticCustomError("not_available", "is kept for look-ups over stored events, which are not available yet")


Texts: TypeAlias = Annotated[list[str], BeforeValidator(_listed)]
SomeTexts: TypeAlias = Annotated[list[str], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TagsDocument(_Part):
    """Which warnings a rule is about. With `severity`, only warnings of these severities count for `any` and `all`;
    `none` looks at every tag.
    """

    any: SomeTexts | None = None
    all: SomeTexts | None = None
    none: SomeTexts | None = None
    severity: Annotated[list[Severity], Field(min_length=1)] | None = None


class StepDocument(_Part):
    """One item of `then`. The one key that is not named here is the action, its value the parameters."""

    model_config = ConfigDict(extra="allow")

    needs_approval: bool = False
    once: Literal["session", "event"] | None = None

    @property
    def named(self) -> JsonObject:
        """The actions named: exactly one, if the item is right."""
        return cast("JsonObject", self.model_extra)


class ExampleDocument(_Part):
    """A test beside a rule: an event in part, and whether the rule fires on it."""

    name: str | None = None
    event: dict[str, Any] = Field(default_factory=dict)
    raw: dict[str, Any] | None = None
    action: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    fires: Literal[True, False, "undecided"] | None


class RuleDocument(_Part):
    """One rule. Without `tags` and `when` it matches every event of its `on`."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=200)]
    description: str | None = None
    mode: Mode | None = None
    on: Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)] = Field(
        default_factory=lambda: list(DEFAULT_EVENTS)
    )
    tags: Annotated[TagsDocument, BeforeValidator(_at_least_one_key), BeforeValidator(_selector)] | None = None
    when: Texts = Field(default_factory=list)
    on_missing: Literal["skip", "fire", "review"] = "skip"
    on_stale: Literal["review", "act", "skip"] = "review"
    echo: bool = False
    then: Annotated[list[Annotated[StepDocument, BeforeValidator(_step)]], BeforeValidator(_steps)] = Field(
        default_factory=list
    )
    stop: bool = False
    limit: Annotated[tuple[int, int], BeforeValidator(_limit)] | None = None
    examples: list[ExampleDocument] = Field(default_factory=list)


class PolicyDocument(_Part):
    """One policy file, or the `policy:` of a configuration."""

    version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=200)] = "policy"
    description: str | None = None
    mode: Mode = "enforce"
    lists: dict[str, list[Any]] = Field(default_factory=dict)
    let: dict[str, str] = Field(default_factory=dict)
    status_order: SomeTexts | None = None
    facts: Annotated[Any, BeforeValidator(_not_available)] = None
    rules: list[RuleDocument]


def read_policy(findings: Findings) -> PolicyDocument | None:
    """The document as a model, its findings reported. None only if nothing of it can be used."""
    value = findings.document.value
    if not isinstance(value, dict):
        findings.error((), codes.NOT_A_MAPPING, "a policy must be a mapping with `name` and `rules`")
        return None
    try:
        return PolicyDocument.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    for finding in errors:
        where = original(value, finding["loc"])
        if finding["type"] == "not_available":
            findings.error(where, codes.NOT_AVAILABLE, f"`facts` {finding['msg']}", key=True)
        elif _is_step_option(finding):
            said = f"`{where[-1]}` is said of an action, not of a rule: put it in `then`, right below the action's name"
            findings.error(where, codes.UNKNOWN_KEY, said, key=True)
        else:
            findings.misfit(where, finding, PolicyDocument, _CODES)
    return _without(value, errors)


def _is_step_option(finding: ErrorDetails) -> bool:
    loc = finding["loc"]
    in_rule = len(loc) == 3 and loc[0] == "rules"
    return finding["type"] == "extra_forbidden" and in_rule and loc[-1] in StepDocument.model_fields


def _without(value: JsonObject, errors: Sequence[ErrorDetails]) -> PolicyDocument | None:
    """What is left of a document when everything wrong in it is put aside. Indexes of rules stay as they are."""
    left = copy.deepcopy(value)
    for error in errors:
        _put_aside(left, original(left, error["loc"]), missing=error["type"] == "missing")
    try:
        return PolicyDocument.model_validate(left)
    except ValidationError:
        return None


def _put_aside(left: JsonObject, where: Path, *, missing: bool) -> None:
    rules = left.get("rules")
    if not isinstance(rules, list):
        left["rules"] = []
    elif len(where) > 1 and where[0] in _OPEN and isinstance(left.get(str(where[0])), dict):
        left[str(where[0])] |= {str(where[1]): _OPEN[str(where[0])]}  # type: ignore[operator]  # a mapping, looked at above
    elif where[:1] == ("rules",) and len(where) > 1:
        _put_aside_in_rule(rules, int(where[1]), where[2:], missing=missing)
    else:
        _remove(left, where)


def _put_aside_in_rule(rules: list[JsonValue], index: int, where: Path, *, missing: bool) -> None:
    nameless: JsonObject = {"id": f"nameless-{index}"}
    rule = rules[index]
    if not isinstance(rule, dict):
        rules[index] = nameless
    elif where == ("id",) or (missing and not where):
        rule |= nameless
    elif len(where) == 2 and where[0] in _HARMLESS:
        cast("list[JsonValue]", rule[str(where[0])])[int(where[1])] = _HARMLESS[str(where[0])]
    else:
        _remove(rule, where)


def _remove(value: JsonValue, where: Path) -> None:
    """Remove what stands at a place; of a list the whole, so that the indexes of what stays are right."""
    holder, key = None, ""
    for step in where:
        if isinstance(value, dict):
            holder, key = value, str(step)
            value = value.get(key)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
    if holder is not None:
        holder.pop(key, None)
