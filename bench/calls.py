"""What is tested of every call that leaves the house, as a table, read from the tests themselves.

A test says by the mark `shows` what it is evidence of: `success`, `error` (of a `kind`, else the parameter `fault`),
`call` (the command line), `rule` (a webhook, a rule, the call, its outcome) or `crash` (the call was in flight when its
process died). Which action it is about stands in the mark, or is one of the parameters that the test runs with. Tests
that are skipped or expected to fail are evidence of nothing. Exit 1 where an action of the registry lacks anything:
each kind of evidence, and of a vendor's action each error in `MUST`.

python bench/calls.py [--run] [FILE ...]    # --run also runs these tests, and ends with 1 if one of them fails
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from handlers.specs import SPECS  # noqa: E402 - the project is found by the line above

FILES = ("tests/handlers", "tests/cli/test_call_every_action.py")
EVIDENCE = ("success", "error", "call", "rule", "crash")
MUST = ("rate_limited", "error_500", "slow", "drop", "malformed_json", "oversized", "unauthorized")
"""What can go wrong with any vendor: too many calls, its own fault, no answer in time, a connection that drops, an
answer that cannot be read or does not end, credentials refused."""


@dataclass
class Shown:
    """What is shown of each action: how many tests by evidence, and by kind of error."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    errors: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    faults: list[str] = field(default_factory=list)

    def add(self, item: pytest.Item) -> None:
        """Count one collected test."""
        if item.get_closest_marker("skip") or item.get_closest_marker("xfail") or item.get_closest_marker("skipif"):
            return
        for mark in item.iter_markers("shows"):
            what, action = mark.args[0], mark.kwargs.get("action") or _action(item)
            kind = mark.kwargs.get("kind") or _parameters(item).get("fault", "")
            if what not in EVIDENCE or action not in SPECS or (what == "error") is not bool(kind):
                self.faults.append(f"{item.nodeid}: shows {what!r} {kind!r} of {action!r}")
                continue
            self.counts[action][what] += 1
            if what == "error":
                self.errors[action][kind] += 1

    def missing(self, action: str) -> list[str]:
        """What there is no evidence of."""
        lacking = [what for what in EVIDENCE if not self.counts[action][what]]
        must = MUST if SPECS[action].vendor else ()
        return [*lacking, *(kind for kind in must if not self.errors[action][kind])]


class Collector:
    """The part of pytest that tells what was collected, and how it went."""

    def __init__(self) -> None:
        self.shown = Shown()
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Count what was collected."""
        for item in items:
            self.shown.add(item)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what failed."""
        if report.failed:
            self.failed.append(report.nodeid)


def _parameters(item: pytest.Item) -> dict[str, object]:
    called = getattr(item, "callspec", None)
    return {} if called is None else dict(called.params)


def _action(item: pytest.Item) -> str:
    """The action among the parameters: a name, or something that has one."""
    names = [getattr(value, "name", value) for value in _parameters(item).values()]
    found = [name for name in names if isinstance(name, str) and name in SPECS]
    return found[0] if len(found) == 1 else ""


def actions() -> list[str]:
    """The actions that call somebody. A case and a label stay in the house."""
    return [name for name, spec in SPECS.items() if spec.vendor or spec.target]


def collect(files: Sequence[str] = FILES, *, run: bool = False) -> tuple[Collector, str]:
    """Have pytest collect the tests, or run those that show something; gives what it said too."""
    collector, said = Collector(), io.StringIO()
    how = ["-m", "shows"] if run else ["--collect-only"]
    options = ["-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}", *how]
    with contextlib.redirect_stdout(said):
        code = pytest.main([*options, *(str(ROOT / file) for file in files)], plugins=[collector])
    if code != pytest.ExitCode.OK and not collector.failed:
        collector.failed.append(f"pytest ended with {int(code)}")
    return collector, said.getvalue()


def table(shown: Shown) -> Iterator[str]:
    """The lines of the table."""
    yield "| action | sandbox, success | error cases | by kind | `call` | by a rule | after a crash |"
    yield "|---|---|---|---|---|---|---|"
    total: Counter[str] = Counter()
    for name in actions():
        counts = shown.counts[name]
        total.update(counts)
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(shown.errors[name].items()))
        yield (
            f"| `{name}` | {counts['success']} | {counts['error']} | {kinds} | "
            + " | ".join(str(counts[what]) for what in ("call", "rule", "crash"))
            + " |"
        )
    sums = " | ".join(str(total[what]) for what in ("call", "rule", "crash"))
    yield f"| {len(actions())} actions | {total['success']} | {total['error']} | | {sums} |"


def main() -> int:
    """Print the table; 1 where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", action="store_true", help="run the tests too")
    parser.add_argument("files", nargs="*", default=FILES, help="other tests than the project's")
    asked = parser.parse_args()
    collector, said = collect(asked.files, run=asked.run)
    if collector.failed:
        print(said, *collector.failed, sep="\n", file=sys.stderr)
    for line in table(collector.shown):
        print(line)
    lacking = [f"{name}: no {what}" for name in actions() for what in collector.shown.missing(name)]
    for fault in (*collector.shown.faults, *lacking):
        print(fault, file=sys.stderr)
    return 1 if collector.failed or collector.shown.faults or lacking else 0


if __name__ == "__main__":
    sys.exit(main())
