"""Findings as SARIF 2.1.0, which code hosts and editors read.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; `primaryLocationLineHash` is the
fingerprint that GitHub code scanning matches results by.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import PurePosixPath
from urllib.parse import quote

from receiver.cli.annotate import repository_path
from receiver.cli.codes import ALL_CODES, CURES
from receiver.cli.excerpt import printable
from receiver.cli.sources import Sources
from receiver.contract import JsonObject
from receiver.errors import Problem

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"


def sarif_log(problems: Sequence[Problem]) -> JsonObject:
    """All findings as one run."""
    codes = sorted({problem.code for problem in problems})
    severities = {problem.code: problem.severity for problem in problems}
    driver: JsonObject = {
        "name": "Hookwarden",
        "version": version("hookwarden"),
        "rules": [_rule(code, severities[code]) for code in codes],
    }
    run: JsonObject = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository."}}},
        "results": [*_results(problems, codes)],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, level: str) -> JsonObject:
    rule: JsonObject = {
        "id": code,
        "shortDescription": {"text": ALL_CODES.get(code, code)},
        "defaultConfiguration": {"level": level},
    }
    return {**rule, "help": {"text": CURES[code]}} if code in CURES else rule


def _results(problems: Sequence[Problem], codes: Sequence[str]) -> list[JsonObject]:
    sources, met = Sources(), Counter[str]()
    results: list[JsonObject] = []
    for problem in problems:
        digest = _line_hash(problem, sources)
        met[digest] += 1
        results.append(
            {
                "ruleId": problem.code,
                "ruleIndex": codes.index(problem.code),
                "level": problem.severity,
                "message": {"text": printable(problem.message)},
                "locations": [{"physicalLocation": _location(problem)}],
                "partialFingerprints": {"primaryLocationLineHash": f"{digest}:{met[digest]}"},
            }
        )
    return results


def _location(problem: Problem) -> JsonObject:
    region: JsonObject = {"startLine": problem.line, "startColumn": problem.column}
    path = repository_path(problem.path)
    if PurePosixPath(path).is_absolute():
        return {"artifactLocation": {"uri": f"file://{quote(path)}"}, "region": region}
    return {"artifactLocation": {"uri": quote(path), "uriBaseId": _ROOT}, "region": region}


def _line_hash(problem: Problem, sources: Sources) -> str:
    """The same wherever the line moves to. Made of the masked line: a hash of a short secret would give it away."""
    found = sources.line(problem)
    text = " ".join(found[0].split()) if found else problem.message
    key = "\0".join((repository_path(problem.path), problem.code, text))
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
