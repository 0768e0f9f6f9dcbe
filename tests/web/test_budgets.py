"""A budget an hour for billable and destructive calls: what is over it waits for a person, over restarts too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.receiver import liveness, running, session_event

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
