"""The `kwikid.` actions against the simulator, over real HTTP, and against answers that the simulator does not give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from handlers.clients import CLIENTS
from handlers.images import MAX_VIDEO, ImageFetcher
from handlers.registry import bind
from handlers.sandbox.images import selfie_png
from handlers.sandbox.kwikid import clip
from handlers.tools import Tools
from receiver.contract import Outcome
from receiver.errors import AnswerUnreadable, VendorError, VendorRefused, VendorUnavailable, VendorWaiting
from tests.support.action_calls import action_call
from tests.support.other_vendors import EXPIRED, KEY, Actions, Simulated, actions, simulated
from tests.support.vendor_stub import VendorStub, answer, vendor_stub

BOTH = ("kwikid.liveness", "kwikid.liveness_v2")
DELETE = "kwikid.delete_face"
FACE = {"bucket": "customers", "external_image_id": "cust-20417"}


@pytest.fixture(params=[{}])
def box(request: pytest.FixtureRequest) -> Iterator[Simulated]:
    with simulated(**request.param) as running:
        yield running


@pytest.fixture
async def run(box: Simulated) -> AsyncIterator[Actions]:
    async with actions(box, "didit", "kwikid") as bound:
        yield bound


def result_of(outcome: Outcome) -> Any:
    assert outcome.state == "done", outcome
    return outcome.result


def index(box: Simulated, face: dict[str, str] = FACE) -> None:
    body = {"image": "aGk=", "image_key": "k", **face}
    done = httpx.post(f"{box.url}/index_faces", json=body, headers={"Authorization": f"Bearer {KEY}"}, timeout=10)
    assert done.status_code == 200


@pytest.mark.shows("success")
@pytest.mark.parametrize("name", BOTH)
async def test_a_live_face_passes_and_its_score_stays_as_sent(run: Actions, box: Simulated, name: str) -> None:
    """No scale is published, so none is claimed. The selfie is the one that Didit's decision names."""
    result = result_of(await run(name, "clean"))
    assert (result["status"], result["tags"], result["passed"], result["vendor_reason"]) == (
        "Approved",
        [],
        True,
        "real",
    )
    assert (result["score"], result["scale"], result["face_match"]) == (98.4, None, None)
    (call,) = box.calls("/liveness")
    assert (call.fields["image_sha256"], call.fields["video_sha256"]) == (box.face("clean"), None)
    assert [call.path.split("/")[1] for call in box.calls("")][:2] == ["v3", "media"]


@pytest.mark.shows("success")
@pytest.mark.parametrize("name", BOTH)
async def test_a_fake_is_an_attack_unless_the_policy_takes_it_for_a_low_score(run: Actions, name: str) -> None:
    result = result_of(await run(name, "attack"))
    assert (result["status"], result["tags"], result["passed"]) == ("Declined", ["LIVENESS_FACE_ATTACK"], False)
    assert (result["warnings"][0]["severity"], result["vendor_reason"], result["score"]) == ("error", "fake", 3.2)
    result = result_of(await run(name, "attack", {"fake_tag": "LOW_LIVENESS_SCORE"}))
    assert result["tags"] == ["LOW_LIVENESS_SCORE"]


async def test_all_tuning_goes_out_as_the_form_wants_it(run: Actions, box: Simulated) -> None:
    """Truth values as "True" and "False"; of what the policy leaves out, only an id is sent, that tells of nobody."""
    tuning = {
        "enhanced_detection": False,
        "facematch_frames": 5,
        "facematch_threshold": 0.75,
        "frame_sampling_rate": 10,
        "max_frames_to_analyze": 40,
        "image_type": "file",
        "unique_id": "case-7",
    }
    result_of(await run("kwikid.liveness", "clean", tuning))
    result_of(await run("kwikid.liveness", "clean"))
    first, second = ({k: v for k, v in call.fields.items() if "sha256" not in k} for call in box.calls("/liveness"))
    assert first == {
        "enhanced_detection": "False",
        "facematch_frames": "5",
        "facematch_threshold": "0.75",
        "frame_sampling_rate": "10",
        "max_frames_to_analyze": "40",
        "image_type": "file",
        "unique_id": "case-7",
    }
    assert second == {"unique_id": "act_1"}


async def test_a_prefix_of_the_base_url_is_kept(box: Simulated) -> None:
    async with actions(box, "didit", "kwikid", path="/sumi/v1/") as run:
        result_of(await run("kwikid.liveness_v2", "clean"))
    assert [call.path for call in box.calls("sumi")] == ["/sumi/v1/v2/liveness"]


@pytest.mark.shows("success", action="kwikid.delete_face")
async def test_a_face_is_deleted_once_and_then_it_is_not_there(run: Actions, box: Simulated) -> None:
    index(box)
    index(box, {**FACE, "external_image_id": "another"})
    first, second = await run(DELETE, params=FACE), await run(DELETE, params=FACE)
    assert (first.state, first.http_status) == ("done", 200)
    assert (second.state, second.reason, second.http_status) == ("noop", "the face is not in the collection", 400)
    assert box.world.indexed == {"customers": {"another"}}


async def test_a_deletion_whose_answer_was_lost_is_not_a_failure(run: Actions, box: Simulated) -> None:
    """After a crash it is repeated: the face is gone, which is what was wanted."""
    index(box)
    box.fault(drop={"next": 1, "path": "delete_faces", "after_effect": True})
    with pytest.raises(AnswerUnreadable):
        await run(DELETE, params=FACE)
    assert (await run(DELETE, params=FACE, attempt=2, repeated=True)).state == "noop"


@pytest.mark.shows("error", kind="unauthorized")
@pytest.mark.parametrize("token", [EXPIRED, "w" * 20])
@pytest.mark.parametrize("name", [*BOTH, DELETE])
async def test_a_wrong_token_parks_the_vendor(box: Simulated, name: str, token: str) -> None:
    """For all its actions: the next one is not sent."""
    async with actions(box, "didit", "kwikid", token=token) as run:
        with pytest.raises(VendorWaiting, match="parked: HTTP 401: The token is not valid"):
            await asyncio.create_task(run(name, "clean", FACE if name == DELETE else {}))
        asked = len(box.calls("kwikid")) + len(box.calls("liveness")) + len(box.calls("delete_faces"))
        for other in (*BOTH, DELETE):
            with pytest.raises(VendorWaiting, match="is parked"):
                await asyncio.create_task(run(other, "clean", FACE if other == DELETE else {}))
    assert asked == 1
    assert len(box.calls("liveness")) + len(box.calls("delete_faces")) == 1


@pytest.mark.shows("error", kind="refused")
@pytest.mark.parametrize("name", BOTH)
async def test_a_picture_without_a_face_is_refused_and_accuses_nobody(run: Actions, box: Simulated, name: str) -> None:
    box.world.state.face_counts[box.face("clean")] = 0
    with pytest.raises(VendorRefused, match="HTTP 400: No face was found"):
        await run(name, "clean")


async def test_over_the_rate_limit_it_is_tried_later(run: Actions, box: Simulated) -> None:
    box.world.limiter._limits = type(box.world.limiter._limits)(write=1)
    result_of(await run("kwikid.liveness", "clean"))
    with pytest.raises(VendorUnavailable, match="HTTP 429"):
        await run("kwikid.liveness", "clean")


@pytest.mark.shows("error")
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
@pytest.mark.parametrize("name", [*BOTH, DELETE])
async def test_faults_of_the_answer(
    run: Actions, box: Simulated, name: str, fault: str, error: type[VendorError], sent: bool
) -> None:
    index(box)
    path = "delete_faces" if name == DELETE else "liveness"
    more = {"size": 6_000_000} if fault == "oversized" else {"after_effect": sent}
    box.fault(**{fault: {"next": 1, "path": path, **more}})
    with pytest.raises(error) as caught:
        await run(name, "clean", FACE if name == DELETE else {})
    assert type(caught.value) is error
    assert bool(box.calls(path)[-1].fields) is sent


@pytest.mark.shows("error", kind="slow")
@pytest.mark.parametrize("name", [*BOTH, DELETE])
async def test_an_answer_that_does_not_come_in_time(box: Simulated, name: str) -> None:
    box.fault(slow={"next": 1, "path": "delete_faces" if name == DELETE else "liveness", "seconds": 1.0})
    async with actions(box, "kwikid", seconds=0.2) as run:
        with pytest.raises(VendorUnavailable, match="timed out"):
            await run(name, "clean", FACE if name == DELETE else {"image": box.link("clean")})


@pytest.mark.parametrize("name", BOTH)
async def test_a_check_after_a_crash_is_repeated_and_marked(run: Actions, name: str) -> None:
    outcome = await run(name, "clean", attempt=2, repeated=True)
    assert (outcome.state, outcome.reason) == ("done", "repeated after an interruption: KwikID may count two checks")


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("kwikid.liveness", {"facematch_threshold": 1.5}),
        ("kwikid.liveness", {"facematch_frames": 0}),
        ("kwikid.liveness", {"enhanced_detection": "False"}),
        ("kwikid.liveness_v2", {"fake_tag": "FACE_IN_BLOCKLIST"}),
        (DELETE, {"bucket": "customers"}),
        (DELETE, {"bucket": "", "external_image_id": "x"}),
    ],
)
async def test_parameters_that_do_not_fit(run: Actions, box: Simulated, name: str, params: Any) -> None:
    outcome = await run(name, "clean", params)
    assert (outcome.state, box.calls("")) == ("failed", [])


# Videos come from a host of their own, and answers as the documents have them and as they might be.


@pytest.fixture
async def media() -> AsyncIterator[VendorStub]:
    async with vendor_stub() as running:
        yield running


async def watch(box: Simulated, media: VendorStub, name: str, video: bytes, picture: str | None) -> Outcome:
    media.reply(answer(200, video))
    hosts = frozenset([f"127.0.0.1:{media.port}", box.url.removeprefix("http://")])
    tools = Tools({"kwikid": CLIENTS["kwikid"](box.url, KEY, 20.0)}, ImageFetcher(hosts))
    params: Any = {"video": f"{media.url}/clip", **({"image": box.link(picture)} if picture else {})}
    try:
        return await bind(tools)[name](action_call(name, params))
    finally:
        await tools.close()


@pytest.mark.parametrize("name", BOTH)
async def test_a_video_alone_is_enough(box: Simulated, media: VendorStub, name: str) -> None:
    result = result_of(await watch(box, media, name, clip(box.face("clean")), None))
    assert (result["status"], result["face_match"]) == ("Approved", None)
    (call,) = box.calls("/liveness")
    assert (call.fields["image_sha256"], call.fields["video_sha256"] is not None) == (None, True)


@pytest.mark.parametrize("name", BOTH)
async def test_picture_and_video_of_one_face_agree(box: Simulated, media: VendorStub, name: str) -> None:
    result = result_of(await watch(box, media, name, clip(box.face("clean")), "clean"))
    assert (result["status"], result["face_match"], result["face_match_score"]) == ("Approved", True, 92.5)


@pytest.mark.parametrize("name", BOTH)
async def test_another_face_in_the_video_is_no_liveness_failure(box: Simulated, media: VendorStub, name: str) -> None:
    result = result_of(await watch(box, media, name, clip(box.face("duplicate")), "clean"))
    assert (result["status"], result["tags"]) == ("Declined", ["LOW_FACE_MATCH_SIMILARITY"])
    assert (result["face_match"], result["vendor_reason"]) == (False, "real")


@pytest.mark.parametrize(
    ("files", "sent"), [(("image",), (True, False)), (("video",), (False, True)), (("image", "video"), (True, True))]
)
async def test_files_go_before_links(run: Actions, box: Simulated, files: Any, sent: Any) -> None:
    contents = {"image": selfie_png("clean"), "video": clip(box.face("clean"))}
    result_of(await run("kwikid.liveness", "attack", files={name: contents[name] for name in files}))
    fields = box.calls("/liveness")[0].fields
    assert (fields["image_sha256"] is not None, fields["video_sha256"] is not None) == sent
    assert box.calls("/v3/") == []
    with pytest.raises(VendorRefused, match="MP4 by content"):
        await run("kwikid.liveness", "clean", files={"video": contents["image"]})


@pytest.mark.parametrize("video", [b"\xff\xd8\xff a picture", b"", b"RIFF0000AVI "])
async def test_what_is_no_mp4_is_not_uploaded(box: Simulated, media: VendorStub, video: bytes) -> None:
    with pytest.raises(VendorRefused, match="not an MP4 video"):
        await watch(box, media, "kwikid.liveness", video, None)
    assert box.calls("/liveness") == []


async def test_a_video_may_be_larger_than_a_picture_but_not_boundless(box: Simulated, media: VendorStub) -> None:
    large = clip(box.face("clean") + "x" * (6 * 1024 * 1024))
    assert (await watch(box, media, "kwikid.liveness", large, None)).state == "done"
    with pytest.raises(VendorRefused, match="larger than"):
        await watch(box, media, "kwikid.liveness", clip("x" * MAX_VIDEO), None)


async def ask(stub: VendorStub, name: str, reply: bytes, params: Any = None) -> Outcome:
    stub.route = lambda seen: reply if seen.method == "POST" else answer(200, b"\x89PNG\r\n\x1a\n")
    tools = Tools(
        {"kwikid": CLIENTS["kwikid"](stub.url, KEY, 20.0)}, ImageFetcher(frozenset([f"127.0.0.1:{stub.port}"]))
    )
    given: Any = FACE if name == DELETE else {"image": f"{stub.url}/selfie", **(params or {})}
    try:
        outcome = await bind(tools)[name](action_call(name, given))
        assert stub.seen[-1].headers["authorization"] == f"Bearer {KEY}"
        return outcome
    finally:
        await tools.close()


OTHER = "LOW_FACE_MATCH_SIMILARITY"
REAL = {"result": "real", "image_result": "real", "confidence": 1}


@pytest.mark.parametrize(
    ("body", "status", "tags", "passed"),
    [
        ({**REAL, "overall_result": "True"}, "Approved", [], True),
        ({**REAL, "overall_result": "True", "facematch_result": "True"}, "Approved", [], True),
        ({"result": "Real", "overall_result": None, "facematch_result": "N/A"}, "Approved", [], True),
        ({**REAL, "overall_result": "False", "facematch_result": "False"}, "Declined", [OTHER], False),
        ({**REAL, "overall_result": "False"}, "In Review", [], False),
        ({**REAL, "overall_result": False, "facematch_result": "True"}, "In Review", [], False),
        ({**REAL, "overall_result": "True", "facematch_result": "False"}, "In Review", [OTHER], True),
        ({**REAL, "image_result": "fake"}, "Declined", ["LIVENESS_FACE_ATTACK"], False),
        ({"result": "fake", "overall_result": "False"}, "Declined", ["LIVENESS_FACE_ATTACK"], False),
        ({"result": "fake", "overall_result": "True"}, "In Review", ["LIVENESS_FACE_ATTACK"], True),
        ({"image_result": "fake", "overall_result": "False"}, "In Review", ["LIVENESS_FACE_ATTACK"], False),
        ({"image_result": "real"}, "In Review", [], True),
        ({"result": "unsure", "overall_result": "True"}, "In Review", [], True),
        ({"overall_result": "True"}, "In Review", [], True),
        ({**REAL, "overall_result": "True", "blink_detection": False}, "Approved", [], True),
        ({**REAL, "overall_result": "False", "image_result": "fake", "image_input": False}, "In Review", [], False),
    ],
)  # fmt: skip
async def test_what_an_answer_means(media: VendorStub, body: Any, status: str, tags: list[str], passed: bool) -> None:
    """`"False"` is false; a missing blink proves nothing; a yes and a no together are for a person."""
    result = result_of(await ask(media, "kwikid.liveness", answer(200, body)))
    assert (result["status"], result["tags"], result["passed"]) == (status, tags, passed)
    assert bool(result["notes"]) is (status == "In Review")
    assert (result["score"], result["scale"], result["answer"]) == (body.get("confidence"), None, body)


@pytest.mark.parametrize(
    ("body", "status", "tags"),
    [
        ({}, "In Review", []),
        ({"verdict": "alive"}, "In Review", []),
        ({"image": {"result": "real"}}, "In Review", []),
        ({"image": [], "video": "x", "overall_result": "True"}, "In Review", []),
        ({"image": {"result": "real"}, "overall_result": "True"}, "Approved", []),
        ({"image": {"result": "real"}, "video": {"result": "fake"}}, "In Review", ["LIVENESS_FACE_ATTACK"]),
        ({"video": {"result": "fake"}, "overall_result": "False"}, "Declined", ["LIVENESS_FACE_ATTACK"]),
        (
            {
                "image": {"result": "real"},
                "video": {"input_provided": "False", "result": "fake"},
                "overall_result": "True",
            },
            "Approved",
            [],
        ),
        (
            {
                "image": {"result": "real"},
                "image_video_facematch": {"performed": "False", "result": "False"},
                "overall_result": "True",
            },
            "Approved",
            [],
        ),
    ],
)
async def test_the_second_version_is_never_taken_for_more_than_it_says(
    media: VendorStub, body: Any, status: str, tags: list[str]
) -> None:
    """Its fields are not published: what cannot be read goes to a person, with the answer as it came."""
    result = result_of(await ask(media, "kwikid.liveness_v2", answer(200, body)))
    assert (result["status"], result["tags"], result["answer"]) == (status, tags, body)


async def test_a_confidence_of_zero_is_no_score(media: VendorStub) -> None:
    body: Any = {"image": {"result": "fake", "confidence": 0, "prediction_confidence": 88.5}}
    assert result_of(await ask(media, "kwikid.liveness_v2", answer(200, body)))["score"] == 88.5
    body = {"image": {"result": "fake", "confidence": 0, "prediction_confidence": None}}
    assert result_of(await ask(media, "kwikid.liveness_v2", answer(200, body)))["score"] is None


async def test_an_answer_is_kept_without_what_opens_doors(media: VendorStub) -> None:
    body = {**REAL, "overall_result": "True", "image": "A" * 900, "preview": "https://media.example.invalid/a?sig=x"}
    kept = result_of(await ask(media, "kwikid.liveness", answer(200, body)))["answer"]
    assert (kept["image"], kept["preview"]) == ("[base64]", "https://media.example.invalid/…")
    huge = answer(200, {**REAL, "padding": ["word"] * 20_000})
    assert result_of(await ask(media, "kwikid.liveness", huge))["answer"] is None


@pytest.mark.parametrize("body", [{}, {"success": True}, {"result": None, "overall_result": "N/A"}, [1]])
async def test_a_yes_without_a_verdict_is_no_finding(media: VendorStub, body: Any) -> None:
    with pytest.raises(AnswerUnreadable):
        await ask(media, "kwikid.liveness", answer(200, body))


@pytest.mark.shows("error", kind="refused")
@pytest.mark.parametrize("name", [*BOTH, DELETE])
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"detail": {"form": {"image": ["Bad format"]}}, "message": "Bad request"}, VendorRefused),
        (400, {"msg": "Missing parameter: face not found in the body"}, VendorRefused),
        (400, {"msg": "AccessDenied for the collection"}, VendorRefused),
        (400, {"msg": "invalid", "status_code": 400, "success": True}, VendorRefused),
        (401, {"detail": {}, "message": "Unauthorized"}, VendorWaiting),
        (401, {"msg": "bad token", "status_code": 401, "success": True}, VendorWaiting),
        (429, {"status": 429, "message": "Rate limit exceeded"}, VendorUnavailable),
        (500, {}, VendorUnavailable),
        (200, {"msg": "bad token", "status_code": 401, "success": True, "result": "fake"}, VendorRefused),
        (200, {"status": 429, "message": "Rate limit exceeded"}, VendorUnavailable),
        (200, {"status": 400, "message": "Bad request", "result": "fake"}, VendorRefused),
        (200, {"success": False, "result": "fake"}, VendorRefused),
        (200, {"success": "False", "result": "fake"}, VendorRefused),
        (200, {"result": "fake", "success": True, "status": "429", "message": "slow down"}, VendorUnavailable),
        (200, {"result": "fake", "success": True, "detail": {}, "message": "no face found"}, VendorRefused),
        (202, {"result": "fake", "success": True}, AnswerUnreadable),
        (200, b'{"result": "fake", "result": "real", "success": true}', AnswerUnreadable),
    ],
)
async def test_a_call_error_is_never_a_finding_and_never_a_success(
    media: VendorStub, name: str, status: int, body: Any, error: type[VendorError]
) -> None:
    """`success: true` stands in errors too."""
    with pytest.raises(error) as caught:
        await ask(media, name, answer(status, body))
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "said", ["face not found", "Face Not Found", "No such id: the face does not exist in bucket customers"]
)
async def test_a_face_that_is_gone_is_known_by_the_words(media: VendorStub, said: str) -> None:
    assert (await ask(media, DELETE, answer(400, {"msg": said}))).state == "noop"
    assert (await ask(media, DELETE, answer(400, {"detail": {}, "message": said}))).state == "noop"


async def test_a_deletion_that_does_not_say_so_is_not_believed(media: VendorStub) -> None:
    with pytest.raises(AnswerUnreadable, match="does not say whether"):
        await ask(media, DELETE, answer(200, {"response": {}}))
