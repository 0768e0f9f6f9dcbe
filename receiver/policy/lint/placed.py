"""What the static checks look at: each document with its rules, as written and as compiled, and where things stand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from receiver.errors import Problem
from receiver.policy.document import PolicyDocument, RuleDocument
from receiver.policy.findings import Findings
from receiver.policy.formula import Formula, Let
from receiver.policy.lint.compared import Comparisons, comparisons
from receiver.policy.lint.inlining import Inlining
from receiver.policy.rules import Rule
from receiver.yamltext import Path


class TagFacts(Protocol):
    """What is known of a tag: its severity by default, None where settings decide."""

    @property
    def severity(self) -> str | None:
        """`information`, `warning` or `error`."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule, as written and compiled, with its place, and the places of its conditions."""

    findings: Findings
    where: Path
    written: RuleDocument
    rule: Rule
    places: tuple[Path, ...]

    @property
    def conditions(self) -> Iterator[tuple[Path, Formula]]:
        """The conditions, each with the place of its text."""
        return zip(self.places, self.rule.conditions, strict=True)


@dataclass(frozen=True, slots=True)
class Source:
    """One document of a policy: what it says, and what was compiled of it."""

    findings: Findings
    model: PolicyDocument
    lets: Mapping[str, Let]
    placed: Sequence[Placed]
    inlining: Inlining = field(default_factory=Inlining)
    _comparisons: dict[str, Comparisons] = field(default_factory=dict)  # by text: policies repeat themselves

    def comparisons(self, formula: Formula) -> Comparisons:
        """What one of its expressions compares, `let` names seen through. Each text is walked once for all checks."""
        text = formula.expression.text
        if text not in self._comparisons:
            self._comparisons[text] = comparisons(self.inlining.of(formula))
        return self._comparisons[text]


def warn_inside(findings: Findings, where: Path, formula: Formula, offset: int, code: str, message: str) -> None:
    """A warning at a character of an expression, whose text stands at `where`."""
    line, column = findings.place_after(where, formula.expression.text[:offset])
    findings.problems.append(Problem(findings.document.path, line, column, "warning", code, message))


def whole(source: Source) -> list[Placed]:
    """The rules without an error: of the others a part was put aside, and what is left may look odd because of it."""
    findings = source.findings
    starts = [findings.document.locate(each.where) for each in source.placed]
    if starts != sorted(starts):  # rules that are aliases of each other: no telling whose an error is
        return [] if _errors(findings) else list(source.placed)
    broken = {bisect_right(starts, (problem.line, problem.column)) - 1 for problem in _errors(findings)}
    return [each for position, each in enumerate(source.placed) if position not in broken]


def _errors(findings: Findings) -> list[Problem]:
    return [problem for problem in findings.problems if problem.severity == "error"]
