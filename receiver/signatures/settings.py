"""What `verify:` of a source may say, a model for each scheme: unknown keys, wrong kinds and contradictions are found
before anything runs. What a secret is worth is looked at by whoever loads the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from receiver.durations import Duration
from receiver.signatures.presets import PRESETS

TOLERANCE = 300.0  # seconds, either side: what Didit, Standard Webhooks' libraries, Stripe's and Plaid's users take
_FIELD_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$"
_BASE_URL = r"^https?://[^/?#\s]+/?$"
_PLACEHOLDER = re.compile(r"(\{body\}|\{timestamp\})")
VERIFY_FORMS: Mapping[str, str] = {
    _FIELD_NAME: "must be the name of a header, or of a field in one",
    _BASE_URL: "must be http(s)://host or http(s)://host:port, without a path",
}
HeaderName = Annotated[str, Field(pattern=_FIELD_NAME)]
Secrets = Annotated[tuple[str, ...], Field(strict=False, repr=False)]


class _Verify(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    preset: str | None = None


class DiditVerify(_Verify):
    """Didit's own headers. Several secrets are accepted side by side, for rotation."""

    scheme: Literal["didit"]
    secrets: Secrets = ()
    tolerance: Duration = TOLERANCE


class StandardVerify(_Verify):
    """Standard Webhooks. Each secret says by its prefix what it is: `whsec_` (v1), `whpk_` or `whsk_` (v1a)."""

    scheme: Literal["standard-webhooks"]
    secrets: Secrets = ()
    tolerance: Duration = TOLERANCE


class CompositeSettings(BaseModel):
    """A header of fields such as `t=1614265330,v1=5257…`: their names. Blanks separate sets, commas fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    timestamp: HeaderName | None = None
    signature: HeaderName = "v1"


class AlgorithmSettings(BaseModel):
    """A header in which the sender names the hash, and which names are accepted. Absent: `hash`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    header: HeaderName
    accept: dict[str, Literal["sha256", "sha512"]] = Field(min_length=1)


class HmacVerify(_Verify):
    """An HMAC of the body, in a header. `message` is what is signed; with `{timestamp}` there is a time to go by."""

    scheme: Literal["hmac"]
    secrets: Secrets = ()
    header: HeaderName
    prefix: str = ""
    hash: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    message: str = "{body}"
    timestamp: HeaderName | None = None
    composite: CompositeSettings | None = None
    algorithm: AlgorithmSettings | None = None
    tolerance: Duration | None = None
    challenge: bool = False

    @field_validator("message")
    @classmethod
    def _known_placeholders(cls, value: str) -> str:
        parts = _PLACEHOLDER.split(value)
        if parts[1::2].count("{body}") != 1 or parts[1::2].count("{timestamp}") > 1:
            raise ValueError("must hold {body} once, and {timestamp} at most once")
        if any("{" in text or "}" in text for text in parts[::2]):
            raise ValueError("must hold no braces but {body} and {timestamp}")
        return value

    @field_validator("prefix")
    @classmethod
    def _ascii(cls, value: str) -> str:
        if not value.isascii():
            raise ValueError("must be ASCII, as headers are")
        return value

    @model_validator(mode="after")
    def _no_contradiction(self) -> HmacVerify:
        places = (self.timestamp, self.composite and self.composite.timestamp)
        timed = "{timestamp}" in self.message
        if all(places):
            raise ValueError("names two places for the time: `timestamp` and `composite: {timestamp}`")
        if timed and not any(places):
            raise ValueError("signs {timestamp}, but does not say where it stands: add `timestamp`, a header's name")
        if any(places) and not timed:
            raise ValueError("names a time that is not signed, and so proves nothing: put {timestamp} into `message`")
        if self.tolerance is not None and not timed:
            raise ValueError("has a `tolerance`, but no time that is signed: remove it")
        if self.prefix and self.composite:
            raise ValueError("has a `prefix` beside `composite`: one of them")
        self._refuse_one_place_for_two()
        return self

    def _refuse_one_place_for_two(self) -> None:
        """A header or field that stood for two things would fit neither: no delivery could ever be verified."""
        headers = [self.header, self.timestamp, self.algorithm and self.algorithm.header]
        named = [name.lower() for name in headers if name]
        if len(set(named)) < len(named):
            raise ValueError("names one header for two things: signature, time and algorithm stand in one each")
        if self.composite and self.composite.signature == self.composite.timestamp:
            raise ValueError("names one field of `composite` for both time and signature")

    @property
    def parts(self) -> tuple[str, ...]:
        """`message`, cut at its placeholders: texts and placeholders by turns."""
        return tuple(_PLACEHOLDER.split(self.message))

    @property
    def has_time(self) -> bool:
        """Whether the scheme signs a time, without which a captured delivery stays valid for good."""
        return "{timestamp}" in self.message


class JwkSettings(BaseModel):
    """A public key on P-256, as RFC 7517 writes it. `expired_at` (Unix seconds): from then on it is not accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kty: Literal["EC"]
    crv: Literal["P-256"]
    kid: str = Field(min_length=1, max_length=200)
    x: str
    y: str
    alg: Literal["ES256"] = "ES256"
    use: Literal["sig"] = "sig"
    created_at: int | None = None
    expired_at: int | None = None


class FetchSettings(BaseModel):
    """Where unknown keys are asked for, as Plaid's API has it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    base_url: str = Field(default="https://production.plaid.com", pattern=_BASE_URL)
    client_id: str = Field(repr=False, min_length=1)
    secret: str = Field(repr=False, min_length=1)


class JwtVerify(_Verify):
    """A JWT by ES256 in a header, over the hash of the body. Keys are given, or fetched by their id, or both."""

    scheme: Literal["jwt-es256"]
    header: HeaderName = "Plaid-Verification"
    keys: tuple[JwkSettings, ...] = Field(default=(), strict=False)
    fetch: FetchSettings | None = None
    tolerance: Duration = TOLERANCE

    @model_validator(mode="after")
    def _some_key(self) -> JwtVerify:
        if not self.keys and self.fetch is None:
            raise ValueError("has no key, so nothing could be verified: add `keys` or `fetch`")
        return self


class _Unsigned(_Verify):
    """`trust` lets the events act by themselves; `confirm` are actions whose reading may bear a delivery out."""

    accept_unsigned: bool = False
    trust: bool = False
    confirm: tuple[str, ...] = Field(default=(), strict=False)


class StaticVerify(_Unsigned):
    """A header that always holds the same secret. It proves no body and no time."""

    scheme: Literal["static"]
    header: HeaderName
    secrets: Secrets = ()


class NoneVerify(_Unsigned):
    """Nothing at all: whoever knows the URL may send."""

    scheme: Literal["none"]


class UnknownVerify(_Verify):
    """A scheme or preset that does not exist, read as far as it can be, so that all mistakes are named at once."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    scheme: str | None = None
    secrets: Secrets = ()


_MODELS: Mapping[str, type[_Verify]] = {
    "didit": DiditVerify,
    "standard-webhooks": StandardVerify,
    "hmac": HmacVerify,
    "jwt-es256": JwtVerify,
    "static": StaticVerify,
    "none": NoneVerify,
}
SCHEME_NAMES = tuple(_MODELS)
_UNKNOWN = "unknown"
_TAGS: Mapping[type[BaseModel], str] = {
    **{model: f"verify-{name}" for name, model in _MODELS.items()},
    UnknownVerify: f"verify-{_UNKNOWN}",
}
VERIFY_MODELS: Mapping[str, type[BaseModel]] = {tag: model for model, tag in _TAGS.items()}
"""The models by the step that pydantic puts into the place of a finding."""


def _with_preset(value: object) -> object:
    """The keys of the preset beside those that are given."""
    if not isinstance(value, dict) or not isinstance(value.get("preset"), str):
        return value
    preset = PRESETS.get(value["preset"])
    if preset is None:
        return value
    if "scheme" in value:
        raise ValueError("names a `preset`, which has its scheme: remove `scheme`")
    return {**preset, **value}


def _tag(value: Any) -> str:
    if isinstance(value, BaseModel):
        return _TAGS.get(type(value), f"verify-{_UNKNOWN}")
    name = value.get("scheme") if isinstance(value, dict) else None
    return f"verify-{name if isinstance(name, str) and name in _MODELS else _UNKNOWN}"


VerifySettings: TypeAlias = Annotated[
    Annotated[DiditVerify, Tag("verify-didit")]
    | Annotated[StandardVerify, Tag("verify-standard-webhooks")]
    | Annotated[HmacVerify, Tag("verify-hmac")]
    | Annotated[JwtVerify, Tag("verify-jwt-es256")]
    | Annotated[StaticVerify, Tag("verify-static")]
    | Annotated[NoneVerify, Tag("verify-none")]
    | Annotated[UnknownVerify, Tag("verify-unknown")],
    Discriminator(_tag),
    BeforeValidator(_with_preset),
]
"""How a source proves itself: the settings of one scheme, or of a preset, which is a scheme with its keys filled in."""
