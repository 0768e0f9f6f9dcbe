"""The one place where all parts meet: configuration in, a running system out. Tests call the same functions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import structlog
from starlette.applications import Starlette

from handlers.plaid_keys import PlaidKeys
from handlers.registry import bind
from handlers.sandbox.app import SandboxSettings, build_sandbox
from handlers.specs import SPECS
from handlers.targets import Hook
from handlers.tools import Tools
from receiver.config import Configuration
from receiver.contract import ActionCall, Handler, JsonObject, Outcome
from receiver.dispatch.dispatcher import Dispatcher, RetryRules
from receiver.errors import StoreUnavailable, Unusable, VendorWaiting
from receiver.heralds import Heralds, heralds
from receiver.holding import bares, holds
from receiver.intake import Source, sources
from receiver.keyring import Fetch
from receiver.log import place_of
from receiver.metrics import Metrics
from receiver.outgoing import at_a_time, budgets, open_sink, open_tools
from receiver.policies import compile_documents, refuse_unconfigured
from receiver.policy.compile import Policy
from receiver.pruning import Pruner
from receiver.publication import Publication
from receiver.record import Arrival, Receipt, Recorder
from receiver.settings import Settings
from receiver.signatures.settings import FetchSettings
from receiver.store.port import Store, Transaction
from receiver.store.shapes import Claim
from receiver.store.sqlite.store import open_store
from receiver.watching import Watcher
from receiver.yamltext import Document

__all__ = [
    "System",
    "build",
    "build_sandbox_app",
    "is_billable",
    "now_ms",
    "open_configured_store",
    "open_recorder",
]

EXIT_WITHIN = 25.0  # seconds from SIGTERM until running calls are left recorded; the whole exit takes less than 30
UNWELL_FOR = 5.0  # seconds that a delivery which could not be stored makes us not ready

log = structlog.get_logger()


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class System:
    """All parts, wired. `start` and `stop` belong to one event loop; storing works from any."""

    configuration: Configuration
    store: Store
    sources: Mapping[str, Source]
    policy: Publication
    watcher: Watcher
    pruner: Pruner
    heralds: Heralds
    sink: Hook | None  # what the heralds post with
    recorder: Recorder
    dispatcher: Dispatcher
    metrics: Metrics
    tools: Tools
    clock: Callable[[], int]
    draining: bool = False
    _operator: str | None = None
    _exit_at: float | None = None
    _unwell_until: float = 0.0
    _running: asyncio.Task[None] | None = None
    _beside: list[asyncio.Task[None]] = field(default_factory=list)

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

    def begin_service(self, operator: str) -> None:
        """Have the record say who runs this, from when and, after `stop`, to when. Raises StoreUnavailable."""
        self._operator = operator
        self._note_service("start")

    def start(self) -> None:
        """Start carrying actions out, and watching the policy's files."""
        self._running = _told("dispatcher", self.dispatcher.run())
        beside = {"policy watcher": self.watcher.run, "retention": self.pruner.run, "heralds": self.heralds.run}
        self._beside = [_told(name, run()) for name, run in beside.items()]

    def begin_drain(self) -> None:
        """Take no new work from now on. The time until `stop` gives up on running calls counts from here."""
        if self._exit_at is None:
            self.draining, self._exit_at = True, time.monotonic() + EXIT_WITHIN
            self.dispatcher.stop_claiming()

    async def stop(self) -> None:
        """Take no new work; let running calls finish, or leave them recorded; then close everything, whatever fails."""
        self.begin_drain()
        assert self._exit_at is not None
        async with contextlib.AsyncExitStack() as then:  # from the last to the first
            then.push_async_callback(asyncio.to_thread, self.store.close)
            if self.sink is not None:
                then.push_async_callback(self.sink.close)
            then.push_async_callback(self.heralds.finish)
            then.push_async_callback(self._note_end)
            then.push_async_callback(self.tools.close)
            for task in self._beside:
                task.cancel()
                await asyncio.wait([task])
            if self._running is not None:
                await self.dispatcher.drain(max(0.0, self._exit_at - time.monotonic()))
                await self._running

    async def _note_end(self) -> None:
        with contextlib.suppress(StoreUnavailable):  # what could not be stored ended before us
            await asyncio.to_thread(self._note_service, "stop")

    def _note_service(self, act: str) -> None:
        actor = self._operator
        if actor is not None:
            at, facts = self.clock(), {"act": act, "version": version("hookwarden")}
            self.store.submit(lambda tx: tx.add_note("service", actor, at, facts)).result()


def _told(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task for as long as we run, whose death is logged when it dies: nobody waits for it until the end."""

    def ended(task: asyncio.Task[None]) -> None:
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            said = "a background task has died; restart the server"
            log.critical(said, task=name, kind=type(fault).__name__, at=place_of(fault))

    task = asyncio.create_task(work, name=name)
    task.add_done_callback(ended)
    return task


def is_billable(action: str) -> bool:
    """Whether the vendor charges for an action; of one that is no more, nobody knows."""
    return action in SPECS and SPECS[action].billable


def open_configured_store(configuration: Configuration, clock: Callable[[], int] = now_ms) -> Store:
    """The store of a configuration, opened and migrated."""
    settings = configuration.settings
    audit = settings.audit
    return open_store(
        settings.data_dir,
        clock=clock,
        master_key=master_key(settings),
        origin=audit.origin,
        sign_every=audit.checkpoints.every,
    )


def master_key(settings: Settings) -> bytes | None:
    """The master key of the settings; None: it is in its file. Raises Unusable where its variable is not set."""
    text = settings.audit.master_key
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError:
        raise Unusable("`audit: master_key` is no key: export the environment variable that it names") from None


def build(configuration: Configuration, policy: Policy | None = None, clock: Callable[[], int] = now_ms) -> System:
    """Wire everything; `policy` is the configured one, if it is compiled already. Raises ConfigurationError before
    anything is opened that could not be used.
    """
    compiled = policy or compile_documents(configuration.policies, configuration.inline_policy)
    refuse_unconfigured(configuration, compiled)
    store = open_configured_store(configuration, clock)
    try:
        return _wired(configuration, compiled, store, clock)
    except BaseException:
        store.close()
        raise


def open_recorder(settings: Settings, policy: Callable[[], Policy]) -> Recorder:
    """The recorder of a configuration: what its settings hold back, it holds back."""
    dry_run = settings.actions.mode == "dry_run"
    held, bare = holds(settings, SPECS), bares(settings)
    return Recorder(policy, dry_run=dry_run, held=held, budgets=budgets(settings), bare=bare)


def _wired(configuration: Configuration, policy: Policy, store: Store, clock: Callable[[], int]) -> System:
    settings = configuration.settings
    metrics = Metrics(store)
    publication = _publication(configuration, policy, store, metrics, clock)
    publication.begin()
    store.submit(lambda tx: tx.note_signing_key(store.verifier.id.hex(), "engine", clock())).result()
    tools, sink = open_tools(settings, configuration.path), open_sink(settings, configuration.path)
    recorder = open_recorder(settings, publication)
    dispatcher = _dispatcher(settings, store, tools, recorder, metrics, clock)
    store.on_commit(dispatcher.wake)
    return System(
        configuration,
        store,
        sources(settings, _plaid_keys),
        publication,
        Watcher(publication),
        Pruner(store, settings.audit.retention, clock),
        heralds(settings.audit.checkpoints, store, sink),
        sink,
        recorder,
        dispatcher,
        metrics,
        tools,
        clock,
    )


def _dispatcher(
    settings: Settings, store: Store, tools: Tools, recorder: Recorder, metrics: Metrics, clock: Callable[[], int]
) -> Dispatcher:
    handlers, retry = bind(tools), settings.actions.retry

    def record_result(tx: Transaction, claim: Claim, result: JsonObject) -> None:
        recorder.result(tx, claim, result, clock())

    return Dispatcher(
        store,
        _call_nobody(handlers) if settings.actions.mode == "dry_run" else handlers,
        SPECS,
        retry=RetryRules(retry.base, retry.cap, retry.attempts, retry.max_age),
        concurrency=settings.actions.concurrency,
        slots=at_a_time(settings),
        owner=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        clock=clock,
        random=random.random,
        on_done=record_result,
        observe=metrics.observe,
    )


def _plaid_keys(settings: FetchSettings) -> Fetch:
    return PlaidKeys(settings.base_url, settings.client_id, settings.secret).fetch


def _publication(
    configuration: Configuration, policy: Policy, store: Store, metrics: Metrics, clock: Callable[[], int]
) -> Publication:
    """The policy in force. Later versions too may call only the vendors that this process has clients for."""

    def compile_later(documents: Sequence[Document], inline: bool) -> Policy:
        later = compile_documents(documents, inline)
        refuse_unconfigured(configuration, later, documents)
        return later

    publication = Publication(configuration, policy, compile_later, store, clock, metrics.policy_looked_at)
    metrics.watch_policy(lambda: publication.version.at / 1000, lambda: publication.refused is not None)
    return publication


def _call_nobody(handlers: Mapping[str, Handler]) -> Mapping[str, Handler]:
    """In a dry run what was planned before, or is approved now, waits until the run is live: no vendor is called."""

    async def wait(call: ActionCall) -> Outcome:
        raise VendorWaiting("dry run: nobody is called", 60.0)

    return {name: wait if SPECS[name].vendor or SPECS[name].target else handler for name, handler in handlers.items()}


def build_sandbox_app(*, api_key: str, webhook_url: str | None, webhook_secret: str | None) -> Starlette:
    """The simulator of Didit's API.

    Setting a status that the session has already is answered with a webhook here, as older pages of the vendor have it
    (the newest says: none), so that the echo of our own update can be seen.
    """
    return build_sandbox(
        SandboxSettings(api_key=api_key, webhook_url=webhook_url, webhook_secret=webhook_secret, same_status="webhook")
    )
