"""The smallest change of one value that would have turned a condition, found by trying: nothing is said that was not
tried, and where nothing can be said, nothing is.

A change is told as a relation (`event.liveness.score < 60.0`) only if the condition reads that value in one place, so
that every value in that relation turns it; otherwise as the one value that was tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from receiver.contract import RESULT_PREFIX, Decision, Event, JsonObject, JsonValue
from receiver.policy.changes import Change, Place, Scope, changes, place_text, times_read, value_at
from receiver.policy.explain import decision_document
from receiver.policy.expressions.expression import UNDECIDED, Budget, Expression, ExpressionError, ExpressionFault
from receiver.policy.expressions.parser import parse
from receiver.policy.expressions.substitute import substitute
from receiver.policy.expressions.syntax import Has, Node, walk
from receiver.policy.rules import Policy, Rule

_ROOTS_OF_EVENT = ("event", "raw", "result", "action")
_FIXED = ("lists", "facts")  # the policy's own, or gathered: no change of the event
_MAX_TRIES = 500
_BUDGET = 100_000
_GONE = object()
_FAULT = object()
_NEGATIVE = ("!=", "not in", "not startsWith", "not endsWith", "not contains")
_KINDS = {bool: "bool", int: "number", float: "number"}


def explained(decision: Decision, event: Event, policy: Policy) -> JsonObject:
    """The decision's document, with `would_change` in each condition that decided and can be told of."""
    document: Any = decision_document(decision)
    rules, lets = {rule.id: rule for rule in policy.rules}, _lets(document)
    for told in document["rules"]:
        _add_to_rule(told, _scope(rules[told["id"]], event, policy, decision), lets)
    return document  # type: ignore[no-any-return]  # the same document


def explained_again(decision: JsonObject, event: JsonObject, raw: JsonObject | None) -> JsonObject:
    """The same for a stored decision, without its policy: lists and `let` values are those that it recorded. `event`
    and `raw` are as stored. The document is changed in place.
    """
    told: Any = decision
    base: dict[str, Any] = {"event": event, "raw": raw or {}}
    if str(event.get("type")).startswith(RESULT_PREFIX):
        base |= {key: base["raw"].get(key) for key in ("action", "result")}
    lets = _lets(told)
    read = [each["inputs"] for each in told.get("let", ())]
    for rule in told["rules"]:
        for condition in rule["conditions"]:
            scope = _recorded([*read, condition["inputs"]]) | told.get("values", {}) | base
            _add(condition, rule["fired"], scope, lets)
    return decision


def _add_to_rule(told: Any, scope: Scope, lets: Mapping[str, Node]) -> None:
    for condition in told["conditions"]:
        _add(condition, told["fired"], scope, lets)


def _lets(document: Any) -> dict[str, Node]:
    """The expressions behind `let` names, those that they need put in their place. A name that two documents of a
    policy use is left out: which one a condition means is not recorded.
    """
    trees: dict[str, Node] = {}
    for each in document.get("let", ()):
        if "." not in each["name"]:
            with suppress(ExpressionError):
                trees[each["name"]] = substitute(parse(each["expr"]), trees)
    return trees


def decides(condition: Mapping[str, Any], fired: bool | None) -> bool:
    """Did this condition decide how its rule came out? All do that were true where it fired, and those that were false,
    or undecided, where it was so for them.
    """
    return True if fired else condition["value"] is fired


def _add(condition: dict[str, Any], fired: bool | None, scope: Scope, lets: Mapping[str, Node]) -> None:
    if not decides(condition, fired):
        return
    value = condition["value"]
    wanted = [not value] if value is not None else [False] if fired else [True, False]
    found = would_change(condition["expr"], value, scope, wanted, lets)
    if found is not None:
        condition["would_change"] = found


def would_change(
    text: str, value: bool | None, scope: Scope, wanted: Sequence[bool], lets: Mapping[str, Node] | None = None
) -> JsonObject | None:
    """The smallest change of one value of the event after which the condition would be as wanted (the first of these
    that can be had): `{path, op, value, gives}`. None where nothing certain can be said. `lets` are the expressions
    behind names, so that what is told is a value of the event and not a value of the policy's own.
    """
    try:
        node = substitute(parse(text), lets or {})
    except ExpressionError:
        return None
    expression = Expression(text, node, None)
    if _evaluated(expression, scope) is not (UNDECIDED if value is None else value):
        return None
    candidates = [change for _, change in zip(range(_MAX_TRIES), changes(node, scope), strict=False)]
    for gives in wanted:
        turning = [change for change in _possible(candidates, node, scope) if _turns(expression, scope, change, gives)]
        turning.sort(key=lambda change: (value_at(scope, change.place) is None, change.distance))
        told = filter(None, (_told(change, node, scope, gives) for change in turning))
        best = next(told, None)
        if best is not None:
            return best
    return None


def _possible(candidates: Sequence[Change], node: Node, scope: Scope) -> Iterator[Change]:
    asks_for_presence = any(isinstance(part, Has) for part in walk(node))
    for change in candidates:
        place, now = change.place, value_at(scope, change.place)
        parent_is_missing = len(place) > 2 and value_at(scope, place[:-1]) is None
        same_kind = now is None or change.op in ("present", "absent") or _kind(now) == _kind(change.witness)
        if (
            place[0] not in _FIXED
            and len(place) > (place[0] in _ROOTS_OF_EVENT)  # not the whole event
            and not (asks_for_presence and parent_is_missing)  # what else would come with the parent is not known
            and same_kind
        ):
            yield change


def _kind(value: JsonValue) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def _turns(expression: Expression, scope: Scope, change: Change, gives: bool) -> bool:
    changed = with_change(scope, change.place, change.op, change.witness)
    return changed is not None and _evaluated(expression, changed) is gives


def _evaluated(expression: Expression, scope: Scope) -> object:
    """True, false or UNDECIDED; a fault is none of them."""
    try:
        value = expression.evaluate(scope, Budget(_BUDGET))
    except ExpressionFault:
        return _FAULT
    return UNDECIDED if value is None else value


def with_change(scope: Scope, place: Place, op: str, value: JsonValue) -> dict[str, Any] | None:
    """The scope with another value at one place, mappings that lead there made where they are missing; None where no
    value can stand there. What is absent from an event is null in it; elsewhere the key goes.
    """
    gone = op == "absent" and place[0] != "event"
    changed: dict[str, Any] | None = _replaced(scope, place, _GONE if gone else value)
    return changed


def _replaced(inside: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    step, rest = place[0], place[1:]
    if isinstance(step, int):
        if not isinstance(inside, list) or not 0 <= step < len(inside) or (value is _GONE and not rest):
            return None
        changed = _replaced(inside[step], rest, value)
        return None if changed is None and rest else [*inside[:step], changed, *inside[step + 1 :]]
    if not isinstance(inside, Mapping) and inside is not None:
        return None
    changed = _replaced((inside or {}).get(step), rest, value)
    if changed is _GONE:
        return {key: item for key, item in (inside or {}).items() if key != step}
    return None if changed is None and rest else {**(inside or {}), step: changed}


def _told(change: Change, node: Node, scope: Scope, gives: bool) -> JsonObject | None:
    """The change in words of JSON; None where it could only be told as a whole list, or as an invented text."""
    op, value = change.op, change.value
    if op != "absent" and times_read(node, scope, change) > 1:
        if isinstance(change.witness, list) or op == "present" or (isinstance(change.witness, str) and op in _NEGATIVE):
            return None
        op, value = "==", change.witness
    return {"path": place_text(change.place), "op": op, "value": value, "gives": gives}


def _scope(rule: Rule, event: Event, policy: Policy, decision: Decision) -> dict[str, Any]:
    """What the rule's conditions saw."""
    scope: dict[str, Any] = {
        "event": event.document,
        "raw": event.raw,
        "action": event.action,
        "result": event.result,
        "lists": policy.lists[rule.document],
    }
    for formula in rule.conditions:
        scope |= {let.name: decision.values.get(let.label) for let in formula.needs}
    return scope


def _recorded(inputs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The lists and `let` values among recorded inputs."""
    scope: dict[str, Any] = {"lists": {}}
    for text, value in (pair for each in inputs for pair in each.items()):
        root, _, name = text.partition(".")
        if root == "lists":
            scope["lists"][name] = value
        elif text.isidentifier():
            scope[text] = value
    return scope
