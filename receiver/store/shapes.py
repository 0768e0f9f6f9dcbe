"""What goes into a store and what comes out of it. Times are Unix milliseconds unless a name says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from receiver.contract import ActionState, Event, EventDocument, JsonObject, Outcome, Verified

Extent: TypeAlias = Literal["all", "biometric"]
"""How much of a person is erased: everything, or what is under the key for biometric data."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event on its way into the record. `body` is what the sender sent, byte by byte (for result events: the JSON of
    action and result). `lane` is what actions are ordered by: the session, or the event itself where there is none.
    `subject` is whose key seals it.
    """

    event_id: str
    parent_id: str | None
    event: Event
    lane: str
    subject: str
    received_at: int
    body: bytes
    receipt: Verified | None


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """What is known of an event that was delivered before. `body` is empty once its person was erased."""

    event_id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionState:
    """The newest that is known of a session; `occurred_at` in Unix seconds. `subject` is empty once it was erased."""

    occurred_at: int | None
    status: str | None
    subject: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event read back, to be decided again or to be the parent of a result event."""

    event_id: str
    event: Event
    lane: str
    subject: str


@dataclass(frozen=True, slots=True)
class Claim:
    """An action that this owner may run now. `attempt` counts from 1 and is the fence: a claim whose lease was lost can
    write nothing any more. `repeated` says that an earlier attempt was in flight when its process died, `unanswered`
    that one ended without an answer that tells whether it took effect.
    """

    action_id: str
    owner: str
    attempt: int
    name: str
    rule: str
    params: JsonObject
    once: Literal["session", "event"]
    event_id: str
    event: EventDocument
    depth: int
    lane: str
    planned_at: int
    attempts_spent: int  # attempts that count against the limit, this one included
    repeated: bool
    done_before: str | None  # the action that already did the same for this session, where `once` is `session`
    unanswered: bool = False
    needs: str = ""  # whom it needs: see `ActionSpec.needs`


@dataclass(frozen=True, slots=True)
class Ending:
    """How a claim ended: the action's new state, and what the attempt leaves in the record. `due` is when a
    `waiting_retry` may be tried again; `spent` False gives the attempt back (nothing was sent).
    """

    state: ActionState
    outcome: Outcome
    ended_at: int
    latency_ms: int
    due: int | None = None
    spent: bool = True


@dataclass(frozen=True, slots=True)
class Reject:
    """A refused delivery, without its body: when, for which source, from where, why."""

    at: int
    source: str
    client: str | None
    reason: str
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Page:
    """A list answer: `next` is the cursor of the page after this one, None at the end."""

    items: list[JsonObject]
    next: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whose data may be kept. `ref` is what the record calls them (None: nothing is kept); `personal` and
    `biometric` say which of their keys are there, `erased_at` (Unix ms) when keys of that name were last destroyed.
    """

    ref: bytes | None
    personal: bool
    biometric: bool
    erased_at: int | None


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure came to: how many rows of each kind were emptied or dropped. `idx` is its entry."""

    ref: bytes
    idx: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Retained:
    """What is still to be looked at: events after the number `after`; `first_idx` is the first entry that there is."""

    after: int
    first_idx: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What pruning contents would do now: empty so many `events`, and pass over `kept` ones, not finished or held."""

    events: int
    kept: int


@dataclass(frozen=True, slots=True)
class PrunedContents:
    """What one job dropped: rows with sealed contents, and keys of persons who had nothing left. `passed` events are
    not finished, or held. `last` is the event to go on from; None: there is no older one.
    """

    last: int | None
    contents: int
    keys: int
    passed: int


@dataclass(frozen=True, slots=True)
class PrunedEntries:
    """The entries that one job dropped (`first` included, `stop` not), and the events and keys that went with them."""

    first: int
    stop: int
    events: int
    keys: int
