"""The one place where all parts meet: configuration in, a running system out. Tests call the same functions."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from starlette.applications import Starlette

from handlers.didit import didit_client
from handlers.images import ImageFetcher
from handlers.registry import SPECS, Tools, bind, unconfigured
from handlers.sandbox.app import SandboxSettings, build_sandbox
from handlers.sandbox.scenarios import TOUR, Scenario
from receiver.config import Configuration, load_configuration
from receiver.contract import ActionCall, Handler, JsonObject, Outcome
from receiver.dispatch.dispatcher import Dispatcher, RetryRules
from receiver.errors import ConfigurationError, Problem, StoreUnavailable, VendorWaiting
from receiver.intake import Source, sources
from receiver.metrics import Metrics
from receiver.policy.compile import Policy, compile_policy
from receiver.record import Arrival, Receipt, Recorder
from receiver.store.port import Claim, Store, Transaction
from receiver.store.sqlite.store import open_store
from receiver.vendors.tags import KNOWN_TAGS
from receiver.yamltext import Document

EXIT_WITHIN = 25.0  # seconds from SIGTERM until running calls are left recorded; the whole exit takes less than 30
UNWELL_FOR = 5.0  # seconds that a delivery which could not be stored makes us not ready


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class PolicyHolder:
    """The policy in force. Swapped whole, by one assignment, so that a decision never sees half of a change."""

    current: Policy

    def __call__(self) -> Policy:
        """The policy in force."""
        return self.current


@dataclass(slots=True)
class System:
    """All parts, wired. `start` and `stop` belong to one event loop; storing works from any."""

    configuration: Configuration
    store: Store
    sources: Mapping[str, Source]
    policy: PolicyHolder
    recorder: Recorder
    dispatcher: Dispatcher
    metrics: Metrics
    tools: Tools
    clock: Callable[[], int]
    draining: bool = False
    _exit_at: float | None = None
    _unwell_until: float = 0.0
    _running: asyncio.Task[None] | None = None

    async def record(self, arrival: Arrival) -> Receipt:
        """Store and decide one delivery; returns when it is on disk. Raises StoreUnavailable."""
        try:
            return await self.store.run(lambda tx: self.recorder.delivery(tx, arrival))
        except StoreUnavailable:
            self._unwell_until = time.monotonic() + UNWELL_FOR
            raise

    @property
    def storing(self) -> bool:
        """Whether no delivery failed to be stored just now: a small probe may fit where a delivery does not."""
        return time.monotonic() >= self._unwell_until

    def start(self) -> None:
        """Start carrying actions out."""
        self._running = asyncio.create_task(self.dispatcher.run(), name="dispatcher")

    def begin_drain(self) -> None:
        """Take no new work from now on. The time until `stop` gives up on running calls counts from here."""
        if self._exit_at is None:
            self.draining, self._exit_at = True, time.monotonic() + EXIT_WITHIN
            self.dispatcher.stop_claiming()

    async def stop(self) -> None:
        """Take no new work; let running calls finish, or leave them recorded; then close everything."""
        self.begin_drain()
        assert self._exit_at is not None
        if self._running is not None:
            await self.dispatcher.drain(max(0.0, self._exit_at - time.monotonic()))
            await self._running
        await self.tools.close()
        await asyncio.to_thread(self.store.close)


def compile_documents(documents: Sequence[Document], *, inline: bool = False) -> Policy:
    """Compile policy documents against the known actions and tags. Raises ConfigurationError."""
    return compile_policy(documents, SPECS, known_tags=KNOWN_TAGS, inline=inline)


def compile_configured(configuration: Configuration) -> Policy:
    """The configured policy, compiled. Raises ConfigurationError, also for actions whose vendor is not configured."""
    policy = compile_documents(configuration.policies, inline=configuration.inline_policy)
    named = {action.name for rule in policy.rules for action in rule.actions}
    missing = unconfigured(named, didit=configuration.settings.vendors.didit is not None)
    if missing and configuration.settings.actions.mode == "live":
        path = str(configuration.path)
        raise ConfigurationError(
            [
                Problem(
                    path, 1, 1, "error", "C009", f"the policy calls {name}, but `vendors: {vendor}:` is not configured"
                )
                for name, vendor in missing
            ]
        )
    return policy


def load(path: Path, environment: Literal["strict", "lenient"] = "strict") -> Configuration:
    """Read the configuration and try its policy. Raises ConfigurationError with every problem of both."""
    return load_configuration(path, environment=environment, check=_policy_problems)


def _policy_problems(documents: Sequence[Document], inline: bool) -> Sequence[Problem]:
    try:
        compile_documents(documents, inline=inline)
    except ConfigurationError as error:
        return [problem for problem in error.problems if problem.severity == "error"]
    return ()


def open_configured_store(configuration: Configuration, clock: Callable[[], int] = now_ms) -> Store:
    """The store of a configuration, opened and migrated."""
    return open_store(configuration.settings.data_dir, clock=clock)


def build(configuration: Configuration, clock: Callable[[], int] = now_ms) -> System:
    """Wire everything. Raises ConfigurationError before anything is opened that could not be used."""
    settings = configuration.settings
    policy = PolicyHolder(compile_configured(configuration))
    store = open_configured_store(configuration, clock)
    metrics = Metrics(store)
    didit = settings.vendors.didit
    tools = Tools(
        didit=didit_client(didit.base_url, didit.api_key, didit.timeout) if didit else None,
        images=ImageFetcher(frozenset(settings.images.allow_hosts)),
    )
    dry_run = settings.actions.mode == "dry_run"
    recorder = Recorder(policy, dry_run=dry_run)

    def record_result(tx: Transaction, claim: Claim, result: JsonObject) -> None:
        recorder.result(tx, claim, result, clock())

    retry = settings.actions.retry
    dispatcher = Dispatcher(
        store,
        _call_nobody(bind(tools)) if dry_run else bind(tools),
        SPECS,
        retry=RetryRules(retry.base, retry.cap, retry.attempts, retry.max_age),
        concurrency=settings.actions.concurrency,
        owner=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        clock=clock,
        random=random.random,
        on_done=record_result,
        observe=metrics.observe,
    )
    store.on_commit(dispatcher.wake)
    store.submit(lambda tx: take_into_use(tx, policy.current, "serve", clock())).result()
    return System(configuration, store, sources(settings), policy, recorder, dispatcher, metrics, tools, clock)


def _call_nobody(handlers: Mapping[str, Handler]) -> Mapping[str, Handler]:
    """In a dry run what was planned before, or is approved now, waits until the run is live: no vendor is called."""

    async def wait(call: ActionCall) -> Outcome:
        raise VendorWaiting("dry run: nobody is called", 60.0)

    return {name: wait if SPECS[name].vendor else handler for name, handler in handlers.items()}


def build_sandbox_app(*, api_key: str, webhook_url: str | None, webhook_secret: str | None) -> Starlette:
    """The simulator of Didit's API.

    Setting a status that the session has already is answered with a webhook here, as older pages of the vendor have it
    (the newest says: none), so that the echo of our own update can be seen.
    """
    return build_sandbox(
        SandboxSettings(api_key=api_key, webhook_url=webhook_url, webhook_secret=webhook_secret, same_status="webhook")
    )


def tour_scenarios() -> Sequence[Scenario]:
    """The demo's tour."""
    return TOUR


def take_into_use(tx: Transaction, policy: Policy, actor: str, at: int) -> None:
    """The record keeps every policy version that decided, and says who took it into use and when."""
    tx.add_policy(policy.ref.sha256, policy.ref.name, policy.text, None, at)
    tx.add_note("policy", actor, at, {"policy_sha256": policy.ref.sha256, "name": policy.ref.name})
