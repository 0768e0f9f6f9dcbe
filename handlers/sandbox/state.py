"""What the simulated Didit application remembers: sessions, enrolled faces, blocklist, balance.

Nothing here speaks HTTP. Everything is deterministic for a seed: ids come from names, faces are recognised by the hash
of their image, and two different images are as similar as a table says, or else as a seeded rule does.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Final, Literal, cast, get_args
from uuid import NAMESPACE_URL, uuid5

from handlers.sandbox.media import ImageRef
from receiver.contract import JsonObject, JsonValue

ItemType = Literal["face", "document", "phone", "email"]
ITEM_TYPES: Final[tuple[ItemType, ...]] = get_args(ItemType)
ENTRY_TYPES: Final = (
    *ITEM_TYPES,
    *("ip_address", "device_fingerprint", "wallet_address", "bank_account", "user", "business", "country", "key"),
)
FaceSource = Literal["session", "imported", "list_entry", "face_search"]

UNFINISHED: Final = ("Not Started", "In Progress", "Resubmitted", "Awaiting User")

Features = dict[str, list[JsonObject]]
"""The V3 arrays that have run, by their names; links to images are ImageRefs until an answer is written."""


@dataclass(slots=True)
class Session:
    """One verification session, or (`kind` None) a standalone call that was kept.

    `face` is the fingerprint of its selfie; `created_at` is in Unix seconds.
    """

    session_id: str
    number: int
    status: str
    created_at: int
    kind: str | None = "user"
    vendor_data: str | None = None
    workflow_id: str | None = None
    workflow_version: int = 1
    token: str = ""
    features: Features = field(default_factory=dict)
    face: str | None = None
    metadata: JsonValue = None
    callback: str | None = None
    expected_details: JsonValue = None
    contact_details: JsonValue = None
    reviews: list[JsonObject] = field(default_factory=list)

    def newest(self, array: str) -> JsonObject | None:
        """The newest record of a feature, if it has run."""
        records = self.features.get(array)
        return records[-1] if records else None


@dataclass(frozen=True, slots=True)
class Face:
    """An enrolled face. `face_search` ones come from saved searches."""

    fingerprint: str
    image: ImageRef
    source: FaceSource = "session"
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class BlocklistEntry:
    """One blocked item: the session it was taken from, and that session's record of it."""

    type: ItemType
    session_id: str
    blocklisted_at: int
    record: JsonObject


@dataclass(frozen=True, slots=True)
class Share:
    """A session that another application may import until `expires` (Unix seconds)."""

    session_id: str
    receiver: str
    expires: float


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody who registered: the code that was mailed, good until `expires` (Unix seconds)."""

    code: str
    expires: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list."""

    uuid: str
    value: str
    label: str | None
    comment: str | None
    metadata: JsonValue
    created_at: int


@dataclass(slots=True)
class EntryList:
    """A list of the Lists API, its entries by value."""

    uuid: str
    name: str
    list_type: str
    entry_type: str
    created_at: int
    is_system: bool
    entries: dict[str, Entry] = field(default_factory=dict)


class DiditState:
    """The application's data. Methods change it or look something up; none waits."""

    def __init__(self, seed: int, balance: Decimal) -> None:
        self.seed = seed
        self.balance = balance
        self.sessions: dict[str, Session] = {}
        self.faces: list[Face] = []
        self.blocklist: dict[ItemType, dict[str, BlocklistEntry]] = {kind: {} for kind in ITEM_TYPES}
        self.allowed_faces: set[str] = set()
        self.similarities: dict[frozenset[str], float] = {}
        self.face_counts: dict[str, int] = {}
        self.sent: dict[str, JsonObject] = {}
        self.shares: dict[str, Share] = {}
        self.imported: set[tuple[str, str]] = set()
        self.users: dict[str, str] = {}
        self.applicants: dict[str, Applicant] = {}
        self.registrations: list[float] = []
        self.lists = {each.uuid: each for each in map(self._system_list, ENTRY_TYPES)}
        self._numbers = itertools.count(4100)
        self._names = itertools.count(1)

    def _system_list(self, entry_type: str) -> EntryList:
        uuid = self.new_id(f"list:{entry_type}")
        return EntryList(uuid, f"Blocked {entry_type}", "blocklist", entry_type, 0, is_system=True)

    def item(self, session: Session, kind: ItemType) -> str | None:
        """What identifies the session's newest item of this type."""
        found = _item(session, kind)
        return found[0] if found else None

    def new_id(self, name: str | None = None) -> str:
        """A UUID: the same one for the same seed and name; without a name, the next one."""
        return str(uuid5(NAMESPACE_URL, f"hookwarden-sandbox:{self.seed}:{name or next(self._names)}"))

    def next_number(self) -> int:
        """The next session number."""
        return next(self._numbers)

    def add(self, session: Session) -> Session:
        """Keep a session."""
        self.sessions[session.session_id] = session
        return session

    def enrol(self, face: Face) -> None:
        """Let later searches find a face."""
        self.faces.append(face)

    def similarity(self, one: str, other: str) -> float:
        """How alike two faces are, 0 to 100, by their fingerprints: 100 for the same image, below 40 where no table
        says more.
        """
        if one == other:
            return 100.0
        pair = frozenset((one, other))
        if pair in self.similarities:
            return self.similarities[pair]
        drawn = sha256(f"{self.seed}:{':'.join(sorted(pair))}".encode()).digest()
        return round(int.from_bytes(drawn[:4], "big") / 2**32 * 40, 2)

    def set_similarity(self, one: str, other: str, similarity: float) -> None:
        """Say how alike two faces are, 0 to 100."""
        self.similarities[frozenset((one, other))] = similarity

    def faces_in(self, fingerprint: str) -> int:
        """How many faces an image shows: 1, unless it is known better."""
        return self.face_counts.get(fingerprint, 1)

    def is_blocked(self, fingerprint: str) -> bool:
        """Whether this face is on the blocklist."""
        return fingerprint in self.blocklist["face"]

    def block(self, session: Session, kind: ItemType, now: int) -> None:
        """Put the session's newest item of this type on the blocklist; without one, or when it is there, nothing
        changes.
        """
        found = _item(session, kind)
        if found is not None:
            key, record = found
            self.blocklist[kind].setdefault(key, BlocklistEntry(kind, session.session_id, now, record))

    def unblock(self, session: Session, kind: ItemType) -> None:
        """Take the session's newest item of this type off the blocklist; when it is not there, nothing changes."""
        found = _item(session, kind)
        if found is not None:
            self.blocklist[kind].pop(found[0], None)

    def unfinished(self, vendor_data: str | None, workflow_id: str) -> Session | None:
        """The open session of a person in a workflow, which creating one again gives back."""
        for session in self.sessions.values():
            same = session.vendor_data == vendor_data and session.workflow_id == workflow_id
            if vendor_data is not None and same and session.status in UNFINISHED:
                return session
        return None


_ARRAYS: Final[dict[ItemType, str]] = {
    "face": "liveness_checks",
    "document": "id_verifications",
    "phone": "phone_verifications",
    "email": "email_verifications",
}


def _item(session: Session, kind: ItemType) -> tuple[str, JsonObject] | None:
    """What identifies the session's newest item of this type, and the record that holds it."""
    record = session.newest(_ARRAYS[kind])
    if record is None:
        return None
    keys: dict[ItemType, JsonValue] = {
        "face": session.face,
        "document": f"{record.get('document_type')}:{record.get('document_number')}",
        "phone": record.get("full_number"),
        "email": record.get("email"),
    }
    key = keys[kind]
    return (cast("str", key), record) if key else None
