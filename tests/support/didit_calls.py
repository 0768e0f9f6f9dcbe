"""Every `didit.` action once: on whom, with which parameters, and which call it comes down to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from handlers.didit.client import didit_client
from handlers.images import ImageFetcher
from handlers.registry import bind
from handlers.sandbox.app import SandboxSettings, build_sandbox
from handlers.sandbox.state import Share
from handlers.sandbox.world import World
from handlers.tools import Tools
from receiver.contract import Outcome
from tests.support.action_calls import action_call
from tests.support.live_server import serve

KEY = "sandbox-key-0123456789"
SEED = 7


@dataclass(frozen=True)
class Case:
    """One action. `proof` is a condition that a rule can ask of its result; `asks` what an unreadable yes becomes."""

    name: str
    method: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    scenario: str = "clean"
    proof: str = "true"
    asks: Literal["reads", "writes"] = "writes"
    says_no_by_403: bool = False
    event: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("didit.face_search", "POST", "/v3/face-search/", {}, "duplicate", "result.total_matches >= 3"),
    Case("didit.passive_liveness", "POST", "/v3/passive-liveness/", {}, "attack", 'result.status == "Declined"'),
    Case("didit.face_match", "POST", "/v3/face-match/", {}, "clean", "result.score > 90.0"),
    Case("didit.id_verification", "POST", "/v3/id-verification/", {}, "clean", 'result.document_type != ""'),
    Case("didit.decision", "GET", "/decision/", {}, "clean", 'result.status == "Approved"', "reads"),
    Case("didit.list_sessions", "GET", "/v3/sessions/", {"limit": 3}, "clean", "result.more", "reads"),
    Case("didit.create_session", "POST", "/v3/session/", {"workflow_id": "step-up"}, "clean", "true", "reads"),
    Case("didit.delete_session", "DELETE", "/delete/", {"deletion_instruction": "asked for"}, "blocklisted", ""),
    Case(
        "didit.update_status",
        "PATCH",
        "/update-status/",
        {
            "status": "Resubmitted",
            "nodes_to_resubmit": [{"node_id": "feature_liveness", "feature": "LIVENESS"}],
        },
        "duplicate",
        'result.status == "Resubmitted"',
    ),
    Case("didit.generate_pdf", "GET", "/generate-pdf/", {}, "clean", "result.bytes > 300", says_no_by_403=True),
    Case(
        "didit.share_session",
        "POST",
        "/share/",
        {"for_application_id": "partner-1"},
        "clean",
        "result.ttl_in_seconds == 3600",
        says_no_by_403=True,
    ),
    Case("didit.import_session", "POST", "/import-shared/", {}, "clean", "true", says_no_by_403=True),
    Case("didit.blocklist_add", "POST", "/blocklist/add/", {"face": True}, "attack", '"face" in result.items'),
    Case("didit.blocklist_remove", "POST", "/blocklist/remove/", {"face": True}, "attack", '"face" in result.items'),
    Case("didit.blocklist_list", "GET", "/v3/blocklist/", {}, "clean", "result.count >= 1", "reads"),
    Case(
        "didit.list_add",
        "POST",
        "/entries/",
        {"entry_type": "ip_address", "value": "198.51.100.24"},
        "clean",
        'result.entry_type == "ip_address"',
    ),
    Case("didit.user_status", "PATCH", "/v3/users/", {"status": "BLOCKED"}, "clean", 'result.status == "BLOCKED"'),
    Case("didit.balance", "GET", "/balance/", {"low": "500"}, "clean", "result.below", "reads"),
)


class Simulated:
    """A running sandbox, seen from inside and from outside."""

    def __init__(self, url: str, world: World) -> None:
        self.url = url
        self.world = world

    def fresh(self) -> Simulated:
        """As after the start."""
        self.world.reset(SEED)
        return self

    def session(self, scenario: str) -> str:
        """The session of a scenario; another name stands for itself."""
        session_id = self.world.state.new_id(f"session:{scenario}")
        return session_id if session_id in self.world.state.sessions else scenario

    def vendor_data(self, scenario: str) -> str | None:
        """Whose session that is."""
        session = self.world.state.sessions.get(self.session(scenario))
        return session.vendor_data if session else None

    def calls(self, path: str = "") -> list[tuple[str, int | None]]:
        """Method and status of the calls that came to such a path."""
        return [(call.method, call.status) for call in self.world.calls.matching(path)]

    def fault(self, **faults: Any) -> None:
        """Set faults."""
        self.world.dice.set(self.world.dice.faults.model_validate(faults))

    def token(self, scenario: str = "clean") -> str:
        """A fresh share of that session."""
        token = self.world.state.new_id()
        self.world.state.shares[token] = Share(self.session(scenario), "partner-2", self.world.now() + 3600)
        return token


@contextmanager
def simulated(**settings: Any) -> Iterator[Simulated]:
    """A sandbox on loopback."""
    app = build_sandbox(SandboxSettings(**{"api_key": KEY, "seed": SEED, **settings}))
    with serve(app) as url:
        yield Simulated(url, app.state.world)


class Hand:
    """Runs actions as the dispatcher does, over one client."""

    def __init__(self, sandbox: Simulated, tools: Tools) -> None:
        self.sandbox = sandbox
        self.tools = tools
        self._handlers = bind(tools)

    async def __call__(self, name: str, scenario: str = "clean", params: Any = None, **how: Any) -> Outcome:
        how = {
            "session_id": self.sandbox.session(scenario),
            "vendor_data": self.sandbox.vendor_data(scenario),
            **how,
        }
        return await self._handlers[name](action_call(name, params, **how))

    async def case(self, case: Case, **how: Any) -> Outcome:
        """One of the cases above."""
        params = dict(case.params)
        if case.name == "didit.import_session":
            params["share_token"] = self.sandbox.token()
        return await self(case.name, case.scenario, params, **{**case.event, **how})


@asynccontextmanager
async def hand(sandbox: Simulated, timeout: float = 30.0) -> AsyncIterator[Hand]:  # noqa: ASYNC109 - the client's own
    """A client of the sandbox, and all actions bound to it."""
    host = sandbox.url.removeprefix("http://")
    tools = Tools({"didit": didit_client(sandbox.url, KEY, timeout)}, ImageFetcher(frozenset([host])))
    yield Hand(sandbox, tools)
    await tools.close()
