"""The session API: keys, slashes, rate limits, decisions, sessions, blocklist, balance."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from handlers.sandbox.cast import PARTS
from handlers.sandbox.settings import RateLimits
from tests.support.didit_sandbox import NOW, Clock, Sandbox, sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with sandbox(clock=Clock()) as box:
        yield box


@pytest.fixture
def box(running: Sandbox) -> Sandbox:
    return running.fresh()


# keys, paths, methods


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, {}, 403),
        ({}, {"x-api-key": "wrong"}, 401),
        ({"missing_key_status": 401, "wrong_key_status": 403}, {}, 401),
        ({"missing_key_status": 401, "wrong_key_status": 403}, {"x-api-key": "wrong"}, 403),
    ],
)
def test_without_the_right_key_nothing_is_answered(
    settings: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    with sandbox(**settings) as box:
        answer = box.anonymous.get("/v3/sessions/", headers=headers)
        assert (answer.status_code, list(answer.json())) == (status, ["detail"])


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("GET", "/v3/sessions?limit=2", "/v3/sessions/?limit=2"),
        ("POST", "/v3/blocklist/add", "/v3/blocklist/add/"),
        ("PATCH", "/v3/session/x/update-status", "/v3/session/x/update-status/"),
    ],
)
def test_a_path_without_its_slash_is_redirected(box: Sandbox, method: str, path: str, target: str) -> None:
    answer = box.http.request(method, path)
    assert (answer.status_code, answer.headers["location"]) == (301, target)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v3/nowhere/", 404), ("GET", "/elsewhere", 404), ("GET", "/v3/face-search/", 405)],
)
def test_what_is_not_there_is_said_in_the_vendors_shape(box: Sandbox, method: str, path: str, status: int) -> None:
    answer = box.http.request(method, path)
    assert (answer.status_code, list(answer.json())) == (status, ["detail"])


# rate limits


def test_the_rate_limit_slides() -> None:
    clock = Clock()
    with sandbox(clock=clock, limits=RateLimits(read=3)) as limited:

        def ask() -> tuple[int, dict[str, str]]:
            answer = limited.http.get("/v3/billing/balance/")
            return answer.status_code, dict(answer.headers)

        status, headers = ask()
        assert status == 200
        assert headers["x-ratelimit-limit"] == "3"
        assert headers["x-ratelimit-remaining"] == "2"
        assert headers["x-ratelimit-reset"] == str(NOW + 60)
        assert "retry-after" not in headers
        clock.now += 10
        assert [ask()[0] for _ in range(3)] == [200, 200, 429]
        status, headers = ask()
        assert (status, headers["retry-after"], headers["x-ratelimit-remaining"]) == (429, "50", "0")
        clock.now = NOW + 60
        assert [ask()[0] for _ in range(2)] == [200, 429]


def test_reads_writes_and_session_creation_are_counted_apart() -> None:
    with sandbox(limits=RateLimits(read=1, write=1, session_create=1)) as box:
        statuses = [
            box.http.get("/v3/sessions/").status_code,
            box.http.post("/v3/blocklist/add/", json={}).status_code,
            box.http.post("/v3/session/", json={"workflow_id": "w"}).status_code,
        ]
        assert statuses == [200, 400, 201]
        assert box.http.post("/v3/blocklist/add/", json={}).status_code == 429


def test_each_key_has_its_own_limit_and_strangers_go_by_address() -> None:
    with sandbox(limits=RateLimits(read=1)) as box:
        hops = [{"x-forwarded-for": "203.0.113.1, 10.0.0.1"}, {"x-forwarded-for": "203.0.113.2"}, {}]
        for headers in hops:
            assert box.anonymous.get("/v3/sessions/", headers=headers).status_code == 403
            assert box.anonymous.get("/v3/sessions/", headers=headers).status_code == 429
        assert box.http.get("/v3/sessions/").status_code == 200


def test_the_documented_limits_are_the_default(box: Sandbox) -> None:
    read = box.http.get("/v3/sessions/").headers["x-ratelimit-limit"]
    write = box.http.post("/v3/blocklist/add/", json={}).headers["x-ratelimit-limit"]
    create = box.http.post("/v3/session/", json={}).headers["x-ratelimit-limit"]
    assert (read, write, create) == ("600", "300", "600")


# decisions


def test_a_decision_has_the_v3_shape(box: Sandbox) -> None:
    decision = box.decision("attack")
    assert decision["status"] == "Declined"
    assert decision["session_kind"] == "user"
    assert decision["environment"] == "sandbox"
    assert decision["vendor_data"] == "cust-20417"
    assert decision["features"] == ["ID_VERIFICATION", "LIVENESS", "FACE_MATCH", "IP_ANALYSIS"]
    assert decision["nfc_verifications"] is None
    assert decision["created_at"].endswith("Z")
    liveness = decision["liveness_checks"][0]
    assert {warning["risk"] for warning in liveness["warnings"]} == {"LIVENESS_FACE_ATTACK", "LOW_LIVENESS_SCORE"}
    assert {warning["node_id"] for warning in liveness["warnings"]} == {liveness["node_id"]}
    for link in (liveness["reference_image"], decision["face_matches"][0]["target_image"]):
        assert box.anonymous.get(link).status_code == 200


def test_a_duplicate_has_three_matches_over_90_and_one_at_75(box: Sandbox) -> None:
    liveness = box.decision("duplicate")["liveness_checks"][0]
    assert [match["similarity_percentage"] for match in liveness["matches"]] == [96.37, 94.12, 91, 75.4]
    assert liveness["warnings"][0]["risk"] == "DUPLICATED_FACE"
    assert liveness["warnings"][0]["additional_data"]["duplicated_session_id"] == box.session_id("twin-1")


@pytest.mark.parametrize(
    ("part", "status", "risks"),
    [
        ("clean", "Approved", []),
        ("possible-duplicate", "Approved", ["POSSIBLE_DUPLICATED_FACE"]),
        ("blocklisted", "Declined", ["FACE_IN_BLOCKLIST"]),
        ("possible-blocklisted", "In Review", ["POSSIBLE_FACE_IN_BLOCKLIST"]),
        ("low-liveness", "In Review", ["LOW_LIVENESS_SCORE"]),
        ("low-face-match", "In Review", ["LOW_FACE_MATCH_SIMILARITY"]),
    ],
)
def test_the_worst_feature_gives_the_status(box: Sandbox, part: str, status: str, risks: list[str]) -> None:
    decision = box.decision(part)
    found = [
        warning["risk"] for array in ("liveness_checks", "face_matches") for warning in decision[array][0]["warnings"]
    ]
    assert (decision["status"], found) == (status, risks)


def test_a_decision_of_nobody_is_404(box: Sandbox) -> None:
    answer = box.http.get("/v3/session/nobody/decision/")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Session not found."})


# sessions


def test_a_session_can_be_created(box: Sandbox) -> None:
    asked = {"workflow_id": "w-1", "vendor_data": "cust-1", "callback": "https://app.example.invalid/done"}
    answer = box.http.post("/v3/session/", json={**asked, "metadata": {"order": 1}})
    created = answer.json()
    assert answer.status_code == 201
    assert created["status"] == "Not Started"
    assert {name: created[name] for name in asked} == asked
    assert created["url"].endswith(created["session_token"])
    decision = box.http.get(f"/v3/session/{created['session_id']}/decision/").json()
    assert (decision["status"], decision["metadata"], decision["liveness_checks"]) == (
        "Not Started",
        {"order": 1},
        None,
    )


def test_an_unfinished_session_is_given_back(box: Sandbox) -> None:
    def create(**body: str) -> str:
        answer = box.http.post("/v3/session/", json={"workflow_id": "w-1", **body})
        assert answer.status_code == 201
        session_id: str = answer.json()["session_id"]
        return session_id

    first = create(vendor_data="cust-1")
    assert create(vendor_data="cust-1") == first
    assert create(vendor_data="cust-2") != first
    assert create(vendor_data="cust-1", workflow_id="w-2") != first
    assert create() != create()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["workflow_id"]),
        ({"workflow_id": ""}, ["workflow_id"]),
        ({"workflow_id": 5}, ["workflow_id"]),
        ({"workflow_id": "w", "vendor_data": 5}, ["vendor_data"]),
    ],
)
def test_a_session_needs_what_it_needs(box: Sandbox, body: dict[str, Any], fields: list[str]) -> None:
    answer = box.http.post("/v3/session/", json=body)
    assert (answer.status_code, list(answer.json())) == (400, fields)
    assert isinstance(answer.json()[fields[0]], list)


@pytest.mark.parametrize("content", [b"{", b"[1]", b'"text"', b"\xff\xfe"])
def test_a_body_that_is_no_object_is_400(box: Sandbox, content: bytes) -> None:
    answer = box.http.post("/v3/session/", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])


def test_without_credits_no_session_is_created() -> None:
    with sandbox(balance=Decimal(0)) as box:
        assert box.http.post("/v3/session/", json={"workflow_id": "w"}).status_code == 400


def test_sessions_are_listed_newest_first_and_paged(box: Sandbox) -> None:
    first = box.http.get("/v3/sessions/", params={"limit": 6}).json()
    assert (first["count"], first["previous"], len(first["results"])) == (len(PARTS), None, 6)
    rows, page = list(first["results"]), first
    while page["next"]:
        page = box.http.get(page["next"]).json()
        rows += page["results"]
    assert len({row["session_id"] for row in rows}) == len(PARTS)
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    last = len(rows) - len(page["results"])
    assert box.http.get(page["previous"]).json()["results"] == rows[last - 6 : last]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"vendor_data": "cust-20417"}, {"attack"}),
        ({"status": "In Review", "date_to": "2026-05-01"}, set()),
        ({"status": "In Review", "country": "EST"}, {"duplicate"}),
        ({"country": "LVA"}, {"twin-3", "older-shapes"}),
        ({"date_to": "2026-05-01"}, {"lookalike", "distant"}),
        ({"date_from": "2026-10-01", "country": "LVA"}, {"twin-3", "older-shapes"}),
        ({"workflow_id": "another"}, set()),
        ({"session_kind": "business"}, set()),
    ],
)
def test_sessions_can_be_filtered(box: Sandbox, query: dict[str, str], expected: set[str]) -> None:
    rows = box.http.get("/v3/sessions/", params=query).json()["results"]
    assert {row["session_id"] for row in rows} == {box.session_id(part) for part in expected}


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"offset": "-1"}, {"session_kind": "cat"}])
def test_a_query_that_makes_no_sense_is_400(box: Sandbox, query: dict[str, str]) -> None:
    answer = box.http.get("/v3/sessions/", params=query)
    assert (answer.status_code, list(answer.json())) == (400, list(query))


# blocklist


def _blocked(box: Sandbox, item_type: str) -> list[dict[str, Any]]:
    answer = box.http.get("/v3/blocklist/", params={"item_type": item_type}).json()
    assert answer["count"] == len(answer["results"])
    rows: list[dict[str, Any]] = answer["results"]
    return rows


def test_every_type_can_be_blocked_listed_and_unblocked(box: Sandbox) -> None:
    session_id = box.session_id("duplicate")
    kinds = ("face", "document", "phone", "email")
    answer = box.http.post(
        "/v3/blocklist/add/", json={"session_id": session_id, **{f"blocklist_{kind}": True for kind in kinds}}
    )
    assert (answer.status_code, answer.json()) == (200, {"message": "Successfully updated blocklist."})
    rows = {kind: next(row for row in _blocked(box, kind) if row["session_id"] == session_id) for kind in kinds}
    assert [rows[kind]["type"] for kind in kinds] == list(kinds)
    assert box.anonymous.get(rows["face"]["face_image"]).status_code == 200
    assert rows["document"]["document_number"] == "KX9950341"
    assert rows["phone"]["phone_number"] == "+12025550143"
    assert rows["email"]["email"] == "marta.oduna@mail.example.invalid"
    assert rows["email"]["document_number"] is None
    everything = box.http.get("/v3/blocklist/").json()
    assert everything["count"] == 6

    answer = box.http.post(
        "/v3/blocklist/remove/", json={"session_id": session_id, **{f"unblock_{kind}": True for kind in kinds}}
    )
    assert (answer.status_code, answer.json()) == (200, {"message": "Successfully removed from blocklist."})
    assert box.http.get("/v3/blocklist/").json()["count"] == 2


def test_only_the_types_that_are_true_are_blocked_and_a_repeat_changes_nothing(box: Sandbox) -> None:
    body = {"session_id": box.session_id("duplicate"), "blocklist_phone": True, "blocklist_face": False}
    for _ in range(2):
        assert box.http.post("/v3/blocklist/add/", json=body).status_code == 200
    assert len(_blocked(box, "phone")) == 1
    assert [row["session_id"] for row in _blocked(box, "face")] == [box.session_id("banned")]


def test_what_a_session_lacks_cannot_be_blocked(box: Sandbox) -> None:
    body = {"session_id": box.session_id("attack"), "blocklist_email": True}
    assert box.http.post("/v3/blocklist/add/", json=body).status_code == 200
    assert box.http.post("/v3/blocklist/remove/", json={**body, "unblock_email": True}).status_code == 200
    assert _blocked(box, "email") == []


@pytest.mark.parametrize("call", ["add", "remove"])
@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({}, 400),
        ({"blocklist_face": False, "unblock_face": False}, 400),
        ({"blocklist_face": "maybe", "unblock_face": "maybe"}, 400),
        ({"blocklist_face": "true", "unblock_face": "true"}, 200),
    ],
)
def test_at_least_one_type_must_be_true(box: Sandbox, call: str, flags: dict[str, Any], status: int) -> None:
    body = {"session_id": box.session_id("attack"), **flags}
    assert box.http.post(f"/v3/blocklist/{call}/", json=body).status_code == status


@pytest.mark.parametrize(("call", "other"), [("add", "unblock_face"), ("remove", "blocklist_face")])
def test_the_two_calls_take_different_prefixes(box: Sandbox, call: str, other: str) -> None:
    body = {"session_id": box.session_id("attack"), other: True}
    assert box.http.post(f"/v3/blocklist/{call}/", json=body).status_code == 400


@pytest.mark.parametrize("call", ["add", "remove"])
def test_the_blocklist_knows_no_strangers(box: Sandbox, call: str) -> None:
    flags = {"blocklist_face": True, "unblock_face": True}
    assert box.http.post(f"/v3/blocklist/{call}/", json={"session_id": "nobody", **flags}).status_code == 404
    answer = box.http.post(f"/v3/blocklist/{call}/", json=flags)
    assert (answer.status_code, list(answer.json())) == (400, ["session_id"])


def test_an_unknown_item_type_is_400(box: Sandbox) -> None:
    answer = box.http.get("/v3/blocklist/", params={"item_type": "cat"})
    assert (answer.status_code, list(answer.json())) == (400, ["item_type"])


def test_the_balance_is_a_text_with_four_decimals(box: Sandbox) -> None:
    assert box.http.get("/v3/billing/balance/").json()["balance"] == "100.0000"
