"""The nouns that all rooms share: what came in, what was decided, what is to be done, how it went.

Everything here is a frozen value; nothing here does anything. `handlers/` knows this file and `errors.py`, no other
file of `receiver/`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict, get_args

from pydantic import BaseModel

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]

MISFIT = "misfit"  # pydantic's type for parameters that do not go together: see `handlers/misfit.py`
RESULT_PREFIX = "action."  # an action's result is an event of type `action.<name>`

# of sessions at Didit; case matters (its webhook documentation, "Statuses")
SessionStatus: TypeAlias = Literal[
    "Not Started",
    "In Progress",
    "Awaiting User",
    "In Review",
    "Approved",
    "Declined",
    "Resubmitted",
    "Expired",
    "Kyc Expired",
    "Abandoned",
]
SESSION_STATUSES: tuple[SessionStatus, ...] = get_args(SessionStatus)
FEATURE_STATUSES = ("Not Started", "Not Finished", "Approved", "Declined", "In Review", "Expired")  # of single checks
Severity: TypeAlias = Literal["information", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # the mildest first
Mode: TypeAlias = Literal["enforce", "shadow"]


class WarningDocument(TypedDict):
    """One finding of the vendor, from any node of any feature. Only `tag` is always there."""

    tag: str
    feature: str | None
    severity: str | None  # Didit's log_type as sent; never derived from the tag
    node_id: str | None
    data: JsonValue


class LivenessDocument(TypedDict):
    """Worst liveness check of the session. Scores are 0-100; `method` is lower case; `age` in years."""

    status: str | None
    score: float | None
    method: str | None
    face_quality: float | None
    face_luminance: float | None
    age: float | None


class FaceMatchDocument(TypedDict):
    """Selfie against document portrait; `score` is 0-100."""

    status: str | None
    score: float | None


class MatchDocument(TypedDict):
    """One look-alike found by the vendor's face search; `similarity` is 0-100."""

    session_id: str | None
    similarity: float | None
    vendor_data: str | None
    status: str | None
    source: str | None
    is_blocklisted: bool | None
    is_allowlisted: bool | None


class IdDocument(TypedDict):
    """The identity document; `issuing_state` and `nationality` as sent (alpha-3 at Didit), dates as ISO text."""

    type: str | None
    number: str | None
    issuing_state: str | None
    expiration_date: str | None
    age: float | None
    nationality: str | None


class IpDocument(TypedDict):
    """Where the session came from; `country` as sent (alpha-2 at Didit)."""

    country: str | None
    is_vpn: bool | None
    is_datacenter: bool | None


class AmlDocument(TypedDict):
    """Anti-money-laundering screening; `score` as sent."""

    score: float | None
    total_hits: float | None
    hits: list[JsonValue]


class ImagesDocument(TypedDict):
    """Short-lived signed links: secrets, kept only sealed, never logged."""

    selfie: str | None
    document: str | None
    portrait: str | None


class EventDocument(TypedDict):
    """What expressions see as `event`, and what the API shows: the same for every vendor.

    A section that the vendor did not send is None. `created_at` is in Unix seconds. `stale` and `echo` are set by the
    recorder, which alone knows what came before.
    """

    source: str
    vendor: str
    vendor_event_id: str | None
    type: str
    session_id: str | None
    session_kind: str | None
    status: str | None
    previous_status: str | None
    vendor_data: str | None
    workflow_id: str | None
    environment: str | None
    created_at: int | None
    country: str | None
    warnings: list[WarningDocument]
    tags: list[str]
    severity_max: str | None
    liveness: LivenessDocument | None
    face_match: FaceMatchDocument | None
    matches: list[MatchDocument]
    document: IdDocument | None
    ip: IpDocument | None
    aml: AmlDocument | None
    phone: str | None
    email: str | None
    images: ImagesDocument | None
    stale: bool
    echo: bool


class ActionDocument(TypedDict):
    """What expressions see as `action` in rules on an action's result: the call that gave it."""

    action_id: str
    name: str
    rule: str
    params: JsonValue
    attempt: int


@dataclass(frozen=True, slots=True)
class Verified:
    """The verifier's yes. `method` names the scheme's way (such as `x-signature`), `secret` is the index of the secret
    that matched, `signed_at` the signed time in Unix seconds, `notes` what was odd but not fatal. Schemes without
    secrets, or without a time, have None there.
    """

    method: str
    secret: int | None
    signed_at: int | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, normalised. `occurred_at` (Unix seconds, signed) orders the events of a session;
    `dedupe_key` is the same for every delivery of the same event.
    """

    document: EventDocument
    raw: JsonObject
    occurred_at: int | None
    dedupe_key: str
    action: JsonObject | None = None  # in result events: the action that gave `result`
    result: JsonObject | None = None
    depth: int = 0  # how many result events lie between this one and a delivery


class ConditionTrace(NamedTuple):
    """How one condition of a rule came out: `value` None is undecided; `inputs` are the values that it read."""

    expr: str
    value: bool | None
    line: int
    inputs: Mapping[str, JsonValue]
    missing: tuple[str, ...]


class LetTrace(NamedTuple):
    """How one `let` value that was needed came out. `name` is as in `Decision.values`; `inputs` are the values that it
    read.
    """

    name: str
    expr: str
    value: JsonValue
    line: int
    inputs: Mapping[str, JsonValue]
    missing: tuple[str, ...]


class RuleTrace(NamedTuple):
    """How one rule that was looked at came out: `fired` None is undecided."""

    id: str
    fired: bool | None
    mode: Mode
    line: int
    conditions: tuple[ConditionTrace, ...]


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """One call that a decision asks for. `state` is where it starts its life: `planned`, `awaiting_approval`, or
    `skipped` (shadow, superseded) with the reason.
    """

    name: str
    rule: str
    params: JsonObject
    state: Literal["planned", "awaiting_approval", "skipped"] = "planned"
    reason: str | None = None
    once: Literal["session", "event"] = "session"
    limit: tuple[int, int] | None = None  # at most so many firings of this rule in so many seconds
    biometric: bool = False  # its parameters and results are biometric data
    needs: str = ""  # whose places it takes while it runs: see `ActionSpec.needs`


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """The policy version that a decision stands on."""

    name: str
    sha256: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says of one event, with its reasons. Pure data: the same event and policy give the same one."""

    outcome: Literal["decided", "undecided", "echo"]
    policy: PolicyRef
    status: str | None
    rules: tuple[RuleTrace, ...]
    actions: tuple[PlannedAction, ...]
    values: Mapping[str, JsonValue] = field(default_factory=dict)  # the `let` values that were computed
    reason: str | None = None  # why undecided: the policy's fault at run time
    lets: tuple[LetTrace, ...] = ()  # how these values came out, each after those that it needs


ActionState: TypeAlias = Literal[
    "planned", "running", "waiting_retry", "awaiting_approval", "done", "noop", "failed", "dead", "skipped", "rejected"
]
UNFINISHED_STATES: tuple[ActionState, ...] = ("planned", "running", "waiting_retry", "awaiting_approval")
FINISHED_STATES: tuple[ActionState, ...] = ("done", "noop", "failed", "dead", "skipped", "rejected")


@dataclass(frozen=True, slots=True)
class OpenReview:
    """An effect of an action: a case for a person."""

    queue: str
    reason: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class LabelSession:
    """An effect of an action: marks on the session."""

    add: tuple[str, ...]
    remove: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RaiseAlert:
    """An effect of an action: an entry of kind `alert`, which somebody should see. `subject` is what it is about, such
    as `didit.balance`; neither names a person. Whoever gives it sees to it that it is given once, not for each event.
    """

    subject: str
    text: str


Effect: TypeAlias = OpenReview | LabelSession | RaiseAlert


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt at an action ended. Effects are applied in the transaction that records the outcome.

    `handover` holds what is stored nowhere, such as a report or a link that opens a session: only who calls an action
    by hand is given it.
    """

    state: Literal["done", "noop", "failed", "retry"]
    reason: str | None = None
    result: JsonObject | None = None
    http_status: int | None = None
    retry_after: float | None = None  # seconds
    effects: tuple[Effect, ...] = ()
    unsent: bool = False  # of a `retry` or `failed`: nothing was sent that could have had an effect
    handover: Mapping[str, str | bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ActionCall:
    """What a handler is given. `idempotency_key` is the same for every attempt at this action; `repeated` says that an
    earlier attempt was in flight when its process died, `unanswered` that one ended without an answer that tells
    whether it took effect: either way it may have. `files` are contents by the name of the parameter that they stand
    for; only who calls by hand can give them: a policy names no file.
    """

    action_id: str
    idempotency_key: str
    name: str
    params: JsonObject
    event: EventDocument
    attempt: int
    repeated: bool
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    unanswered: bool = False
    planned_at: int | None = None  # Unix ms, the same for every attempt

    @property
    def uncertain(self) -> bool:
        """Whether an earlier attempt may have taken effect without our knowing."""
        return self.repeated or self.unanswered


Handler: TypeAlias = Callable[[ActionCall], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Range:
    """What is known of a place in a result: its numbers go from `low` to `high`, both included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Words:
    """What is known of a place in a result: the words that stand there, case and all. `noun` says what they are called;
    tags without words are the vendor's. `closed`: no other word ever does (with none, nothing does); else others pass,
    unless they resemble one of these.
    """

    noun: str
    words: tuple[str, ...] = ()
    closed: bool = False


Known: TypeAlias = Range | Words | Literal["country", "date"]
"""What is known of a place in a result. A country is a code of three letters, a date ISO text."""


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """What the policy checker and the dispatcher know of an action without running it."""

    name: str
    params: type[BaseModel]
    description: str
    vendor: str | None = None
    billable: bool = False
    destructive: bool = False
    once: Literal["session", "event"] = "session"
    plain: tuple[str, ...] = ()  # parameters that stand in the record in the clear for good: no template may fill them
    sets_status: bool = False  # its `status` parameter is the session's status: the most severe one wins
    result: type | None = None  # a TypedDict, where the shape of its result is known
    known: Mapping[str, Known] = field(default_factory=dict, compare=False)  # by place in it: `matches[].similarity`
    echoes: Callable[[JsonObject], str | None] | None = None  # the status whose `status.updated` this call will cause
    target: Literal["hooks", "notify"] | None = None  # the section of config.yaml that its `to` is a name of
    biometric: bool = False  # it takes an image, or tells of faces: its parameters and results have a key of their own

    def needs(self, params: Mapping[str, Any]) -> str:
        """Whom the action needs, so whose places it takes while it runs: its vendor, the one target that `to` names
        (such as `hooks.core`), or nobody (empty).
        """
        if self.vendor is not None or self.target is None:
            return self.vendor or ""
        return f"{self.target}.{params.get('to')}"


Facts: TypeAlias = Mapping[str, Any]
"""Look-ups over stored events, gathered before deciding, so that deciding stays pure."""
