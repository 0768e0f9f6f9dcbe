"""Plaid's public keys for webhooks: `POST /webhook_verification_key/get`.

Facts (plaid.com/docs/api/webhooks/webhook-verification): the body is `client_id`, `secret` and `key_id`; the answer
holds the JWK in `key`. A 4xx is taken for "no such key", but for 401, 403, 408 and 429, which say nothing of it.
"""

from __future__ import annotations

import httpx

from receiver.contract import JsonObject
from receiver.errors import VendorUnavailable

_TIMEOUT = httpx.Timeout(5.0, connect=3.0)  # the sender is waiting for our answer meanwhile
_MAX_ANSWER = 64 * 1024
_NOT_ABOUT_THE_KEY = (401, 403, 408, 429)


class PlaidKeys:
    """Asks one key at a time; a client for each, since that is rare."""

    def __init__(self, base_url: str, client_id: str, secret: str) -> None:
        self._url = f"{base_url.rstrip('/')}/webhook_verification_key/get"
        self._credentials: dict[str, str] = {"client_id": client_id, "secret": secret}

    async def fetch(self, kid: str) -> JsonObject | None:
        """The key as a JWK, None if Plaid has none of this id. Raises VendorUnavailable where that cannot be told."""
        try:
            status, content = await self._post({**self._credentials, "key_id": kid})
            if 400 <= status < 500 and status not in _NOT_ABOUT_THE_KEY:
                return None
            key = httpx.Response(200, content=content).json().get("key") if status == 200 else None
        except (httpx.HTTPError, ValueError, AttributeError, RecursionError):
            raise VendorUnavailable("the key could not be fetched") from None
        if not isinstance(key, dict):
            raise VendorUnavailable("the key could not be fetched", status)
        return key

    async def _post(self, body: dict[str, str]) -> tuple[int, bytes]:
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", self._url, json=body) as answer,
        ):
            content = b""
            async for piece in answer.aiter_bytes():
                content += piece
                if len(content) > _MAX_ANSWER:
                    raise VendorUnavailable("the answer is too large", answer.status_code)
            return answer.status_code, content
