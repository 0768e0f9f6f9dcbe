"""Every code that a finding can carry, from all rooms, with its meaning and what to do where that is not obvious."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.config import CONFIG_CODES
from receiver.policy.codes import CODES
from receiver.policy.suite import SUITE_CODES
from receiver.store.codes import STORE_CODES
from receiver.yamltext import YAML_CODES

ALL_CODES: Mapping[str, str] = {**CODES, **YAML_CODES, **CONFIG_CODES, **STORE_CODES, **SUITE_CODES}

CURES: Mapping[str, str] = {
    "P005": "remove it",
    "P010": "rename one of the two; ids are what decisions are recorded under",
    "P020": "the caret is at the character where reading stopped",
    "P035": "put the changing part in `reason` or another parameter",
    "W002": "put it in quotes",
    "W004": "move it up, or take `stop` from the earlier rule",
    "W007": "put the expression in quotes, or each on a line of its own with `- `",
    "Y001": "put values that hold `: `, `#`, quotes or braces, or begin with a sign, in quotes",
    "Y003": "put `{{ }}` at the beginning of a value in quotes",
    "Y006": "put the whole value in quotes",
    "C004": "export it; `$$` stands for the sign itself",
    "C005": "`openssl rand -hex 24` makes a good one",
    "C013": "mend or remove the package that is named",
    "C009": "configure it under `vendors`, `hooks` or `notify`, or set `actions: {mode: dry_run}`",
    "S001": "put the file back from your backup; without it the record stays sealed",
    "S002": "put back the master key that belongs to keys.db",
    "S003": "install the newer version",
    "S004": "put the two back together from one backup",
    "S005": "install a newer Python or SQLite",
    "S006": "put `signing.key` back from your backup",
    "S007": "write the name it was begun under into `audit: origin:`, or none",
}


def code_table() -> str:
    """The table of README, in Markdown."""
    rows = [f"| `{code}` | {meaning} | {CURES.get(code, '')} |" for code, meaning in ALL_CODES.items()]
    return "\n".join(["| code | meaning | do |", "|---|---|---|", *rows])


if __name__ == "__main__":  # README's table, anew
    print(code_table())  # noqa: T201  # what this is for
