"""Findings as workflow commands of GitHub Actions, which shows them beside the lines of a pull request.

Source: GitHub Docs, "Workflow commands for GitHub Actions"; the escapes are those of
actions/toolkit, `packages/core/src/command.ts`.
"""

from __future__ import annotations

import os
from pathlib import Path

from receiver.cli.excerpt import printable
from receiver.errors import Problem

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = {**_DATA, ord(":"): "%3A", ord(","): "%2C"}


def annotation(problem: Problem) -> str:
    """One finding as one command."""
    fields = {
        "file": repository_path(problem.path),
        "line": str(problem.line),
        "col": str(problem.column),
        "title": problem.code,
    }
    properties = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in fields.items())
    return f"::{problem.severity} {properties}::{printable(problem.message).translate(_DATA)}"


def repository_path(path: str) -> str:
    """The path from the root of the repository: in GitHub Actions the workspace, elsewhere where the command runs. A
    path outside of it stays absolute.
    """
    root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
    whole = Path(path).resolve()
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else whole.as_posix()
