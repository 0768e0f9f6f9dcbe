"""`hookwarden test`: runs the tests of a policy, and shows what they have seen of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from receiver.cli.options import config_option, json_option
from receiver.cli.output import FINDINGS, FINE, console, fail, print_json, print_table
from receiver.contract import JsonObject
from receiver.errors import ConfigurationError
from receiver.policy.coverage import ConditionCoverage, Coverage, coverage_of
from receiver.policy.explain import decision_document
from receiver.policy.testing import CaseResult, Failure, run_cases


@click.command("test")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@config_option
@click.option(
    "--min-coverage",
    type=click.FloatRange(0, 100),
    metavar="N",
    help="Fail below N percent of rules that fired, or of conditions seen both true and false.",
)
@click.option(
    "--junit", "junit_path", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML to this file."
)
@json_option
def run_tests(
    paths: tuple[Path, ...], config_path: Path, min_coverage: float | None, junit_path: Path | None, as_json: bool
) -> None:
    """Run the examples and tests of a policy, and show which rules and conditions they reach.

    PATHS are policy files, test files (*_test.yaml) and folders of these; without any, the configured policy and the
    test files beside it are taken. The examples of every policy involved are run.

    Exit status 0: all passed. 1: a test failed, or there is none, or coverage is too low. 2: a file cannot be used.
    """
    from receiver.cli.testplan import plan

    try:
        benches = plan(paths, config_path)
    except ConfigurationError as error:
        fail(error)
    ran = [(bench.policy, run_cases(bench.policy, bench.cases)) for bench in benches]
    results = [result for _, group in ran for result in group]
    covered = [(policy.ref.name, coverage_of(policy, [result.decision for result in group])) for policy, group in ran]
    complaints = [f"policy {policy.ref.name} has no example and no test" for policy, group in ran if not group]
    complaints += [said for name, coverage in covered for said in _too_low(name, coverage, min_coverage)]
    if junit_path is not None:
        from receiver.cli.junit import junit_xml

        junit_path.write_text(junit_xml(results), encoding="utf-8")
    if as_json:
        print_json(_document(results, covered, complaints))
    else:
        _tell(results, covered)
    for said in complaints:
        click.echo(f"hookwarden: {said}", err=True)
    sys.exit(FINDINGS if complaints or any(result.failures for result in results) else FINE)


def _too_low(name: str, coverage: Coverage, least: float | None) -> list[str]:
    shares = {"rules": coverage.rules_percent, "conditions": coverage.conditions_percent}
    return [
        f"policy {name}: {percent:.1f}% of {what} covered, at least {least:g}% asked for"
        for what, percent in shares.items()
        if least is not None and percent < least
    ]


def _tell(results: list[CaseResult], covered: list[tuple[str, Coverage]]) -> None:
    for name, coverage in covered:
        _tell_coverage(name, coverage)
    for result in results:
        if result.failures:
            _tell_failures(result)
    failed = sum(bool(result.failures) for result in results)
    click.echo(f"{len(results) - failed} passed, {failed} failed")


def _tell_coverage(name: str, coverage: Coverage) -> None:
    rows: list[JsonObject] = [
        {
            "rule": rule.rule,
            "line": rule.line,
            "fired": rule.fired,
            "conditions": f"{sum(each.covered for each in rule.conditions)}/{len(rule.conditions)}",
            "not_seen": [_not_seen(each) for each in rule.conditions if not each.covered],
        }
        for rule in coverage.rules
    ]
    print_table(("rule", "line", "fired", "conditions", "not_seen"), rows)
    click.echo(
        f"{name}: {coverage.fired} of {len(coverage.rules)} rules fired ({coverage.rules_percent:.1f}%), "
        f"{coverage.covered} of {len(coverage.conditions)} conditions seen true and false "
        f"({coverage.conditions_percent:.1f}%)\n"
    )


def _not_seen(condition: ConditionCoverage) -> str:
    unseen = [word for word, count in (("true", condition.true), ("false", condition.false)) if not count]
    return f"`{condition.expr}` {' and '.join(unseen)}"


def _tell_failures(result: CaseResult) -> None:
    from receiver.cli.reasons import tell_rule

    case = result.case
    console().print(Text(f"FAILED {case.path}:{case.line}: {case.name}", style="bold red"))
    rules: Any = decision_document(result.decision)["rules"]
    for failure in result.failures:
        console().print(Text(f"  expected: {failure.expected}"))
        console().print(Text(f"  actual:   {failure.actual}"))
        for rule in rules:
            if rule["id"] == failure.rule:
                tell_rule(rule)


def _document(results: list[CaseResult], covered: list[tuple[str, Coverage]], complaints: list[str]) -> dict[str, Any]:
    failed = sum(bool(result.failures) for result in results)
    return {
        "passed": len(results) - failed,
        "failed": failed,
        "complaints": complaints,
        "tests": [_result_document(result) for result in results],
        "coverage": [{"policy": name, **_coverage_document(coverage)} for name, coverage in covered],
    }


def _result_document(result: CaseResult) -> dict[str, Any]:
    case = result.case
    document: dict[str, Any] = {"name": case.name, "path": case.path, "line": case.line, "passed": not result.failures}
    if result.failures:
        document["failures"] = [_failure_document(failure) for failure in result.failures]
        document["decision"] = decision_document(result.decision)
    return document


def _failure_document(failure: Failure) -> JsonObject:
    return {"expected": failure.expected, "actual": failure.actual, "rule": failure.rule}


def _coverage_document(coverage: Coverage) -> dict[str, Any]:
    return {
        "rules_percent": round(coverage.rules_percent, 1),
        "conditions_percent": round(coverage.conditions_percent, 1),
        "rules": [
            {
                "id": rule.rule,
                "line": rule.line,
                "fired": rule.fired,
                "conditions": [
                    {"expr": each.expr, "line": each.line, "true": each.true, "false": each.false}
                    | {"undecided": each.undecided}
                    for each in rule.conditions
                ],
            }
            for rule in coverage.rules
        ],
    }
