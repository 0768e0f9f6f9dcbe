"""`verifik.liveness` against the simulator, over real HTTP, and against answers that the simulator does not give."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from handlers.clients import CLIENTS
from handlers.images import ImageFetcher
from handlers.registry import bind
from handlers.sandbox.images import selfie_png
from handlers.tools import Tools
from receiver.contract import Outcome
from receiver.errors import (
    AnswerUnreadable,
    LinkRefused,
    VendorError,
    VendorRefused,
    VendorUnavailable,
    VendorWaiting,
)
from tests.support.action_calls import action_call
from tests.support.other_vendors import EXPIRED, KEY, Actions, Simulated, actions, sha256, simulated
from tests.support.vendor_stub import VendorStub, answer, vendor_stub

NAME = "verifik.liveness"
PATH = "/v2/face-recognition/liveness"
NO = {"passed": False, "liveness_score": 0.1, "min_score": 0.6}


@pytest.fixture(params=[{}])
def box(request: pytest.FixtureRequest) -> Iterator[Simulated]:
    with simulated(**request.param) as running:
        yield running


@pytest.fixture
async def run(box: Simulated) -> AsyncIterator[Actions]:
    async with actions(box, "didit", "verifik") as bound:
        yield bound


def result_of(outcome: Outcome) -> Any:
    assert outcome.state == "done", outcome
    return outcome.result


@pytest.mark.shows("success", action=NAME)
async def test_a_live_face_passes_and_the_selfie_is_the_session_s_own(run: Actions, box: Simulated) -> None:
    """The event names no image: the link is read from Didit's decision, and the picture goes as base64."""
    result = result_of(await run(NAME, "clean"))
    assert (result["status"], result["tags"], result["passed"]) == ("Approved", [], True)
    assert (result["score"], result["scale"], result["min_score"]) == (0.984, "0-1", 0.6)
    assert [call.path.split("/")[1] for call in box.calls("")] == ["v3", "media", "v2"]
    (call,) = box.calls(PATH)
    assert (call.fields["image_sha256"], call.fields["os"]) == (box.face("clean"), "DESKTOP")


@pytest.mark.shows("success", action=NAME)
async def test_a_low_score_is_a_finding_and_not_an_accusation(run: Actions) -> None:
    """Verifik never says attack."""
    result = result_of(await run(NAME, "attack"))
    assert (result["status"], result["tags"], result["score"]) == ("Declined", ["LOW_LIVENESS_SCORE"], 0.032)
    assert result["warnings"][0] == {
        "tag": "LOW_LIVENESS_SCORE",
        "severity": "error",
        "data": {"score": 0.032, "min_score": 0.6},
    }


async def test_a_score_equal_to_the_least_fails(run: Actions, box: Simulated) -> None:
    box.world.opinions.set_score(box.face("clean"), 0.7)
    params = {"liveness_min_score": 0.7, "os": "IOS", "collection_id": "c-1"}
    result = result_of(await run(NAME, "clean", params))
    assert (result["status"], result["passed"], result["notes"]) == ("Declined", False, [])
    (call,) = box.calls(PATH)
    assert (call.fields["os"], call.fields["collection_id"], call.fields["liveness_min_score"]) == ("IOS", "c-1", 0.7)


REASONS = {
    "no_face_detected": ("NO_FACE_DETECTED", "error"),
    "multiple_faces_detected": ("MULTIPLE_FACES_DETECTED", "warning"),
    "face_occluded": ("LOW_FACE_QUALITY", "warning"),
    "face_close_to_border": ("LOW_FACE_QUALITY", "warning"),
    "face_not_centered": ("LOW_FACE_QUALITY", "warning"),
    "face_too_far": ("LOW_FACE_QUALITY", "warning"),
    "face_too_close": ("LOW_FACE_QUALITY", "warning"),
    "face_rotation_too_large": ("LOW_FACE_QUALITY", "warning"),
    "poor_lighting": ("LOW_FACE_LUMINANCE", "warning"),
}


@pytest.mark.parametrize(
    "box", [{"verifik_reasons": "refused"}, {"verifik_reasons": "answered"}], indirect=True, ids=["refused", "answered"]
)
async def test_a_picture_that_is_not_scored_has_no_score_and_proves_nothing(run: Actions, box: Simulated) -> None:
    """However the reason comes: as a refusal, or in an answer."""
    for reason, (tag, severity) in REASONS.items():
        box.world.opinions.reasons[box.face("clean")] = reason
        result = result_of(await run(NAME, "clean"))
        assert (result["status"], result["tags"], result["score"]) == ("In Review", [tag], None)
        assert (result["warnings"][0]["severity"], result["vendor_reason"]) == (severity, reason)


@pytest.mark.shows("error", kind="refused", action=NAME)
async def test_a_fault_of_the_vendor_s_own_is_tried_again(run: Actions, box: Simulated) -> None:
    box.world.opinions.reasons[box.face("clean")] = "liveness_error"
    with pytest.raises(VendorUnavailable, match="liveness_error"):
        await run(NAME, "clean")


async def test_a_face_that_did_not_clear_is_too_low_also_without_its_score(run: Actions, box: Simulated) -> None:
    box.world.opinions.reasons[box.face("clean")] = "liveness_failed"
    result = result_of(await run(NAME, "clean"))
    assert (result["status"], result["tags"], result["score"]) == ("Declined", ["LOW_LIVENESS_SCORE"], None)


@pytest.mark.shows("error", kind="unauthorized", action=NAME)
async def test_an_expired_token_is_told_from_a_wrong_one(box: Simulated) -> None:
    """Both park the vendor; only one of them is mended by renewing."""
    async with actions(box, "didit", "verifik", token=EXPIRED) as run:
        alerts = []
        for _ in range(2):
            with pytest.raises(VendorWaiting, match=r"expired.*renew it") as caught:
                await asyncio.create_task(run(NAME, "clean"))
            assert caught.value.seconds > 0
            alerts.append(caught.value.alert)
        assert ["renew it" in (alert or "") for alert in alerts] == [True, False]  # somebody must act, told once
        assert run.tools.clients["verifik"].parked
    async with actions(box, "didit", "verifik", token="w" * 20) as run:
        with pytest.raises(VendorWaiting, match="parked: HTTP 401: Authentication required"):
            await run(NAME, "clean")
    assert [call.status for call in box.calls(PATH)] == [403, 401]


@pytest.mark.shows("error", action=NAME)
@pytest.mark.parametrize(
    ("fault", "error", "sent"),
    [
        ("rate_limited", VendorUnavailable, False),
        ("error_500", VendorUnavailable, False),
        ("error_503", VendorUnavailable, False),
        ("drop", AnswerUnreadable, True),
        ("malformed_json", AnswerUnreadable, True),
        ("oversized", AnswerUnreadable, True),
        ("wrong_content_type", AnswerUnreadable, True),
        ("error_in_200", VendorRefused, True),
    ],
)
async def test_faults_of_the_answer(
    run: Actions, box: Simulated, fault: str, error: type[VendorError], sent: bool
) -> None:
    more = {"size": 6_000_000} if fault == "oversized" else {"after_effect": sent}
    box.fault(**{fault: {"next": 1, "path": "face-recognition", **more}})
    with pytest.raises(error) as caught:
        await run(NAME, "clean")
    assert type(caught.value) is error
    assert bool(box.calls(PATH)[0].fields) is sent


@pytest.mark.shows("error", kind="slow", action=NAME)
async def test_an_answer_that_does_not_come_in_time(box: Simulated) -> None:
    box.fault(slow={"next": 1, "path": "face-recognition", "seconds": 1.0})
    async with actions(box, "verifik", seconds=0.2) as run:
        with pytest.raises(VendorUnavailable, match="timed out"):
            await run(NAME, "clean", {"image": box.link("clean")})


async def test_a_call_after_a_crash_is_repeated_and_marked(run: Actions) -> None:
    outcome = await run(NAME, "clean", attempt=2, repeated=True)
    assert (outcome.state, outcome.reason) == ("done", "repeated after an interruption: Verifik may count two checks")


async def test_a_link_of_the_policy_goes_before_the_session_s(run: Actions, box: Simulated) -> None:
    result_of(await run(NAME, "clean", {"image": box.link("attack")}))
    assert box.calls("/v3/") == []
    assert box.calls(PATH)[0].fields["image_sha256"] == box.face("attack")


async def test_without_didit_s_api_the_event_s_own_link_serves(box: Simulated) -> None:
    images = {"selfie": box.link("clean"), "document": None, "portrait": None}
    async with actions(box, "verifik") as run:
        result_of(await run(NAME, "clean", images=images))
        with pytest.raises(VendorRefused, match="no face image"):
            await run(NAME, "clean")
        with pytest.raises(VendorRefused, match="no face image"):
            await run(NAME, "clean", images={**images, "selfie": None})


@pytest.mark.parametrize("box", [{"link_seconds": -1.0}], indirect=True)
async def test_an_expired_link_is_read_anew_only_where_it_was_read(run: Actions, box: Simulated) -> None:
    with pytest.raises(VendorUnavailable, match="image download: HTTP 403"):
        await run(NAME, "clean")
    with pytest.raises(VendorRefused, match="the link has aged"):
        await run(NAME, "clean", attempt=2)
    with pytest.raises(VendorRefused, match="the link has aged"):
        await run(NAME, "clean", {"image": box.link("clean")})
    assert box.calls(PATH) == []


async def test_a_private_link_is_not_followed(run: Actions) -> None:
    with pytest.raises(LinkRefused):
        await run(NAME, "clean", {"image": "http://127.0.0.1:1/selfie.jpg"})


async def test_trouble_with_didit_s_decision_is_not_verifik_s(run: Actions, box: Simulated) -> None:
    box.fault(malformed_json={"next": 1, "path": "/decision/"})
    with pytest.raises(VendorUnavailable, match="the decision cannot be read"):
        await run(NAME, "clean")
    with pytest.raises(VendorRefused, match="Session not found"):
        await run(NAME, "clean", session_id="no-such-session")
    assert box.calls(PATH) == []


@pytest.mark.parametrize(
    "link", ["http://198.51.100.7/a.jpg", "https://user@198.51.100.7/a.jpg", "https://", "https://["]
)
async def test_only_a_plain_https_link_is_handed_on(run: Actions, box: Simulated, link: str) -> None:
    with pytest.raises(LinkRefused, match="only an https link"):
        await run(NAME, "clean", {"image": link, "send_link": True})
    assert box.calls(PATH) == []


async def test_a_link_is_handed_on_only_when_asked_for(run: Actions, box: Simulated) -> None:
    link = "https://images.example.invalid/a.jpg?sig=secret"
    result = result_of(await run(NAME, "clean", {"image": link, "send_link": True}))
    assert box.calls(PATH)[0].fields["image_sha256"] == sha256(link.encode())
    assert "secret" not in str(result)


async def test_a_file_goes_before_any_link(run: Actions, box: Simulated) -> None:
    """Also before one that would be handed on."""
    picture = selfie_png("attack")
    result_of(await run(NAME, "clean", {"image": "https://h.example/a", "send_link": True}, files={"image": picture}))
    assert box.calls(PATH)[0].fields["image_sha256"] == sha256(picture)
    for wrong in (b"GIF89a" + b"x" * 200, picture + b"x" * (5 * 1024 * 1024)):
        with pytest.raises(VendorRefused, match="image: the file"):
            await run(NAME, "clean", files={"image": wrong})


# What the documents say, and what they leave open, said by a server that follows no document.


@pytest.fixture
async def stub() -> AsyncIterator[VendorStub]:
    async with vendor_stub() as running:
        yield running


async def ask(stub: VendorStub, reply: bytes, params: Any = None) -> Outcome:
    picture = b"\xff\xd8\xff" + b"x" * 200
    stub.route = lambda seen: reply if seen.method == "POST" else answer(200, picture)
    tools = Tools(
        {"verifik": CLIENTS["verifik"](stub.url, KEY, 20.0)}, ImageFetcher(frozenset([f"127.0.0.1:{stub.port}"]))
    )
    try:
        params = {"image": f"{stub.url}/selfie", **(params or {})}
        outcome = await bind(tools)[NAME](action_call(NAME, params))
        sent = stub.seen[-1]
        assert sent.headers["authorization"] == f"Bearer {KEY}"
        assert b64decode(sent.json()["image"], validate=True) == picture
        return outcome
    finally:
        await tools.close()


@pytest.mark.parametrize(
    ("data", "status", "tags", "note"),
    [
        ({"passed": True, "liveness_score": 0.61, "min_score": 0.6}, "Approved", [], None),
        ({"passed": "True", "liveness_score": 1}, "Approved", [], None),
        ({"passed": True, "liveness_score": 0.6}, "In Review", ["LOW_LIVENESS_SCORE"], "disagrees"),
        ({"passed": "False", "liveness_score": 0.9}, "In Review", ["LOW_LIVENESS_SCORE"], "disagrees"),
        ({"passed": False, "liveness_score": 0.6}, "Declined", ["LOW_LIVENESS_SCORE"], None),
        ({"passed": False}, "In Review", [], "missing"),
        ({"passed": True}, "In Review", [], "missing"),
        ({"liveness_score": 0.2}, "In Review", ["LOW_LIVENESS_SCORE"], "missing"),
        ({"liveness_score": 0.9}, "In Review", [], "missing"),
        ({"passed": True, "liveness_score": 87.2}, "In Review", [], "off the documented scale"),
        ({"passed": False, "liveness_score": 12}, "In Review", [], "off the documented scale"),
        ({"passed": True, "liveness_score": 0.55, "min_score": 0.5}, "In Review", ["LOW_LIVENESS_SCORE"], "disagrees"),
        ({"passed": True, "liveness_score": 0.65, "min_score": 0.5}, "Approved", [], "asked for 0.6"),
        ({"passed": False, "liveness_score": 0.65, "min_score": 0.7}, "In Review", ["LOW_LIVENESS_SCORE"], "asked"),
        ({"passed": False, "liveness_score": 0.55, "min_score": 0.7}, "Declined", ["LOW_LIVENESS_SCORE"], "asked"),
        ({"passed": False, "reason": "liveness_failed"}, "Declined", ["LOW_LIVENESS_SCORE"], None),
        ({"passed": None, "liveness_score": 0.3, "why": "liveness_failed"}, "Declined", ["LOW_LIVENESS_SCORE"], None),
        ({"passed": True, "why": "liveness_failed"}, "In Review", ["LOW_LIVENESS_SCORE"], "missing"),
        ({"why": "liveness_failed"}, "In Review", ["LOW_LIVENESS_SCORE"], "missing"),
        ({"passed": True, "liveness_score": 0.9, "why": "face_occluded"}, "In Review", ["LOW_FACE_QUALITY"], "though"),
        ({"passed": True, "liveness_score": 0.9, "why": " LIVENESS_FAILED "}, "In Review", ["LOW_LIVENESS_SCORE"], "d"),
    ],
)  # fmt: skip
async def test_the_rule_is_applied_again(stub: VendorStub, data: Any, status: str, tags: list[str], note: str) -> None:
    """Live only above the least score; where things disagree, the worse is kept and a person decides."""
    result = result_of(await ask(stub, answer(200, {"id": "4FA2B", "data": data, "signature": {"message": "x"}})))
    assert (result["status"], result["tags"]) == (status, tags)
    assert (note or "") in " ".join(result["notes"])
    assert bool(result["notes"]) is bool(note)
    assert result["request_id"] == "4FA2B"
    assert result["answer"]["data"] == data
    assert result["score"] == (None if "face_occluded" in data.values() else data.get("liveness_score"))


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": {"passed": "maybe"}}, {"message": "ok"}, [1], "text"])
async def test_a_yes_without_a_verdict_is_no_finding(stub: VendorStub, body: Any) -> None:
    with pytest.raises(AnswerUnreadable):
        await ask(stub, answer(200, body))


@pytest.mark.shows("error", kind="refused", action=NAME)
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"message": "Authentication required", "code": "UNAUTHORIZED"}, VendorWaiting),
        (403, {"message": "no rights", "code": "Forbidden"}, VendorWaiting),
        (409, {"message": '"os" is required', "code": "MissingParameter"}, VendorRefused),
        (409, {"message": "the field no_face_detected is not known", "code": "MissingParameter"}, VendorRefused),
        (412, {"message": "only_images_in_base64", "code": "ERROR"}, VendorRefused),
        (500, {"message": "no_face_detected", "code": "ERROR"}, VendorUnavailable),
        (500, {"message": "internal_error", "code": "ERROR"}, VendorUnavailable),
        (200, {"data": NO, "message": "internal_error", "code": "ERROR"}, VendorRefused),
        (200, {"data": NO, "statusCode": 500}, VendorRefused),
        (200, {"data": NO, "status": "429", "message": "slow down"}, VendorUnavailable),
        (202, {"data": NO}, AnswerUnreadable),
        (413, {"message": "liveness_failed"}, VendorRefused),
        (200, b'{"data": {"passed": true, "passed": false, "liveness_score": 0.1}}', AnswerUnreadable),
        (200, b'{"data": {"passed": false, "liveness_score": 0.1, "n": 1' + b"0" * 400 + b"}}", AnswerUnreadable),
    ],
)
async def test_a_call_error_is_never_a_finding(
    stub: VendorStub, status: int, body: Any, error: type[VendorError]
) -> None:
    with pytest.raises(error) as caught:
        await ask(stub, answer(status, body))
    assert caught.value.http_status in (status, 429)
    assert "renew" not in caught.value.reason


@pytest.mark.parametrize("said", ["token_expired", "Token expired", "the token has expired"])
async def test_an_expired_token_is_known_by_its_word(stub: VendorStub, said: str) -> None:
    with pytest.raises(VendorWaiting, match="renew it"):
        await ask(stub, answer(403, {"message": said, "code": "Forbidden"}))


@pytest.mark.parametrize(
    "params",
    [
        {"liveness_min_score": 0.49},
        {"liveness_min_score": 1.01},
        {"os": "TV"},
        {"send_link": "yes"},
        {"min_score": 0.7},
    ],
)
async def test_parameters_that_do_not_fit(run: Actions, box: Simulated, params: Any) -> None:
    outcome = await run(NAME, "clean", params)
    assert (outcome.state, box.calls("")) == ("failed", [])
