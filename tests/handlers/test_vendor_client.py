"""The outgoing client against a server that behaves as badly as servers do."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import os
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog.testing
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.answers import retry_after
from handlers.http import VendorClient, segment
from receiver.errors import AnswerUnreadable, VendorError, VendorRefused, VendorUnavailable, VendorWaiting
from tests.support.vendor_stub import Clock, Reply, VendorStub, answer, reply_id, vendor_stub

KEY = "Key-that-nobody-sees-0123456789"
OK = answer(200, {"ok": True})


@pytest.fixture
async def stub() -> AsyncIterator[VendorStub]:
    async with vendor_stub(OK) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def open_client(stub: VendorStub, clock: Clock) -> AsyncIterator[Callable[..., VendorClient]]:
    """A function that opens clients of the stub, whose steady clock is the fixture's."""
    clients: list[VendorClient] = []

    def build(base_url: str | None = None, **options: Any) -> VendorClient:
        options = {
            "timeout": 20.0,
            "connect_timeout": 2.0,
            "monotonic": clock,
            "clock": lambda: 1_800_000_000.0,
            **options,
        }
        clients.append(VendorClient("acme", base_url or stub.url, {"x-api-key": KEY}, **options))
        return clients[-1]

    yield build
    for client in clients:
        await client.close()


@pytest.fixture
def client(open_client: Callable[..., VendorClient]) -> VendorClient:
    return open_client()


async def _in_a_task_of_its_own(client: VendorClient, method: str = "GET") -> Any:
    """One action's call: the dispatcher runs every action in a task of its own."""
    return await asyncio.create_task(client.request(method, "/a/"))


async def test_a_json_call_and_its_answer(client: VendorClient, stub: VendorStub) -> None:
    """The path goes out as given, with its trailing slash and its encoded segments; the key goes as a header."""
    stub.reply(answer(201, {"n": 39_000_000_000_000_000_000_001}, x_request_id="r1"))
    said = await client.request("POST", f"/v3/a/{segment('x/y z')}/", params={"q": 1}, json={"a": [1]})
    assert (said.status, said.json, said.headers["x-request-id"]) == (201, {"n": 39_000_000_000_000_000_000_001}, "r1")
    (seen,) = stub.seen
    assert (seen.method, seen.target, seen.json()) == ("POST", "/v3/a/x%2Fy%20z/?q=1", {"a": [1]})
    assert seen.headers["x-api-key"] == KEY
    assert seen.headers["accept-encoding"] == "identity"


async def test_a_multipart_call(client: VendorClient, stub: VendorStub) -> None:
    await client.request("POST", "/up/", data={"save": "false"}, files={"img": ("image.png", b"\x89PNG", "image/png")})
    assert stub.seen[0].form() == {"save": b"false", "img": b"\x89PNG"}


async def test_bytes_are_given_where_they_are_expected(client: VendorClient, stub: VendorStub) -> None:
    stub.reply(answer(200, b"%PDF-1.7"))
    said = await client.request("GET", "/pdf/", expect="bytes")
    assert (said.content, said.json) == (b"%PDF-1.7", None)


async def test_an_empty_success_is_an_answer(client: VendorClient, stub: VendorStub) -> None:
    stub.reply(b"HTTP/1.1 204 No Content\r\n\r\n")
    said = await client.request("DELETE", "/a/")
    assert (said.status, said.json) == (204, None)
    with pytest.raises(AnswerUnreadable):
        said.object()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_redirects_are_never_followed(client: VendorClient, stub: VendorStub, status: int, method: str) -> None:
    stub.reply(answer(status, b"", location=f"{stub.url}/elsewhere?token=s3cr3t"))
    with pytest.raises(VendorRefused, match=f"acme: HTTP {status}: redirects are not followed; .* base_url") as caught:
        await client.request(method, "/a")
    assert len(stub.seen) == 1
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, {"detail": "No face was found."}, "HTTP 400: No face was found."),
        (404, {"message": "Session not found"}, "HTTP 404: Session not found"),
        (400, {"error": {"code": "E1", "text": "bad"}}, "HTTP 400: E1; bad"),
        (400, {"detail": [{"loc": "x", "msg": "short"}]}, "HTTP 400: x; short"),
        (
            422,
            {"new_status": ["Not a choice."], "nodes": {"0": ["Bad node."]}},
            "HTTP 422: new_status: Not a choice.; nodes.0: Bad node.",
        ),
        (400, {"detail": 7, "code": 5}, "HTTP 400"),
        (400, {"a": [[[[{"b": "deep"}]]]]}, "HTTP 400: a.b: deep"),
        (400, b'{"a":' + b"[" * 100 + b'"too deep"' + b"]" * 100 + b"}", "HTTP 400"),
        (400, ["plain", "list"], "HTTP 400: plain; list"),
        (413, b"<html>too large</html>", "HTTP 413"),
        (409, b"", "HTTP 409"),
        (400, {"detail": f"key {KEY} for a@example.invalid, 123456789, see https://h.example.invalid/?s=1"}, None),
        (400, {"detail": "long " * 500}, None),
    ],
    ids=reply_id,
)
async def test_a_refusal_says_what_the_vendor_said(
    client: VendorClient, stub: VendorStub, status: int, body: Any, reason: str | None
) -> None:
    """Fit for people: at most 300 characters, without key, link, e-mail address or long number."""
    stub.reply(answer(status, body))
    with pytest.raises(VendorRefused) as caught:
        await client.request("POST", "/a/")
    said = caught.value.reason
    assert caught.value.http_status == status
    assert reason is None or said == reason
    assert len(said) <= 300
    assert not any(secret in said for secret in (KEY, "@example", "123456789", "?s=1"))


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (503, {"retry_after": "7"}, 7.0),
        (503, {"retry_after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
        (503, {"retry_after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0.0),
        (503, {"retry_after": "86400"}, 86400.0),
        (503, {"retry_after": "1800000012"}, None),
        (503, {"retry_after": "Fri, 15 Jan 2038 08:00:30 GMT"}, None),
        (429, {"retry_after": "1800000012", "x_ratelimit_reset": "1800000012"}, 12.0),
        (429, {"x_ratelimit_reset": "1900000000"}, None),
        (503, {"retry_after": "soon"}, None),
        (503, {"retry_after": "-5"}, None),
        (429, {"retry_after": "-5"}, None),
        (429, {"retry_after": "5.5"}, 6.0),
        (429, {"retry_after": "0.01"}, 1.0),
        (503, {"retry_after": "5, 7"}, 7.0),
        (503, {"retry_after": "7, 5,6"}, 7.0),
        (503, {"retry_after": "-5, 3"}, 3.0),
        (503, {"retry_after": "3, soon"}, 3.0),
        (503, {"retry_after": "3, 1800000012"}, 3.0),
        (503, {"retry_after": "Fri, 15 Jan 2027 08:00:30 GMT, Fri, 15 Jan 2027 08:00:40 GMT"}, 40.0),
        (503, {"retry_after": "60, Fri, 15 Jan 2027 08:00:30 GMT"}, 60.0),
        (503, {"retry_after": "Mon, 99 Foo 20 99:99:99 +99999999"}, None),
        (503, {"retry_after": "5.5.5"}, None),
        (503, {"retry_after": ", ,"}, None),
        (429, {"retry_after": "-5", "x_ratelimit_reset": "1800000012"}, 12.0),
        (503, {"retry_after": "²"}, None),
        (503, {"x_ratelimit_reset": "1800000012"}, None),
        (429, {"x_ratelimit_reset": "1800000012"}, 12.0),
        (429, {"x_ratelimit_reset": "1700000000"}, 0.0),
        (429, {"retry_after": "3", "x_ratelimit_reset": "1800000012"}, 3.0),
        (429, {"x_ratelimit_reset": "later"}, None),
        (408, {}, None),
        (500, {}, None),
        (502, {}, None),
        (504, {"retry_after": "1"}, 1.0),
    ],
)
async def test_trouble_that_passes_is_told_apart_with_the_wait(
    client: VendorClient, stub: VendorStub, status: int, headers: dict[str, str], wait: float | None
) -> None:
    """The clock stands at 2027-01-15T08:00:00Z."""
    stub.reply(answer(status, {"detail": "x"}, **headers).decode("utf-8").encode("latin-1"))
    with pytest.raises(VendorUnavailable) as caught:
        await client.request("GET", "/a/")
    assert (caught.value.http_status, caught.value.retry_after) == (status, wait)


async def test_of_a_wait_that_is_said_twice_the_longer_one_counts(client: VendorClient, stub: VendorStub) -> None:
    stub.reply(b"HTTP/1.1 429 X\r\nRetry-After: 7\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(VendorUnavailable) as caught:
        await client.request("GET", "/a/")
    assert caught.value.retry_after == 7.0


@given(st.text(max_size=60), st.sampled_from([429, 503]))
@example("Mon, 1 Jan 0001 00:00:00 +2359", 503)
@example("Fri, 31 Dec 9999 23:59:59 -2359", 503)
@example("0" * 5000, 429)
def test_whatever_stands_in_retry_after_is_a_sane_wait_or_none(said: str, status: int) -> None:
    wait = retry_after({"retry-after": said}, status, 1_800_000_000.0)
    assert wait is None or 0 <= wait <= 86_400


async def _hang_up_in_the_body(writer: Any) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    await writer.drain()


async def _hang_up_in_the_head(writer: Any) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncont")
    await writer.drain()


async def _never_answer(writer: Any) -> None:
    await asyncio.sleep(3)


async def _stop_in_the_body(writer: Any) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(3)


async def _drip(writer: Any) -> None:
    """Every read succeeds in time; only the whole takes for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(60):
        writer.write(f"x-{number}: y\r\n".encode())
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"", "connection failed"),
        (_hang_up_in_the_head, "connection failed"),
        (_never_answer, "timed out"),
        (_drip, "timed out"),
    ],
    ids=reply_id,
)
async def test_no_answer_is_trouble_that_passes(
    open_client: Callable[..., VendorClient], stub: VendorStub, reply: Reply, reason: str
) -> None:
    stub.reply(reply)
    with pytest.raises(VendorUnavailable, match=f"acme: {reason}") as caught:
        await open_client(timeout=1.0).request("POST", "/a/", json={})
    assert caught.value.http_status is None


BROKEN_HEADS = [
    b"NOT HTTP AT ALL\r\n\r\n",
    b"HTTP/1.1 abc huh\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    answer(200, {}, x_long="a" * 200_000),
]


@pytest.mark.parametrize("reply", BROKEN_HEADS, ids=reply_id)
async def test_an_answer_whose_head_cannot_be_read_may_have_had_its_effect(
    client: VendorClient, stub: VendorStub, reply: bytes
) -> None:
    """It may be a yes that was paid for. What only read is asked again."""
    stub.reply(reply)
    with pytest.raises(AnswerUnreadable, match="acme: the head of the answer is broken") as caught:
        await client.request("POST", "/a/", json={})
    assert caught.value.http_status is None
    with pytest.raises(VendorUnavailable, match="acme: the head of the answer is broken") as asked:
        await client.request("GET", "/a/")
    assert asked.value.unsent


async def test_broken_heads_open_the_breaker_too(client: VendorClient, stub: VendorStub) -> None:
    stub.reply(BROKEN_HEADS[0])
    for _ in range(5):
        with pytest.raises(AnswerUnreadable):
            await client.request("POST", "/a/")
    with pytest.raises(VendorWaiting, match="breaker"):
        await client.request("POST", "/a/")


async def test_nobody_listening_is_trouble_that_passes(open_client: Callable[..., VendorClient]) -> None:
    async with vendor_stub() as gone:
        pass
    with pytest.raises(VendorUnavailable):
        await open_client(gone.url).request("GET", "/a/")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (_hang_up_in_the_body, "connection broke off"),
        (_stop_in_the_body, "timed out"),
        (answer(200, b'{"a":'), "not JSON"),
        (answer(200, b"<html>"), "not JSON"),
        (answer(200, b'{"a": NaN}'), "not JSON"),
        (answer(200, b'{"a": 1e999}'), "not JSON"),
        (answer(200, b'{"a": "\xff"}'), "not JSON"),
        (answer(200, b"[" * 60_000), "not JSON"),
        (answer(200, b"1" * 5000), "not JSON"),
        (answer(200, b" " * 70_000), "larger than 65536 bytes"),
        (answer(200, gzip.compress(b" " * 50_000_000), content_encoding="gzip"), "larger than 65536 bytes"),
        (answer(200, zlib.compress(b" " * 50_000_000), content_encoding="deflate"), "larger than 65536 bytes"),
        (answer(200, b"{}", content_encoding="gzip"), "not compressed as its header says"),
        (answer(200, gzip.compress(b"{}" * 99)[:-9], content_encoding="gzip"), "not compressed as its header says"),
        (answer(200, gzip.compress(b"{}") + b"more", content_encoding="gzip"), "not compressed as its header says"),
        (answer(200, b"{}", content_encoding="br"), "in an encoding that was not asked for"),
        (answer(200, b"{}", content_encoding="gzip, gzip"), "in an encoding that was not asked for"),
    ],
    ids=reply_id,
)
async def test_a_yes_that_cannot_be_read(
    open_client: Callable[..., VendorClient], stub: VendorStub, reply: Reply, reason: str
) -> None:
    """The effect may have happened, so this is a class of its own."""
    stub.reply(reply)
    with pytest.raises(AnswerUnreadable, match=reason) as caught:
        await open_client(max_answer=65536, timeout=2.0).request("POST", "/a/")
    assert caught.value.http_status == 200


async def test_an_endless_answer_is_cut_off(open_client: Callable[..., VendorClient], stub: VendorStub) -> None:
    """No length is announced; reading stops at the limit and hangs up."""
    written = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while written < 64 * 1024 * 1024 and not writer.is_closing():
            writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            written += 65536
            await writer.drain()

    stub.reply(endless)
    with pytest.raises(AnswerUnreadable, match="larger than 1048576 bytes"):
        await open_client(max_answer=1048576).request("GET", "/a/")
    assert written < 32 * 1024 * 1024


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity", ""])
async def test_a_compressed_answer_is_read(client: VendorClient, stub: VendorStub, encoding: str) -> None:
    content = json.dumps({"a": "b" * 10_000}).encode()
    packed = {"gzip": gzip.compress(content), "deflate": zlib.compress(content)}.get(encoding, content)
    stub.reply(answer(200, packed, content_encoding=encoding))
    assert (await client.request("GET", "/a/")).json == {"a": "b" * 10_000}


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_park_the_vendor(
    client: VendorClient, stub: VendorStub, clock: Clock, status: int
) -> None:
    """Loudly and once; nothing is sent but one probe a minute; a probe that succeeds ends it."""
    stub.reply(answer(status, {"detail": f"Not enough credits for {KEY}"}))
    with structlog.testing.capture_logs() as logs:
        with pytest.raises(VendorWaiting) as caught:
            await _in_a_task_of_its_own(client)
        assert (caught.value.seconds, caught.value.http_status, client.parked) == (60.0, status, True)
        clock.now += 20
        for _ in range(3):
            with pytest.raises(VendorWaiting, match="parked: HTTP") as caught:
                await _in_a_task_of_its_own(client)
        assert (caught.value.seconds, caught.value.http_status, len(stub.seen)) == (40.0, None, 1)
        clock.now += 40
        for _ in range(3):
            with pytest.raises(VendorWaiting):
                await _in_a_task_of_its_own(client)
        assert len(stub.seen) == 2
        clock.now += 60
        stub.reply(OK)
        await _in_a_task_of_its_own(client)
        await _in_a_task_of_its_own(client)
    assert (len(stub.seen), client.parked) == (4, False)
    assert [(entry["log_level"], entry.get("http_status")) for entry in logs] == [("error", status), ("warning", None)]
    assert "Not enough credits" in logs[0]["reason"]
    assert KEY not in repr(logs)


async def test_a_403_that_is_the_operations_own_no_is_a_refusal(client: VendorClient, stub: VendorStub) -> None:
    stub.reply(answer(403, {"detail": "The session is not finished."}), OK)
    with pytest.raises(VendorRefused, match="HTTP 403: The session is not finished"):
        await client.request("GET", "/pdf/", own_no=frozenset([403]))
    await client.request("GET", "/a/")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "You do not have enough credits."),
        (401, "Authentication credentials were not provided."),
        (403, "Invalid API key."),
    ],
)
async def test_words_about_our_key_or_credits_park_also_where_the_status_may_be_the_operations_own_no(
    client: VendorClient, stub: VendorStub, status: int, said: str
) -> None:
    stub.reply(answer(status, {"detail": said}), OK)
    with pytest.raises(VendorWaiting, match=f"is parked: HTTP {status}: {said}") as caught:
        await client.request("POST", "/share/", own_no=frozenset([401, 403]))
    assert caught.value.alert == caught.value.reason
    assert client.parked


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (402, {"detail": "Payment required"}),
        (402, b""),
        (400, {"detail": "You don't have enough credits"}),
        (400, {"error": {"code": "E7", "text": "Insufficient credits."}}),
        (404, {"message": "No credits left"}),
        (409, {"message": "Your credits are used up."}),
        (422, {"detail": "Payment required: not enough credits"}),
        (429, {"detail": "credits exhausted"}),
    ],
    ids=reply_id,
)
async def test_used_up_credits_park_whatever_the_status(
    client: VendorClient, stub: VendorStub, status: int, said: Any
) -> None:
    """Of any operation: the next of its calls would be refused just so."""
    stub.reply(answer(status, said))
    with pytest.raises(VendorWaiting, match=f"is parked: HTTP {status}") as caught:
        await client.request("POST", "/check/")
    assert caught.value.alert == caught.value.reason
    assert (caught.value.http_status, client.parked) == (status, True)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, {"detail": "No face was found."}),
        (400, {"credits": ["This field is required."]}),
        (400, {"detail": "the film's credits are no document"}),
        (404, {"detail": "Session not found"}),
        (400, {"value": ['"not enough credits" is no e-mail address']}),
    ],
    ids=reply_id,
)
async def test_no_other_refusal_parks(client: VendorClient, stub: VendorStub, status: int, said: Any) -> None:
    """Nor does a refusal that repeats what was sent: whoever wrote that could stop all calls with it."""
    stub.reply(answer(status, said))
    with pytest.raises(VendorRefused):
        await client.request("POST", "/check/", json={"entry": {"value": "not enough credits"}})
    assert not client.parked


async def test_reading_does_not_end_a_parking_that_a_write_began(
    client: VendorClient, stub: VendorStub, clock: Clock
) -> None:
    """The probe is a whole action: it may read and then write, nobody else may meanwhile, and only the write counts."""

    async def action() -> None:
        await client.request("GET", "/decision/")
        await client.request("POST", "/search/")

    stub.route = lambda seen: OK if seen.method == "GET" else answer(403, {"detail": "no credits"})
    with pytest.raises(VendorWaiting):
        await asyncio.create_task(action())
    clock.now += 60
    results = await asyncio.gather(*(asyncio.create_task(action()) for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [VendorWaiting] * 5
    assert [seen.method for seen in stub.seen] == ["GET", "POST", "GET", "POST"]
    clock.now += 60
    await _in_a_task_of_its_own(client)
    with pytest.raises(VendorWaiting):
        await _in_a_task_of_its_own(client)
    assert client.parked
    clock.now += 60
    stub.route = None
    await asyncio.create_task(action())
    assert not client.parked


async def test_a_probe_that_dies_does_not_hold_the_place_for_ever(
    client: VendorClient, stub: VendorStub, clock: Clock
) -> None:
    stub.reply(answer(401, {}), b"", OK)
    with pytest.raises(VendorWaiting):
        await _in_a_task_of_its_own(client)
    clock.now += 60
    with pytest.raises(VendorUnavailable):
        await _in_a_task_of_its_own(client)
    with pytest.raises(VendorWaiting):
        await _in_a_task_of_its_own(client)
    clock.now += 60
    await _in_a_task_of_its_own(client)
    assert not client.parked


@pytest.mark.parametrize("fault", [b"", answer(500), answer(503, retry_after="1")], ids=reply_id)
async def test_five_failures_in_a_row_open_the_breaker(
    client: VendorClient, stub: VendorStub, clock: Clock, fault: bytes
) -> None:
    """30 s later one call tries; if it fails too, another 30 s; if it succeeds, all go on."""
    stub.reply(fault)
    for _ in range(5):
        with pytest.raises(VendorUnavailable):
            await client.request("GET", "/a/")
    clock.now += 10
    with pytest.raises(VendorWaiting, match="breaker") as caught:
        await client.request("GET", "/a/")
    assert (caught.value.seconds, len(stub.seen)) == (20.0, 5)
    clock.now += 20
    results = await asyncio.gather(*(client.request("GET", "/a/") for _ in range(4)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["VendorUnavailable", *["VendorWaiting"] * 3]
    clock.now += 30
    stub.reply(OK)
    await client.request("GET", "/a/")
    await asyncio.gather(*(client.request("GET", "/a/") for _ in range(4)))
    assert len(stub.seen) == 11


@pytest.mark.parametrize("between", [OK, answer(404), answer(429), answer(302)], ids=reply_id)
async def test_any_answer_of_a_working_server_ends_the_row(
    client: VendorClient, stub: VendorStub, between: bytes
) -> None:
    for fault in [answer(500)] * 4 + [between] + [answer(500)] * 4 + [between]:
        stub.reply(fault)
        with contextlib.suppress(VendorUnavailable, VendorRefused):
            await client.request("GET", "/a/")
    assert len(stub.seen) == 10


async def test_a_used_up_rate_window_is_waited_for(client: VendorClient, stub: VendorStub, clock: Clock) -> None:
    """Reading and writing have windows of their own; after the reset calls go on."""
    stub.reply(answer(200, {}, x_ratelimit_remaining="0", x_ratelimit_reset="1800000042"), OK)
    await client.request("GET", "/a/")
    with pytest.raises(VendorWaiting, match="rate window") as caught:
        await client.request("GET", "/a/")
    assert caught.value.seconds == 42.0
    await client.request("POST", "/a/")
    clock.now += 42
    await client.request("GET", "/a/")
    assert len(stub.seen) == 3


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"retry_after": "5"}, 5.0), ({"retry_after": "3600"}, 60.0), ({}, None)]
)
async def test_after_429_the_others_wait_too(
    client: VendorClient, stub: VendorStub, headers: dict[str, str], seconds: float | None
) -> None:
    """Without spending attempts on more of the same; never longer than one window."""
    stub.reply(answer(429, {}, **headers), OK)
    with pytest.raises(VendorUnavailable):
        await client.request("POST", "/a/")
    if seconds is None:
        await client.request("POST", "/a/")
        return
    with pytest.raises(VendorWaiting) as caught:
        await client.request("POST", "/a/")
    assert caught.value.seconds == seconds


@pytest.mark.parametrize("remaining", ["1", "", "x", "-0", "00x"])
async def test_other_budgets_stop_nothing(client: VendorClient, stub: VendorStub, remaining: str) -> None:
    stub.reply(answer(200, {}, x_ratelimit_remaining=remaining, x_ratelimit_reset="1800000042"))
    for _ in range(2):
        await client.request("GET", "/a/")


async def test_no_more_calls_at_once_than_the_cap(open_client: Callable[..., VendorClient], stub: VendorStub) -> None:
    at_once = most = 0

    async def counted(writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.02)
        at_once -= 1
        writer.write(answer(200, {}, connection="close"))
        await writer.drain()

    stub.reply(counted)
    client = open_client(concurrency=3)
    await asyncio.gather(*(client.request("GET", "/a/") for _ in range(12)))
    assert most == 3


async def test_a_cancelled_call_frees_its_place(open_client: Callable[..., VendorClient], stub: VendorStub) -> None:
    stub.reply(_never_answer, OK)
    client = open_client(concurrency=1)
    call = asyncio.create_task(client.request("GET", "/a/"))
    await stub.arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await client.request("GET", "/a/")).status == 200


async def test_cookies_are_not_kept(client: VendorClient, stub: VendorStub) -> None:
    stub.reply(answer(200, {}, set_cookie="id=1; Path=/"))
    for _ in range(2):
        await client.request("GET", "/a/")
    assert all("cookie" not in seen.headers for seen in stub.seen)


async def test_the_environment_adds_nothing(
    open_client: Callable[..., VendorClient], stub: VendorStub, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Neither a proxy nor credentials from .netrc."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setitem(os.environ, "NETRC", str(netrc))
    monkeypatch.setitem(os.environ, "HTTP_PROXY", "http://127.0.0.1:9")
    await open_client().request("GET", "/a/")
    assert "authorization" not in stub.seen[0].headers


@pytest.mark.parametrize("key", ["schlüssel-0123456789", "key-0123456789\n", "key\r\nx: 0123456789"])
def test_a_key_that_no_header_can_carry_is_refused_at_once(key: str) -> None:
    with pytest.raises(ValueError, match="a key holds characters") as caught:
        VendorClient("acme", "http://127.0.0.1:9", {"x-api-key": key})
    assert "0123456789" not in repr(caught.value)


@pytest.mark.parametrize("text", ["", ".", "..", "x" * 301])
def test_an_identifier_that_would_change_the_path_is_refused(text: str) -> None:
    with pytest.raises(VendorRefused):
        segment(text)


@pytest.mark.parametrize(("text", "encoded"), [("a/../b", "a%2F..%2Fb"), ("ü?#", "%C3%BC%3F%23")])
def test_an_identifier_stays_one_segment(text: str, encoded: str) -> None:
    assert segment(text) == encoded


async def test_the_key_shows_nowhere(
    open_client: Callable[..., VendorClient], stub: VendorStub, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a repr, not in a log of ours or a library's, not in an error or anything that hangs on it."""
    caplog.set_level(logging.DEBUG)
    client = open_client(timeout=0.3)
    texts = [repr(client), str(client)]
    echo = {"detail": f"the key {KEY} is bad", "link": "https://h.example.invalid/?sig=s3cr3t"}
    spoken = [answer(200, echo), answer(400, echo), answer(403, echo), answer(500, echo), answer(200, b"{")]
    replies: list[Reply] = [*spoken, b"", _never_answer]
    with structlog.testing.capture_logs() as logs:
        for reply in replies:
            stub.reply(reply)
            try:
                texts.append(repr(await open_client(timeout=0.3).request("POST", "/a/?sig=s3cr3t")))
            except VendorError as error:
                texts += [repr(error), str(error), repr(vars(error)), repr(error.__context__)]
    texts += [repr(logs), caplog.text]
    assert len(texts) > 12
    for secret in (KEY, "s3cr3t"):
        assert not any(secret in text for text in texts)
