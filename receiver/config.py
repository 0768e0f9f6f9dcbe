"""config.yaml -> frozen settings. Fails closed: all problems at once, each with file, line and cure.

Unknown keys, unset `${VAR}`, missing, short or placeholder secrets, unknown schemes and vendors are errors. Commands
that only read what is stored may load with `environment="lenient"`: then an unset variable is a warning, and its text
stays as it stands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from receiver.contract import ActionSpec, JsonValue
from receiver.errors import ConfigurationError, Problem
from receiver.policy.compile import Policy
from receiver.policy.findings import Findings, KeyCodes
from receiver.settingchecks import meaning_problems
from receiver.settings import FORMS, Settings
from receiver.signatures.settings import VERIFY_MODELS
from receiver.suggestion import suggestion
from receiver.textfiles import read_text, shown
from receiver.yamltext import Document, read_yaml
from receiver.yamltext import Path as Place

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_EITHER = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
CONFIG_CODES: Mapping[str, str] = {
    "C001": "a file cannot be read, or is not UTF-8 text",
    "C002": "a key that config.yaml does not have",
    "C003": "a value of the wrong kind or form",
    "C004": "an environment variable that is not set, or a `$` that begins none",
    "C005": "a secret, token or API key that is missing, or protects nothing",
    "C006": "a store, vendor, scheme, preset or action that does not exist",
    "C007": "a policy file that cannot be read",
    "C008": "a key that must be there is not",
    "C009": "a vendor that is called, or a place that is sent to, is not configured",
    "C010": "a policy on disk that lost more than half of its rules while `serve` ran: not taken unasked",
    "C011": "a source whose deliveries are not signed",
    "C012": "a `map` that a source cannot have, or an expression in it that cannot be run",
    "C013": "an installed package offers an action, source or vendor that cannot be used",
}
_CODES = KeyCodes("key", unknown="C002", missing="C008", wrong="C003", forms=FORMS)
_VERIFY_DEPTH = 3  # sources, name, verify, and then the model that was chosen
_WRITE_ONE = "; `hookwarden init` writes one, --config or HOOKWARDEN_CONFIG names another"
_POLICY_KEYS = {"rules", "let", "lists", "status_order"}  # at the top of a file: this is a policy
Compile: TypeAlias = "Callable[[Sequence[Document], bool], Policy]"
"""Compiles documents, given also whether they stand inline in config.yaml. Raises ConfigurationError."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings with the policy's documents beside them. `warnings` are findings that do not stop a start."""

    path: Path
    settings: Settings
    policies: tuple[Document, ...]
    inline_policy: bool
    warnings: tuple[Problem, ...]


def load_configuration(
    path: Path,
    *,
    environment: Literal["strict", "lenient"] = "strict",
    check: Callable[[Sequence[Document], bool], Sequence[Problem]] | None = None,
    read: Callable[[Path, str], str] | None = None,
    actions: Mapping[str, ActionSpec] | None = None,
) -> Configuration:
    """Read config.yaml and the policy files it names. Raises ConfigurationError with every problem found, those that
    `check` finds in the policy documents (given also whether they stand inline) among them.

    `read` gives the texts of all files; without it config.yaml, which a person named, may also be a pipe. With
    `actions`, those that the settings name are looked at too.
    """
    text = read(path, _WRITE_ONE) if read else read_text(path, _WRITE_ONE, pipes=True)
    document = read_yaml(text, shown(path))
    problems = list(_expand(document, environment))
    settings = _validate(document, problems)
    readable = settings or _readable_part(document)
    if readable is not None:
        unset = {(problem.line, problem.column) for problem in problems if problem.code == "C004"}
        meant = meaning_problems(document, readable, actions)
        problems.extend(problem for problem in meant if _place(problem) not in unset)
    policies = _policy_documents(path, document, problems, read or read_text)
    if check is not None:
        problems.extend(
            check(policies, isinstance(document.value, dict) and isinstance(document.value.get("policy"), dict))
        )
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or settings is None:
        raise ConfigurationError(problems)
    data_dir = (path.parent / settings.data_dir).resolve()
    settings = settings.model_copy(update={"data_dir": data_dir})
    return Configuration(path, settings, policies, isinstance(settings.policy, dict), tuple(problems))


def load_compiled(
    path: Path,
    compile_policy: Compile,
    environment: Literal["strict", "lenient"] = "strict",
    read: Callable[[Path, str], str] | None = None,
    actions: Mapping[str, ActionSpec] | None = None,
) -> tuple[Configuration, Policy]:
    """Read the configuration and compile its policy, once. Raises ConfigurationError with every problem of both."""
    compiled: list[Policy] = []

    def check(documents: Sequence[Document], inline: bool) -> Sequence[Problem]:
        try:
            compiled.append(compile_policy(documents, inline))
        except ConfigurationError as error:
            return error.problems
        return ()

    try:
        configuration = load_configuration(path, environment=environment, check=check, read=read, actions=actions)
    except ConfigurationError as error:  # whose mistakes hide no warning of a policy that compiles
        raise ConfigurationError([*error.problems, *(each for one in compiled for each in one.warnings)]) from None
    return configuration, compiled[0]


def _expand(document: Document, environment: str) -> Iterator[Problem]:
    """Put environment variables in place of `${VAR}`, everywhere but in an inline policy."""
    if not isinstance(document.value, dict):
        return
    for key, value in document.value.items():
        if key != "policy":
            document.value[key] = yield from _expand_value(document, value, (key,), environment)


def _expand_value(
    document: Document, value: JsonValue, where: Place, environment: str
) -> Generator[Problem, None, JsonValue]:
    if isinstance(value, str):
        if "$" in _VARIABLE.sub("", value.replace("$$", "")):
            message = (
                "a `$` here must begin a variable as ${NAME}, which has no other forms; $$ stands for the sign itself"
            )
            yield document.problem(where, "C004", message)
        for name in _VARIABLE.findall(value):
            if name not in os.environ:
                message = f"the environment variable {name} is not set; export it before `hookwarden serve`"
                yield document.problem(where, "C004", message, warning=environment == "lenient")
        return _EITHER.sub(lambda found: "$" if found[0] == "$$" else os.environ.get(found[1], found[0]), value)
    if isinstance(value, list):
        for index, item in enumerate(value):
            value[index] = yield from _expand_value(document, item, (*where, index), environment)
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = yield from _expand_value(document, item, (*where, key), environment)
    return value


def _validate(document: Document, problems: list[Problem]) -> Settings | None:
    other = _something_else(document.value)
    if other:
        problems[:] = [document.problem((), "C003", other)]
        return None
    try:
        return Settings.model_validate(document.value)
    except ValidationError as error:
        found = Findings(document)
        for reported in error.errors(include_url=False):
            place, finding, model = _pinned(reported)
            if place == ("policy",) and finding["type"] == "missing":
                said = "the key 'policy' is missing: write the policy under it, or the name of its file"
                found.error((), _CODES.missing, said)
            else:
                found.misfit(place, finding, model, _CODES)
        problems.extend(found.problems)
        return None


def _pinned(finding: ErrorDetails) -> tuple[Place, ErrorDetails, type[BaseModel]]:
    """The place of a finding in the file, and the finding as that of the innermost model that is known for certain."""
    steps = [step for step in finding["loc"] if not str(step).startswith("function-")]
    chosen = next((index for index, step in enumerate(steps) if step in VERIFY_MODELS and index == _VERIFY_DEPTH), None)
    if chosen is None:
        return tuple(steps), finding, Settings
    inner = finding.copy()
    inner["loc"] = tuple(steps[chosen + 1 :])
    return (*steps[:chosen], *inner["loc"]), inner, VERIFY_MODELS[str(steps[chosen])]


def _readable_part(document: Document) -> Settings | None:
    """The sections and sources that are right, so that what they mean can be checked although others are wrong."""
    value = document.value if isinstance(document.value, dict) else {}
    sections: dict[str, Any] = {key: part for key, part in value.items() if key in Settings.model_fields}
    sections["policy"] = ""
    try:
        Settings.model_validate(sections)
    except ValidationError as error:
        for section, *names in (finding["loc"] for finding in error.errors(include_url=False)):
            if section == "sources" and names and "sources" in sections:
                left = {name: source for name, source in sections["sources"].items() if name != names[0]}
                sections["sources"] = left
            else:
                sections.pop(str(section), None)
    return Settings.model_validate(sections)


def _something_else(value: JsonValue) -> str | None:
    """What the file is, if it is no configuration at all."""
    if value is None:
        return f"the file is empty{_WRITE_ONE}"
    if not isinstance(value, dict):
        return "a configuration must be a mapping with `sources`, `policy` and so on"
    if "policy" not in value and value.keys() & _POLICY_KEYS:
        return (
            "this is a policy, not a configuration: `hookwarden check FILE` reads it; in config.yaml `policy:` names it"
        )
    return None


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column


def _policy_documents(
    path: Path, document: Document, problems: list[Problem], read: Callable[[Path, str], str]
) -> tuple[Document, ...]:
    value = document.value.get("policy") if isinstance(document.value, dict) else None
    if isinstance(value, dict):
        return (document.below(("policy",)),)
    names: list[JsonValue] = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    documents = []
    for index, name in enumerate(names):
        if not isinstance(name, str):
            continue
        try:
            file = path.parent / name
            documents.append(read_yaml(read(file, ""), shown(file)))
        except ConfigurationError as error:
            unread = next((problem for problem in error.problems if problem.code == "C001"), None)
            where: Place = ("policy",) if isinstance(value, str) else ("policy", index)
            said = f"{name}: {unread.message}{_resembling(path.parent / name)}" if unread else ""
            problems.extend([document.problem(where, "C007", said)] if unread else error.problems)
    return tuple(documents)


def _resembling(path: Path) -> str:
    """A file beside a missing one that may have been meant."""
    if path.exists() or not path.parent.is_dir():
        return ""
    found = suggestion(path.name, [other.name for other in path.parent.iterdir() if other.suffix == path.suffix])
    return found if "did you mean" in found else ""


def policy_names(value: object) -> tuple[str, ...]:
    """The file names that `policy:` holds, relative to config.yaml; none where the policy stands there itself."""
    if isinstance(value, str):
        return (value,)
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else ()
