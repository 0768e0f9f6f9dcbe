"""The record at size: how fast it grows, what a row costs, how fast it is searched, counted, proved and verified.

Fills a record with a year of entries (`audit_year.py`), asks a reader the questions of an auditor, each several times
with tags and sessions of that record, and prints Markdown tables for each size, with the goals beside: "of goal" over
1.00 is missed; "CPU of goal" says what it would be on a machine that does nothing else. Jobs of 64 events are written
four at a time, each in a commit with whatever waits.

    python bench/audit.py --rows 10000 100000 1000000 [--variants] [--verify] [--datasette] [--keep FOLDER]

`--variants` also measures inserting without the tree, and without encryption; `--verify` the time of `audit verify`;
`--datasette` sets our HTTP endpoint beside Datasette over the same file (`audit_http.py`).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog
from audit_http import beside_datasette, write_configuration
from audit_year import POLICIES, RULES, START, TAGS, YEAR, fill

from receiver.audit.search import parse
from receiver.audit.tree import inclusion_proof
from receiver.store.port import Store
from receiver.store.reader import Reader
from receiver.store.sqlite.store import open_store

PAGE_GOAL, PAGE_GOAL_5M = 5.0, 15.0  # ms, p99 of a page
YEAR_GOAL = 50.0  # ms, p50 of a year's counts
PROOF_GOAL = 2.0  # ms, p99
VERIFY_GOAL = 3.0  # s, for a million entries
INTEGRITY_GOAL = 25.0  # per cent of the insert rate that the tree may cost
COUNTS = (
    ("year by day and tag", ("day", "tag"), ""),
    ("year by day and rule", ("day", "rule"), ""),
    ("by outcome, one tag", ("outcome",), f"tag:{TAGS[0]}"),
    ("count of a status", (), "status:Declined"),
    ("count, entry by entry", (), "status:Declined -kind:policy"),
)


def questions(size: int) -> Iterator[tuple[str, Callable[[random.Random], str]]]:
    """What auditors ask: a name, and a search by chance."""

    def day(number: random.Random) -> str:
        month = number.randrange(1, 11)
        return f"2026-{month:02}-{number.randrange(1, 28):02}"

    yield "last 50", lambda _: ""
    yield "cursor page", lambda number: f"idx:<{number.randrange(50, size)}"
    yield "session", lambda number: f"session:session-{number.randrange(size // 14)}"
    yield "subject", lambda number: f"subject:person-{number.randrange(size // 28)}"
    yield "tag + 1 day", lambda number: f"tag:{number.choice(TAGS)} created:{day(number)}"
    yield (
        "rule + outcome",
        lambda number: f"rule:{number.choice(RULES)} outcome:{number.choice(['decided', 'failed', 'planned'])}",
    )
    yield "rule + rare outcome", lambda number: f"rule:{number.choice(RULES)} outcome:undecided"
    yield "rare actor", lambda _: "actor:token:ana"
    yield "what people did", lambda _: "-actor:engine -actor:dispatcher -actor:didit -actor:kwikid"
    yield "rare kind", lambda _: "kind:policy"
    yield "policy", lambda number: f"policy:{number.choice(POLICIES)[:12]}"
    yield "rare source", lambda _: "source:kwikid"
    yield "http:>=500", lambda _: "http:>=500"
    yield "status + tag", lambda number: f"status:Declined tag:{number.choice(TAGS)}"
    yield "never", lambda _: "outcome:nothing-like-it"
    yield "text, of tags", lambda number: f'"{number.choice(["glare", "attack", "blur"])}"'
    yield "text, of facts", lambda number: f'"queue-{number.randrange(5)}"'
    yield "text, rare", lambda _: '"ana"'
    yield "text + 1 day", lambda number: f'"glare" created:{day(number)}'


def measure(work: Callable[[], object], times: int) -> list[float]:
    """In milliseconds: p50 and p99 by the clock, p50 and p99 of this thread's CPU, which other load moves least."""
    took, spent = [], []
    for _ in range(times):
        started, before = time.perf_counter(), time.thread_time()
        work()
        spent.append(1000 * (time.thread_time() - before))
        took.append(1000 * (time.perf_counter() - started))
    return [value for some in (took, spent) for value in (statistics.median(some), sorted(some)[int(times * 0.99)])]


def table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a Markdown table, the numbers to the right."""
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def against(took: list[float], goal: float, *, by_median: bool = False) -> tuple[str, ...]:
    """The cells of a measure in ms beside its goal."""
    met, spent = (took[0], took[2]) if by_median else (took[1], took[3])
    name = "p50" if by_median else "p99"
    return *(f"{value:.2f}" for value in took), f"{name} {goal:g}", f"{met / goal:.2f}", f"{spent / goal:.2f}"


def inserting(rows: int, folder: Path, *, variants: bool) -> None:
    """Fill the folder, and say how fast, and what the tree and the encryption cost in that."""
    rates = dict[tuple[bool, bool], tuple[float, float]]()
    if not (folder / "hookwarden.db").exists():
        rates[True, True] = fill(folder, rows)
    for integrity, encryption in ((True, True), (False, True), (True, False), (False, False)) if variants else ():
        if (integrity, encryption) not in rates:
            with tempfile.TemporaryDirectory() as other:
                rates[integrity, encryption] = fill(Path(other), rows, integrity=integrity, encryption=encryption)
    names = {(True, True): "whole", (False, True): "no tree", (True, False): "no encryption", (False, False): "neither"}
    found = []
    for which, (rate, cpu) in rates.items():
        more, slower = 100 * (rates[True, True][1] / cpu - 1), 100 * (1 - rates[True, True][0] / rate)
        goal = f"{INTEGRITY_GOAL:.0f}% of the rate" if which == (False, True) else "-"
        found.append((names[which], f"{rate:,.0f}", f"{cpu:.0f}", f"{slower:.0f}%", f"{more:.0f}%", goal))
    if not found:
        return
    columns = ("insert", "entries/s", "CPU us each", "whole is slower by", "whole takes more CPU by", "goal")
    table(f"{rows:,} entries: inserting; {size_of(folder) / rows:,.0f} bytes each, all files", columns, found)


def ask(store: Store, size: int, times: int) -> list[tuple[str, ...]]:
    """All questions, and how long they take."""
    number = random.Random(11)
    goal = PAGE_GOAL_5M if size > 1_100_000 else PAGE_GOAL
    found = []
    for name, search in questions(size):
        made = [parse(search(number)) for _ in range(times)]

        def find(made: list[Any] = made) -> None:
            with store.read() as reader:
                reader.audit(made.pop())

        found.append((name, *against(measure(find, times), goal)))
    for name, by, query in COUNTS:

        def count(by: tuple[str, ...] = by, query: str = query) -> None:
            with store.read() as reader:
                reader.audit_counts(query, by, 10_000)

        cells = against(measure(count, max(5, times // 10)), YEAR_GOAL, by_median=True)
        found.append((name, *cells) if by else (name, *cells[:4], "-", "-", "-"))

    def prove() -> None:
        with store.read() as reader:
            _proof(reader, number.randrange(size))

    return [*found, ("inclusion proof", *against(measure(prove, times), PROOF_GOAL))]


def _proof(reader: Reader, index: int) -> object:
    return inclusion_proof(index, reader.tree_size(), reader.tile)


def verifying(folder: Path, size: int) -> Sequence[tuple[str, ...]]:
    """How long `audit verify` takes, from the command line to its answer."""
    configuration = write_configuration(folder)
    program, goal = str(Path(sys.executable).parent / "hookwarden"), VERIFY_GOAL * max(1.0, size / 1_000_000)
    found = []
    for name, option in (("audit verify", ()), ("audit verify --quick", ("--quick",))):
        started = time.perf_counter()
        said = subprocess.run(
            [program, "audit", "verify", "--config", str(configuration), *option],
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - started
        if said.returncode:
            sys.exit(said.stdout + said.stderr)
        found.append((name, f"{took:.2f}", f"{goal:.1f}", f"{took / goal:.2f}", f"{size / took:,.0f}"))
    return found


def size_of(folder: Path) -> int:
    """Bytes of all files but the write-ahead logs."""
    return sum(path.stat().st_size for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm")))


def main() -> None:
    """Measure at each size."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    options.add_argument("--times", type=int, default=200)
    options.add_argument("--variants", action="store_true")
    options.add_argument("--verify", action="store_true")
    options.add_argument("--datasette", action="store_true")
    options.add_argument("--keep", type=Path)
    given = options.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # no tree, no signing
    for rows in given.rows:
        folder = Path(given.keep or tempfile.mkdtemp()) / str(rows)
        inserting(rows, folder, variants=given.variants)
        measured(folder, given)
        if not given.keep:
            shutil.rmtree(folder)


def measured(folder: Path, given: argparse.Namespace) -> None:
    """What a record that is there can do."""
    store = open_store(folder, clock=lambda: START + YEAR)
    with store.read() as reader:
        size = reader.tree_size()
    columns = ("what", "p50 ms", "p99 ms", "CPU p50", "CPU p99", "goal", "of goal", "CPU of goal")
    table(f"{size:,} entries: reading (load average {os.getloadavg()[0]:.1f})", columns, ask(store, size, given.times))
    store.close()
    if given.verify:
        table(f"{size:,} entries: verifying", ("what", "s", "goal s", "of goal", "entries/s"), verifying(folder, size))
    if given.datasette:
        beside = ("what", "rows, ours / theirs", "ours p50 ms", "Datasette p50 ms", "Datasette / ours")
        table(f"{size:,} entries: over HTTP", beside, list(beside_datasette(folder, questions(size))))


if __name__ == "__main__":
    main()
