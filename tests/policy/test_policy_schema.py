"""The JSON Schemas that editors check by: what ships passes, typical mistakes do not, every key says what it is for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from handlers.specs import SPECS
from receiver.cli.schema import configuration_schema, tag_texts
from receiver.policy.document import PolicyDocument
from receiver.policy.schema import policy_schema, suite_schema
from receiver.policy.suite import SuiteDocument
from receiver.settings import Settings
from receiver.vendors.tags import KNOWN_TAGS
from receiver.yamltext import read_yaml
from tests.support.processes import run

ROOT = Path(__file__).resolve().parents[2]
CONFIG: Any = read_yaml((ROOT / "config.yaml").read_text(encoding="utf-8"), "config.yaml").value
SCHEMAS: dict[str, Any] = {
    "config": configuration_schema(),
    "policy": policy_schema(SPECS, tag_texts()),
    "test": suite_schema(SPECS, tag_texts()),
}


def findings(kind: str, document: Any) -> list[str]:
    """Where the document does not fit, as JSON paths."""
    return [error.json_path for error in Draft202012Validator(SCHEMAS[kind]).iter_errors(document)]


def rule(text: str) -> dict[str, Any]:
    """A policy with one rule, whose keys are the YAML text."""
    return {"rules": [{"id": "r", **(read_yaml(text, "rule.yaml").value or {})}]}  # type: ignore[dict-item]  # a mapping


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_schema_is_a_schema(kind: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])
    assert SCHEMAS[kind]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_shipped_configuration_and_its_policy_fit() -> None:
    assert findings("config", CONFIG) == []
    assert findings("policy", CONFIG["policy"]) == []


def test_every_policy_that_check_finds_fine_fits() -> None:
    fine = ROOT / "tests" / "policy" / "bad" / "fine.yaml"
    assert findings("policy", read_yaml(fine.read_text(encoding="utf-8"), "fine.yaml").value) == []


@pytest.mark.parametrize(
    "text",
    [
        "tags: [LIVENESS_FACE_ATTACK]",
        "tags: [A_TAG_OF_TOMORROW]",
        "tags: {any: [DUPLICATED_FACE], none: [FACE_IN_BLOCKLIST], severity: [error]}",
        "on: data.updated",
        "on: [status.updated, something.new]",
        "on: action.didit.face_search",
        "when: event.status == 'Approved'",
        "when: [event.liveness.score < 60.0, 'size(event.matches) > 1']",
        "limit: 50/hour",
        "then: [{label: {add: [a, '{{ event.status }}']}}]",
        "then: [{didit.face_search: {min_similarity: '{{ 60 + 10 }}', rotate_image: true}}]",
        "then: [{didit.blocklist_add: {face: '{{ event.echo }}'}, needs_approval: true, once: event}]",
        "then: [{didit.decision: }]",
        "examples: [{event: {tags: [X], liveness: {score: 3}}, fires: undecided}]",
    ],
)
def test_what_a_rule_may_say_passes(text: str) -> None:
    assert findings("policy", rule(text)) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("thn: []", "$.rules[0]"),
        ("tags: []", "$.rules[0].tags"),
        ("tags: {}", "$.rules[0].tags"),
        ("tags: {one: [A]}", "$.rules[0].tags"),
        ("tags: {severity: [fatal]}", "$.rules[0].tags"),
        ("on: []", "$.rules[0].on"),
        ("on: action.didit.face_serch", "$.rules[0].on"),
        ("when: [1]", "$.rules[0].when"),
        ("on_missing: maybe", "$.rules[0].on_missing"),
        ("mode: dry_run", "$.rules[0].mode"),
        ("limit: 50 per hour", "$.rules[0].limit"),
        ("stop: 'yes'", "$.rules[0].stop"),
        ("then: [{didit.face_serch: {}}]", "$.rules[0].then[0]"),
        ("then: [{label: {add: [a]}, review: {queue: q, reason: r}}]", "$.rules[0].then[0]"),
        ("then: [{needs_approval: true}]", "$.rules[0].then[0]"),
        ("then: [{didit.face_search: {min_similarity: 101}}]", "$.rules[0].then[0]['didit.face_search']"),
        ("then: [{didit.face_search: {similarity: 80}}]", "$.rules[0].then[0]['didit.face_search']"),
        ("then: [{didit.update_status: {status: Denied}}]", "$.rules[0].then[0]['didit.update_status']"),
        ("then: [{didit.blocklist_add: {face: 'true'}}]", "$.rules[0].then[0]['didit.blocklist_add']"),
        ("then: [{review: {queue: q}}]", "$.rules[0].then[0].review"),
        ("examples: [{event: {livenes: {score: 3}}, fires: true}]", "$.rules[0].examples[0].event"),
        ("examples: [{event: {}, fires: 'yes'}]", "$.rules[0].examples[0].fires"),
        ("examples: [{event: {}}]", "$.rules[0].examples[0]"),
        ("id: Not An Id", "$.rules[0].id"),
    ],
)
def test_a_mistake_in_a_rule_is_found_where_it_is(text: str, where: str) -> None:
    assert set(findings("policy", rule(text))) == {where}
    assert findings("config", {"policy": rule(text)}) == ["$.policy"]


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"rules": [], "polcy": 1}, "$"),
        ({"rules": [], "version": 2}, "$.version"),
        ({"rules": [], "facts": {}}, "$"),
        ({"name": "p"}, "$"),
        ({"rules": {}}, "$.rules"),
    ],
)
def test_a_mistake_in_the_policy_is_found(document: Any, where: str) -> None:
    assert findings("policy", document) == [where]


@pytest.mark.parametrize(
    "change",
    [
        {"policy": "policies/face.yaml"},
        {"policy": ["a.yaml", "b.yaml"]},
        {"server": {"max_body": "512KiB", "body_timeout": "1.5s", "port": 0}},
        {"server": {"max_body": 4096, "body_timeout": 3}},
        {"server": {"max_body": "${BODY}", "body_timeout": "${WAIT}"}},
        {"actions": {"mode": "${MODE}"}},
        {"vendors": {"didit": {"base_url": "${DIDIT_URL}", "api_key": "k"}}},
        {"sources": {}},
    ],
)
def test_what_a_configuration_may_say_passes(change: dict[str, Any]) -> None:
    assert findings("config", {**CONFIG, **change}) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"sorces": {}}, "$"),
        ({"policy": []}, "$.policy"),
        ({"policy": 3}, "$.policy"),
        ({"store": "sqlight"}, "$.store"),
        ({"server": {"port": "8000"}}, "$.server.port"),
        ({"server": {"port": 70000}}, "$.server.port"),
        ({"server": {"max_body": "1 meg"}}, "$.server.max_body"),
        ({"server": {"body_timeout": "5 minutes"}}, "$.server.body_timeout"),
        ({"actions": {"mode": "shadow"}}, "$.actions.mode"),
        ({"actions": {"retry": {"attempts": 0}}}, "$.actions.retry.attempts"),
        ({"api": {"tokens": [{"name": "a", "role": "admin", "token": "t"}]}}, "$.api.tokens[0].role"),
        ({"sources": {"no space": {"vendor": "didit", "verify": {"scheme": "didit"}}}}, "$.sources"),
        ({"sources": {"a": {"vendor": "didt", "verify": {"scheme": "didit"}}}}, "$.sources.a.vendor"),
        ({"sources": {"a": {"vendor": "didit"}}}, "$.sources.a"),
    ],
)
def test_a_mistake_in_the_configuration_is_found_where_it_is(change: dict[str, Any], where: str) -> None:
    assert findings("config", {**CONFIG, **change}) == [where]


def test_a_configuration_needs_a_policy() -> None:
    assert findings("config", {key: value for key, value in CONFIG.items() if key != "policy"}) == ["$"]


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"tests": [{"name": "a", "event": {"tags": ["X"]}, "expect": {"fired": "r", "status": None}}]}, []),
        ({"tests": [{"name": "a", "event": "one", "expect": {"not_fired": ["r"]}}], "fixtures": {"one": {}}}, []),
        ({"tests": [{"name": "a", "expect": {"not_fired": {"r": "x > 1"}, "actions": []}}], "policy": "p.yaml"}, []),
        ({"tests": []}, ["$.tests"]),
        ({"tests": [{"name": "a", "event": {}}]}, ["$.tests[0]"]),
        ({"tests": [{"name": "a", "event": {}, "expect": {"fires": ["r"]}}]}, ["$.tests[0].expect"]),
        ({"tests": [{"name": "a", "event": {"satus": "x"}, "expect": {"fired": []}}]}, ["$.tests[0].event"]),
    ],
)
def test_test_documents_are_held_to_theirs(document: Any, where: list[str]) -> None:
    assert findings("test", document) == where


def keys(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, definition in SCHEMAS[kind]["$defs"].items():
        for key, value in definition.get("properties", {}).items():
            yield f"{name}.{key}", value


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_says_what_it_is_for(kind: str) -> None:
    found = list(keys(kind))
    assert len(found) > 80
    assert [name for name, value in found if not value.get("description")] == []


def test_no_key_of_the_models_is_forgotten() -> None:
    known = {name for kind in ("config", "test") for name, _ in keys(kind)}
    for model in (Settings, PolicyDocument, SuiteDocument):
        assert {f"{model.__name__}.{key}" for key in model.model_fields} - known <= {"PolicyDocument.facts"}


def test_editors_can_offer_every_tag_action_and_parameter() -> None:
    definitions = SCHEMAS["policy"]["$defs"]
    assert {each.get("const") for each in definitions["tag"]["anyOf"]} >= set(KNOWN_TAGS)
    assert set(definitions["StepDocument"]["properties"]) >= set(SPECS)
    for name, spec in SPECS.items():
        assert spec.description in definitions["StepDocument"]["properties"][name]["description"]
        assert set(definitions[f"action.{name}"]["properties"]) == set(spec.params.model_fields)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_command_prints_it(kind: str, tmp_path: Path) -> None:
    done = run("schema", kind, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == SCHEMAS[kind]


def test_without_a_word_the_command_prints_the_one_of_the_configuration(tmp_path: Path) -> None:
    assert json.loads(run("schema", cwd=tmp_path).stdout) == SCHEMAS["config"]
    assert run("schema", "rules", cwd=tmp_path).returncode == 2


def test_the_modelines_name_the_files_that_readme_says_to_write(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert run("init", ".", cwd=tmp_path).returncode == 0
    written = {"config.yaml": "hookwarden.schema.json", "policies/face.yaml": "../hookwarden.policy.schema.json"}
    for path, schema in written.items():
        assert f"# yaml-language-server: $schema={schema}\n" in (tmp_path / path).read_text(encoding="utf-8")
        assert f"> {schema.removeprefix('../')}" in readme
    assert (ROOT / "config.yaml").read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=")
    policy = read_yaml((tmp_path / "policies" / "face.yaml").read_text(encoding="utf-8"), "face.yaml")
    assert findings("policy", policy.value) == []


def test_no_schema_file_is_kept_in_the_project() -> None:
    assert list(ROOT.glob("*.schema.json")) == []
