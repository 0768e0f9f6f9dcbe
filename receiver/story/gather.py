"""What the story of a session is told from, read from the store in one view."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from receiver.audit.note import Checkpoint, NoteError, Verifier, open_checkpoint
from receiver.errors import ConfigurationError, NotFound, Unusable
from receiver.store.reader import Reader
from receiver.yamltext import read_yaml

MAX_ENTRIES: Final = 5000  # of one story
_PAGE: Final = 500
_LONGEST_POLICY: Final = 1 << 20  # characters: the rules of a longer one are told without their descriptions


@dataclass(frozen=True, slots=True)
class Version:
    """A policy version that decided: its name, hash, who wrote it where that is known, when it was taken into use and
    by whom (each with the entry that says so), and its rules as they stand in its text, by id.
    """

    name: str
    sha256: str
    author: str | None
    uses: tuple[Mapping[str, Any], ...]
    rules: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Material:
    """All that is known of a session. `events` are whole, oldest first; `entries` are of the record, with what their
    leaves say. `checkpoint` is the newest one that our key signed; None where there is none, or it does not verify.
    """

    life: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]
    entries: tuple[Mapping[str, Any], ...]
    more_entries: bool
    versions: Mapping[str, Version]
    checkpoint: Checkpoint | None
    only_event: str | None = None


def gather(reader: Reader, verifier: Verifier, session_id: str | None, only_event: str | None = None) -> Material:
    """Read a session, or one event of it with the results that it brought about. An event leads to its session, if it
    has one: once a person is erased, it has none. Raises NotFound, and Unusable if neither is named.
    """
    life = _life(reader, session_id, only_event)
    names = [str(item["event_id"]) for item in life["events"]]
    if only_event is not None:
        names = _with_results(life["events"], only_event)
        if not names:
            raise NotFound(f"no event {only_event} in this session")
    events: list[Any] = [event for name in names if (event := reader.event(name, raw=True)) is not None]
    numbers = _entry_numbers(reader, life["session_id"] if only_event is None else None, names)
    entries: list[Any] = [reader.audit_entry(number) for number in numbers[:MAX_ENTRIES]]
    hashes = {each["policy"]["sha256"] for each in life["decisions"] if each["event_id"] in set(names)}
    versions = {sha256: version for sha256 in hashes if (version := _version(reader, sha256)) is not None}
    return Material(
        life,
        tuple(events),
        tuple(entry for entry in entries if entry is not None),
        len(numbers) > MAX_ENTRIES,
        versions,
        _checkpoint(reader, verifier),
        only_event,
    )


def _life(reader: Reader, session_id: str | None, event_id: str | None) -> dict[str, Any]:
    event: Any = None
    if session_id is None:
        if event_id is None:
            raise Unusable("name a session, or an event")
        event = reader.event(event_id, raw=False)
        if event is None:
            raise NotFound(f"no event {event_id}")
        session_id = (event["event"] or {}).get("session_id")
    life: Any = reader.session(session_id) if session_id is not None else _life_of_event(reader, event)
    if life is None:
        raise NotFound(
            "no session of this id is stored. Once a person is erased, no session leads there any more: name an event"
        )
    found: dict[str, Any] = life
    return found


def _life_of_event(reader: Reader, event: dict[str, Any]) -> dict[str, Any]:
    """What is known of an event that belongs to no session (any more), in the shape of a session: what the record's
    entries say of it.
    """
    event_id, decision = event["event_id"], event["decision"]
    entries: list[Any] = [reader.audit_entry(number) for number in _numbers(reader, f"event:{event_id}")]
    came: dict[str, Any] = next((entry["content"] for entry in entries if entry["kind"] == "event"), {})
    names = ("event_id", "parent_id", "source", "received_at", "deliveries")
    item = {name: event[name] for name in names}
    item |= {"type": came.get("type", ""), "status": came.get("status"), "tags": came.get("tags", [])}
    decided = [entry for entry in entries if entry["kind"] == "decision"]
    at = {name: decided[-1][name] for name in ("at", "actor")} if decided else {"at": event["received_at"], "actor": ""}
    return {
        "session_id": None,
        "source": event["source"],
        "status": None,
        "labels": [],
        "events": [{**item, "vendor": event["source"]}],
        "decisions": [{"event_id": event_id, **at, **decision}] if decision else [],
        "reviews": [],
    }


def _with_results(items: Iterable[Mapping[str, Any]], event_id: str) -> list[str]:
    """The event and what its actions gave, and what came of that: a result stands after what it came from."""
    found: list[str] = []
    for item in items:
        if item["event_id"] == event_id or item["parent_id"] in found:
            found.append(item["event_id"])
    return found


def _entry_numbers(reader: Reader, session_id: str | None, names: Iterable[str]) -> list[int]:
    """The entries of a session: those it is found by, and those of its events, which stay when it is not found by any
    more.
    """
    found: set[int] = set()
    if session_id is not None:
        quoted = session_id.replace("\\", "\\\\").replace('"', '\\"')
        found.update(_numbers(reader, f'session:"{quoted}"'))
    for name in names:
        found.update(_numbers(reader, f"event:{name}"))
    return sorted(found)


def _numbers(reader: Reader, query: str) -> list[int]:
    numbers: list[int] = []
    after: str | None = None
    while len(numbers) <= MAX_ENTRIES:
        page = reader.audit(query, after, _PAGE, ascending=True)
        items: list[Any] = page.items
        numbers.extend(item["idx"] for item in items)
        after = page.next
        if after is None:
            break
    return numbers


def _version(reader: Reader, sha256: str) -> Version | None:
    found: Any = reader.policy(sha256)
    if found is None:
        return None
    uses: list[Any] = reader.policy_uses(sha256)
    return Version(found["name"], sha256, found["author"], tuple(uses), _rules(found["text"]))


def _rules(text: str) -> dict[str, Mapping[str, Any]]:
    """The rules of a policy's text, by id. Nothing is lost where they cannot be read: descriptions only explain."""
    if len(text) > _LONGEST_POLICY:
        return {}
    rules: dict[str, Mapping[str, Any]] = {}
    with suppress(ConfigurationError):
        value = read_yaml(text, "policy").value
        documents = [read_yaml(str(each), "policy").value for each in value] if isinstance(value, list) else [value]
        for document in documents:
            listed: Any = document.get("rules") if isinstance(document, dict) else None
            for rule in listed if isinstance(listed, list) else ():
                if isinstance(rule, dict) and isinstance(rule.get("id"), str):
                    rules[rule["id"]] = rule
    return rules


def _checkpoint(reader: Reader, verifier: Verifier) -> Checkpoint | None:
    note = reader.checkpoint()
    if note is None:
        return None
    with suppress(NoteError):
        return open_checkpoint(note, verifier)
    return None
