"""What the `verifik.` actions are, for policies and the dispatcher: how they are carried out is in `verifik.py`."""

from __future__ import annotations

from handlers.liveness import LivenessResult, known_of
from handlers.verifik_params import AppRegistrationParams, VerifikLivenessParams
from handlers.verifik_wire import REASONS, TAGS, VENDOR_STATUSES, AppRegistrationResult
from receiver.contract import SESSION_STATUSES, ActionSpec, Range, Words

_SHARE = Range(0, 1)

LIVENESS = ActionSpec(
    name="verifik.liveness",
    params=VerifikLivenessParams,
    description="Ask Verifik whether the picture shows a live person. Charged by the call.",
    vendor="verifik",
    billable=True,
    result=LivenessResult,
    known={
        **known_of(TAGS, scales=("0-1",)),
        "score": _SHARE,
        "min_score": _SHARE,
        "vendor_reason": Words("reason", REASONS, closed=True),
    },
    biometric=True,
)
APP_REGISTRATION = ActionSpec(
    name="verifik.app_registration",
    params=AppRegistrationParams,
    description="Read the registration that the event is about, as it is now.",
    vendor="verifik",
    once="event",  # it is read anew for each event: an unsigned delivery is held against what it says now
    result=AppRegistrationResult,
    known={
        "status": Words("status", SESSION_STATUSES),
        "vendor_status": Words("status of Verifik", VENDOR_STATUSES),
    },
    biometric=True,  # it may tell of faces
)
SPECS = (LIVENESS, APP_REGISTRATION)
