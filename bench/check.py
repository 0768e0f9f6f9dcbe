"""`hookwarden check` on a large policy: how long an analyst waits, and where the time goes.

Generates a policy file of so many rules, with tags, conditions, `let` values, templates, examples and comments, and
prints the median over some rounds, in milliseconds of CPU time: reading the file (YAML with positions), compiling it
(models, expressions, lint), and the whole command as a process of its own, also by the clock on the wall; and the whole
command once more on a policy with a warning in every rule, all of which it prints.

    python bench/check.py [--rules 1000] [--rounds 5] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from receiver.policies import compile_documents
from receiver.policy.lint.lint import lint_document, lint_policy
from receiver.textfiles import load_policy_file
from receiver.vendors.tags import KNOWN_TAGS

_LINTS = (lint_document.__name__, lint_policy.__name__)
_HEAD = """\
version: 1
name: bench
lists:
  trusted: ["ESP", "PRT", "EST"]
let:
  top_face: "max(event.matches.map(m, m.similarity))"
status_order: [Declined, In Review, Approved]
rules:
"""
_RULE = """
  # Rule {n}: what this is about, who asked for it, and the ticket
  - id: rule-{n}
    description: Warning {tag} with a score under {score} - a person looks
    tags: {{any: [{tag}, {other}], none: [{barred}]}}
    when:
      - event.liveness.score < {score}
      - top_face >= 70.0 && !(event.country in lists.trusted)
      - size(event.warnings) > {few} || event.face_match.score < {score}{n}     # the first {n}
    on_missing: review
    then:
      - review:
          {{queue: q-{n}, priority: 1, reason: "score {{{{ event.liveness.score }}}} in {{{{ event.session_id }}}}"}}
      - label: {{add: [seen-{n}]}}
    examples:
      - name: low
        event: {{tags: [{tag}], country: FRA, liveness: {{score: 1.5}}, matches: [{{similarity: 96}}]}}
        fires: true
      - {{name: high, event: {{tags: [{tag}], liveness: {{score: 99}}}}, fires: false}}
"""


_QUIET = "    on_missing: review\n"  # what spares a rule of the bench its warning


def policy_text(rules: int) -> str:
    """A policy in which no two rules are alike, as people write it."""
    tags = sorted(KNOWN_TAGS)
    texts = (
        _RULE.format(
            n=n,
            score=f"{20 + n % 60}.{n % 10}",
            few=n % 7,
            tag=tags[n % len(tags)],
            other=tags[(n * 7 + 1) % len(tags)],
            barred=tags[(n * 7 + 2) % len(tags)],
        )
        for n in range(rules)
    )
    return _HEAD + "".join(texts)


def measured(run: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Milliseconds of CPU time of this process, or of another clock."""
    start = clock()
    run()
    return (clock() - start) * 1000


def children() -> float:
    """Seconds of CPU time of the processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def output_of(command: Sequence[str]) -> bytes:
    """What the command prints; it must end with status 0."""
    return subprocess.run(command, check=True, capture_output=True).stdout


def lint_share(compile_it: Callable[[], object]) -> float:
    """The part of a compilation's time that goes to lint, as the profiler sees it."""
    profiler = cProfile.Profile()
    profiler.runcall(compile_it)
    stats = pstats.Stats(profiler)
    rows: dict[tuple[str, int, str], tuple[int, int, float, float]] = stats.stats  # type: ignore[attr-defined]  # untyped
    spent = [row[3] for (file, _, name), row in rows.items() if "/policy/lint" in file and name in _LINTS]
    return sum(spent) / sum(row[2] for row in rows.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="Print where reading and compiling spend their time.")
    options = parser.parse_args(arguments)
    gc.disable()  # as the command does
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        path.write_text(policy_text(options.rules), encoding="utf-8")
        size = path.stat().st_size
        print(f"{options.rules} rules, {size // 1024} KiB; medians of {options.rounds}, ms")
        warned = Path(folder) / "warned.yaml"
        warned.write_text(path.read_text(encoding="utf-8").replace(_QUIET, ""), encoding="utf-8")
        document = load_policy_file(path)
        command = [str(Path(sys.executable).parent / "hookwarden"), "check", str(path)]
        steps: dict[str, Callable[[], float]] = {
            "read": lambda: measured(lambda: load_policy_file(path)),
            "compile": lambda: measured(lambda: compile_documents([document])),
            "whole command": lambda: measured(lambda: output_of(command), children),
            "  of that start": lambda: measured(lambda: output_of([command[0], "--version"]), children),
            "  all rules warned": lambda: measured(lambda: output_of([*command[:2], str(warned)]), children),
            "command, by clock": lambda: measured(lambda: output_of(command), time.perf_counter),
        }
        rounds = [{name: step() for name, step in steps.items()} for _ in range(options.rounds)]
        for name in steps:
            print(f"{name:18} {statistics.median(each[name] for each in rounds):8.1f}")
        print(f"lint: {lint_share(lambda: compile_documents([document])):.0%} of compile, as the profiler sees it")
        if options.profile:
            profiler = cProfile.Profile()
            profiler.runcall(lambda: compile_documents([load_policy_file(path)]))
            pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
