"""The `label` action: marks on the session. Calls nobody; applied in the transaction that records it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from receiver.contract import ActionCall, ActionSpec, LabelSession, Outcome

Label = Annotated[str, Field(min_length=1, max_length=100)]


class LabelParams(BaseModel):
    """Labels are plain words of your own; adding one that is there, or removing one that is not, changes nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    add: list[Label] = Field(default=[], description="Labels to put on the session.")
    remove: list[Label] = Field(default=[], description="Labels to take off the session.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.add and not self.remove:
            raise ValueError("at least one of add, remove must name a label")
        if both := sorted({*self.add} & {*self.remove}):
            raise ValueError(f"both added and removed: {', '.join(both)}")
        return self


LABEL = ActionSpec(
    name="label",
    params=LabelParams,
    description="Put labels on the session, or take them off.",
    once="event",
    plain=("add", "remove"),
)


async def label_session(params: LabelParams, call: ActionCall) -> Outcome:
    """Done when the labels are set."""
    if not call.event["session_id"]:
        return Outcome("failed", "the event names no session")
    return Outcome("done", effects=(LabelSession((*params.add,), (*params.remove,)),))
