"""The handshake by which a vendor asks whether a URL is ours, and wants its challenge back.

Facts (developer.trulioo.com/reference/api-handshake): `{"challenge", "type": "URL_VERIFICATION", "token"}` is posted,
and 200 with the value of `challenge` is wanted. Whether the handshake is signed, and what `token` is, is not said. So
only one that is signed like any delivery, or whose `token` is one of the secrets, is answered; nothing is stored.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from receiver.contract import JsonObject
from receiver.errors import PayloadRejected
from receiver.jsontext import read_object

_MAX_CHALLENGE = 1024  # characters
_MAX_BODY = 8192  # bytes of a handshake that nobody has signed


def challenge_of(payload: JsonObject) -> str | None:
    """What is to be sent back, if the payload is a handshake."""
    challenge = payload.get("challenge")
    if payload.get("type") != "URL_VERIFICATION" or not isinstance(challenge, str):
        return None
    return challenge if 0 < len(challenge) <= _MAX_CHALLENGE else None


def challenge_by_token(body: bytes, secrets: Sequence[str]) -> str | None:
    """The same of a body that nobody has signed: only if its token is one of the secrets."""
    if len(body) > _MAX_BODY:
        return None
    try:
        payload = read_object(body)
    except PayloadRejected:
        return None
    token = payload.get("token")
    if not isinstance(token, str) or not token:
        return None
    sent = token.encode("utf-8", "surrogatepass")
    known = [hmac.compare_digest(secret.encode("utf-8", "surrogatepass"), sent) for secret in secrets]
    return challenge_of(payload) if any(known) else None
