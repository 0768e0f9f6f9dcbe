"""The /_sandbox/ routes."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import httpx
import pytest

from handlers.sandbox.app import SandboxSettings, build_sandbox
from handlers.sandbox.cast import PARTS
from handlers.sandbox.images import selfie_png
from tests.support.didit_sandbox import API_KEY, SEED, WEBHOOK_SECRET, Clock, Sandbox, inbox, sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with sandbox(clock=Clock()) as box:
        yield box


@pytest.fixture
def box(running: Sandbox) -> Sandbox:
    return running.fresh()


def test_the_calls_can_be_asked_for_by_path_and_method(box: Sandbox) -> None:
    box.decision("clean")
    box.http.post("/v3/blocklist/add/", json={"session_id": box.session_id("attack"), "blocklist_face": True})
    box.http.get("/v3/blocklist/", params={"item_type": "face"})
    answer = box.anonymous.get("/_sandbox/calls", params={"path": "blocklist", "method": "post"}).json()
    assert answer["count"] == 1
    (call,) = answer["items"]
    assert (call["method"], call["path"], call["status"]) == ("POST", "/v3/blocklist/add/", 200)
    assert call["fields"] == {"session_id": box.session_id("attack"), "blocklist_face": True}
    paths = [call["path"] for call in box.anonymous.get("/_sandbox/calls").json()["items"]]
    assert paths == [f"/v3/session/{box.session_id('clean')}/decision/", "/v3/blocklist/add/", "/v3/blocklist/"]


def test_refused_calls_are_listed_with_their_status(box: Sandbox) -> None:
    box.anonymous.get("/v3/sessions/")
    box.http.get("/v3/sessions")
    statuses = [call["status"] for call in box.anonymous.get("/_sandbox/calls").json()["items"]]
    assert statuses == [403, 301]


def test_the_state_shows_sessions_and_blocklist(box: Sandbox) -> None:
    session_id = box.session_id("attack")
    box.http.post("/v3/blocklist/add/", json={"session_id": session_id, "blocklist_face": True})
    state = box.anonymous.get("/_sandbox/state").json()
    assert state["seed"] == SEED
    assert state["blocklist"]["face"] == [box.session_id("banned"), session_id]
    (session,) = [row for row in state["sessions"] if row["session_id"] == session_id]
    assert (session["status"], session["vendor_data"]) == ("Declined", "cust-20417")
    assert state["pending_webhooks"] == 0


def test_no_link_and_no_secret_is_shown(box: Sandbox) -> None:
    link = box.decision("clean")["liveness_checks"][0]["reference_image"]
    box.anonymous.get(link)
    shown = box.anonymous.get("/_sandbox/state").text + box.anonymous.get("/_sandbox/calls").text
    assert "sig=" not in shown
    assert API_KEY not in shown
    assert f"/media/{box.world.state.new_id('selfie:clean')}.png" in shown


def test_a_reset_begins_anew_with_the_seed_asked_for(box: Sandbox) -> None:
    first = box.session_id("clean")
    box.http.post("/v3/session/", json={"workflow_id": "w"})
    assert box.anonymous.post("/_sandbox/reset", json={"seed": 8}).json() == {"seed": 8}
    assert box.session_id("clean") != first
    assert len(box.anonymous.get("/_sandbox/state").json()["sessions"]) == len(PARTS)
    assert box.anonymous.get("/_sandbox/calls").json()["count"] == 0
    box.fresh()
    assert box.session_id("clean") == first


def test_without_a_seed_each_beginning_has_its_own_ids(box: Sandbox) -> None:
    seeds = {box.anonymous.post("/_sandbox/reset").json()["seed"] for _ in range(3)}
    assert len(seeds) == 3


@pytest.mark.parametrize("seed", ["7", True, 1.5])
def test_a_seed_is_a_whole_number(box: Sandbox, seed: object) -> None:
    assert box.anonymous.post("/_sandbox/reset", json={"seed": seed}).status_code == 400


async def _ask_from(host: str, control_from_anywhere: bool = False) -> int:
    app = build_sandbox(SandboxSettings(api_key=API_KEY, control_from_anywhere=control_from_anywhere))
    transport = httpx.ASGITransport(app=app, client=(host, 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", trust_env=False) as http:
        return (await http.get("/_sandbox/state")).status_code


@pytest.mark.parametrize(
    ("host", "status"), [("127.0.0.1", 200), ("127.9.9.9", 200), ("::1", 200), ("192.0.2.7", 403), ("unknown", 403)]
)
async def test_only_this_machine_may_look_inside(host: str, status: int) -> None:
    assert await _ask_from(host) == status
    assert await _ask_from(host, control_from_anywhere=True) == 200


def test_an_unknown_scenario_is_404_and_names_the_known_ones(box: Sandbox) -> None:
    for body in ({"scenario": "earthquake"}, {"scenario": 5}, {}):
        answer = box.anonymous.post("/_sandbox/deliver", json=body)
        assert answer.status_code == 404
        assert "late-attack" in answer.json()["detail"]


def test_without_a_destination_a_scenario_cannot_be_sent(box: Sandbox) -> None:
    assert box.anonymous.post("/_sandbox/deliver", json={"scenario": "clean"}).status_code == 409


def test_the_scenarios_are_listed(box: Sandbox) -> None:
    items = box.anonymous.get("/_sandbox/scenarios").json()["items"]
    attack = next(item for item in items if item["name"] == "attack")
    assert attack["session_id"] == box.session_id("attack")
    assert (attack["expected_status"], attack["expected_outcome"]) == (200, "accepted")


def test_a_scenario_is_sent_and_the_answer_told() -> None:
    with inbox(503) as receiver, sandbox(webhook_url=receiver.url, webhook_secret=WEBHOOK_SECRET) as box:
        answer = box.anonymous.post("/_sandbox/deliver", json={"scenario": "attack"}).json()
        assert (answer["scenario"], answer["http_status"], answer["attempt"]) == ("attack", 503, 1)
        assert answer["session_id"] == box.session_id("attack")
        assert box.world.courier.pending == 1  # its second attempt, in a minute
        answer = box.anonymous.post("/_sandbox/deliver", json={"scenario": "clean"}).json()
        assert (answer["http_status"], answer["answer"]) == (200, {"outcome": "accepted"})
        assert len(box.anonymous.get("/_sandbox/state").json()["deliveries"]) == 2


def test_log_lines_hold_no_body_no_link_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="hookwarden.sandbox")
    with inbox() as receiver, sandbox(webhook_url=receiver.url, webhook_secret=WEBHOOK_SECRET) as box:
        box.anonymous.get(box.decision("clean")["liveness_checks"][0]["reference_image"])
        box.http.post("/v3/face-search/", files={"user_image": selfie_png("a")}, data={"vendor_data": "cust-1"})
        box.anonymous.get("/v3/a%0Ab")
        receiver.wait(1)
        box.settled()
    lines = [record.getMessage() for record in caplog.records if record.name == "hookwarden.sandbox"]
    assert len(lines) == 5
    assert all("\n" not in line for line in lines)
    text = " ".join(lines)
    for secret in ("sig=", "cust-1", "Ingrid", API_KEY, WEBHOOK_SECRET):
        assert secret not in text
