"""Checkpoints that are sent on, over real sockets: what arrives is what was signed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from handlers.targets import Hook as Sending
from receiver.audit.note import open_checkpoint
from receiver.errors import ConfigurationError
from receiver.heralds import Heralds, ToStdout, heralds
from receiver.outgoing import open_sink
from receiver.settings import CheckpointSettings, Settings
from receiver.store.sqlite.store import SqliteStore, open_store
from tests.support.receiver import await_that, running, session_event, write_configuration
from tests.support.store_samples import NOW, new_event, put

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = open_store(tmp_path / "var", clock=lambda: NOW)
    put(opened, new_event())
    opened.submit(lambda tx: tx.ask_checkpoint()).result(10)
    yield opened
    opened.close()


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is sent; the first so many answers are 503."""

    seen: ClassVar[list[tuple[dict[str, str], bytes]]] = []
    failing: ClassVar[int] = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).seen.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(503 if len(self.seen) <= self.failing else 204)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.seen, Hook.failing = [], 0
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/checkpoints"
    server.shutdown()
    server.server_close()
    thread.join()


def built(store: SqliteStore, webhook: Sending | None = None, **places: Any) -> Heralds:
    return heralds(CheckpointSettings.model_validate({"every": 0.05, **places}), store, webhook)


def is_newest(store: SqliteStore, message: dict[str, Any]) -> bool:
    with store.read() as reader:
        size, note = reader.tree_size(), reader.checkpoint()
    checkpoint = open_checkpoint(message["checkpoint"], store.verifier)
    assert (checkpoint.size, checkpoint.origin) == (message["size"], message["origin"])
    assert base64.b64encode(checkpoint.root).decode() == message["root"]
    return message["checkpoint"] == note and checkpoint.size == size


@pytest.mark.parametrize("form", ["udp", "unix"])
async def test_syslog_receives_each_checkpoint_once(store: SqliteStore, tmp_path: Path, form: str) -> None:
    family = socket.AF_INET if form == "udp" else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_DGRAM) as receiving:
        receiving.bind(("127.0.0.1", 0) if form == "udp" else str(tmp_path / "log"))
        receiving.settimeout(5)
        name = receiving.getsockname()
        address = f"127.0.0.1:{name[1]}" if form == "udp" else str(name)
        telling = asyncio.create_task(built(store, syslog={"address": address}).run())
        first = (await asyncio.to_thread(receiving.recv, 65536)).decode()
        await asyncio.to_thread(put, store, new_event())
        store.submit(lambda tx: tx.ask_checkpoint())
        second = (await asyncio.to_thread(receiving.recv, 65536)).decode()
        telling.cancel()
        receiving.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiving.recv(65536)
    priority, at, _host, program, _pid, message_id, data, rest = first.split(" ", 7)
    assert (priority, program, message_id, data) == ("<109>1", "hookwarden", "checkpoint", "-")
    assert at.endswith("Z")
    assert json.loads(rest)["size"] < json.loads(second.split(" ", 7)[7])["size"]
    assert is_newest(store, json.loads(second.split(" ", 7)[7]))


async def test_a_webhook_is_signed_and_tried_again(store: SqliteStore, hook: str) -> None:
    Hook.failing = 2
    sending = Sending("checkpoints", hook, SECRET)
    telling = asyncio.create_task(built(store, sending).run())
    await asyncio.to_thread(await_that, lambda: len(Hook.seen) >= 3)
    with store.read() as reader:
        first = reader.checkpoint()
    await asyncio.to_thread(put, store, new_event())
    store.submit(lambda tx: tx.ask_checkpoint())
    await asyncio.to_thread(await_that, lambda: len(Hook.seen) >= 4)
    telling.cancel()
    await asyncio.wait([telling])
    await sending.close()
    notes = [json.loads(body)["data"]["checkpoint"] for _, body in Hook.seen]
    assert notes[:3] == [first] * 3
    assert notes[3] != first  # it was taken at last, and not sent again
    for headers, body in Hook.seen:
        assert_signed(headers, body)
    names = [headers["webhook-id"] for headers, _ in Hook.seen]
    assert len(set(names[:3])) == 1
    assert names[3] != names[0]
    assert is_newest(store, json.loads(Hook.seen[-1][1])["data"])


def assert_signed(headers: Mapping[str, str], body: bytes) -> None:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"a secret of 24 bytes ...", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["type"] == "checkpoint.signed"


async def test_a_place_that_is_down_hinders_no_other(
    store: SqliteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = built(store, stdout=True, syslog={"address": str(tmp_path / "nobody")})
    await places.finish()
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert is_newest(store, json.loads(said[0]))


async def test_without_places_nothing_is_done(store: SqliteStore) -> None:
    await built(store).run()
    await built(store).finish()
    assert ToStdout.name == "stdout"


@pytest.mark.parametrize("secret", ["plain text of thirty characters", "whsec_QUJD", "${WATCH_SECRET}"])
def test_a_secret_that_is_none_signs_nothing(tmp_path: Path, secret: str) -> None:
    document = write_configuration(tmp_path).read_text()
    sections = {"checkpoints": {"webhook": {"url": "http://127.0.0.1:9/", "secret": secret}}}
    settings = Settings.model_validate({**json.loads(document), "audit": sections})
    with pytest.raises(ConfigurationError, match="`audit: checkpoints: webhook:` must be `whsec_`") as raised:
        open_sink(settings, tmp_path / "config.yaml")
    assert secret not in str(raised.value)


def test_a_server_that_ends_has_sent_its_last_state(tmp_path: Path, hook: str) -> None:
    places = {"checkpoints": {"every": 3600, "webhook": {"url": hook, "secret": SECRET}}}
    with running(tmp_path, audit=places) as receiver:
        for number in range(5):
            receiver.send(session_event(f"s-{number}"))
        key = receiver.system.store.verifier
        with receiver.system.store.read() as reader:
            size = reader.tree_size()
    sent = [open_checkpoint(json.loads(body)["data"]["checkpoint"], key) for _, body in Hook.seen]
    assert sent[-1].size >= size
