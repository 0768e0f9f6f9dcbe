"""Parameters of the `didit.` actions: what a policy may write, checked before anything runs.

Facts: Didit's API reference (docs.didit.me), mid to late 2026. A field that is ours and not Didit's says so.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Feature = Literal[
    "OCR",
    "ID_VERIFICATION",
    "LIVENESS",
    "FACE_MATCH",
    "NFC",
    "PROOF_OF_ADDRESS",
    "POA",
    "PHONE_VERIFICATION",
    "EMAIL_VERIFICATION",
    "AML",
    "DATABASE_VALIDATION",
    "IP_ANALYSIS",
    "QUESTIONNAIRE",
]


class Params(BaseModel):
    """Unknown keys are errors; types are taken as written, so that `"yes"` is not a boolean."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FaceSearchParams(Params):
    """`POST /v3/face-search/`. Own: `min_similarity`, `include_own_vendor_data`."""

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


class NodeToResubmit(Params):
    """One step of the workflow that the person does again."""

    node_id: str = Field(min_length=1, description="The node as the decision names it, such as feature_ocr.")
    feature: Feature = Field(description="The feature of that node.")


class UpdateStatusParams(Params):
    """`PATCH /v3/session/{id}/update-status/`. Didit's prose also names In Review; its body enum refuses it."""

    status: Literal["Approved", "Declined", "Resubmitted"] = Field(description="The session's new status.")
    comment: str | None = Field(default=None, description="A note that Didit keeps with the change.")
    send_email: bool = Field(default=False, description="Let Didit tell the person by e-mail.")
    email_address: str | None = Field(default=None, min_length=3, description="Where to; required with send_email.")
    email_language: str | None = Field(default=None, min_length=2, description="Language of the e-mail; Didit's is en.")
    nodes_to_resubmit: list[NodeToResubmit] | None = Field(
        default=None, min_length=1, description="Only with Resubmitted. Left out, Didit chooses what went wrong."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.send_email and self.email_address is None:
            raise ValueError("send_email needs email_address")
        if self.nodes_to_resubmit is not None and self.status != "Resubmitted":
            raise ValueError("nodes_to_resubmit goes only with status Resubmitted")
        return self


class DecisionParams(Params):
    """`GET /v3/session/{id}/decision/` takes no parameters from a policy."""
