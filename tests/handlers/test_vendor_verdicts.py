"""A call error is never a finding: no answer but a clear, documented verdict declines anybody, or approves."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlers.answers import read_json, refusal
from handlers.clients import CLIENTS
from handlers.didit import check_results, results, wire
from handlers.didit.params import FaceSearchParams
from handlers.images import ImageFetcher
from handlers.kwikid_gone import check_deleted, says_gone
from handlers.kwikid_wire import liveness_result as kwikid_result
from handlers.kwikid_wire import liveness_v2_result as kwikid_v2_result
from handlers.kwikid_wire import refuse_hidden_error as kwikid_refuse
from handlers.registry import bind
from handlers.tools import Tools
from handlers.verifik_wire import answered_reason, refused_for, registration_result
from handlers.verifik_wire import liveness_result as verifik_result
from handlers.verifik_wire import refuse_hidden_error as verifik_refuse
from receiver.contract import JsonObject, JsonValue
from receiver.errors import AnswerUnreadable, VendorError, VendorRefused, VendorUnavailable
from receiver.store.documents import dump
from tests.support.action_calls import action_call, event_document
from tests.support.vendor_stub import VendorStub, answer, vendor_stub

BEYOND = 10**400  # whole numbers have no bound in JSON, floats have


def kwikid(body: JsonObject, status: int = 200) -> Any:
    return kwikid_result(kwikid_refuse(body, status), "LIVENESS_FACE_ATTACK")


def kwikid_v2(body: JsonObject, status: int = 200) -> Any:
    return kwikid_v2_result(kwikid_refuse(body, status), "LIVENESS_FACE_ATTACK")


def verifik(body: JsonObject, status: int = 200) -> Any:
    return verifik_result(verifik_refuse(body, status), 0.6, answered_reason(body))


def registration(body: JsonObject, status: int = 200) -> Any:
    return registration_result(verifik_refuse(body, status), "r-1")


def passive_liveness(body: JsonObject, status: int = 200) -> Any:
    return check_results.passive_liveness_result(body, wire.feature(body, "liveness", status), 50.0)


def face_match(body: JsonObject, status: int = 200) -> Any:
    return check_results.face_match_result(body, wire.feature(body, "face_match", status), 50.0)


def face_search(body: JsonObject, status: int = 200) -> Any:
    params = FaceSearchParams(min_similarity=70.0)
    return check_results.face_search_result(body, wire.feature(body, "face_search", status), params, event_document())


def id_verification(body: JsonObject, status: int = 200) -> Any:
    return check_results.id_verification_result(body, wire.feature(body, "id_verification", status))


WARNED: Any = [{"risk": "LOW_LIVENESS_SCORE", "log_type": "error", "additional_data": None}]
NOES: dict[Callable[..., Any], JsonObject] = {
    kwikid: {"result": "fake", "image_result": "fake", "overall_result": "False", "confidence": 3, "image_input": True},
    kwikid_v2: {
        "image": {"input_provided": "True", "result": "fake", "confidence": 0},
        "video": {"input_provided": "False", "result": "N/A", "confidence": None},
        "image_video_facematch": {"performed": "False", "result": "False", "confidence": None},
        "overall_result": "False",
    },
    verifik: {"id": "4FA2B", "data": {"passed": False, "liveness_score": 0.1, "min_score": 0.6}},
    registration: {"id": "4FA2B", "data": {"_id": "r-1", "status": "FAILED"}},
    passive_liveness: {"request_id": "q", "liveness": {"status": "Declined", "score": 3.0, "warnings": WARNED}},
    face_match: {"request_id": "q", "face_match": {"status": "Declined", "score": 3.0, "warnings": []}},
    face_search: {"request_id": "q", "face_search": {"status": "Declined", "matches": [], "warnings": WARNED}},
    id_verification: {"request_id": "q", "id_verification": {"status": "Declined", "warnings": WARNED}},
}
READERS = [*NOES]
NAMES = [reader.__name__ for reader in READERS]


@pytest.mark.parametrize("reader", READERS, ids=NAMES)
def test_the_clear_no_is_one(reader: Callable[..., Any]) -> None:
    """Else what follows would prove nothing."""
    assert reader(NOES[reader])["status"] == "Declined"


ERRORS: list[JsonObject] = [
    {"statusCode": 500},
    {"statusCode": "500", "message": "internal_error"},
    {"status_code": 401, "msg": "bad token", "success": True},
    {"status": "429", "message": "Rate limit exceeded"},
    {"status": 429, "message": "Rate limit exceeded"},
    {"error": "upstream timed out"},
    {"error": True},
    {"errors": [{"path": "image"}]},
    {"detail": "Service unavailable"},
    {"detail": {"form": {"image": ["Bad format"]}}, "message": "Bad request"},
    {"detail": {}, "message": "no face found"},
    {"message": "internal_error", "code": "ERROR"},
    {"message": "unsupported image"},
    {"msg": "Invalid image"},
    {"success": False},
    {"success": "False"},
    {"success": "maybe"},
]


def is_no_finding(reader: Callable[..., Any], body: JsonObject, status: int = 200) -> bool:
    """Whether nothing in what a rule sees of an answer speaks against the person, or for them."""
    try:
        result = reader(body, status)
    except (VendorRefused, VendorUnavailable, AnswerUnreadable):
        return True
    if reader is registration:
        return result["status"] is None
    silent = result["passed"] is None and result["score"] is None and result["vendor_reason"] is None
    return result["status"] == "In Review" and result["tags"] == [] and silent and bool(result["notes"])


@pytest.mark.parametrize("error", ERRORS, ids=json.dumps)
@pytest.mark.parametrize("reader", READERS, ids=NAMES)
def test_an_error_beside_a_verdict_is_no_finding(reader: Callable[..., Any], error: JsonObject) -> None:
    assert is_no_finding(reader, {**copy.deepcopy(NOES[reader]), **error})


@pytest.mark.parametrize("status", [202, 203, 204, 206, 207, 226, 299])
@pytest.mark.parametrize("reader", READERS, ids=NAMES)
def test_only_a_status_that_promises_a_verdict_gives_one(reader: Callable[..., Any], status: int) -> None:
    assert is_no_finding(reader, NOES[reader], status)


@pytest.mark.parametrize(
    "body",
    [
        {"id": "x", "data": {"passed": False, "liveness_score": None, "min_score": 0.6}},
        {"data": {"passed": False}},
        {"data": {"passed": False, "liveness_score": "0.2"}},
        {"data": {"passed": False, "liveness_score": BEYOND}},
    ],
)
def test_verifik_s_no_without_a_score_is_for_a_person(body: JsonObject) -> None:
    result = verifik(body)
    assert (result["status"], result["tags"], result["score"]) == ("In Review", [], None)


@pytest.mark.parametrize(
    "data",
    [
        {"passed": False, "liveness_score": None, "reason": "image_blurry"},
        {"passed": False, "liveness_score": 0, "message": "unsupported image"},
        {"passed": False, "liveness_score": 0, "error": "decoder"},
        {"passed": False, "liveness_score": 0.97, "min_score": 60},
        {"passed": False, "liveness_score": 0.2, "min_score": "0.6"},
        {"passed": False, "liveness_score": 0.2, "codes": ["liveness_failed", "liveness_error"]},
    ],
)
def test_verifik_s_no_for_a_reason_of_another_kind_is_for_a_person(data: JsonObject) -> None:
    assert is_no_finding(verifik, {"data": data})


@pytest.mark.parametrize(
    ("said", "status", "word"),
    [
        ("liveness_failed", 409, "liveness_failed"),
        ("data.reason: liveness_failed", 400, "liveness_failed"),
        ("no_face_detected; no_face_detected", 412, "no_face_detected"),
        ("unknown value for reason: liveness_failed", 409, None),
        ("liveness_failed", 413, None),
        ("liveness_failed", 404, None),
        ("no_face_detected; liveness_failed", 409, None),
    ],
)
def test_a_published_reason_in_a_refusal(said: str, status: int, word: str | None) -> None:
    assert refused_for(f"HTTP {status}: {said}", status) == word


@pytest.mark.parametrize(
    "body",
    [
        {"result": "real", "overall_result": "error"},
        {"result": "real", "overall_result": 0},
        {"result": "real", "overall_result": "no"},
        {"result": "real", "overall_result": "True", "facematch_result": "no"},
        {"result": ["fake"], "image_result": "real", "overall_result": "True"},
        {"result": "fake", "overall_result": "error"},
        {"result": "fake", "overall_result": "False", "image_input": False, "video_input": False},
        {"result": "fake", "overall_result": "False", "image_input": False, "total_video_frames": 0},
        {"result": "fake", "status": "error"},
        {"result": "fake", "status": "pending"},
    ],
)
def test_a_verdict_of_kwikid_s_that_cannot_be_read_is_not_left_out(body: JsonObject) -> None:
    assert is_no_finding(kwikid, body)


FILM: JsonObject = {"input_provided": "True", "result": "real"}


@pytest.mark.parametrize(
    "more",
    [
        {"overall_result": "error"},
        {"image_video_facematch": {"performed": "True", "result": "error"}},
        {"image_video_facematch": {"performed": "True", "result": None}},
        {"image_video_facematch": {"performed": "maybe", "result": "False"}},
        {"image_video_facematch": {"performed": "N/A", "result": "False"}, "overall_result": "False"},
        {"image_video_facematch": "False"},
        {"video": {"input_provided": "True", "result": None}},
        {"video": {"input_provided": "True", "result": "fake", "error": "decoder"}, "overall_result": "False"},
        {"video": {"input_provided": None, "result": "fake"}, "overall_result": "False"},
        {"video": "fake"},
    ],
)
def test_nor_in_the_second_version(more: JsonObject) -> None:
    assert kwikid_v2({"image": FILM, "video": FILM, "overall_result": "True"})["status"] == "Approved"
    assert is_no_finding(kwikid_v2, {"image": FILM, "video": FILM, "overall_result": "True", **more})


@pytest.mark.parametrize(
    "body",
    [
        {"image_input": True, "video_input": False},
        {"image_input": "False", "video_input": "True"},
        {"facematch_frames_tested": 0},
    ],
)
def test_faces_that_were_not_compared_do_not_differ(body: JsonObject) -> None:
    """The sibling fills what was not done with "False"; a picture alone was never held against anything."""
    filled: JsonObject = {"result": "real", "facematch_result": "False", "overall_result": "False", **body}
    result = kwikid(filled)
    assert (result["status"], result["tags"], result["face_match"]) == ("In Review", [], None)
    assert kwikid({**filled, "overall_result": "True"})["status"] == "Approved"


def test_nor_in_the_blocks_of_the_second_version() -> None:
    body: JsonObject = {
        "image": FILM,
        "video": {"input_provided": "False", "result": "N/A"},
        "image_video_facematch": {"result": "False"},
        "overall_result": "False",
    }
    result = kwikid_v2(body)
    assert (result["status"], result["tags"], result["face_match"]) == ("In Review", [], None)


def test_an_unknown_word_beside_fake_is_no_clear_no() -> None:
    result = kwikid({"result": "fake", "image_result": "error", "overall_result": "False"})
    assert (result["status"], result["tags"]) == ("In Review", [])


@pytest.mark.parametrize("found", [{"status": "Declined"}, {"status": "Declined", "score": None, "warnings": []}])
def test_didit_declines_nobody_without_score_and_warning(found: JsonObject) -> None:
    with pytest.raises(AnswerUnreadable, match="for no reason"):
        passive_liveness({"liveness": found})
    assert passive_liveness({"liveness": {**found, "warnings": WARNED}})["status"] == "Declined"


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        *((said, True) for said in ("face not found", "face_not_found", "no face found", "The face was not found.")),
        ("Face with id cust-20417 does not exist in collection kyc", True),
        ("the face with external_image_id 'cust-20417' was not found in bucket customers", True),
        ("Face cust-20417 not found", True),
        ("No such face", True),
        ("Face deletion failed: bucket not found", False),
        ("Failed to delete face: collection does not exist", False),
        ("Unable to delete faces: The collection id: kyc does not exist", False),
        ("An error occurred while deleting the face: bucket not found", False),
        ("faces in collection: AWS endpoint not found", False),
        ("face service does not exist in this region", False),
        ("face id bucket not found", False),
        ("face not found: the collection kyc does not exist", False),
        ("face not found in bucket because the bucket does not exist", False),
        ("Missing parameter: face not found in the body", False),
        ("no face found in the request", False),
        ("no face collection", False),
        ("face found", False),
    ],
)
def test_a_face_is_gone_where_nothing_else_can_be_meant(said: str, gone: bool) -> None:
    """An erasure on record that never happened would be a lie to the person."""
    assert says_gone(refusal(400, json.dumps({"msg": said}).encode())) is gone


@pytest.mark.parametrize(
    "body",
    [
        {"success": None},
        {"success": "maybe"},
        {"success": 1},
        {"success": True, "error": "bucket"},
        {"success": True, "message": "Bucket not found"},
        {"success": True, "message": "Deletion failed"},
        {"success": True, "status": "queued"},
    ],
)
def test_a_deletion_is_only_believed_where_it_is_said_clearly(body: JsonObject) -> None:
    check_deleted({"success": True, "message": "Face deleted.", "response": {}}, 200)
    with pytest.raises(AnswerUnreadable):
        check_deleted(body, 200)


@pytest.mark.parametrize(
    "text",
    ['{"result":"fake","result":"real"}', '{"a":[{"b":1,"b":1}]}', f'{{"bbox":[0,0,{BEYOND},1]}}', f"-{BEYOND}"],
)
def test_an_answer_that_two_readers_would_read_differently_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"twice|out of range"):
        read_json(text.encode())
    assert read_json(b'{"a":{"b":1},"c":{"b":1},"n":12345678901234567890}') is not None


# over HTTP: any status but the two that promise a verdict

ACTIONS: dict[str, Callable[..., Any]] = {
    "kwikid.liveness": kwikid,
    "kwikid.liveness_v2": kwikid_v2,
    "verifik.liveness": verifik,
    "verifik.app_registration": registration,
    "didit.passive_liveness": passive_liveness,
}
STATUSES = (202, 203, 206, 299, 302, 400, 402, 404, 409, 412, 413, 422, 429, 500, 503)  # each client takes its time
PICTURE = answer(200, b"\xff\xd8\xff" + b"x" * 200)


async def state_of(stub: VendorStub, name: str, reply: bytes) -> str | None:
    """How an action ends that is answered like this; None where it is refused, or is to be tried again."""
    stub.route = lambda seen: PICTURE if seen.target == "/selfie" else reply
    vendor = name.partition(".")[0]
    images = ImageFetcher(frozenset([f"127.0.0.1:{stub.port}"]))
    tools = Tools({vendor: CLIENTS[vendor](stub.url, "key-0123456789", 20.0)}, images)
    asks = name == "verifik.app_registration"
    about: Any = {"vendor": "verifik", "session_id": "r-1", "type": "onboarding_app_registration_failed"}
    call = action_call(name, {}, **about) if asks else action_call(name, {"image": f"{stub.url}/selfie"})
    try:
        return (await bind(tools)[name](call)).state
    except VendorError:
        return None
    finally:
        await tools.close()


@pytest.mark.parametrize("name", ACTIONS)
async def test_no_other_http_status_gives_a_finding(name: str) -> None:
    """The clearest no, with every kind of status: only 200 and 201 make a finding of it."""
    async with vendor_stub() as stub:
        ended = {
            status: await state_of(stub, name, answer(status, NOES[ACTIONS[name]])) for status in (200, 201, *STATUSES)
        }
    assert {status for status, state in ended.items() if state is not None} == {200, 201}


# any JSON, in and around the documented shapes

MEMBERS = sorted(
    """
    data passed liveness_score min_score reason message code statusCode status id _id signature result image_result
    confidence overall_result overall_confidence facematch_result facematch_confidence facematch_frames_tested image
    video image_video_facematch input_provided performed prediction_confidence success status_code detail msg error
    liveness face_match face_search id_verification score warnings risk log_type additional_data matches user_image
    ref_image entities bbox age best_angle similarity_percentage total_matches session_id vendor_data request_id
    image_input video_input total_video_frames blink_detection count next results balance
    """.split()
)
WORDS = st.sampled_from(
    "fake real True False true N/A error 429 500 Declined Approved FAILED r-1 no_face_detected liveness_failed \ud800"
    .split(" ")
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**330), 10**330) | st.floats(allow_nan=False, allow_infinity=False)
) | (st.sampled_from([0, 1, 0.6, 60, BEYOND, -BEYOND, 1.7e308]) | WORDS | st.text(max_size=8))
NODES: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=20,
)
BODIES = st.dictionaries(st.sampled_from(MEMBERS), NODES, max_size=8)


def merged(base: JsonValue, more: JsonValue) -> JsonValue:
    """The one with what the other has in its place."""
    if isinstance(base, dict) and isinstance(more, dict):
        return {**base, **{name: merged(base.get(name), value) for name, value in more.items()}}
    return more


@pytest.mark.parametrize("reader", READERS, ids=NAMES)
@given(body=BODIES, near=st.booleans(), status=st.sampled_from([200, 201, 202, 206]))
@example(body={"user_image": {"entities": [{"bbox": [0, 0, BEYOND, BEYOND]}]}}, near=True, status=200)
@example(body={"user_image": {"entities": [{"bbox": [-1.7e308, 0, 1.7e308, 10**308]}]}}, near=True, status=200)
@settings(max_examples=60, deadline=None)
def test_any_json_is_read_or_refused_by_name(
    reader: Callable[..., Any], body: JsonObject, near: bool, status: int
) -> None:
    """Nothing but the errors that are meant gets out, and what comes out can be kept."""
    base = NOES[reader]
    inner = next(name for name in base if name not in ("id", "request_id"))
    whole: Any = merged(base, merged({inner: body}, body) if isinstance(base[inner], dict) else body) if near else body
    try:
        result = reader(whole, status)
    except VendorError:
        return
    dump(result)
    assert result["status"] is None or isinstance(result["status"], str)


@given(body=BODIES)
@settings(max_examples=60, deadline=None)
def test_any_json_about_sessions_and_lists_is_read(body: JsonObject) -> None:
    for read in (results.sessions_result, results.blocked_result, results.new_session_result, results.import_result):
        dump(read(body))
    dump(results.balance_extra(body))
    dump(wire.readable_decision(body))
    wire.image_link(body)


@given(content=st.binary(max_size=60) | st.text(alphabet='{}[]":,0123456789e-truefalsn \\ud8', max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_json_or_a_value_error(content: bytes | str) -> None:
    raw = content if isinstance(content, bytes) else content.encode()
    with contextlib.suppress(ValueError):
        read_json(raw)
    assert refusal(400, raw).startswith("HTTP 400")


def is_clear_no(reader: Callable[..., Any], body: Any) -> bool:
    """The documented no, told once more and in other words than the readers."""
    if reader is verifik:
        data = body.get("data") or {}
        words = json.dumps(body)
        scored = data.get("passed") in (False, "False") and isinstance(data.get("liveness_score"), int | float)
        said = data.get("passed") in (False, "False") or isinstance(data.get("liveness_score"), int | float)
        return (scored and 0 <= data["liveness_score"] <= 0.6) or ("liveness_failed" in words and said)
    if reader is kwikid:
        fake = "fake" in (body.get("result"), body.get("image_result"))
        return fake or body.get("facematch_result") in (False, "False")
    blocks = [body.get("image"), body.get("video")]
    fake = any(isinstance(block, dict) and block.get("result") == "fake" for block in blocks)
    compared = body.get("image_video_facematch")
    differs = isinstance(compared, dict) and compared.get("result") in (False, "False")
    return fake or differs or "fake" in (body.get("result"), body.get("image_result"))


@pytest.mark.parametrize("reader", [verifik, kwikid, kwikid_v2], ids=["verifik", "kwikid", "kwikid_v2"])
@given(body=BODIES)
@settings(max_examples=120, deadline=None)
def test_whoever_is_declined_is_declined_by_a_documented_no(reader: Callable[..., Any], body: JsonObject) -> None:
    whole: Any = merged(NOES[reader], body)
    try:
        result = reader(whole)
    except VendorError:
        return
    if result["status"] == "Declined":
        assert is_clear_no(reader, whole)
        assert not any(whole.get(name) for name in ("error", "msg", "message", "detail") if whole.get(name) not in OK)


OK = ("N/A", "True", "true", "False", "no", "0", "none", "null", "na", "ok", "done")
