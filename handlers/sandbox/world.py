"""All that one running sandbox is made of, handed to every endpoint as `request.app.state.world`."""

from __future__ import annotations

import secrets

from starlette.requests import Request

from handlers.sandbox.calls import Call, CallLog
from handlers.sandbox.cast import seed_state
from handlers.sandbox.delivery import Courier, Webhook
from handlers.sandbox.faults import FaultDice
from handlers.sandbox.limits import RateLimiter
from handlers.sandbox.media import Links, Media
from handlers.sandbox.opinions import Opinions
from handlers.sandbox.replies import detail
from handlers.sandbox.scenarios import Scenario, event_of
from handlers.sandbox.settings import SandboxSettings
from handlers.sandbox.state import DiditState, Session
from handlers.sandbox.webhooks import session_event
from receiver.contract import JsonObject


class World:
    """The settings and everything that changes."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.calls: CallLog
        self.limiter: RateLimiter
        self.media: Media
        self.state: DiditState
        self.opinions: Opinions
        self.indexed: dict[str, set[str]]
        self.registrations: dict[str, JsonObject]
        self.dice = FaultDice(settings.faults)
        self.courier = Courier(settings, self.dice)
        self.reset(settings.seed)

    def reset(self, seed: int | None = None) -> int:
        """Back to the beginning: the cast as it was, no calls, the faults of the settings. Gives the seed used."""
        settings = self.settings
        used = secrets.randbelow(2**31) if seed is None else seed
        self.calls = CallLog()
        self.limiter = RateLimiter(settings.limits, settings.clock)
        self.media = Media(settings.api_key, settings.clock, settings.link_seconds)
        self.state = DiditState(used, settings.balance)
        self.opinions = Opinions(used)
        self.indexed = {}  # KwikID's collections: bucket -> ids of faces
        self.registrations = {}  # Verifik's, by id
        self.dice.set(settings.faults)
        self.courier.deliveries.clear()
        seed_state(self.state, self.media, self.now())
        return used

    def now(self) -> int:
        """Unix seconds, whole."""
        return int(self.settings.clock())

    def session(self, session_id: str) -> Session:
        """The session of that id, or a 404."""
        session = self.state.sessions.get(session_id)
        if session is None:
            raise detail(404, "Session not found.")
        return session

    def links(self, request: Request) -> Links:
        """Links as the caller of this request can follow them."""
        return Links(self.media, self.settings.public_url or str(request.base_url).rstrip("/"))

    def webhook(self, scenario: Scenario, links: Links) -> Webhook:
        """The delivery of a scenario, made now."""
        document = event_of(scenario, self.state, links, self.now())
        return Webhook(document, forged=scenario.signed == "forged", console_test=scenario.session is None)

    def announce(self, session: Session, links: Links, extra: JsonObject | None = None) -> None:
        """Send the `status.updated` that a change of this session causes."""
        document = session_event(session, links, event_id=self.state.new_id(), at=self.now())
        self.courier.post(Webhook(document | (extra or {})))


def world_of(request: Request) -> World:
    """The sandbox that a request came to."""
    world: World = request.app.state.world
    return world


def call_of(request: Request) -> Call:
    """The note of this request in the list of calls."""
    call: Call = request.state.call
    return call
