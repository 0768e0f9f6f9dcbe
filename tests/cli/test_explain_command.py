"""`hookwarden explain` as people run it: on payloads without a server, and on events that a real receiver stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from receiver.cli.explaining import stored_event
from receiver.contract import JsonObject
from tests.support.processes import run
from tests.support.receiver import Receiver, liveness, running, session_event, write_configuration

POLICY: dict[str, Any] = {
    "name": "explained",
    "rules": [
        {
            "id": "attack",
            "tags": ["LIVENESS_FACE_ATTACK"],
            "then": [{"label": {"add": ["attack"]}}],
            "stop": True,
        },
        {
            "id": "low",
            "when": ["event.liveness.score < 60.0", 'event.country == "ESP"', 'event.status == "In Review"'],
            "then": [{"label": {"add": ["low"]}}],
        },
    ],
}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A running receiver under POLICY."""
    with running(tmp_path_factory.mktemp("explain"), POLICY) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def event_id(receiver: Receiver) -> str:
    """A stored event whose liveness score is 77."""
    return str(receiver.send(session_event("s-9", decision=liveness(score=77))).json()["event_id"])


def payload(folder: Path, **fields: Any) -> str:
    """A payload file; gives its name."""
    (folder / "payload.json").write_text(json.dumps(session_event("s-1", **fields)), encoding="utf-8")
    return "payload.json"


def explain(folder: Path, *arguments: str, status: int = 0) -> str:
    done = run("explain", *arguments, cwd=folder)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_payload_is_explained_without_storing_or_calling_anything(tmp_path: Path) -> None:
    write_configuration(tmp_path, POLICY)
    name = payload(tmp_path, decision=liveness(score=77))
    said = explain(tmp_path, "--payload", name).splitlines()
    start = next(index for index, line in enumerate(said) if "rule low" in line)
    assert said[start].endswith("does not fire")
    assert [line.strip() for line in said[start + 1 :]] == [
        f"line {said[start + 1].split()[1][:-1]}: event.liveness.score < 60.0  is false  <- this decided",
        "event.liveness.score = 77",
        "would be true if event.liveness.score were below 60.0",
        f'line {said[start + 4].split()[1][:-1]}: event.country == "ESP"  is undecided',
        "missing: event.country",
        f'line {said[start + 6].split()[1][:-1]}: event.status == "In Review"  is true',
        'event.status = "In Review"',
    ]
    assert not (tmp_path / "var").exists()


def test_json_of_a_payload_is_the_decision_with_what_would_have_turned_it(tmp_path: Path) -> None:
    write_configuration(tmp_path, POLICY)
    name = payload(tmp_path, decision=liveness(score=77))
    document = json.loads(explain(tmp_path, "--payload", name, "--source", "didit", "--json"))
    assert list(document) == ["outcome", "policy", "status", "rules"]
    (low,) = document["rules"]
    assert (low["id"], low["fired"], low["mode"]) == ("low", False, "enforce")
    assert low["conditions"][0]["would_change"] == {
        "path": "event.liveness.score",
        "op": "<",
        "value": 60.0,
        "gives": True,
    }
    assert "would_change" not in low["conditions"][1]
    assert low["conditions"][1]["missing"] == ["event.country"]


def test_planned_actions_and_rules_that_a_stop_kept_away_are_told(tmp_path: Path) -> None:
    write_configuration(tmp_path, POLICY)
    said = explain(tmp_path, "--payload", payload(tmp_path, decision=liveness("LIVENESS_FACE_ATTACK")))
    assert '-> label {"add": ["attack"]} of rule attack: planned' in said
    assert "not looked at: rule attack, which comes before it, fired and has `stop: true`" in said


def test_an_event_for_which_there_is_no_rule_is_told_so(tmp_path: Path) -> None:
    write_configuration(tmp_path, POLICY)
    assert "no rule is for this event" in explain(tmp_path, "--payload", payload(tmp_path, webhook_type="user.updated"))


def test_a_stored_event_is_explained_as_it_was_decided(receiver: Receiver, event_id: str) -> None:
    stored = receiver.event(event_id)["decision"]
    assert json.loads(explain(receiver.folder, event_id, "--json")) == stored
    said = explain(receiver.folder, event_id)
    assert said.startswith(f"{event_id}  status.updated  In Review  tags: -\n")
    assert "would be true if event.liveness.score were below 60.0" in said


def test_a_stored_event_is_decided_anew_under_the_policy_of_today(
    receiver: Receiver, event_id: str, tmp_path: Path
) -> None:
    changed: JsonObject = {"name": "newer", "rules": [{"id": "high", "when": ["event.liveness.score > 60.0"]}]}
    config = write_configuration(tmp_path, changed, data_dir=str(receiver.folder / "var"))
    options = (event_id, "--config", str(config))
    assert json.loads(explain(tmp_path, *options, "--json"))["policy"]["name"] == "explained"
    anew = json.loads(explain(tmp_path, *options, "--now", "--json"))
    assert (anew["policy"]["name"], [(rule["id"], rule["fired"]) for rule in anew["rules"]]) == (
        "newer",
        [("high", True)],
    )
    assert "would be false if event.liveness.score were at most 60.0" in explain(tmp_path, *options, "--now")
    assert receiver.event(event_id)["decision"]["policy"]["name"] == "explained"


def test_a_stored_result_event_has_its_action_and_result() -> None:
    raw: Any = {"action": {"name": "label"}, "result": {"n": 1}}
    document: Any = {"event_id": "evt_2", "parent_id": "evt_1", "event": {"type": "action.label"}, "raw": raw}
    event = stored_event(document)
    assert (event.action, event.result) == ({"name": "label"}, {"n": 1})
    delivered = stored_event({**document, "parent_id": None})
    assert (delivered.action, delivered.result, delivered.raw) == (None, None, raw)


def test_an_event_whose_person_was_erased_cannot_be_decided_anew() -> None:
    with pytest.raises(click.ClickException, match="evt_2 belongs to a person who was erased"):
        stored_event({"event_id": "evt_2", "parent_id": None, "event": None, "raw": None})


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "name a stored event, or a file with --payload"),
        (["evt_1", "--payload", "payload.json"], 2, "name a stored event, or a file with --payload"),
        (["--payload", "payload.json", "--source", "other"], 2, "unknown source 'other'; known: didit"),
        (["--payload", "payload.json", "--now"], 2, "a payload is always decided now"),
        (["evt_1", "--source", "didit"], 2, "a stored event has its source"),
        (["--payload", "list.json"], 2, "list.json is no payload"),
        (["evt_1"], 1, "nothing is stored yet"),
    ],
)
def test_what_cannot_be_explained_is_said(tmp_path: Path, arguments: list[str], status: int, said: str) -> None:
    write_configuration(tmp_path, POLICY)
    payload(tmp_path)
    (tmp_path / "list.json").write_text("[]", encoding="utf-8")
    assert said in explain(tmp_path, *arguments, status=status)


def test_an_unknown_event_is_status_1(receiver: Receiver) -> None:
    assert "no event evt_none" in explain(receiver.folder, "evt_none", status=1)
