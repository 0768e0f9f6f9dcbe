"""Didit's side of the wire, written from the published rules and not from the code under test."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent.parent / "samples" / "didit"
SECRET = "q8V3nT-invented-Zr51xKd0Wm_Yc7Lb2Hs9Ef4Ju6P"


def sample(name: str) -> dict[str, Any]:
    """One of the invented payloads."""
    payload: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return payload


def sample_names() -> list[str]:
    return sorted(path.stem for path in SAMPLES.glob("*.json"))


def _whole_floats_as_ints(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole_floats_as_ints(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole_floats_as_ints(inner) for inner in value]
    return int(value) if isinstance(value, float) and value % 1 == 0 else value


def wire(payload: Any, *, escaped: bool = True) -> bytes:
    """The bytes that Didit sends (escaped), or those that X-Signature-V2 signs (not escaped)."""
    ordered = _whole_floats_as_ints(payload)
    return json.dumps(ordered, sort_keys=True, separators=(",", ":"), ensure_ascii=escaped).encode()


def mac(message: bytes, secret: str = SECRET) -> bytes:
    """HMAC-SHA256 in lower-case hex."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest().encode()


def simple_message(payload: dict[str, Any]) -> bytes:
    """What X-Signature-Simple signs."""
    return ":".join(
        str(payload.get(key) or "") for key in ("timestamp", "session_id", "status", "webhook_type")
    ).encode()
