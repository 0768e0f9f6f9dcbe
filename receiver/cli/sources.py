"""The source lines of findings, read anew from the files when they are printed. What may be a secret is masked.

Secrets stand in the settings only, so everything there is masked but what is known to be harmless: the values of the
keys named below, `${VARIABLES}`, expressions of a `map` and saved searches. Keys as long as a secret are masked too: by
a slip, one may be one. A policy, in a file of its own or inside config.yaml, is shown as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from receiver.errors import Problem
from receiver.policy.findings import may_be_secret
from receiver.settings import Settings
from receiver.yamlfaults import LINE_ENDS

MASK = "****"
# the top-level keys of policies and test documents, under which no secret has its place
_OPEN_KEYS = frozenset("policy version name description mode lists let status_order facts rules fixtures tests".split())
_SETTINGS_KEYS = frozenset(Settings.model_fields) - {"policy"}
# the settings whose values are shown, unless they look like a URL with a password or a query
_HARMLESS = frozenset(
    "data_dir host port max_body body_timeout name role vendor scheme tolerance timeout mode concurrency base cap"
    " attempts max_age allow_hosts store base_url preset header prefix hash encoding message accept_unsigned trust"
    " type status session_id vendor_data tags created_at occurred_at id confirm".split()
)
# keys of mappings whose keys people choose: their values are shown, if they look so and their key is no secret's
_HARMLESS_IN = {"map": re.compile(r"\braw\b"), "queries": re.compile(r"[:\"@]")}
_OF_POLICY = "PWT"  # findings with these codes are about policies and test documents
_TEXTUAL = "CPTWY"  # all others are about files that are no text of people's, such as keys
_TOP_KEY = re.compile(r"""["']?([^\s"'#:{\[-][^"':]*)["']?\s*:(?:\s|$)""")
_PIECE = re.compile(
    r"""(?P<comment>(?:^|(?<=\s))\#.*)|(?P<space>\s+)|(?P<punctuation>[\[\]{},]|-(?=\s|$))"""
    r"""|(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[A-Za-z_][\w.-]{0,40})(?P<colon>\s*:)(?=\s|$)"""
    r"""|(?P<value>"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|(?:(?!\s\#)[^,\[\]{}])+)""",
    re.VERBOSE,
)
_VARIABLES = re.compile(r"""["']?(\$\{\w+\})+["']?\s*\Z""")
_SECRET_KEYS = re.compile(r"\b(token|secrets?|api_key|master_key)\b")
_KEY_OF_LINE = re.compile(r"""(?P<before>[\s-]*)(?P<quote>["']?)(?P<key>[A-Za-z_][\w.-]*)(?P=quote)\s*:(?:\s|$)""")
_BEFORE = re.compile(r"\s*(?:-\s+)*")


@dataclass(slots=True)
class Sources:
    """The files that findings name, each read once."""

    _files: dict[str, _File] = field(default_factory=dict)

    def line(self, problem: Problem) -> tuple[str, int] | None:
        """The line of a finding and the column in it, masked where it must be; None if there is nothing to show."""
        if problem.code[0] not in _TEXTUAL:
            return None
        file = self._of(problem.path)
        line = file.lines[problem.line - 1] if 0 < problem.line <= len(file.lines) else ""
        if not line.strip() or line.lstrip().startswith("#"):
            return None
        if file.guards(problem):
            return masked(line, problem.column, file.above(problem.line - 1))
        return line, problem.column

    def _of(self, path: str) -> _File:
        if path not in self._files:
            self._files[path] = _File(_read(Path(path)))
        return self._files[path]


class _File:
    """The lines of a file, and what they belong to: worked out once, however many findings there are."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def guards(self, problem: Problem) -> bool:
        """Does the line of the finding stand in settings, or may it?"""
        top = self._top_keys[problem.line - 1]
        if top is None and self._names_secrets:
            return True
        return top in _SETTINGS_KEYS or (top not in _OPEN_KEYS and problem.code[0] not in _OF_POLICY)

    def above(self, at: int) -> str:
        """The key that a line stands under, by its indentation: the nearest line above that is less indented. An item
        of a list may stand right below its key.
        """
        line = self.lines[at]
        is_item = line.lstrip().startswith("-")
        depth = len(line) - len(line.lstrip()) + is_item
        for other in reversed(self.lines[:at]):
            before = len(other) - len(other.lstrip())
            if other.strip() and not other.lstrip().startswith("#") and before < depth:
                if other.lstrip().startswith("-") and before + 1 == depth:
                    continue  # the item before, in the same list
                found = _KEY_OF_LINE.match(other)
                return found["key"] if found else ""
        return ""

    @cached_property
    def _top_keys(self) -> Sequence[str | None]:
        return list(_top_keys(self.lines))

    @cached_property
    def _names_secrets(self) -> bool:
        return any(map(_SECRET_KEYS.search, self.lines))


def _read(path: Path) -> list[str]:
    try:
        if path.is_file():  # reading a pipe again would wait for ever
            return LINE_ENDS.split(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        pass
    return []


def _top_keys(lines: Sequence[str]) -> Iterator[str | None]:
    """The top-level key that each line belongs to, by its indentation."""
    top: str | None = None
    for line in lines:
        if line[:1] and line[0] not in " \t#-]}":
            found = _TOP_KEY.match(line)
            top = found[1].strip() if found else None
        yield top


def masked(line: str, column: int, above: str = "") -> tuple[str, int]:
    """The line with values hidden, but those of harmless keys, and the column that now is the place of `column`. The
    line stands under the key `above`.
    """
    shown, place, keys = "", 0, [above, above if line.lstrip().startswith("-") else ""]
    for piece in _PIECE.finditer(line):
        text = _shown(piece, keys)
        if piece.start() < column <= piece.end():
            place = len(shown) + min(column - piece.start(), max(len(text), 1))
        shown += text
    return shown, place or len(shown) + 1


def _shown(piece: re.Match[str], keys: list[str]) -> str:
    """What is shown of a piece of a line. `keys`: the key that the next value belongs to, behind those of the brackets
    around it.
    """
    text = piece[0]
    if piece["key"] is not None:
        keys[-1] = piece["key"].strip("\"'")
        if may_be_secret(keys[-1]):
            return MASK + piece["colon"]
    elif text == "[":
        keys.append(keys[-1])
    elif text == "{":
        keys.append("")
    elif text in ("]", "}"):
        keys[-2:] = [""]
    elif text == ",":
        keys[-1] = keys[-2] if len(keys) > 1 and keys[-2] not in _HARMLESS_IN else ""
    elif piece["comment"] is not None:
        return ""
    elif piece["value"] is not None and not _is_harmless(keys, text):
        return MASK
    return text


def _is_harmless(keys: Sequence[str], value: str) -> bool:
    key, around = keys[-1], keys[-2] if len(keys) > 1 else ""
    if around in _HARMLESS_IN and not _SECRET_KEYS.search(key) and _HARMLESS_IN[around].search(value):
        return True
    return _VARIABLES.match(value) is not None or (key in _HARMLESS and not re.search("[@?]", value))
