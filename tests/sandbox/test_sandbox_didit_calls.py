"""The simulator's newer calls: each behind key, slash and rate limit, each with its documented refusals."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from handlers.sandbox.settings import RateLimits
from tests.support.didit_sandbox import Clock, Sandbox, sandbox, selfie

SESSION = "{session}"
PICTURES = {"user_image": ("a.jpg", selfie("clean"), "image/jpeg")}
DOCUMENT = {"front_image": ("a.jpg", selfie("clean"), "image/jpeg")}
PAIR = {**PICTURES, "ref_image": ("b.jpg", selfie("attack"), "image/jpeg")}

CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v3/passive-liveness/", {"files": PICTURES}),
    ("POST", "/v3/face-match/", {"files": PAIR}),
    ("POST", "/v3/id-verification/", {"files": DOCUMENT}),
    ("DELETE", f"/v3/session/{SESSION}/delete/", {"json": {}}),
    ("GET", f"/v3/session/{SESSION}/generate-pdf/", {}),
    ("POST", f"/v3/session/{SESSION}/share/", {"json": {"for_application_id": "a"}}),
    ("POST", "/v3/session/import-shared/", {"json": {"share_token": "unknown"}}),
    ("GET", "/v3/lists/", {}),
    ("POST", "/v3/lists/", {"json": {"name": "mine", "list_type": "custom", "entry_type": "key"}}),
    ("GET", "/v3/lists/{list}/entries/", {}),
    ("POST", "/v3/lists/{list}/entries/", {"json": {"value": "198.51.100.1"}}),
    ("PATCH", "/v3/users/{user}/update-status/", {"json": {"status": "FLAGGED"}}),
    ("GET", "/v3/users/{user}/", {}),
]
every_call = pytest.mark.parametrize(("method", "path", "options"), CALLS, ids=lambda value: str(value)[:40])


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with sandbox(clock=Clock()) as box:
        yield box


@pytest.fixture
def box(running: Sandbox) -> Sandbox:
    return running.fresh()


def place(box: Sandbox, path: str) -> str:
    session = box.session_id("clean")
    user = box.world.state.sessions[session].vendor_data
    return path.format(session=session, list=box.world.state.new_id("list:ip_address"), user=user)


@every_call
def test_behind_the_key_and_with_the_limits_headers(
    box: Sandbox, method: str, path: str, options: dict[str, Any]
) -> None:
    where = place(box, path)
    assert box.anonymous.request(method, where, **options).status_code == 403
    wrong = box.anonymous.request(method, where, headers={"x-api-key": "wrong"}, **options)
    assert wrong.status_code == 401
    answer = box.http.request(method, where, **options)
    assert answer.status_code in ((200, 201) if "import" not in path else (404,)), answer.text
    assert int(answer.headers["x-ratelimit-limit"]) == (50 if "pdf" in path else 600 if method == "GET" else 300)
    assert box.http.request(method, where[:-1], **options).status_code == 301


@every_call
def test_over_the_limit(method: str, path: str, options: dict[str, Any]) -> None:
    with sandbox(limits=RateLimits(read=0, write=0, pdf=0)) as box:
        answer = box.http.request(method, place(box, path), **options)
        assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)


NO: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("POST", "/v3/passive-liveness/", {"files": {"x": b"1"}}, 400, "user_image"),
    ("POST", "/v3/passive-liveness/", {"files": {"user_image": ("a.gif", b"GIF89a", "image/gif")}}, 400, "user_image"),
    (
        "POST",
        "/v3/passive-liveness/",
        {"files": {"user_image": ("a.jpg", b"\xff\xd8\xff" + bytes(5_300_000), "image/jpeg")}},
        400,
        "user_image",
    ),
    (
        "POST",
        "/v3/passive-liveness/",
        {"files": PICTURES, "data": {"face_liveness_score_decline_threshold": "100.5"}},
        400,
        "face_liveness_score_decline_threshold",
    ),
    ("POST", "/v3/face-match/", {"files": PICTURES}, 400, "ref_image"),
    ("POST", "/v3/id-verification/", {"files": DOCUMENT, "data": {"minimum_age": "121"}}, 400, "minimum_age"),
    ("POST", "/v3/id-verification/", {"files": DOCUMENT, "data": {"invalid_mrz_action": "X"}}, 400, "invalid_mrz"),
    ("DELETE", f"/v3/session/{SESSION}/delete/", {"json": {"face_retention_days": 0}}, 400, "face_retention_days"),
    ("DELETE", "/v3/session/nobody/delete/", {}, 404, "detail"),
    ("GET", "/v3/session/nobody/generate-pdf/", {}, 404, "detail"),
    ("POST", f"/v3/session/{SESSION}/share/", {"json": {}}, 400, "for_application_id"),
    (
        "POST",
        f"/v3/session/{SESSION}/share/",
        {"json": {"for_application_id": "a", "ttl_in_seconds": 86401}},
        400,
        "ttl_in_seconds",
    ),
    ("POST", "/v3/lists/", {"json": {"name": "x", "list_type": "blocklist", "entry_type": "key"}}, 400, "list_type"),
    ("GET", "/v3/lists/?entry_type=ip", {}, 400, "entry_type"),
    ("POST", "/v3/lists/{list}/entries/", {"json": {}}, 400, "value"),
    ("POST", "/v3/lists/nowhere/entries/", {"json": {"value": "x"}}, 404, "detail"),
    ("PATCH", "/v3/users/{user}/update-status/", {"json": {"status": "Approved"}}, 400, "status"),
    ("PATCH", "/v3/users/nobody/update-status/", {"json": {"status": "BLOCKED"}}, 404, "detail"),
]


@pytest.mark.parametrize(("method", "path", "options", "status", "word"), NO, ids=lambda value: str(value)[:30])
def test_refusals(box: Sandbox, method: str, path: str, options: dict[str, Any], status: int, word: str) -> None:
    answer = box.http.request(method, place(box, path), **options)
    assert (answer.status_code, word in answer.text) == (status, True), answer.text


@pytest.mark.parametrize(("path", "files"), [(path, options["files"]) for _, path, options in CALLS[:3]])
def test_checks_cost_and_without_credits_nobody_looks(path: str, files: Any) -> None:
    with sandbox(balance=Decimal("0.05")) as box:
        assert box.http.post(path, files=files).status_code == 200
        assert box.world.state.balance == 0
        answer = box.http.post(path, files={"x": b"not even a picture"})
        assert (answer.status_code, answer.json()) == (403, {"detail": "Not enough credits."})


def test_deleting_takes_the_face_with_it_unless_told_otherwise(box: Sandbox) -> None:
    for part, body, left in (("clean", {}, 0), ("attack", {"retain_face_embeddings": True}, 1)):
        session = box.session_id(part)
        assert box.http.request("DELETE", f"/v3/session/{session}/delete/", json=body).status_code == 200
        assert len([face for face in box.world.state.faces if face.session_id == session]) == left
        assert box.http.get(f"/v3/session/{session}/decision/").status_code == 404


def test_the_blocklist_outlives_its_session(box: Sandbox) -> None:
    entries = box.http.get("/v3/blocklist/").json()["results"]
    session = entries[0]["session_id"]
    box.http.request("DELETE", f"/v3/session/{session}/delete/", json={})
    after = box.http.get("/v3/blocklist/").json()["results"]
    assert [entry["session_id"] for entry in after] == [entry["session_id"] for entry in entries]
    assert {entry["session_number"] for entry in after if entry["session_id"] == session} == {None}


def test_a_share_runs_out(box: Sandbox) -> None:
    clock: Any = box.world.settings.clock
    path = f"/v3/session/{box.session_id('clean')}/share/"
    token = box.http.post(path, json={"for_application_id": "a", "ttl_in_seconds": 60}).json()["share_token"]
    clock.now += 61
    assert box.http.post("/v3/session/import-shared/", json={"share_token": token}).status_code == 404


def test_an_entry_is_found_and_taken_off(box: Sandbox) -> None:
    path = place(box, "/v3/lists/{list}/entries/")
    made = box.http.post(path, json={"value": "203.0.113.9", "display_label": "ring"}).json()
    assert box.http.post(path, json={"value": "203.0.113.9"}).status_code == 400
    assert box.http.get(path, params={"search": "203.0.113"}).json()["count"] == 1
    assert box.http.delete(f"{path}{made['uuid']}/").status_code == 204
    assert box.http.delete(f"{path}{made['uuid']}/").status_code == 404
    (row,) = box.http.get("/v3/lists/", params={"list_type": "blocklist", "entry_type": "ip_address"}).json()["results"]
    assert (row["is_system"], row["entry_count"]) == (True, 0)


def test_base64_is_no_picture(box: Sandbox) -> None:
    text = base64.b64encode(selfie("clean"))
    answer = box.http.post("/v3/passive-liveness/", files={"user_image": ("a.jpg", text, "image/jpeg")})
    assert answer.status_code == 400
