"""JSON Schema (2020-12) of policies and their tests, for editors: made from the models, so that it is never stale.

The models say what a document is once its short forms are written out; this adds the short forms, what each key is
for, and what is known of tags, statuses, event types and actions. What is not known of tags, statuses and event types
still passes, as it does in the policy itself. `check` finds more: expressions and templates are only texts here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from receiver.contract import RESULT_PREFIX, ActionSpec, JsonObject
from receiver.policy.document import DEFAULT_EVENTS, DEFAULT_STATUS_ORDER, PolicyDocument
from receiver.policy.sample import PartialEvent
from receiver.policy.schematexts import TEXTS
from receiver.policy.suite import SuiteDocument

Schema: TypeAlias = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
STATUSES: Final = (*DEFAULT_STATUS_ORDER, *"Expired Abandoned".split(), "Not Started", "In Progress", "Kyc Expired")
EVENT_TYPES: Final = (
    *DEFAULT_EVENTS,
    *"user.status.updated user.data.updated business.status.updated business.data.updated".split(),
    *"transaction.created transaction.status.updated".split(),
)
_OUTSIDE: Final = ("description", "default")
_TEMPLATE: Final[Schema] = {
    "type": "string",
    "pattern": r"\{\{",
    "description": "A template: {{ expression }}. One that is the whole value keeps its type.",
}


def policy_schema(actions: Mapping[str, ActionSpec], tags: Mapping[str, str]) -> JsonObject:
    """The schema of a policy file. `actions` are those that `then` may name, `tags` the known ones with a text each."""
    return _document("PolicyDocument", "A Hookwarden policy", policy_definitions(actions, tags))


def suite_schema(actions: Mapping[str, ActionSpec], tags: Mapping[str, str]) -> JsonObject:
    """The schema of a test document (`*_test.yaml`)."""
    return _document("SuiteDocument", "Tests of a Hookwarden policy", policy_definitions(actions, tags))


def _document(name: str, title: str, definitions: Schema) -> JsonObject:
    return {"$schema": DIALECT, "title": title, "$ref": f"#/$defs/{name}", "$defs": definitions}


def policy_definitions(actions: Mapping[str, ActionSpec], tags: Mapping[str, str]) -> Schema:
    """What stands under `$defs`: `PolicyDocument`, `SuiteDocument`, and all that they refer to."""
    found = definitions_of(PolicyDocument, SuiteDocument, PartialEvent)
    found |= {
        "tag": _known_or_any(dict(sorted(tags.items())), "A warning tag. Others than the known ones pass."),
        "status": _known_or_any(dict.fromkeys(STATUSES, ""), "A status of a session, spelt as the vendor does."),
        "eventType": _event_type(actions),
        "expression": {"type": "string", "minLength": 1, "maxLength": 4096},
    }
    for name, spec in actions.items():
        found |= _parameters(spec, f"action.{name}")
    _shorten_forms(found)
    _steps(found["StepDocument"], actions)
    describe(found, TEXTS)
    return found


def definitions_of(*models: type[BaseModel]) -> Schema:
    """The models and all that they refer to, by name, without titles, which would only repeat the keys."""
    _, schema = models_json_schema([(model, "validation") for model in models])
    return {name: _untitled(definition) for name, definition in schema["$defs"].items()}


def describe(definitions: Schema, texts: Mapping[str, str]) -> None:
    """Say what each key is for: `texts` maps `Definition.key` to it."""
    for place, text in texts.items():
        name, _, key = place.partition(".")
        properties = definitions[name]["properties"]
        if "$ref" in properties[key]:  # beside `$ref`, some editors show only what it refers to
            properties[key] = {"allOf": [properties[key]]}
        properties[key] = {"description": text, **properties[key]}


def _untitled(schema: Any) -> Any:
    """The schema without pydantic's titles, and without defaults that say nothing. Keys called `title` stay."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: value
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value in (None, {}, []))
    }
    return {key: _untitled(value) for key, value in kept.items()}


def _known_or_any(known: Mapping[str, str], description: str) -> Schema:
    """One of the known texts, which editors offer, or any other."""
    named = [{"const": name, "description": text} if text else {"const": name} for name, text in known.items()]
    return {"description": description, "anyOf": [*named, {"type": "string", "minLength": 1}]}


def _event_type(actions: Mapping[str, ActionSpec]) -> Schema:
    """An event type; of results of actions only those that there are."""
    known = dict.fromkeys(EVENT_TYPES, "")
    known |= {f"{RESULT_PREFIX}{name}": f"The result of `{name}`: rules see `result` and `action`." for name in actions}
    schema = _known_or_any(known, "An event type: of a delivery, or `action.<name>` for the result of an action.")
    schema["anyOf"][-1] = {"type": "string", "minLength": 1, "not": {"pattern": rf"^{RESULT_PREFIX[:-1]}\."}}
    return schema


def _shorten_forms(found: Schema) -> None:
    """The short forms, and references to what is known, in place of plain texts."""
    tag_list = {"type": "array", "items": _ref("tag")}
    some_tags = {**tag_list, "minItems": 1}
    rule, tags = found["RuleDocument"]["properties"], found["TagsDocument"]
    for key in ("any", "all", "none"):
        tags["properties"][key] = {"anyOf": [some_tags, {"type": "null"}]}
    tags["minProperties"] = 1
    rule["tags"] = {"anyOf": [some_tags, _ref("TagsDocument"), {"type": "null"}]}
    rule["on"] = {"anyOf": [_ref("eventType"), {"type": "array", "items": _ref("eventType"), "minItems": 1}]}
    rule["when"] = {"anyOf": [_ref("expression"), {"type": "array", "items": _ref("expression")}]}
    limit = {"type": "string", "pattern": "^[1-9][0-9]{0,8}/(second|minute|hour|day)$", "examples": ["50/hour"]}
    rule["limit"] = {"anyOf": [limit, {"type": "null"}]}
    policy = found["PolicyDocument"]["properties"]
    policy["let"]["additionalProperties"] = _ref("expression")
    policy["status_order"]["anyOf"][0]["items"] = _ref("status")
    del policy["facts"]  # not available yet: an unknown key
    event = found["PartialEventDocument"]["properties"]
    event["tags"] = {"anyOf": [tag_list, {"type": "null"}]}
    event["type"] = {"anyOf": [_ref("eventType"), {"type": "null"}]}
    for key in ("status", "previous_status"):
        event[key] = {"anyOf": [_ref("status"), {"type": "null"}]}
    found["PartialWarningDocument"]["properties"]["tag"] = _ref("tag")
    found["ExampleDocument"]["properties"]["event"] = _ref("PartialEventDocument")
    found["CaseDocument"]["properties"]["event"] = {"anyOf": [_ref("PartialEventDocument"), {"type": "string"}]}
    _shorten_expectations(found)


def _shorten_expectations(found: Schema) -> None:
    """In test documents, a text stands for a list of one."""
    expect = found["ExpectDocument"]["properties"]
    for key in ("fired", "undecided", "shadow", "actions"):
        expect[key] = {"anyOf": [{"type": "string"}, *expect[key]["anyOf"]]}
    rules: Schema = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    expect["not_fired"] = {"anyOf": [rules, *expect["not_fired"]["anyOf"]]}
    expect["status"] = {"anyOf": [_ref("status"), {"type": "null"}]}
    suite = found["SuiteDocument"]["properties"]
    suite["policy"] = {"anyOf": [{"type": "string"}, *suite["policy"]["anyOf"]]}
    suite["tests"]["minItems"] = 1


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _steps(step: Schema, actions: Mapping[str, ActionSpec]) -> None:
    """An item of `then` names exactly one action, beside the options."""
    for name, spec in actions.items():
        marks = "".join(f" {mark}." for mark in ("billable", "destructive") if getattr(spec, mark))
        parameters = {"anyOf": [_ref(f"action.{name}"), {"type": "null"}]}
        step["properties"][name] = {"description": f"{spec.description}{marks}", **parameters}
    step["oneOf"] = [{"required": [name]} for name in actions]
    step["additionalProperties"] = False


def _parameters(spec: ActionSpec, name: str) -> Schema:
    """The parameters of an action as definitions; wherever a value stands, a template may stand too."""
    schema: Schema = _untitled(spec.params.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}"))
    inner = {f"{name}.{model}": _templated(each) for model, each in schema.pop("$defs", {}).items()}
    whole = _templated(schema, plain=spec.plain)
    whole.setdefault("additionalProperties", False)
    whole["description"] = spec.description
    return {name: whole, **inner}


def _templated(schema: Schema, plain: tuple[str, ...] = ()) -> Schema:
    """An object or list, with templates let in wherever they may stand."""
    if "properties" in schema:
        properties = {
            key: value if key in plain else _or_template(value) for key, value in schema["properties"].items()
        }
        return {**schema, "properties": properties}
    if isinstance(schema.get("items"), dict):
        return {**schema, "items": _or_template(schema["items"])}
    if "anyOf" in schema:
        return {**schema, "anyOf": [_templated(each) for each in schema["anyOf"]]}
    return schema


def _or_template(schema: Schema) -> Schema:
    """A value, or a template; the value's description stays at the top, where editors look for it."""
    inner = _templated(schema)
    outside: Schema = {key: inner.pop(key) for key in _OUTSIDE if key in inner}
    return {**outside, "anyOf": [*inner.pop("anyOf"), _TEMPLATE] if set(inner) == {"anyOf"} else [inner, _TEMPLATE]}
