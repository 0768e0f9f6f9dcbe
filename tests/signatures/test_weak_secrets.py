"""Secrets that protect nothing are recognised, and real ones are not."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.signatures.secrets import weak_secret
from tests.support.didit_wire import SECRET


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", "it is empty"),
        (" ", "it is blank"),
        ("\t\n" * 20, "it is blank"),
        ("k3JdW9qVtYb2Zr8", "it has 15 characters, and 16 are the least"),
        (" k3JdW9qVtYb2Zr8 ", "it has 15 characters, and 16 are the least"),
    ],
)
def test_too_short(secret: str, reason: str) -> None:
    assert weak_secret(secret) == reason


@pytest.mark.parametrize(
    "secret",
    [
        "changeme-changeme",
        "CHANGE_ME_BEFORE_PRODUCTION",
        "please-change-this-secret",
        "replace-me-with-a-secret",
        "your-secret-goes-here",
        "your_webhook_secret_key",
        "whsec_your_signing_secret",
        "YOUR_DIDIT_WEBHOOK_SECRET",
        "<your didit secret>",
        "<paste it from the console>",
        "{{ didit_webhook_secret }}",
        "${DIDIT_WEBHOOK_SECRET}",
        "secretsecretsecret",
        "secret-secret-secret-1",
        "my-super-secret-key",
        "test-webhook-secret",
        "didit_webhook_secret",
        "PasswordPassword123",
        "password12345678",
        "placeholder-placeholder",
        "insert-your-key-please",
        "todo: ask ops for this one",
    ],
)
def test_placeholders(secret: str) -> None:
    assert weak_secret(secret) == "it is a well-known placeholder"


@pytest.mark.parametrize(
    "secret",
    [
        "x" * 32,
        "0" * 64,
        "xxxx-xxxx-xxxx-xxxx",
        "whsec_xxxxxxxxxxxxxxxxxxxx",
        "abababababababab",
    ],
)
def test_monotony(secret: str) -> None:
    assert weak_secret(secret) == "it only repeats a few characters"


@pytest.mark.parametrize(
    "secret", [SECRET, "correct horse battery staple", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "9c1e5f0b7a2d4e68"]
)
def test_real_secrets(secret: str) -> None:
    assert weak_secret(secret) is None


@pytest.mark.parametrize("make", [secrets.token_urlsafe, secrets.token_hex])
def test_no_random_secret_is_refused(make: object) -> None:
    assert callable(make)
    assert [weak for weak in (make(32) for _ in range(2000)) if weak_secret(weak)] == []


@settings(deadline=None)
@given(st.text())
def test_any_text_is_judged(secret: str) -> None:
    reason = weak_secret(secret)
    assert reason is None or (reason.startswith("it ") and len(reason) < 60)
