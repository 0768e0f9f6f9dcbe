"""Policies and events made to hang or to fill the memory: each ends soon and small, in a way that is known.

A bomb is a policy text and an event; `ends` says how it must end: refused with a code, undecided by a
bound, or decided.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from receiver.contract import Event
from receiver.errors import ConfigurationError
from receiver.policy.compile import compile_policy
from receiver.policy.decide import decide
from receiver.yamltext import read_yaml
from tests.support.policies import ACTIONS, KNOWN_TAGS, event_of

WIDE: Final = 10_000  # the longest list that expressions walk


@dataclass(frozen=True, slots=True)
class Bomb:
    """How a bomb is made, and how it ends: a code, `undecided: <words of the reason>`, or `decided`."""

    policy: Callable[[], str]
    ends: str
    event: Callable[[], Event] = event_of
    open: str = ""  # why it does not end so yet
    long: bool = False  # too much work for a test: the bench alone runs it


def rule(*conditions: str, let: dict[str, str] | None = None, note: str = "") -> Callable[[], str]:
    """A policy of one rule, with quoted conditions."""
    lets = "".join(f"  {name}: {_quoted(text)}\n" for name, text in (let or {}).items())
    when = "".join(f"      - {_quoted(text)}\n" for text in conditions)
    then = f"    then:\n      - note: {{text: {_quoted(note)}}}\n" if note else "    then: []\n"
    text = f"version: 1\nname: bomb\n{'let:' + chr(10) if lets else ''}{lets}rules:\n  - id: r\n    when:\n{when}{then}"
    return lambda: text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def raw(**parts: Any) -> Callable[[], Event]:
    """An event with this payload."""
    return lambda: event_of(raw=parts)


def nested(depth: int) -> Any:
    """Lists in each other."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def doubling(count: int, text: str, first: str) -> dict[str, str]:
    """`let` values, each made of the one before, twice."""
    return {"v0": first} | {f"v{place}": text.replace("x", f"v{place - 1}") for place in range(1, count)}


def _aliases() -> str:
    levels = "".join(f"  l{place}: [{', '.join([f'*a{place - 1}'] * 10)}]\n" for place in range(1, 10))
    named = levels
    for place in range(1, 10):
        named = named.replace(f"  l{place}: [", f"  l{place}: &a{place} [")
    return f"version: 1\nname: bomb\nlists:\n  l0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{named}rules: []\n"


def _merges() -> str:
    lines = "".join(
        f"  - &m{place}\n    <<: [{', '.join([f'*m{place - 1}'] * 10)}]\n    k{place}: 1\n" for place in range(1, 12)
    )
    return f"version: 1\nname: bomb\nlists:\n  l: \n  - &m0 {{k: 1}}\n{lines}rules: []\n"


def _rules(count: int) -> str:
    lines = "".join(f"- {{id: r{n}, when: ['event.aml.score > {n}.5'], then: []}}\n" for n in range(count))
    return f"version: 1\nname: bomb\nrules:\n{lines}"


def _conditions(count: int, text: str) -> Callable[[], str]:
    return rule(*[text] * count)


_LIST: Final = list(range(WIDE))
_BIG: Final = "x" * 2**20
_MATCHES: Final = {"a": _LIST, "b": _LIST}


BOMBS: Final[dict[str, Bomb]] = {
    "two macros over 10,000 each": Bomb(
        rule("raw.a.exists(x, raw.b.exists(y, x + y < 0))"), "undecided: budget", raw(**_MATCHES)
    ),
    "10,000 undecided elements, five times": Bomb(
        rule(*["raw.e.exists(i, i.flag)"] * 5), "undecided: budget|decided", raw(e=[{}] * WIDE)
    ),
    "map in map": Bomb(rule("raw.a.map(x, raw.b.map(y, x)).size() > 0"), "undecided: budget", raw(**_MATCHES)),
    "three macros deep": Bomb(rule("raw.a.all(x, raw.a.all(y, raw.a.all(z, x == z)))"), "P020", raw(**_MATCHES)),
    "a list longer than the cap": Bomb(
        rule("raw.a.exists(x, x < 0)"), "undecided: longer than", raw(a=[0] * (WIDE + 1))
    ),
    "a list that joins itself": Bomb(rule("size(raw.a + raw.a) > 0"), "undecided: longer than", raw(**_MATCHES)),
    "deep parentheses": Bomb(rule("(" * 2_000 + "true" + ")" * 2_000), "P020"),
    "deep parentheses, unclosed": Bomb(rule("(" * 4_000), "P020"),
    "deep lists": Bomb(rule("[" * 2_000 + "]" * 2_000 + " == []"), "P020"),
    "deep maps": Bomb(rule("{'a':" * 600 + "1" + "}" * 600 + " == {}"), "P020"),
    "deep ternaries": Bomb(rule("true ? " * 300 + "true" + " : false" * 300), "P020"),
    "a chain of ternaries": Bomb(rule("false ? true : " * 250 + "true"), "P020"),
    "4,000 times not": Bomb(rule("!" * 4_000 + "true"), "P020"),
    "4,000 times minus": Bomb(rule("-" * 4_000 + "raw.a == 1"), "P020"),
    "a path of 2,000 steps": Bomb(rule("raw" + ".a" * 2_000 + " == 1"), "P020"),
    "an index of 1,000 steps": Bomb(rule("raw" + "[0]" * 1_000 + " == 1"), "P020"),
    "a sum of 1,000": Bomb(rule("1" + "+1" * 1_000 + " > 0"), "P020"),
    "just too long": Bomb(rule("true" + " " * 4_093), "P020"),
    "1 MiB of expression": Bomb(rule("true || " * 131_072 + "true"), "P020"),
    "a chain of 500 &&": Bomb(rule(" && ".join(["true"] * 500)), "decided"),
    "a chain of 300 faults": Bomb(rule(" || ".join(["1/0 == 1"] * 300)), "undecided: division"),
    "99 deep, as far as it goes": Bomb(rule("(" * 95 + "true" + ")" * 95), "decided"),
    "90 nested ternaries": Bomb(rule("(true ? " * 45 + "true" + " : false)" * 45), "decided"),
    "strings that double": Bomb(
        rule("size(v29) > 0", let=doubling(30, "x + x", "'ab'")), "undecided: longer than", raw()
    ),
    "strings that double in 12 conditions": Bomb(
        rule(*["size(raw.t + raw.t) > 0"] * 12), "decided", raw(t="x" * 32_000)
    ),
    "lists that double by let": Bomb(rule("size(v39) > 0", let=doubling(40, "[x, x]", "[1]")), "decided"),
    "lists that double by let, compared": Bomb(
        rule("v39 == v39", let=doubling(40, "[x, x]", "[1]")), "undecided: budget"
    ),
    "lists that double by let, 90 levels": Bomb(rule("size(v89) > 0", let=doubling(90, "[x, x]", "[1]")), "decided"),
    "lists that double by let, shown": Bomb(
        rule("size(v29) > 0", let=doubling(30, "[x, x]", "[1]"), note="{{ v29 }}"), "undecided: large"
    ),
    "lists that double by let, as text": Bomb(
        rule("size(v29) > 0", let=doubling(30, "[x, x]", "[1]"), note="a {{ v29 }}"), "undecided: large"
    ),
    "maps that double by let": Bomb(
        rule("v29 != {}", let=doubling(30, "{'a': x, 'b': x}", "{}"), note="{{ v29 }} {{ v29 }}"),
        "undecided: large",
    ),
    "lists 2,000 deep by let": Bomb(rule("size(v1999) > 0", let=doubling(2_000, "[x]", "[1]")), "P|decided"),
    "numbers that double by let, to infinity": Bomb(
        rule("v29 > 0.0", let=doubling(30, "x * x", "10.0")), "undecided: infinite"
    ),
    "lists in lists, made infinite by arithmetic": Bomb(
        rule("size(v29) > 0", let=doubling(30, "[x, x]", "[1.0 + 1.0]")), "decided"
    ),
    "a macro that doubles by let": Bomb(
        rule("size(v12) > 0", let=doubling(13, "(x + x).map(m, m)", "[1, 2]")), "undecided: longer than|budget|decided"
    ),
    "templates that repeat 1 MiB": Bomb(rule("true", note="{{ raw.t }}" * 300), "undecided: large", raw(t=_BIG)),
    "templates of a 10,000-element list": Bomb(
        rule("true", note=" {{ raw.a }}" * 300), "undecided: large", raw(a=_LIST)
    ),
    "an int of 4,000 digits": Bomb(rule("raw.a == " + "9" * 4_000), "P020"),
    "a hexadecimal int of 4,000 digits": Bomb(rule("raw.a == 0x" + "f" * 4_000), "P020"),
    "a double of 4,000 digits": Bomb(rule("raw.a == " + "9" * 3_000 + ".0"), "P020"),
    "a double of 4,000 digits behind the point": Bomb(rule("raw.a == 0." + "1" * 4_000), "decided", raw(a=1)),
    "an exponent of 3,000 digits": Bomb(rule("raw.a == 1e" + "9" * 3_000), "P020"),
    "a small exponent of 3,000 digits": Bomb(rule("raw.a == 1e-" + "9" * 3_000), "decided", raw(a=1)),
    "a YAML int of 1,000,000 digits": Bomb(lambda: "version: " + "9" * 10**6, "Y003"),
    "an int of 4,000 digits in the event": Bomb(
        rule("raw.a > 1.5", "raw.a == raw.a", "raw.a * 2 > 0"), "undecided: 64 bits", raw(a=10**4_000)
    ),
    "a string literal of 4,000": Bomb(rule("raw.t.contains('" + "a" * 4_000 + "')"), "decided", raw(t="a" * 2**20)),
    "an unclosed string of 1 MiB": Bomb(rule('"' + "a" * 2**20), "P020"),
    "contains, the worst way": Bomb(
        _conditions(100, "raw.t.contains(raw.n)"), "decided", raw(t=_BIG, n="x" * 2**19 + "y")
    ),
    "startsWith, 1,000 times 1 MiB": Bomb(
        _conditions(1_000, "raw.t.startsWith(raw.t)"), "undecided: budget", raw(t=_BIG)
    ),
    "1,000 comparisons of 1 MiB": Bomb(
        _conditions(1_000, "raw.t == raw.u"), "undecided: budget", raw(t=_BIG, u=_BIG[:-1] + "x")
    ),
    "1,000 comparisons in order of 1 MiB": Bomb(
        _conditions(1_000, "raw.t <= raw.u"), "undecided: budget", raw(t=_BIG, u=_BIG[:-1] + "x")
    ),
    "1 MiB in a list of 1 MiB": Bomb(
        _conditions(100, "raw.t in raw.l"), "undecided: budget", raw(t=_BIG, l=[_BIG[:-1] + "x"] * 1_000)
    ),
    "a list in 10,000 lists": Bomb(
        _conditions(100, "raw.a in raw.l"), "undecided: budget", raw(a=_LIST, l=[[*_LIST[:-1], 0]] * 100)
    ),
    "the largest of 10,000 strings of 64 KiB": Bomb(
        _conditions(100, "max(raw.l) == ''"), "undecided: budget", raw(l=["x" * 2**16] * WIDE)
    ),
    "equality of deep lists": Bomb(rule("raw.a == raw.b"), "decided", raw(a=nested(60), b=nested(60))),
    "equality of wide maps": Bomb(
        _conditions(20, "raw.a == raw.b"),
        "undecided: budget",
        raw(a={str(n): n for n in range(WIDE)}, b={str(n): n for n in range(WIDE)}),
    ),
    "a deep list in an explanation": Bomb(rule("raw.a == 1", "size(raw.a) == 1"), "decided", raw(a=nested(60))),
    "1,000 conditions that read 10,000 elements": Bomb(_conditions(1_000, "size(raw.a) > 1"), "decided", raw(a=_LIST)),
    "1,000 conditions that read 1 MiB": Bomb(_conditions(1_000, "size(raw.t) > 1"), "decided", raw(t=_BIG)),
    "1,000 conditions over 900 texts": Bomb(_conditions(1_000, "size(raw.l) > 1"), "decided", raw(l=["x" * 999] * 15)),
    "30,000 blanks before a mistake": Bomb(
        rule("true", note="x" + " " * 30_000 + "{{ 1"),
        "P022",
    ),
    "YAML aliases, billion laughs": Bomb(_aliases, "Y004", long=True),
    "YAML merge keys": Bomb(_merges, "Y00", long=True),
    "deep YAML": Bomb(
        lambda: "version: 1\nname: bomb\nlists: " + "[" * 100_000,
        "Y004: nested",
    ),
    "deep YAML, closed": Bomb(lambda: "version: 1\nlists: {a: " + "[" * 5_000 + "]" * 5_000 + "}", "Y004"),
    "deep YAML blocks": Bomb(lambda: "".join(" " * n + "a:\n" for n in range(3_000)), "Y0"),
    "1,000,000 YAML values": Bomb(lambda: "version: 1\nlists: {a: [" + "1," * 10**6 + "]}", "Y004", long=True),
    "100,000 rules": Bomb(lambda: _rules(100_000), "Y004|undecided: budget|decided", long=True),
    "20,000 rules": Bomb(lambda: _rules(20_000), "undecided: budget|decided", long=True),
    "let in a circle of 500": Bomb(rule("v0 == 1", let={f"v{n}": f"v{(n + 1) % 500}" for n in range(500)}), "P021"),
    "let in a chain of 5,000": Bomb(
        rule("v0 == 1", let={f"v{n}": f"v{n + 1}" for n in range(4_999)} | {"v4999": "1"}), "P004"
    ),
    "let, each of all before": Bomb(
        rule(
            "v299 == 1",
            let={"v0": "1"} | {f"v{n}": " + ".join(f"v{m}" for m in range(max(0, n - 90), n)) for n in range(1, 300)},
        ),
        "undecided: 64 bits|decided",
    ),
}


def how_it_ends(policy: str, event: Event) -> str:
    """Read, compile and decide; then write the decision down, as the record would."""
    try:
        compiled = compile_policy([read_yaml(policy, "policy.yaml")], ACTIONS, known_tags=KNOWN_TAGS)
    except ConfigurationError as error:
        first = next(problem for problem in error.problems if problem.severity == "error")
        return f"refused: {first.code} {first.message}"
    decision = decide(event, compiled)
    kept = json.dumps(dataclasses.asdict(decision), default=str)
    if decision.outcome == "undecided":
        return f"undecided: {decision.reason}"
    return f"{decision.outcome}, {len(kept):,} characters kept"


def ends_as(how: str, ends: str) -> bool:
    """Is this the end that was expected?"""
    for end in ends.split("|"):
        outcome, _, words = end.partition(": ")
        if how.startswith((outcome, f"refused: {outcome}")) and words in how:
            return True
    return False
