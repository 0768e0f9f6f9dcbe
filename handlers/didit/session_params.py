"""Parameters of the `didit.` actions on sessions.

Facts: Didit's API reference (docs.didit.me), mid to late 2026. A field that is ours and not Didit's says so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from handlers.didit.params import Params
from handlers.misfit import misfit
from receiver.contract import SessionStatus

Text = Annotated[str, Field(min_length=1, max_length=1000)]
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

NewStatus = Literal["Approved", "Declined", "Resubmitted"]


class DecisionParams(Params):
    """`GET /v3/session/{id}/decision/` takes no parameters from a policy."""


class NodeToResubmit(Params):
    """One step of the workflow that the person does again."""

    node_id: str = Field(min_length=1, description="The node as the decision names it, such as feature_ocr.")
    feature: Feature = Field(description="The feature of that node.")


class UpdateStatusParams(Params):
    """`PATCH /v3/session/{id}/update-status/`. Didit's prose also names In Review; its body enum refuses it. One text
    has nodes_to_resubmit as a list of words; the reference has objects, which are sent.
    """

    status: NewStatus = Field(description="The session's new status.")
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
            raise misfit("send_email needs email_address", "send_email")
        if self.nodes_to_resubmit is not None and self.status != "Resubmitted":
            raise misfit("nodes_to_resubmit goes only with status Resubmitted", "status")
        return self


class ListSessionsParams(Params):
    """`GET /v3/sessions/`. Didit's own limit is 50 in one text and 20 in another, so ours is always sent."""

    session_kind: Literal["user", "business", "all"] = Field(default="user", description="Whose sessions.")
    vendor_data: Text | None = Field(default=None, description="Only this user's.")
    status: SessionStatus | None = Field(default=None, description="Only those in this status.")
    country: Text | None = Field(default=None, description="Only those of this country.")
    workflow_id: Text | None = Field(default=None, description="Only those of this workflow.")
    date_from: Text | None = Field(default=None, description="Only those from this day on: 2026-11-20.")
    date_to: Text | None = Field(default=None, description="Only those up to this day.")
    search: Text | None = Field(default=None, description="Only those that Didit finds by this.")
    limit: int = Field(default=50, ge=1, le=100, description="At most so many sessions.")
    offset: int = Field(default=0, ge=0, description="How many sessions to pass over.")


class ContactDetails(Params):
    """How Didit reaches the person."""

    email: Text | None = Field(default=None, description="The e-mail address.")
    send_notification_emails: bool | None = Field(default=None, description="Let Didit write to it.")
    email_lang: Text | None = Field(default=None, description="In this language.")
    phone: Text | None = Field(default=None, description="The phone number.")


class ExpectedDetails(Params):
    """What the documents should say; Didit warns of what differs."""

    first_name: Text | None = Field(default=None, description="First name.")
    last_name: Text | None = Field(default=None, description="Last name.")
    date_of_birth: Text | None = Field(default=None, description="Date of birth.")
    gender: Text | None = Field(default=None, description="Gender.")
    nationality: Text | None = Field(default=None, description="Nationality.")
    country: Text | None = Field(default=None, description="Country.")
    address: Text | None = Field(default=None, description="Address.")
    identification_number: Text | None = Field(default=None, description="Identification number.")
    ip_address: Text | None = Field(default=None, description="IP address.")
    expected_document_types: list[Text] | None = Field(default=None, description="Kinds of documents.")
    id_country: Text | None = Field(default=None, description="Country of the identity document.")
    poa_country: Text | None = Field(default=None, description="Country of the proof of address.")


class CreateSessionParams(Params):
    """`POST /v3/session/`. Own: `with_portrait`, `portrait_image` as a link, and where vendor_data comes from."""

    workflow_id: Text = Field(description="Which workflow the person goes through.")
    vendor_data: Text | None = Field(
        default=None, description="Whose session. Left out: the event's vendor_data, if it has one."
    )
    callback: Text | None = Field(default=None, description="Where the person is sent afterwards.")
    callback_method: Literal["initiator", "completer", "both"] | None = Field(
        default=None, description="Which device is sent there."
    )
    metadata: dict[str, Any] | None = Field(default=None, description="Kept by Didit with the session.")
    language: Text | None = Field(default=None, description="Language of the pages.")
    portrait_image: Text | None = Field(
        default=None, description="A link to the face to compare with: a picture of at most 1 MB, downloaded here."
    )
    with_portrait: bool = Field(default=False, description="Compare with the face of the event's session.")
    contact_details: ContactDetails | None = Field(default=None, description="How Didit reaches the person.")
    expected_details: ExpectedDetails | None = Field(default=None, description="What the documents should say.")
    sandbox_scenario: Text | None = Field(default=None, description="What is simulated, with a key of Didit's sandbox.")


class DeleteSessionParams(Params):
    """`DELETE /v3/session/{id}/delete/`. Entries of the blocklist outlive the session."""

    retain_face_embeddings: bool | None = Field(default=None, description="Keep the face for later searches.")
    face_retention_days: int | None = Field(default=None, ge=1, le=3650, description="For so many days.")
    deletion_instruction: Text | None = Field(default=None, description="Kept by Didit as the reason.")


class GeneratePdfParams(Params):
    """`GET /v3/session/{id}/generate-pdf/` takes no parameters."""


class ShareSessionParams(Params):
    """`POST /v3/session/{id}/share/`. One text calls the receiver partner_client_id; the reference's name is sent."""

    for_application_id: Text = Field(description="The application that may import the session.")
    ttl_in_seconds: int = Field(default=3600, ge=60, le=86400, description="For how long, in seconds.")


class ImportSessionParams(Params):
    """`POST /v3/session/import-shared/`. Each receiver can import a session once."""

    share_token: Text = Field(description="The token that the other application got for sharing.")
    trust_review: bool = Field(default=False, description="Take over its verdict, rather than review again.")
    workflow_id: Text | None = Field(default=None, description="Into this workflow.")
    vendor_data: Text | None = Field(default=None, description="For this user. Left out: the event's vendor_data.")
