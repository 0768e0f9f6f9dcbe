"""The life of one session as one JSON document, from which the text and the page are made.

Members: `format` · `session_id` · `source` · `status` (the newest that the vendor reported) · `made_at`, `made_by` ·
`only_event` (null: the whole session) · `erased` (`no`, `in part`, `yes`) · `summary` (sentences) · `statuses` [{at,
status, event_id, how}] · `labels` · `policies` [{name, sha256, author, uses [{idx, at, actor}]}] · `events` ·
`people` [{at, actor, act, words, what, reason, idx}] · `reads` [{idx, at, actor, what}] · `entries` [{idx, at, kind,
actor, event_id, action_id, outcome, words, signed}] · `more_entries` · `checkpoint` {origin, size, root} or null.

An event: `event_id`, `parent_id`, `received_at`, `type`, `status`, `source`, `vendor`, `deliveries`, `verified`
{method, signed_at, unsigned: null, or words for it} or null, `stale`, `echo` (null: erased), `erased` (what of it is
gone), `unreadable` (what of it does not open, though nothing says that it was erased), `tags` [{tag, words, feature,
severity}], `idx`, `decisions`, `actions`, `reviews`. A decision: `at`, `actor`, `idx`, `outcome`, `policy` {name,
sha256, mode}, `status`, `reason`, `erased`, `unreadable`, `let` [{name, expr, value, line, inputs, missing}], `rules`
[{id, description, tags, fired, words, mode, line, stop, conditions}] (of what cannot be read any more: those that
applied, as its entry names them, with `line` null and no conditions), `rules_known` (false: nor is that entry there any
more). A condition: `expr`, `line`, `value` (null: undecided), `decided` (whether it made the rule come out as it did),
`inputs` [{path, words, value}], `missing`, `would_change` (`policy/would_change.py`) or null, with
`would_change_words`. An action: as over HTTP, with `words`, `entries` and a `result` cut down to what matters. Times
are ISO 8601 in UTC. Links and images are left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from receiver.contract import RESULT_PREFIX, JsonObject
from receiver.links import without_links
from receiver.policy.would_change import decides, explained_again
from receiver.story.gather import Material, Version
from receiver.story.summary import summary
from receiver.story.words import (
    ATTEMPTS,
    DEEDS,
    STATES,
    UNSIGNED,
    VERDICTS,
    change_words,
    entry_words,
    path_words,
    tag_words,
)

FORMAT: Final = "hookwarden.explanation.v1"
_LONGEST = 200  # characters of a text in what came back
_PARTS: Final = {"biometric": "its biometric data (images, liveness, likeness of faces)"}
_MOST = 5  # members of a list in what came back


def told(material: Material, made_at: str, made_by: str) -> JsonObject:
    """The document; see the head of this file."""
    life, size = material.life, material.checkpoint.size if material.checkpoint else 0
    index = _Index(material.entries)
    events = [_event(event, material, index) for event in material.events]
    document: Any = {
        "format": FORMAT,
        "session_id": life["session_id"],
        "source": life["source"],
        "status": life["status"],
        "made_at": made_at,
        "made_by": made_by,
        "only_event": material.only_event,
        "erased": _how_much_erased(events),
        "statuses": _statuses(events),
        "labels": life["labels"],
        "policies": [_policy(version) for version in material.versions.values()],
        "events": events,
        "people": _people(events, material.entries),
        "reads": [_read(entry) for entry in material.entries if entry["kind"] == "access"],
        "entries": [_entry(entry, size) for entry in material.entries],
        "more_entries": material.more_entries,
        "checkpoint": _checkpoint(material),
    }
    document["summary"] = summary(document)
    told_without_links: JsonObject = without_links(document)
    return told_without_links


class _Index:
    """Which entries speak of an event's arrival, of a decision, of an action, of a deed."""

    def __init__(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self._by: dict[tuple[Any, ...], int] = {}
        self._actions: dict[str, list[int]] = {}
        self._contents: dict[int, Mapping[str, Any]] = {}
        for entry in entries:
            content, kind = entry["content"], entry["kind"]
            self._contents[entry["idx"]] = content
            act = content.get("facts", {}).get("act")
            about = content.get("facts", {}).get("review_id") or entry["action_id"] or entry["event_id"]
            at = None if kind == "event" else entry["at"]
            self._by[kind, act, about, at] = entry["idx"]
            if entry["action_id"]:
                self._actions.setdefault(entry["action_id"], []).append(entry["idx"])

    def of(self, kind: str, about: str, at: str | None = None, act: str | None = None) -> int | None:
        """The entry; None if it is not there (any more)."""
        return self._by.get((kind, act, about, at))

    def rules(self, idx: int | None) -> list[dict[str, Any]] | None:
        """The rules that an entry names, of which all applied; None if it is not there (any more)."""
        if idx is None:
            return None
        content = self._contents[idx]
        named = [(name, "enforce") for name in content.get("rules", ())]
        named += [(name, "shadow") for name in content.get("shadow", ())]
        return [{"id": name, "fired": True, "mode": mode, "line": None, "conditions": []} for name, mode in named]

    def action(self, action_id: str) -> list[int]:
        """The entries of an action."""
        return self._actions.get(action_id, [])


def _event(event: Mapping[str, Any], material: Material, index: _Index) -> dict[str, Any]:
    event_id = event["event_id"]
    item = next(each for each in material.life["events"] if each["event_id"] == event_id)
    document, receipt = event["event"] or {}, event["receipt"]
    decisions = [each for each in material.life["decisions"] if each["event_id"] == event_id]
    names = ("event_id", "parent_id", "received_at", "type", "status", "source", "vendor", "deliveries")
    return {
        **{name: item[name] for name in names},
        "verified": _verified(receipt) if receipt else None,
        "stale": document.get("stale"),
        "echo": document.get("echo"),
        "erased": _erased_parts(event),
        "unreadable": _parts(event.get("unreadable")),
        "tags": _tags(item["tags"], document.get("warnings") or ()),
        "idx": index.of("event", event_id),
        "decisions": [_decision(each, event, material.versions, index) for each in decisions],
        "actions": [_action(action, index) for action in event["actions"]],
        "reviews": [_review(each, index) for each in material.life["reviews"] if each["event_id"] == event_id],
    }


def _verified(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """How the delivery proved itself, or that nobody signed it."""
    told = {name: receipt[name] for name in ("method", "signed_at")}
    return {**told, "unsigned": UNSIGNED.get(receipt["method"])}


def _erased_parts(event: Mapping[str, Any]) -> list[str]:
    """What of an event cannot be read any more: its keys were destroyed, or it was removed after its time."""
    if event.get("unreadable"):
        return []
    if event["event"] is None:
        return _parts(True)
    return _parts(event.get("erased")) + (["the payload as it was sent"] if event.get("raw") is None else [])


def _parts(marked: Any) -> list[str]:
    """A mark of a Reader in words: true, or the classes of what is gone."""
    if marked is True:
        return ["its contents"]
    return [_PARTS.get(part, str(part)) for part in marked or ()]


def _how_much_erased(events: Sequence[Mapping[str, Any]]) -> str:
    erased = [bool(event["erased"]) for event in events]
    whole = [event["erased"] == ["its contents"] for event in events]
    return "yes" if all(whole) and whole else "in part" if any(erased) else "no"


def _tags(tags: Iterable[str], warnings: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tags in plain words, with the feature and the severity that the event itself gave."""
    first: dict[Any, Mapping[str, Any]] = {}
    for warning in warnings:
        first.setdefault(warning.get("tag"), warning)
    return [
        {
            "tag": tag,
            "words": tag_words(tag),
            **{name: first.get(tag, {}).get(name) for name in ("feature", "severity")},
        }
        for tag in tags
    ]


def _decision(
    decision: Mapping[str, Any], event: Mapping[str, Any], versions: Mapping[str, Version], index: _Index
) -> dict[str, Any]:
    told: Any = dict(decision)
    if event["event"] is not None:
        told = explained_again(told, event["event"], event.get("raw"))
    version = versions.get(told["policy"]["sha256"])
    written = version.rules if version else {}
    idx = index.of("decision", decision["event_id"], decision["at"])
    gone = told.get("erased") or told.get("unreadable")
    rules = index.rules(idx) if gone else told["rules"]
    return {
        **{name: told.get(name) for name in ("at", "actor", "outcome", "policy", "status", "reason")},
        "idx": idx,
        "erased": bool(told.get("erased")),
        "unreadable": bool(told.get("unreadable")),
        "let": [{**let, "inputs": _inputs(let["inputs"])} for let in told.get("let", ())],
        "rules_known": rules is not None,
        "rules": [_rule(rule, written.get(rule["id"], {})) for rule in rules or ()],
    }


def _rule(rule: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    description = written.get("description")
    return {
        **{name: rule[name] for name in ("id", "fired", "mode", "line")},
        "description": description if isinstance(description, str) else None,
        "tags": written.get("tags"),
        "stop": written.get("stop") is True,
        "words": VERDICTS[rule["fired"]],
        "conditions": [_condition(condition, rule["fired"]) for condition in rule["conditions"]],
    }


def _condition(condition: Mapping[str, Any], fired: bool | None) -> dict[str, Any]:
    change = condition.get("would_change")
    return {
        **{name: condition[name] for name in ("expr", "line", "value", "missing")},
        "decided": decides(condition, fired),
        "inputs": _inputs(condition["inputs"]),
        "would_change": change,
        "would_change_words": _change(change),
    }


def _change(change: Mapping[str, Any] | None) -> str | None:
    return (
        None if change is None else change_words(change, str(_short(json.dumps(change["value"], ensure_ascii=False))))
    )


def _inputs(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"path": path, "words": path_words(path), "value": value} for path, value in inputs.items()]


def _action(action: Mapping[str, Any], index: _Index) -> dict[str, Any]:
    names = ("action_id", "name", "rule", "state", "reason", "params", "planned_at", "finished_at")
    action_id = action["action_id"]
    return {
        **{name: action[name] for name in names},
        "words": STATES[action["state"]],
        "erased": bool(action.get("erased")),
        "unreadable": bool(action.get("unreadable")),
        "attempts": [{**attempt, "words": ATTEMPTS[attempt["outcome"]]} for attempt in action["attempts"]],
        "deeds": [
            {**deed, "words": DEEDS[deed["act"]], "idx": index.of("operator", action_id, deed["at"], deed["act"])}
            for deed in action["deeds"]
        ],
        "result": _short(action["result"]),
        "entries": index.action(action_id),
    }


def _short(value: Any) -> Any:
    """What came back, without what nobody reads: long texts and long lists are cut, and say so."""
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:_LONGEST]} ... ({len(value)} characters)"
    if isinstance(value, dict):
        return {name: _short(each) for name, each in value.items()}
    if isinstance(value, list):
        rest = [f"... and {len(value) - _MOST} more"] if len(value) > _MOST else []
        return [*(_short(each) for each in value[:_MOST]), *rest]
    return value


def _review(review: Mapping[str, Any], index: _Index) -> dict[str, Any]:
    names = ("review_id", "queue", "priority", "state", "rule", "reason", "opened_at", "resolved_at", "resolved_by")
    resolved_at = review["resolved_at"]
    return {
        **{name: review[name] for name in (*names, "resolution", "note")},
        "erased": bool(review.get("erased")),
        "unreadable": bool(review.get("unreadable")),
        "idx": index.of("review", review["review_id"], review["opened_at"]),
        "resolved_idx": index.of("operator", review["review_id"], resolved_at, "resolve") if resolved_at else None,
    }


def _statuses(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the vendor reported, in the order of arrival, and what a decision asked it to set."""
    found = []
    for event in events:
        if event["status"] and not event["type"].startswith(RESULT_PREFIX):
            how = "reported by the vendor"
            if event["echo"]:
                how = "reported by the vendor, as the effect of our own call"
            elif event["stale"]:
                how = "reported late: something newer was known already"
            found.append(
                {"at": event["received_at"], "status": event["status"], "how": how, "event_id": event["event_id"]}
            )
        for decision in event["decisions"]:
            if decision["status"]:
                how = "asked for by our policy"
                status = {"at": decision["at"], "status": decision["status"], "how": how}
                found.append({**status, "event_id": event["event_id"]})
    return found


def _policy(version: Version) -> dict[str, Any]:
    return {
        "name": version.name,
        "sha256": version.sha256,
        "author": version.author,
        "uses": [dict(use) for use in version.uses],
    }


def _people(events: Iterable[Mapping[str, Any]], entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Who did what by hand, oldest first."""
    done = []
    for event in events:
        for action in event["actions"]:
            what = f"{action['name']} (rule {action['rule']})"
            done += [{**deed, "what": what} for deed in action["deeds"]]
        for review in event["reviews"]:
            if review["resolved_at"]:
                reason = " - ".join(filter(None, (review["resolution"], review["note"]))) or None
                deed = {"at": review["resolved_at"], "actor": review["resolved_by"], "act": "resolve", "reason": reason}
                what = f"case in queue {review['queue']} (rule {review['rule']})"
                done.append({**deed, "words": DEEDS["resolve"], "what": what, "idx": review["resolved_idx"]})
    for entry in entries:
        act = entry["content"].get("facts", {}).get("act")
        if entry["kind"] == "operator" and act in ("replay", "call"):
            what = f"event {entry['event_id']}" if act == "replay" else entry["type"]
            deed = {"at": entry["at"], "actor": entry["actor"], "act": act, "words": DEEDS[act]}
            done.append({**deed, "what": what, "reason": None, "idx": entry["idx"]})
    return sorted(done, key=lambda deed: deed["at"])


def _read(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: entry[name] for name in ("idx", "at", "actor", "event_id")},
        "what": entry["content"].get("facts", {}).get("what"),
    }


def _entry(entry: Mapping[str, Any], size: int) -> dict[str, Any]:
    names = ("idx", "at", "kind", "actor", "event_id", "action_id", "rule", "outcome")
    words = entry_words(entry["kind"], entry["outcome"])
    return {**{name: entry[name] for name in names}, "words": words, "signed": entry["idx"] < size}


def _checkpoint(material: Material) -> dict[str, Any] | None:
    checkpoint = material.checkpoint
    if checkpoint is None:
        return None
    root = base64.b64encode(checkpoint.root).decode("ascii")
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": root}
