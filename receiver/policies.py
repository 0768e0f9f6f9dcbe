"""Policies compiled against the actions and tags that there are: all that checking needs, without server and store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from handlers.specs import SPECS, unconfigured
from receiver.errors import ConfigurationError, Problem
from receiver.policy.compile import Policy, compile_policy
from receiver.policy.rules import Step
from receiver.policy.template import Constant
from receiver.vendors.tags import KNOWN_TAGS
from receiver.yamltext import Document

if TYPE_CHECKING:  # a policy file is checked without any configuration
    from receiver.config import Configuration


def compile_documents(documents: Sequence[Document], inline: bool = False) -> Policy:
    """Compile policy documents against the known actions and tags. Raises ConfigurationError."""
    return compile_policy(documents, SPECS, known_tags=KNOWN_TAGS, inline=inline)


def compile_configured(configuration: Configuration) -> Policy:
    """The configured policy, compiled. Raises ConfigurationError, also for actions whose vendor is not configured."""
    policy = compile_documents(configuration.policies, inline=configuration.inline_policy)
    refuse_unconfigured(configuration, policy)
    return policy


def refuse_unconfigured(configuration: Configuration, policy: Policy) -> None:
    """Raise ConfigurationError if the policy calls a vendor, or sends to a place, that is not configured."""
    settings = configuration.settings
    steps = [step for rule in policy.rules for step in rule.actions]
    said = [
        f"the policy calls {name}, but `vendors: {vendor}:` is not configured"
        for name, vendor in unconfigured((step.name for step in steps), settings.vendors)
    ]
    said += [
        f"the policy sends to {place!r} ({name}), but `{section}: {place}:` is not configured"
        for name, section, place in sorted(set(_places(steps)))
        if place not in getattr(settings, section)
    ]
    if said and settings.actions.mode == "live":
        path = str(configuration.path)
        raise ConfigurationError([Problem(path, 1, 1, "error", "C009", message) for message in said])


def _places(steps: Iterable[Step]) -> Iterator[tuple[str, str, str]]:
    """The action, the section of the settings, and the name in it, of everything that sends to a named place."""
    for step in steps:
        spec, to = SPECS.get(step.name), step.params.get("to")
        if spec is not None and spec.target is not None and isinstance(to, Constant):
            yield step.name, spec.target, str(to.value)


def load(path: Path, environment: Literal["strict", "lenient"] = "strict") -> Configuration:
    """Read the configuration and try its policy. Raises ConfigurationError with every problem of both."""
    return load_whole(path, environment)[0]


def load_whole(path: Path, environment: Literal["strict", "lenient"] = "strict") -> tuple[Configuration, Policy]:
    """The same, with the policy compiled, for `build`."""
    from receiver.config import load_compiled

    return load_compiled(path, compile_documents, environment, actions=SPECS)
