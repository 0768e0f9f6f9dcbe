"""KwikID's simulator on its own: what its pages say, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from handlers.sandbox.images import selfie_png
from handlers.sandbox.kwikid import clip
from handlers.sandbox.settings import RateLimits
from tests.support.other_vendors import KEY, Simulated, simulated

PICTURE = selfie_png("clean")


@pytest.fixture
def box() -> Iterator[Simulated]:
    with simulated() as running:
        yield running


def post(box: Simulated, path: str, token: str = KEY, **options: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(box.url + path, headers=headers, timeout=10, trust_env=False, **options)


def test_the_first_version_mixes_booleans_and_texts(box: Simulated) -> None:
    files = {"image": PICTURE, "video": clip(box.face("clean"))}
    body = post(box, "/liveness", files=files, data={"facematch_frames": "4"}).json()
    assert (body["overall_result"], body["facematch_result"], body["image_result"]) == ("True", "True", "real")
    assert (body["blink_detection"], body["image_input"], body["enhanced_detection"]) == (True, True, True)
    assert (body["facematch_frames_tested"], body["frame_sampling_rate"]) == (4, 15)


def test_the_second_version_answers_in_blocks(box: Simulated) -> None:
    body = post(box, "/sumi/v1/v2/liveness", files={"image": selfie_png("attack")}).json()
    assert (body["image"]["result"], body["image"]["confidence"]) == ("fake", 0)
    assert body["image"]["prediction_confidence"] == 3.2
    assert (body["video"]["input_provided"], body["image_video_facematch"]["performed"]) == ("False", "False")
    assert (body["overall_result"], body["overall_confidence"]) == ("False", 0)


@pytest.mark.parametrize(
    ("files", "data"),
    [
        ({}, {"unique_id": "x"}),
        ({"image": b"no picture"}, {}),
        ({"video": b"no video"}, {}),
        ({"image": PICTURE}, {"enhanced_detection": "maybe"}),
    ],
)
@pytest.mark.parametrize("path", ["/liveness", "/v2/liveness"])
def test_what_cannot_be_checked_is_a_400(box: Simulated, path: str, files: Any, data: Any) -> None:
    answer = post(box, path, files=files or None, data=data)
    assert answer.status_code == 400
    assert set(answer.json()) == {"detail", "message"}
    assert set(answer.json()["detail"]) == {"form"}


@pytest.mark.parametrize("path", ["/liveness", "/v2/liveness", "/index_faces", "/delete_faces_from_collection"])
@pytest.mark.parametrize("token", ["wrong", "expired-sandbox-token"])
def test_a_token_that_is_not_good(box: Simulated, path: str, token: str) -> None:
    answer = post(box, path, token, json={})
    assert (answer.status_code, answer.json()["detail"]) == (401, {})
    assert httpx.post(box.url + path, timeout=10, trust_env=False).status_code == 401


def test_a_face_is_indexed_and_deleted(box: Simulated) -> None:
    face = {"bucket": "b", "external_image_id": "e"}
    assert post(box, "/index_faces", json={**face, "image": "aGk=", "image_key": "k"}).json()["success"] is True
    assert box.world.indexed == {"b": {"e"}}
    answers = [post(box, "/delete_faces_from_collection", json=face) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert (answers[0].json(), answers[1].json()) == ({"success": True, "response": {}}, {"msg": "Face not found"})


def test_a_missing_parameter_is_a_400_that_says_success(box: Simulated) -> None:
    answer = post(box, "/delete_faces_from_collection", json={"bucket": "b"})
    assert answer.status_code == 400
    assert answer.json() == {"msg": "Missing parameter: external_image_id", "status_code": 400, "success": True}


def test_the_rate_limit_is_its_own() -> None:
    with simulated(limits=RateLimits(write=1)) as box:
        statuses = [post(box, "/liveness", files={"image": PICTURE}).status_code for _ in range(2)]
        answer = post(box, "/liveness", files={"image": PICTURE})
    assert statuses == [200, 429]
    assert answer.json() == {"status": 429, "message": "Rate limit exceeded"}


def test_a_token_of_its_own_and_a_reset() -> None:
    with simulated(kwikid_token="only-for-kwikid-0123") as box:
        assert post(box, "/liveness", files={"image": PICTURE}).status_code == 401
        face = {"bucket": "b", "external_image_id": "e", "image": "aGk=", "image_key": "k"}
        assert post(box, "/index_faces", "only-for-kwikid-0123", json=face).status_code == 200
        assert httpx.get(f"{box.url}/_sandbox/state", trust_env=False).json()["kwikid"] == {"b": ["e"]}
        httpx.post(f"{box.url}/_sandbox/reset", trust_env=False)
        assert httpx.get(f"{box.url}/_sandbox/state", trust_env=False).json()["kwikid"] == {}
