"""Every `didit.` action against the simulator over real HTTP: the yes, and whatever can go wrong with any call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from handlers.didit.actions import ACTIONS
from handlers.registry import bind
from receiver.errors import AnswerUnreadable, VendorError, VendorRefused, VendorUnavailable, VendorWaiting
from tests.support.action_calls import action_call
from tests.support.didit_calls import CASES, Case, Simulated, hand, simulated

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def running() -> Iterator[Simulated]:
    with simulated() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Simulated) -> Simulated:
    return running.fresh()


def test_every_action_is_among_the_cases() -> None:
    assert {case.name for case in CASES} == set(ACTIONS)


@pytest.mark.shows("success")
@every_case
async def test_a_yes(sandbox: Simulated, case: Case) -> None:
    """The call is made once, as the reference has it, and asks that nothing be kept."""
    async with hand(sandbox) as run:
        outcome = await run.case(case)
    assert (outcome.state, outcome.reason) == ("done", None)
    assert sandbox.calls(case.path)[-1][0] == case.method
    kept = [call.fields.get("save_api_request") for call in sandbox.world.calls.matching(case.path)]
    assert set(kept) <= {False, None}


FAULTS = ["rate_limited", "error_500", "error_503", "malformed_json", "oversized", "wrong_content_type"]


@pytest.mark.shows("error")
@pytest.mark.parametrize("fault", FAULTS)
@every_case
async def test_a_fault_of_the_answer(sandbox: Simulated, case: Case, fault: str) -> None:
    """A no that may pass is tried again. A yes that cannot be read may have had its effect, and is told apart, except
    where asking again changes nothing.
    """
    details: dict[str, Any] = {"next": 1, "path": case.path, "seconds": 7.0, "size": 25_000_000}
    async with hand(sandbox) as run:
        token = sandbox.token() if case.name == "didit.import_session" else None
        sandbox.fault(**{fault: details})
        with pytest.raises(VendorError) as caught:
            await run(case.name, case.scenario, {**case.params, **({"share_token": token} if token else {})})
    unreadable = case.asks == "writes" and fault not in ("rate_limited", "error_500", "error_503")
    assert type(caught.value) is (AnswerUnreadable if unreadable else VendorUnavailable)
    if fault in ("rate_limited", "error_503"):
        assert getattr(caught.value, "retry_after", None) == 7.0


@pytest.mark.shows("error", kind="drop")
@every_case
async def test_a_connection_that_drops(sandbox: Simulated, case: Case) -> None:
    """Whether before the answer or within it is a matter of luck where a picture is still on its way."""
    async with hand(sandbox) as run:
        token = sandbox.token() if case.name == "didit.import_session" else None
        sandbox.fault(drop={"next": 1, "path": case.path, "after_effect": True})
        with pytest.raises((AnswerUnreadable, VendorUnavailable)):
            await run(case.name, case.scenario, {**case.params, **({"share_token": token} if token else {})})


@pytest.mark.shows("error", kind="slow")
@every_case
async def test_no_answer_in_time(sandbox: Simulated, case: Case) -> None:
    async with hand(sandbox, 0.4) as run:
        token = sandbox.token() if case.name == "didit.import_session" else None
        sandbox.fault(slow={"next": 1, "path": case.path, "seconds": 2.0})
        with pytest.raises(VendorUnavailable, match="timed out"):
            await run(case.name, case.scenario, {**case.params, **({"share_token": token} if token else {})})


@pytest.mark.shows("error")
@pytest.mark.parametrize(("fault", "status"), [("unauthorized", 401), ("forbidden", 403)])
@every_case
async def test_credentials_refused(sandbox: Simulated, case: Case, fault: str, status: int) -> None:
    """The vendor is parked, and an alert is raised once; unless the operation says no to its own subject by 403. Of a
    401 the words tell: the sandbox's is about the key, also where a session is shared.
    """
    own_no = case.says_no_by_403 and status == 403
    async with hand(sandbox) as run:
        token = sandbox.token() if case.name == "didit.import_session" else None
        params = {**case.params, **({"share_token": token} if token else {})}
        sandbox.fault(**{fault: {"next": 1, "path": case.path}})
        with pytest.raises(VendorError) as caught:
            await run(case.name, case.scenario, params)
        assert run.tools.clients["didit"].parked is not own_no
    assert type(caught.value) is (VendorRefused if own_no else VendorWaiting)
    assert caught.value.http_status == status
    if isinstance(caught.value, VendorWaiting):
        assert (caught.value.alert or "").startswith(f"didit is parked: HTTP {status}")


NOBODY: dict[str, Any] = {"session_id": "nobody-1", "vendor_data": "nobody-1"}
NAMELESS = {f"didit.{name}" for name in ("list_sessions", "create_session", "blocklist_list", "list_add", "balance")}


@pytest.mark.shows("error", kind="refused")
@pytest.mark.parametrize("case", [case for case in CASES if case.name not in NAMELESS], ids=lambda case: case.name)
async def test_a_session_or_user_that_didit_does_not_know(sandbox: Simulated, case: Case) -> None:
    """404 is a final no."""
    params = {**case.params, **({"share_token": "no-such-token"} if case.name == "didit.import_session" else {})}
    async with hand(sandbox) as run:
        with pytest.raises(VendorRefused) as caught:
            await run(case.name, case.scenario, params, **NOBODY)
    assert caught.value.http_status == 404


@pytest.mark.parametrize("case", [case for case in CASES if case.name in NAMELESS], ids=lambda case: case.name)
async def test_what_names_no_session_does_not_ask_for_one(sandbox: Simulated, case: Case) -> None:
    async with hand(sandbox) as run:
        assert (await run(case.name, case.scenario, case.params, **NOBODY)).state == "done"


CHARGED = [case for case in CASES if case.name.removeprefix("didit.") in {
    "face_search", "passive_liveness", "face_match", "id_verification"}]  # fmt: skip


@pytest.mark.shows("error", kind="no credits")
@pytest.mark.parametrize("case", CHARGED, ids=lambda case: case.name)
async def test_without_credits_nothing_more_is_sent(case: Case) -> None:
    with simulated(balance=0) as sandbox:
        async with hand(sandbox) as run:
            with pytest.raises(VendorWaiting, match="parked: HTTP 403: Not enough credits") as caught:
                await run.case(case)
            assert caught.value.alert is not None
    assert sandbox.calls(case.path) == [("POST", 403)]


@pytest.mark.parametrize("case", CHARGED, ids=lambda case: case.name)
async def test_a_repeated_check_says_that_it_may_be_charged_twice(sandbox: Simulated, case: Case) -> None:
    async with hand(sandbox) as run:
        outcome = await run.case(case, repeated=True)
    assert (outcome.state, outcome.reason) == (
        "done",
        "repeated after an interruption: Didit may have charged twice",
    )


@pytest.mark.shows("error", kind="file refused")
@pytest.mark.parametrize("case", CHARGED, ids=lambda case: case.name)
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"GIF89a" + b"\x00" * 50, "not of a kind that is taken"),
        (b"", "not of a kind that is taken"),
        (b"\xff\xd8\xff" + b"\x00" * (5 * 1024 * 1024), "5242883 bytes, more than 5242880"),
    ],
    ids=["gif", "empty", "too large"],
)
async def test_a_file_is_checked_before_the_upload(sandbox: Simulated, case: Case, content: bytes, what: str) -> None:
    """No call is made, nothing is charged."""
    name = "front_image" if case.name == "didit.id_verification" else "image"
    async with hand(sandbox) as run:
        call = replace(action_call(case.name, case.params), files={name: content})
        with pytest.raises(VendorRefused, match=f"{name}: the file .*{what}"):
            await bind(run.tools)[case.name](call)
    assert sandbox.calls() == []
