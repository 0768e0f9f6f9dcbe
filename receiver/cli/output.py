"""What people see: tables for eyes, JSON for programs, findings for editors. Everything goes out through here."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from receiver.cli.excerpt import MARGIN, MAX_CELLS, excerpt, printable
from receiver.contract import JsonObject
from receiver.errors import ConfigurationError, Problem

if TYPE_CHECKING:  # importing rich takes as long as reading a long policy, and findings need none of it
    from rich.console import Console

FINE, FINDINGS, UNUSABLE = 0, 1, 2
_COLOURS = {"error": "red", "warning": "yellow"}


def console(*, stderr: bool = False) -> Console:
    """Where people look. Piped output is as wide as its longest line, never cut."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr, width=None if stream.isatty() else 200, highlight=False, soft_wrap=not stream.isatty()
    )


def print_json(document: Any) -> None:
    """One JSON document, readable."""
    click.echo(json.dumps(document, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[JsonObject]) -> None:
    """A table of the named keys. Where it is wider than the terminal, each row becomes a few lines instead: what is
    folded cannot be copied, and the next command needs the identifiers. Into a pipe every cell goes whole.
    """
    from rich.cells import cell_len
    from rich.text import Text

    heads = [column.replace("_", " ") for column in columns]
    cells = [[cell(row.get(column)) for column in columns] for row in rows]
    lines, out = list(_aligned([heads, *cells])), console()
    if not sys.stdout.isatty() or max(map(cell_len, lines)) <= out.width:
        out.print(Text(lines[0], style="bold"), soft_wrap=True)
        for line in lines[1:]:
            out.print(Text(line), soft_wrap=True)
        return
    for values in cells:
        for line in _lines(heads, values, out.width):
            out.print(Text(line), soft_wrap=True)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows as lines, each column as wide as its longest cell, with two blanks between them."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _lines(heads: Sequence[str], values: Sequence[str], width: int) -> Iterator[str]:
    """One row as lines: the first value alone, then the others with their names, broken between two only. A number says
    nothing of itself, and has its name at the head too.
    """
    yield f"{heads[0]}: {values[0]}" if values[0].isdigit() else values[0]
    line = ""
    for head, value in zip(heads[1:], values[1:], strict=True):
        part = f"  {head}: {value}"
        if line and len(line) + len(part) > width:
            yield line
            line = ""
        line += part
    yield line


def cell(value: Any) -> str:
    """A value as one cell of text. Control characters of strangers do not reach the terminal."""
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value) or "-"
    if isinstance(value, dict):
        return json.dumps(value)
    return printable(str(value))


def print_problems(problems: Iterable[Problem], *, stderr: bool = False) -> None:
    """Findings, each on one line in the form that editors understand, with the source line and a caret below."""
    from receiver.cli.sources import Sources

    sources = Sources()
    stream = sys.stderr if stderr else sys.stdout
    colour, widest = _is_coloured(stream), _width(stream)
    for problem in problems:
        click.echo(_headline(problem), err=stderr, color=colour)
        found = sources.line(problem)
        if found is not None:
            source, caret = excerpt(found[0], problem.line, found[1], widest)
            click.echo(f"{source}\n{click.style(caret, fg=_COLOURS[problem.severity])}", err=stderr, color=colour)


def _headline(problem: Problem) -> str:
    place = click.style(printable(f"{problem.path}:{problem.line}:{problem.column}:"), bold=True)
    severity = click.style(problem.severity, fg=_COLOURS[problem.severity], bold=True)
    return f"{place} {severity} {problem.code} {printable(problem.message)}"


def _width(stream: TextIO) -> int:
    """The cells of a source line that are shown."""
    return shutil.get_terminal_size().columns - MARGIN if stream.isatty() else MAX_CELLS


def _is_coloured(stream: TextIO) -> bool:
    """On a terminal, unless https://no-color.org or the terminal itself says no."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def fail(error: ConfigurationError) -> NoReturn:
    """Say everything that is wrong with a file and end with status 2."""
    print_problems(error.problems, stderr=True)
    count = sum(problem.severity == "error" for problem in error.problems)
    click.echo(f"hookwarden: {count} error{'s' if count != 1 else ''}; nothing was started", err=True)
    sys.exit(UNUSABLE)
