"""config.yaml -> frozen settings. Fails closed: all problems at once, each with file, line and cure.

Unknown keys, unset `${VAR}`, missing, short or placeholder secrets, unknown schemes and vendors are errors. Commands
that only read what is stored may load with `environment="lenient"`: then an unset variable is a warning, and its text
stays as it stands.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from receiver.contract import JsonValue
from receiver.errors import ConfigurationError, Problem
from receiver.policy.findings import Findings, KeyCodes
from receiver.signatures.secrets import weak_secret
from receiver.signatures.table import SCHEMES
from receiver.suggestion import suggestion
from receiver.vendors.table import VENDORS
from receiver.yamltext import Document, read_yaml
from receiver.yamltext import Path as Place

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"([0-9]+)\s*(B|KiB|MiB|GiB|kB|MB|GB)?\Z")
_BYTES = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
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
}


def _duration(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.match(value)
        if not match:
            raise ValueError(f"must be a duration such as 500ms, 30s, 5m, 24h or 7d, not {value!r}")
        return float(match[1]) * _SECONDS[match[2]]
    return value


def _size(value: object) -> object:
    if isinstance(value, str):
        match = _SIZE.match(value)
        if not match:
            raise ValueError(f"must be a size such as 4096, 512KiB or 1MiB, not {value!r}")
        return int(match[1]) * _BYTES[match[2]]
    return value


Duration = Annotated[
    float, BeforeValidator(_duration), Field(gt=0, description="seconds, or text such as 500ms, 30s, 5m, 24h")
]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0, description="bytes, or text such as 512KiB, 1MiB")]
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_HOST_NAME = r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$"
_BASE_URL = r"^https?://[^/?#\s]+/?$"
Name = Annotated[str, Field(pattern=_NAME)]
HostName = Annotated[str, Field(pattern=_HOST_NAME)]
FORMS = {
    _NAME: "must be letters, digits, `-` and `_`, the first of them a letter or digit, at most 64",
    _HOST_NAME: "must be a host, or host:port, without http:// and without a path",
    _BASE_URL: "must be http(s)://host or http(s)://host:port, without a path",
}
_CODES = KeyCodes("key", unknown="C002", missing="C008", wrong="C003", forms=FORMS)
_WRITE_ONE = "; `hookwarden init` writes one, --config or HOOKWARDEN_CONFIG names another"
_POLICY_KEYS = {"rules", "let", "lists", "status_order"}  # at the top of a file: this is a policy
Role = Literal["reader", "pii_reader", "analyst", "operator"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ServerSettings(_Section):
    """Where the receiver listens, and what it lets in."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    max_body: Size = 1024**2
    body_timeout: Duration = 10.0


class TokenSettings(_Section):
    """One bearer token of the API. `role`: reader, pii_reader (also payloads), analyst (also cases), operator (all)."""

    name: Name
    role: Role
    token: str = Field(repr=False)


class ApiSettings(_Section):
    """Without tokens the API is off."""

    tokens: tuple[TokenSettings, ...] = Field(default=(), strict=False)


class VerifySettings(_Section):
    """How a source proves itself. Several secrets are accepted side by side, for rotation."""

    scheme: str
    secrets: tuple[str, ...] = Field(default=(), strict=False, repr=False)
    tolerance: Duration = 300.0


class SourceSettings(_Section):
    """One `POST /webhooks/{source}`."""

    vendor: str
    verify: VerifySettings


class VendorSettings(_Section):
    """One vendor's API. `timeout` is for a whole call."""

    base_url: str = Field(pattern=_BASE_URL)
    api_key: str = Field(repr=False)
    timeout: Duration = 30.0


class VendorsSettings(_Section):
    """The vendors whose APIs actions may call."""

    didit: VendorSettings | None = None


class ImagesSettings(_Section):
    """`allow_hosts`: `host` or `host:port` that image links may name though the guard would refuse them."""

    allow_hosts: tuple[HostName, ...] = Field(default=(), strict=False)


class RetrySettings(_Section):
    """Full-jitter backoff: a delay is drawn from 0 to min(cap, base * 2^n)."""

    base: Duration = 1.0
    cap: Duration = 300.0
    attempts: int = Field(default=8, ge=1, le=100)
    max_age: Duration = 86400.0


class ActionsSettings(_Section):
    """`dry_run` decides and records, and calls nobody."""

    mode: Literal["live", "dry_run"] = "live"
    concurrency: int = Field(default=16, ge=1, le=1000)
    retry: RetrySettings = RetrySettings()


class Settings(_Section):
    """All of config.yaml but the policy, which the policy room reads itself."""

    data_dir: Path = Field(default=Path("./var"), strict=False)
    store: str = "sqlite"
    server: ServerSettings = ServerSettings()
    api: ApiSettings = ApiSettings()
    sources: dict[Name, SourceSettings] = {}
    vendors: VendorsSettings = VendorsSettings()
    images: ImagesSettings = ImagesSettings()
    actions: ActionsSettings = ActionsSettings()
    policy: Any

    @field_validator("policy", mode="before")
    @classmethod
    def _policy_kind(cls, value: object) -> object:
        if isinstance(value, str | dict) or (
            isinstance(value, list) and value and all(isinstance(v, str) for v in value)
        ):
            return value
        raise ValueError("must be a policy written here, a file name, or a list of file names")


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
) -> Configuration:
    """Read config.yaml and the policy files it names. Raises ConfigurationError with every problem found, those that
    `check` finds in the policy documents (given also whether they stand inline) among them.
    """
    document = read_yaml(read_text(path, _WRITE_ONE), _shown(path))
    problems = list(_expand(document, environment))
    settings = _validate(document, problems)
    readable = settings or _readable_part(document)
    if readable is not None:
        unset = {(problem.line, problem.column) for problem in problems if problem.code == "C004"}
        problems.extend(problem for problem in _semantic_problems(document, readable) if _place(problem) not in unset)
    policies = _policy_documents(path, document, problems)
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


def read_text(path: Path, cure: str = "") -> str:
    """A text file, or a ConfigurationError that says why not, and `cure` where it cannot be opened."""
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows editors put a mark (BOM) before the text
    except OSError as error:
        said = f"the file cannot be read: {error.strerror or type(error).__name__}{cure}"
    except UnicodeDecodeError as error:
        wide = error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        said = (
            "the file is UTF-16 text: save it as UTF-8" if wide else f"the file is not UTF-8 text (byte {error.start})"
        )
    raise ConfigurationError([Problem(_shown(path), 1, 1, "error", "C001", said)])


def _shown(path: Path) -> str:
    """Paths in findings are relative to where the command runs."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


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
        yield document.problem(("store",), "C006", f"unknown store {kind!r}; write `store: sqlite`")
    for name, source in settings.sources.items():
        yield from _source_problems(document, ("sources", name), source)
    names = [token.name for token in settings.api.tokens]
    secrets = [token.token for token in settings.api.tokens]
    for index, token in enumerate(settings.api.tokens):
        if names.index(token.name) < index or secrets.index(token.token) < index:
            yield document.problem(("api", "tokens", index), "C003", "another token has the same name or the same text")
        yield from _secret_problems(document, ("api", "tokens", index, "token"), token.token)
    if settings.vendors.didit:
        key = settings.vendors.didit.api_key
        if not key.strip() or not all("!" <= character <= "~" for character in key):
            where = ("vendors", "didit", "api_key")
            yield document.problem(where, "C005", "the API key is blank, or holds what no HTTP header may hold")


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column


def _source_problems(document: Document, where: Place, source: SourceSettings) -> Iterator[Problem]:
    if source.vendor not in VENDORS:
        message = f"unknown vendor {source.vendor!r}{suggestion(source.vendor, VENDORS)}"
        yield document.problem((*where, "vendor"), "C006", message)
    if source.verify.scheme not in SCHEMES:
        message = f"unknown scheme {source.verify.scheme!r}{suggestion(source.verify.scheme, SCHEMES)}"
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


def _policy_documents(path: Path, document: Document, problems: list[Problem]) -> tuple[Document, ...]:
    value = document.value.get("policy") if isinstance(document.value, dict) else None
    if isinstance(value, dict):
        return (document.below(("policy",)),)
    names: list[JsonValue] = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    documents = []
    for index, name in enumerate(names):
        if not isinstance(name, str):
            continue
        try:
            documents.append(load_policy_file(path.parent / name))
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


def load_policy_file(path: Path) -> Document:
    """Read one policy file."""
    return read_yaml(read_text(path), _shown(path))
