"""Fetching Plaid's keys over real HTTP: only a word about the key's id is a no; all else is said to be unknown."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from handlers.plaid_keys import PlaidKeys
from receiver.errors import VendorUnavailable
from tests.support.vendor_stub import Reply, answer, reply_id, vendor_stub

JWK = {"kty": "EC", "kid": "k1"}


async def test_a_key_and_a_no() -> None:
    async with vendor_stub(
        answer(200, {"key": JWK}), answer(400, {"error_code": "INVALID_WEBHOOK_VERIFICATION_KEY_ID"})
    ) as stub:
        keys = PlaidKeys(stub.url, "client-1", "secret-1")
        assert await keys.fetch("k1") == JWK
        assert await keys.fetch("k2") is None
    assert stub.seen[0].json() == {"client_id": "client-1", "secret": "secret-1", "key_id": "k1"}


@pytest.mark.parametrize(
    "reply",
    [
        answer(400, {"error_type": "INVALID_INPUT", "error_code": "INVALID_API_KEYS"}),
        answer(400, {"error_code": "UNAUTHORIZED_ENVIRONMENT"}),
        answer(401),
        answer(429),
        answer(500),
        answer(200, {"key": None}),
        answer(200, ["key"]),
        answer(200, b"not json"),
        answer(200, b" " * 70_000),
        answer(200, gzip.compress(b" " * 10_000_000), content_encoding="gzip"),
        b"",
    ],
    ids=reply_id,
)
async def test_what_says_nothing_of_the_key_is_no_answer(reply: Reply) -> None:
    async with vendor_stub(reply) as stub:
        with pytest.raises(VendorUnavailable) as raised:
            await PlaidKeys(stub.url, "client-1", "secret-1").fetch("k1")
    assert "secret-1" not in str(raised.value)


async def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.plaid_keys._SECONDS", 0.3)

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with vendor_stub(drip) as stub:
        with pytest.raises(VendorUnavailable):
            await asyncio.wait_for(PlaidKeys(stub.url, "c", "s").fetch("k1"), 5)
