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

from pydantic import ValidationError

from receiver.contract import JsonValue
from receiver.errors import ConfigurationError, Problem
from receiver.policy.compile import Policy
from receiver.policy.findings import Findings, KeyCodes
from receiver.settings import FORMS, Settings, SourceSettings
from receiver.signatures.secrets import weak_secret
from receiver.signatures.table import SCHEMES
from receiver.suggestion import suggestion
from receiver.textfiles import read_text, shown
from receiver.vendors.table import API_VENDORS, VENDORS
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
    "C006": "a store, vendor or scheme that does not exist",
    "C007": "a policy file that cannot be read",
    "C008": "a key that must be there is not",
    "C009": "the policy calls a vendor that is not configured",
    "C010": "a policy on disk that lost more than half of its rules while `serve` ran: not taken unasked",
}
_CODES = KeyCodes("key", unknown="C002", missing="C008", wrong="C003", forms=FORMS)
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
) -> Configuration:
    """Read config.yaml and the policy files it names. Raises ConfigurationError with every problem found, those that
    `check` finds in the policy documents (given also whether they stand inline) among them.

    `read` gives the texts of all files; without it config.yaml, which a person named, may also be a pipe.
    """
    text = read(path, _WRITE_ONE) if read else read_text(path, _WRITE_ONE, pipes=True)
    document = read_yaml(text, shown(path))
    problems = list(_expand(document, environment))
    settings = _validate(document, problems)
    readable = settings or _readable_part(document)
    if readable is not None:
        unset = {(problem.line, problem.column) for problem in problems if problem.code == "C004"}
        problems.extend(problem for problem in _semantic_problems(document, readable) if _place(problem) not in unset)
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
) -> tuple[Configuration, Policy]:
    """Read the configuration and compile its policy, once. Raises ConfigurationError with every problem of both."""
    compiled: list[Policy] = []

    def check(documents: Sequence[Document], inline: bool) -> Sequence[Problem]:
        try:
            compiled.append(compile_policy(documents, inline))
        except ConfigurationError as error:
            return [problem for problem in error.problems if problem.severity == "error"]
        return ()

    configuration = load_configuration(path, environment=environment, check=check, read=read)
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
        for finding in error.errors(include_url=False):
            place = tuple(step for step in finding["loc"] if not str(step).startswith("function-"))
            if place == ("policy",) and finding["type"] == "missing":
                said = "the key 'policy' is missing: write the policy under it, or the name of its file"
                found.error((), _CODES.missing, said)
            else:
                found.misfit(place, finding, Settings, _CODES)
        problems.extend(found.problems)
        return None


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


def _semantic_problems(document: Document, settings: Settings) -> Iterator[Problem]:
    kind = settings.store.partition(":")[0]  # what follows may hold a password
    if kind == "postgresql":
        yield document.problem(("store",), "C006", "PostgreSQL is not available in this version; write `store: sqlite`")
    elif settings.store != "sqlite":
        yield document.problem(("store",), "C006", f"unknown store{_quoted(kind, document)}; write `store: sqlite`")
    for name, source in settings.sources.items():
        yield from _source_problems(document, ("sources", name), source)
    names = [token.name for token in settings.api.tokens]
    secrets = [token.token for token in settings.api.tokens]
    for index, token in enumerate(settings.api.tokens):
        if names.index(token.name) < index or secrets.index(token.token) < index:
            yield document.problem(("api", "tokens", index), "C003", "another token has the same name or the same text")
        yield from _secret_problems(document, ("api", "tokens", index, "token"), token.token)
    for name, vendor in settings.vendors.items():
        if name not in API_VENDORS:
            yield document.problem(("vendors", name), "C006", f"unknown vendor {name!r}{suggestion(name, API_VENDORS)}")
        key = vendor.api_key
        if not key.strip() or not all("!" <= character <= "~" for character in key):
            where = ("vendors", name, "api_key")
            yield document.problem(where, "C005", "the API key is blank, or holds what no HTTP header may hold")


def _quoted(value: str, document: Document) -> str:
    """The value as it stands in the file; what came out of a variable may be a secret, and is not said."""
    return f" {value!r}" if value in document.text else ""


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column


def _source_problems(document: Document, where: Place, source: SourceSettings) -> Iterator[Problem]:
    if source.vendor not in VENDORS:
        message = f"unknown vendor{_quoted(source.vendor, document)}{suggestion(source.vendor, VENDORS)}"
        yield document.problem((*where, "vendor"), "C006", message)
    if source.verify.scheme not in SCHEMES:
        message = f"unknown scheme{_quoted(source.verify.scheme, document)}{suggestion(source.verify.scheme, SCHEMES)}"
        yield document.problem((*where, "verify", "scheme"), "C006", message)
    if not source.verify.secrets:
        yield document.problem(
            (*where, "verify"), "C005", "no secret is given, so nothing could be verified: add `secrets`"
        )
    for index, secret in enumerate(source.verify.secrets):
        yield from _secret_problems(document, (*where, "verify", "secrets", index), secret)


def _secret_problems(document: Document, where: Place, secret: str) -> Iterator[Problem]:
    weakness = weak_secret(secret)
    if weakness:
        yield document.problem(where, "C005", f"this secret protects nothing: {weakness}")


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
