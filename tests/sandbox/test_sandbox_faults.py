"""The fault mode: every kind of trouble, on demand, over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from json import JSONDecodeError
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from handlers.sandbox.faults import ANSWER_FAULTS, Fault, FaultDice, Faults
from handlers.sandbox.images import selfie_png
from tests.support.didit_sandbox import Clock, Sandbox, sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with sandbox(clock=Clock()) as box:
        yield box


@pytest.fixture
def box(running: Sandbox) -> Sandbox:
    return running.fresh()


def _set(box: Sandbox, **faults: dict[str, Any]) -> None:
    assert box.anonymous.post("/_sandbox/faults", json=faults).status_code == 200


def _balance(box: Sandbox) -> httpx.Response:
    return box.http.get("/v3/billing/balance/")


def _last_call(box: Sandbox) -> dict[str, Any]:
    call: dict[str, Any] = box.anonymous.get("/_sandbox/calls").json()["items"][-1]
    return call


@pytest.mark.parametrize(
    ("kind", "status", "retry_after"),
    [
        ("rate_limited", 429, "7"),
        ("error_500", 500, None),
        ("error_503", 503, "7"),
        ("unauthorized", 401, None),
        ("forbidden", 403, None),
    ],
)
def test_a_refusal_strikes_as_often_as_asked_for(box: Sandbox, kind: str, status: int, retry_after: str | None) -> None:
    _set(box, **{kind: {"next": 2, "seconds": 7}})
    answers = [_balance(box) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert list(answers[0].json()) == ["detail"]
    assert answers[0].headers.get("retry-after") == retry_after


def test_the_list_of_calls_names_the_fault(box: Sandbox) -> None:
    _set(box, error_500={"next": 1})
    _balance(box)
    call = _last_call(box)
    assert (call["status"], call["fault"]) == (500, "error_500")


def test_a_dropped_connection_ends_in_the_middle_of_the_answer(box: Sandbox) -> None:
    _set(box, drop={"next": 1})
    with pytest.raises(httpx.TransportError):
        _balance(box)
    call = _last_call(box)
    assert (call["status"], call["fault"]) == (None, "drop")
    assert _balance(box).status_code == 200


def test_a_slow_answer_takes_its_time(box: Sandbox) -> None:
    _set(box, slow={"next": 2, "seconds": 0.2})
    begun = time.monotonic()
    assert _balance(box).status_code == 200
    assert time.monotonic() - begun >= 0.2
    with pytest.raises(httpx.ReadTimeout):
        box.http.get("/v3/billing/balance/", timeout=0.05)


def test_malformed_json_cannot_be_read(box: Sandbox) -> None:
    _set(box, malformed_json={"next": 1})
    answer = _balance(box)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    with pytest.raises(JSONDecodeError):
        answer.json()


def test_an_oversized_answer_announces_no_length(box: Sandbox) -> None:
    _set(box, oversized={"next": 1, "size": 300_000})
    answer = _balance(box)
    assert "content-length" not in answer.headers
    assert len(answer.content) == 300_000 + len('{"padding": ""}')
    assert list(answer.json()) == ["padding"]


def test_the_wrong_content_type_is_a_page_for_people(box: Sandbox) -> None:
    _set(box, wrong_content_type={"next": 1})
    answer = _balance(box)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def _decline(box: Sandbox) -> None:
    path = f"/v3/session/{box.session_id('low-liveness')}/update-status/"
    with suppress(httpx.TransportError):
        box.http.patch(path, json={"new_status": "Declined"})


@pytest.mark.parametrize("kind", ["drop", "error_500", "error_503", "rate_limited", "unauthorized", "forbidden"])
@pytest.mark.parametrize(("after_effect", "status"), [(False, "In Review"), (True, "Declined")])
def test_a_fault_strikes_before_or_after_the_effect(box: Sandbox, kind: str, after_effect: bool, status: str) -> None:
    _set(box, **{kind: {"next": 1, "after_effect": after_effect}})
    _decline(box)
    assert box.decision("low-liveness")["status"] == status


@pytest.mark.parametrize("kind", ["malformed_json", "oversized", "wrong_content_type", "error_in_200"])
def test_a_spoiled_answer_is_that_of_a_call_that_took_effect(box: Sandbox, kind: str) -> None:
    _set(box, **{kind: {"next": 1}})
    _decline(box)
    assert box.decision("low-liveness")["status"] == "Declined"


def test_an_error_can_come_as_a_success(box: Sandbox) -> None:
    """As gateways have it: the answer as it is, with the words of an error beside it."""
    _set(box, error_in_200={"next": 1})
    answer = _balance(box)
    assert (answer.status_code, answer.json()["statusCode"], answer.json()["message"]) == (200, 500, "internal_error")
    assert answer.json()["balance"] == _balance(box).json()["balance"]


def test_a_slow_answer_can_come_after_the_effect(box: Sandbox) -> None:
    _set(box, slow={"next": 1, "after_effect": True, "seconds": 0.5})
    path = f"/v3/session/{box.session_id('low-liveness')}/update-status/"
    with pytest.raises(httpx.ReadTimeout):
        box.http.patch(path, json={"new_status": "Declined"}, timeout=0.2)
    assert box.decision("low-liveness")["status"] == "Declined"


def test_a_fault_can_be_kept_to_one_path(box: Sandbox) -> None:
    _set(box, error_503={"next": 1, "path": "face-search"})
    assert _balance(box).status_code == 200
    upload = {"user_image": selfie_png("a")}
    statuses = [box.http.post("/v3/face-search/", files=upload).status_code for _ in range(2)]
    assert statuses == [503, 200]


def test_downloads_of_images_can_fail_too(box: Sandbox) -> None:
    link = box.decision("clean")["liveness_checks"][0]["reference_image"]
    _set(box, error_500={"next": 1, "path": "/media/"})
    assert [box.anonymous.get(link).status_code for _ in range(2)] == [500, 200]


def test_what_looks_inside_is_never_struck(box: Sandbox) -> None:
    _set(box, error_500={"probability": 1.0})
    assert _balance(box).status_code == 500
    assert box.anonymous.get("/_sandbox/state").json()["faults"] == {"error_500": {"probability": 1.0}}
    _set(box)
    assert _balance(box).status_code == 200
    assert box.anonymous.get("/_sandbox/faults").json() == {}


@pytest.mark.parametrize(
    "body",
    [
        {"earthquake": {"next": 1}},
        {"drop": {"next": -1}},
        {"drop": {"probability": 1.5}},
        {"drop": {"often": True}},
        {"drop": 1},
    ],
)
def test_a_fault_that_is_not_known_is_refused_by_name(box: Sandbox, body: dict[str, Any]) -> None:
    answer = box.anonymous.post("/_sandbox/faults", json=body)
    assert answer.status_code == 400
    assert next(iter(body)) in answer.json()["detail"]


def test_faults_can_be_set_from_the_start_and_come_back_at_a_reset() -> None:
    with sandbox(faults=Faults(error_500=Fault(next=1))) as box:
        assert [_balance(box).status_code for _ in range(2)] == [500, 200]
        box.fresh()
        assert [_balance(box).status_code for _ in range(2)] == [500, 200]


def test_probabilities_are_drawn_from_a_seed() -> None:
    def drawn(seed: int) -> list[bool]:
        dice = FaultDice(Faults(seed=seed, drop=Fault(probability=0.3)))
        return [dice.draw("/v3/") is not None for _ in range(400)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 80 < sum(drawn(1)) < 160


@pytest.mark.parametrize("kind", ANSWER_FAULTS)
def test_every_kind_can_be_named(kind: str) -> None:
    strike = FaultDice(Faults.model_validate({kind: {"next": 1}})).draw("/v3/")
    assert strike is not None
    assert strike.kind == kind


def test_faults_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Faults().drop = Fault(next=1)
