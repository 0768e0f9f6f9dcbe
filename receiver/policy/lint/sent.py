"""What the actions of rules send: text that looks like a template, scores written as shares, statuses that compete,
results that never come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic.fields import FieldInfo

from receiver.contract import RESULT_PREFIX, ActionSpec, JsonValue, Range
from receiver.policy import codes
from receiver.policy.document import PUT_ASIDE
from receiver.policy.findings import original
from receiver.policy.lint.forms import PERCENT, odd_number
from receiver.policy.lint.placed import Placed, Source
from receiver.policy.lint.statuses import statuses
from receiver.policy.template import Constant
from receiver.yamltext import Path

_ALMOST = re.compile(r"(?<!\{)\$?\{\s*(?:event|raw|result|action|lists)[.\[][^{}]*\}(?!\})")
_ALWAYS_CALLED = "review"  # undecided rules open cases as well


def warn_of_what_is_sent(each: Placed, actions: Mapping[str, ActionSpec]) -> None:
    """In the actions of one rule."""
    for position, step in enumerate(each.written.then):
        for where, text in _texts((*each.where, "then", position), step.named):
            if almost := _ALMOST.search(text):
                said = f"{almost[0]} is sent as it is: a template is written {{{{ {almost[0].strip('${} ')} }}}}"
                each.findings.warning(where, codes.SENT_AS_IT_IS, said)
    _warn_of_shares(each, actions)
    _warn_of_two_statuses(each)


def warn_of_uncalled(sources: Sequence[Source]) -> None:
    """Rules on the results of an action that no rule of the policy calls."""
    called = {name for source in sources for each in source.placed for step in each.written.then for name in step.named}
    if PUT_ASIDE in called:
        return
    for source in sources:
        for each in source.placed:
            for position, kind in enumerate(each.written.on):
                name = kind.removeprefix(RESULT_PREFIX)
                if name not in (kind, _ALWAYS_CALLED) and name not in called:
                    place = original(each.findings.document.value, (*each.where, "on", position))
                    said = f"no rule calls `{name}`, so there is never a result of it"
                    each.findings.warning(place, codes.NEVER_CALLED, said)


def _texts(where: Path, value: JsonValue) -> Iterator[tuple[Path, str]]:
    """The texts with a brace in them, and their places."""
    if isinstance(value, str):
        if "{" in value:
            yield where, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str | dict | list):
                yield from _texts((*where, key), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts((*where, index), inner)


def _warn_of_shares(each: Placed, actions: Mapping[str, ActionSpec]) -> None:
    """Parameters that go from 0 to 100, given as 0.7: the model takes it, and nothing is ever under it."""
    for position, step in enumerate(each.rule.actions):
        fields = actions[step.name].params.model_fields
        for key, template in step.params.items():
            if not isinstance(template, Constant) or key not in fields or _range_of(fields[key]) != PERCENT:
                continue
            said = odd_number(f"`{key}`", template.value, PERCENT)
            if said:
                each.findings.warning((*each.where, "then", position, step.name, key), codes.SCORE_RANGE, said)


def _range_of(field: FieldInfo) -> Range | None:
    low = next((bound.ge for bound in field.metadata if hasattr(bound, "ge")), None)
    high = next((bound.le for bound in field.metadata if hasattr(bound, "le")), None)
    return None if low is None or high is None else Range(low, high)


def _warn_of_two_statuses(each: Placed) -> None:
    """Of calls that run together; one that waits for approval is a second step."""
    first: str | None = None
    for where, status in statuses(each):
        if each.rule.actions[int(where[-1])].needs_approval:
            continue
        first = first or status
        if status != first:
            said = f"this rule sets {first!r} and {status!r}: the more severe one wins, the other is never set"
            each.findings.warning(where, codes.TWO_STATUSES, said)
            return
