"""The `didit.` actions on users and on the account's balance. Nothing here registers, and nothing tops up."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import structlog

from handlers.didit.client import read
from handlers.didit.list_params import BalanceParams, UserStatusParams
from handlers.didit.results import balance_extra
from handlers.http import VendorClient, segment
from handlers.images import ImageFetcher
from receiver.contract import ActionCall, JsonObject, Outcome, RaiseAlert
from receiver.errors import VendorRefused, VendorUnavailable

log = structlog.get_logger(__name__)


class Account:
    """The actions over one client. Remembers whether the balance was told to be low, until the process ends."""

    def __init__(self, client: VendorClient, images: ImageFetcher) -> None:
        self._client = client
        self._low = False

    async def user_status(self, params: UserStatusParams, call: ActionCall) -> Outcome:
        """`PATCH /v3/users/{vendor_data}/update-status/`. Sets a value: repeating it gives the same state (own
        inference). Didit answers with `user.status.updated`: a rule on that event which sets what it tells is a `noop`,
        or it would go round for ever.
        """
        vendor_data = params.vendor_data or call.event["vendor_data"]
        if not vendor_data:
            raise VendorRefused("the event names no vendor_data")
        if call.event["type"] == "user.status.updated" and call.event["status"] == params.status:
            return Outcome("noop", f"the user is already {params.status}")
        body: JsonObject = {"status": params.status}
        if params.reason is not None:
            body["reason"] = params.reason
        path = f"/v3/users/{segment(vendor_data)}/update-status/"
        answer = await self._client.request("PATCH", path, json=body)
        return Outcome("done", None, {"vendor_data": vendor_data, "status": params.status}, answer.status)

    async def balance(self, params: BalanceParams, call: ActionCall) -> Outcome:
        """`GET /v3/billing/balance/`. The balance is text with four decimals, compared as a decimal number. The first
        time that it is below `low` an alert is raised; the next one after it was above again.
        """
        balance, rest = await read_balance(self._client)
        below = None if params.low is None else Decimal(balance) < Decimal(params.low)
        result: JsonObject = {"balance": balance, "low": params.low, "below": below, **rest}
        return Outcome("done", None, result, 200, effects=self._alert(below, balance, params.low))

    def _alert(self, below: bool | None, balance: str, low: str | None) -> tuple[RaiseAlert, ...]:
        if below is None:
            return ()
        was, self._low = self._low, below
        if not below or was:
            if was and not below:
                log.info("didit's balance is no longer low", balance=balance, low=low)
            return ()
        log.error("didit's balance is low", balance=balance, low=low, cure="top up in Didit's console")
        return (RaiseAlert("didit.balance", f"didit's balance is {balance}, below {low}"),)


async def read_balance(client: VendorClient) -> tuple[str, JsonObject]:
    """`GET /v3/billing/balance/`: the balance as sent, and what stands beside it. Raises VendorUnavailable for one that
    is no decimal number.
    """
    answer = await read(client, "/v3/billing/balance/", "the balance", {})
    balance = answer.get("balance")
    if not isinstance(balance, str) or not _is_decimal(balance):
        raise VendorUnavailable("didit: the answer holds no balance that is a decimal number", 200, unsent=True)
    return balance, balance_extra(answer)


def _is_decimal(balance: str) -> bool:
    try:
        return len(balance) <= 40 and Decimal(balance).is_finite()
    except InvalidOperation:
        return False
