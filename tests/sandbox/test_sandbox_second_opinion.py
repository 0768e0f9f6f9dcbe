"""The receiver's verifier and the sandbox's signer were written apart: here each is the other's second opinion."""

from __future__ import annotations

import pytest

from handlers.sandbox.app import SandboxSettings
from handlers.sandbox.delivery import FORGERS_SECRET
from handlers.sandbox.media import Links
from handlers.sandbox.scenarios import SCENARIOS, event_of
from handlers.sandbox.webhooks import sign, wire
from handlers.sandbox.world import World
from receiver.errors import SignatureRejected
from receiver.signatures.didit import verify
from tests.support.didit_sandbox import NOW, WEBHOOK_SECRET, Clock


def _body(name: str) -> bytes:
    world = World(SandboxSettings(api_key="k", seed=1, clock=Clock()))
    return wire(event_of(SCENARIOS[name], world.state, Links(world.media, "http://127.0.0.1"), NOW))


def _headers(body: bytes, secret: str, only: str) -> list[tuple[bytes, bytes]]:
    headers = sign(body, secret)
    return [(b"x-timestamp", headers["X-Timestamp"].encode()), (only.lower().encode(), headers[only].encode())]


@pytest.mark.parametrize("method", ["X-Signature", "X-Signature-V2"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_each_signature_alone_satisfies_the_receiver(name: str, method: str) -> None:
    body = _body(name)
    checked = verify(_headers(body, WEBHOOK_SECRET, method), body, [WEBHOOK_SECRET], NOW, 300)
    assert checked.verified.method == method.lower()


@pytest.mark.parametrize("method", ["X-Signature", "X-Signature-V2"])
def test_a_forgery_does_not(method: str) -> None:
    body = _body("forged")
    with pytest.raises(SignatureRejected):
        verify(_headers(body, FORGERS_SECRET, method), body, [WEBHOOK_SECRET], NOW, 300)


def test_the_simple_signature_alone_does_not() -> None:
    body = _body("attack")
    with pytest.raises(SignatureRejected):
        verify(_headers(body, WEBHOOK_SECRET, "X-Signature-Simple"), body, [WEBHOOK_SECRET], NOW, 300)
