"""A budget an hour for billable and destructive calls: what is over it waits for a person, over restarts too."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.support.receiver import liveness, running, session_event
from tests.support.vendor_stub import answer, vendor_stub

POLICY: dict[str, Any] = {
    "version": 1,
    "name": "budget",
    "rules": [
        {
            "id": "block",
            "tags": {"any": ["LIVENESS_FACE_ATTACK"]},
            "then": [{"didit.blocklist_add": {"face": True}}, {"didit.decision": {}}],
        }
    ],
}


def vendor(most: int) -> dict[str, Any]:
    return {"didit": {"base_url": "http://127.0.0.1:9", "api_key": "k" * 20, "budget": {"destructive": most}}}


def states(receiver: Any, name: str) -> list[tuple[str, str | None]]:
    items = receiver.api("/api/actions").json()["items"]
    return [(item["state"], item["reason"]) for item in reversed(items) if item["name"] == name]


def test_what_is_over_the_budget_waits_for_a_person(tmp_path: Path) -> None:
    waiting = ("awaiting_approval", "over the budget of 2 calls an hour (didit destructive)")
    with running(tmp_path, POLICY, vendors=vendor(2)) as receiver:
        for n in range(3):
            receiver.send(session_event(f"s{n}", decision=liveness("LIVENESS_FACE_ATTACK")))
        assert [state == "awaiting_approval" for state, _ in states(receiver, "didit.blocklist_add")] == [
            False,
            False,
            True,
        ]
        assert states(receiver, "didit.blocklist_add")[2] == waiting
        assert all(state != "awaiting_approval" for state, _ in states(receiver, "didit.decision"))  # reading is free
    with running(tmp_path, POLICY, vendors=vendor(2)) as receiver:
        receiver.send(session_event("s3", decision=liveness("LIVENESS_FACE_ATTACK")))
        assert states(receiver, "didit.blocklist_add")[3] == waiting


def test_no_calls_at_all(tmp_path: Path) -> None:
    with running(tmp_path, POLICY, vendors=vendor(0)) as receiver:
        receiver.send(session_event("s0", decision=liveness("LIVENESS_FACE_ATTACK")))
        assert [state for state, _ in states(receiver, "didit.blocklist_add")] == ["awaiting_approval"]


async def test_no_more_calls_at_a_time_than_the_vendor_is_allowed(tmp_path: Path) -> None:
    at_once, most = 0, 0

    async def slow(writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.4)  # longer than a delivery takes, so that they pile up
        at_once -= 1
        writer.write(answer(200, {"status": "In Review"}))
        await writer.drain()

    rule: dict[str, Any] = {"id": "read", "then": [{"didit.decision": {}}]}
    async with vendor_stub(slow) as stub:
        account = {"base_url": stub.url, "api_key": "k" * 20, "concurrency": 2}
        policy: dict[str, Any] = {"version": 1, "name": "two", "rules": [rule]}

        def deliver() -> None:
            with running(tmp_path, policy, vendors={"didit": account}) as receiver:
                ids = [receiver.send(session_event(f"s{n}")).json()["event_id"] for n in range(8)]
                assert [receiver.settled(each)["actions"][0]["state"] for each in ids] == ["done"] * 8

        await asyncio.to_thread(deliver)
    assert most == 2
