"""`hookwarden check` and `hookwarden init`: before anything runs."""

from __future__ import annotations

import contextlib
import gc
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import click

from receiver.cli.options import config_option
from receiver.cli.output import FINDINGS, FINE, print_json, print_problems
from receiver.errors import ConfigurationError, Problem
from receiver.textfiles import load_policy_file
from receiver.yamltext import Document

_POLICY_MARK = "\npolicy:\n"
_NO_POLICY = "this is a test document, not a policy: `hookwarden test FILE` reads it"


@click.command()
@click.argument("policies", nargs=-1, type=click.Path(path_type=Path, exists=True))
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    help="text: for people and editors. sarif: for code hosts. github: annotations in GitHub Actions.",
)
@click.option("--strict", is_flag=True, help="Exit status 1 for warnings too.")
def check(policies: tuple[Path, ...], config_path: Path, form: str, strict: bool) -> None:
    """Find every mistake in the configuration and its policy, or in the POLICIES (files or folders) given; and in the
    packages that are installed beside this one.

    Several files are taken as one policy, in the order given. In a folder, every *.yaml and *.yml file is read, but not
    tests and what is hidden; a file that a configuration names is checked as part of that.
    Exit status 0: no errors (warnings may be printed). 1: errors, or with --strict warnings.
    """
    from receiver.policies import package_problems

    with _uncollected():
        found = _problems_of_files(policies) if policies else _configuration_problems(config_path)
        problems = sorted({*found, *package_problems()})
    _print(problems, form)
    errors = sum(problem.severity == "error" for problem in problems)
    if form == "text":
        what = ", ".join(str(path) for path in policies) or str(config_path)
        click.echo(f"{what}: {_count(errors, 'error')}, {_count(len(problems) - errors, 'warning')}", err=True)
    sys.exit(FINDINGS if errors or (strict and problems) else FINE)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """The collector would walk all documents again and again, and free nothing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _print(problems: Sequence[Problem], form: str) -> None:
    if form == "json":
        print_json([problem.document() for problem in problems])
    elif form == "sarif":
        from receiver.cli.sarif import sarif_log

        print_json(sarif_log(problems))
    elif form == "github":
        from receiver.cli.annotate import annotation

        for problem in problems:
            click.echo(annotation(problem))
    elif problems:
        print_problems(problems)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _configuration_problems(config_path: Path) -> list[Problem]:
    from receiver.policies import load_whole, refuse_unconfigured

    try:
        configured, policy = load_whole(config_path, "lenient")
    except ConfigurationError as error:
        return sorted(error.problems)
    problems = [*configured.warnings, *policy.warnings]
    try:
        refuse_unconfigured(configured, policy)
    except ConfigurationError as error:
        problems += error.problems
    return sorted(problems)


def _problems_of_files(paths: tuple[Path, ...]) -> list[Problem]:
    """The problems of all files: of each configuration, and of the policy files taken as one policy."""
    from receiver.policies import compile_documents

    read = {path: _read(path, pipes=path in paths) for path in _files(paths)}
    configured = {file for path, document in read.items() for file in _named_by(path, document)}
    problems: set[Problem] = set()  # each once, though a file that was given may be named by a configuration too
    policies: list[Document] = []
    for path, document in read.items():
        if path not in paths and path.resolve() in configured:
            continue
        if isinstance(document, ConfigurationError):
            problems.update(document.problems)
        elif _kind(document) == "configuration":
            problems.update(_configuration_problems(path))
        elif _kind(document) == "test":
            problems.add(document.problem((), "C003", _NO_POLICY))
        else:
            policies.append(document)
    try:
        problems.update(compile_documents(policies).warnings if policies else ())
    except ConfigurationError as error:
        problems.update(error.problems)
    return sorted(problems)


def _read(path: Path, *, pipes: bool) -> Document | ConfigurationError:
    try:
        return load_policy_file(path, pipes=pipes)
    except ConfigurationError as error:
        return error


def _named_by(path: Path, document: Document | ConfigurationError) -> Iterator[Path]:
    """The files that a configuration names: they are checked as part of it."""
    if isinstance(document, Document) and isinstance(document.value, dict) and _kind(document) == "configuration":
        from receiver.config import policy_names

        for name in policy_names(document.value.get("policy")):
            yield (path.parent / name).resolve()


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files named, and the policy files of folders."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(file for file in path.rglob("*") if _is_policy_file(file, path))
        if not found:
            raise click.UsageError(f"{path} holds no policy: no *.yaml or *.yml but tests")
        yield from found


def _is_policy_file(file: Path, folder: Path) -> bool:
    """Not what is hidden: that is other programs' (.github), or a second way to the same file (a mounted ConfigMap)."""
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.suffix in (".yaml", ".yml") and not file.stem.endswith("_test") and not hidden and not file.is_dir()


def _kind(document: Document) -> Literal["configuration", "policy", "test"]:
    keys = document.value.keys() if isinstance(document.value, dict) else set()
    if "rules" not in keys and "tests" in keys:
        return "test"
    return "configuration" if "rules" not in keys and keys & {"policy", "sources"} else "policy"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
def init(folder: Path) -> None:
    """Write config.yaml and policies/face.yaml into FOLDER, ready to edit. Never overwrites."""
    from receiver.cli.example import example_text

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
