"""Who carries every action out.

To add one: a parameter model and an ActionSpec, listed in `specs.py`; a function `(params, call) -> Outcome` and a row
of `ACTIONS` in the vendor's file. The function returns an Outcome or raises a VendorError; validation of the parameters
and redaction of the outcome are done here, for all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import Final

from pydantic import ValidationError

from handlers import http_post, kwikid, notify, verifik
from handlers.didit.actions import ACTIONS as DIDIT
from handlers.extend import read_factory
from handlers.label import label_session
from handlers.redact import public_text, redact, shortened
from handlers.review import open_review
from handlers.specs import SPECS
from handlers.tools import Factory, Run, Tools
from receiver.contract import ActionCall, ActionSpec, Handler, Outcome
from receiver.errors import ConfigurationError, NoOutcome, Problem
from receiver.extensions import Extended

_OWN: Mapping[str, Factory] = {
    **DIDIT,
    **kwikid.ACTIONS,
    **verifik.ACTIONS,
    **notify.ACTIONS,
    **http_post.ACTIONS,
    "review": lambda tools: open_review,  # noqa: ARG005 - needs none
    "label": lambda tools: label_session,  # noqa: ARG005 - needs none
}
_FACTORIES: Final = Extended("hookwarden.actions", _OWN, read_factory)
_STATES: Final = frozenset(("done", "noop", "failed", "retry"))
_UNKNOWN: Final = "; what it did is not known"


def bind(tools: Tools) -> dict[str, Handler]:
    """The handlers that can work with these tools. Actions of a vendor that is not configured are left out. Raises
    ConfigurationError for packages whose actions cannot be made.
    """
    handlers: dict[str, Handler] = {}
    problems: list[Problem] = []
    for name, spec in SPECS.items():
        try:
            run = _made(name, tools)
        except _Unusable as fault:
            problems.append(_FACTORIES.unusable(name, str(fault)))
        else:
            if run is not None:
                handlers[name] = handler(spec, run)
    if problems:
        raise ConfigurationError(problems)
    return handlers


class _Unusable(Exception):
    """Somebody else's action cannot be made."""


def _made(name: str, tools: Tools) -> Run | None:
    if _FACTORIES.own(name):
        return _FACTORIES[name](tools)
    try:
        run = _FACTORIES[name](tools)
    except Exception as fault:  # noqa: BLE001  # whatever it was: it is theirs, and must be named
        said = public_text(f"{type(fault).__name__}: {fault}")  # the tools that it was given hold keys
        raise _Unusable(f"its `make` fails with {said}") from None
    if run is not None and not _is_async(run):
        raise _Unusable(f"its `make` gives no `async def` function, but {type(run).__name__}")
    return run


def _is_async(run: object) -> bool:
    """Whether a function, or an object that is called like one, is an `async def`."""
    return callable(run) and (iscoroutinefunction(run) or iscoroutinefunction(type(run).__call__))


def handler(spec: ActionSpec, run: Run) -> Handler:
    """A handler as the dispatcher wants it: parameters that do not fit are `failed`, and nothing secret gets out."""

    async def handle(call: ActionCall) -> Outcome:
        try:
            params = spec.params.model_validate(call.params)
        except ValidationError as error:
            return Outcome("failed", _what_does_not_fit(error))
        return _redacted(_checked(await run(params, call), call.name))

    return handle


def _what_does_not_fit(error: ValidationError) -> str:
    """Names places and expectations, never the values: a template may have put anything there."""
    findings = error.errors(include_url=False, include_input=False, include_context=False)
    said = (f"{'.'.join(map(str, finding['loc']))}: {finding['msg']}".removeprefix(": ") for finding in findings)
    return shortened(f"the parameters do not fit: {'; '.join(said)}")


def _checked(given: object, name: str) -> Outcome:
    """An outcome that can be recorded. Raises NoOutcome for anything else that a package gave back."""
    if not isinstance(given, Outcome) or given.state not in _STATES:
        shown = given.state if isinstance(given, Outcome) else type(given).__name__
        raise NoOutcome(f"internal error: {name} gave back no Outcome, but {shown!r}{_UNKNOWN}")
    try:
        json.dumps(given.result, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as fault:
        raise NoOutcome(f"internal error: the result of {name} is no JSON ({type(fault).__name__}){_UNKNOWN}") from None
    return given


def _redacted(outcome: Outcome) -> Outcome:
    reason = None if outcome.reason is None else redact(outcome.reason)
    return replace(outcome, reason=reason, result=None if outcome.result is None else redact(outcome.result))
