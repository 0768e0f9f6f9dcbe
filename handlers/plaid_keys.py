"""Plaid's public keys for webhooks: `POST /webhook_verification_key/get`.

Facts (plaid.com/docs/api/webhooks/webhook-verification): the body is `client_id`, `secret` and `key_id`; the answer
holds the JWK in `key`. Plaid answers 400 to wrong credentials too (plaid.com/docs/errors/invalid-input), so only a
refusal whose `error_code` speaks of the key's id means that there is no such key. The exact code
(INVALID_WEBHOOK_VERIFICATION_KEY_ID) is not confirmed: under another one every unknown key would end in 503 and be
asked for again, and no known key would be dropped.
"""

from __future__ import annotations

from typing import Final

from handlers.answers import read_json
from handlers.exchange import Exchange, exchange, open_client
from receiver.contract import JsonObject
from receiver.errors import VendorUnavailable

_SECONDS: Final = 5.0  # for all of it: the sender is waiting for our answer meanwhile
_MAX_ANSWER: Final = 64 * 1024  # bytes, decoded
_ABOUT_THE_KEY: Final = "KEY_ID"


class PlaidKeys:
    """Asks one key at a time; a client for each, since that is rare."""

    def __init__(self, base_url: str, client_id: str, secret: str) -> None:
        self._url = f"{base_url.rstrip('/')}/webhook_verification_key/get"
        self._credentials: dict[str, str] = {"client_id": client_id, "secret": secret}

    async def fetch(self, kid: str) -> JsonObject | None:
        """The key as a JWK, None if Plaid has none of this id. Raises VendorUnavailable where that cannot be told."""
        done = await self._post({**self._credentials, "key_id": kid})
        said = _said(done)
        if done.status == 400 and _ABOUT_THE_KEY in str(said.get("error_code")):
            return None
        key = said.get("key") if done.status == 200 else None
        if not isinstance(key, dict):
            raise VendorUnavailable("the key could not be fetched", done.status)
        return key

    async def _post(self, body: dict[str, str]) -> Exchange:
        client = open_client({}, connect_timeout=3.0, timeout=_SECONDS, connections=1, keep_alive=False, tls=None)
        try:
            request = client.build_request("POST", self._url, json=body)
            return await exchange(client, request, timeout=_SECONDS, limit=_MAX_ANSWER)
        finally:
            await client.aclose()


def _said(done: Exchange) -> JsonObject:
    """The answer, empty where it is none."""
    if done.fault is not None:
        return {}
    try:
        document = read_json(done.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
