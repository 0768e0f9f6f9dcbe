"""The `didit.` actions on the wire: what is sent, and what is made of every answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from handlers.didit.client import didit_client
from handlers.images import ImageFetcher
from handlers.registry import bind
from handlers.tools import Tools
from receiver.contract import Outcome
from receiver.errors import AnswerUnreadable, LinkRefused, VendorError, VendorRefused, VendorUnavailable, VendorWaiting
from tests.support.action_calls import action_call
from tests.support.vendor_stub import Seen, VendorStub, answer, reply_id, vendor_stub

KEY = "didit-key-0123456789"
JPEG = b"\xff\xd8\xff\xe0" + b"\x01" * 50
DECISION_PATH = "/v3/session/ses-1/decision/"


class Didit:
    """A scripted Didit with an image host: `answers` by path, and what was called."""

    def __init__(self, stub: VendorStub) -> None:
        self.stub = stub
        self.image = answer(200, JPEG)
        self.decision: dict[str, Any] = {"status": "In Review", "liveness_checks": [{"reference_image": self.link()}]}
        self.answers: dict[str, bytes] = {}
        stub.route = self.route

    def link(self, name: str = "selfie") -> str:
        return f"{self.stub.url}/media/{name}.jpg?sig=s3cr3t"

    def route(self, seen: Seen) -> bytes:
        path = seen.target.partition("?")[0]
        if path.startswith("/media/"):
            return self.image
        if path in self.answers:
            return self.answers[path]
        return answer(200, self.decision) if path.endswith("/decision/") else answer(404, {"detail": "Not found."})

    def calls(self) -> list[tuple[str, str]]:
        return [(seen.method, seen.target.partition("?")[0]) for seen in self.stub.seen]


@pytest.fixture
async def didit() -> AsyncIterator[Didit]:
    async with vendor_stub() as stub:
        yield Didit(stub)


Run = Callable[..., Awaitable[Outcome]]


@pytest.fixture
async def run(didit: Didit) -> AsyncIterator[Run]:
    """Runs an action by name, as the dispatcher does."""
    tools = Tools(
        {"didit": didit_client(didit.stub.url, KEY)}, ImageFetcher(frozenset([f"127.0.0.1:{didit.stub.port}"]))
    )
    handlers = bind(tools)

    async def call(name: str, params: Any = None, **how: Any) -> Outcome:
        return await handlers[name](action_call(name, params, **how))

    yield call
    await tools.close()


def _match(**changes: Any) -> dict[str, Any]:
    match = {
        "session_id": "ses-9",
        "session_number": 9,
        "similarity_percentage": 91.5,
        "vendor_data": "user-9",
        "vendor_user_id": "u9",
        "user_details": {"full_name": "Jane Doe", "name": "Jane", "document_number": "X123"},
        "match_image_url": "https://cdn.example.invalid/m.jpg?sig=s3cr3t",
        "verification_date": "2026-01-01T00:00:00Z",
        "status": "Approved",
        "source": "session",
        "is_blocklisted": False,
        "is_allowlisted": None,
        "api_service": None,
    }
    return {**match, **changes}


def _found(*matches: Any, **changes: Any) -> bytes:
    found = {"status": "Approved", "total_matches": len(matches), "matches": list(matches), "warnings": [], **changes}
    return answer(200, {"request_id": "req-1", "face_search": found, "vendor_data": None, "metadata": None})


async def test_face_search_sends_the_image_and_asks_that_nothing_be_kept(run: Run, didit: Didit) -> None:
    """Decision, image, search, in this order; the key goes to the API and not to the image host."""
    didit.answers["/v3/face-search/"] = _found(_match())
    outcome = await run("didit.face_search")
    assert didit.calls() == [("GET", DECISION_PATH), ("GET", "/media/selfie.jpg"), ("POST", "/v3/face-search/")]
    assert didit.stub.seen[2].form() == {
        "search_type": b"most_similar",
        "rotate_image": b"false",
        "save_api_request": b"false",
        "user_image": JPEG,
    }
    assert b'filename="image.jpg"\r\nContent-Type: image/jpeg' in didit.stub.seen[2].body
    assert [seen.headers.get("x-api-key") for seen in didit.stub.seen] == [KEY, None, KEY]
    assert (outcome.state, outcome.http_status) == ("done", 200)


async def test_face_search_passes_its_parameters_on(run: Run, didit: Didit) -> None:
    didit.answers["/v3/face-search/"] = _found()
    await run("didit.face_search", {"search_type": "blocklisted_or_approved", "rotate_image": True})
    form = didit.stub.seen[2].form()
    assert (form["search_type"], form["rotate_image"]) == (b"blocklisted_or_approved", b"true")
    assert "min_similarity" not in form


async def test_the_result_of_a_face_search_names_nobody(run: Run, didit: Didit) -> None:
    didit.answers["/v3/face-search/"] = _found(
        _match(),
        warnings=[
            {
                "risk": "DUPLICATED_FACE",
                "log_type": "information",
                "feature": "LIVENESS",
                "additional_data": {"duplicated_session_id": "ses-9", "duplicated_session_number": 9, "name": "Jane"},
                "short_description": "A duplicate",
            },
            {"risk": "NO_FACE_DETECTED", "log_type": "error", "additional_data": None},
        ],
    )
    outcome = await run("didit.face_search")
    assert outcome.result == {
        "status": "Approved",
        "total_matches": 1,
        "matches": [
            {
                "session_id": "ses-9",
                "similarity": 91.5,
                "vendor_data": "user-9",
                "status": "Approved",
                "source": "session",
                "is_blocklisted": False,
                "is_allowlisted": None,
            }
        ],
        "warnings": [
            {
                "tag": "DUPLICATED_FACE",
                "severity": "information",
                "data": {"duplicated_session_id": "ses-9", "duplicated_session_number": 9},
            },
            {"tag": "NO_FACE_DETECTED", "severity": "error", "data": None},
        ],
        "tags": ["DUPLICATED_FACE", "NO_FACE_DETECTED"],
        "request_id": "req-1",
        "vendor_total": 1,
        "extra": None,
    }


MATCHES = [
    _match(session_id="ses-1", similarity_percentage=99.9),
    _match(session_id="ses-2", vendor_data="user-1", similarity_percentage=97),
    _match(session_id="ses-3", similarity_percentage=70),
    _match(session_id="ses-4", similarity_percentage=69.9),
    _match(session_id=None, vendor_data=None, similarity_percentage=None, source="list_entry", is_blocklisted=True),
    "no object",
]


@pytest.mark.parametrize(
    ("params", "event", "kept"),
    [
        ({}, {}, ["ses-3", "ses-4", None]),
        ({"min_similarity": 70}, {}, ["ses-3", None]),
        ({"min_similarity": 70.1}, {}, [None]),
        ({"include_own_vendor_data": True}, {}, ["ses-2", "ses-3", "ses-4", None]),
        ({}, {"vendor_data": None}, ["ses-2", "ses-3", "ses-4", None]),
    ],
)
async def test_own_faces_and_weak_matches_are_left_out(
    run: Run, didit: Didit, params: Any, event: Any, kept: list[str | None]
) -> None:
    """The session's own face always, the same user's by default; one of unknown similarity stays."""
    didit.answers["/v3/face-search/"] = _found(*MATCHES)
    result: Any = (await run("didit.face_search", params, **event)).result
    assert [match["session_id"] for match in result["matches"]] == kept
    assert (result["total_matches"], result["vendor_total"]) == (len(kept), 6)


@pytest.mark.parametrize(
    "found", [{"matches": None, "warnings": None}, {"status": None, "total_matches": "many", "matches": {}}, {}]
)
async def test_a_thin_answer_is_still_an_answer(run: Run, didit: Didit, found: Any) -> None:
    didit.answers["/v3/face-search/"] = answer(200, {"face_search": found})
    result: Any = (await run("didit.face_search")).result
    assert (result["matches"], result["warnings"], result["total_matches"]) == ([], [], 0)


@pytest.mark.parametrize(
    ("decision", "image"),
    [
        ({"liveness_checks": [{"reference_image": "A"}], "face_matches": [{"target_image": "B"}]}, "A"),
        ({"liveness_checks": [{"reference_image": None}, {"reference_image": "A"}]}, "A"),
        ({"liveness_checks": None, "face_matches": [{"source_image": "X", "target_image": "B"}]}, "B"),
        ({"nfc_verifications": [{"portrait_image": "C"}], "id_verifications": [{"portrait_image": "D"}]}, "C"),
        ({"liveness_checks": [], "id_verifications": [{"front_image": "X", "portrait_image": "D"}]}, "D"),
        ({"liveness": {"reference_image": "A"}, "face_match": {"target_image": "B"}}, "A"),
        ({"liveness_checks": "odd", "face_matches": ["odd", {"target_image": 1}], "nfc": {"portrait_image": "C"}}, "C"),
    ],
)
async def test_the_best_face_image_is_chosen(run: Run, didit: Didit, decision: Any, image: str) -> None:
    """Selfies before the chip's photo before the document's, in V3 and V2 shapes."""
    text = json.dumps(decision)
    for letter in "ABCDX":
        text = text.replace(f'"{letter}"', f'"{didit.link(letter)}"')
    didit.decision = json.loads(text)
    didit.answers["/v3/face-search/"] = _found()
    await run("didit.face_search")
    assert didit.calls()[1] == ("GET", f"/media/{image}.jpg")


@pytest.mark.parametrize("decision", [{}, {"liveness_checks": [{"reference_image": ""}]}])
async def test_a_decision_without_a_face_image_ends_the_search(run: Run, didit: Didit, decision: Any) -> None:
    didit.decision = decision
    with pytest.raises(VendorRefused, match="no face image"):
        await run("didit.face_search")
    assert len(didit.calls()) == 1


async def test_a_link_to_our_own_network_is_not_followed(run: Run, didit: Didit) -> None:
    didit.decision = {"liveness_checks": [{"reference_image": "http://169.254.169.254/latest/meta-data/?s3cr3t"}]}
    with pytest.raises(LinkRefused, match=r"\Aimage link refused\Z"):
        await run("didit.face_search")
    assert didit.calls() == [("GET", DECISION_PATH)]


@pytest.mark.parametrize(
    ("image", "attempt", "error"),
    [
        (answer(403), 1, VendorUnavailable),
        (answer(404), 1, VendorUnavailable),
        (answer(403), 2, VendorRefused),
        (answer(410), 3, VendorRefused),
        (answer(503), 2, VendorUnavailable),
        (answer(200, b"<html>"), 1, VendorRefused),
        (answer(302, b"", location="http://127.0.0.1/"), 1, VendorRefused),
    ],
    ids=reply_id,
)
async def test_an_image_that_cannot_be_had(
    run: Run, didit: Didit, image: bytes, attempt: int, error: type[VendorError]
) -> None:
    """An aged link is tried once more with a new one from the decision; after that the image counts as gone."""
    didit.image = image
    with pytest.raises(error) as caught:
        await run("didit.face_search", attempt=attempt)
    assert type(caught.value) is error
    assert "s3cr3t" not in str(caught.value)
    assert ("POST", "/v3/face-search/") not in didit.calls()


@pytest.mark.parametrize(
    ("reply", "error", "reason"),
    [
        (answer(400, {"user_image": ["No face found."]}), VendorRefused, "HTTP 400: user_image: No face found."),
        (answer(404, {"detail": "No."}), VendorRefused, "HTTP 404: No."),
        (answer(401, {"detail": "Bad key."}), VendorWaiting, "parked: HTTP 401: Bad key."),
        (answer(403, {"detail": "Not enough credits."}), VendorWaiting, "parked: HTTP 403: Not enough credits."),
        (answer(429, {}, retry_after="3"), VendorUnavailable, "HTTP 429"),
        (answer(500), VendorUnavailable, "HTTP 500"),
        (b"", VendorUnavailable, "connection failed"),
        (answer(200, b"{"), AnswerUnreadable, "not JSON"),
        (answer(200, []), AnswerUnreadable, "not a JSON object"),
        (answer(200, {"face_search": None}), AnswerUnreadable, "no face_search"),
        (answer(202, {"face_search": {"status": "Approved"}}), AnswerUnreadable, "is no verdict"),
        (answer(200, {"face_search": {"status": "Declined"}}), AnswerUnreadable, "for no reason"),
        (answer(200, {"face_search": {"status": "Approved"}, "detail": "No."}), AnswerUnreadable, "speaks of an error"),
        (answer(200, b'{"face_search": {"status": "Approved", "status": "Declined"}}'), AnswerUnreadable, "not JSON"),
    ],
    ids=reply_id,
)
async def test_what_the_vendor_says_instead(
    run: Run, didit: Didit, reply: bytes, error: type[VendorError], reason: str
) -> None:
    didit.answers["/v3/face-search/"] = reply
    with pytest.raises(error, match=reason):
        await run("didit.face_search")


@pytest.mark.parametrize("name", ["didit.face_search", "didit.decision"])
@pytest.mark.parametrize(
    "reply",
    [
        *(answer(200, b"{"), answer(200, []), answer(200, {"status": "Declined", "detail": "Not found."})),
        *(answer(200, {"status": "Declined", "session_id": "ses-9"}), answer(200, {"statusCode": 503})),
    ],
    ids=reply_id,
)
async def test_a_decision_that_cannot_be_read_is_asked_for_again(
    run: Run, didit: Didit, name: str, reply: bytes
) -> None:
    """Reading costs nothing, so it must not end a billable action the way an unreadable search does."""
    didit.answers[DECISION_PATH] = reply
    with pytest.raises(VendorUnavailable, match="decision cannot be read"):
        await run(name)


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("add", {"session_id": "ses-1", "blocklist_face": True, "blocklist_email": True}),
        ("remove", {"session_id": "ses-1", "unblock_face": True, "unblock_email": True}),
    ],
)
async def test_the_blocklist_calls(run: Run, didit: Didit, action: str, body: Any) -> None:
    """Adding and removing have fields of different names; only what is true is sent."""
    didit.answers[f"/v3/blocklist/{action}/"] = answer(200, {"message": "Successfully updated blocklist."})
    outcome = await run(f"didit.blocklist_{action}", {"face": True, "phone": False, "email": True})
    (seen,) = didit.stub.seen
    assert (seen.method, seen.target, seen.json()) == ("POST", f"/v3/blocklist/{action}/", body)
    assert outcome == Outcome(
        "done", None, {"items": ["face", "email"], "message": "Successfully updated blocklist."}, 200
    )


@pytest.mark.parametrize("action", ["add", "remove"])
async def test_a_yes_without_a_body_is_a_yes(run: Run, didit: Didit, action: str) -> None:
    didit.answers[f"/v3/blocklist/{action}/"] = answer(204)
    outcome = await run(f"didit.blocklist_{action}", {"face": True})
    assert (outcome.state, outcome.http_status) == ("done", 204)
    assert outcome.result == {"items": ["face"], "message": None}


@pytest.mark.parametrize(("params", "sent"), [({}, "50"), ({"limit": 3}, "3")])
async def test_how_many_sessions_is_always_said(run: Run, didit: Didit, params: Any, sent: str) -> None:
    """What Didit takes where nothing is said differs between texts."""
    didit.answers["/v3/sessions/"] = answer(200, {"count": 0, "results": []})
    await run("didit.list_sessions", params)
    (seen,) = didit.stub.seen
    assert f"limit={sent}" in seen.target.partition("?")[2].split("&")


STATUS_PATH = "/v3/session/ses-1/update-status/"


@pytest.mark.parametrize(
    ("params", "body"),
    [
        ({"status": "Declined"}, {"new_status": "Declined"}),
        (
            {"status": "Approved", "comment": "ok", "send_email": False},
            {"new_status": "Approved", "comment": "ok"},
        ),
        (
            {
                "status": "Resubmitted",
                "send_email": True,
                "email_address": "a@example.invalid",
                "email_language": "pt",
                "nodes_to_resubmit": [{"node_id": "feature_ocr", "feature": "OCR"}],
            },
            {
                "new_status": "Resubmitted",
                "send_email": True,
                "email_address": "a@example.invalid",
                "email_language": "pt",
                "nodes_to_resubmit": [{"node_id": "feature_ocr", "feature": "OCR"}],
            },
        ),
    ],
)
async def test_update_status_sends_what_was_given(run: Run, didit: Didit, params: Any, body: Any) -> None:
    didit.answers[STATUS_PATH] = answer(200, {"session_id": "ses-1"})
    outcome = await run("didit.update_status", params)
    (seen,) = didit.stub.seen
    assert (seen.method, seen.target, seen.json()) == ("PATCH", STATUS_PATH, body)
    assert outcome == Outcome("done", None, {"session_id": "ses-1", "status": params["status"]}, 200)


async def test_a_session_that_is_already_there_is_a_noop(run: Run, didit: Didit) -> None:
    """Told by the decision, which is read when Didit refuses the change."""
    didit.answers[STATUS_PATH] = answer(400, {"detail": "Bad transition."})
    didit.decision["status"] = "Declined"
    outcome = await run("didit.update_status", {"status": "Declined"})
    assert outcome == Outcome("noop", "the session is already Declined", http_status=400)
    assert didit.calls() == [("PATCH", STATUS_PATH), ("GET", DECISION_PATH)]


async def test_a_change_that_didit_refuses_fails_with_its_reason(run: Run, didit: Didit) -> None:
    didit.answers[STATUS_PATH] = answer(400, {"detail": "A session that is Expired cannot be updated."})
    with pytest.raises(VendorRefused, match="HTTP 400: A session that is Expired") as caught:
        await run("didit.update_status", {"status": "Declined"})
    assert caught.value.http_status == 400


@pytest.mark.parametrize(
    ("name", "params", "path"),
    [
        ("didit.update_status", {"status": "Declined"}, STATUS_PATH),
        ("didit.delete_session", {}, STATUS_PATH.replace("update-status", "delete")),
    ],
)
@pytest.mark.parametrize("said", [{"detail": "Not done."}, {"statusCode": "503", "message": "x"}, {"success": False}])
async def test_a_yes_that_speaks_of_an_error_is_not_taken_for_done(
    run: Run, didit: Didit, name: str, params: Any, path: str, said: Any
) -> None:
    """Neither a status that was never set nor a deletion that never was gets on record."""
    didit.answers[path] = answer(200, said)
    with pytest.raises(AnswerUnreadable, match="speaks of an error"):
        await run(name, params)
    didit.answers[path] = answer(200, {"session_id": "ses-1", "message": "Session deleted."})
    assert (await run(name, params)).state == "done"


async def test_other_refusals_of_a_change_are_not_looked_up(run: Run, didit: Didit) -> None:
    with pytest.raises(VendorRefused, match="HTTP 404"):
        await run("didit.update_status", {"status": "Declined"})
    assert didit.calls() == [("PATCH", STATUS_PATH)]


@pytest.mark.parametrize(
    ("status", "calls", "note"),
    [
        ("Declined", [("GET", DECISION_PATH)], "had taken effect before the interruption"),
        ("In Review", [("GET", DECISION_PATH), ("PATCH", STATUS_PATH)], None),
    ],
)
async def test_an_interrupted_change_is_looked_up_before_it_is_repeated(
    run: Run, didit: Didit, status: str, calls: Any, note: str | None
) -> None:
    """It is `done`, not `noop`: it was our call that did it, and its echo is to be expected."""
    didit.decision["status"] = status
    didit.answers[STATUS_PATH] = answer(200, {"session_id": "ses-1"})
    outcome = await run("didit.update_status", {"status": "Declined"}, attempt=2, repeated=True)
    assert (outcome.state, outcome.reason) == ("done", note)
    assert didit.calls() == calls


async def test_an_unreadable_yes_to_a_change_is_left_to_the_dispatcher(run: Run, didit: Didit) -> None:
    didit.answers[STATUS_PATH] = answer(200, b"{")
    with pytest.raises(AnswerUnreadable):
        await run("didit.update_status", {"status": "Declined"})


async def test_the_decision_comes_without_links_images_and_tokens(run: Run, didit: Didit) -> None:
    didit.decision |= {
        "session_url": "https://verify.example.invalid/session/abc",
        "session_token": "abc",
        "callback": "https://shop.example.invalid/back",
        "id_verifications": [{"portrait_image": "/9j/" + "A" * 400, "status": "Approved"}],
    }
    result: Any = (await run("didit.decision")).result
    assert result["status"] == "In Review"
    assert result["session_url"] == "https://verify.example.invalid/…"
    assert result["session_token"] == "[redacted]"
    assert result["callback"] == "https://shop.example.invalid/…"
    assert result["id_verifications"] == [{"portrait_image": "[base64]", "status": "Approved"}]
    assert "s3cr3t" not in json.dumps(result)


NEED_A_SESSION: list[tuple[str, Any]] = [
    ("didit.blocklist_add", {"face": True}),
    ("didit.blocklist_remove", {"face": True}),
    ("didit.update_status", {"status": "Declined"}),
    ("didit.decision", {}),
    ("didit.delete_session", {}),
    ("didit.generate_pdf", {}),
    ("didit.share_session", {"for_application_id": "partner"}),
    ("didit.list_add", {"entry_type": "face", "from_session": True}),
]


@pytest.mark.parametrize(("name", "params"), NEED_A_SESSION)
@pytest.mark.parametrize("session_id", [None, ""])
async def test_an_event_without_a_session_calls_nobody(
    run: Run, didit: Didit, name: str, params: Any, session_id: str | None
) -> None:
    with pytest.raises(VendorRefused, match="the event names no session"):
        await run(name, params, session_id=session_id)
    assert didit.calls() == []


@pytest.mark.parametrize("session_id", ["..", ".", "x" * 301])
async def test_a_session_id_cannot_change_the_path(run: Run, didit: Didit, session_id: str) -> None:
    with pytest.raises(VendorRefused):
        await run("didit.decision", session_id=session_id)
    assert didit.calls() == []


async def test_a_strange_session_id_is_encoded_whole(run: Run, didit: Didit) -> None:
    await run("didit.decision", session_id="a/../b?c#d é")
    assert didit.stub.seen[0].target == "/v3/session/a%2F..%2Fb%3Fc%23d%20%C3%A9/decision/"
