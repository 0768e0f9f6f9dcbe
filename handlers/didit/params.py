"""Parameters of the `didit.` actions on pictures: what a policy may write, checked before anything runs.

Facts: Didit's API reference (docs.didit.me), mid to late 2026. A field that is ours and not Didit's says so. Those of
the other actions are in `session_params.py` and `list_params.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LINK = "Left out: that of the session, as its decision names it now."
Toggle = Literal["NO_ACTION", "DECLINE"]


class Params(BaseModel):
    """Unknown keys are errors; types are taken as written, so that `"yes"` is not a boolean."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FaceSearchParams(Params):
    """`POST /v3/face-search/`. Own: `image`, `min_similarity`, `include_own_vendor_data`."""

    image: str | None = Field(
        default=None, min_length=1, description=f"A link to the picture, which is downloaded here. {LINK}"
    )
    min_similarity: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Leave out matches under this similarity (0-100). Applied to the answer; Didit's bands are fixed.",
    )
    search_type: Literal["most_similar", "blocklisted_or_approved"] = Field(
        default="most_similar", description="Which faces Didit searches among."
    )
    rotate_image: bool = Field(default=False, description="Let Didit try turned copies of the image.")
    include_own_vendor_data: bool = Field(
        default=False,
        description="Keep matches with the session's own vendor_data: the same user's earlier sessions.",
    )


class PassiveLivenessParams(Params):
    """`POST /v3/passive-liveness/`. Own: that `image` is a link. The threshold is always sent: some versions of the
    documentation name a default, others none.
    """

    image: str | None = Field(
        default=None, min_length=1, description=f"A link to the picture, which is downloaded here. {LINK}"
    )
    face_liveness_score_decline_threshold: float = Field(
        default=30.0, ge=0, le=100, description="The score (0-100) up to which Didit declines."
    )
    rotate_image: bool = Field(default=False, description="Let Didit try turned copies of the image.")
    vendor_data: str | None = Field(
        default=None,
        min_length=1,
        description="Leave faces of this vendor_data out of duplicate and blocklist screening. Left out: none are.",
    )


class FaceMatchParams(Params):
    """`POST /v3/face-match/`. Own: that `image` and `ref_image` are links."""

    image: str | None = Field(
        default=None, min_length=1, description=f"A link to the selfie, which is downloaded here. {LINK}"
    )
    ref_image: str | None = Field(
        default=None, min_length=1, description=f"A link to the portrait that it is held against. {LINK}"
    )
    face_match_score_decline_threshold: float = Field(
        default=30.0, ge=0, le=100, description="Didit approves only above this score (0-100)."
    )
    rotate_image: bool = Field(default=False, description="Let Didit try turned copies of the images.")


class IdVerificationParams(Params):
    """`POST /v3/id-verification/`. Own: that the pictures are links. What is left out is not sent. Didit's fields for
    passwords of PDFs are not offered: their names are not confirmed.
    """

    front_image: str | None = Field(
        default=None, min_length=1, description=f"A link to the document's front, a picture or a PDF. {LINK}"
    )
    back_image: str | None = Field(
        default=None,
        min_length=1,
        description="A link to its back. Left out: that of the session, if the front is the session's too.",
    )
    perform_document_liveness: bool | None = Field(
        default=None, description="Look for copies, screens and manipulated portraits."
    )
    minimum_age: int | None = Field(
        default=None, ge=1, le=120, description="Decline younger persons; one version says that it is not enforced."
    )
    expiration_date_not_detected_action: Toggle | None = Field(
        default=None, description="What a missing expiry date does."
    )
    invalid_mrz_action: Toggle | None = Field(default=None, description="What an invalid machine-readable zone does.")
    inconsistent_data_action: Toggle | None = Field(default=None, description="What data that disagree do.")
    preferred_characters: Literal["latin", "non_latin"] | None = Field(
        default=None, description="Which script names are given in."
    )
