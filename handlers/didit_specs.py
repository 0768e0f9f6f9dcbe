"""What the `didit.` actions are, for policies and the dispatcher: how they are carried out is in `didit.py`."""

from __future__ import annotations

from handlers.didit_params import BlocklistParams, DecisionParams, FaceSearchParams, UpdateStatusParams
from handlers.didit_wire import FaceSearchResult
from receiver.contract import ActionSpec

FACE_SEARCH = ActionSpec(
    name="didit.face_search",
    params=FaceSearchParams,
    description="Search the session's face among all faces of the application. One credit per search.",
    vendor="didit",
    billable=True,
    result=FaceSearchResult,
)
BLOCKLIST_ADD = ActionSpec(
    name="didit.blocklist_add",
    params=BlocklistParams,
    description="Put face, document, phone or e-mail of the session on the blocklist.",
    vendor="didit",
    destructive=True,
)
BLOCKLIST_REMOVE = ActionSpec(
    name="didit.blocklist_remove",
    params=BlocklistParams,
    description="Take face, document, phone or e-mail of the session off the blocklist.",
    vendor="didit",
    destructive=True,
)
UPDATE_STATUS = ActionSpec(
    name="didit.update_status",
    params=UpdateStatusParams,
    description="Set the session's status. Didit answers with a status.updated webhook, which is taken for our echo.",
    vendor="didit",
    destructive=True,
    sets_status=True,
    echoes=lambda params: status if isinstance(status := params.get("status"), str) else None,
)
DECISION = ActionSpec(
    name="didit.decision",
    params=DecisionParams,
    description="Read the session's decision as it is now, without links and images.",
    vendor="didit",
)
