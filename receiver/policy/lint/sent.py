"""What the actions of rules send: text that looks like a template, statuses that compete, results that never come."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from receiver.contract import RESULT_PREFIX, JsonValue
from receiver.policy import codes
from receiver.policy.document import PUT_ASIDE
from receiver.policy.findings import original
from receiver.policy.lint.placed import Placed, Source
from receiver.policy.lint.statuses import statuses
from receiver.yamltext import Path

_ALMOST = re.compile(r"(?<!\{)\$?\{\s*(?:event|raw|result|action|lists)[.\[][^{}]*\}(?!\})")
_ALWAYS_CALLED = "review"  # undecided rules open cases as well


def warn_of_what_is_sent(each: Placed) -> None:
    """In the actions of one rule."""
    for position, step in enumerate(each.written.then):
        for where, text in _texts((*each.where, "then", position), step.named):
            if almost := _ALMOST.search(text):
                said = f"{almost[0]} is sent as it is: a template is written {{{{ {almost[0].strip('${} ')} }}}}"
                each.findings.warning(where, codes.SENT_AS_IT_IS, said)
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
