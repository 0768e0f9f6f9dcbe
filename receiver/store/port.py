"""What the rest of the house may ask of a store. Every store must pass the same tests (`tests/store/`).

Writing goes through jobs: a job is a function that is given a Transaction. Jobs that wait at the same time share one
commit (group commit); each has a savepoint of its own, so that one that raises undoes itself and nobody else. A job's
future resolves only after the commit is on disk. Times are Unix milliseconds unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from receiver.audit.note import Verifier
from receiver.audit.search import Search
from receiver.contract import ActionState, Decision, Event, EventDocument, JsonObject, Outcome, PlannedAction, Verified
from receiver.policy.recall import PastEvent
from receiver.store.vault import Extent

T = TypeVar("T")


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
    """What is still to be looked at: events after the number `after`, of which `older` are older than asked for.
    `first_idx` is the first entry that is still there.
    """

    after: int
    older: int
    first_idx: int


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


class Transaction(Protocol):
    """The writes. Each one that changes what an auditor may ask for appends its own leaf to the entries."""

    def known(self, source: str, dedupe_key: str) -> KnownEvent | None:
        """The event that was first delivered under this key."""
        ...

    def redelivered(self, event_id: str, at: int, *, differs: bool) -> None:
        """Count one more delivery; one that says something else than the first is noted in the record."""
        ...

    def session(self, source: str, session_id: str) -> SessionState | None:
        """The newest that is known of a session."""
        ...

    def take_echo(self, source: str, session_id: str, status: str, at: int) -> str | None:
        """Use up one expected echo of our own update_status; gives the action that expected it."""
        ...

    def firings_since(self, rule: str, since: int) -> int:
        """How many events this rule has planned actions for since then (for `limit:`)."""
        ...

    def spend(self, key: str, at: int, since: int, most: int) -> bool:
        """Count one more call of a kind, unless `most` were counted since then: then False."""
        ...

    def add_event(self, new: NewEvent) -> None:
        """Store an event, sealed, and move its session on unless the event is stale."""
        ...

    def add_decision(self, event_id: str, decision: Decision, at: int, actor: str = "engine") -> None:
        """Store a decision of an event; the newest one is the one that is shown."""
        ...

    def add_actions(self, event_id: str, actions: Sequence[PlannedAction], at: int) -> list[str]:
        """Plan actions, in order, at the end of the event's lane; gives their identifiers."""
        ...

    def load_event(self, event_id: str) -> StoredEvent | None:
        """Read an event back."""
        ...

    def claim(self, owner: str, at: int, lease_until: int, limit: int, without: Collection[str] = ()) -> list[Claim]:
        """Take up to `limit` actions that are due and first in their lane, and record the start of an attempt; none of
        the names in `without`. Actions whose owner's lease has run out are taken over as `repeated`.
        """
        ...

    def expect_echo(self, action_id: str, session_id: str, status: str, until: int) -> None:
        """Note, before the call, the `status.updated` that it will cause. Asking twice for one action counts once."""
        ...

    def drop_echo(self, action_id: str) -> None:
        """The call had no effect: no echo will come."""
        ...

    def renew(self, owner: str, at: int, lease_until: int) -> None:
        """Extend the leases of everything this owner runs."""
        ...

    def settle(self, claim: Claim, ending: Ending) -> bool:
        """Record how an attempt ended and apply its effects. False: the lease was lost, nothing was written."""
        ...

    def retry_action(self, action_id: str, actor: str, at: int, reason: str = "") -> None:
        """A person sends a `failed`, `dead` or `waiting_retry` action again. Raises NotFound, Conflict."""
        ...

    def discard_action(self, action_id: str, actor: str, at: int, reason: str) -> None:
        """A person gives up an unfinished, failed or dead action: it becomes `rejected`. Raises NotFound, and Conflict
        also while an attempt is running.
        """
        ...

    def approve_action(self, action_id: str, actor: str, at: int, reason: str) -> None:
        """A person lets an `awaiting_approval` action run. Raises NotFound, Conflict."""
        ...

    def reject_action(self, action_id: str, actor: str, at: int, reason: str) -> None:
        """A person forbids an `awaiting_approval` action. Raises NotFound, Conflict."""
        ...

    def resolve_review(self, review_id: str, actor: str, at: int, resolution: str, note: str) -> None:
        """A person closes a case. Raises NotFound, Conflict."""
        ...

    def add_rejects(self, rejects: Sequence[Reject]) -> None:
        """Keep refused deliveries; the oldest beyond the bound go."""
        ...

    def add_note(self, kind: str, actor: str, at: int, facts: Mapping[str, str], session_id: str | None = None) -> None:
        """Append an entry that stands for itself: a policy taken into use, an export, a start, a call by hand. A
        session that is stored finds it.
        """
        ...

    def add_access(
        self,
        what: str,
        actor: str,
        at: int,
        event_id: str | None = None,
        session_id: str | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Append an entry about a reading of what is sealed. `facts` name no person. Raises NotFound."""
        ...

    def find_person(self, subject: str | None, session_id: str | None, extent: Extent) -> Person:
        """Who is to be erased, by the sender's name for the person or by a session. Raises NotFound; Conflict where a
        session is of several persons.
        """
        ...

    def erase(self, ref: bytes, extent: Extent, actor: str, at: int, reason: str) -> Erased:
        """Erase a person, or what is biometric of one. Raises Conflict while a legal hold stands. Nothing may fail
        after this in the same job: the keys are not given back. `Store.scrub` then cuts the bytes from the files' logs.
        """
        ...

    def try_erasure(self, ref: bytes, extent: Extent, actor: str, at: int) -> Erased:
        """What erasing would do, undone again. Raises Conflict while a legal hold stands."""
        ...

    def finish_erasures(self) -> int:
        """Complete erasures that a crash cut short; gives how many are still open. Ask again until there is none."""
        ...

    def prune_contents(
        self, extent: Extent, before: int, after: int, limit: int, actor: str, at: int
    ) -> PrunedContents:
        """Drop what is sealed of this class in up to `limit` events that came after the event `after` and before the
        time `before`, and the keys of persons who then have nothing left. Ask again from `last` until it is None.
        """
        ...

    def prune_entries(self, before: int, limit: int, actor: str, at: int) -> PrunedEntries:
        """Drop entries from the start of the record, in whole tiles, up to `limit` tiles: those written before the time
        `before`, but none from the first on that is about what is not finished or held. Ask again until it drops none.
        """
        ...

    def hold(self, ref: bytes, actor: str, at: int, reason: str) -> int:
        """Put a legal hold on a person; gives its number. Raises Conflict where one stands, or nothing is kept."""
        ...

    def release(self, ref: bytes, actor: str, at: int) -> int:
        """End the legal hold on a person; gives its number. Raises Conflict where none stands."""
        ...

    def rekey(self, master: bytes, actor: str, at: int, *, whole: bool = False) -> int:
        """Put the keys under another master key; gives of how many persons there are some. `whole`: wrap each anew.
        `Store.rekey` is what to call: it also sees to it that the new key is found.
        """
        ...

    def note_signing_key(self, identity: str, actor: str, at: int) -> bool:
        """Have the record say from when on it is signed with this key; False if it says so already."""
        ...

    def ask_checkpoint(self) -> None:
        """Have the commit that this job belongs to signed, however short a time ago the last one was."""
        ...

    def probe(self) -> None:
        """Write something that leaves no trace: it fails where nothing could be written."""
        ...

    def add_policy(self, sha256: str, name: str, text: str, author: str | None, at: int) -> bool:
        """Keep a policy version; False if it was known already."""
        ...


class Reader(Protocol):
    """The reads: answers are JSON documents in the shapes of the HTTP API. `after` is a cursor from `Page.next`.

    A cursor or a search that is none raises Unusable, with a message that may be shown. `limit` is kept within 1 and
    500. What was sealed for a person who was erased reads as null, and the object it stood in says `"erased": true`.
    """

    def events(
        self,
        after: str | None = None,
        limit: int = 50,
        session_id: str | None = None,
        source: str | None = None,
        outcome: str | None = None,
    ) -> Page:
        """Events, newest first, without their contents."""
        ...

    def event(self, event_id: str, *, raw: bool) -> JsonObject | None:
        """One event, whole; `raw` adds the vendor's payload."""
        ...

    def session(self, session_id: str) -> JsonObject | None:
        """The life of a session: events, decisions, actions, labels, reviews."""
        ...

    def actions(
        self, after: str | None = None, limit: int = 50, state: str | None = None, session_id: str | None = None
    ) -> Page:
        """Actions, newest first."""
        ...

    def action(self, action_id: str) -> JsonObject | None:
        """One action with its attempts and its result."""
        ...

    def reviews(self, after: str | None = None, limit: int = 50, state: str | None = None) -> Page:
        """Cases for people, newest first."""
        ...

    def rejects(self, after: str | None = None, limit: int = 50) -> Page:
        """Refused deliveries, newest first."""
        ...

    def audit(
        self,
        query: str | Search = "",
        after: str | None = None,
        limit: int = 50,
        *,
        ascending: bool = False,
        whole: bool = False,
    ) -> Page:
        """Entries that fit a search (`receiver/audit/search.py`), newest first unless asked otherwise; `whole` ones
        have the content of their leaf.
        """
        ...

    def audit_count(self, query: str | Search = "", most: int | None = None) -> int:
        """How many entries fit a search; at most `most`, where counting stops."""
        ...

    def audit_counts(
        self, query: str | Search, by: Sequence[str], most: int | None = None
    ) -> tuple[list[JsonObject], bool]:
        """How many entries fit a search, by `day` (UTC), `outcome`, `tag`, `rule`, `kind` or `source`, or several of
        them; and whether all were counted, or the newest `most` only.
        """
        ...

    def policies_like(self, prefix: str) -> list[str]:
        """The hashes of policy versions that begin so, at most five."""
        ...

    def tables(self) -> list[str]:
        """The names of all tables, which are nobody's interface: the views are."""
        ...

    def audit_entry(self, idx: int) -> JsonObject | None:
        """One entry with its leaf bytes (base64)."""
        ...

    def leaf(self, idx: int) -> bytes | None:
        """The bytes of an entry's leaf; None where there is none."""
        ...

    def first_idx(self) -> int:
        """From which entry on the record is kept, a multiple of 256: what was before was pruned."""
        ...

    def holds(self) -> list[JsonObject]:
        """Legal holds, the newest first."""
        ...

    def tree_size(self) -> int:
        """How many entries the record has, and so how many leaves its tree."""
        ...

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile of the tree (`receiver/audit/tree.py`); empty for one that is not there."""
        ...

    def checkpoint(self, at_least: int = 0) -> str | None:
        """The newest signed note; None where none covers that many entries yet."""
        ...

    def policies(self, after: str | None = None, limit: int = 50) -> Page:
        """Policy versions that were in use, the newest first, without their texts."""
        ...

    def policy(self, sha256: str) -> JsonObject | None:
        """One policy version with its text."""
        ...

    def policy_uses(self, sha256: str) -> list[JsonObject]:
        """Who took a policy version into use, and when, oldest first: `{idx, at, actor}` of the entries that say so."""
        ...

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Gauges: actions by state, open reviews by queue, events in all."""
        ...

    def past(
        self, after: int, limit: int, since: int, until: int, *, raw: bool = True, decided: bool = True
    ) -> list[PastEvent]:
        """Events received from `since` to before `until`, in the order of arrival, after the place `after`, each with
        the newest decision that stands. Without `raw` or `decided`, payloads or decisions are not unsealed.
        """
        ...

    def past_count(self, since: int, until: int) -> int:
        """How many events were received in that time."""
        ...

    def retained(self, extent: Extent, before: int) -> Retained:
        """What there is to prune of a class that is older than this time."""
        ...

    def prunable(self, before: int) -> tuple[int, int]:
        """Which entries `Transaction.prune_entries` would drop by now: the first of them, and the first that stays."""
        ...


class Store(Protocol):
    """One store, open. Safe to use from any thread."""

    def submit(self, job: Callable[[Transaction], T]) -> Future[T]:
        """Run a job in the next commit. The future raises what the job raised, or StoreUnavailable."""
        ...

    async def run(self, job: Callable[[Transaction], T]) -> T:
        """The same, awaited on the running event loop."""
        ...

    def read(self) -> AbstractContextManager[Reader]:
        """A consistent view for reading; works beside the writer and beside other processes."""
        ...

    def rekey(self, master: bytes | None, actor: str, *, whole: bool = False) -> int:
        """Replace the master key, by a fresh one if none is given; gives of how many persons there are keys. `whole`:
        also the key between the master key and theirs, which stops writes while all of them are wrapped anew. Where the
        key was given when the store was opened, the next opening needs the new one. Raises StoreUnavailable,
        ConfigurationError.
        """
        ...

    def scrub(self, seconds: float) -> bool:
        """Cut what was erased from the logs of the files, trying for so long: readers may be in the way. False: they
        were, and its bytes may still be on disk.
        """
        ...

    @property
    def verifier(self) -> Verifier:
        """The key that checks the checkpoints of this store's record."""
        ...

    def on_commit(self, wake: Callable[[], None]) -> None:
        """Call `wake` (from the writer's thread) after every commit that planned or freed an action."""
        ...

    def close(self) -> None:
        """Finish what was submitted, then close."""
        ...
