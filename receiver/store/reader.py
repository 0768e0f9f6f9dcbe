"""What may be read of a store: answers are JSON documents in the shapes of the HTTP API, or plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from receiver.audit.search import Search
from receiver.contract import JsonObject
from receiver.policy.recall import PastEvent
from receiver.store.shapes import Extent, Forecast, Page, Retained


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
        """Where pruning a class of contents that are older than this time begins."""
        ...

    def forecast(self, extent: Extent, before: int) -> Forecast:
        """What pruning would do to the contents of a class that are older than this time. Looks at every such event."""
        ...

    def prunable(self, before: int) -> tuple[int, int]:
        """Which entries `Transaction.prune_entries` would drop by now: the first of them, and the first that stays."""
        ...
