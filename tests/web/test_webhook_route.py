"""`POST /webhooks/{source}`: every delivery gets the right answer, and a 200 only once it is kept."""

from __future__ import annotations

import concurrent.futures
import json
import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from receiver.contract import JsonObject
from tests.support.receiver import SECRET, Receiver, await_that, liveness, running, session_event, signed

POLICY: JsonObject = {
    "version": 1,
    "name": "test",
    "rules": [
        {
            "id": "attack",
            "tags": ["LIVENESS_FACE_ATTACK"],
            "when": ["event.liveness.score < 50"],
            "then": [{"review": {"queue": "attacks", "reason": "score {{ event.liveness.score }}"}}],
        },
        {"id": "quiet", "when": ['event.status == "Approved"'], "then": [{"label": {"add": ["quiet"]}}]},
    ],
}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    server = {"port": 0, "max_body": "256KiB", "body_timeout": "1s"}
    with running(tmp_path_factory.mktemp("receiver"), POLICY, server=server) as one:
        yield one


def fresh(**fields: Any) -> dict[str, Any]:
    return session_event(str(uuid.uuid4()), event_id=str(uuid.uuid4()), **fields)


def stored(receiver: Receiver) -> int:
    with receiver.system.store.read() as reader:
        return reader.counts()["events"]["all"]


def test_a_signed_event_is_accepted_decided_and_acted_on(receiver: Receiver) -> None:
    answer = receiver.send(fresh(status="Declined", decision=liveness("LIVENESS_FACE_ATTACK")))
    assert answer.status_code == 200
    assert answer.json()["outcome"] == "accepted"
    document = receiver.settled(answer.json()["event_id"])
    rule = document["decision"]["rules"][0]
    assert (rule["id"], rule["fired"]) == ("attack", True)
    assert rule["conditions"][0]["inputs"] == {"event.liveness.score": 3.5}
    assert [(action["name"], action["state"]) for action in document["actions"]] == [("review", "done")]
    assert document["receipt"]["method"] == "x-signature"
    assert document["event"]["tags"] == ["LIVENESS_FACE_ATTACK"]


def test_the_same_event_again_is_a_duplicate_that_names_the_first(receiver: Receiver) -> None:
    event = fresh()
    first = receiver.send(event).json()
    resent = receiver.send({**event, "timestamp": event["timestamp"] + 1}).json()
    assert resent == {"event_id": first["event_id"], "outcome": "duplicate"}
    assert receiver.event(first["event_id"])["deliveries"] == 2


def test_the_same_event_many_times_at_once_is_one_event(receiver: Receiver) -> None:
    body = json.dumps(fresh(status="Approved")).encode()
    before = stored(receiver)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: receiver.post(body).json(), range(40)))
    assert stored(receiver) == before + 1
    assert sorted(answer["outcome"] for answer in answers) == ["accepted"] + ["duplicate"] * 39
    assert len({answer["event_id"] for answer in answers}) == 1
    document = receiver.settled(answers[0]["event_id"])
    assert document["deliveries"] == 40
    assert len(document["actions"]) == 1


def test_every_refusal_of_a_signature_is_the_same_401(receiver: Receiver) -> None:
    now = int(time.time())
    body = json.dumps(fresh()).encode()
    old = json.dumps(fresh(timestamp=now - 400)).encode()
    answers = [
        receiver.post(body, {}),
        receiver.post(body, {"X-Signature": "0" * 64}),
        receiver.post(body, signed(body, "another-secret-0123456789")),
        receiver.post(old),
        receiver.post(body, {**signed(body), "X-Timestamp": str(now - 1000)}),
        receiver.post(b"not json", {"X-Signature": "1" * 64}),
        receiver.post(b"", {}),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    headers = [{key: value for key, value in answer.headers.items() if key != "date"} for answer in answers]
    assert all(one == headers[0] for one in headers)


@pytest.mark.parametrize("body", [b"[1]", b'"text"', b"{", b"", b"\xff\xfe", b"{}" + b" " * 10 + b"x", b"null"])
def test_signed_but_no_object_is_400_and_nothing_is_stored(receiver: Receiver, body: bytes) -> None:
    before = stored(receiver)
    answer = receiver.post(body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_payload"
    assert stored(receiver) == before


def test_an_unknown_source_is_404_and_another_method_405(receiver: Receiver) -> None:
    assert receiver.post(b"{}", source="nobody").status_code == 404
    answer = httpx.get(f"{receiver.url}/webhooks/didit")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert set(answer.json()["error"]) == {"code", "message"}


def test_a_body_over_the_cap_is_413_with_true_false_and_no_length(receiver: Receiver) -> None:
    large = b'{"a":"' + b"x" * 300_000 + b'"}'
    assert receiver.post(large).status_code == 413

    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 10_000

    url = f"{receiver.url}/webhooks/didit"
    assert httpx.post(url, content=chunks(), headers={"X-Signature": "0" * 64}).status_code == 413


def raw_request(receiver: Receiver, text: bytes, seconds: float = 5.0) -> bytes:
    host, port = receiver.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        connection.sendall(text)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
            if b"\r\n\r\n" in answer:
                break
        return answer


def test_an_announced_length_over_the_cap_is_413_before_the_body(receiver: Receiver) -> None:
    head = b"POST /webhooks/didit HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n"
    assert raw_request(receiver, head).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_arrive_is_408(receiver: Receiver) -> None:
    head = b"POST /webhooks/didit HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
    assert raw_request(receiver, head).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "head",
    [
        b"POST /webhooks/didit HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /webhooks/didit HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /webhooks/didit HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"\x00\xff\r\n\r\n",
        b"POST /webhooks/%00%ff HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /webhooks/didit HTTP/1.1\r\nHost: x\r\nX-Signature: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_broken_http_is_refused_and_the_next_request_served(receiver: Receiver, head: bytes) -> None:
    status = int(raw_request(receiver, head).split(b" ", 2)[1])
    assert 400 <= status < 500
    assert receiver.send(fresh()).status_code == 200


def test_a_path_with_one_slash_too_many_is_404_and_no_redirect(receiver: Receiver) -> None:
    """A vendor follows no redirect, so one would lose the event; Didit tries a 404 again."""
    body = json.dumps(fresh()).encode()
    assert httpx.post(f"{receiver.url}/webhooks/didit/", content=body, headers=signed(body)).status_code == 404


_HEAD = b"POST /webhooks/didit HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(_HEAD, b"a: b\r\n" * 1400, id="headers"),
        pytest.param(b"POST /", b"aaaaaaaa" * 1024, id="url"),
        pytest.param(_HEAD + b"X: ", b"aaaaaaaa" * 1024, id="one header"),
        pytest.param(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"a: b\r\n" * 1400, id="trailers"),
    ],
)
def test_a_head_or_trailer_without_end_is_cut_off(receiver: Receiver, head: bytes, piece: bytes) -> None:
    host, port = receiver.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        assert _sent_until_cut_off(connection, head, piece) < 8 * 1024 * 1024


def _sent_until_cut_off(connection: socket.socket, head: bytes, piece: bytes) -> int:
    connection.sendall(head)
    for count in range(2000):
        try:
            connection.sendall(piece)
        except OSError:
            return count * len(piece)
        time.sleep(0.001)
    raise AssertionError("it was never cut off")


def test_a_large_body_in_many_pieces_is_not_taken_for_a_head(receiver: Receiver) -> None:
    event = fresh(metadata={"pad": "x" * 200_000})
    assert receiver.send(event).status_code == 200


def test_an_unsigned_large_body_with_a_v2_header_is_refused_without_being_parsed(receiver: Receiver) -> None:
    """The work that a stranger can cause is bounded: what is large must verify by its raw bytes."""
    body = b"[" + b"{}," * 80_000 + b"{}]"
    assert len(body) < 256 * 1024
    started = time.perf_counter()
    assert receiver.post(body, {"X-Signature-V2": "0" * 64}).status_code == 401
    assert time.perf_counter() - started < 2


def test_refusals_are_logged_with_their_reason_and_without_their_body(receiver: Receiver) -> None:
    body = json.dumps(fresh(vendor_data="person-in-a-forged-body")).encode()
    receiver.post(body, {"X-Signature": "0" * 64})

    def logged() -> Any:
        page = receiver.api("/api/rejects", role="reader").json()
        return page if any(item["body_bytes"] == len(body) for item in page["items"]) else None

    page = await_that(logged)
    item = next(item for item in page["items"] if item["body_bytes"] == len(body))
    assert item["source"] == "didit"
    assert item["reason"]
    assert "person-in-a-forged-body" not in json.dumps(page)


def test_an_event_without_a_session_or_with_strange_text_is_kept(receiver: Receiver) -> None:
    now = int(time.time())
    for event in (
        {"webhook_type": "user.status.updated", "status": "BLOCKED", "timestamp": now, "event_id": str(uuid.uuid4())},
        {"timestamp": now, "anything": 123456789012345678901234567890123456789},
        fresh(vendor_data="\ud800 lone", status="In Review\x00"),
    ):
        answer = receiver.send(event)
        assert answer.status_code == 200, answer.text
        assert receiver.event(answer.json()["event_id"])["decision"]["outcome"] == "decided"


def test_integers_of_any_size_survive_in_the_raw_payload(receiver: Receiver) -> None:
    number = 118120836164494129544568202238038638592
    event_id = receiver.send(fresh(metadata={"serial": number})).json()["event_id"]
    assert receiver.event(event_id)["raw"]["metadata"]["serial"] == number


def test_an_older_event_is_stale_and_does_not_move_the_session(receiver: Receiver) -> None:
    session, now = str(uuid.uuid4()), int(time.time())
    newest = session_event(session, event_id=str(uuid.uuid4()), status="Declined", timestamp=now)
    late = session_event(session, event_id=str(uuid.uuid4()), status="In Progress", timestamp=now - 100)
    attack = {**late, "event_id": str(uuid.uuid4()), "decision": liveness("LIVENESS_FACE_ATTACK")}
    receiver.send(newest)
    stale = receiver.event(receiver.send(late).json()["event_id"])
    assert stale["event"]["stale"] is True
    document = receiver.settled(receiver.send(attack).json()["event_id"])
    assert [action["params"]["queue"] for action in document["actions"]] == ["stale"]
    life = receiver.api(f"/api/sessions/{session}").json()
    assert life["status"] == "Declined"
    assert len(life["events"]) == 3


def test_what_strangers_may_ask_is_open_and_what_they_may_not_is_closed(receiver: Receiver) -> None:
    assert httpx.get(f"{receiver.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{receiver.url}/readyz").status_code == 200
    page = httpx.get(f"{receiver.url}/metrics").text
    assert 'hookwarden_deliveries_total{answer="200",source="didit"}' in page
    assert SECRET not in page
    for path in ("/api/events", "/api/actions", "/api/audit", "/api/policy", "/api/rejects", "/api/reviews"):
        answer = httpx.get(receiver.url + path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
