"""What the `kwikid.` actions are, for policies and the dispatcher: how they are carried out is in `kwikid.py`."""

from __future__ import annotations

from typing import get_args

from handlers.kwikid_params import DeleteFaceParams, FakeTag, KwikidLivenessParams
from handlers.liveness import LivenessResult, known_of
from receiver.contract import ActionSpec, Words

_KNOWN = {  # the scale of its numbers is not documented
    **known_of((*get_args(FakeTag), "LOW_FACE_MATCH_SIMILARITY"), scales=()),
    "vendor_reason": Words("reason", ("real", "fake")),
}

# whether KwikID charges by the call is not published: taken as charged, so that nothing is paid for twice by our doing
LIVENESS = ActionSpec(
    name="kwikid.liveness",
    params=KwikidLivenessParams,
    description="Ask KwikID whether picture, video or both show a live person.",
    vendor="kwikid",
    billable=True,
    result=LivenessResult,
    known=_KNOWN,
    biometric=True,
)
LIVENESS_V2 = ActionSpec(
    name="kwikid.liveness_v2",
    params=KwikidLivenessParams,
    description="The same by KwikID's second version, whose answer is read with reserve: its fields are not published.",
    vendor="kwikid",
    billable=True,
    result=LivenessResult,
    known=_KNOWN,
    biometric=True,
)
DELETE_FACE = ActionSpec(
    name="kwikid.delete_face",
    params=DeleteFaceParams,
    description="Delete a face from one of KwikID's collections. One that is not there is no failure.",
    vendor="kwikid",
    destructive=True,
)
SPECS = (LIVENESS, LIVENESS_V2, DELETE_FACE)
