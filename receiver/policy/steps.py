"""The `then` of a rule: which action, with which parameters, checked against the action's own model."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.contract import ActionSpec, JsonObject
from receiver.policy import codes
from receiver.policy.document import PUT_ASIDE, StepDocument
from receiver.policy.findings import Findings
from receiver.policy.formula import Scope
from receiver.policy.parameters import check_parameters
from receiver.policy.rules import Step
from receiver.policy.template import compile_template, has_template
from receiver.suggestion import suggestion
from receiver.yamltext import Path

_OPTIONS = tuple(StepDocument.model_fields)


def compile_step(step: StepDocument, where: Path, scope: Scope, actions: Mapping[str, ActionSpec]) -> Step | None:
    """One item of `then`, which stands at `where`; None if it cannot be used."""
    findings = scope.findings
    name = _action_name(step.named, where, findings, actions)
    if name is None or name == PUT_ASIDE:
        return None
    place = (*where, name)
    spec = actions.get(name)
    if spec is None:
        known = suggestion(name, actions)
        findings.error(place, codes.UNKNOWN_ACTION, f"unknown action {name!r}{known}", key=True)
    given = {} if step.named[name] is None else step.named[name]
    if not isinstance(given, dict):
        findings.error(place, codes.WRONG_PARAMETER, f"the parameters of `{name}` must be a mapping")
        return None
    params = {key: compile_template(value, (*place, key), scope) for key, value in given.items()}
    if spec is None:
        return None
    check_parameters(given, params, place, spec.params, scope)
    for key in spec.plain:
        if has_template(given.get(key)):
            said = f"`{key}` of `{name}` stays in the clear for good, so it takes no `{{{{ }}}}`"
            findings.error((*place, key), codes.TEMPLATE_IN_THE_CLEAR, said)
    once, needs = step.once or spec.once, spec.needs(given)
    return Step(name, params, step.needs_approval, once, spec.sets_status, spec.biometric, needs)


def _action_name(named: JsonObject, where: Path, findings: Findings, actions: Mapping[str, ActionSpec]) -> str | None:
    """The one action that an item names."""
    names = [key for key in named if not _is_misspelt_option(key, where, findings, actions)]
    if len(names) == 1:
        return names[0]
    if not names:
        findings.error(where, codes.NOT_ONE_ACTION, "no action is named here")
        return None
    strangers = [name for name in names if name not in actions]
    if names[0] in actions and strangers == names[1:]:
        said = f"{strangers[0]!r} is no action; if it is a parameter of `{names[0]}`, indent it further"
        findings.error((*where, strangers[0]), codes.NOT_ONE_ACTION, said, key=True)
    else:
        said = f"names {' and '.join(names)}: each action is an item of its own"
        findings.error(where, codes.NOT_ONE_ACTION, said)
    return None


def _is_misspelt_option(key: str, where: Path, findings: Findings, actions: Mapping[str, ActionSpec]) -> bool:
    if key in actions:  # looked at first: comparing is slow
        return False
    hint = suggestion(key, _OPTIONS)
    if "did you mean" not in hint:
        return False
    findings.error((*where, key), codes.UNKNOWN_KEY, f"unknown key {key!r}{hint}", key=True)
    return True
