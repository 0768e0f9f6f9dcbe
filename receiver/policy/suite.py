"""Tests of a policy as they are written: `examples:` beside rules, and test documents (`*_test.yaml`). Read strictly.

Both become the same cases: an event, and what is expected of the decision on it. A test document may name rules only
that the policy has: a misspelt id would otherwise never fire, and the test would pass.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from receiver.contract import RESULT_PREFIX, Event, JsonObject, JsonValue
from receiver.errors import ConfigurationError, Problem
from receiver.policy import codes
from receiver.policy.document import DEFAULT_EVENTS, RuleDocument, Texts, read_policy
from receiver.policy.examples import partial_event
from receiver.policy.findings import Findings, KeyCodes, original
from receiver.policy.rules import Policy
from receiver.policy.sample import sample_event
from receiver.policy.template import Constant
from receiver.suggestion import suggestion
from receiver.yamltext import Document, Path

UNKNOWN_RULE = "T001"
NO_TESTS = "T002"
UNKNOWN_FIXTURE = "T003"
UNKNOWN_CONDITION = "T004"
NO_ACTION = "T005"
RESEMBLING_STATUS = "T006"
RESEMBLING_ACTION = "T007"
RESEMBLING_TAG = "T008"
SUITE_CODES: Mapping[str, str] = {
    UNKNOWN_RULE: "a test expects something of a rule that the policy does not have",
    NO_TESTS: "a test document without a single test",
    UNKNOWN_FIXTURE: "a test names a fixture that its document does not have",
    UNKNOWN_CONDITION: "a test names a condition that the rule does not have",
    NO_ACTION: "a test has a `result`, but does not say of which action",
    RESEMBLING_STATUS: "a test expects a status that no rule sets, but that resembles one",
    RESEMBLING_ACTION: "a test expects an action that no rule calls, but that resembles one",
    RESEMBLING_TAG: "the event of a test has a tag that is not known, but resembles a known one",
}
_ALIKE = 0.8  # how much a word must resemble another one to be a slip, from 0 to 1
_INPUTS = ("event", "raw", "action", "result")
_EMPTY_TEST: JsonObject = {"name": "put aside", "expect": {"status": None}}
_KEYS = KeyCodes("key", codes.UNKNOWN_KEY, codes.MISSING_KEY, codes.WRONG_VALUE)


def _reasons(value: object) -> object:
    return dict.fromkeys(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ExpectDocument(_Part):
    """What a decision must be. `fired`, `undecided` and `shadow` (fired, in shadow) name rules that must be so, others
    may be; an empty list says that no rule is. `not_fired` may say which condition must be the one that is false.
    `status` and `actions` (the names of those that would run, in order) are exact.
    """

    fired: Texts | None = None
    not_fired: Annotated[dict[str, str | None], BeforeValidator(_reasons), Field(min_length=1)] | None = None
    undecided: Texts | None = None
    shadow: Texts | None = None
    status: str | None = None
    actions: Texts | None = None

    @model_validator(mode="after")
    def _something(self) -> ExpectDocument:
        if "status" not in self.model_fields_set and not self.model_dump(exclude_none=True):
            raise PydanticCustomError("expects_nothing", "expects nothing: no decision could fail it")
        return self


class CaseDocument(_Part):
    """One test. `event`, `raw`, `action` and `result` are written here, or are the name of a fixture."""

    name: Annotated[str, Field(min_length=1)]
    event: dict[str, Any] | str = Field(default_factory=dict)
    raw: dict[str, Any] | str | None = None
    action: dict[str, Any] | str | None = None
    result: dict[str, Any] | str | None = None
    expect: ExpectDocument


class SuiteDocument(_Part):
    """A test document. `policy` names the file or files under test, relative to this one; without it, the configured
    policy is.
    """

    policy: Texts | None = None
    description: str | None = None
    fixtures: dict[str, Any] = Field(default_factory=dict)
    tests: list[CaseDocument]
    _problems: list[Problem] = PrivateAttr(default_factory=list)

    @property
    def problems(self) -> list[Problem]:
        """What was put aside as wrong: `suite_cases` reports it, together with what it finds in the rest."""
        return self._problems


@dataclass(frozen=True, slots=True)
class RuleExpectation:
    """What an example says of its rule: `fires` None is undecided."""

    rule: str
    fires: bool | None


Expectation: TypeAlias = RuleExpectation | ExpectDocument


@dataclass(frozen=True, slots=True)
class Case:
    """One test, ready to run; `path` and `line` are where it is written."""

    name: str
    path: str
    line: int
    event: Event
    expected: Expectation


def suite_of(document: Document) -> SuiteDocument:
    """A test document as a model. What is wrong in it is put aside, and reported by `suite_cases`. Raises
    ConfigurationError if nothing is left to look at, or the policy under test cannot be told.
    """
    findings = Findings(document)
    try:
        suite = SuiteDocument.model_validate(document.value)
    except ValidationError as error:
        for finding in error.errors(include_url=False):
            findings.misfit(original(document.value, finding["loc"]), finding, SuiteDocument, _KEYS)
        kept = _without(document.value, error)
        if kept is None:
            raise ConfigurationError(findings.problems) from None
        suite = kept
        suite.problems.extend(findings.problems)
    if not suite.tests and not findings.problems:
        findings.error(("tests",), NO_TESTS, "no test is written here, so nothing would be checked", key=True)
        raise ConfigurationError(findings.problems)
    return suite


def _without(value: JsonValue, error: ValidationError) -> SuiteDocument | None:
    """What is left without what is wrong inside of tests: the indexes of tests stay as they are."""
    left = copy.deepcopy(value)
    for finding in error.errors(include_url=False):
        where = original(left, finding["loc"])
        if where[:1] != ("tests",) or len(where) < 2 or not isinstance(left, dict):
            return None
        tests = cast("list[JsonValue]", left["tests"])
        tests[int(where[1])] = _patched(tests[int(where[1])], where[2:], missing=finding["type"] == "missing")
    try:
        return SuiteDocument.model_validate(left)
    except ValidationError:
        return None


def _patched(test: JsonValue, where: Path, *, missing: bool) -> JsonValue:
    """A test without what is wrong at a place of it."""
    if not isinstance(test, dict) or missing or where in ((), ("name",), ("expect",)):
        return {**_EMPTY_TEST, **{key: test[key] for key in _INPUTS if isinstance(test, dict) and key in test}}
    if where[0] == "expect" and isinstance(test["expect"], dict):
        kept: JsonValue = {key: inner for key, inner in test["expect"].items() if key != where[1]}
        return {**test, "expect": kept or {"status": None}}
    return {key: inner for key, inner in test.items() if key != where[0]}


def suite_cases(
    document: Document, suite: SuiteDocument, policy: Policy, known_tags: Collection[str] = ()
) -> list[Case]:
    """The cases of a test document. Raises ConfigurationError: what `suite_of` put aside, and what names no rule,
    condition, fixture or field. `known_tags` pass, whatever they resemble.
    """
    findings = Findings(document)
    findings.problems += suite.problems
    conditions = {rule.id: [each.expression.text for each in rule.conditions] for rule in policy.rules}
    words = _Words(findings, policy, known_tags)
    cases: list[Case] = []
    for index, test in enumerate(suite.tests):
        where: Path = ("tests", index)
        _check_rules(findings, (*where, "expect"), test.expect, conditions)
        words.check_expected((*where, "expect"), test.expect)
        inputs = _Inputs(findings, where, test, suite.fixtures)
        event = inputs.event()
        if event is not None:
            words.check_tags(inputs.place("event"), event.document["tags"])
            cases.append(Case(test.name, document.path, document.locate(where)[0], event, test.expect))
    if findings.problems:
        raise ConfigurationError(sorted(set(findings.problems)))
    return cases


class _Words:
    """Words of tests that nothing in the policy says, but that resemble one that it says: such a test cannot pass, or
    passes for the wrong reason. Words that resemble none are left to the run.
    """

    def __init__(self, findings: Findings, policy: Policy, known_tags: Collection[str]) -> None:
        self._findings = findings
        steps = [step for rule in policy.rules for step in rule.actions]
        self._actions = {*(step.name for step in steps), "review"}  # undecided rules open cases as well
        given = [step.params.get("status") for step in steps if step.sets_status]
        self._statuses = {each.value for each in given if isinstance(each, Constant) and isinstance(each.value, str)}
        self._templates = any(not isinstance(each, Constant) for each in given)
        self._known_tags = known_tags
        selectors = [rule.selector for rule in policy.rules]
        self._own_tags = frozenset(tag for each in selectors for tag in each.any | each.all | each.none)

    def check_expected(self, where: Path, expect: ExpectDocument) -> None:
        """The status and the actions that a test expects."""
        value = self._findings.document.value
        if expect.status is not None and not self._templates:
            self._check((*where, "status"), RESEMBLING_STATUS, "no rule sets the status", expect.status, self._statuses)
        for index, action in enumerate(expect.actions or ()):
            place = original(value, (*where, "actions", index))
            self._check(place, RESEMBLING_ACTION, "no rule calls", action, self._actions)

    def check_tags(self, where: Path, tags: Sequence[str]) -> None:
        """The tags of an event that stands at `where`, if it is said which are known."""
        for index, tag in enumerate(tags):
            if self._known_tags and tag not in self._own_tags:
                place = original(self._findings.document.value, (*where, "tags", index))
                self._check(place, RESEMBLING_TAG, "unknown tag", tag, self._known_tags)

    def _check(self, where: Path, code: str, said: str, word: str, known: Collection[str]) -> None:
        folded = {each.lower(): each for each in known}
        close = get_close_matches(word.lower(), folded, n=1, cutoff=_ALIKE)
        if word not in known and close:
            self._findings.error(where, code, f"{said} {word!r}; did you mean {folded[close[0]]!r}?")


def example_cases(document: Document) -> list[Case]:
    """The examples of a policy document that compiles. Raises ConfigurationError: events with fields that none has."""
    findings = Findings(document)
    model = read_policy(findings)
    rules = model.rules if model else []
    cases = [case for index, rule in enumerate(rules) for case in _of_rule(findings, ("rules", index), rule)]
    problems = [problem for problem in findings.problems if problem.severity == "error"]
    if problems:
        raise ConfigurationError(problems)
    return cases


def _of_rule(findings: Findings, where: Path, rule: RuleDocument) -> Iterator[Case]:
    kind = DEFAULT_EVENTS[0] if DEFAULT_EVENTS[0] in rule.on else rule.on[0]
    for index, example in enumerate(rule.examples):
        place = (*where, "examples", index)
        partial = partial_event(findings, (*place, "event"), example.event)
        if partial is not None:
            event = sample_event(partial, kind=kind, raw=example.raw, action=example.action, result=example.result)
            fires = None if example.fires == "undecided" else example.fires
            name = f"{rule.id}: {example.name or f'example {index + 1}'}"
            line = findings.document.locate(place)[0]
            yield Case(name, findings.document.path, line, event, RuleExpectation(rule.id, fires))


def _check_rules(
    findings: Findings, where: Path, expect: ExpectDocument, conditions: Mapping[str, Sequence[str]]
) -> None:
    for key in ("fired", "not_fired", "undecided", "shadow"):
        for index, rule in enumerate(getattr(expect, key) or ()):
            step = rule if key == "not_fired" else index
            place = original(findings.document.value, (*where, key, step))
            if rule not in conditions:
                said = f"no rule {rule!r} in the policy{suggestion(rule, conditions)}"
                findings.error(place, UNKNOWN_RULE, said, key=key == "not_fired")
            elif key == "not_fired":
                _check_condition(findings, place, rule, (expect.not_fired or {})[rule], conditions[rule])


def _check_condition(findings: Findings, where: Path, rule: str, text: str | None, known: Sequence[str]) -> None:
    if text is not None and squeezed(text) not in map(squeezed, known):
        said = f"rule {rule!r} has no condition {text!r}{suggestion(text, known)}"
        findings.error(where, UNKNOWN_CONDITION, said)


def squeezed(text: str) -> str:
    """A condition's text without regard to white space."""
    return re.sub(r"\s+", " ", text).strip()


class _Inputs:
    """What one test gives to the decision, fixtures put in place of their names."""

    def __init__(self, findings: Findings, where: Path, test: CaseDocument, fixtures: Mapping[str, Any]) -> None:
        self._findings, self._where, self._test, self._fixtures = findings, where, test, fixtures
        self._failed = False

    def event(self) -> Event | None:
        """The event, or None where something is wrong, which is reported."""
        raw, action, result = self._mapping("raw"), self._mapping("action"), self._mapping("result")
        given = self._mapping("event")
        partial = partial_event(self._findings, self.place("event"), given) if given is not None else None
        name = (action or {}).get("name")
        kind = f"{RESULT_PREFIX}{name}" if isinstance(name, str) else DEFAULT_EVENTS[0]
        if partial is None or self._failed:
            return None
        event = sample_event(partial, kind=kind, raw=raw, action=action, result=result)
        if result is not None and not event.document["type"].startswith(RESULT_PREFIX):
            said = "a `result` needs its action: `event: {type: action.<name>}`, or `action: {name: <name>}`"
            self._findings.error((*self._where, "result"), NO_ACTION, said, key=True)
        return event

    def place(self, key: str) -> Path:
        """Where a value is written: in the test, or among the fixtures."""
        named = getattr(self._test, key)
        return ("fixtures", named) if isinstance(named, str) else (*self._where, key)

    def _mapping(self, key: str) -> JsonObject | None:
        value = getattr(self._test, key)
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]  # a mapping or None, as the model has it
        if value not in self._fixtures:
            said = f"no fixture {value!r}{suggestion(value, self._fixtures)}"
            self._report((*self._where, key), UNKNOWN_FIXTURE, said)
        elif not isinstance(self._fixtures[value], dict):
            self._report(("fixtures", value), codes.WRONG_VALUE, f"fixture {value!r} must be a mapping to be used here")
        else:
            return self._fixtures[value]  # type: ignore[no-any-return]  # a mapping, looked at above
        return None

    def _report(self, where: Path, code: str, said: str) -> None:
        self._findings.error(where, code, said)
        self._failed = True
