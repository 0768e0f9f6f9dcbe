"""A whole receiver on real HTTP, built from a configuration file like any other, with a signer of its own."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from receiver.config import load_configuration
from receiver.contract import JsonObject
from receiver.web.app import build_app
from receiver.web.protocol import BoundedProtocol
from receiver.wiring import System, build
from tests.support.live_server import serve

SECRET = "kR3-9vXq_hT7bWz2LmN8"
TOKENS = {role: f"token-for-{role}-0123456789" for role in ("reader", "pii_reader", "analyst", "operator")}
POLICY: dict[str, Any] = {"version": 1, "name": "test", "rules": []}


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """What Didit's `X-Signature` is said to be: HMAC-SHA256 over the raw bytes, as lower-case hex."""
    return {
        "Content-Type": "application/json",
        "X-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }


def session_event(session_id: str, **fields: Any) -> dict[str, Any]:
    """A small session event, fresh."""
    now = int(time.time())
    event = {"webhook_type": "status.updated", "session_id": session_id, "status": "In Review", "timestamp": now}
    return {**event, "created_at": now, "vendor_data": f"user-of-{session_id}", **fields}


def liveness(*tags: str, **fields: Any) -> dict[str, Any]:
    """A V3 decision with one liveness check that carries these warnings."""
    warnings = [{"risk": tag, "log_type": "error", "feature": "LIVENESS"} for tag in tags]
    return {"liveness_checks": [{"node_id": "n1", "status": "Declined", "score": 3.5, "warnings": warnings, **fields}]}


@dataclass
class Receiver:
    """A running receiver."""

    url: str
    system: System
    folder: Path

    def post(self, body: bytes, headers: dict[str, str] | None = None, source: str = "didit") -> httpx.Response:
        """Post raw bytes."""
        given = signed(body) if headers is None else headers
        return httpx.post(f"{self.url}/webhooks/{source}", content=body, headers=given, timeout=20)

    def send(self, event: dict[str, Any]) -> httpx.Response:
        """Sign and post an event."""
        return self.post(json.dumps(event).encode())

    def api(self, path: str, role: str = "operator", method: str = "GET", **options: Any) -> httpx.Response:
        """Ask the API in a role."""
        headers = {"Authorization": f"Bearer {TOKENS[role]}"}
        return httpx.request(method, self.url + path, headers=headers, timeout=20, **options)

    def event(self, event_id: str) -> dict[str, Any]:
        """One event, whole."""
        answer = self.api(f"/api/events/{event_id}")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def settled(self, event_id: str) -> dict[str, Any]:
        """One event, once none of its actions is under way."""
        under_way = {"planned", "running", "waiting_retry"}

        def look() -> dict[str, Any] | None:
            document = self.event(event_id)
            return None if any(action["state"] in under_way for action in document["actions"]) else document

        found: dict[str, Any] = await_that(look)
        return found


def await_that(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """The first true answer of a condition, or a failure."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come true in time")


def write_configuration(folder: Path, policy: JsonObject | str | list[str] | None = None, **sections: Any) -> Path:
    """A configuration file; `policy` stands in it, or names files. JSON is YAML, so tests can say it as values."""
    document = {
        "data_dir": str(folder / "var"),
        "server": {"port": 0},
        "api": {"tokens": [{"name": role, "role": role, "token": token} for role, token in TOKENS.items()]},
        "sources": {"didit": {"vendor": "didit", "verify": {"scheme": "didit", "secrets": [SECRET]}}},
        "policy": policy or POLICY,
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return path


@contextlib.contextmanager
def running(folder: Path, policy: JsonObject | str | list[str] | None = None, **sections: Any) -> Iterator[Receiver]:
    """Build and serve a receiver; it is drained at the end."""
    system = build(load_configuration(write_configuration(folder, policy, **sections)))
    with serve(build_app(system), BoundedProtocol) as url:
        yield Receiver(url, system, folder)
