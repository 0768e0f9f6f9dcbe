"""What the `didit.` actions are, for policies and the dispatcher. Who carries them out is in `actions.py`.

`billable`: each answer costs a credit, or whether it does is not documented and taken so. `destructive`: it changes
what happens to a person, or gives data away, and cannot simply be taken back.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from handlers.didit import check_results, known, list_params, params, results, session_params
from receiver.contract import ActionSpec

_spec = partial(ActionSpec, vendor="didit")

_CHECKS: Final = (
    _spec(
        name="didit.face_search",
        params=params.FaceSearchParams,
        description="Search the session's face among all faces of the application. One credit per search.",
        billable=True,
        result=check_results.FaceSearchResult,
        known=known.FACE_SEARCH,
        biometric=True,
    ),
    _spec(
        name="didit.passive_liveness",
        params=params.PassiveLivenessParams,
        description="Check once more whether the session's selfie shows a live person. One credit per check.",
        billable=True,
        result=check_results.PassiveLivenessResult,
        known=known.PASSIVE_LIVENESS,
        biometric=True,
    ),
    _spec(
        name="didit.face_match",
        params=params.FaceMatchParams,
        description="Compare the session's selfie with its portrait, or two other pictures. One credit per check.",
        billable=True,
        result=check_results.FaceMatchResult,
        known=known.FACE_MATCH,
        biometric=True,
    ),
    _spec(
        name="didit.id_verification",
        params=params.IdVerificationParams,
        description="Read and check the session's identity document once more. One credit per check.",
        billable=True,
        result=check_results.IdVerificationResult,
        known=known.ID_VERIFICATION,
        biometric=True,
    ),
)
_SESSIONS: Final = (
    _spec(
        name="didit.decision",
        params=session_params.DecisionParams,
        description="Read the session's decision as it is now, without links and images.",
        once="event",
        known=known.SESSION,
        biometric=True,  # it tells of liveness checks and face matches
    ),
    _spec(
        name="didit.list_sessions",
        params=session_params.ListSessionsParams,
        description="List sessions, such as all of one user.",
        once="event",
        result=results.SessionsResult,
        known=known.SESSIONS,
    ),
    _spec(
        name="didit.create_session",
        params=session_params.CreateSessionParams,
        description="Open a session for a person, or get their unfinished one: to verify again, or step up.",
        billable=True,
        result=results.NewSessionResult,
        known=known.SESSION,
        biometric=True,
    ),
    _spec(
        name="didit.delete_session",
        params=session_params.DeleteSessionParams,
        description="Delete the session at Didit. What the blocklists hold of it stays.",
        destructive=True,
    ),
    _spec(
        name="didit.update_status",
        params=session_params.UpdateStatusParams,
        description="Set the session's status. Didit answers with a status.updated webhook, which is taken for our "
        "echo.",
        destructive=True,
        sets_status=True,
        result=results.SetStatusResult,
        known=known.SET_STATUS,
        echoes=lambda params: status if isinstance(status := params.get("status"), str) else None,
    ),
    _spec(
        name="didit.generate_pdf",
        params=session_params.GeneratePdfParams,
        description="Have the session's report made, and keep its size and hash.",
        once="event",
        result=results.PdfResult,
    ),
    _spec(
        name="didit.share_session",
        params=session_params.ShareSessionParams,
        description="Let another application import the session. The token is not kept.",
        destructive=True,
        result=results.ShareResult,
    ),
    _spec(
        name="didit.import_session",
        params=session_params.ImportSessionParams,
        description="Import a session that another application shared.",
        billable=True,
        result=results.ImportResult,
        known=known.SESSION,
        biometric=True,
    ),
)
_LISTS: Final = (
    _spec(
        name="didit.blocklist_add",
        params=list_params.BlocklistParams,
        description="Put face, document, phone or e-mail of the session on the blocklist.",
        destructive=True,
        result=results.BlocklistResult,
        known=known.BLOCKLIST,
    ),
    _spec(
        name="didit.blocklist_remove",
        params=list_params.BlocklistParams,
        description="Take face, document, phone or e-mail of the session off the blocklist.",
        destructive=True,
        result=results.BlocklistResult,
        known=known.BLOCKLIST,
    ),
    _spec(
        name="didit.blocklist_list",
        params=list_params.BlocklistListParams,
        description="Read which sessions' data are on the blocklist.",
        once="event",
        result=results.BlockedResult,
        known=known.BLOCKED,
    ),
    _spec(
        name="didit.list_add",
        params=list_params.ListAddParams,
        description="Put something on one of Didit's lists: an IP address, a device, and ten other kinds.",
        destructive=True,
        result=results.ListAddResult,
        known=known.LIST_ADD,
    ),
)
_ACCOUNT: Final = (
    _spec(
        name="didit.user_status",
        params=list_params.UserStatusParams,
        description="Block or flag the user, or let them in again, for all later sessions.",
        destructive=True,
        result=results.UserStatusResult,
        known=known.USER_STATUS,
    ),
    _spec(
        name="didit.balance",
        params=list_params.BalanceParams,
        description="Read the account's balance; raise an alert when it falls below a bound.",
        once="event",
        result=results.BalanceResult,
    ),
)
SPECS: Final = (*_CHECKS, *_SESSIONS, *_LISTS, *_ACCOUNT)
