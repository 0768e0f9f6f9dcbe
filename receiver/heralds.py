"""Sending checkpoints on, to places that this process cannot rewrite: standard output, syslog, a webhook.

Each new newest checkpoint goes to every place that is configured. One that could not be sent is not kept: the next one
says more, and covers what it covered. A place that fails is logged once, until it takes one again. A note in the store
that our key did not sign was put there by somebody else: it is sent nowhere, and said loudly.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from receiver.audit.note import NoteError, open_checkpoint
from receiver.contract import JsonObject
from receiver.errors import HookwardenError
from receiver.log import place_of
from receiver.settings import CheckpointSettings
from receiver.store.port import Store

_SECONDS_TO_FINISH: Final = 5.0  # for the last checkpoint, when the process ends
_AUDIT_NOTICE: Final = 13 * 8 + 5  # facility `log audit`, severity `notice`
_SYSLOG_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class Herald(Protocol):
    """One place that checkpoints go to."""

    name: str

    async def send(self, message: JsonObject) -> None:
        """Send one. Raises OSError, HookwardenError."""
        ...


class Sender(Protocol):
    """Posts signed messages to one URL, as `handlers.targets.Hook` does."""

    async def post(self, message_id: str, body: bytes) -> object:
        """Post one. Raises HookwardenError unless the answer is 2xx."""
        ...


class Heralds:
    """All places of a running system. `every`: seconds between two looks for a new checkpoint."""

    def __init__(self, store: Store, heralds: Sequence[Herald], every: float) -> None:
        self._store = store
        self._heralds = heralds
        self._every = every
        self._sent: dict[str, str] = {}  # the last note that each place took
        self._failing: set[str] = set()
        self._foreign: str | None = None  # the last note that was not ours
        self._failed_at: str | None = None

    async def run(self) -> None:
        """Look and send until cancelled."""
        while self._heralds:
            try:
                await self._send_newest()
                self._failed_at = None
            except Exception as fault:  # noqa: BLE001 - whatever it is, the next look comes
                self._report(fault)
            await asyncio.sleep(self._every)

    async def finish(self) -> None:
        """Have all that was stored signed, and send that, before the store closes."""
        if self._heralds:
            with suppress(HookwardenError, TimeoutError):
                async with asyncio.timeout(_SECONDS_TO_FINISH):
                    await self._store.run(lambda tx: tx.ask_checkpoint())
                    await self._send_newest()

    async def _send_newest(self) -> None:
        try:
            note = await asyncio.to_thread(self._newest)
        except HookwardenError:
            return  # the store's own trouble is told elsewhere
        waiting = [herald for herald in self._heralds if self._sent.get(herald.name) != note]
        if note is None or not waiting:
            return
        try:
            message = self._message(note)
        except NoteError as fault:
            self._warn_of(note, fault)
            return
        for herald in waiting:
            await self._send(herald, note, message)

    async def _send(self, herald: Herald, note: str, message: JsonObject) -> None:
        try:
            await herald.send(message)
        except (OSError, HookwardenError) as fault:
            if herald.name not in self._failing:
                _log.warning("a checkpoint could not be sent on", to=herald.name, reason=str(fault))
            self._failing.add(herald.name)
        else:
            self._sent[herald.name] = note
            self._failing.discard(herald.name)

    def _warn_of(self, note: str, fault: NoteError) -> None:
        """Once for each note, not at every look."""
        if note != self._foreign:
            said = "the newest checkpoint in the store is not ours: it is not sent on; run `hookwarden audit verify`"
            _log.critical(said, reason=str(fault))
        self._foreign = note

    def _report(self, fault: Exception) -> None:
        """Likewise for a bug."""
        at = place_of(fault)
        if at != self._failed_at:
            _log.error("checkpoints cannot be sent on", kind=type(fault).__name__, at=at)
        self._failed_at = at

    def _newest(self) -> str | None:
        with self._store.read() as reader:
            return reader.checkpoint()

    def _message(self, note: str) -> JsonObject:
        checkpoint = open_checkpoint(note, self._store.verifier)
        root = base64.b64encode(checkpoint.root).decode()
        return {"origin": checkpoint.origin, "size": checkpoint.size, "root": root, "checkpoint": note}


class ToStdout:
    """A line of JSON on standard output."""

    name = "stdout"

    async def send(self, message: JsonObject) -> None:
        """Write it."""
        sys.stdout.write(json.dumps({"event": "checkpoint", **message}) + "\n")
        sys.stdout.flush()


class ToSyslog:
    """An RFC 5424 message with the checkpoint as JSON: over UDP to host:port, or to a socket such as /dev/log."""

    name = "syslog"

    def __init__(self, address: str) -> None:
        self._address = address

    async def send(self, message: JsonObject) -> None:
        """Send it."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        host = socket.gethostname() or "-"
        line = f"<{_AUDIT_NOTICE}>1 {at} {host} hookwarden {os.getpid()} checkpoint - {json.dumps(message)}"
        await asyncio.to_thread(self._datagram, line.encode("ascii", "replace"))

    def _datagram(self, content: bytes) -> None:
        if self._address.startswith("/"):
            family, target = socket.AF_UNIX, self._address
        else:
            host, _, port = self._address.rpartition(":")
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)
            family, target = found[0][0], found[0][4]  # type: ignore[assignment]  # an address of the family
        with socket.socket(family, socket.SOCK_DGRAM) as sending:
            sending.settimeout(_SYSLOG_SECONDS)
            sending.sendto(content, target)


class ToWebhook:
    """A POST that is signed as Standard Webhooks has it (https://www.standardwebhooks.com)."""

    name = "webhook"

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def send(self, message: JsonObject) -> None:
        """Post it."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = json.dumps({"type": "checkpoint.signed", "timestamp": at, "data": message}).encode()
        name = f"msg_{hashlib.sha256(str(message['checkpoint']).encode()).hexdigest()[:32]}"  # the same when sent again
        await self._sender.post(name, body)


def heralds(settings: CheckpointSettings, store: Store, webhook: Sender | None) -> Heralds:
    """The places that the settings name; `webhook` posts to theirs."""
    found: list[Herald] = []
    if settings.stdout:
        found.append(ToStdout())
    if settings.syslog is not None:
        found.append(ToSyslog(settings.syslog.address))
    if webhook is not None:
        found.append(ToWebhook(webhook))
    return Heralds(store, found, settings.every)
