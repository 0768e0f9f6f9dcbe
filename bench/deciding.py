"""Deciding: CPU time per event at 1, 100, 1,000 and 10,000 rules, with and without explanation, beside Google's CEL.

Rule i: a tag of fifty, a face match of at least N, and a country that is not one of three. An event (about 3.4 KB as
JSON) carries two tags, so one rule in 25 passes the tag test. Three ways of saying the same: the look-alikes searched
in every rule (`exists`, the same text for both engines), the best look-alike named once in `let`, and (what no index
can find) the tag tested in the condition. All engines must name the same rules, or the script stops.

Without the index 10,000 rules would use the step budget of an event up; here that one way is given more.

Google's engine is `cel-expr-python` (C++); its figures hold the making of an activation for each event, and with our
index only the rules that it finds are evaluated. Rounds are interleaved, figures are medians over the rounds of CPU
time per event; the p50 and p99 over single events stand beside ours.

    pip install cel-expr-python
    python bench/deciding.py [--rules 1,100,1000,10000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from intake import TAGS, body

from receiver.contract import Event, JsonObject
from receiver.policies import compile_documents
from receiver.policy.decide import STEP_BUDGET, decide
from receiver.policy.rules import Policy
from receiver.vendors.didit import normalise
from receiver.yamltext import read_yaml

EVENTS = 200
LEAST = 0.05  # seconds of CPU that a measurement takes at least
Fired = Callable[[Event], list[str]]


@dataclass(frozen=True)
class Engine:
    """One way of deciding: the ids of the rules that fire, in order."""

    name: str
    fired: Fired


def events() -> list[Event]:
    """Events with two tags and five look-alikes each, the same in every run."""
    random.seed(7)
    return [normalise("didit", json.loads(body(1_790_000_000, 3400))) for _ in range(EVENTS)]


def thresholds(rules: int) -> list[int]:
    """The least similarity of each rule."""
    return [60 + number * 37 % 40 for number in range(rules)]


def tag(number: int) -> str:
    """The tag of a rule."""
    return TAGS[number % len(TAGS)]


def policy(rules: int, form: str) -> Policy:
    """The rules as a policy: `exists`, `let`, or `untagged`."""
    conditions = {
        "exists": "event.matches.exists(m, m.similarity >= {least}.0)",
        "let": "top_face >= {least}.0",
        "untagged": "event.matches.exists(m, m.similarity >= {least}.0)",
    }
    country = "!(event.country in ['ESP', 'PRT', 'AND'])"
    written: list[JsonObject] = []
    for number, least in enumerate(thresholds(rules)):
        rule: JsonObject = {"id": f"rule-{number}", "when": [conditions[form].format(least=least), country], "then": []}
        if form == "untagged":
            rule["when"] = [f"'{tag(number)}' in event.tags", *rule["when"]]  # type: ignore[misc]  # a list, above
        else:
            rule["tags"] = [tag(number)]
        written.append(rule)
    document: JsonObject = {"name": "bench", "rules": written}  # type: ignore[dict-item]  # JSON objects
    if form == "let":
        document["let"] = {"top_face": "max(event.matches.map(m, m.similarity))"}
    return compile_documents([read_yaml(json.dumps(document), "bench.json")])


def ours(compiled: Policy, *, explain: bool, budget: int = STEP_BUDGET) -> Fired:
    """The product's own function."""

    def fired(event: Event) -> list[str]:
        return [rule.id for rule in decide(event, compiled, budget=budget, explain=explain).rules if rule.fired]

    return fired


def google(rules: int, index: Policy | None) -> Fired:
    """Google's engine over the same rules; with our index, or with the tag in the expression."""
    from cel_expr_python import cel  # type: ignore[import-untyped]  # ships no types

    environment = cel.NewEnv(variables={"event": cel.Type.DYN})
    found = []
    for number, least in enumerate(thresholds(rules)):
        text = f"event.matches.exists(m, m.similarity >= {least}.0) && !(event.country in ['ESP', 'PRT', 'AND'])"
        found.append(environment.compile(text if index else f"'{tag(number)}' in event.tags && {text}"))

    def fired(event: Event) -> list[str]:
        activation = environment.Activation({"event": event.document})
        numbers: Iterable[int] = (
            (rule.order for rule in index.index.candidates(event.document)) if index else range(rules)
        )
        return [f"rule-{number}" for number in numbers if found[number].eval(activation).value() is True]

    return fired


def engines(rules: int) -> list[Engine]:
    """All of them, for so many rules."""
    exists, let = policy(rules, "exists"), policy(rules, "let")
    return [
        Engine("let, index", ours(let, explain=False)),
        Engine("let, index, explained", ours(let, explain=True)),
        Engine("exists, index", ours(exists, explain=False)),
        Engine("exists, index, explained", ours(exists, explain=True)),
        Engine("exists, no index", ours(policy(rules, "untagged"), explain=False, budget=10**9)),
        Engine("Google CEL, index", google(rules, exists)),
        Engine("Google CEL, no index", google(rules, None)),
    ]


def per_event(engine: Engine, sample: Sequence[Event]) -> float:
    """CPU nanoseconds for one event, over at least LEAST seconds."""
    done, started = 0, time.process_time()
    while True:
        for event in sample:
            engine.fired(event)
            done += 1
            if done % 10 == 0 and time.process_time() - started > LEAST:
                return (time.process_time() - started) / done * 1e9


def quantiles(engine: Engine, sample: Sequence[Event]) -> tuple[float, float]:
    """p50 and p99 over single events, in nanoseconds."""
    taken = []
    for event in (*sample, *sample):
        started = time.perf_counter_ns()
        engine.fired(event)
        taken.append(time.perf_counter_ns() - started)
    cut = statistics.quantiles(taken, n=100)
    return cut[49], cut[98]


def table(rules: int, rounds: int, sample: Sequence[Event]) -> None:
    """Measure every engine with so many rules and print a line for each."""
    measured = engines(rules)
    wanted = [measured[-1].fired(event) for event in sample[:50]]
    for engine in measured:
        assert [engine.fired(event) for event in sample[:50]] == wanted, f"{engine.name} decides differently"
    found: dict[str, list[float]] = {engine.name: [] for engine in measured}
    for _ in range(rounds):
        for engine in measured:
            found[engine.name].append(per_event(engine, sample))
    print(f"\n{rules:,} rules; {statistics.mean(map(len, wanted)):.1f} fire at an event")
    base = statistics.median(found["Google CEL, index"])
    for engine in measured:
        middle = statistics.median(found[engine.name])
        p50, p99 = quantiles(engine, sample)
        print(
            f"  {engine.name:26} {middle:13,.0f} ns/event  p50 {p50:13,.0f}  p99 {p99:13,.0f}"
            f"  {middle / base:6.2f} x Google with index"
        )


def main() -> None:
    """Print a table for each number of rules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", default="1,100,1000,10000")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sample = events()
    for rules in map(int, options.rules.split(",")):
        table(rules, options.rounds, sample)


if __name__ == "__main__":
    main()
