"""A decision as the JSON object that the API shows, the store keeps and the command line prints: one shape."""

from __future__ import annotations

from receiver.contract import ConditionTrace, Decision, JsonObject, LetTrace, RuleTrace


def decision_document(decision: Decision) -> JsonObject:
    """The decision, without its actions (they have a life of their own). `values` (of the policy's `let` names that
    were needed), `let` (how these came out) and `reason` are there only where there is something to say.
    """
    ref = decision.policy
    document: JsonObject = {
        "outcome": decision.outcome,
        "policy": {"name": ref.name, "sha256": ref.sha256, "mode": ref.mode},
        "status": decision.status,
        "rules": [_rule(rule) for rule in decision.rules],
    }
    if decision.values:
        document["values"] = dict(decision.values)
    if decision.lets:
        document["let"] = [let_document(let) for let in decision.lets]
    if decision.reason is not None:
        document["reason"] = decision.reason
    return document


def let_document(let: LetTrace) -> JsonObject:
    """A `let` value with the values that it read."""
    return {
        "name": let.name,
        "expr": let.expr,
        "value": let.value,
        "line": let.line,
        "inputs": dict(let.inputs),
        "missing": list(let.missing),
    }


def _rule(rule: RuleTrace) -> JsonObject:
    return {
        "id": rule.id,
        "fired": rule.fired,
        "mode": rule.mode,
        "line": rule.line,
        "conditions": [condition_document(condition) for condition in rule.conditions],
    }


def condition_document(condition: ConditionTrace) -> JsonObject:
    """A condition with the values that it read."""
    return {
        "expr": condition.expr,
        "value": condition.value,
        "line": condition.line,
        "inputs": dict(condition.inputs),
        "missing": list(condition.missing),
    }
