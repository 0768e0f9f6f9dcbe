"""What goes out of the house, opened from the settings: vendors' clients, our own receivers, channels to people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from handlers.clients import CLIENTS
from handlers.images import ImageFetcher
from handlers.specs import SPECS
from handlers.targets import AT_A_TIME, Channel, Hook
from handlers.tools import Tools
from receiver.errors import ConfigurationError, Problem
from receiver.record import Budget
from receiver.settings import Settings

T = TypeVar("T")


def budgets(settings: Settings) -> dict[str, tuple[Budget, ...]]:
    """What each action's vendor may be asked in an hour, by action."""
    found: dict[str, tuple[Budget, ...]] = {}
    for spec in SPECS.values():
        vendor = settings.vendors.get(spec.vendor or "")
        kinds = {"billable": spec.billable, "destructive": spec.destructive} if vendor is not None else {}
        found[spec.name] = tuple(
            Budget(f"{spec.vendor} {kind}", most)
            for kind, counts in kinds.items()
            if counts and vendor is not None and (most := getattr(vendor.budget, kind)) is not None
        )
    return found


def at_a_time(settings: Settings) -> dict[str, int]:
    """How many actions may run at a time, by whom they need (`ActionSpec.needs`)."""
    hooks = {f"hooks.{name}": AT_A_TIME for name in settings.hooks}
    channels = {f"notify.{name}": AT_A_TIME for name in settings.notify}
    return {**{name: vendor.concurrency for name, vendor in settings.vendors.items()}, **hooks, **channels}


def open_sink(settings: Settings, configuration: Path) -> Hook | None:
    """What posts checkpoints to the webhook of the settings. Raises ConfigurationError."""
    sink = settings.audit.checkpoints.webhook
    try:
        return None if sink is None else Hook("checkpoints", sink.url, sink.secret)
    except ValueError as fault:  # it quotes no secret
        raise ConfigurationError([_unusable(configuration, "audit: checkpoints: webhook", fault)]) from None


def _unusable(configuration: Path, section: str, fault: ValueError) -> Problem:
    return Problem(str(configuration), 1, 1, "error", "C005", f"`{section}:` {fault}")


def open_tools(settings: Settings, configuration: Path) -> Tools:
    """The tools of the handlers. Raises ConfigurationError with everything that cannot be used."""
    problems: list[Problem] = []

    def opened(section: str, makers: Mapping[str, Callable[[], T]]) -> dict[str, T]:
        made: dict[str, T] = {}
        for name, make in makers.items():
            try:
                made[name] = make()
            except ValueError as fault:  # what they raise quotes no secrets
                problems.append(_unusable(configuration, f"{section}: {name}", fault))
        return made

    clients = opened(
        "vendors",
        {
            name: partial(CLIENTS[name], to.base_url, to.api_key, to.timeout, to.concurrency)
            for name, to in settings.vendors.items()
        },
    )
    hooks = opened(
        "hooks", {name: partial(Hook, name, to.url, to.secret, to.timeout) for name, to in settings.hooks.items()}
    )
    channels = opened("notify", {name: partial(Channel, name, url) for name, url in settings.notify.items()})
    if problems:
        raise ConfigurationError(problems)
    return Tools(clients, ImageFetcher(frozenset(settings.images.allow_hosts)), hooks, channels)
