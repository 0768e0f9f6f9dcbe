"""The `review` action: a case for a person. Calls nobody; the case is opened in the transaction that records it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from handlers.redact import redact, shortened
from receiver.contract import ActionCall, ActionSpec, OpenReview, Outcome

LONGEST_REASON = 1000


class ReviewParams(BaseModel):
    """What the person sees first."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    queue: str = Field(min_length=1, max_length=100, description="The queue that the case waits in.")
    reason: str = Field(description="Why a person should look, in one sentence.")
    priority: int = Field(default=0, ge=-1_000_000, le=1_000_000, description="Higher is sooner.")


REVIEW = ActionSpec(
    name="review",
    params=ReviewParams,
    description="Open a case for a person in a review queue.",
    once="event",
    plain=("queue",),
)


async def open_review(params: ReviewParams, call: ActionCall) -> Outcome:
    """Done when the case is open."""
    reason = shortened(redact(params.reason[: 4 * LONGEST_REASON]), LONGEST_REASON)
    return Outcome("done", effects=(OpenReview(params.queue, reason, params.priority),))
