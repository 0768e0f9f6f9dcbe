"""Which tests are to be run under which policy: the files that were named, or those of the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from receiver.cli.options import configuration
from receiver.errors import ConfigurationError, Problem
from receiver.policy.rules import Policy
from receiver.policy.suite import Case, SuiteDocument, example_cases, suite_cases, suite_of
from receiver.textfiles import load_policy_file
from receiver.yamltext import Document

PATTERN = "*_test.yaml"


@dataclass(slots=True)
class Bench:
    """One policy with everything that tests it, examples first."""

    policy: Policy
    cases: list[Case] = field(default_factory=list)


@dataclass(slots=True)
class _Subject:
    """Policy documents that are one policy, and the test documents for it."""

    documents: Sequence[Document]
    inline: bool
    suites: list[tuple[Document, SuiteDocument]] = field(default_factory=list)


def plan(paths: Sequence[Path], config_path: Path) -> list[Bench]:
    """The policies under test, each with its cases. Raises ConfigurationError with the problems of every file."""
    return _Plan(config_path).benches(paths)


class _Plan:
    """Gathers subjects by the files they are made of, so that no policy is tested twice."""

    def __init__(self, config_path: Path) -> None:
        self._config_path = config_path
        self._subjects: dict[tuple[Path, ...], _Subject] = {}
        self._problems: list[Problem] = []

    def benches(self, paths: Sequence[Path]) -> list[Bench]:
        """The whole plan."""
        tests, policies = _sorted_out(paths)
        default = self._files(policies) if policies else None
        if not paths:
            default = self._configured()
            tests = _beside(default)
        for path in tests:
            try:
                document = load_policy_file(path)
                suite = suite_of(document)
                default = self._add(path, document, suite, default)
            except ConfigurationError as error:
                self._problems += error.problems
        made = [bench for subject in self._subjects.values() if (bench := self._bench(subject)) is not None]
        if self._problems:
            raise ConfigurationError(self._problems)
        return made

    def _add(
        self, path: Path, document: Document, suite: SuiteDocument, default: tuple[Path, ...] | None
    ) -> tuple[Path, ...] | None:
        """Put a test document to its policy; gives the policy of those that name none."""
        if suite.policy:
            key = self._files([path.parent / name for name in suite.policy])
        else:
            key = default = default or self._configured()
        self._subjects[key].suites.append((document, suite))
        return default

    def _files(self, paths: Sequence[Path]) -> tuple[Path, ...]:
        key = tuple(path.resolve() for path in paths)
        if key not in self._subjects:
            documents = [load_policy_file(path) for path in paths]
            inline = [document for document in documents if _is_configuration(document)]
            whole = [each.below(("policy",)) if each in inline else each for each in documents]
            self._subjects[key] = _Subject(whole, bool(inline))
        return key

    def _configured(self) -> tuple[Path, ...]:
        configured = configuration(self._config_path, "lenient")
        names = configured.settings.policy
        files = [names] if isinstance(names, str) else names if isinstance(names, list) else []
        key = tuple((self._config_path.parent / name).resolve() for name in files) or (self._config_path.resolve(),)
        self._subjects.setdefault(key, _Subject(configured.policies, configured.inline_policy))
        return key

    def _bench(self, subject: _Subject) -> Bench | None:
        from receiver.policies import compile_documents
        from receiver.vendors.tags import KNOWN_TAGS

        try:
            bench = Bench(compile_documents(subject.documents, inline=subject.inline))
        except ConfigurationError as error:
            self._problems += error.problems
            self._problems += [problem for _, suite in subject.suites for problem in suite.problems]
            return None
        readers = [partial(example_cases, document) for document in subject.documents]
        readers += [
            partial(suite_cases, document, suite, bench.policy, KNOWN_TAGS) for document, suite in subject.suites
        ]
        for cases in readers:
            try:
                bench.cases += cases()
            except ConfigurationError as error:
                self._problems += error.problems
        return bench


def _is_configuration(document: Document) -> bool:
    return isinstance(document.value, dict) and isinstance(document.value.get("policy"), dict)


def _sorted_out(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The test files, those in folders included, and the policy files. Raises ConfigurationError."""
    tests: list[Path] = []
    policies: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(path.rglob(PATTERN))
            if not found:
                raise ConfigurationError([Problem(str(path), 1, 1, "error", "T002", f"holds no {PATTERN}")])
            tests += found
        else:
            (tests if path.match(PATTERN) else policies).append(path)
    return tests, policies


def _beside(files: Iterable[Path]) -> list[Path]:
    """The test files in the folders of these files."""
    folders = dict.fromkeys(file.parent for file in files)
    return [path for folder in folders for path in sorted(folder.glob(PATTERN))]
