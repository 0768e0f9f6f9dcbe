"""What verifying the record finds: what is wrong, where, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # processes that walk over a record start sooner without
    from receiver.audit.note import Checkpoint
    from receiver.contract import JsonObject, JsonValue

SHOWN: Final = 50  # findings of one kind that are listed; the rest is counted


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `kind` is stable, for programs; `where` names the place."""

    kind: str
    where: str
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


CURES: Final = {
    "entry": "restore the entry from a backup made before; its leaf and its hash in the tile must agree",
    "missing": "restore the entry from a backup; nothing of Hookwarden deletes single entries",
    "tile": "the entries are sound: restore the tile from a backup, or from the entries themselves",
    "column": "the leaf is what was signed: put the column back to what the leaf says",
    "finder": "searches miss or invent this entry: restore the table from a backup",
    "row": "people read what was not recorded: put the row back to what the leaf says, or restore it from a backup",
    "blob": "the sealed content is not what was recorded: restore it from a backup",
    "cut": "entries at the end were deleted: restore the newest backup, and compare it with checkpoints kept elsewhere",
    "fork": "the entries are not those that were signed: restore a backup made before, and find out who can write here",
    "note": "compare checkpoints.log with the copies that were sent elsewhere",
    "schema": "put back what Hookwarden makes, or restore a backup; find out who can write here, and with what program",
    "file": "restore a backup; where only an index is wrong, `REINDEX` in SQLite's shell makes it anew",
    "unreadable": "restore it from a backup: Hookwarden writes nothing there that it cannot read",
    "keys": "restore keys.db from a backup; an erasure that a crash cut short is completed when Hookwarden next starts",
    "key": "compare the key with the one that was written down (`hookwarden audit key`)",
}


class Findings:
    """A bounded list of findings: a record that was written anew has millions."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, where: str, what: str) -> None:
        """Note one."""
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN:
            self._kept.append(Finding(kind, where, what, CURES[kind]))

    def merge(self, others: Findings) -> None:
        """Take those of another list over."""
        for finding in others.kept:
            if sum(kept.kind == finding.kind for kept in self._kept) < SHOWN:
                self._kept.append(finding)
        self.counts.update(others.counts)

    @property
    def kept(self) -> tuple[Finding, ...]:
        """Those that are listed."""
        return tuple(self._kept)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a verification. `since` is the size that an earlier one had come to."""

    first: int
    since: int
    size: int
    root: bytes
    checkpoint: Checkpoint | None
    notes: int
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]

    @property
    def fine(self) -> bool:
        """Whether nothing was found."""
        return not self.counts

    @property
    def unsigned(self) -> int:
        """How many of the last entries no checkpoint of the database covers yet."""
        return max(0, self.size - (self.checkpoint.size if self.checkpoint else 0))

    def document(self) -> JsonObject:
        """As JSON."""
        counts: JsonObject = {**self.counts}
        listed: list[JsonValue] = [asdict(finding) for finding in self.findings]
        return {
            "verdict": "intact" if self.fine else "damaged",
            "first": self.first,
            "since": self.since,
            "size": self.size,
            "root": self.root.hex(),
            "checkpoint": self.checkpoint.size if self.checkpoint else None,
            "unsigned": self.unsigned,
            "notes": self.notes,
            "counts": counts,
            "findings": listed,
        }
