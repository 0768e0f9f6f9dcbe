"""The `notify` action: tell people, by Slack, e-mail, Teams or whatever else Apprise knows."""

from __future__ import annotations

from functools import partial
from typing import Final

from handlers.messages import NotifyParams
from handlers.targets import Channel
from handlers.tools import Factory, Run, Tools
from receiver.contract import ActionCall, Outcome

_REPEATED: Final = "(This may be a repeat: how an earlier attempt ended is not known.)\n"


async def tell(channels: dict[str, Channel], params: NotifyParams, call: ActionCall) -> Outcome:
    """Done once the service took it. No service tells repeats apart, so a possible one says so."""
    channel = channels.get(params.to)
    if channel is None:
        return Outcome("failed", f"`notify` in config.yaml has no {params.to!r}")
    await channel.tell(params.title, (_REPEATED if call.uncertain else "") + params.message)
    return Outcome("done")


def bound(tools: Tools) -> Run | None:
    """The action over the configured channels."""
    return partial(tell, dict(tools.channels))


ACTIONS: Final[dict[str, Factory]] = {"notify": bound}
