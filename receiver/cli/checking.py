"""`hookwarden check` and `hookwarden init`: before anything runs."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import click

from receiver.cli.example import example_text
from receiver.cli.options import config_option
from receiver.cli.output import FINDINGS, FINE, print_json, print_problems
from receiver.config import load_policy_file
from receiver.contract import JsonObject
from receiver.errors import ConfigurationError, Problem

_POLICY_MARK = "\npolicy:\n"


@click.command()
@click.argument("policies", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@config_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(policies: tuple[Path, ...], config_path: Path, form: str) -> None:
    """Find every mistake in the configuration and its policy, or in the POLICIES given, before anything runs.

    Exit status 0: no errors (warnings may be printed). 1: errors.
    """
    problems = _policy_problems(policies) if policies else _configuration_problems(config_path)
    if form == "json":
        print_json([_document(problem) for problem in problems])
    else:
        print_problems(problems)
    errors = sum(problem.severity == "error" for problem in problems)
    if form == "text":
        what = ", ".join(str(path) for path in policies) or str(config_path)
        click.echo(f"{what}: {_count(errors, 'error')}, {_count(len(problems) - errors, 'warning')}", err=True)
    sys.exit(FINDINGS if errors else FINE)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _configuration_problems(config_path: Path) -> list[Problem]:
    from receiver.wiring import compile_configured, load

    try:
        configured = load(config_path, "lenient")
        policy = compile_configured(configured)
    except ConfigurationError as error:
        return list(error.problems)
    return sorted([*configured.warnings, *policy.warnings])


def _policy_problems(policies: tuple[Path, ...]) -> list[Problem]:
    from receiver.wiring import compile_documents

    try:
        policy = compile_documents([load_policy_file(path) for path in policies])
    except ConfigurationError as error:
        return list(error.problems)
    return sorted(policy.warnings)


def _document(problem: Problem) -> JsonObject:
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity,
        "code": problem.code,
        "message": problem.message,
    }


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
def init(folder: Path) -> None:
    """Write config.yaml and policies/face.yaml into FOLDER, ready to edit. Never overwrites."""
    settings, policy = _split_example(example_text())
    targets = {folder / "config.yaml": settings, folder / "policies" / "face.yaml": policy}
    existing = [str(path) for path in targets if path.exists()]
    if existing:
        raise click.ClickException(f"{', '.join(existing)} exists already; nothing was written")
    for path, text in targets.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(f"wrote {path}")
    click.echo(
        "Next: export DIDIT_WEBHOOK_SECRET, HOOKWARDEN_API_TOKEN (16 characters or more each) and DIDIT_API_KEY, then\n"
        "  hookwarden check\n  hookwarden serve"
    )


def _split_example(text: str) -> tuple[str, str]:
    """The settings, and the policy as a file of its own."""
    settings, _, policy = text.partition(_POLICY_MARK)
    settings, _, policy_head = settings.rpartition("\n# ---")
    comment = "".join(f"{line}\n" for line in policy_head.splitlines()[1:])
    modeline = "# yaml-language-server: $schema=../hookwarden.policy.schema.json\n"
    return f"{settings}\npolicy: policies/face.yaml\n", f"{comment}{modeline}{textwrap.dedent(policy)}"
