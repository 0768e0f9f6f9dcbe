"""What the `kwikid.` actions are, for policies and the dispatcher: how they are carried out is in `kwikid.py`."""

from __future__ import annotations

from handlers.kwikid_params import DeleteFaceParams, KwikidLivenessParams
from handlers.liveness import LivenessResult
from receiver.contract import ActionSpec

# whether KwikID charges by the call is not published: taken as charged, so that nothing is paid for twice by our doing
LIVENESS = ActionSpec(
    name="kwikid.liveness",
    params=KwikidLivenessParams,
    description="Ask KwikID whether picture, video or both show a live person.",
    vendor="kwikid",
    billable=True,
    result=LivenessResult,
    biometric=True,
)
LIVENESS_V2 = ActionSpec(
    name="kwikid.liveness_v2",
    params=KwikidLivenessParams,
    description="The same by KwikID's second version, whose answer is read with reserve: its fields are not published.",
    vendor="kwikid",
    billable=True,
    result=LivenessResult,
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
