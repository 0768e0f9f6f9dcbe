r"""An entry as a line of the ArcSight Common Event Format, `CEF:0`.

`CEF:0|vendor|product|version|event class|name|severity|extension`. In the header `\` and `|` are escaped, in values of
the extension `\`, `=` and line ends (as `\n`, `\r`). Keys are those of the format's dictionary: `rt` receipt time in
Unix ms, `externalId` the entry's index, `cat` its kind, `act` its type, `suser` the actor, `outcome`,
`sourceServiceName` the source, `msg` facts as JSON; what has none stands in `cs1`-`cs6` and `cn1`-`cn2`, labelled.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from receiver.audit.ocsf import BAD_OUTCOMES
from receiver.contract import JsonObject

_LABELLED: Final = {
    "cs1": "rule",
    "cs2": "session_id",
    "cs3": "tags",
    "cs4": "policy_sha256",
    "cs5": "event_id",
    "cs6": "action_id",
    "cn1": "attempt",
    "cn2": "http_status",
}
_VERSION: Final = "1"  # of this mapping


def cef_line(row: JsonObject) -> str:
    """The line of an entry, given as one row (`receiver.audit.formats.flat`)."""
    name = f"{row['kind']} {row['type']}" if row["type"] else row["kind"]
    severity = 6 if row["outcome"] in BAD_OUTCOMES else 3
    header = "|".join(_in_header(part) for part in ("Hookwarden", "Hookwarden", _VERSION, row["kind"], name, severity))
    return f"CEF:0|{header}|{' '.join(f'{key}={_in_value(value)}' for key, value in _extension(row).items())}"


def _extension(row: JsonObject) -> dict[str, Any]:
    at = round(datetime.fromisoformat(str(row["at"])).timestamp() * 1000)
    fields: dict[str, Any] = {"rt": at, "externalId": row["idx"], "cat": row["kind"], "act": row["type"]}
    fields |= {"suser": row["actor"], "outcome": row["outcome"], "sourceServiceName": row["source"]}
    fields["msg"] = json.dumps(row["facts"]) if row["facts"] else None
    for key, name in _LABELLED.items():
        value: Any = row[name]
        if value or value == 0:
            fields |= {key: ",".join(value) if isinstance(value, list) else value, f"{key}Label": name}
    return {key: value for key, value in fields.items() if value is not None}


def _in_header(part: Any) -> str:
    text = str(part).replace("\\", "\\\\").replace("|", "\\|")
    return text.replace("\r", " ").replace("\n", " ")


def _in_value(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace("=", "\\=")
    return text.replace("\r", "\\r").replace("\n", "\\n")
