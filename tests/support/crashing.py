"""kill -9 under load, again and again: what was acknowledged must be there, once, and acted on in order.

Eight senders post events as a vendor does (in order per session, again until they get a 2xx) while the receiver is
killed at random instants and started anew. A small vendor of our own, which outlives the kills, writes down every call.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from receiver.audit.note import Signer
from receiver.config import load_configuration
from receiver.store.signing import read_or_make
from receiver.store.sqlite.evidence import EvidenceFile
from receiver.wiring import open_configured_store
from tests.support.live_server import serve
from tests.support.processes import Program, free_port
from tests.support.receiver import session_event, signed, write_configuration
from tests.support.tampering import verified

SENDERS = 8
POLICY: dict[str, Any] = {
    "version": 1,
    "name": "crash",
    "rules": [
        {
            "id": "every",
            "then": [
                {
                    "didit.update_status": {"status": "Declined", "comment": "{{ event.vendor_event_id }}"},
                    "once": "event",
                },
                {"label": {"add": ["seen"]}},
                {"didit.blocklist_add": {"face": True}, "once": "event"},
            ],
        }
    ],
}

# more calls than a minute of the test can hold: what is documented (300 writes) would slow it down
UNHURRIED = {"X-RateLimit-Limit": "1000000", "X-RateLimit-Remaining": "999999"}


@dataclass
class Findings:
    """What came of it. `repeated` counts calls that the vendor saw again, `marked` the attempts that say so."""

    rounds: int = 0
    acked: int = 0
    lost: int = 0
    stored: int = 0
    duplicated: int = 0
    order_violations: int = 0
    calls: int = 0
    repeated: int = 0
    marked: int = 0
    unfinished: int = 0
    damaged: int = 0  # faults that verifying the record after a kill found
    wrong_answers: list[int] = field(default_factory=list)


class Vendor:
    """Accepts status updates and blocklistings after a few milliseconds, and writes them down as they end."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, str]] = []
        self.blocklistings: list[str] = []

    def app(self) -> Starlette:
        """Its two routes."""
        return Starlette(
            routes=[
                Route("/v3/session/{session_id}/update-status/", self._update, methods=["PATCH"]),
                Route("/v3/session/{session_id}/decision/", self._decision),
                Route("/v3/blocklist/add/", self._block, methods=["POST"]),
            ]
        )

    async def _update(self, request: Request) -> Response:
        try:
            body = await request.json()
        except ClientDisconnect:  # the receiver was killed while it sent
            return Response(status_code=400)
        self.updates.append((request.path_params["session_id"], body.get("comment", "")))
        await asyncio.sleep(random.random() * 0.01)
        return JSONResponse({"session_id": request.path_params["session_id"]}, headers=UNHURRIED)

    async def _decision(self, request: Request) -> JSONResponse:
        return JSONResponse({"session_id": request.path_params["session_id"], "status": "In Review"}, headers=UNHURRIED)

    async def _block(self, request: Request) -> Response:
        try:
            self.blocklistings.append((await request.json())["session_id"])
        except ClientDisconnect:
            return Response(status_code=400)
        await asyncio.sleep(random.random() * 0.01)
        return JSONResponse({"message": "Successfully updated blocklist."}, headers=UNHURRIED)


class Sender:
    """One vendor-like sender: a session of its own, events in order, each again until it was acknowledged."""

    def __init__(self, url: str, findings: Findings) -> None:
        self._url = url
        self._findings = findings
        self.acked: list[tuple[str, str]] = []  # vendor event id, our event id
        self.session_id = str(uuid.uuid4())

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop."""
        async with httpx.AsyncClient(timeout=5) as client:
            while not stop.is_set():
                vendor_id = str(uuid.uuid4())
                event = session_event(self.session_id, event_id=vendor_id)
                body = json.dumps(event).encode()
                while not await self._post(client, vendor_id, body):  # noqa: ASYNC110  # the event is the server's
                    await asyncio.sleep(0.02)

    async def _post(self, client: httpx.AsyncClient, vendor_id: str, body: bytes) -> bool:
        try:
            answer = await client.post(self._url, content=body, headers=signed(body))
        except httpx.HTTPError:
            return False
        if answer.status_code == 200:
            self.acked.append((vendor_id, answer.json()["event_id"]))
            return True
        if answer.status_code != 503:
            self._findings.wrong_answers.append(answer.status_code)
        return False


async def crash(folder: Path, rounds: int, seed: int) -> Findings:
    """Kill the receiver `rounds` times under load, then let it finish, and count."""
    chance, findings, vendor = random.Random(seed), Findings(rounds), Vendor()
    port = free_port()
    with serve(vendor.app()) as vendor_url:
        path = write_configuration(
            folder, POLICY, server={"port": port}, vendors={"didit": {"base_url": vendor_url, "api_key": "k" * 20}}
        )
        url = f"http://127.0.0.1:{port}"
        senders = [Sender(f"{url}/webhooks/didit", findings) for _ in range(SENDERS)]
        stop = asyncio.Event()
        sending = [asyncio.create_task(sender.run(stop)) for sender in senders]
        for _ in range(rounds):
            program = await asyncio.to_thread(_started, path, url)
            await asyncio.sleep(0.05 + chance.random())
            await asyncio.to_thread(program.kill)
            findings.damaged += await asyncio.to_thread(_damage, path.parent / "var")
        program = await asyncio.to_thread(_started, path, url)
        stop.set()
        await asyncio.wait_for(asyncio.gather(*sending), 60)
        try:
            await asyncio.to_thread(_await_idle, path)
        finally:
            await asyncio.to_thread(program.terminate)
        _count(path, senders, vendor, findings)
    return findings


def _damage(folder: Path) -> int:
    """How many faults the record has, as the killed process left it."""
    evidence = EvidenceFile(folder)
    try:
        with evidence.read() as reader:
            signer = Signer(reader.origin(), read_or_make(folder / "signing.key", signed_before=True))
    finally:
        evidence.close()
    return sum(verified(folder, signer.verifier).counts.values())


def _started(path: Path, url: str) -> Program:
    program = Program("serve", "--config", str(path), cwd=path.parent, url=url)
    program.await_ready("/healthz")
    return program


def _await_idle(path: Path, seconds: float = 120.0) -> None:
    store = open_configured_store(load_configuration(path))
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            with store.read() as reader:
                states = reader.counts()["actions"]
            if not any(states.get(state) for state in ("planned", "running", "waiting_retry")):
                return
            time.sleep(0.1)
    finally:
        store.close()


def _count(path: Path, senders: list[Sender], vendor: Vendor, findings: Findings) -> None:
    store = open_configured_store(load_configuration(path))
    order: dict[str, list[str]] = {}
    try:
        with store.read() as reader:
            stored = [event for sender in senders for event in _events(reader, sender.session_id)]
            for event in stored:
                for action in event["actions"]:
                    findings.unfinished += action["state"] not in ("done", "noop")
                    findings.marked += sum(bool(attempt.get("repeated")) for attempt in action["attempts"])
                order.setdefault(event["event"]["session_id"], []).append(event["event"]["vendor_event_id"])
    finally:
        store.close()
    ids = {event["event_id"] for event in stored}
    findings.stored = len(stored)
    findings.acked = sum(len(sender.acked) for sender in senders)
    findings.lost = sum(event_id not in ids for sender in senders for _, event_id in sender.acked)
    findings.duplicated = len(stored) - len({event["event"]["vendor_event_id"] for event in stored})
    firsts: dict[str, list[str]] = defaultdict(list)
    for session_id, vendor_id in vendor.updates:
        if vendor_id not in firsts[session_id]:
            firsts[session_id].append(vendor_id)
    findings.order_violations = sum(
        seen != expected
        for session_id, expected_ids in order.items()
        for seen, expected in zip(firsts[session_id], expected_ids, strict=True)
    )
    findings.calls = len(vendor.updates) + len(vendor.blocklistings)
    findings.repeated = findings.calls - 2 * len(stored)


def _events(reader: Any, session_id: str) -> list[Any]:
    found, after = [], None
    while True:
        page = reader.events(after, 500, session_id=session_id)
        found += [reader.event(item["event_id"], raw=False) for item in page.items]
        after = page.next
        if after is None:
            return found[::-1]
