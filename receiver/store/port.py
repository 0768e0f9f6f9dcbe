"""What the rest of the house may ask of a store. Every store must pass the same tests (`tests/store/`). What may be
read of it is told in `receiver/store/reader.py`.

Writing goes through jobs: a job is a function that is given a Transaction. Jobs that wait at the same time share one
commit (group commit); each has a savepoint of its own, so that one that raises undoes itself and nobody else. A job's
future resolves only after the commit is on disk. Times are Unix milliseconds unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Protocol, TypeVar

from receiver.audit.note import Verifier
from receiver.contract import Decision, PlannedAction
from receiver.store.reader import Reader
from receiver.store.shapes import (
    Claim,
    Ending,
    Erased,
    Extent,
    KnownEvent,
    NewEvent,
    Person,
    PrunedContents,
    PrunedEntries,
    Reject,
    SessionState,
    StoredEvent,
)

T = TypeVar("T")


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

    def claim(
        self, owner: str, at: int, lease_until: int, limit: int, room: Mapping[str, int] = MappingProxyType({})
    ) -> list[Claim]:
        """Take actions that are due and first in their lane, and record the start of an attempt: of those that need the
        same vendor or target up to `limit`, or what `room` has for it. Actions whose owner's lease has run out are
        taken over as `repeated`.
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
