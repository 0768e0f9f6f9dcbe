"""`/api/policy...`: the version in force and those before it; to check, to simulate and to publish another one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.backtest import MAX_EVENTS, Job, moment, run_apart
from receiver.contract import JsonObject, JsonValue
from receiver.deeds import mass_read
from receiver.errors import ConfigurationError, NotFound, Problem
from receiver.publication import Outdated, Version, read_content
from receiver.store.documents import iso
from receiver.store.shapes import Page
from receiver.web.access import leave_access
from receiver.web.answers import JsonAnswer, error
from receiver.web.auth import Caller
from receiver.web.body import read_body, while_wanted
from receiver.web.guard import Guard, only_known, whole_number
from receiver.wiring import System

MAX_POLICY: Final = 1024**2  # bytes
EVENTS: Final = 100_000  # of one simulation, unless `limit` says otherwise


class PolicyApi:
    """The endpoints over one system. Compiling is done in threads, one policy at a time; simulating in a process."""

    def __init__(self, system: System, guard: Guard) -> None:
        self._system = system
        self._guard = guard
        self._compiling = asyncio.Lock()
        self._simulating = asyncio.Lock()

    def routes(self) -> list[Route]:
        """The routes below `/api/policy`."""
        return [
            Route("/api/policy", self._guard("read", self._shown)),
            Route("/api/policy", self._guard("publish", self._publish), methods=["PUT"]),
            Route("/api/policy/check", self._guard("try_policy", self._check), methods=["POST"]),
            Route("/api/policy/simulate", self._guard("try_policy", self._simulate), methods=["POST"]),
            Route("/api/policy/versions", self._guard("read", self._versions)),
            Route("/api/policy/versions/{sha256}", self._guard("read", self._version)),
        ]

    async def _shown(self, request: Request, caller: Caller) -> Response:
        return self._answer(self._system.policy.version, caller)

    async def _check(self, request: Request, caller: Caller) -> Response:
        only_known(request, "file")
        body = await self._body(request)
        try:
            async with self._compiling:
                proposed = await run_in_threadpool(self._propose, body, request.query_params.get("file"))
            problems: Sequence[Problem] = proposed.policy.warnings
        except ConfigurationError as refused:
            problems = refused.problems
        errors = sum(problem.severity == "error" for problem in problems)
        return JsonAnswer({"errors": errors, "warnings": len(problems) - errors, "findings": _findings(problems)})

    def _propose(self, body: bytes, file: str | None) -> Version:
        return self._system.policy.propose(read_content(body), file)

    async def _publish(self, request: Request, caller: Caller) -> Response:
        """Needs `If-Match`: the ETag of the version that was edited, in quotes. `*` and weak tags name none."""
        only_known(request, "file")
        tags = [tag.strip() for given in request.headers.getlist("if-match") for tag in given.split(",")]
        if not tags:
            said = 'send `If-Match: "<sha256>"` with the version that was edited: the ETag of GET /api/policy'
            return error(428, "precondition_required", said)
        body = await self._body(request)
        running = self._system.policy.version.policy.ref.sha256
        edited_from = running if f'"{running}"' in tags else ""
        file, actor = request.query_params.get("file"), f"token:{caller.name}"
        publish = self._system.policy.publish
        try:
            async with self._compiling:
                return self._answer(await run_in_threadpool(publish, body, file, edited_from, actor), caller)
        except Outdated as fault:
            return error(412, "outdated", str(fault))
        except ConfigurationError as refused:
            return _refused(refused)

    async def _simulate(self, request: Request, caller: Caller) -> Response:
        only_known(request, "file", "since", "until", "limit")
        ask, now = request.query_params.get, self._system.clock()
        since = moment(ask("since", "30d"), now)
        until = moment(ask("until", ""), now) if ask("until") else now + 1  # what came in this millisecond counts too
        limit = whole_number(request, "limit", EVENTS, MAX_EVENTS)
        body = await self._body(request)
        documents = self._system.policy.texts_with(read_content(body), ask("file"))
        if self._simulating.locked():
            return error(429, "busy", "another simulation is running: wait for its end", {"retry-after": "10"})
        data_dir = str(self._system.configuration.settings.data_dir)
        inline = self._system.policy.version.inline
        key = self._system.configuration.settings.audit.master_key
        job = Job(data_dir, documents, inline, since, until, limit, key)
        try:
            async with self._simulating:
                await self._leave_access(caller, since, until, limit)
                return JsonAnswer(await while_wanted(request.receive, run_apart(job)))
        except ConfigurationError as refused:
            return _refused(refused)

    async def _leave_access(self, caller: Caller, since: int, until: int, limit: int) -> None:
        """One entry for all bodies that a simulation may read: from when to when, and how many."""

        def count() -> int:
            with self._system.store.read() as reader:
                return reader.past_count(since, until)

        events = min(limit, await run_in_threadpool(count))
        facts = mass_read("simulate", since, until, events)
        await leave_access(self._system, caller, "bodies", facts=facts)

    async def _versions(self, request: Request, caller: Caller) -> Response:
        only_known(request, "after", "limit")
        after, limit = request.query_params.get("after"), whole_number(request, "limit", 50, 500)

        def ask() -> Page:
            with self._system.store.read() as reader:
                return reader.policies(after, limit)

        page = await run_in_threadpool(ask)
        return JsonAnswer({"items": page.items, "next": page.next})

    async def _version(self, request: Request, caller: Caller) -> Response:
        sha256 = request.path_params["sha256"]

        def ask() -> JsonObject | None:
            with self._system.store.read() as reader:
                return reader.policy(sha256)

        found = await run_in_threadpool(ask)
        if found is None:
            raise NotFound(f"no policy version {sha256}")
        return JsonAnswer(found)

    def _answer(self, version: Version, caller: Caller) -> Response:
        ref, refused = version.policy.ref, self._system.policy.refused
        why: JsonObject | None = None
        if refused is not None:
            problems = refused.problems if caller.may("publish") else refused.public
            why = {"at": iso(refused.at), "findings": _findings(problems)}
        document: JsonObject = {
            "name": ref.name,
            "sha256": ref.sha256,
            "mode": ref.mode,
            "taken_at": iso(version.at),
            "taken_by": version.actor,
            "inline": version.inline,
            "files": list(version.files),
            "warnings": _findings(version.policy.warnings),
            "refused": why,
            "text": version.policy.text,
        }
        return JsonAnswer(document, headers={"etag": f'"{ref.sha256}"'})

    async def _body(self, request: Request) -> bytes:
        """The policy that was sent."""
        seconds = self._system.configuration.settings.server.body_timeout
        return await read_body(request.scope, request.receive, MAX_POLICY, seconds)


def _refused(refused: ConfigurationError) -> Response:
    said = "the policy has errors: nothing was changed"
    return JsonAnswer(
        {"error": {"code": "policy_refused", "message": said}, "findings": _findings(refused.problems)}, 422
    )


def _findings(problems: Sequence[Problem]) -> list[JsonValue]:
    return [problem.document() for problem in problems]
