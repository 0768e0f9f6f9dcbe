"""Verifik's simulator on its own: what its pages say, over real HTTP."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from handlers.sandbox.images import selfie_png
from tests.support.other_vendors import EXPIRED, KEY, Simulated, simulated

PATH = "/v2/face-recognition/liveness"
PICTURE = b64encode(selfie_png("clean")).decode()


@pytest.fixture
def box() -> Iterator[Simulated]:
    with simulated() as running:
        yield running


def post(box: Simulated, body: Any, token: str = KEY) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(box.url + PATH, json=body, headers=headers, timeout=10, trust_env=False)


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_a_live_face_in_the_envelope(box: Simulated, prefix: str) -> None:
    answer = post(box, {"os": "IOS", "image": prefix + PICTURE}).json()
    assert answer["data"] == {"passed": True, "min_score": 0.6, "liveness_score": 0.984}
    assert set(answer) == {"id", "data", "signature"}


def test_the_rule_is_strict(box: Simulated) -> None:
    box.world.opinions.set_score(box.face("clean"), 0.8)
    passed = [
        post(box, {"os": "IOS", "image": PICTURE, "liveness_min_score": least}).json()["data"]["passed"]
        for least in (0.79, 0.8)
    ]
    assert passed == [True, False]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"image": PICTURE}, 409, "MissingParameter"),
        ({"os": "IOS"}, 409, "MissingParameter"),
        ({"os": "IOS", "image": PICTURE, "liveness_min_score": 0.4}, 409, "MissingParameter"),
        ({"os": "IOS", "image": PICTURE, "liveness_min_score": "0.7"}, 409, "MissingParameter"),
        ({"os": "IOS", "image": "x" * 90}, 412, "ERROR"),
        ({"os": "IOS", "image": "x" * 400}, 412, "ERROR"),
        ({"os": "IOS", "image": "?" * 400}, 412, "ERROR"),
    ],
)
def test_documented_refusals(box: Simulated, body: Any, status: int, code: str) -> None:
    answer = post(box, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_expired_token_is_a_403_and_a_wrong_one_a_401(box: Simulated) -> None:
    answers = [post(box, {}, token) for token in (EXPIRED, "wrong")]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (403, "FORBIDDEN"),
        (401, "UNAUTHORIZED"),
    ]
    assert answers[0].json()["message"] == "token_expired"


@pytest.mark.parametrize(
    ("how", "status", "said"), [("refused", 409, "message"), ("answered", 200, "reason")], ids=["refused", "answered"]
)
@pytest.mark.parametrize(("faces", "reason"), [(0, "no_face_detected"), (2, "multiple_faces_detected")])
def test_pictures_that_are_not_scored(how: Any, status: int, said: str, faces: int, reason: str) -> None:
    with simulated(verifik_reasons=how) as box:
        box.world.state.face_counts[box.face("clean")] = faces
        answer = post(box, {"os": "IOS", "image": PICTURE})
        body = answer.json()
    assert (answer.status_code, (body if how == "refused" else body["data"])[said]) == (status, reason)


def test_strangers_are_live_and_a_link_is_a_face_of_its_own(box: Simulated) -> None:
    links = [{"os": "IOS", "image": f"https://images.example.invalid/{n}.jpg"} for n in (1, 2, 1)]
    scores = [post(box, body).json()["data"]["liveness_score"] for body in links]
    assert scores[0] == scores[2] >= 0.9
    faces = [call.fields["image_sha256"] for call in box.calls(PATH)]
    assert faces[0] == faces[2] != faces[1]


def test_no_picture_stands_in_the_list_of_calls(box: Simulated) -> None:
    post(box, {"os": "IOS", "image": PICTURE})
    assert PICTURE not in httpx.get(f"{box.url}/_sandbox/calls", trust_env=False).text


def get(box: Simulated, registration_id: str, token: str = KEY) -> httpx.Response:
    url = f"{box.url}/v2/app-registrations/{registration_id}"
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10, trust_env=False)


def register(box: Simulated, body: Any) -> httpx.Response:
    return httpx.post(f"{box.url}/_sandbox/registrations", json=body, timeout=10, trust_env=False)


def test_a_registration_is_what_was_said_of_it_last(box: Simulated) -> None:
    for status in ("STARTED", "COMPLETED"):
        assert register(box, {"_id": "r-1", "status": status, "email": "a@b.invalid"}).status_code == 200
        assert get(box, "r-1").json()["data"] == {"_id": "r-1", "status": status, "email": "a@b.invalid"}
    state = httpx.get(f"{box.url}/_sandbox/state", trust_env=False).json()
    assert [(one["_id"], one["status"]) for one in state["registrations"]] == [("r-1", "COMPLETED")]
    box.world.reset(7)
    assert get(box, "r-1").status_code == 404


def test_registrations_are_not_for_everybody_and_not_for_anything(box: Simulated) -> None:
    answers = [get(box, "r-1"), get(box, "r-1", EXPIRED), get(box, "r-1", "wrong")]
    assert [(answer.status_code, answer.json()["message"]) for answer in answers] == [
        (404, "app_registration_not_found"),
        (403, "token_expired"),
        (401, "Authentication required"),
    ]
    wrong = [
        {"status": "STARTED"},
        {"_id": "r-1"},
        {"_id": "r-1", "status": "Approved"},
        {"_id": 5, "status": "FAILED"},
    ]
    assert [register(box, body).status_code for body in wrong] == [400] * 4
