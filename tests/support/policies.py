"""What the policy tests share: a small table of actions, events in one call, policies from YAML text."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from receiver.contract import ActionSpec, Decision, Event, EventDocument, JsonObject, MatchDocument
from receiver.errors import ConfigurationError, Problem
from receiver.policy.compile import Policy, compile_policy
from receiver.policy.decide import decide
from receiver.yamltext import read_yaml


@dataclass(frozen=True)
class KnownTag:
    """A tag of the vendor's vocabulary, with its severity by default."""

    severity: str | None


KNOWN_TAGS = {
    "LIVENESS_FACE_ATTACK": KnownTag("error"),
    "DUPLICATED_FACE": KnownTag("information"),
    "POSSIBLE_DUPLICATED_FACE": KnownTag("information"),
    "FACE_IN_BLOCKLIST": KnownTag("error"),
    "LOW_LIVENESS_SCORE": KnownTag(None),
}


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Block(_Params):
    face: bool = False
    document: bool = False

    @model_validator(mode="after")
    def _something(self) -> Block:
        if not (self.face or self.document):
            raise ValueError("Must block a face or a document")
        return self


class SetStatus(_Params):
    status: Literal["Approved", "Declined", "Resubmitted", "In Review"]
    comment: str | None = None


class Search(_Params):
    min_similarity: int = Field(default=70, ge=0, le=100)


class Review(_Params):
    queue: str
    reason: str = ""
    priority: int = 0


class Found(TypedDict):
    """What the search gives."""

    total_matches: int
    matches: list[MatchDocument]


class Note(BaseModel):
    """A model that takes anything."""

    model_config = ConfigDict(extra="allow")


ACTIONS: Mapping[str, ActionSpec] = {
    spec.name: spec
    for spec in (
        ActionSpec("review", Review, "a case for a person", once="event", plain=("queue",)),
        ActionSpec("note", Note, "anything goes"),
        ActionSpec("didit.blocklist_add", Block, "block", destructive=True),
        ActionSpec("didit.update_status", SetStatus, "set the status", destructive=True, sets_status=True),
        ActionSpec("didit.face_search", Search, "look for twins", billable=True),
        ActionSpec("twins", Search, "what it gives is known", result=Found),
    )
}


def policy_from(*texts: str, inline: bool = False) -> Policy:
    """The texts, compiled as one policy of several files."""
    documents = [
        read_yaml(textwrap.dedent(text).lstrip("\n"), f"policy{index or ''}.yaml") for index, text in enumerate(texts)
    ]
    return compile_policy(documents, ACTIONS, known_tags=KNOWN_TAGS, inline=inline)


def problems_of(text: str, path: str = "policy.yaml") -> list[Problem]:
    """What is found in one policy file: the errors of a refused one, the warnings of one that is used."""
    try:
        return list(compile_policy([read_yaml(text, path)], ACTIONS, known_tags=KNOWN_TAGS).warnings)
    except ConfigurationError as error:
        return list(error.problems)


def event_of(
    *tags: str,
    warnings: Mapping[str, str | None] | None = None,
    raw: JsonObject | None = None,
    result: JsonObject | None = None,
    action: JsonObject | None = None,
    **parts: Any,
) -> Event:
    """An event with these tags, each of severity `error` unless `warnings` (tag -> severity) says otherwise."""
    severities: Mapping[str, str | None] = warnings if warnings is not None else dict.fromkeys(tags, "error")
    document: dict[str, Any] = dict.fromkeys(EventDocument.__annotations__)
    document |= {
        "source": "didit",
        "vendor": "didit",
        "vendor_event_id": "e-1",
        "type": "status.updated",
        "session_id": "s-1",
        "status": "In Review",
        "tags": list(severities),
        "warnings": [
            {"tag": tag, "feature": None, "severity": severity, "node_id": None, "data": None}
            for tag, severity in severities.items()
        ],
        "matches": [],
        "stale": False,
        "echo": False,
    }
    document |= parts
    return Event(cast("EventDocument", document), raw or {}, 1_700_000_000, "e-1", action, result)


def decision_on(text: str, event: Event) -> Decision:
    """The decision of a policy, written as its YAML text, on an event."""
    return decide(event, policy_from(text))


def outline(decision: Decision) -> dict[str, Any]:
    """A decision in short: what fired, what was planned, which status won."""
    return {
        "rules": {rule.id: rule.fired for rule in decision.rules},
        "actions": [(action.rule, action.name, action.state) for action in decision.actions],
        "status": decision.status,
    }
