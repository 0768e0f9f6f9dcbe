"""The `http.post` action: a message to a system of your own, signed as Standard Webhooks has it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Final

from handlers.messages import HttpPostParams
from handlers.targets import Hook
from handlers.tools import Factory, Run, Tools
from receiver.contract import ActionCall, Outcome

MAX_BODY: Final = 256 * 1024  # bytes


async def post(hooks: dict[str, Hook], params: HttpPostParams, call: ActionCall) -> Outcome:
    """The message is the same, byte by byte, for every attempt, and so is its id: the receiver can tell a repeat."""
    hook = hooks.get(params.to)
    if hook is None:
        return Outcome("failed", f"`hooks` in config.yaml has no {params.to!r}")
    at = _moment(call.planned_at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = json.dumps({"type": params.type, "timestamp": at, "data": params.data}, separators=(",", ":")).encode()
    if len(body) > MAX_BODY:
        return Outcome("failed", f"the message has {len(body):,} bytes, and {MAX_BODY:,} are the most")
    status = await hook.post(call.idempotency_key, body)
    return Outcome("done", result={"bytes": len(body)}, http_status=status)


def _moment(milliseconds: int | None) -> datetime:
    return datetime.now(UTC) if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def bound(tools: Tools) -> Run | None:
    """The action over the configured receivers."""
    return partial(post, dict(tools.hooks))


ACTIONS: Final[dict[str, Factory]] = {"http.post": bound}
