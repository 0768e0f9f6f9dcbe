"""What config.yaml may say, as strict frozen models. What goes beyond kinds and forms is looked at in `config.py`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from receiver.durations import Duration, Retention
from receiver.signatures.settings import VERIFY_FORMS, VerifySettings

_SIZE = re.compile(r"([0-9]+)\s*(B|KiB|MiB|GiB|kB|MB|GB)?\Z")
_BYTES = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
Role = Literal["reader", "pii_reader", "analyst", "operator"]


def _size(value: object) -> object:
    if isinstance(value, str):
        match = _SIZE.match(value)
        if not match:
            raise ValueError("must be a size such as 4096, 512KiB or 1MiB")
        return int(match[1]) * _BYTES[match[2]]
    return value


Size = Annotated[int, BeforeValidator(_size), Field(gt=0, description="bytes, or text such as 512KiB, 1MiB")]
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_HOST_NAME = r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$"
_URL = r"^https?://[^/?#\s]+(/\S*)?$"
_ORIGIN = r"^[^\s+\x00-\x1f\x7f]{1,200}$"
_BASE_URL = r"^https?://[^/?#\s]+(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$"
Name = Annotated[str, Field(pattern=_NAME)]
HostName = Annotated[str, Field(pattern=_HOST_NAME)]
FORMS = {
    _NAME: "must be letters, digits, `-` and `_`, the first of them a letter or digit, at most 64",
    _HOST_NAME: "must be a host, or host:port, without http:// and without a path",
    _URL: "must be an http(s):// URL",
    _ORIGIN: "must be a name without blanks and plus signs, such as audit.example.com/face, at most 200 characters",
    _BASE_URL: "must be http(s)://host or http(s)://host:port, without a query, and with a plain path at most",
    **VERIFY_FORMS,
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


class SourceSettings(_Section):
    """One `POST /webhooks/{source}`. `map` says where a generic sender's fields stand, by expressions over `raw`."""

    vendor: str
    verify: VerifySettings
    map: dict[str, str] = {}


class BudgetSettings(_Section):
    """How many actions an hour may be planned, attempts not counted; what is over it waits for a person. Without a
    number there is no bound.
    """

    billable: int | None = Field(default=None, ge=0)
    destructive: int | None = Field(default=None, ge=0)


class VendorSettings(_Section):
    """One vendor's API. `timeout` is for a whole call, `concurrency` bounds the calls at a time. `base_url` may have a
    path where the vendors' table says so.
    """

    base_url: str = Field(pattern=_BASE_URL)
    api_key: str = Field(repr=False)
    timeout: Duration = 30.0
    concurrency: int = Field(default=16, ge=1, le=1000)
    budget: BudgetSettings = BudgetSettings()


class HookSettings(_Section):
    """One receiver of `http.post`. `secret` signs, as Standard Webhooks has it: `whsec_` and base64."""

    url: str = Field(pattern=_URL)
    secret: str = Field(repr=False)
    timeout: Duration = 10.0


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
    """`dry_run` decides and records, and calls nobody. `concurrency` bounds the actions at a time for each vendor, for
    each of `hooks` and `notify` (at most 8), and for those that need none of them: who is slow stops nobody else.
    """

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
    """The record. `origin` names it in its checkpoints, for good; `queries` are searches with names. `master_key` wraps
    the keys in keys.db, as 64 hex digits; without it the file master.key does.
    """

    origin: str | None = Field(default=None, pattern=_ORIGIN)
    master_key: str | None = Field(default=None, repr=False)
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
    hooks: dict[Name, HookSettings] = {}
    notify: dict[Name, str] = Field(default={}, repr=False)
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
