"""Simulation over stored events: how fast, and where the time goes. One process, one core.

Another process fills a store through the recorder with 4 KB deliveries under a policy of so many rules; this one reads
it back as `hookwarden simulate` does: reading alone (SQL, unsealing, JSON), deciding alone (decide, compare and count
over events that are in memory), and both. Rounds are interleaved; the figures are medians, in CPU time of this process.

    python bench/simulate.py [--events 20000] [--rules 100] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from intake import TAGS, body

from receiver.contract import JsonObject, Verified
from receiver.policies import compile_documents
from receiver.policy.recall import PastEvent
from receiver.policy.rules import Policy
from receiver.policy.simulate import simulate
from receiver.record import Arrival, Recorder
from receiver.store.past import past_events
from receiver.store.port import Store
from receiver.store.sqlite.store import open_store
from receiver.vendors.didit import normalise
from receiver.wiring import now_ms
from receiver.yamltext import read_yaml

FOREVER = 1 << 60


def policy(rules: int, threshold: float, *, raw: bool = False) -> Policy:
    """Rules over fifty tags, each with a condition; some plan a call."""
    document: JsonObject = {
        "name": "bench",
        "rules": [
            {
                "id": f"rule-{n}",
                "tags": [TAGS[n % len(TAGS)]],
                "when": [f"event.liveness.score < {threshold}", "event.country != 'ESP'"],
                "then": [{"review": {"queue": "q", "reason": "score {{ event.liveness.score }}"}}]
                if n % 5 == 0
                else [],
            }
            for n in range(rules)
        ],
    }
    if raw:
        document["let"] = {"test": "raw.metadata.test_webhook ?? false"}
        document["rules"][0]["when"].append("!test")  # type: ignore[index,call-overload,union-attr]  # as built above
    return compile_documents([read_yaml(json.dumps(document), "bench.json")])


def prepare(folder: str, events: int, rules: int) -> None:
    """Make a store of so many deliveries, decided by so many rules."""
    store = open_store(Path(folder), clock=now_ms)
    fill(store, events, policy(rules, 40.0))
    store.close()


def fill(store: Store, events: int, current: Policy) -> None:
    """Record so many deliveries."""
    recorder = Recorder(lambda: current)
    waiting = []
    for number in range(events):
        at = now_ms()
        sent = body(at // 1000, 4096)
        event = normalise("didit", json.loads(sent))
        arrival = Arrival("didit", event, sent, Verified("x-signature", 0, at // 1000), at)
        waiting.append(store.submit(lambda tx, arrival=arrival: recorder.delivery(tx, arrival)))
        if number % 1000 == 999:
            while waiting:
                waiting.pop().result(60)
    for future in waiting:
        future.result(60)


def rate(work: Callable[[], int]) -> float:
    """Events per second of CPU time."""
    started = time.process_time()
    count = work()
    return count / (time.process_time() - started)


def memory() -> float:
    """The most that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    old, new = policy(options.rules, 40.0), policy(options.rules, 45.0)
    with_raw = policy(options.rules, 45.0, raw=True)
    with tempfile.TemporaryDirectory() as folder:
        filler = multiprocessing.get_context("spawn").Process(
            target=prepare, args=(folder, options.events, options.rules)
        )
        filler.start()
        filler.join()
        store = open_store(Path(folder), clock=now_ms)

        def read(**kind: bool) -> Iterator[PastEvent]:
            return past_events(store, 0, FOREVER, **kind)

        held = [past for past, _ in zip(read(raw=True), range(2000), strict=False)]
        before = memory()
        times = max(1, options.events // len(held))
        figures: dict[str, Callable[[], int]] = {
            "reading: event and decision": lambda: sum(1 for _ in read(raw=False)),
            "reading: event, decision and payload": lambda: sum(1 for _ in read(raw=True)),
            "reading: event alone": lambda: sum(1 for _ in read(raw=False, decided=False)),
            "deciding, against stored decisions": lambda: simulate(iter(held * times), new).read,
            "deciding by two policies": lambda: simulate(iter(held * times), new, old).read,
            "whole: against stored decisions": lambda: simulate(read(raw=False), new).read,
            "whole: the same, policy reads raw": lambda: simulate(read(raw=True), with_raw).read,
            "whole: two policies": lambda: simulate(read(raw=False, decided=False), new, old).read,
        }
        found: dict[str, list[float]] = {name: [] for name in figures}
        for _ in range(options.rounds):
            for name, work in figures.items():
                found[name].append(rate(work))
        result = simulate(read(raw=False), new)
        print(f"{options.events} events, {options.rules} rules, {result.changed} decide differently")
        for name, rates in found.items():
            middle = statistics.median(rates)
            print(f"{name:40} {middle:10,.0f} events/s {1e6 / middle:8.1f} us")
        print(f"memory at most {memory():.0f} MB, {memory() - before:.0f} more than at the start")
        store.close()


if __name__ == "__main__":
    main()
