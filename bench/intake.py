"""Intake: signed 4 KB webhooks over 32 connections, server pinned to one core, load on the other.

Hookwarden does its whole work (verify, dedupe, normalise, decide by 100 rules, seal, durable commit) before each 200.
The peer, the Go program `webhook` (Debian package), verifies an HMAC over the same bodies; it stores nothing,
deduplicates nothing, and acknowledges before it acts. Rounds are interleaved; the figures are medians. CPU per request
is the server's own (user and system, reaped children included): other load on the machine moves it least.

    apt-get install webhook wrk
    python bench/intake.py [--rounds 5] [--seconds 6]
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import hmac
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

SECRET = "kq8-Zt4vR_w1NxB6mJc3"
HERE = Path(__file__).resolve().parent
TICK = 1e6 / os.sysconf("SC_CLK_TCK")
TAGS = [f"TAG_{n}" for n in range(50)]


def body(at: int, size: int) -> bytes:
    """One invented Didit V3 session webhook of about `size` bytes, with two warnings."""
    warnings = [{"risk": tag, "log_type": "warning", "feature": "LIVENESS"} for tag in random.sample(TAGS, 2)]
    session = str(uuid.UUID(int=random.getrandbits(128)))
    decision = {
        "session_id": session,
        "status": "In Review",
        "features": ["ID_VERIFICATION", "LIVENESS", "FACE_MATCH"],
        "liveness_checks": [
            {
                "node_id": "n1",
                "status": "In Review",
                "method": "PASSIVE",
                "score": round(random.random() * 100, 2),
                "reference_image": "https://media.example.invalid/a.jpg?sig=x",
                "warnings": warnings,
                "matches": [
                    {"session_id": f"m{n}", "similarity_percentage": round(60 + random.random() * 39, 2)}
                    for n in range(5)
                ],
            }
        ],
        "id_verifications": [{"node_id": "n2", "status": "Approved", "issuing_state": "EST", "warnings": []}],
        "reviews": [],
    }
    document: dict[str, object] = {
        "event_id": str(uuid.UUID(int=random.getrandbits(128))),
        "webhook_type": "status.updated",
        "session_id": session,
        "status": "In Review",
        "timestamp": at,
        "created_at": at,
        "vendor_data": f"user-{random.randrange(10**9)}",
        "workflow_id": "a61d4c0e-92b7-4f0f-8f6d-3b1b7d0c5e21",
        "environment": "live",
        "decision": decision,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    filler = [{"key": f"field_{n}", "value": "x" * 40} for n in range((size - len(text) - 12) // 69)]
    document["decision"] = {**decision, "pad": filler}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def write_pool(path: Path, count: int) -> None:
    """Write so many signed bodies, one a line: signature, tab, body."""
    at = int(time.time())
    with path.open("wb") as out:
        for _ in range(count):
            text = body(at, 4096)
            out.write(hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest().encode() + b"\t" + text + b"\n")


def rules(fire: bool) -> list[dict[str, object]]:
    """A hundred rules over fifty tags: an event meets four of them by tag. With `fire`, those plan a label."""
    limit = -1.0 if fire else 101.0
    return [
        {
            "id": f"rule-{n}",
            "tags": [TAGS[n % 50]],
            "when": ["max(event.matches.map(m, m.similarity)) >= " + str(limit), '!(event.country in ["ESP", "PRT"])'],
            "then": [{"label": {"add": [f"l{n}"]}}],
        }
        for n in range(100)
    ]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server listens, or end with what went wrong."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}")
        time.sleep(0.05)
    sys.exit("the server does not listen")


@contextlib.contextmanager
def hookwarden(folder: Path, fire: bool) -> Iterator[tuple[int, str, int]]:
    """Our server: process id, URL, port."""
    port = free_port()
    config = {
        "data_dir": str(folder / "var"),
        "server": {"port": port},
        "sources": {
            "didit": {"vendor": "didit", "verify": {"scheme": "didit", "secrets": [SECRET], "tolerance": "1h"}}
        },
        "policy": {"version": 1, "name": "bench", "rules": rules(fire)},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    command = [str(Path(sys.executable).parent / "hookwarden"), "serve", "--config", str(folder / "config.yaml")]
    process = subprocess.Popen(["taskset", "-c", "0", *command], stderr=subprocess.DEVNULL)
    try:
        await_port(port, process)
        yield process.pid, f"http://127.0.0.1:{port}/webhooks/didit", port
    finally:
        process.terminate()
        process.wait(40)
        shutil.rmtree(folder / "var", ignore_errors=True)


@contextlib.contextmanager
def peer(folder: Path, fire: bool) -> Iterator[tuple[int, str, int]]:
    """The peer: process id, URL, port."""
    port = free_port()
    signed = {
        "match": {
            "type": "payload-hmac-sha256",
            "secret": SECRET,
            "parameter": {"source": "header", "name": "X-Hub-Signature-256"},
        }
    }
    never = {"match": {"type": "value", "value": "never", "parameter": {"source": "payload", "name": "webhook_type"}}}
    hook = {
        "id": "bench",
        "execute-command": "/bin/true",
        "http-methods": ["POST"],
        "trigger-rule-mismatch-http-response-code": 202,
        "trigger-rule": signed if fire else {"and": [signed, never]},
    }
    (folder / "hooks.json").write_text(json.dumps([hook]))
    command = ["webhook", "-ip", "127.0.0.1", "-port", str(port), "-hooks", str(folder / "hooks.json")]
    process = subprocess.Popen(["taskset", "-c", "0", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_port(port, process)
        yield process.pid, f"http://127.0.0.1:{port}/hooks/bench", port
    finally:
        process.terminate()
        process.wait(40)


def cpu_us(pid: int) -> float:
    """CPU time of a process and its reaped children, in microseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) * TICK


def peak_mb(pid: int) -> float:
    """Peak resident memory in MiB."""
    line = next(row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure(url: str, pid: int, pool: Path, header: str, prefix: str, seconds: int, settle: float) -> dict[str, float]:
    """One run of the load; the figures of one case."""
    before = cpu_us(pid)
    environment = {**os.environ, "POOL": str(pool), "HEADER": header, "PREFIX": prefix}
    command = [
        "taskset",
        "-c",
        "1",
        "wrk",
        "-t1",
        "-c32",
        f"-d{seconds}s",
        "--latency",
        "-s",
        str(HERE / "intake.lua"),
        url,
    ]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    time.sleep(settle)
    count, micros, errors, p50, p99 = (float(word) for word in out.split("RESULT ")[1].split())
    used = cpu_us(pid) - before
    return {
        "per_second": count / micros * 1e6,
        "cpu_us": used / max(count, 1),
        "p50_ms": p50,
        "p99_ms": p99,
        "errors": errors,
        "peak_mb": peak_mb(pid),
        "requests": count,
    }


CASES = {
    "webhook (Go): verify only": (peer, False, "X-Hub-Signature-256", "sha256=", 1.0),
    "hookwarden: verify, dedupe, decide, seal, durable": (hookwarden, False, "X-Signature", "", 1.0),
    "webhook (Go): verify, run /bin/true": (peer, True, "X-Hub-Signature-256", "sha256=", 3.0),
    "hookwarden: the same, four rules fire, four labels done": (hookwarden, True, "X-Signature", "", 3.0),
}


def main() -> None:
    """Run the rounds and print the medians."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=6)
    arguments.add_argument("--pool", type=int, default=80_000, help="distinct events; must last for a round")
    options = arguments.parse_args()
    random.seed(7)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pool(folder / "pool.tsv", options.pool)
        for _ in range(options.rounds):
            for case, (server, fire, header, prefix, settle) in CASES.items():
                with server(folder, fire) as (pid, url, _port):
                    found[case].append(measure(url, pid, folder / "pool.tsv", header, prefix, options.seconds, settle))
    print(f"{'case':58} {'req/s':>8} {'CPU us':>8} {'p50 ms':>8} {'p99 ms':>8} {'peak MB':>8} {'errors':>7}")
    for case, rounds in found.items():
        median = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        figures = f"{median['per_second']:8.0f} {median['cpu_us']:8.1f} {median['p50_ms']:8.2f} {median['p99_ms']:8.2f}"
        print(f"{case:58} {figures} {median['peak_mb']:8.1f} {sum(one['errors'] for one in rounds):7.0f}")
        print("    rounds, req/s: " + " ".join(f"{one['per_second']:.0f}" for one in rounds))


if __name__ == "__main__":
    main()
