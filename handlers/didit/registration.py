"""Opening a Didit account from the command line: register, and have the address confirmed for a key.

`{account}/programmatic/register/` and `.../verify-email/`. For people only: no action and no rule registers. Facts:
docs.didit.me, mid to late 2026. The key is at `application.api_key` in the newest pages, somewhere in the answer in
older ones: both are looked for. How long a code lives is 10 minutes in two texts and 15 in another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from handlers.didit.wire import text
from handlers.http import VendorClient
from receiver.contract import JsonObject
from receiver.errors import AnswerUnreadable, VendorRefused, VendorUnavailable

_OWN_NO = frozenset([401, 403])  # there is no key yet that could be refused
_TIMEOUT = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Account:
    """What a confirmed address gives. The key is a secret; so are the tokens, which are not kept."""

    api_key: str = field(repr=False)
    organization: str | None
    application: str | None
    application_id: str | None


async def register(account_url: str, email: str, password: str) -> None:
    """Register; Didit mails a code. Raises VendorRefused for a no, with Didit's words: 5 an hour go from one address.

    Reserved test domains are answered 500, which is taken for Didit's trouble: VendorUnavailable.
    """
    await _post(account_url, "register", {"email": email, "password": password}, password)


async def verify_email(account_url: str, email: str, code: str) -> Account:
    """Confirm an address with the code that was mailed. Raises VendorRefused, VendorUnavailable, AnswerUnreadable."""
    said = await _post(account_url, "verify-email", {"email": email, "code": code}, code)
    application, organization = _object(said, "application"), _object(said, "organization")
    key = text(application.get("api_key")) or text(said.get("api_key"))
    if not key:
        raise AnswerUnreadable("didit: the answer holds no api_key: look into Didit's console", 200)
    return Account(key, text(organization.get("name")), text(application.get("name")), text(application.get("uuid")))


async def _post(account_url: str, operation: str, body: JsonObject, secret: str) -> JsonObject:
    """Never repeated: a second call would count against the hourly five, or use the code up."""
    client = VendorClient("didit", account_url, {}, timeout=_TIMEOUT)
    try:
        answer = await client.request("POST", f"/programmatic/{operation}/", json=body, own_no=_OWN_NO)
        return answer.object()
    except (VendorRefused, VendorUnavailable, AnswerUnreadable) as error:
        failure = type(error)(error.reason.replace(secret, "[redacted]"), error.http_status)
    finally:
        await client.close()
    raise failure


def _object(document: JsonObject, name: str) -> JsonObject:
    found = document.get(name)
    return found if isinstance(found, dict) else {}
