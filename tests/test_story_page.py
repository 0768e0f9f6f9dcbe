"""The page of a session's story: escaped, self-contained, printable, whatever strangers wrote into it."""

from __future__ import annotations

import contextlib
import html
import html.parser
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from receiver.cli.life import tell_life
from receiver.cli.story import tell_event
from receiver.links import without_links
from receiver.story.page import page
from receiver.story.person import for_person
from receiver.story.tags import TAG_WORDS
from receiver.vendors.tags import KNOWN_TAGS
from tests.support.receiver import TOKENS, Receiver, await_that, liveness, running, session_event

HOSTILE = (
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "</style></title><b>bold",
    "\x1b]0;PWNED\x07\x1b[2J",
    "\u202ecod.exe\u2066\u200b\ufeff",
    "\ud800",
    "x" * 100_000,
    "a\nb\tc\r\x00",
)
SESSION = "s-<i>hostile</i>"
POLICY: dict[str, Any] = {
    "version": 1,
    "name": "page <u>",
    "rules": [
        {
            "id": "attack",
            "description": "An attack <em>is</em> declined",
            "tags": ["LIVENESS_FACE_ATTACK"],
            "when": ["event.liveness.score < 60.0"],
            "then": [
                {"label": {"add": ["attack"]}},
                {"review": {"queue": "q", "reason": "{{ event.vendor_data }}"}, "needs_approval": True},
            ],
        },
        {"id": "twin", "when": ["event.matches.exists(m, m.similarity > 90.0)"], "then": [{"label": {"add": ["t"]}}]},
        {"id": "other", "when": ["event.vendor_data == 'nobody'"], "then": [{"label": {"add": ["o"]}}]},
        {
            "id": "lacking",
            "when": ["event.aml.score > 50.0"],
            "on_missing": "review",
            "then": [{"label": {"add": ["l"]}}],
        },
        {"id": "trial", "mode": "shadow", "when": ["true"], "then": [{"label": {"add": ["s"]}}]},
    ],
}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with running(tmp_path_factory.mktemp("page"), POLICY) as one:
        yield one


@pytest.fixture(scope="module")
def story(receiver: Receiver) -> dict[str, Any]:
    """A session of which every text is hostile, and in which a person took part."""
    last = ""
    for number, text in enumerate(HOSTILE):
        matches = [{"session_id": text, "similarity_percentage": 97.5, "vendor_data": text, "status": text}]
        warnings = {"matches": matches, "reference_image": "https://media.example/face.png?sig=1"}
        event = session_event(SESSION, event_id=str(number), vendor_data=text or "v", status=text, workflow_id=text)
        given = liveness("LIVENESS_FACE_ATTACK", text[:60], **warnings)
        answer = receiver.send({**event, "webhook_type": text if number == 3 else "status.updated", "decision": given})
        assert answer.status_code == 200, answer.text
        last = str(answer.json()["event_id"])
    action = next(each for each in receiver.event(last)["actions"] if each["state"] == "awaiting_approval")
    said = {"reason": HOSTILE[0] + HOSTILE[5]}
    assert receiver.api(f"/api/actions/{action['action_id']}/approve", "analyst", "POST", json=said).status_code == 200
    await_that(lambda: receiver.api(f"/api/actions/{action['action_id']}").json()["state"] == "done")
    return explanation(receiver)


def explanation(receiver: Receiver, **params: str) -> dict[str, Any]:
    answer = receiver.api(f"/api/sessions/{SESSION}/explanation", "analyst", params=params)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


class Tags(html.parser.HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes.update(name for name, _ in attrs)


def test_nothing_of_a_stranger_becomes_markup(story: dict[str, Any]) -> None:
    text = page(story)
    parsed = Tags()
    parsed.feed(text)
    assert "<script" not in text
    assert not {"script", "img", "b", "u", "em", "i", "link", "iframe"} & set(parsed.names)
    assert not {"src", "href", "onerror", "onload"} & parsed.attributes
    assert "&lt;script&gt;" in text
    assert "{{ 7 * 7 }}{% raw %}" in text
    assert (parsed.names.count("style"), parsed.names.count("title")) == (1, 1)


def test_the_page_loads_nothing_and_steers_no_reader(story: dict[str, Any]) -> None:
    text = page(story)
    assert not re.search(r"https?:|@import|url\(", text)
    assert [character for character in set(text) if not character.isprintable()] == ["\n"]
    text.encode("utf-8")
    assert "\\u202e" in text
    assert len(text) < 600_000


def test_the_terminal_is_not_steered_either(story: dict[str, Any]) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        tell_life(story)
    text = out.getvalue()
    assert [character for character in set(text) if not character.isprintable()] == ["\n"]
    assert max(map(len, text.splitlines())) < 3000


def test_the_story_says_who_decided_why_and_what_would_have_changed_it(story: dict[str, Any]) -> None:
    rules = {rule["id"]: rule for rule in story["events"][0]["decisions"][0]["rules"]}
    condition = rules["attack"]["conditions"][0]
    assert (rules["attack"]["fired"], rules["attack"]["description"]) == (True, "An attack <em>is</em> declined")
    assert condition["inputs"] == [{"path": "event.liveness.score", "words": "liveness score, 0 to 100", "value": 3.5}]
    assert condition["would_change_words"] == "would be false if event.liveness.score were at least 60.0"
    assert rules["lacking"]["fired"] is None
    assert rules["lacking"]["conditions"][0]["missing"] == ["event.aml.score"]
    assert rules["trial"]["mode"] == "shadow"
    assert [(deed["actor"], deed["act"]) for deed in story["people"]] == [("token:analyst", "approve")]
    assert "token:analyst approved it" in page(story)
    assert story["policies"][0]["uses"][0]["idx"] == 0


def test_every_step_names_its_entry_and_says_if_it_is_signed(receiver: Receiver, story: dict[str, Any]) -> None:
    known = {entry["idx"]: entry for entry in story["entries"]}
    for event in story["events"]:
        assert known[event["idx"]]["kind"] == "event"
        assert [known[each["idx"]]["kind"] for each in event["decisions"]] == ["decision"] * len(event["decisions"])
        for action in event["actions"]:
            assert {known[idx]["action_id"] for idx in action["entries"]} == {action["action_id"]}
    assert known[story["people"][0]["idx"]]["actor"] == "token:analyst"
    size = story["checkpoint"]["size"]
    assert {idx: each["signed"] for idx, each in known.items()} == {idx: idx < size for idx in known}
    assert await_that(lambda: all(each["signed"] for each in explanation(receiver)["entries"][:-1]))


def test_links_and_images_are_not_in_it(story: dict[str, Any]) -> None:
    assert "media.example" not in json.dumps(story)


def test_for_the_person_others_and_staff_are_left_out(receiver: Receiver, story: dict[str, Any]) -> None:
    shown = explanation(receiver, **{"for": "person"})
    twin = next(rule for rule in shown["events"][0]["decisions"][0]["rules"] if rule["id"] == "twin")
    seen = twin["conditions"][0]["inputs"][0]["value"]
    assert seen
    assert {(each["session_id"], each["vendor_data"]) for each in seen} == {("[another person]", "[another person]")}
    assert shown["people"][0]["actor"] == "[staff]"
    assert for_person(story)["session_id"] == SESSION


def test_the_page_comes_as_a_page_or_as_json_as_it_is_asked_for(receiver: Receiver, story: dict[str, Any]) -> None:
    def kind(accept: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {TOKENS['pii_reader']}", "Accept": accept}
        answer = httpx.get(f"{receiver.url}/api/sessions/{SESSION}/explanation", headers=headers, timeout=20)
        assert answer.status_code == 406 or "default-src 'none'" in answer.headers["content-security-policy"]
        return answer.status_code, answer.headers["content-type"].partition(";")[0]

    assert kind("text/html,application/xhtml+xml,*/*;q=0.8") == (200, "text/html")
    assert (
        kind("*/*") == kind("application/json") == kind("text/html;q=0.5, application/*") == (200, "application/json")
    )
    assert kind("text/html;q=0, image/png")[0] == 406


def test_one_event_is_told_alone(receiver: Receiver, story: dict[str, Any]) -> None:
    event_id = story["events"][1]["event_id"]
    alone = explanation(receiver, event=event_id)
    assert [event["event_id"] for event in alone["events"]] == [event_id]
    assert {entry["event_id"] for entry in alone["entries"]} == {event_id}
    direct = receiver.api(f"/api/events/{event_id}/explanation", "analyst").json()
    assert direct["events"] == alone["events"]
    assert receiver.api(f"/api/sessions/other/explanation?event={event_id}", "analyst").status_code == 404


def test_an_event_without_a_session_is_told_too(receiver: Receiver) -> None:
    body = session_event("x", event_id="alone")
    del body["session_id"], body["vendor_data"]
    event_id = receiver.send(body).json()["event_id"]
    story = receiver.api(f"/api/events/{event_id}/explanation", "analyst").json()
    assert (story["session_id"], story["only_event"]) == (None, event_id)
    assert story["events"][0]["decisions"][0]["rules"]
    assert event_id in page(story)


OPEN: dict[str, Any] = {
    "nobody": {"scheme": "none", "accept_unsigned": True},
    "shared": {"scheme": "static", "header": "X-Key", "secrets": ["kR3-9vXq_hT7bWz2LmN8"], "accept_unsigned": True},
}


@pytest.mark.parametrize(
    ("source", "words"),
    [("nobody", "NOT SIGNED: nothing proves who sent it"), ("shared", "NOT SIGNED: a shared header, no signature")],
)
def test_nobody_is_said_to_have_signed_what_is_not_signed(tmp_path: Path, source: str, words: str) -> None:
    told = {"id": "raw.id", "type": "raw.event", "session_id": "raw.session"}
    sources = {name: {"vendor": "generic", "verify": verify, "map": told} for name, verify in OPEN.items()}
    with running(tmp_path, POLICY, sources=sources) as receiver:
        headers = {"Content-Type": "application/json", "X-Key": "kR3-9vXq_hT7bWz2LmN8"}
        body = json.dumps({"id": "1", "event": "status.updated", "session": "s-open"}).encode()
        answer = receiver.post(body, headers, source)
        assert answer.status_code == 200, answer.text
        document = receiver.api("/api/sessions/s-open/explanation", "analyst").json()
        shown = receiver.api(f"/api/events/{answer.json()['event_id']}").json()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        tell_life(document)
        tell_event(shown)
    for text in (page(document), out.getvalue()):
        assert f"{words} (source {source})" in html.unescape(re.sub("<[^>]+>", "", text))
        assert not re.search(r"(?i)signed by|verified by|signed at|each signed", text)
    assert out.getvalue().count(words) == 2


def test_what_is_signed_names_its_source(story: dict[str, Any]) -> None:
    assert "Signed by source didit: verified (" in page(story)


def test_the_terminal_shows_what_the_policy_worked_out_and_from_what(tmp_path: Path) -> None:
    lets: dict[str, Any] = {"limit": "50.0", "risky": "event.liveness.score < limit"}
    rules: list[Any] = [{"id": "r", "when": ["risky"], "then": [{"label": {"add": ["l"]}}]}]
    with running(tmp_path, {"version": 1, "name": "lets", "let": lets, "rules": rules}) as receiver:
        receiver.send(session_event("s-let", event_id="1", decision=liveness("LIVENESS_FACE_ATTACK")))
        document = receiver.api("/api/sessions/s-let/explanation", "analyst").json()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        tell_life(document)
    text = out.getvalue()
    assert "values that the policy worked out" in text
    assert re.search(r"risky = true  \(line \d+: event\.liveness\.score < limit\)", text)
    assert re.search(r"risky = true.*\n +event\.liveness\.score = 3\.5", text)
    assert "limit = 50.0  (fixed)" in text
    assert "Nobody acted by hand in Hookwarden" in text
    assert "all was done by the policy" not in text
    assert "Nobody acted by hand in Hookwarden" in page(document)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("see https://a.example/x?sig=1 now", "see [link] now"),
        ({"images": {"selfie": "opaque", "none": None}}, {"images": {"selfie": "[link]", "none": None}}),
        (["S3://bucket/key", 1, None], ["[link]", 1, None]),
        ("data:image/png;base64,AAAA", "[link]"),
        ("a: b", "a: b"),
    ],
)
def test_links_are_found_wherever_they_stand(value: object, shown: object) -> None:
    assert without_links(value) == shown


def test_every_known_tag_has_plain_words() -> None:
    assert set(TAG_WORDS) == set(KNOWN_TAGS)
    assert all(words and words == words.strip() for words in TAG_WORDS.values())
