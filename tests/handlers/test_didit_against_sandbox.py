"""The `didit.` actions against the simulator, over real HTTP: not what is sent, but what has changed afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from handlers.didit.client import didit_client
from handlers.images import ImageFetcher
from handlers.registry import bind
from handlers.sandbox.app import SandboxSettings, build_sandbox
from handlers.tools import Tools
from receiver.contract import Outcome
from receiver.errors import AnswerUnreadable, VendorError, VendorRefused, VendorUnavailable, VendorWaiting
from tests.support.action_calls import action_call
from tests.support.live_server import serve

KEY = "sandbox-key-0123456789"


class Sandbox:
    """The simulator from outside: its control routes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control = httpx.Client(base_url=url, trust_env=False)
        scenarios = self.control.get("/_sandbox/scenarios").json()["items"]
        self.sessions = {item["name"]: item["session_id"] for item in scenarios}

    def state(self) -> Any:
        return self.control.get("/_sandbox/state").json()

    def status(self, session_id: str) -> str:
        (status,) = [s["status"] for s in self.state()["sessions"] if s["session_id"] == session_id]
        return str(status)

    def calls(self, path: str = "") -> list[tuple[str, str, int]]:
        items = self.control.get("/_sandbox/calls", params={"path": path}).json()["items"]
        return [(item["method"], item["path"], item["status"]) for item in items]

    def fault(self, **faults: Any) -> None:
        assert self.control.post("/_sandbox/faults", json=faults).status_code == 200


@pytest.fixture(params=[{}])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with serve(build_sandbox(SandboxSettings(api_key=KEY, seed=7, **request.param))) as url:
        sandbox = Sandbox(url)
        yield sandbox
        sandbox.control.close()


Run = Callable[..., Awaitable[Outcome]]


@pytest.fixture
async def run(sandbox: Sandbox) -> AsyncIterator[Run]:
    """Runs an action on the session of a scenario."""
    tools = Tools(
        {"didit": didit_client(sandbox.url, KEY)}, ImageFetcher(frozenset([sandbox.url.removeprefix("http://")]))
    )
    handlers = bind(tools)

    async def call(name: str, scenario: str, params: Any = None, **how: Any) -> Outcome:
        how = {"session_id": sandbox.sessions.get(scenario, scenario), "vendor_data": None, **how}
        return await handlers[name](action_call(name, params, **how))

    yield call
    await tools.close()


async def test_a_face_search_finds_the_twins_and_not_the_session_itself(run: Run, sandbox: Sandbox) -> None:
    """The sandbox gives the own face back first, as Didit does; three earlier customers and a look-alike are left."""
    sessions_before = len(sandbox.state()["sessions"])
    outcome = await run("didit.face_search", "duplicate")
    result: Any = outcome.result
    assert outcome.state == "done"
    assert (result["total_matches"], result["vendor_total"]) == (4, 5)
    assert [round(match["similarity"]) for match in result["matches"]] == [96, 94, 91, 75]
    assert sandbox.sessions["duplicate"] not in {match["session_id"] for match in result["matches"]}
    assert len(sandbox.state()["sessions"]) == sessions_before
    assert [call[2] for call in sandbox.calls()] == [200, 200, 200]


async def test_weak_matches_are_left_out(run: Run) -> None:
    result: Any = (await run("didit.face_search", "duplicate", {"min_similarity": 90})).result
    assert result["total_matches"] == 3


async def test_a_blocklisted_face_is_told(run: Run) -> None:
    result: Any = (await run("didit.face_search", "blocklisted")).result
    assert result["status"] == "Declined"
    assert "FACE_IN_BLOCKLIST" in [warning["tag"] for warning in result["warnings"]]
    assert [match["is_blocklisted"] for match in result["matches"]].count(True) == 1


async def test_a_face_goes_on_the_blocklist_and_off_again(run: Run, sandbox: Sandbox) -> None:
    session_id = sandbox.sessions["attack"]
    assert (await run("didit.blocklist_add", "attack", {"face": True, "document": True})).state == "done"
    blocked = sandbox.state()["blocklist"]
    assert session_id in blocked["face"]
    assert session_id in blocked["document"]
    assert (await run("didit.blocklist_add", "attack", {"face": True})).state == "done"
    assert (await run("didit.blocklist_remove", "attack", {"face": True})).state == "done"
    blocked = sandbox.state()["blocklist"]
    assert session_id not in blocked["face"]
    assert session_id in blocked["document"]


async def test_a_status_is_set_and_read_back(run: Run, sandbox: Sandbox) -> None:
    outcome = await run("didit.update_status", "duplicate", {"status": "Declined", "comment": "twins"})
    assert outcome.state == "done"
    assert sandbox.status(sandbox.sessions["duplicate"]) == "Declined"
    result: Any = (await run("didit.decision", "duplicate")).result
    assert result["status"] == "Declined"
    assert result["reviews"][-1]["comment"] == "twins"
    assert "sig=" not in str(result)


@pytest.mark.parametrize("sandbox", [{"same_status": "refused"}], indirect=True)
async def test_a_status_that_is_there_already_is_a_noop(run: Run, sandbox: Sandbox) -> None:
    params = {"status": "Declined"}
    assert (await run("didit.update_status", "duplicate", params)).state == "done"
    assert (await run("didit.update_status", "duplicate", params)).state == "noop"
    repeated = await run("didit.update_status", "duplicate", params, repeated=True)
    assert (repeated.state, repeated.reason) == ("done", "had taken effect before the interruption")
    assert [call[2] for call in sandbox.calls("update-status")] == [200, 400]


async def test_a_change_of_an_approved_session_to_resubmitted_is_refused(run: Run) -> None:
    """Nothing is wrong with it, so there is nothing to do again."""
    with pytest.raises(VendorRefused, match="HTTP 400: nodes_to_resubmit: There is nothing to resubmit"):
        await run("didit.update_status", "clean", {"status": "Resubmitted"})


async def test_named_steps_are_done_again(run: Run, sandbox: Sandbox) -> None:
    nodes = [{"node_id": "feature_liveness", "feature": "LIVENESS"}]
    await run("didit.update_status", "clean", {"status": "Resubmitted", "nodes_to_resubmit": nodes})
    assert sandbox.status(sandbox.sessions["clean"]) == "Resubmitted"


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("didit.face_search", {}),
        ("didit.blocklist_add", {"face": True}),
        ("didit.update_status", {"status": "Declined"}),
    ],
)
async def test_a_session_that_didit_does_not_know(run: Run, name: str, params: Any) -> None:
    with pytest.raises(VendorRefused, match="HTTP 404: Session not found"):
        await run(name, "no-such-session", params)


@pytest.mark.parametrize("sandbox", [{"link_seconds": -1.0}], indirect=True)
async def test_an_expired_link_is_read_anew_and_then_given_up(run: Run, sandbox: Sandbox) -> None:
    with pytest.raises(VendorUnavailable, match="image download: HTTP 403"):
        await run("didit.face_search", "duplicate")
    with pytest.raises(VendorRefused, match="no longer there"):
        await run("didit.face_search", "duplicate", attempt=2)
    assert [call[0] for call in sandbox.calls("/decision/")] == ["GET", "GET"]
    assert sandbox.calls("face-search") == []


@pytest.mark.parametrize("sandbox", [{"balance": 0}], indirect=True)
async def test_without_credits_the_vendor_is_parked(run: Run, sandbox: Sandbox) -> None:
    """Nothing more is sent, also not by other actions."""
    for _ in range(3):
        with pytest.raises(VendorWaiting, match="parked: HTTP 403: Not enough credits"):
            await _in_a_task_of_its_own(run("didit.face_search", "duplicate"))
    assert len(sandbox.calls("face-search")) == 1
    assert len(sandbox.calls()) == 3


async def _in_a_task_of_its_own(work: Awaitable[Outcome]) -> Outcome:
    async def wrapped() -> Outcome:
        return await work

    return await asyncio.create_task(wrapped())


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_key_parks_the_vendor(sandbox: Sandbox, status: int) -> None:
    sandbox.fault(**{"unauthorized" if status == 401 else "forbidden": {"next": 1}})
    tools = Tools({"didit": didit_client(sandbox.url, KEY)}, ImageFetcher())
    with pytest.raises(VendorWaiting) as caught:
        await bind(tools)["didit.decision"](action_call("didit.decision", session_id=sandbox.sessions["clean"]))
    assert (caught.value.http_status, caught.value.seconds) == (status, 60.0)
    await tools.close()


@pytest.mark.parametrize(
    ("fault", "error", "happened"),
    [
        ("rate_limited", VendorUnavailable, False),
        ("error_500", VendorUnavailable, False),
        ("error_503", VendorUnavailable, False),
        ("drop", AnswerUnreadable, False),
        ("malformed_json", AnswerUnreadable, True),
        ("oversized", AnswerUnreadable, True),
        ("wrong_content_type", AnswerUnreadable, True),
    ],
)
async def test_faults_of_the_answer_to_a_write(
    run: Run, sandbox: Sandbox, fault: str, error: type[VendorError], happened: bool
) -> None:
    """A yes whose rest cannot be read may have had its effect: that is told apart from trouble before it."""
    size = {"size": 6_000_000} if fault == "oversized" else {}
    sandbox.fault(**{fault: {"next": 1, "path": "blocklist/add", **size}})
    with pytest.raises(error) as caught:
        await run("didit.blocklist_add", "attack", {"face": True})
    assert type(caught.value) is error
    assert (sandbox.sessions["attack"] in sandbox.state()["blocklist"]["face"]) is happened
