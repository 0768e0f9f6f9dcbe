"""PATCH /v3/session/{id}/update-status/: a person or a program moves a finished session.

Only Approved, Declined and Resubmitted can be set, and only on a session that is in one of six states; anything else is
400. A change sends `status.updated`. What setting the present state again does is a setting, see
`SandboxSettings.same_status`.
"""

from __future__ import annotations

from typing import Final, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from handlers.sandbox.decisions import review
from handlers.sandbox.replies import ApiError, boolean, choice, detail, field_error, json_body, optional_text
from handlers.sandbox.state import Session
from handlers.sandbox.webhooks import resubmit_info
from handlers.sandbox.world import World, call_of, world_of
from receiver.contract import JsonObject, JsonValue

NEW_STATUSES: Final = ("Approved", "Declined", "Resubmitted")
FROM_STATUSES: Final = ("Approved", "Declined", "In Review", "Kyc Expired", "Abandoned", "Resubmitted")

_NODE_FEATURES: Final = {
    "id_verifications": "OCR",
    "liveness_checks": "LIVENESS",
    "face_matches": "FACE_MATCH",
    "nfc_verifications": "NFC",
    "poa_verifications": "PROOF_OF_ADDRESS",
    "phone_verifications": "PHONE_VERIFICATION",
    "email_verifications": "EMAIL_VERIFICATION",
    "aml_screenings": "AML",
    "database_validations": "DATABASE_VALIDATION",
    "ip_analyses": "IP_ANALYSIS",
    "questionnaire_responses": "QUESTIONNAIRE",
}
_FEATURE_NAMES: Final = (*_NODE_FEATURES.values(), "ID_VERIFICATION", "POA")
_TO_REDO: Final = ("Declined", "In Review", "Not Finished", "Expired")


async def update_status(request: Request) -> Response:
    """Set the status; the answer holds the session's id and nothing else."""
    world = world_of(request)
    session = world.session(request.path_params["session_id"])
    body = await json_body(request)
    call_of(request).fields = {
        "session_id": session.session_id,
        **{name: body[name] for name in ("new_status", "comment", "send_email") if name in body},
    }
    new_status = choice(body.get("new_status"), "new_status", NEW_STATUSES)
    comment = optional_text(body, "comment")
    _check_email(body)
    if session.status not in FROM_STATUSES:
        raise detail(400, f"A session that is {session.status} cannot be updated.")
    nodes = _nodes(session, body) if new_status == "Resubmitted" else None
    if _changes(world, session, new_status):
        session.status = new_status
        session.reviews.append(review(new_status, comment, world.now()))
        world.announce(session, world.links(request), _resubmission(session, nodes))
    return JSONResponse({"session_id": session.session_id})


def _check_email(body: JsonObject) -> None:
    send = boolean(body.get("send_email"), "send_email", False)
    address = optional_text(body, "email_address")
    if send and not address:
        raise field_error("email_address", "This field is required when send_email is true.")
    if address is not None and "@" not in address:
        raise field_error("email_address", "Enter a valid email address.")
    optional_text(body, "email_language")


def _changes(world: World, session: Session, new_status: str) -> bool:
    """Whether anything is to be done; 400 where the state is there already and the vendor minds."""
    if session.status != new_status:
        return True
    same = world.settings.same_status
    if same == "refused" or new_status == "Resubmitted":
        raise detail(400, "The new status is the same as the current status.")
    return same == "webhook"


def _nodes(session: Session, body: JsonObject) -> list[JsonObject]:
    """The steps to be done again: those asked for, else every attempt that did not end well; none is 400."""
    asked = body.get("nodes_to_resubmit")
    if asked is None:
        nodes = _unsuccessful(session)
        if not nodes:
            raise _bad_nodes("There is nothing to resubmit.")
        return nodes
    if not isinstance(asked, list) or not asked:
        raise _bad_nodes("Expected a list of nodes.")
    return [_node(item) for item in asked]


def _node(item: JsonValue) -> JsonObject:
    if not isinstance(item, dict) or not isinstance(item.get("node_id"), str):
        raise _bad_nodes("Each node needs node_id and feature.")
    feature = item.get("feature")
    if feature not in _FEATURE_NAMES:
        raise _bad_nodes("Not a feature that can be resubmitted.")
    return {"node_id": item["node_id"], "feature": feature}


def _bad_nodes(text: str) -> ApiError:
    return field_error("nodes_to_resubmit", text)


def _unsuccessful(session: Session) -> list[JsonObject]:
    return [
        {"node_id": record.get("node_id"), "feature": _NODE_FEATURES[array]}
        for array, records in session.features.items()
        for record in records
        if record.get("status") in _TO_REDO
    ]


def _resubmission(session: Session, nodes: list[JsonObject] | None) -> JsonObject | None:
    if nodes is None:
        return None
    chosen = {str(node["node_id"]) for node in nodes}
    reasons = {
        str(record["node_id"]): _reason(record)
        for records in session.features.values()
        for record in records
        if record.get("node_id") in chosen
    }
    return {"resubmit_info": resubmit_info(nodes, reasons)}


def _reason(record: JsonObject) -> str:
    warnings = cast("list[JsonObject]", record.get("warnings") or [])
    return "; ".join(str(warning["short_description"]) for warning in warnings)
