"""One of our own receivers, or one channel to people, that does not answer: the others go on."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

from tests.support.didit_sandbox import inbox
from tests.support.every_call import CUSTOMER
from tests.support.receiver import await_that, running, session_event

EVENTS = 17  # one more than there are places for a vendor
PATIENCE = 60.0  # seconds: Apprise gives up after four on a machine that is busy, and tries again


@contextmanager
def silent() -> Iterator[tuple[int, list[socket.socket]]]:
    """A server that takes connections and never says a word."""
    seen: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    seen.append(listening.accept()[0])

        Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1], seen
        for one in seen:
            one.close()


def _policy() -> dict[str, Any]:
    def rule(name: str, action: str, to: str) -> dict[str, Any]:
        said = {"type": "t"} if action == "http.post" else {"message": "m"}
        return {"id": name, "when": [f'raw.metadata.to == "{to}"'], "then": [{action: {"to": to, **said}}]}

    rules = [rule(to, "http.post", to) for to in ("stuck", "core")]
    rules += [rule(to, "notify", to) for to in ("mute", "ops")]
    return {"version": 1, "name": "post", "rules": rules}


def test_who_does_not_answer_holds_up_nobody_else(tmp_path: Path) -> None:
    with inbox() as box, silent() as (port, seen):
        sections: dict[str, Any] = {
            "hooks": {
                "stuck": {"url": f"http://127.0.0.1:{port}/in", "secret": CUSTOMER, "timeout": "60s"},
                "core": {"url": box.url, "secret": CUSTOMER},
            },
            "notify": {"mute": f"json://127.0.0.1:{port}/in", "ops": box.url.replace("http://", "json://")},
        }
        with running(tmp_path, _policy(), **sections) as receiver:

            def send(to: str) -> str:
                event = session_event(str(uuid.uuid4()), metadata={"to": to}, event_id=str(uuid.uuid4()))
                return str(receiver.send(event).json()["event_id"])

            def state(event_id: str) -> str:
                return str(receiver.event(event_id)["actions"][0]["state"])

            held = {to: [send(to) for _ in range(EVENTS)] for to in ("stuck", "mute")}
            await_that(lambda: len(seen) >= 16, PATIENCE)  # every place of both is taken
            quick = [send("core"), send("ops")]
            await_that(lambda: [state(event_id) for event_id in quick] == ["done", "done"], PATIENCE)
            for to, events in held.items():
                states = [state(event_id) for event_id in events]
                assert (to, states.count("done")) == (to, 0)
                assert states.count("running") <= 8  # of those that Apprise gave up on some wait for another try
            for one in seen:  # or the receiver would wait for them at its end
                one.close()
