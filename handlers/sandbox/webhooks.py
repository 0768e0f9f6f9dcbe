"""Didit's webhooks as Didit writes them: bodies, bytes, signatures.

Written from the description of the protocol alone and sharing no line with the receiver's verifier, so that the two
check each other. The body on the wire has sorted keys, no spaces, ASCII escapes, and whole floats shortened;
`X-Signature` covers exactly those bytes, `X-Signature-V2` the same JSON unescaped, `X-Signature-Simple` four fields of
it.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import replace
from hashlib import sha256
from typing import Final, Literal, cast

from handlers.sandbox.decisions import decision_v1, decision_v2, decision_v3
from handlers.sandbox.media import Links
from handlers.sandbox.state import Session
from receiver.contract import JsonObject, JsonValue

Version = Literal["v1", "v2", "v3"]
APPLICATION_ID: Final = "3d0b7a52-91c4-4e6f-8a2d-6c5e1f7b9d10"
USER_AGENT: Final = "DiditWebhook/2.0 +https://didit.me"

_WITH_DECISION: Final = ("Approved", "Declined", "In Review", "Abandoned")
_DECISIONS: Final = {"v1": decision_v1, "v2": decision_v2, "v3": decision_v3}


def wire(document: JsonObject) -> bytes:
    """The document as the bytes that Didit would post."""
    return json.dumps(_shortened(document), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _shortened(value: JsonValue) -> JsonValue:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return value


def sign(body: bytes, secret: str, *, previous_secret: str | None = None, console_test: bool = False) -> dict[str, str]:
    """The headers of a delivery of `body`, a JSON object with an integer `timestamp`; ValueError for any other body.

    `previous_secret` adds the headers of the day after a rotation. `console_test` marks a "Try Webhook" delivery.
    """
    document = json.loads(body)
    if not isinstance(document, dict) or not isinstance(document.get("timestamp"), int):
        raise ValueError("only a JSON object with an integer timestamp can be signed")
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Timestamp": str(document["timestamp"]),
        **_signatures(body, document, secret),
    }
    if previous_secret is not None:
        signatures = _signatures(body, document, previous_secret)
        headers |= {f"{name}-Previous": value for name, value in signatures.items()}
    if console_test:
        headers["X-Didit-Test-Webhook"] = "true"
    return headers


def _signatures(body: bytes, document: JsonObject, secret: str) -> dict[str, str]:
    canonical = json.dumps(_shortened(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    simple = ":".join(str(document.get(name) or "") for name in ("timestamp", "session_id", "status", "webhook_type"))
    return {
        "X-Signature": _hmac(body, secret),
        "X-Signature-V2": _hmac(canonical.encode(), secret),
        "X-Signature-Simple": _hmac(simple.encode(), secret),
    }


def _hmac(message: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), message, sha256).hexdigest()


def session_event(
    session: Session,
    links: Links,
    *,
    event_id: str,
    at: int,
    webhook_type: str = "status.updated",
    status: str | None = None,
    version: Version = "v3",
) -> JsonObject:
    """The body of a session webhook made at `at` (Unix seconds). `status`: reported instead of the present one."""
    shown = replace(session, status=status or session.status)
    body: JsonObject = {
        "webhook_type": webhook_type,
        "timestamp": at,
        "created_at": at,
        "session_id": shown.session_id,
        "status": shown.status,
        "vendor_data": shown.vendor_data,
        "metadata": shown.metadata,
        "workflow_id": shown.workflow_id,
    }
    if version == "v3":
        body |= {
            "event_id": event_id,
            "application_id": APPLICATION_ID,
            "environment": "sandbox",
            "workflow_version": shown.workflow_version,
        }
    if shown.status in _WITH_DECISION:
        body["decision"] = _DECISIONS[version](shown, links)
    return body


def console_test_event(session_id: str, workflow_id: str, at: int) -> JsonObject:
    """The body of the console's "Try Webhook": no event_id, marked by its metadata."""
    return {
        "webhook_type": "status.updated",
        "timestamp": at,
        "created_at": at,
        "session_id": session_id,
        "status": "Approved",
        "vendor_data": "test-vendor-data-123",
        "metadata": {"test_webhook": True},
        "workflow_id": workflow_id,
        "decision": {"status": "Approved"},
    }


def resubmit_info(nodes: list[JsonObject], reasons: dict[str, str]) -> JsonObject:
    """What a Resubmitted event carries instead of a decision."""
    return {"nodes_to_resubmit": cast("JsonValue", nodes), "reasons": dict(reasons)}
