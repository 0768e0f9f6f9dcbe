"""Who carries every action out.

To add one: a parameter model and an ActionSpec, listed in `specs.py`; a function `(params, call) -> Outcome` and a row
of `ACTIONS` in the vendor's file. The function returns an Outcome or raises a VendorError; validation of the parameters
and redaction of the outcome are done here, for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import ValidationError

from handlers import http_post, kwikid, notify, verifik
from handlers.didit.actions import ACTIONS as DIDIT
from handlers.extend import read_factory
from handlers.label import label_session
from handlers.redact import redact, shortened
from handlers.review import open_review
from handlers.specs import SPECS
from handlers.tools import Factory, Run, Tools
from receiver.contract import ActionCall, ActionSpec, Handler, Outcome
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
_FACTORIES: Mapping[str, Factory] = Extended("hookwarden.actions", _OWN, read_factory)


def bind(tools: Tools) -> dict[str, Handler]:
    """The handlers that can work with these tools. Actions of a vendor that is not configured are left out."""
    return {name: handler(spec, run) for name, spec in SPECS.items() if (run := _FACTORIES[name](tools)) is not None}


def handler(spec: ActionSpec, run: Run) -> Handler:
    """A handler as the dispatcher wants it: parameters that do not fit are `failed`, and nothing secret gets out."""

    async def handle(call: ActionCall) -> Outcome:
        try:
            params = spec.params.model_validate(call.params)
        except ValidationError as error:
            return Outcome("failed", _what_does_not_fit(error))
        return _redacted(await run(params, call))

    return handle


def _what_does_not_fit(error: ValidationError) -> str:
    """Names places and expectations, never the values: a template may have put anything there."""
    findings = error.errors(include_url=False, include_input=False, include_context=False)
    said = (f"{'.'.join(map(str, finding['loc']))}: {finding['msg']}".removeprefix(": ") for finding in findings)
    return shortened(f"the parameters do not fit: {'; '.join(said)}")


def _redacted(outcome: Outcome) -> Outcome:
    reason = None if outcome.reason is None else redact(outcome.reason)
    return replace(outcome, reason=reason, result=None if outcome.result is None else redact(outcome.result))
