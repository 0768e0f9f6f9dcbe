"""POST /v3/face-search/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from handlers.sandbox.cast import PARTS
from handlers.sandbox.images import MAX_IMAGE_BYTES, fingerprint, selfie_png
from handlers.sandbox.state import Face
from tests.support.didit_sandbox import WEBHOOK_SECRET, Clock, Inbox, Sandbox, inbox, sandbox, selfie


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with sandbox(clock=Clock()) as box:
        yield box


@pytest.fixture
def box(running: Sandbox) -> Sandbox:
    return running.fresh()


def _post(box: Sandbox, image: bytes, content_type: str = "image/png", **fields: str) -> httpx.Response:
    files = {"user_image": ("selfie", image, content_type)}
    return box.http.post("/v3/face-search/", files=files, data={"save_api_request": "false", **fields})


def _found(box: Sandbox, image: bytes, **fields: str) -> dict[str, Any]:
    answer = _post(box, image, **fields)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["face_search"]
    return result


def test_a_search_finds_look_alikes_best_first_the_own_session_among_them(box: Sandbox) -> None:
    result = _found(box, selfie("duplicate"))
    parts = ("duplicate", "twin-1", "twin-2", "twin-3", "lookalike")
    assert [match["session_id"] for match in result["matches"]] == [box.session_id(part) for part in parts]
    assert [match["similarity_percentage"] for match in result["matches"]] == [100, 96.37, 94.12, 91, 75.4]
    assert (result["status"], result["total_matches"]) == ("Approved", 5)


def test_a_match_has_the_documented_fields(box: Sandbox) -> None:
    match = _found(box, selfie("duplicate"))["matches"][1]
    assert match["source"] == "session"
    assert match["status"] == "Approved"
    assert match["vendor_data"] == "cust-11876"
    assert match["user_details"] == {
        "full_name": "Mara Odua",
        "document_type": "Identity Card",
        "document_number": "KX4410481",
    }
    assert (match["is_blocklisted"], match["is_allowlisted"]) == (False, False)
    assert box.anonymous.get(match["match_image_url"]).content == selfie("twin-1")


def test_the_reply_has_the_standalone_envelope(box: Sandbox) -> None:
    answer = _post(box, selfie("clean"), vendor_data="cust-1", metadata='{"flow": "check"}').json()
    assert sorted(answer) == ["created_at", "face_search", "metadata", "request_id", "vendor_data"]
    assert (answer["vendor_data"], answer["metadata"]) == ("cust-1", {"flow": "check"})
    assert answer["face_search"]["user_image"]["best_angle"] == 0
    assert len(answer["face_search"]["user_image"]["entities"]) == 1


def test_a_duplicate_is_information_and_approved(box: Sandbox) -> None:
    result = _found(box, selfie("duplicate"))
    (warning,) = result["warnings"]
    assert (warning["risk"], warning["log_type"], warning["feature"]) == ("DUPLICATED_FACE", "information", "LIVENESS")
    assert warning["additional_data"]["duplicated_session_id"] == box.session_id("twin-1")
    assert "node_id" not in warning


def test_a_blocklisted_face_declines_and_hides_the_duplicate_of_its_band(box: Sandbox) -> None:
    session_id = box.session_id("twin-2")
    box.http.post("/v3/blocklist/add/", json={"session_id": session_id, "blocklist_face": True})
    result = _found(box, selfie("duplicate"))
    (warning,) = result["warnings"]
    assert (result["status"], warning["risk"], warning["log_type"]) == ("Declined", "FACE_IN_BLOCKLIST", "error")
    assert warning["additional_data"]["blocklisted_session_id"] == session_id
    assert [match["is_blocklisted"] for match in result["matches"]] == [False, False, True, False, False]
    box.http.post("/v3/blocklist/remove/", json={"session_id": session_id, "unblock_face": True})
    assert _found(box, selfie("duplicate"))["status"] == "Approved"


def test_a_possibly_blocklisted_face_declines_on_the_standalone_call(box: Sandbox) -> None:
    result = _found(box, selfie("possible-blocklisted"))
    assert result["status"] == "Declined"
    assert [warning["risk"] for warning in result["warnings"]] == ["POSSIBLE_FACE_IN_BLOCKLIST"]


def test_a_search_among_blocklisted_or_approved_puts_the_blocked_ones_first(box: Sandbox) -> None:
    box.http.post("/v3/blocklist/add/", json={"session_id": box.session_id("twin-3"), "blocklist_face": True})
    result = _found(box, selfie("duplicate"), search_type="blocklisted_or_approved")
    parts = ("twin-3", "twin-1", "twin-2", "lookalike")  # the searched session itself is In Review
    assert [match["session_id"] for match in result["matches"]] == [box.session_id(part) for part in parts]


def test_imported_and_allowed_faces_are_found_without_a_session(box: Sandbox) -> None:
    state, image = box.world.state, selfie_png("imported")
    ref = box.world.media.add("imported", image)
    state.enrol(Face(fingerprint(image), ref, "imported"))
    state.allowed_faces.add(fingerprint(image))
    result = _found(box, image)
    (match,) = result["matches"]
    assert (match["source"], match["session_id"], match["user_details"]) == ("imported", None, None)
    assert match["is_allowlisted"] is True
    assert result["warnings"][0]["risk"] == "DUPLICATED_FACE"


def test_a_match_without_a_document_has_no_user_details(box: Sandbox) -> None:
    state, image = box.world.state, selfie_png("selfie only")
    session_id = box.http.post("/v3/session/", json={"workflow_id": "w"}).json()["session_id"]
    ref = box.world.media.add("selfie only", image)
    state.enrol(Face(fingerprint(image), ref, session_id=session_id))
    (match,) = _found(box, image)["matches"]
    assert (match["session_id"], match["user_details"], match["status"]) == (session_id, None, "Not Started")


def test_a_stranger_has_no_matches(box: Sandbox) -> None:
    result = _found(box, selfie_png("never seen"))
    assert (result["total_matches"], result["matches"], result["warnings"]) == (0, [], [])


def test_a_picture_without_a_face_is_400_and_free(box: Sandbox) -> None:
    image = selfie_png("a landscape")
    box.world.state.face_counts[fingerprint(image)] = 0
    answer = _post(box, image)
    assert (answer.status_code, list(answer.json())) == (400, ["user_image"])
    assert box.http.get("/v3/billing/balance/").json()["balance"] == "100.0000"


def test_a_second_face_is_a_warning_without_effect(box: Sandbox) -> None:
    image = selfie_png("two people")
    box.world.state.face_counts[fingerprint(image)] = 2
    result = _found(box, image)
    assert (result["status"], result["warnings"][0]["risk"]) == ("Approved", "MULTIPLE_FACES_DETECTED")
    assert result["warnings"][0]["additional_data"] is None
    assert len(result["user_image"]["entities"]) == 2


@pytest.mark.parametrize(
    ("image", "content_type"),
    [
        (b"%PDF-1.7", "application/pdf"),
        (b"%PDF-1.7", "image/png"),
        (b"", "image/png"),
        (selfie_png("a"), "text/plain"),
        (selfie_png("a") + b"\x00" * MAX_IMAGE_BYTES, "image/png"),
    ],
)
def test_what_is_no_image_of_the_right_kind_and_size_is_400(box: Sandbox, image: bytes, content_type: str) -> None:
    answer = _post(box, image, content_type)
    assert (answer.status_code, list(answer.json())) == (400, ["user_image"])


def test_an_image_of_exactly_five_megabytes_is_taken(box: Sandbox) -> None:
    image = selfie_png("a")
    assert _post(box, image + b"\x00" * (MAX_IMAGE_BYTES - len(image))).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"search_type": "everything"},
        {"save_api_request": "perhaps"},
        {"rotate_image": "left"},
        {"metadata": "{"},
    ],
)
def test_a_field_that_makes_no_sense_is_400(box: Sandbox, fields: dict[str, str]) -> None:
    answer = _post(box, selfie_png("a"), **fields)
    assert (answer.status_code, list(answer.json())) == (400, list(fields))


@pytest.mark.parametrize(
    "request_body",
    [
        {"json": {"user_image": "https://media.example.invalid/a.png"}},
        {"data": {"user_image": "text"}},
        {"files": {"another": b"x"}},
        {"files": {"user_image": ("a.png", selfie_png("a"), "image/png"), "vendor_data": ("v", b"x", "text/plain")}},
        {"content": b"--x\r\nnonsense", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"", "headers": {"content-type": "multipart/form-data"}},
    ],
)
def test_without_a_proper_upload_it_is_400(box: Sandbox, request_body: dict[str, Any]) -> None:
    answer = box.http.post("/v3/face-search/", **request_body)
    assert answer.status_code == 400
    assert isinstance(answer.json(), dict)


def test_each_search_costs_and_without_credits_the_image_is_not_looked_at() -> None:
    with sandbox(balance=Decimal("0.10"), price=Decimal("0.05")) as box:
        assert [_post(box, selfie_png("a")).status_code for _ in range(3)] == [200, 200, 403]
        assert box.http.get("/v3/billing/balance/").json()["balance"] == "0.0000"
        assert _post(box, b"no image").status_code == 403


def test_a_search_that_is_not_kept_leaves_nothing_behind(box: Sandbox) -> None:
    before = box.anonymous.get("/_sandbox/state").json()
    request_id = _post(box, selfie_png("passing")).json()["request_id"]
    after = box.anonymous.get("/_sandbox/state").json()
    assert (after["faces"], after["sessions"]) == (before["faces"], before["sessions"])
    assert box.http.get(f"/v3/session/{request_id}/decision/").status_code == 404


def _kept(box: Sandbox, receiver: Inbox) -> tuple[str, dict[str, Any]]:
    answer = box.http.post("/v3/face-search/", files={"user_image": selfie_png("kept")}, data={"vendor_data": "v-9"})
    assert answer.status_code == 200
    ((_, body),) = receiver.wait(1)
    return answer.json()["request_id"], json.loads(body)


def test_a_kept_search_becomes_a_session_enrols_the_face_and_sends_a_webhook() -> None:
    with inbox() as receiver, sandbox(webhook_url=receiver.url, webhook_secret=WEBHOOK_SECRET) as box:
        request_id, event = _kept(box, receiver)
        assert event["webhook_type"] == "status.updated"
        assert (event["session_id"], event["status"], event["vendor_data"]) == (request_id, "Approved", "v-9")
        decision = box.http.get(f"/v3/session/{request_id}/decision/").json()
        assert (decision["status"], decision["liveness_checks"]) == ("Approved", None)
        state = box.anonymous.get("/_sandbox/state").json()
        assert state["faces"] == len(PARTS) + 1
        assert _found(box, selfie_png("kept"))["matches"] == []
        listed = box.http.get("/v3/sessions/", params={"session_kind": "all", "limit": 50}).json()
        assert request_id not in {row["session_id"] for row in listed["results"]}


def test_the_list_of_calls_names_the_image_by_its_hash_only(box: Sandbox) -> None:
    _found(box, selfie("clean"), vendor_data="cust-1")
    (call,) = box.anonymous.get("/_sandbox/calls", params={"path": "face-search"}).json()["items"]
    assert call["fields"] == {
        "image_sha256": fingerprint(selfie("clean")),
        "image_bytes": len(selfie("clean")),
        "search_type": "most_similar",
        "save_api_request": False,
        "vendor_data": "cust-1",
    }
