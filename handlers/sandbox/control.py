"""The /_sandbox/ routes: look inside, switch faults, send a scenario, begin anew. No key; loopback only by default."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers.sandbox.faults import Faults
from handlers.sandbox.replies import ApiError, Endpoint, choice, detail, json_body, required_text
from handlers.sandbox.scenarios import SCENARIOS
from handlers.sandbox.state import DiditState
from handlers.sandbox.verifik import REGISTRATION_STATUSES
from handlers.sandbox.world import World, world_of
from receiver.contract import JsonObject, JsonValue


def local(endpoint: Endpoint) -> Endpoint:
    """The endpoint, for callers on this machine only, unless the settings say otherwise."""

    async def run(request: Request) -> Response:
        if not (world_of(request).settings.control_from_anywhere or _from_loopback(request)):
            return JSONResponse({"detail": "Only from this machine."}, 403)
        try:
            return await endpoint(request)
        except ApiError as error:
            return error.response()

    return run


def _from_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


async def show_state(request: Request) -> Response:
    """GET /_sandbox/state: sessions, faces, blocklist, downloads, webhooks sent. No image, no link, no body."""
    world = world_of(request)
    state = world.state
    deliveries: list[JsonValue] = [delivery.document() for delivery in world.courier.deliveries]
    return JSONResponse(
        {
            "seed": state.seed,
            "balance": str(state.balance),
            "kwikid": {bucket: sorted(faces) for bucket, faces in world.indexed.items()},
            "registrations": [*world.registrations.values()],
            "sessions": _sessions(state),
            "faces": len(state.faces),
            "users": dict(state.users),
            "codes": {email: applicant.code for email, applicant in state.applicants.items()},
            "lists": {each.entry_type: sorted(each.entries) for each in state.lists.values() if each.is_system},
            "blocklist": {
                kind: [entry.session_id for entry in entries.values()] for kind, entries in state.blocklist.items()
            },
            "downloads": dict(world.media.downloads),
            "deliveries": deliveries,
            "pending_webhooks": world.courier.pending,
            "faults": world.dice.faults.model_dump(exclude_defaults=True),
        }
    )


def _sessions(state: DiditState) -> list[JsonValue]:
    return [
        {
            "session_id": session.session_id,
            "session_number": session.number,
            "status": session.status,
            "vendor_data": session.vendor_data,
            "image": (session.newest("liveness_checks") or {}).get("reference_image"),
        }
        for session in state.sessions.values()
    ]


async def show_calls(request: Request) -> Response:
    """GET /_sandbox/calls?path=&method=: the calls that came, oldest first."""
    query = request.query_params
    calls = world_of(request).calls.matching(query.get("path", ""), query.get("method", "").upper())
    items: list[JsonValue] = [call.document() for call in calls]
    return JSONResponse({"count": len(items), "items": items})


async def show_faults(request: Request) -> Response:
    """GET /_sandbox/faults: the faults that are set."""
    return _faults(world_of(request))


async def set_faults(request: Request) -> Response:
    """POST /_sandbox/faults: these faults from now on; what the body leaves out does not happen any more."""
    body = await json_body(request)
    try:
        faults = Faults.model_validate(body)
    except ValidationError as error:
        raise detail(400, "; ".join(_problem(item["loc"], item["msg"]) for item in error.errors())) from error
    world = world_of(request)
    world.dice.set(faults)
    return _faults(world)


def _problem(place: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, place))}: {message}"


def _faults(world: World) -> Response:
    return JSONResponse(world.dice.faults.model_dump(exclude_defaults=True))


async def reset(request: Request) -> Response:
    """POST /_sandbox/reset, body empty or {"seed": n}: as after the start, with that seed or a new one."""
    world = world_of(request)
    seed = (await json_body(request)).get("seed") if await request.body() else None
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise detail(400, "seed: a whole number, or nothing.")
    await world.courier.drop()
    return JSONResponse({"seed": world.reset(seed)})


async def set_registration(request: Request) -> Response:
    """POST /_sandbox/registrations {"_id", "status", ...}: what Verifik has of one registration from now on."""
    body = await json_body(request)
    registration_id = required_text(body, "_id")
    body["status"] = choice(body.get("status"), "status", REGISTRATION_STATUSES)
    world_of(request).registrations[registration_id] = body
    return JSONResponse(body)


async def show_scenarios(request: Request) -> Response:
    """GET /_sandbox/scenarios: what can be sent, and what should come of it."""
    world = world_of(request)
    items: list[JsonObject] = [
        {
            "name": scenario.name,
            "title": scenario.title,
            "session_id": scenario.session and world.state.new_id(f"session:{scenario.session}"),
            "expected_status": scenario.expected_status,
            "expected_outcome": scenario.expected_outcome,
        }
        for scenario in SCENARIOS.values()
    ]
    return JSONResponse({"items": items})


async def deliver(request: Request) -> Response:
    """POST /_sandbox/deliver {"scenario": name}: send its webhook now; answers with what the receiver said."""
    world = world_of(request)
    name = (await json_body(request)).get("scenario")
    scenario = SCENARIOS.get(name) if isinstance(name, str) else None
    if scenario is None:
        raise detail(404, f"No such scenario; there are {', '.join(SCENARIOS)}.")
    if not world.courier.ready:
        raise detail(409, "The sandbox was started without a webhook URL and secret.")
    delivery = await world.courier.deliver(world.webhook(scenario, world.links(request)))
    return JSONResponse({"scenario": scenario.name, **delivery.document()})


ROUTES: Final = [
    Route("/_sandbox/state", local(show_state), methods=["GET"]),
    Route("/_sandbox/calls", local(show_calls), methods=["GET"]),
    Route("/_sandbox/faults", local(show_faults), methods=["GET"]),
    Route("/_sandbox/faults", local(set_faults), methods=["POST"]),
    Route("/_sandbox/reset", local(reset), methods=["POST"]),
    Route("/_sandbox/registrations", local(set_registration), methods=["POST"]),
    Route("/_sandbox/scenarios", local(show_scenarios), methods=["GET"]),
    Route("/_sandbox/deliver", local(deliver), methods=["POST"]),
]
