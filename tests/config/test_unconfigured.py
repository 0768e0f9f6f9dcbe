"""What a policy calls and nothing configures is named where it stands, with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from receiver.errors import ConfigurationError, Problem
from receiver.policies import compile_configured, compile_documents, load, refuse_unconfigured
from receiver.yamltext import read_yaml

SETTINGS = """
data_dir: ./var
sources:
  ours: {vendor: generic, verify: {scheme: none, accept_unsigned: true}, map: {type: raw.t}}
"""
FIRST = "rules:\n  - {id: a, tags: [A], then: [{review: {queue: q, reason: r}}]}\n"
SECOND = """rules:
  - {id: b, tags: [A], then: [{label: {add: [x]}}]}
  - id: c
    tags: [A]
    then:
      - label: {add: [y]}
      - didit.face_search: {}
        needs_approval: true
      - notify: {to: ops, message: m}
  - {id: d, tags: [A], then: [{didit.decision: {}}, {notify: {to: ops, message: m}}, {http.post: {to: core, type: t}}]}
"""


def said(problems: Sequence[Problem], texts: dict[str, str]) -> list[tuple[str, str, str]]:
    """Each with its file, and what stands at its place."""
    found = []
    for each in problems:
        name = Path(each.path).name
        line = texts[name].splitlines()[each.line - 1]
        found.append((name, line[each.column - 1 :].split(":")[0], each.message))
    return found


CURE = "is not configured: configure it, or set `actions: {mode: dry_run}`"
EXPECTED = [
    ("didit.face_search", f"the policy calls didit.face_search, but `vendors: didit:` {CURE}"),
    ("notify", f"the policy sends to 'ops' (notify), but `notify: ops:` {CURE}"),
    ("http.post", f"the policy sends to 'core' (http.post), but `hooks: core:` {CURE}"),
]


def test_each_is_named_once_where_it_stands_first(tmp_path: Path) -> None:
    texts = {"config.yaml": SETTINGS + "policy: [one.yaml, two.yaml]\n", "one.yaml": FIRST, "two.yaml": SECOND}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    configuration = load(tmp_path / "config.yaml")
    with pytest.raises(ConfigurationError) as caught:
        compile_configured(configuration)
    assert {each.code for each in caught.value.problems} == {"C009"}
    assert said(caught.value.problems, texts) == [("two.yaml", at, message) for at, message in EXPECTED]


def test_it_stands_in_the_settings_where_the_policy_does(tmp_path: Path) -> None:
    inline = "policy:\n" + "".join(f"  {line}\n" for line in SECOND.splitlines())
    texts = {"config.yaml": SETTINGS + inline}
    (tmp_path / "config.yaml").write_text(texts["config.yaml"])
    with pytest.raises(ConfigurationError) as caught:
        compile_configured(load(tmp_path / "config.yaml"))
    assert said(caught.value.problems, texts) == [("config.yaml", at, message) for at, message in EXPECTED]


def test_a_later_policy_has_places_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SETTINGS + "policy: one.yaml\n")
    (tmp_path / "one.yaml").write_text(FIRST)
    later = [read_yaml(FIRST, "one.yaml"), read_yaml(SECOND, "later.yaml")]
    with pytest.raises(ConfigurationError) as caught:
        refuse_unconfigured(load(tmp_path / "config.yaml"), compile_documents(later), later)
    assert [(each.path, each.line) for each in caught.value.problems] == [
        ("later.yaml", 7),
        ("later.yaml", 9),
        ("later.yaml", 10),
    ]


def test_in_a_dry_run_nobody_is_called(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SETTINGS + "policy: two.yaml\nactions: {mode: dry_run}\n")
    (tmp_path / "two.yaml").write_text(SECOND)
    compile_configured(load(tmp_path / "config.yaml"))
