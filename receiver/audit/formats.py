"""Entries of the record in the formats that others read: JSON, CSV, Parquet, OCSF, CEF.

A writer takes entries with the content of their leaf (`Reader.audit(..., whole=True)`), of any number, and a binary
file. It closes nothing.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final, TypeAlias

from receiver.audit.cef import cef_line
from receiver.audit.ocsf import ocsf_event
from receiver.contract import JsonObject
from receiver.errors import Unusable

Writer: TypeAlias = Callable[[Iterable[JsonObject], BinaryIO], None]

NUMBERS: Final = ("idx", "attempt", "http_status")
COLUMNS: Final = (
    "idx",
    "at",
    "kind",
    "actor",
    "source",
    "session_id",
    "event_id",
    "action_id",
    "type",
    "rule",
    "outcome",
    "status",
    "tags",
    "policy_sha256",
    "attempt",
    "http_status",
    "facts",
)

_ROWS_AT_ONCE: Final = 10_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  # wide forms count too


def flat(entry: JsonObject) -> JsonObject:
    """An entry as one row: its columns, and what of its leaf others ask for."""
    content: Any = entry["content"]
    row = {name: entry.get(name, content.get(name)) for name in COLUMNS}
    return row | {"tags": content.get("tags", []), "facts": content.get("facts", {})}


def write_json(entries: Iterable[JsonObject], out: BinaryIO) -> None:
    """One JSON array, an entry on each line."""
    before = b"[\n"
    for entry in entries:
        out.write(before + _json(flat(entry)))
        before = b",\n"
    out.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def write_ndjson(entries: Iterable[JsonObject], out: BinaryIO) -> None:
    """A JSON object on each line."""
    out.writelines(_json(flat(entry)) + b"\n" for entry in entries)


def write_csv(entries: Iterable[JsonObject], out: BinaryIO) -> None:
    """RFC 4180 with a header line, in UTF-8. Text that a spreadsheet would run as a formula begins with `'`."""
    text = io.TextIOWrapper(out, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in flat(entry).values()] for entry in entries)
    text.detach()


def write_parquet(entries: Iterable[JsonObject], out: BinaryIO) -> None:
    """Apache Parquet, times in UTC milliseconds. Raises Unusable where pyarrow is not installed."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise Unusable("Parquet needs pyarrow: pip install 'hookwarden[parquet]'") from None
    fields: dict[str, Any] = {name: pa.int64() if name in NUMBERS else pa.string() for name in COLUMNS}
    fields |= {"at": pa.timestamp("ms", tz="UTC"), "tags": pa.list_(pa.string())}
    schema = pa.schema(list(fields.items()))
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for rows in _pieces(map(_typed, entries)):
            writer.write_table(pa.Table.from_pylist(rows, schema))


def write_ocsf(entries: Iterable[JsonObject], out: BinaryIO) -> None:
    """An OCSF event on each line (`receiver/audit/ocsf.py`)."""
    out.writelines(_json(ocsf_event(flat(entry))) + b"\n" for entry in entries)


def write_cef(entries: Iterable[JsonObject], out: BinaryIO) -> None:
    """A CEF event on each line (`receiver/audit/cef.py`), without a syslog header."""
    out.writelines(cef_line(flat(entry)).encode("utf-8", "backslashreplace") + b"\n" for entry in entries)


FORMATS: Final[Mapping[str, Writer]] = {
    "json": write_json,
    "ndjson": write_ndjson,
    "csv": write_csv,
    "parquet": write_parquet,
    "ocsf": write_ocsf,
    "cef": write_cef,
}


def _json(document: JsonObject) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = ",".join(value) if isinstance(value, list) else json.dumps(value) if isinstance(value, dict) else str(value)
    if isinstance(value, dict) and not value:
        return ""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _typed(entry: JsonObject) -> dict[str, Any]:
    from datetime import datetime

    row: dict[str, Any] = flat(entry)
    for name, value in row.items():
        if isinstance(value, str):
            row[name] = value.encode("utf-8", "backslashreplace").decode()
    return row | {"at": datetime.fromisoformat(row["at"]), "facts": json.dumps(row["facts"]) if row["facts"] else None}


def _pieces(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while piece := list(itertools.islice(rows, _ROWS_AT_ONCE)):
        yield piece
