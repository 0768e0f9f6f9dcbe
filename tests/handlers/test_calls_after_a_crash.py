"""A process dies while a call is in flight (I4): what the next one does, for every action that calls somebody.

Each time the vendor has carried the call out, and nobody has heard of it: the attempt was claimed, its lease runs out.
Where the vendor lets us look, it is looked up and not called again; elsewhere it is called again, the record says
`repeated`, and the reason says what that may have cost.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handlers.clients import CLIENTS
from handlers.images import ImageFetcher
from handlers.registry import bind
from handlers.specs import SPECS
from handlers.targets import Channel, Hook
from handlers.tools import Tools
from receiver.contract import Handler
from receiver.dispatch.dispatcher import call_of
from receiver.errors import VendorError
from receiver.store.sqlite.store import open_store
from tests.support.didit_calls import KEY, Case, Simulated, simulated
from tests.support.didit_sandbox import Inbox
from tests.support.dispatching import Clock, Yard, planned
from tests.support.every_call import CUSTOMER, EVERY, came, places, prepare

CHARGED = "repeated after an interruption: Didit may have charged twice"
COUNTED = "repeated after an interruption: {} may count two checks"
LOOKED_UP = "had taken effect before the interruption"


@dataclass(frozen=True)
class After:
    """How the action ends, and with which methods the second process calls at the path of the call."""

    state: str = "done"
    reason: str | None = None
    again: tuple[str, ...] | None = None  # None: the call's own method, once


AFTER = {
    "didit.face_search": After(reason=CHARGED),
    "didit.passive_liveness": After(reason=CHARGED),
    "didit.face_match": After(reason=CHARGED),
    "didit.id_verification": After(reason=CHARGED),
    "didit.decision": After(),
    "didit.list_sessions": After(),
    "didit.create_session": After(),  # Didit gives the unfinished one back: see below
    "didit.delete_session": After(reason=LOOKED_UP),  # by its 404
    "didit.update_status": After(reason=LOOKED_UP, again=()),
    "didit.generate_pdf": After(),
    "didit.share_session": After(reason="repeated after an interruption: there may be two tokens"),
    "didit.import_session": After(
        "failed", "HTTP 403: The session was imported before.; an earlier attempt may have imported it"
    ),
    "didit.blocklist_add": After(),  # sets a value
    "didit.blocklist_remove": After(),
    "didit.blocklist_list": After(),
    "didit.list_add": After(reason=LOOKED_UP, again=("GET",)),
    "didit.user_status": After(),  # sets a value
    "didit.balance": After(),
    "kwikid.liveness": After(reason=COUNTED.format("KwikID")),
    "kwikid.liveness_v2": After(reason=COUNTED.format("KwikID")),
    "kwikid.delete_face": After("noop", "the face is not in the collection"),
    "verifik.liveness": After(reason=COUNTED.format("Verifik")),
    "verifik.app_registration": After(),
    "http.post": After(),  # its id tells the receiver: see below
    "notify": After(),  # the message says so itself: see below
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Simulated]:
    with simulated() as running:
        yield running


@pytest.fixture(scope="module")
def box() -> Iterator[Inbox]:
    with places() as listening:
        yield listening


@pytest.fixture
async def handlers(sandbox: Simulated, box: Inbox) -> AsyncIterator[dict[str, Handler]]:
    clients = {name: CLIENTS[name](sandbox.url, KEY, 20.0) for name in ("didit", "kwikid", "verifik")}
    tools = Tools(
        clients,
        ImageFetcher(frozenset([sandbox.url.removeprefix("http://")])),
        {"core": Hook("core", box.url, CUSTOMER)},
        {"ops": Channel("ops", box.url.replace("http://", "json://"))},
    )
    yield bind(tools)
    await tools.close()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    clock = Clock()
    store = open_store(tmp_path, clock=clock)
    yield Yard(store, clock)
    store.close()


def test_every_call_has_its_line() -> None:
    assert set(AFTER) == {case.name for case in EVERY}


async def _die_in_flight(yard: Yard, handler: Handler, sandbox: Simulated, case: Case) -> None:
    """A process claims the action, the vendor carries its call out, and neither the answer nor the end is recorded."""
    (claim,) = await yard.store.run(lambda tx: tx.claim("dead", yard.clock(), yard.clock() + 10_000, 5))
    sandbox.fault(drop={"next": 1, "path": case.path, "after_effect": True})
    with contextlib.suppress(VendorError):
        await handler(call_of(claim))
    sandbox.fault()
    yard.clock.offset += 11_000


async def _taken_over(yard: Yard, handlers: dict[str, Handler], action_id: str) -> dict[str, Any]:
    async with yard.running(handlers, SPECS, owner="second"):
        await yard.ended(action_id)
    return yard.action(action_id)


async def _crashed(
    yard: Yard, handlers: dict[str, Handler], sandbox: Simulated, box: Inbox, case: Case
) -> tuple[dict[str, Any], list[str], list[str]]:
    """The action as it ended, and what came to the path of its call from either process."""
    ready = prepare(sandbox, case)
    before = len(came(sandbox, box, case))
    document = {"vendor_data": sandbox.vendor_data(case.scenario)}
    asked = planned(case.name, needs=SPECS[case.name].needs(ready.params), **ready.params)
    (action_id,) = yard.plan(sandbox.session(case.scenario), asked, **document)
    await _die_in_flight(yard, handlers[case.name], sandbox, case)
    first = came(sandbox, box, case)[before:]
    action = await _taken_over(yard, handlers, action_id)
    return action, first, came(sandbox, box, case)[before + len(first) :]


@pytest.mark.shows("crash")
@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.name)
async def test_what_was_in_flight(
    yard: Yard, handlers: dict[str, Handler], sandbox: Simulated, box: Inbox, case: Case
) -> None:
    expected = AFTER[case.name]
    action, first, again = await _crashed(yard, handlers, sandbox, box, case)
    assert first[-1] == case.method, "the call was not in flight"
    assert (action["state"], action["reason"]) == (expected.state, expected.reason)
    assert [attempt["outcome"] for attempt in action["attempts"]] == ["lost", action["attempts"][-1]["outcome"]]
    assert [bool(attempt.get("repeated")) for attempt in action["attempts"]] == [False, True]
    assert tuple(again) == (expected.again if expected.again is not None else (case.method,))


def _of(name: str) -> Case:
    (case,) = [case for case in EVERY if case.name == name]
    return case


async def test_no_second_session_is_made(yard: Yard, handlers: Any, sandbox: Simulated, box: Inbox) -> None:
    sessions = len(sandbox.fresh().world.state.sessions)
    action, *_ = await _crashed(yard, handlers, sandbox, box, _of("didit.create_session"))
    assert action["state"] == "done"
    assert len(sandbox.world.state.sessions) == sessions + 1


async def test_nothing_stands_twice_on_a_list(yard: Yard, handlers: Any, sandbox: Simulated, box: Inbox) -> None:
    await _crashed(yard, handlers, sandbox, box, _of("didit.list_add"))
    (listed,) = [each for each in sandbox.world.state.lists.values() if each.entry_type == "ip_address"]
    assert [entry.value for entry in listed.entries.values()] == ["198.51.100.24"]


async def test_a_value_that_is_set_twice_is_set_once(yard: Yard, handlers: Any, sandbox: Simulated, box: Inbox) -> None:
    await _crashed(yard, handlers, sandbox, box, _of("didit.blocklist_add"))
    blocked = [entry.session_id for entry in sandbox.world.state.blocklist["face"].values()]
    assert blocked.count(sandbox.session("attack")) == 1


async def test_messages_can_be_told_for_repeats(yard: Yard, handlers: Any, sandbox: Simulated, box: Inbox) -> None:
    """By the same id where a program reads, in words where a person does."""
    before = len(box.deliveries)
    await _crashed(yard, handlers, sandbox, box, _of("http.post"))
    assert len(box.deliveries[before:]) == 2
    assert len({(headers["webhook-id"], body) for headers, body in box.deliveries[before:]}) == 1
    before = len(box.deliveries)
    await _crashed(yard, handlers, sandbox, box, _of("notify"))
    assert ["may be a repeat" in body.decode() for _, body in box.deliveries[before:]] == [False, True]


async def test_what_came_from_a_session_cannot_be_looked_up_and_is_repeated(
    yard: Yard, handlers: dict[str, Handler], sandbox: Simulated
) -> None:
    """Didit took the value, and we do not know it. Whether the 400 means that it is there is not documented."""
    sandbox.fresh()
    (action_id,) = yard.plan(
        sandbox.session("attack"), planned("didit.list_add", needs="didit", entry_type="face", from_session=True)
    )
    await _die_in_flight(yard, handlers["didit.list_add"], sandbox, Case("", "POST", "/entries/"))
    action = await _taken_over(yard, handlers, action_id)
    assert (action["state"], action["attempts"][-1]["repeated"]) == ("failed", True)
    assert action["reason"].endswith("; an earlier attempt may have added it")
    assert [method for method, _ in sandbox.calls("/entries/")] == ["POST", "POST"]
