"""The shapes that every store answers in: times as text, decisions as JSON objects, JSON as bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from pydantic_core import PydanticSerializationError, to_json

from receiver.contract import Decision, JsonObject, JsonValue, RuleTrace

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
_SORTING = json.JSONEncoder(separators=(",", ":"), check_circular=False, sort_keys=True)


def iso(ms: int) -> str:
    """Unix milliseconds as ISO 8601 in UTC: `2026-11-20T21:00:00.123Z`."""
    moment = _EPOCH + timedelta(milliseconds=ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def iso_or_none(ms: int | None) -> str | None:
    """The same, for what may not have happened yet."""
    return None if ms is None else iso(ms)


def dump(value: object) -> bytes:
    """JSON as it is sealed: compact, members in their own order. pydantic's writer takes a third of json's time."""
    try:
        return to_json(value)
    except PydanticSerializationError:  # lone surrogates, which only escapes can spell
        return _ENCODER.encode(value).encode()


def dump_text(value: object) -> str:
    """The same as text that a database column can hold."""
    return dump(value).decode()


def dump_sorted(value: object) -> bytes:
    """JSON with sorted members, ASCII: equal values give equal bytes."""
    return _SORTING.encode(value).encode()


def decision_document(decision: Decision) -> JsonObject:
    """A decision as the API shows it: outcome, policy, status, the rules that were looked at, in order."""
    policy = decision.policy
    rules: list[JsonValue] = [_rule_document(rule) for rule in decision.rules]
    return {
        "outcome": decision.outcome,
        "policy": {"name": policy.name, "sha256": policy.sha256, "mode": policy.mode},
        "status": decision.status,
        "reason": decision.reason,
        "values": dict(decision.values),
        "rules": rules,
    }


def _rule_document(rule: RuleTrace) -> JsonObject:
    conditions: list[JsonValue] = [
        {
            "expr": condition.expr,
            "value": condition.value,
            "line": condition.line,
            "inputs": dict(condition.inputs),
            "missing": list(condition.missing),
        }
        for condition in rule.conditions
    ]
    return {"id": rule.id, "fired": rule.fired, "mode": rule.mode, "line": rule.line, "conditions": conditions}
