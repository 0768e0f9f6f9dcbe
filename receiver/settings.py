"""What config.yaml may say, as strict frozen models. What goes beyond kinds and forms is looked at in `config.py`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d|y)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "y": 365 * 86400.0}
_SIZE = re.compile(r"([0-9]+)\s*(B|KiB|MiB|GiB|kB|MB|GB)?\Z")
_BYTES = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
Role = Literal["reader", "pii_reader", "analyst", "operator"]


def _duration(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.match(value)
        if not match:
            raise ValueError("must be a duration such as 500ms, 30s, 5m or 5y")  # not quoted: may be a ${SECRET}
        return float(match[1]) * _SECONDS[match[2]]
    return value


def _size(value: object) -> object:
    if isinstance(value, str):
        match = _SIZE.match(value)
        if not match:
            raise ValueError("must be a size such as 4096, 512KiB or 1MiB")
        return int(match[1]) * _BYTES[match[2]]
    return value


Duration = Annotated[
    float, BeforeValidator(_duration), Field(gt=0, description="seconds, or text such as 500ms, 30s, 5m, 24h")
]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0, description="bytes, or text such as 512KiB, 1MiB")]
Retention = Annotated[
    float, BeforeValidator(_duration), Field(ge=0, description="seconds, or text such as 90d, 5y; 0 keeps for good")
]
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_HOST_NAME = r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$"
_URL = r"^https?://[^/?#\s]+(/\S*)?$"
_ORIGIN = r"^[^\s+\x00-\x1f\x7f]{1,200}$"
_BASE_URL = r"^https?://[^/?#\s]+/?$"
Name = Annotated[str, Field(pattern=_NAME)]
HostName = Annotated[str, Field(pattern=_HOST_NAME)]
FORMS = {
    _NAME: "must be letters, digits, `-` and `_`, the first of them a letter or digit, at most 64",
    _HOST_NAME: "must be a host, or host:port, without http:// and without a path",
    _URL: "must be an http(s):// URL",
    _ORIGIN: "must be a name without blanks and plus signs, such as audit.example.com/face, at most 200 characters",
    _BASE_URL: "must be http(s)://host or http(s)://host:port, without a path",
}


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


class SyslogSettings(_Section):
    """An RFC 5424 syslog receiver: `address` is host:port (UDP), or the path of a socket such as /dev/log."""

    address: str = Field(min_length=1)


class WebhookSinkSettings(_Section):
    """A URL that checkpoints are posted to, signed with `secret` as Standard Webhooks has it."""

    url: str = Field(pattern=_URL)
    secret: str = Field(repr=False)


class CheckpointSettings(_Section):
    """How often the record is signed, and where its checkpoints go beside checkpoints.log: to places that this process
    cannot rewrite.
    """

    every: Duration = 1.0
    stdout: bool = False
    syslog: SyslogSettings | None = None
    webhook: WebhookSinkSettings | None = None


class RetentionSettings(_Section):
    """How long what is kept of each class; 0 keeps it. `hookwarden audit prune` and a running server go by it."""

    blob_biometric: Retention = Field(default=0.0, alias="blob.biometric")
    blob_pii: Retention = Field(default=0.0, alias="blob.pii")
    entry: Retention = 0.0


class AuditSettings(_Section):
    """The record. `origin` names it in its checkpoints, for good; `queries` are searches with names."""

    origin: str | None = Field(default=None, pattern=_ORIGIN)
    checkpoints: CheckpointSettings = CheckpointSettings()
    retention: RetentionSettings = RetentionSettings()
    queries: dict[Name, str] = {}


class Settings(_Section):
    """All of config.yaml but the policy, which the policy room reads itself."""

    data_dir: Path = Field(default=Path("./var"), strict=False)
    store: str = "sqlite"
    server: ServerSettings = ServerSettings()
    api: ApiSettings = ApiSettings()
    sources: dict[Name, SourceSettings] = {}
    vendors: dict[Name, VendorSettings] = {}
    images: ImagesSettings = ImagesSettings()
    actions: ActionsSettings = ActionsSettings()
    audit: AuditSettings = AuditSettings()
    policy: Any

    @field_validator("policy", mode="before")
    @classmethod
    def _policy_kind(cls, value: object) -> object:
        if isinstance(value, str | dict) or (
            isinstance(value, list) and value and all(isinstance(v, str) for v in value)
        ):
            return value
        raise ValueError("must be a policy written here, a file name, or a list of file names")
