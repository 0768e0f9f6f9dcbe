"""What `http.post` and `notify` are, for policies and the dispatcher: files of their names carry them out."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from receiver.contract import ActionSpec


class HttpPostParams(BaseModel):
    """`to` names one of `hooks` in config.yaml."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    to: Annotated[str, Field(min_length=1, max_length=64, description="The name of the receiver, under `hooks`.")]
    type: Annotated[str, Field(min_length=1, max_length=200, description="What the message is about, in your words.")]
    data: dict[str, Any] = Field(default={}, description="What the message says; may hold `{{ }}`.")


class NotifyParams(BaseModel):
    """`to` names one of `notify` in config.yaml. What is said leaves the house: name sessions, not people."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    to: Annotated[str, Field(min_length=1, max_length=64, description="The name of the channel, under `notify`.")]
    title: Annotated[str, Field(max_length=200, description="The headline.")] = ""
    message: Annotated[str, Field(min_length=1, max_length=4000, description="What to say, as plain text.")]


HTTP_POST = ActionSpec(
    name="http.post",
    params=HttpPostParams,
    description="Send a signed message to a system of yours (Standard Webhooks); retried until it answers 2xx.",
    plain=("to", "type"),
    target="hooks",
)
NOTIFY = ActionSpec(
    name="notify",
    params=NotifyParams,
    description="Tell people: Slack, e-mail, Teams and others (Apprise).",
    plain=("to",),
    target="notify",
)
