"""Hostile deliveries against a running receiver: how many were tried, accepted, and answered 5xx.

Every request is unsigned or wrongly signed by construction: the sender does not know the secret, or knows it and signs
something else, at another time, in another form. Nothing of it may be accepted, and nothing may be answered 5xx.

python bench/hostile.py [--count 30000] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.processes import program
from tests.support.receiver import SECRET, session_event, write_configuration

Request = tuple[bytes, list[tuple[bytes, bytes]]]


def mac(message: bytes, secret: str = SECRET) -> bytes:
    """HMAC-SHA256 in hex."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest().encode()


def event(draw: random.Random, **fields: object) -> bytes:
    """A plausible body."""
    return json.dumps(
        session_event(str(uuid.UUID(int=draw.getrandbits(128))), event_id=str(draw.random()), **fields)
    ).encode()


def junk(draw: random.Random) -> bytes:
    """Bytes that are no event."""
    return draw.choice(
        [
            draw.randbytes(draw.randrange(0, 300)),
            b"\xef\xbb\xbf" + event(draw),
            b"[" * draw.randrange(1, 5000),
            b'{"a":' * 200 + b"1" + b"}" * 200,
            b'{"timestamp":' + b"9" * draw.randrange(1, 6000) + b"}",
            b'{"timestamp":1e400}',
            b'{"timestamp":NaN}',
            b'{"a":1,"a":2}',
            b'{"a":"\\ud800"}',
            b'"text"',
            b"null",
            b"",
            "{}".encode("utf-16"),
        ]
    )


def no_signature(draw: random.Random) -> Request:
    """Nothing that signs."""
    names = [
        b"X-Timestamp",
        b"X-Didit-Test-Webhook",
        b"X-Signature-Structured",
        b"X-Didit-Signature",
        b"X-Hub-Signature",
    ]
    return event(draw), [
        (name, draw.choice([b"true", b"1", mac(b"x")])) for name in draw.sample(names, draw.randrange(4))
    ]


def bad_value(draw: random.Random) -> Request:
    """A signature header that holds no signature of this body."""
    body = event(draw)
    good = mac(body)
    value = draw.choice(
        [
            b"",
            b" ",
            b"0" * 64,
            good[:-1],
            good + b"0",
            b"sha256=" + good,
            good + b"," + good,
            mac(body, "another-secret-01"),
            good[:32] + b"g" + good[33:],
            draw.randbytes(32).replace(b"\r", b"x").replace(b"\n", b"x").replace(b"\x00", b"x"),
            bytes([good[0] ^ 1]) + good[1:] if good[0] ^ 1 in b"0123456789abcdef" else b"f" * 64,
        ]
    )
    return body, [
        (draw.choice([b"X-Signature", b"X-Signature-V2", b"X-Signature-Previous", b"X-Signature-Simple"]), value)
    ]


def simple_only(draw: random.Random) -> Request:
    """The signature that covers four fields, alone or in another's place."""
    document = session_event(str(draw.random()), event_id=str(draw.random()))
    text = f"{document['timestamp']}:{document['session_id']}:{document['status']}:{document['webhook_type']}"
    body = json.dumps({**document, "decision": {"status": "Approved"}}).encode()
    return body, [(draw.choice([b"X-Signature-Simple", b"X-Signature", b"X-Signature-V2"]), mac(text.encode()))]


def changed(draw: random.Random) -> Request:
    """A good signature over something else: bytes were changed after it was made."""
    body = event(draw)
    at = draw.randrange(len(body))
    other = body[:at] + bytes([body[at] ^ (1 << draw.randrange(7))]) + body[at + 1 :]
    return other, [(draw.choice([b"X-Signature", b"X-Signature-Previous"]), mac(body))]


def untimely(draw: random.Random) -> Request:
    """Well signed, at the wrong time or with a time of the wrong kind."""
    now = int(time.time())
    when = draw.choice(
        [now - 302, now + 305, now * 1000, str(now), now + 0.5, True, None, -now, "", [now], {"t": now}, 0]
    )
    body = event(draw, timestamp=when)
    return body, [(b"X-Signature", mac(body))]


def lying_timestamp(draw: random.Random) -> Request:
    """Well signed, but the unsigned header says another time."""
    body = event(draw)
    now = int(time.time())
    value = draw.choice(
        [b"", b"x", b"+%d" % now, b"0%d" % now, b"%d.0" % now, b"%d" % (now - 50), b" %de0" % now, b"\xd9\xa3"]
    )
    return body, [(b"X-Signature", mac(body)), (b"X-Timestamp", value)]


def twice(draw: random.Random) -> Request:
    """The same header twice, one of them good."""
    body = event(draw)
    pair = [(b"X-Signature", mac(body)), (b"x-signature", draw.choice([mac(body), b"0" * 64]))]
    draw.shuffle(pair)
    return body, pair


def noise(draw: random.Random) -> Request:
    """No event, unsigned or signed with another secret."""
    body = junk(draw)
    return body, [(draw.choice([b"X-Signature", b"X-Signature-V2"]), mac(body, "another-secret-01"))]


FAMILIES: list[Callable[[random.Random], Request]] = [
    no_signature,
    bad_value,
    simple_only,
    changed,
    untimely,
    lying_timestamp,
    twice,
    noise,
]


async def fire(url: str, count: int, seed: int) -> Counter[str]:
    """Send so many, sixteen at a time; how each was answered."""
    draw, answers = random.Random(seed), Counter[str]()
    gate = asyncio.Semaphore(16)

    async def one(client: httpx.AsyncClient, family: Callable[[random.Random], Request]) -> None:
        body, headers = family(draw)
        async with gate:
            try:
                status = str((await client.post(url, content=body, headers=headers)).status_code)
            except httpx.HTTPError as error:
                status = type(error).__name__
        answers[status] += 1
        if status.startswith(("2", "5")):
            print("LET IN OR BROKEN:", status, family.__name__, headers, body[:200])

    async with httpx.AsyncClient(timeout=20) as client:
        for _ in range(0, count, 1000):
            await asyncio.gather(*(one(client, draw.choice(FAMILIES)) for _ in range(min(1000, count))))
    return answers


def main() -> None:
    """Run and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--count", type=int, default=30_000)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        from tests.support.processes import free_port

        port = free_port()
        path = write_configuration(folder, server={"port": port})
        with program("serve", "--config", str(path), cwd=folder, url=f"http://127.0.0.1:{port}") as server:
            server.await_ready()
            started = time.monotonic()
            answers = asyncio.run(fire(f"{server.url}/webhooks/didit", options.count, options.seed))
            events = httpx.get(f"{server.url}/metrics").text.split('hookwarden_events{kind="all"}')
    print(f"tried {sum(answers.values())} in {time.monotonic() - started:.0f} s: {dict(sorted(answers.items()))}")
    print(f"accepted {sum(n for status, n in answers.items() if status.startswith('2'))}", end=", ")
    print(f"5xx {sum(n for status, n in answers.items() if status.startswith('5'))}", end=", ")
    print(f"events in the store {events[1].split()[0] if len(events) > 1 else 0}")


if __name__ == "__main__":
    main()
