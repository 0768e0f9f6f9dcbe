"""Entries in the formats of others: each read back by a reader that is not ours, where there is one."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from typing import Any

import ocsf_json_schema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from receiver.audit.formats import COLUMNS, FORMATS
from receiver.audit.ocsf import BAD_OUTCOMES, CLASS_UID, VERSION
from receiver.audit.search import KINDS
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


ACTORS = ("didit", "engine", "dispatcher", "token:ana", "cli:ana", "erasure")
_maybe = st.none() | st.text(min_size=1)
ENTRIES = st.builds(
    entry,
    st.integers(0, 2**53),
    kind=st.sampled_from(KINDS),
    actor=st.sampled_from(ACTORS) | st.text(min_size=1),
    type=_maybe,
    rule=_maybe,
    outcome=_maybe | st.sampled_from(("accepted", "failed", "dead", "undecided")),
    status=_maybe,
    source=_maybe,
    event_id=_maybe,
    action_id=_maybe,
    session_id=_maybe,
    policy_sha256=_maybe,
    attempt=st.none() | st.integers(1, 100),
    http_status=st.none() | st.integers(100, 599),
    tags=st.lists(st.text()),
    facts=st.dictionaries(st.text(), st.text()),
)


@pytest.fixture(scope="module")
def api_activity() -> Draft202012Validator:
    """The class as the schema of OCSF 1.3.0 has it, with the objects that it uses; members it does not know are
    faults. A second opinion: the schema comes from the library's copy of what is published.
    """
    schema = ocsf_json_schema.OcsfJsonSchemaEmbedded(ocsf_json_schema.get_ocsf_schema(version=VERSION))
    return Draft202012Validator(schema.get_class_schema(class_name=schema.lookup_class_name_from_uid(CLASS_UID)))


def faults(schema: Draft202012Validator, event: JsonObject) -> list[str]:
    return [f"{fault.json_path}: {fault.message}" for fault in schema.iter_errors(event)]


@settings(deadline=None, max_examples=200)
@given(row=ENTRIES)
def test_ocsf_is_what_the_published_schema_says(api_activity: Draft202012Validator, row: JsonObject) -> None:
    event = json.loads(written("ocsf", row))
    assert faults(api_activity, event) == []
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"], "no JSON Schema can say this"
    assert event["metadata"]["version"] == VERSION
    assert (event["activity_id"] == 99) == (event["activity_name"] not in ("Create", "Read", "Update", "Delete"))


def test_every_kind_of_entry_is_an_ocsf_event(api_activity: Draft202012Validator) -> None:
    for kind in KINDS:
        event = json.loads(written("ocsf", entry(1, kind=kind, actor="token:ana", type="t", http_status=200)))
        assert (kind, faults(api_activity, event)) == (kind, [])


@pytest.mark.parametrize(
    "broken",
    [
        {"activity_id": 5},
        {"type_uid": 600305},
        {"class_uid": 6002},
        {"severity_id": "Informational"},
        {"time": "2026-11-18"},
        {"actor": {}},
        {"src_endpoint": {}},
        {"metadata": {"version": "1.3.0"}},
        {"api": {"service": {"name": "x"}}},
        {"rule": "a member of our own"},
    ],
)
def test_the_published_schema_finds_what_is_wrong(api_activity: Draft202012Validator, broken: JsonObject) -> None:
    assert faults(api_activity, {**json.loads(written("ocsf", FULL)), **broken})


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
    """A reader of our own, after the format's description and one character after another: header fields, extension.

    A `|` ends a field of the header and an `=` a key, unless a backslash stands before it; a key is the word before
    its `=`, so that values may hold blanks.
    """
    header, rest = [""], iter(line)
    while len(header) < 8:
        char = next(rest)
        if char == "|":
            header.append("")
        elif char == "\\":
            escaped = next(rest)
            assert escaped in "\\|", "nothing else is escaped in a header"
            header[-1] += escaped
        else:
            header[-1] += char
    return header[:7], _extension("".join(rest))


def _extension(text: str) -> dict[str, str]:
    found, key, value, at = dict[str, str](), "", "", 0
    while at < len(text):
        if text[at] == "\\":
            value += {"\\": "\\", "=": "=", "n": "\n", "r": "\r"}[text[at + 1]]
            at += 2
            continue
        if text[at] == "=":
            before, blank, name = value.rpartition(" ")
            assert name.isalnum()
            if key:
                assert blank
                assert key not in found
                found[key] = before
            key, value = name, ""
        else:
            value += text[at]
        at += 1
    return {**found, key: value}


def test_cef_values_are_read_back_as_they_were() -> None:
    lines = written("cef", FULL, *(entry(n, rule=text) for n, text in enumerate(NASTY))).decode().split("\n")
    assert lines.pop() == ""
    header, fields = read_cef(lines[0])
    assert header == ["CEF:0", "Hookwarden", "Hookwarden", "1", "action", "action didit.face_search", "6"]
    assert (fields["cs1"], fields["cs1Label"], fields["cn2"], fields["rt"]) == ("ring", "rule", "503", "1795000000123")
    assert [read_cef(line)[1]["cs1"] for line in lines[1:]] == NASTY


def test_a_header_of_cef_cannot_be_broken_out_of() -> None:
    header, _ = read_cef(written("cef", entry(1, type="a|b\\c\nd")).decode().rstrip("\n"))
    assert header[5] == "event a|b\\c d"


@settings(deadline=None, max_examples=300)
@given(row=ENTRIES)
def test_any_entry_goes_through_cef_and_back(row: Any) -> None:
    """Whatever stands in it: one line, seven fields of a header, each value whole and under its own key."""
    text = written("cef", row)
    line = text.decode()
    assert line.endswith("\n")
    assert not re.search(r"[\r\n]", line[:-1])
    header, fields = read_cef(line[:-1])
    name = f"{row['kind']} {row['type']}" if row["type"] else row["kind"]
    assert header[4:6] == [row["kind"], re.sub(r"[\r\n]", " ", name)]
    assert header[6] == ("6" if row["outcome"] in BAD_OUTCOMES else "3")
    content = row["content"]
    sent = {
        "externalId": row["idx"],
        "cat": row["kind"],
        "act": row["type"],
        "suser": row["actor"],
        "outcome": row["outcome"],
        "sourceServiceName": row["source"],
        "cs1": row["rule"],
        "cs2": row["session_id"],
        "cs3": ",".join(content["tags"]) if content["tags"] else None,
        "cs4": row["policy_sha256"],
        "cs5": row["event_id"],
        "cs6": row["action_id"],
        "cn1": content["attempt"],
        "cn2": content["http_status"],
    }
    expected = {key: str(value) for key, value in sent.items() if value is not None}
    assert {key: value for key, value in fields.items() if key in sent} == expected
    assert json.loads(fields["msg"]) == content["facts"] if content["facts"] else "msg" not in fields
