"""`hookwarden audit explain` as people run it, and the entries that acts at the command line leave."""

from __future__ import annotations

import getpass
import json
import sqlite3
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from receiver.cli.main import main
from tests.support.processes import free_port, program, run
from tests.support.receiver import Receiver, liveness, running, session_event, write_configuration

ME = f"cli:{getpass.getuser()}"
POLICY: dict[str, Any] = {
    "version": 1,
    "name": "told",
    "rules": [
        {
            "id": "attack",
            "description": "A presentation attack is labelled",
            "tags": ["LIVENESS_FACE_ATTACK"],
            "when": ["event.liveness.score < 60.0"],
            "then": [
                {"label": {"add": ["attack"]}, "needs_approval": True},
                {"review": {"queue": "q", "reason": "see"}},
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with running(tmp_path_factory.mktemp("told"), POLICY) as one:
        yield one


def hookwarden(folder: Path, *arguments: str, status: int = 0) -> str:
    done = run(*arguments, "--config", str(folder / "config.yaml"), cwd=folder)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def sent(receiver: Receiver, session: str, **fields: Any) -> str:
    event = session_event(session, event_id=str(uuid.uuid4()), decision=liveness("LIVENESS_FACE_ATTACK"), **fields)
    answer = receiver.send(event)
    assert answer.status_code == 200, answer.text
    event_id = str(answer.json()["event_id"])
    receiver.settled(event_id)
    return event_id


def told(folder: Path, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(hookwarden(folder, "audit", "explain", *arguments, "--json"))
    return document


def entries(receiver: Receiver, query: str) -> list[dict[str, Any]]:
    """Fitting entries of ours, newest first, with what their leaves say."""
    items = receiver.api("/api/audit", "reader", params={"q": f"actor:{ME} {query}"}).json()["items"]
    return [receiver.api(f"/api/audit/{item['idx']}", "reader").json() for item in items]


def test_a_session_is_told_from_what_came_in_to_who_approved(receiver: Receiver) -> None:
    event_id = sent(receiver, "s-told")
    waiting = next(each for each in receiver.event(event_id)["actions"] if each["state"] == "awaiting_approval")
    hookwarden(receiver.folder, "actions", "approve", waiting["action_id"], "--reason", "looked at the picture")
    receiver.settled(event_id)
    text = hookwarden(receiver.folder, "audit", "explain", "s-told")
    for words in (
        "a photo, screen, mask or the like",
        "rule attack applied",
        "event.liveness.score = 3.5",
        "would be false if event.liveness.score were at least 60.0",
        f'{ME} approved it: label (rule attack), because "looked at the picture"',
        "covered by it",
        "still open",
    ):
        assert words in text
    people = told(receiver.folder, "s-told")["people"]
    assert [(each["actor"], each["act"], each["reason"]) for each in people] == [
        (ME, "approve", "looked at the picture")
    ]


def test_the_page_is_for_its_owner_alone_and_says_the_same(receiver: Receiver, tmp_path: Path) -> None:
    sent(receiver, "s-page")
    page = tmp_path / "page.html"
    said = hookwarden(receiver.folder, "audit", "explain", "s-page", "--html", str(page))
    assert "personal data" in said
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    text = page.read_text(encoding="utf-8")
    assert "How this session was decided" in text
    assert "at least 60.0" in text
    assert "<!doctype html>" in hookwarden(receiver.folder, "audit", "explain", "s-page", "--html", "-")


def test_reading_it_leaves_an_entry_that_the_next_reading_shows(receiver: Receiver) -> None:
    event_id = sent(receiver, "s-read")

    def ours(*arguments: str) -> list[str | None]:
        reads = told(receiver.folder, *arguments)["reads"]
        return [each["event_id"] for each in reads if (each["actor"], each["what"]) == (ME, "explanation")]

    assert ours("s-read") == []
    assert ours("s-read", "--event", event_id) == []  # of the event alone: the first reading was of the session
    assert ours("s-read") == [None, event_id]


def test_what_cannot_be_told_says_what_to_do(receiver: Receiver) -> None:
    assert "no session of this id" in hookwarden(receiver.folder, "audit", "explain", "nobody", status=1)
    assert "no event" in hookwarden(receiver.folder, "audit", "explain", "--event", "evt_none", status=1)
    assert "name a session" in hookwarden(receiver.folder, "audit", "explain", status=2)
    assert "choose one" in hookwarden(receiver.folder, "audit", "explain", "s", "--json", "--html", "-", status=2)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, list[str]]:
    """A folder with one session of two events, its receiver ended."""
    with running(tmp_path, POLICY) as receiver:
        events = [sent(receiver, "s-gone"), sent(receiver, "s-gone")]
    return tmp_path, events


def change(folder: Path, file: str, sql: str) -> None:
    with sqlite3.connect(folder / "var" / file) as connection:
        connection.execute(sql)
    connection.close()


def test_of_an_erased_person_the_story_says_what_is_gone_and_what_is_left(stored: tuple[Path, list[str]]) -> None:
    folder, _ = stored
    change(folder, "keys.db", "DELETE FROM subject_key")
    change(folder, "hookwarden.db", "UPDATE payload SET body = NULL, document = NULL, biometric = NULL")
    change(folder, "hookwarden.db", "UPDATE decision SET document = NULL")
    story = told(folder, "s-gone")
    assert (story["erased"], [event["erased"] for event in story["events"]]) == ("yes", [["its contents"]] * 2)
    assert [event["unreadable"] for event in story["events"]] == [[], []]
    assert any("cannot be read by anybody" in sentence for sentence in story["summary"])
    assert [len(event["decisions"]) for event in story["events"]] == [1, 1]
    assert all(each["erased"] for event in story["events"] for each in event["decisions"])
    assert "3.5" not in json.dumps(story["events"])
    assert "erased" in hookwarden(folder, "audit", "explain", "s-gone")
    assert "erased" in hookwarden(folder, "audit", "explain", "s-gone", "--html", "-")


def test_of_an_erased_person_the_rules_are_told_from_the_record(stored: tuple[Path, list[str]]) -> None:
    folder, events = stored
    hookwarden(folder, "audit", "erase", "--session", "s-gone", "--yes")
    story = told(folder, "--event", events[0])
    (rule,) = story["events"][0]["decisions"][0]["rules"]
    assert (rule["id"], rule["fired"], rule["mode"], rule["line"]) == ("attack", True, "enforce", None)
    assert rule["description"] == "A presentation attack is labelled"
    assert "Rule attack applied: A presentation attack is labelled" in story["summary"]
    for arguments in ((), ("--html", "-")):
        said = hookwarden(folder, "audit", "explain", "--event", events[0], *arguments)
        assert "Rule attack applied" in said
        assert "as its entry says" in said
        assert "No rule of the policy applied" not in said
        assert "no further conditions" not in said


def test_a_key_that_was_changed_is_named(stored: tuple[Path, list[str]]) -> None:
    folder, _ = stored
    change(folder, "keys.db", "UPDATE subject_key SET wrapped = zeroblob(length(wrapped))")
    said = hookwarden(folder, "audit", "explain", "s-gone", status=2)
    assert "in keys.db does not open: it was changed; restore keys.db from a backup" in said


def test_what_lost_its_key_is_not_called_erased(stored: tuple[Path, list[str]]) -> None:
    folder, events = stored
    change(folder, "keys.db", "DELETE FROM subject_key")
    story = told(folder, "s-gone")
    assert (story["erased"], [event["erased"] for event in story["events"]]) == ("no", [[], []])
    assert [event["unreadable"] for event in story["events"]] == [["its contents"]] * 2
    assert not any(each["erased"] for event in story["events"] for each in event["decisions"])
    assert any("nothing says that it was erased" in sentence for sentence in story["summary"])
    for arguments in (("s-gone",), ("s-gone", "--html", "-")):
        assert "not erased" in hookwarden(folder, "audit", "explain", *arguments).replace("nothing says", "")
    assert "nothing says that it was erased" in hookwarden(folder, "explain", events[0], "--now", status=1)


def test_once_no_session_leads_there_an_event_still_does(stored: tuple[Path, list[str]]) -> None:
    folder, events = stored
    change(folder, "keys.db", "DELETE FROM subject_key")
    change(folder, "hookwarden.db", "UPDATE payload SET body = NULL, document = NULL, biometric = NULL")
    change(folder, "hookwarden.db", "UPDATE decision SET document = NULL")
    change(folder, "hookwarden.db", "UPDATE event SET session_id = NULL")
    change(folder, "hookwarden.db", "DELETE FROM session_ref")
    assert "name an event" in hookwarden(folder, "audit", "explain", "s-gone", status=1)
    story = told(folder, "--event", events[0])
    assert (story["session_id"], story["erased"]) == (None, "yes")
    assert [tag["tag"] for tag in story["events"][0]["tags"]] == ["LIVENESS_FACE_ATTACK"]
    assert story["events"][0]["decisions"][0]["policy"]["name"] == "told"
    assert {"event", "decision"} <= {entry["kind"] for entry in story["entries"]}
    for arguments in ((), ("--html", "-")):
        assert "s-gone" not in hookwarden(folder, "audit", "explain", "--event", events[0], *arguments)


def test_of_a_session_that_is_kept_in_part_the_rest_is_told(stored: tuple[Path, list[str]]) -> None:
    folder, _ = stored
    change(folder, "hookwarden.db", "UPDATE payload SET body = NULL, document = NULL WHERE n = 1")
    story = told(folder, "s-gone")
    assert (story["erased"], [bool(event["erased"]) for event in story["events"]]) == ("in part", [True, False])
    condition = story["events"][1]["decisions"][0]["rules"][0]["conditions"][0]
    assert condition["would_change_words"]
    assert "has been removed after its time" in hookwarden(folder, "audit", "explain", "s-gone")


ACTS = {  # with the test that looks for its entry below
    "actions retry", "actions discard", "actions approve", "actions reject", "reviews resolve", "events replay",
    "events show", "explain", "simulate", "serve", "audit explain",
}  # fmt: skip
HARMLESS = {  # store nothing, and show nothing that is sealed as a body
    "check", "init", "test", "schema", "send", "sandbox", "demo", "rejects",
    "events list", "actions list", "actions show", "reviews list",
}  # fmt: skip
ELSEWHERE = ("audit ", "call", "didit ", "worker")  # have tests of their own


def commands(group: click.Group, name: str = "") -> Iterator[str]:
    context = click.Context(group)
    for key in group.list_commands(context):
        command = group.get_command(context, key)
        if isinstance(command, click.Group):
            yield from commands(command, f"{name}{key} ")
        else:
            yield f"{name}{key}"


def test_every_command_that_does_something_is_walked_here() -> None:
    """A new one belongs into ACTS, with a test that looks for its entry, or it does nothing for the record."""
    unknown = {name for name in commands(main) if name not in ACTS | HARMLESS and not name.startswith(ELSEWHERE)}
    assert unknown == set()


@pytest.mark.parametrize("deed", ["approve", "reject", "discard"])
def test_a_deed_on_an_action_is_an_entry(receiver: Receiver, deed: str) -> None:
    event_id = sent(receiver, f"s-{deed}")
    action = next(each for each in receiver.event(event_id)["actions"] if each["state"] == "awaiting_approval")
    hookwarden(receiver.folder, "actions", deed, action["action_id"], "--reason", "why not")
    found = entries(receiver, f"kind:operator action:{action['action_id']}")
    assert [(each["actor"], each["content"]["facts"]["act"]) for each in found] == [(ME, deed)]
    assert "why not" not in json.dumps(found)


def test_a_closed_case_and_a_second_decision_are_entries(receiver: Receiver) -> None:
    event_id = sent(receiver, "s-case")
    items = receiver.api("/api/reviews").json()["items"]
    review = next(each["review_id"] for each in items if each["event_id"] == event_id)
    hookwarden(receiver.folder, "reviews", "resolve", review, "cleared", "--note", "it was the twin")
    hookwarden(receiver.folder, "events", "replay", event_id)
    found = entries(receiver, f"kind:operator event:{event_id}")
    assert [(each["actor"], each["content"]["facts"]["act"]) for each in found] == [(ME, "replay"), (ME, "resolve")]
    people = told(receiver.folder, "s-case")["people"]
    assert [(each["act"], each["reason"]) for each in people] == [
        ("resolve", "cleared - it was the twin"),
        ("replay", None),
    ]


def test_what_shows_bodies_leaves_an_entry_and_what_shows_none_does_not(receiver: Receiver) -> None:
    event_id = sent(receiver, "s-bodies")
    query = f"kind:access event:{event_id}"
    hookwarden(receiver.folder, "events", "show", event_id)
    assert entries(receiver, query) == []
    hookwarden(receiver.folder, "events", "show", event_id, "--raw")
    hookwarden(receiver.folder, "explain", event_id)
    facts = [(each["actor"], each["content"]["facts"]) for each in entries(receiver, query)]
    assert facts == [(ME, {"what": "explanation"}), (ME, {"what": "body"})]


def test_a_simulation_is_one_entry(receiver: Receiver) -> None:
    sent(receiver, "s-simulated")
    hookwarden(receiver.folder, "simulate", "--since", "1h")
    hookwarden(receiver.folder, "simulate", "--since", "1h", "--shadow")
    newest = entries(receiver, "kind:access")[:2]
    assert [(each["actor"], each["content"]["facts"]["what"]) for each in newest] == [(ME, "decisions"), (ME, "bodies")]
    assert all(int(each["content"]["facts"]["events"]) > 0 for each in newest)


def test_a_service_says_who_ran_it_from_when_to_when(tmp_path: Path) -> None:
    port = free_port()
    write_configuration(tmp_path, POLICY)
    with program("serve", "--port", str(port), cwd=tmp_path, url=f"http://127.0.0.1:{port}") as running_one:
        running_one.await_ready()
        assert running_one.terminate() == 0
    found = json.loads(hookwarden(tmp_path, "audit", "search", "kind:service", "--json"))["items"]
    shown = [json.loads(hookwarden(tmp_path, "audit", "show", str(each["idx"]), "--json")) for each in found]
    assert [(each["actor"], each["content"]["facts"]["act"]) for each in shown] == [(ME, "stop"), (ME, "start")]
