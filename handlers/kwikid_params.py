"""Parameters of the `kwikid.` actions: what a policy may write, checked before anything runs.

Facts: KwikID's ML API pages (doc.app.getkwikid.com), state of 2026-11. Defaults named here are the vendor's: what a
policy leaves out is not sent.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from handlers.liveness import Params

TUNING = (
    "enhanced_detection",
    "facematch_frames",
    "facematch_threshold",
    "frame_sampling_rate",
    "max_frames_to_analyze",
    "image_type",
)
"""The parts of the form that tune the check, as the vendor spells them."""

FakeTag = Literal["LIVENESS_FACE_ATTACK", "LOW_LIVENESS_SCORE"]


class KwikidLivenessParams(Params):
    """`POST /liveness` and `POST /v2/liveness`: a picture, a video, or both. Own: `fake_tag`, and that `image` and
    `video` are links, which are downloaded here.
    """

    image: str | None = Field(
        default=None,
        min_length=1,
        description="A link to the still picture. Left out, and without a video: the selfie of the session.",
    )
    video: str | None = Field(default=None, min_length=1, description="A link to a video (MP4, at most 20 MB).")
    enhanced_detection: bool | None = Field(
        default=None,
        description="Picture and video: look at many frames (KwikID's default), or at picture and blink only.",
    )
    facematch_frames: int | None = Field(
        default=None, ge=1, le=1000, description="How many frames are compared with the picture. KwikID's default: 3."
    )
    facematch_threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="The share of frames that must match, not a similarity. KwikID's default: 0.6.",
    )
    frame_sampling_rate: int | None = Field(
        default=None, ge=1, le=1000, description="Take each Nth frame of the video. KwikID's default: 15."
    )
    max_frames_to_analyze: int | None = Field(
        default=None, ge=1, le=10000, description="At most so many frames. KwikID's default: 20."
    )
    image_type: str | None = Field(
        default=None,
        min_length=1,
        max_length=40,
        description="How the picture is sent; here always as a file, KwikID's default. Other values are not published.",
    )
    unique_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="What KwikID notes in its log. Left out: the action's id, which tells of nobody.",
    )
    fake_tag: FakeTag = Field(
        default="LIVENESS_FACE_ATTACK",
        description="What KwikID's word `fake` is taken for: an attack, or a score that is too low.",
    )


class DeleteFaceParams(Params):
    """`POST /delete_faces_from_collection`: both are required."""

    bucket: str = Field(min_length=1, max_length=300, description="The collection.")
    external_image_id: str = Field(
        min_length=1, max_length=300, description="The id under which the face was indexed, such as your user's id."
    )
