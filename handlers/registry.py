"""Every action by name: what a policy may call, and who carries it out.

To add one: a parameter model and a function `(params, call) -> Outcome` in the vendor's file, an ActionSpec beside
them, and a row here. The function returns an Outcome or raises a VendorError; validation of the parameters and
redaction of the outcome are done here, for all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from pydantic import ValidationError

from handlers.didit import BLOCKLIST_ADD, BLOCKLIST_REMOVE, DECISION, FACE_SEARCH, UPDATE_STATUS, Didit
from handlers.http import VendorClient
from handlers.images import ImageFetcher
from handlers.label import LABEL, label_session
from handlers.redact import redact, shortened
from handlers.review import REVIEW, open_review
from receiver.contract import ActionCall, ActionSpec, Handler, Outcome

Run: TypeAlias = Callable[[Any, ActionCall], Awaitable[Outcome]]
"""Carries an action out, given its validated parameters (an instance of `spec.params`)."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What handlers work with. A vendor that is not configured is None."""

    didit: VendorClient | None
    images: ImageFetcher

    async def close(self) -> None:
        """Close all connections."""
        if self.didit is not None:
            await self.didit.close()
        await self.images.close()


Factory: TypeAlias = Callable[[Tools], Run | None]
"""Gives the function that carries an action out; None if its vendor is not configured."""


def _didit(method: Callable[[Didit, Any, ActionCall], Awaitable[Outcome]]) -> Factory:
    return lambda tools: partial(method, Didit(tools.didit, tools.images)) if tools.didit is not None else None


_TABLE: Mapping[str, tuple[ActionSpec, Factory]] = {
    "didit.face_search": (FACE_SEARCH, _didit(Didit.face_search)),
    "didit.blocklist_add": (BLOCKLIST_ADD, _didit(Didit.blocklist_add)),
    "didit.blocklist_remove": (BLOCKLIST_REMOVE, _didit(Didit.blocklist_remove)),
    "didit.update_status": (UPDATE_STATUS, _didit(Didit.update_status)),
    "didit.decision": (DECISION, _didit(Didit.decision)),
    "review": (REVIEW, lambda tools: open_review),  # noqa: ARG005 - needs none
    "label": (LABEL, lambda tools: label_session),  # noqa: ARG005 - needs none
}

SPECS: Mapping[str, ActionSpec] = {name: spec for name, (spec, _) in _TABLE.items()}


def bind(tools: Tools) -> dict[str, Handler]:
    """The handlers that can work with these tools. Actions of a vendor that is not configured are left out."""
    return {name: handler(spec, run) for name, (spec, factory) in _TABLE.items() if (run := factory(tools)) is not None}


def unconfigured(names: Iterable[str], **configured: bool) -> list[tuple[str, str]]:
    """Those of the named actions that `bind` would leave out, each with its vendor, sorted.

    `configured` says of each vendor whether it is (`didit=True`); one that is not mentioned is not. Names that no
    action has are the policy checker's to report.
    """
    specs = [SPECS[name] for name in sorted(set(names)) if name in SPECS]
    return [(spec.name, spec.vendor) for spec in specs if spec.vendor and not configured.get(spec.vendor, False)]


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
