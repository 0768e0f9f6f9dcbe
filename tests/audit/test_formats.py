"""Entries in the formats of others: each read back by a reader that is not ours, where there is one."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from typing import Any

import pytest

from receiver.audit.formats import COLUMNS, FORMATS
from receiver.contract import JsonObject

NASTY = ["=1+1", "+SUM(A1)", "-2", "@cmd", "\tx", 'a "quoted", one', "line\r\nbreak", "naïve ✓", "\uff1d1", "a|b\\c=d"]


def entry(idx: int, **content: Any) -> JsonObject:
    """An entry as `Reader.audit(whole=True)` gives it."""
    columns = dict.fromkeys(
        ("event_id", "action_id", "session_id", "type", "rule", "outcome", "policy_sha256", "source")
    )
    leaf = {"v": 1, "idx": idx, "at": 1_795_000_000_123, "kind": "event", "actor": "didit", **content}
    whole: JsonObject = {"idx": idx, "at": "2026-11-18T11:06:40.123Z", "kind": leaf["kind"], "actor": leaf["actor"]}
    return {**whole, **columns, **{key: leaf[key] for key in columns if key in leaf}, "content": leaf}


def written(name: str, *entries: JsonObject) -> bytes:
    out = io.BytesIO()
    FORMATS[name](iter(entries), out)
    return out.getvalue()


FULL = entry(
    7,
    kind="action",
    actor="dispatcher",
    type="didit.face_search",
    rule="ring",
    outcome="failed",
    http_status=503,
    attempt=2,
    tags=["A", "B"],
    facts={"queue": "q"},
    event_id="evt_1",
    action_id="act_1_0",
    source="didit",
)


@pytest.mark.parametrize("name", ["json", "ndjson"])
def test_json_holds_every_column(name: str) -> None:
    text = written(name, FULL, entry(8))
    rows = json.loads(text) if name == "json" else [json.loads(line) for line in text.splitlines()]
    assert [tuple(row) for row in rows] == [COLUMNS, COLUMNS]
    assert (rows[0]["tags"], rows[0]["http_status"], rows[0]["facts"]) == (["A", "B"], 503, {"queue": "q"})
    assert json.loads(written("json")) == []


def test_csv_is_read_back_as_it_was_and_starts_no_formula() -> None:
    rows = list(
        csv.reader(
            io.StringIO(
                written("csv", FULL, *(entry(n, rule=text) for n, text in enumerate(NASTY))).decode(), newline=""
            )
        )
    )
    assert rows[0] == list(COLUMNS)
    assert dict(zip(COLUMNS, rows[1], strict=True))["tags"] == "A,B"
    shown = [row[COLUMNS.index("rule")] for row in rows[2:]]
    assert [text.removeprefix("'") for text in shown] == NASTY
    assert not [text for text in shown if text.lstrip(" ")[:1] in tuple("=+-@\t\r\uff1d")]
    assert b"\r\n" in written("csv", FULL)


def test_parquet_is_read_by_arrow() -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(
        io.BytesIO(written("parquet", FULL, *(entry(n, rule=text) for n, text in enumerate(NASTY))))
    )
    rows = table.to_pylist()
    assert table.column_names == list(COLUMNS)
    assert [row["rule"] for row in rows[1:]] == NASTY
    assert (rows[0]["idx"], rows[0]["tags"], rows[0]["at"].isoformat()) == (
        7,
        ["A", "B"],
        "2026-11-18T11:06:40.123000+00:00",
    )


def test_parquet_without_pyarrow_says_what_to_install() -> None:
    program = (
        "import sys, io; sys.modules['pyarrow'] = None\n"
        "from receiver.audit.formats import FORMATS\n"
        "from receiver.errors import Unusable\n"
        "try: FORMATS['parquet']([], io.BytesIO())\n"
        "except Unusable as fault: print(fault)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'hookwarden[parquet]'" in done.stdout


def test_ocsf_has_what_the_class_requires() -> None:
    """https://schema.ocsf.io/1.3.0/classes/api_activity: required attributes, and how type_uid is made."""
    for line, kind in zip(written("ocsf", FULL, entry(8)).splitlines(), ("action", "event"), strict=True):
        event = json.loads(line)
        required = {
            "activity_id",
            "actor",
            "api",
            "category_uid",
            "class_uid",
            "metadata",
            "severity_id",
            "src_endpoint",
        }
        assert required | {"time", "type_uid"} <= set(event)
        assert (event["class_uid"], event["category_uid"]) == (6003, 6)
        assert event["type_uid"] == 600300 + event["activity_id"]
        assert event["time"] == 1_795_000_000_123
        assert event["metadata"]["product"]["name"]
        assert event["api"]["operation"].startswith(kind)
        assert event["actor"]["app_name"]
    failed = json.loads(written("ocsf", FULL))
    assert (failed["status_id"], failed["api"]["response"], failed["unmapped"]["rule"]) == (2, {"code": 503}, "ring")
    person = json.loads(written("ocsf", entry(9, kind="operator", actor="token:ana")))
    assert person["actor"] == {"user": {"name": "token:ana"}}


def read_cef(line: str) -> tuple[list[str], dict[str, str]]:
    """A reader of our own, after the format's description: header fields, extension."""
    header = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    found = re.findall(r"(\w+)=((?:\\.|[^\\=])*?)(?= \w+=|$)", header[7])
    unescaped = {"\\n": "\n", "\\r": "\r", "\\=": "=", "\\\\": "\\"}
    return header[:7], {key: re.sub(r"\\.", lambda at: unescaped[at[0]], value) for key, value in found}


def test_cef_values_are_read_back_as_they_were() -> None:
    lines = written("cef", FULL, *(entry(n, rule=text) for n, text in enumerate(NASTY))).decode().split("\n")
    assert lines.pop() == ""
    header, fields = read_cef(lines[0])
    assert header == ["CEF:0", "Hookwarden", "Hookwarden", "1", "action", "action didit.face_search", "6"]
    assert (fields["cs1"], fields["cs1Label"], fields["cn2"], fields["rt"]) == ("ring", "rule", "503", "1795000000123")
    assert [read_cef(line)[1]["cs1"] for line in lines[1:]] == NASTY


def test_a_header_of_cef_cannot_be_broken_out_of() -> None:
    header, _ = read_cef(written("cef", entry(1, type="a|b\\c\nd")).decode().rstrip("\n"))
    assert header[5] == "event a\\|b\\\\c d"
