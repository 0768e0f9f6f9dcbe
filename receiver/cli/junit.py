"""Test results as JUnit XML, for the servers that read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as Xml

from receiver.policy.testing import CaseResult

_UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # no XML 1.0 document may hold these


def junit_xml(results: Sequence[CaseResult]) -> str:
    """A `testsuites` document with one suite for each file; the results come file by file."""
    root = Xml.Element("testsuites", _counts(results, "hookwarden"))
    for path, group in groupby(results, key=lambda result: result.case.path):
        suite = list(group)
        element = Xml.SubElement(root, "testsuite", _counts(suite, path))
        for result in suite:
            _case(element, result)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _counts(results: Sequence[CaseResult], name: str) -> dict[str, str]:
    failed = sum(bool(result.failures) for result in results)
    return {"name": _fit(name), "tests": str(len(results)), "failures": str(failed), "errors": "0", "skipped": "0"}


def _case(suite: Xml.Element, result: CaseResult) -> None:
    case = result.case
    named = {"classname": _fit(case.path), "name": _fit(case.name), "file": _fit(case.path), "line": str(case.line)}
    element = Xml.SubElement(suite, "testcase", named)
    if result.failures:
        said = [f"expected: {failure.expected}; actual: {failure.actual}" for failure in result.failures]
        failure = Xml.SubElement(element, "failure", {"message": _fit(said[0]), "type": "expectation"})
        failure.text = _fit("\n".join([f"{case.path}:{case.line}", *said]))


def _fit(text: str) -> str:
    return _UNFIT.sub("?", text)
