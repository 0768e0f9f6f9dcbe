"""A start reads and compiles its policy once, and names the problems of settings and policy together."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.config import load_compiled
from receiver.errors import ConfigurationError
from receiver.policies import compile_documents, load_whole
from receiver.policy.compile import Policy
from receiver.publication import read_content
from receiver.textfiles import read_text
from tests.support.receiver import write_configuration


def test_the_policy_is_compiled_once(tmp_path: Path) -> None:
    compiled: list[Policy] = []

    def counting(documents: object, inline: bool) -> Policy:
        compiled.append(compile_documents(documents, inline=inline))  # type: ignore[arg-type]  # documents, handed on
        return compiled[-1]

    configuration, policy = load_compiled(write_configuration(tmp_path), counting)
    assert [policy] == compiled
    assert configuration.inline_policy


def test_problems_of_settings_and_policy_are_named_together(tmp_path: Path) -> None:
    path = write_configuration(tmp_path, {"version": 1, "name": "p", "rules": [{"idd": "x"}]}, server={"prt": 1})
    with pytest.raises(ConfigurationError) as caught:
        load_whole(path)
    assert {"C002", "P002"} <= {problem.code for problem in caught.value.problems}


@pytest.mark.parametrize("content", [b"a: 1\r\nb: 2\r\n", b"\xef\xbb\xbfa: 1\nb: 2\n", b"a: 1\rb: 2\r"])
def test_what_is_published_reads_as_the_file_that_holds_it(tmp_path: Path, content: bytes) -> None:
    """Otherwise the watcher would find another version in the file than the one that was published."""
    path = tmp_path / "face.yaml"
    path.write_bytes(content)
    assert read_content(content) == read_text(path) == "a: 1\nb: 2\n"
