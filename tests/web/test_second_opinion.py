"""A second vendor's opinion, over real HTTP from end to end: signed webhook in, Didit's decision, the other vendor's
check, its result as an event, and what the policy makes of both.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from handlers.sandbox.media import Links
from handlers.sandbox.scenarios import SCENARIOS, event_of
from handlers.sandbox.webhooks import sign, wire
from receiver.yamltext import read_yaml
from tests.support.other_vendors import EXPIRED, KEY, Simulated, simulated
from tests.support.processes import run
from tests.support.receiver import SECRET, Receiver, await_that, running

ROOT = Path(__file__).parent.parent.parent
POLICY = (ROOT / "tests" / "samples" / "second_opinion.yaml").read_text(encoding="utf-8")


def started(folder: Path, box: Simulated, vendor: str = "verifik", token: str = KEY) -> Any:
    """A receiver whose policy asks this vendor."""
    asked = "verifik.liveness: {liveness_min_score: 0.65}" if vendor == "verifik" else f"{vendor}.liveness: {{}}"
    policy = POLICY.replace("verifik.liveness: {liveness_min_score: 0.65}", asked)
    (folder / "opinion.yaml").write_text(policy.replace("action.verifik", f"action.{vendor}"), encoding="utf-8")
    base_url = f"{box.url}/sumi/v1" if vendor == "kwikid" else box.url
    vendors = {
        "didit": {"base_url": box.url, "api_key": KEY},
        vendor: {"base_url": base_url, "api_key": token},
    }
    images = {"allow_hosts": [urlsplit(box.url).netloc]}
    return running(folder, "opinion.yaml", vendors=vendors, images=images)


def deliver(receiver: Receiver, box: Simulated, scenario: str) -> str:
    """The sandbox's webhook of a scenario, signed as Didit signs. The event's own links are taken away: what is sent on
    must be the picture that the decision names now.
    """
    document = event_of(SCENARIOS[scenario], box.world.state, Links(box.world.media, box.url), int(time.time()))
    body = re.sub(rb'"reference_image": ?"[^"]*"', b'"reference_image":null', wire(document))
    answer = receiver.post(body, sign(body, SECRET))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["event_id"])


def opinion(receiver: Receiver, parent: str) -> dict[str, Any]:
    """The result event that came of a delivery, settled."""
    items = await_that(
        lambda: [one for one in receiver.api("/api/events").json()["items"] if one["parent_id"] == parent]
    )
    return receiver.settled(items[0]["event_id"])


def rules(text: str) -> list[dict[str, Any]]:
    document: Any = read_yaml(text, "policy.yaml").value
    found: list[dict[str, Any]] = document["rules"]
    return found


def status_of(box: Simulated, part: str) -> str:
    return box.world.state.sessions[box.session(part)].status


@pytest.mark.parametrize("vendor", ["verifik", "kwikid"])
def test_two_vendors_that_say_no_decline(tmp_path: Path, vendor: str) -> None:
    with simulated() as box, started(tmp_path, box, vendor) as receiver:
        box.world.opinions.set_score(box.face("low-liveness"), 0.31)
        first = deliver(receiver, box, "low-liveness")
        second = opinion(receiver, first)
        assert [action["name"] for action in receiver.settled(first)["actions"]] == [f"{vendor}.liveness"]
        assert second["event"]["type"] == f"action.{vendor}.liveness"
        assert [(action["name"], action["state"]) for action in second["actions"]] == [("didit.update_status", "done")]
        assert status_of(box, "low-liveness") == "Declined"
        (call,) = box.calls("liveness")[-1:]
        assert call.fields["image_sha256"] == box.face("low-liveness")
        assert "image" not in str(receiver.event(first)["actions"][0]["params"])


def test_a_second_vendor_that_is_content_calls_a_person(tmp_path: Path) -> None:
    with simulated() as box, started(tmp_path, box) as receiver:
        box.world.opinions.set_score(box.face("low-liveness"), 0.97)
        second = opinion(receiver, deliver(receiver, box, "low-liveness"))
        (case,) = second["actions"]
        assert (case["name"], case["params"]["queue"], case["state"]) == ("review", "liveness", "done")
        assert case["params"]["reason"] == "Didit 55.3 of 100; Verifik Approved 0.97 []"
        assert status_of(box, "low-liveness") == "In Review"
        assert [one["queue"] for one in receiver.api("/api/reviews").json()["items"]] == ["liveness"]


def test_a_picture_that_the_second_vendor_does_not_score_accuses_nobody(tmp_path: Path) -> None:
    with simulated() as box, started(tmp_path, box) as receiver:
        box.world.opinions.reasons[box.face("low-liveness")] = "face_occluded"
        (case,) = opinion(receiver, deliver(receiver, box, "low-liveness"))["actions"]
        assert case["params"]["reason"] == 'Didit 55.3 of 100; Verifik In Review  ["LOW_FACE_QUALITY"]'
        assert status_of(box, "low-liveness") == "In Review"


def test_a_call_that_fails_is_no_opinion(tmp_path: Path) -> None:
    """An expired token: the call waits, no result event comes, and the session stays as it is."""
    with simulated() as box, started(tmp_path, box, token=EXPIRED) as receiver:
        event_id = deliver(receiver, box, "low-liveness")
        action = await_that(
            lambda: [one for one in receiver.event(event_id)["actions"] if one["state"] == "waiting_retry"]
        )[0]
        assert "renew it" in action["reason"]
        assert [one for one in receiver.api("/api/events").json()["items"] if one["parent_id"]] == []
        assert status_of(box, "low-liveness") == "In Review"


def test_an_attack_needs_no_second_opinion(tmp_path: Path) -> None:
    with simulated() as box, started(tmp_path, box) as receiver:
        assert receiver.settled(deliver(receiver, box, "attack"))["actions"] == []
        assert box.calls("face-recognition") == []


def test_the_policy_has_no_findings_and_its_examples_hold(tmp_path: Path) -> None:
    (tmp_path / "opinion.yaml").write_text(POLICY, encoding="utf-8")
    for command in ("check", "test"):
        done = run(command, "opinion.yaml", cwd=tmp_path)
        assert (done.returncode, "warning" in done.stdout) == (0, False), done.stdout + done.stderr


def test_a_misspelt_field_of_the_result_is_found(tmp_path: Path) -> None:
    (tmp_path / "opinion.yaml").write_text(POLICY.replace("result.status !=", "result.statsu !="), encoding="utf-8")
    done = run("check", "opinion.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "statsu" in done.stdout


def test_the_readme_shows_this_policy() -> None:
    """The rules of the README are those that are tested here."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("### Second opinion")[1].split("\n### ")[0]
    shown = rules(re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)[0])
    tested = rules(POLICY)
    assert shown == [{key: rule[key] for key in rule if key not in ("description", "examples")} for rule in tested]
