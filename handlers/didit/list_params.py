"""Parameters of the `didit.` actions on blocklists, lists, users and the account.

Facts: Didit's API reference (docs.didit.me), mid to late 2026. A field that is ours and not Didit's says so.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from handlers.didit.params import Params
from handlers.misfit import misfit

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")


class BlocklistParams(Params):
    """Which data of the session. Didit takes the newest record of each kind."""

    face: bool = Field(default=False, description="The face.")
    document: bool = Field(default=False, description="The identity document.")
    phone: bool = Field(default=False, description="The phone number.")
    email: bool = Field(default=False, description="The e-mail address.")

    @property
    def chosen(self) -> list[str]:
        """The kinds that are true, in a fixed order."""
        return [kind for kind in ("face", "document", "phone", "email") if getattr(self, kind)]

    @model_validator(mode="after")
    def _some_chosen(self) -> Self:
        if not self.chosen:
            raise ValueError("at least one of face, document, phone, email must be true")
        return self


class BlocklistListParams(Params):
    """`GET /v3/blocklist/`."""

    item_type: Literal["face", "document", "phone", "email"] | None = Field(
        default=None, description="Only entries of this kind."
    )
    offset: int = Field(default=0, ge=0, description="How many entries to pass over.")
    limit: int = Field(default=20, ge=1, le=100, description="At most so many entries.")


EntryType = Literal[
    "face",
    "document",
    "phone",
    "email",
    "ip_address",
    "device_fingerprint",
    "wallet_address",
    "bank_account",
    "user",
    "business",
    "country",
    "key",
]
UserStatus = Literal["ACTIVE", "FLAGGED", "BLOCKED", "Approved", "In Review", "Declined"]


class ListAddParams(Params):
    """`POST /v3/lists/{uuid}/entries/`. Own: `entry_type` and `from_session`; without `list_uuid` the blocklist that
    Didit keeps by itself for the type is looked up. Needed for IP addresses and devices, which `blocklist_add` cannot
    hold.
    """

    entry_type: EntryType = Field(description="What kind of thing the list holds.")
    value: str | None = Field(
        default=None, min_length=1, max_length=1000, description="The thing itself; for ip_address also a CIDR range."
    )
    from_session: bool = Field(default=False, description="Let Didit take it from the session (reference_session_id).")
    reference_object_uuid: str | None = Field(
        default=None, min_length=1, max_length=300, description="Which object of the session, where it has several."
    )
    list_uuid: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="The list's uuid. Left out: Didit's own blocklist of the type.",
    )
    comment: str | None = Field(default=None, max_length=1000, description="A note that Didit keeps with the entry.")
    display_label: str | None = Field(default=None, max_length=300, description="What the entry is called.")
    metadata: dict[str, Any] | None = Field(default=None, description="Kept by Didit with the entry.")

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if (self.value is None) == (not self.from_session):
            raise misfit("give either value or from_session: true, not both", "from_session")
        if self.reference_object_uuid is not None and not self.from_session:
            raise misfit("reference_object_uuid goes only with from_session: true", "from_session")
        if self.entry_type == "ip_address" and self.value is not None and not _is_network(self.value):
            raise misfit("value must be an IP address or a range such as 198.51.100.0/24", "value", "entry_type")
        return self


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


class UserStatusParams(Params):
    """`PATCH /v3/users/{vendor_data}/update-status/`. The newest pages have ACTIVE, FLAGGED and BLOCKED, others the
    words of sessions: both are let through, and Didit refuses what it does not know.
    """

    status: UserStatus = Field(description="BLOCKED: later sessions are declined; FLAGGED: they go to review.")
    reason: str | None = Field(default=None, max_length=1000, description="Kept by Didit with the change.")
    vendor_data: str | None = Field(
        default=None, min_length=1, max_length=300, description="Whose. Left out: the event's vendor_data."
    )


class BalanceParams(Params):
    """`GET /v3/billing/balance/`. Own: `low`."""

    low: str | None = Field(
        default=None,
        description='Below this the alert is raised, once until it is above again: text such as "10.00".',
    )

    @field_validator("low")
    @classmethod
    def _is_an_amount(cls, low: str | None) -> str | None:
        if low is not None and not _AMOUNT.fullmatch(low):
            raise ValueError('must be an amount such as "10.00"')
        return low
