"""Policies compiled against the actions and tags that there are: all that checking needs, without server and store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Literal

from handlers.specs import SPECS, unconfigured
from receiver.errors import ConfigurationError, Problem
from receiver.extensions import installed_problems
from receiver.policy.compile import Policy, compile_policy
from receiver.policy.findings import original
from receiver.policy.rules import Step
from receiver.policy.template import Constant
from receiver.vendors.table import API_VENDORS, VENDORS
from receiver.vendors.tags import KNOWN_TAGS
from receiver.yamltext import Document, Path

if TYPE_CHECKING:  # a policy file is checked without any configuration
    from receiver.config import Configuration
    from receiver.settings import Settings

UNCONFIGURED_CURE = ": configure it, or set `actions: {mode: dry_run}`"


def compile_documents(documents: Sequence[Document], inline: bool = False) -> Policy:
    """Compile policy documents against the known actions and tags. Raises ConfigurationError."""
    return compile_policy(documents, SPECS, known_tags=KNOWN_TAGS, inline=inline)


def compile_configured(configuration: Configuration) -> Policy:
    """The configured policy, compiled. Raises ConfigurationError, also for actions whose vendor is not configured."""
    policy = compile_documents(configuration.policies, inline=configuration.inline_policy)
    refuse_unconfigured(configuration, policy)
    return policy


def refuse_unconfigured(configuration: Configuration, policy: Policy, documents: Sequence[Document] = ()) -> None:
    """Raise ConfigurationError if the policy calls a vendor, or sends to a place, that is not configured: each is named
    once, where it stands first. `documents` are those that the policy was compiled from, where not the configured ones.
    """
    settings = configuration.settings
    if settings.actions.mode != "live":
        return
    wanted: dict[tuple[str, str], Problem] = {}
    for placed in _steps(documents or configuration.policies, policy):
        missing = _missing(settings, placed.step)
        if missing is not None and missing not in wanted:
            wanted[missing] = placed.problem(*missing)
    if wanted:
        raise ConfigurationError(sorted(wanted.values()))


@dataclass(frozen=True, slots=True)
class _Placed:
    """A step of a rule, and where it stands."""

    step: Step
    document: Document
    where: Path

    def problem(self, section: str, name: str) -> Problem:
        does = f"calls {self.step.name}" if section == "vendors" else f"sends to {name!r} ({self.step.name})"
        said = f"the policy {does}, but `{section}: {name}:` is not configured{UNCONFIGURED_CURE}"
        place = original(self.document.value, (*self.where, self.step.name))
        return self.document.problem(place, "C009", said, key=place[-1:] == (self.step.name,))


def _steps(documents: Sequence[Document], policy: Policy) -> Iterator[_Placed]:
    firsts: dict[int, int] = {}  # by document, the order of its first rule
    for rule in policy.rules:
        position = rule.order - firsts.setdefault(rule.document, rule.order)
        for index, step in enumerate(rule.actions):
            yield _Placed(step, documents[rule.document], ("rules", position, "then", index))


def _missing(settings: Settings, step: Step) -> tuple[str, str] | None:
    """The section of the settings, and the name in it, that a step needs and that is not there."""
    for _, vendor in unconfigured((step.name,), settings.vendors):
        return "vendors", vendor
    spec, to = SPECS.get(step.name), step.params.get("to")
    if spec is None or spec.target is None or not isinstance(to, Constant):
        return None
    return None if str(to.value) in getattr(settings, spec.target) else (spec.target, str(to.value))


def package_problems() -> list[Problem]:
    """What is wrong with the installed packages, also with those that no policy names: `serve` refuses them."""
    return installed_problems(SPECS, VENDORS, API_VENDORS)


def load(path: FilePath, environment: Literal["strict", "lenient"] = "strict") -> Configuration:
    """Read the configuration and try its policy. Raises ConfigurationError with every problem of both."""
    return load_whole(path, environment)[0]


def load_whole(path: FilePath, environment: Literal["strict", "lenient"] = "strict") -> tuple[Configuration, Policy]:
    """The same, with the policy compiled, for `build`."""
    from receiver.config import load_compiled

    return load_compiled(path, compile_documents, environment, actions=SPECS)
