"""`hookwarden check` as people and programs read it: the line with its caret, SARIF, annotations; no secret in any."""

from __future__ import annotations

import gc
import json
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from receiver.cli.annotate import annotation
from receiver.cli.codes import ALL_CODES
from receiver.cli.excerpt import MAX_CELLS, excerpt
from receiver.cli.main import main
from receiver.cli.sarif import sarif_log
from receiver.cli.sources import masked
from receiver.errors import Problem
from receiver.policy.findings import may_be_secret
from receiver.settings import Settings
from tests.support.processes import COMMAND, run

POLICY = """\
name: face
rules:
  - id: low
    when: [event.liveness.scor < 60]
    on_missing: review
    then: [{review: {queue: q, reason: "r"}}]
    examples: [{event: {liveness: {score: 1}}, fires: true}]
"""
SETTINGS = """\
api:
  tokens: [{name: ops, role: operator, token: "tok-hunter2"}]   # was old-hunter2
sources:
  late:
    vendor: didit
    verify:
      scheme: didit
      tolerance: soon
  didit:
    vendor: didit
    verify:
      scheme: didit
      secrets:
        - hunter2
vendors:
  didit: {base_url: "https://me:hunter2@host/path", api_key: "hunter2 ü"}
store: postgres://me:hunter2@host/db
policy: [face.yaml]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "face.yaml").write_text(POLICY, encoding="utf-8")
    return tmp_path


def test_a_finding_is_one_line_and_below_it_the_place_in_the_file(home: Path) -> None:
    done = run("check", "face.yaml", cwd=home)
    assert (done.returncode, done.stderr) == (1, "face.yaml: 1 error, 0 warnings\n")
    assert done.stdout == (
        "face.yaml:4:27: error P020 unknown field 'scor'; did you mean 'score'?\n"
        "    4 |     when: [event.liveness.scor < 60]\n"
        "      |                           ^\n"
    )


def test_no_form_of_output_holds_a_secret_of_the_settings(home: Path) -> None:
    for form in ("text", "json", "sarif", "github"):
        done = run("check", "--format", form, cwd=home)
        assert done.returncode == 1
        assert "hunter2" not in done.stdout + done.stderr
        assert [code for code in ("C003", "C005", "C006") if code not in done.stdout] == []
    done = run("serve", cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert "hunter2" not in done.stderr
    assert "        - ****\n" in done.stderr
    assert "      tolerance: soon\n" in done.stderr


AS_KEYS = """\
swordfish-swordfish: x
api:
  tokens: [{name: ops, role: operator, token: "${T}", swordfish-swordfish: yes}]
sources:
  SWORDFISH-SWORDFISH: {vendor: didit, verify: {scheme: didit}}
  didit:
    vendor: didit
    verify: {scheme: didit, secrets: ["${S}"], swordfish-swordfish: }
vendors:
  didit:
    base_url: "https://verification.didit.me"
    swordfish-swordfish:x:
    tokn: x
policy: [face.yaml]
"""


def test_no_form_of_output_holds_a_secret_in_the_place_of_a_key(home: Path) -> None:
    (home / "config.yaml").write_text(AS_KEYS, encoding="utf-8")
    for form in ("text", "json", "sarif", "github"):
        done = run("check", "--format", form, cwd=home)
        assert done.returncode == 1
        assert "swordfish" not in (done.stdout + done.stderr).lower()
        assert done.stdout.count("not shown here since it may be a secret; known: ") == 3
        assert "unknown key 'tokn'" in done.stdout
    done = run("serve", cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert "swordfish" not in done.stderr.lower()


def test_an_unknown_key_of_a_policy_is_named_however_long(home: Path) -> None:
    (home / "face.yaml").write_text(f"{POLICY}a-key-that-does-not-exist: 1\n", encoding="utf-8")
    assert "unknown key 'a-key-that-does-not-exist'" in run("check", "face.yaml", cwd=home).stdout


def test_no_key_of_the_settings_is_taken_for_a_secret() -> None:
    schema = Settings.model_json_schema()
    parts = [schema, *schema["$defs"].values()]
    assert [key for part in parts for key in part.get("properties", {}) if may_be_secret(key)] == []


@pytest.mark.parametrize(
    "line",
    [
        'token: "hunter2"',
        "token: hunter2  # hunter2",
        "tokn: hunter2",
        "  - hunter2",
        '"hunter2",',
        "{name: ops, hunter2}",
        "tokens: [{name: ops}, hunter2]",
        "token: ${HOME:-hunter2}",
        "token: 'hunter2",
        "base_url: https://a:hunter2@host",
        "hunter2",
        "vendor:hunter2: x",
    ],
)
def test_what_may_be_a_secret_is_masked_wherever_the_caret_is(line: str) -> None:
    for column in range(1, len(line) + 2):
        shown, place = masked(line, column)
        assert "hunter2" not in shown or shown.startswith("hunter2:")
        assert 1 <= place <= len(shown) + 1


def test_the_caret_stays_at_its_word_behind_a_mask() -> None:
    line = '  - {token: "0123456789", role: root, secrets: ["${NAME}", x]}'
    shown, place = masked(line, line.index("root") + 1)
    assert shown == '  - {token: ****, role: root, secrets: ["${NAME}", ****]}'
    assert shown[place - 1 :].startswith("root")


def test_a_key_file_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "master.key").write_text("not-a-key-at-all", encoding="utf-8")
    (tmp_path / "config.yaml").write_text("policy: {rules: []}\n", encoding="utf-8")
    done = run("serve", cwd=tmp_path)
    assert "S001" in done.stderr
    assert "not-a-key" not in done.stderr


@pytest.mark.parametrize(
    ("before", "cells"),
    [("abc ", 4), ("\tx", 5), ("生体検知 ", 9), ("😀", 2), ("e\u0301e\u0301", 2), ("\x1b[31m", 5), ("\u202e", 1)],
)
def test_the_caret_is_under_its_character(before: str, cells: int) -> None:
    source, caret = excerpt(f"{before}! and more", 7, len(before) + 1)
    assert caret == "      | " + " " * cells + "^"
    assert cell_len(source[: source.index("!")]) == 8 + cells
    assert source.isprintable()


@pytest.mark.parametrize("character", ["x", "生", "e\u0301"])
@pytest.mark.parametrize(("left", "right"), [(0, 400), (400, 0), (400, 400), (20, 400), (90, 30)])
def test_long_lines_are_cut_around_the_caret(character: str, left: int, right: int) -> None:
    line = character * left + "!" + character * right
    source, caret = excerpt(line, 1, len(character) * left + 1)
    assert cell_len(source) <= 8 + MAX_CELLS
    assert cell_len(source[: source.index("!")]) == caret.index("^")
    assert source.startswith("    1 | …") == (left > 60)
    assert source.endswith("…") or right < 400


def test_a_column_behind_the_end_of_its_line_is_the_end() -> None:
    assert excerpt("ab", 1, 9)[1] == "      |   ^"


def test_colour_is_for_terminals_that_want_it(home: Path) -> None:
    assert "\x1b" not in run("check", "face.yaml", cwd=home).stdout
    assert b"\x1b[31m" in _on_a_terminal(home, {})
    assert b"\x1b" not in _on_a_terminal(home, {"NO_COLOR": "1"})
    assert b"\x1b" not in _on_a_terminal(home, {"TERM": "dumb"})


def _on_a_terminal(home: Path, env: dict[str, str]) -> bytes:
    reader, writer = pty.openpty()
    with open(reader, "rb", buffering=0) as output:  # noqa: PTH123  # a descriptor
        done = subprocess.run(
            [COMMAND, "check", "face.yaml"],
            cwd=home,
            env={"TERM": "xterm", **env},
            stdout=writer,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 1
        return output.read(65536)


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text('rules: []\n"\\e[31m": x\u202e\n', encoding="utf-8")
    done = run("check", "a.yaml", cwd=tmp_path)
    assert "unknown key '\\x1b[31m'" in done.stdout
    assert {"\x1b", "\u202e"}.isdisjoint(done.stdout)


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029"])
def test_line_ends_that_only_yaml_knows_move_no_place(home: Path, end: str) -> None:
    (home / "face.yaml").write_text(POLICY.replace("name: face", f'name: "face{end}"'), encoding="utf-8")
    done = run("check", "face.yaml", cwd=home)
    assert "face.yaml:5:27: error P020" in done.stdout
    assert "\n    5 |     when: [event.liveness.scor < 60]\n" in done.stdout


def test_files_are_checked_together_and_each_kind_for_what_it_is(home: Path) -> None:
    (home / "b.yaml").write_text("rules: [{id: low, then: []}]\n", encoding="utf-8")
    (home / "broken.yaml").write_text("rules: [\n", encoding="utf-8")
    (home / "x_test.yaml").write_text("tests: []\n", encoding="utf-8")
    done = run("check", "face.yaml", "b.yaml", "broken.yaml", "x_test.yaml", "config.yaml", cwd=home)
    assert "b.yaml:1:14: error P010 rule id 'low' is used already, in face.yaml:3" in done.stdout
    assert "broken.yaml:2:1: error Y001" in done.stdout
    assert "x_test.yaml:1:1: error C003 this is a test document" in done.stdout
    assert "config.yaml:14:11: error C005" in done.stdout
    folder = run("check", ".", cwd=home)
    assert "x_test.yaml" not in folder.stdout
    assert "broken.yaml:2:1: error Y001" in folder.stdout


def test_a_pipe_is_read_once(home: Path) -> None:
    done = subprocess.run(
        ["/bin/bash", "-c", f"{COMMAND} check <(cat face.yaml)"],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.endswith("unknown field 'scor'; did you mean 'score'?\n")


def sarif_of(home: Path, *arguments: str) -> Any:
    done = run("check", *arguments, "--format", "sarif", cwd=home, env={"GITHUB_WORKSPACE": ""})
    return json.loads(done.stdout)


def test_sarif_holds_every_finding_with_its_rule_and_place(home: Path) -> None:
    folder = home / "a policy"
    folder.mkdir()
    (home / "face.yaml").rename(folder / "fäce#1.yaml")
    log = sarif_of(home, "a policy/fäce#1.yaml")
    assert log["version"] == "2.1.0"
    (made,) = log["runs"]
    assert made["tool"]["driver"]["name"] == "Hookwarden"
    assert made["columnKind"] == "unicodeCodePoints"
    (rule,) = made["tool"]["driver"]["rules"]
    assert (rule["id"], rule["shortDescription"]["text"]) == ("P020", ALL_CODES["P020"])
    (result,) = made["results"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("P020", 0, "error")
    (location,) = result["locations"]
    artifact = location["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "a%20policy/f%C3%A4ce%231.yaml", "uriBaseId": "%SRCROOT%"}
    assert set(made["originalUriBaseIds"]) == {"%SRCROOT%"}
    assert location["physicalLocation"]["region"] == {"startLine": 4, "startColumn": 27}


def test_sarif_without_findings_has_an_empty_list(home: Path) -> None:
    (home / "face.yaml").write_text(POLICY.replace("scor ", "score "), encoding="utf-8")
    assert sarif_of(home, "face.yaml")["runs"][0]["results"] == []


def test_fingerprints_survive_moves_and_tell_equal_lines_apart(home: Path) -> None:
    def fingerprints(text: str) -> list[str]:
        (home / "face.yaml").write_text(text, encoding="utf-8")
        results = sarif_of(home, "face.yaml")["runs"][0]["results"]
        return [result["partialFingerprints"]["primaryLocationLineHash"] for result in results]

    first = fingerprints(POLICY)
    assert fingerprints("# moved\n\n" + POLICY) == first
    twice = fingerprints(POLICY + POLICY.partition("rules:\n")[2].replace("id: low", "id: low-2"))
    assert twice[0] == first[0]
    assert len(set(twice)) == 2


def test_a_path_outside_of_the_repository_is_a_file_uri() -> None:
    log: Any = sarif_log([Problem("/elsewhere/a b.yaml", 1, 1, "warning", "W001", "x")])
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "file:///elsewhere/a%20b.yaml"}


def test_annotations_are_escaped_as_the_runner_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    problem = Problem("a,b:c%.yaml", 3, 9, "error", "P020", "100% ::wrong::\r\nnext")
    said = "::error file=a%2Cb%3Ac%25.yaml,line=3,col=9,title=P020::100%25 ::wrong::\\r\\nnext"
    assert annotation(problem) == said


def test_annotations_name_files_from_the_root_of_the_repository(home: Path) -> None:
    env = {"GITHUB_WORKSPACE": str(home.parent)}
    done = run("check", "face.yaml", "--format", "github", cwd=home, env=env)
    assert done.stdout.startswith(f"::error file={home.name}/face.yaml,line=4,col=27,title=P020::unknown field 'scor'")
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_a_folder_says_each_finding_once_and_policies_of_two_configurations_are_two(tmp_path: Path) -> None:
    settings = "sources: {{}}\npolicy: {}\n"
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(settings.format(f"policies/{name}.yaml"), encoding="utf-8")
        (tmp_path / "policies").mkdir(exist_ok=True)
        (tmp_path / "policies" / f"{name}.yaml").write_text(POLICY, encoding="utf-8")
    done = run("check", ".", cwd=tmp_path)
    assert [line.partition(" ")[0] for line in done.stdout.splitlines() if " error " in line] == [
        f"policies/{name}.yaml:4:27:" for name in ("one", "two")
    ]
    given = run("check", "policies/one.yaml", "one.yaml", cwd=tmp_path)
    assert given.stdout.count("error P020") == 1


def test_what_init_writes_is_checked_once(tmp_path: Path) -> None:
    assert run("init", cwd=tmp_path).returncode == 0
    path = tmp_path / "policies" / "face.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "unknwon: 1\n", encoding="utf-8")
    done = run("check", ".", "--format", "json", cwd=tmp_path)
    found = [(each["path"], each["code"]) for each in json.loads(done.stdout)]
    assert found.count(("policies/face.yaml", "P002")) == 1
    assert len(found) == len({tuple(each.values()) for each in json.loads(done.stdout)})


def test_a_folder_is_read_with_both_endings_and_without_what_is_hidden(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    for name in ("a.yml", "a_test.yml", "b_test.yaml", ".c.yaml", ".github/ci.yml"):
        (tmp_path / name).write_text("rules: [\n", encoding="utf-8")
    done = run("check", ".", cwd=tmp_path)
    assert [line.partition(":")[0] for line in done.stdout.splitlines() if " error " in line] == ["a.yml"]
    (tmp_path / "a.yml").unlink()
    assert "no *.yaml or *.yml" in run("check", ".", cwd=tmp_path).stderr


def test_a_check_inside_another_program_leaves_its_collector_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    assert CliRunner().invoke(main, ["check", "face.yaml"]).exit_code == 1
    assert gc.isenabled()


SLIPS = """\
version: 1
name: slips
rules:
  - id: r
    tags: [LIVENES_FACE_ATTACK]
    when: event.aml.scor > 1
    then: [{review: {queue: q, reason: why}}]
"""


@pytest.mark.parametrize("wrong", ["policy", "settings", "vendor"])
def test_an_error_hides_no_warning(tmp_path: Path, wrong: str) -> None:
    """Wherever the error is: in the policy, in the settings around it, or between both."""
    policy = SLIPS if wrong == "policy" else SLIPS.replace("scor >", "score >")
    settings = "policy: face.yaml\n"
    if wrong == "settings":
        settings += "server: {prt: 1}\n"
    if wrong == "vendor":
        policy += "  - {id: s, then: [didit.update_status: {status: Declined, comment: c}]}\n"
    (tmp_path / "face.yaml").write_text(policy, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(settings, encoding="utf-8")
    done = run("check", "config.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert {"policy": "P020", "settings": "C002", "vendor": "C009"}[wrong] in done.stdout
    assert done.stdout.count("W001") == 1


HARMLESS = """\
sources:
  open:
    vendor: generic
    verify:
      scheme: none
      accept_unsigned: true
      confirm:
        - didit.get_sesion
    map:
      type: raw.event
      sesion_id: raw.deep.id
      secrets: hunter2
audit:
  queries:
    wrong: tags:LIVENESS_FACE_ATTACK
policy: {version: 1, name: n, rules: []}
"""


def test_the_author_sees_the_wrong_words_that_are_no_secrets(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(HARMLESS, encoding="utf-8")
    said = run("check", cwd=tmp_path).stdout
    for line in ("- didit.get_sesion", "sesion_id: raw.deep.id", "wrong: tags:LIVENESS_FACE_ATTACK"):
        assert f" {line}\n" in said
    assert " secrets: ****\n" in said


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("verify: {scheme: none, confirm: [didit.get_sesion]}", None),
        ("map: {sesion_id: raw.id, type: raw.t}", None),
        ("map: {sesion_id: hunter2}", "map: {sesion_id: ****}"),
        ("map: {token: raw.id}", "map: {token: ****}"),
        (
            "audit: {queries: {wrong: tags:X}, master_key: hunter2}",
            "audit: {queries: {wrong: tags:X}, master_key: ****}",
        ),
    ],
)
def test_what_is_harmless_on_one_line(line: str, shown: str | None) -> None:
    assert masked(line, 1)[0] == (line if shown is None else shown)
