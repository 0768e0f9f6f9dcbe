"""Parameters of the `verifik.` actions: what a policy may write, checked before anything runs.

Facts: Verifik's documentation (docs.verifik.co and its public sources), state of 2026-11.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from handlers.liveness import Params


class AppRegistrationParams(Params):
    """`GET /v2/app-registrations/{id}`: takes none. The registration is the one that the event is about."""


class VerifikLivenessParams(Params):
    """`POST /v2/face-recognition/liveness`. Own: `send_link`, and that `image` is a link, which is downloaded here."""

    image: str | None = Field(
        default=None, min_length=1, description="A link to the picture. Left out: the selfie of the session."
    )
    send_link: bool = Field(
        default=False,
        description="Hand Verifik the link (https) instead of the picture: whoever holds a signed link can open it.",
    )
    os: Literal["DESKTOP", "IOS", "ANDROID"] = Field(
        default="DESKTOP", description="On what the picture was taken. Verifik wants a value; ours is DESKTOP."
    )
    collection_id: str | None = Field(
        default=None, min_length=1, max_length=300, description="One of your collections."
    )
    liveness_min_score: float = Field(
        default=0.6, ge=0.5, le=1.0, description="What the score must be above (0.5 to 1.0): the same score fails."
    )
