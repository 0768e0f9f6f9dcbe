"""What people see: tables for eyes, JSON for programs, findings for editors. Everything goes out through here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from receiver.contract import JsonObject
from receiver.errors import ConfigurationError, Problem

FINE, FINDINGS, UNUSABLE = 0, 1, 2


def console(*, stderr: bool = False) -> Console:
    """Where people look. Piped output is as wide as its longest line, never cut."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr, width=None if stream.isatty() else 200, highlight=False, soft_wrap=not stream.isatty()
    )


def print_json(document: Any) -> None:
    """One JSON document, readable."""
    click.echo(json.dumps(document, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[JsonObject]) -> None:
    """A table of the named keys."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(column))) for column in columns))
    console().print(table)


def cell(value: Any) -> str:
    """A value as one cell of text. Control characters of strangers do not reach the terminal."""
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value) or "-"
    if isinstance(value, dict):
        return json.dumps(value)
    text = str(value)
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def print_problems(problems: Iterable[Problem]) -> None:
    """Findings, one a line, in the form that editors understand."""
    for problem in problems:
        click.echo(str(problem))


def fail(error: ConfigurationError) -> NoReturn:
    """Say everything that is wrong with a file and end with status 2."""
    for problem in error.problems:
        click.echo(str(problem), err=True)
    count = sum(problem.severity == "error" for problem in error.problems)
    click.echo(f"hookwarden: {count} error{'s' if count != 1 else ''}; nothing was started", err=True)
    sys.exit(UNUSABLE)
