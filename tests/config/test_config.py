"""config.yaml is refused whole, with every mistake named, or used whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.specs import SPECS
from receiver.config import load_configuration
from receiver.errors import ConfigurationError
from receiver.policies import load
from receiver.policy.document import PolicyDocument
from receiver.policy.findings import FORMS as POLICY_FORMS
from receiver.settings import FORMS, Settings
from receiver.signatures.settings import DiditVerify

GOOD = """\
data_dir: ./here
api:
  tokens: [{name: ops, role: operator, token: "${TEST_TOKEN}"}]
sources:
  didit:
    vendor: didit
    verify: {scheme: didit, secrets: ["${TEST_SECRET}"], tolerance: 5m}
vendors:
  didit: {base_url: "http://127.0.0.1:1", api_key: "${TEST_KEY}"}
policy: {version: 1, name: p, rules: []}
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "t0ken-for-operators")
    monkeypatch.setenv("TEST_SECRET", "kR3-9vXq_hT7bWz2LmN8")
    monkeypatch.setenv("TEST_KEY", "key-1")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def findings(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(written(tmp_path, text))
    return [f"{problem.line}:{problem.column} {problem.code} {problem.message}" for problem in caught.value.problems]


def test_a_good_file_gives_settings_with_variables_and_units_read(tmp_path: Path) -> None:
    configuration = load_configuration(written(tmp_path, GOOD))
    settings = configuration.settings
    assert settings.data_dir == tmp_path / "here"
    verify = settings.sources["didit"].verify
    assert isinstance(verify, DiditVerify)
    assert verify.secrets == ("kR3-9vXq_hT7bWz2LmN8",)
    assert verify.tolerance == 300
    assert settings.server.max_body == 1024 * 1024
    assert settings.actions.retry.attempts == 8
    assert configuration.inline_policy
    assert configuration.policies[0].value == {"version": 1, "name": "p", "rules": []}


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("${TEST_SECRET}", "${UNSET_HERE}", "7:39 C004 the environment variable UNSET_HERE is not set"),
        ("${TEST_SECRET}", "changeme", "7:39 C005 this secret protects nothing"),
        ("${TEST_SECRET}", "", "7:39 C005 this secret protects nothing"),
        ("${TEST_TOKEN}", "short", "3:47 C005 this secret protects nothing"),
        ('secrets: ["${TEST_SECRET}"], ', "", "7:13 C005 no secret is given"),
        ("scheme: didit", "scheme: diddit", "7:22 C006 unknown scheme 'diddit'"),
        ("vendor: didit", "vendor: nobody", "6:13 C006 unknown vendor 'nobody'"),
        ("tolerance: 5m", "tolerance: soon", "7:69 C003 `tolerance` must be a duration such as 500ms"),
        ("tolerance: 5m", "tolerence: 5m", "7:58 C002 unknown key 'tolerence'; did you mean 'tolerance'?"),
        ("data_dir: ./here", "datadir: ./here", "1:1 C002 unknown key 'datadir'; did you mean 'data_dir'?"),
        ("role: operator", "role: root", "3:30 C003 `role` must be reader, pii_reader, analyst or operator"),
        ("http://127.0.0.1:1", "ftp://x", "9:21 C003 `base_url` must be http(s)://host or"),
        (
            "http://127.0.0.1:1",
            "http://h/v3",
            "9:21 C003 `base_url` must be http(s)://host or http(s)://host:port, with",
        ),
        ("http://127.0.0.1:1", "http://h/../v3", "9:21 C003 `base_url` must be http(s)://host or"),
        ("http://127.0.0.1:1", "http://h/a?b=c", "9:21 C003 `base_url` must be http(s)://host or"),
        ("data_dir: ./here", "store: postgresql://u:p@h/d", "1:8 C006 PostgreSQL is not available"),
        ("data_dir: ./here", "store: mysql", "1:8 C006 unknown store 'mysql'"),
        ("policy: {version: 1, name: p, rules: []}", "", "1:1 C008 the key 'policy' is missing"),
        ("policy: {version: 1, name: p, rules: []}", "policy: 7", "10:9 C003 `policy` must be a policy written here"),
        (
            "policy: {version: 1, name: p, rules: []}",
            "policy: gone.yaml",
            "10:9 C007 gone.yaml: the file cannot be read: No such file",
        ),
        ("${TEST_KEY}", " ", "9:52 C005 the API key is blank"),
        ("${TEST_SECRET}", "${TEST_SECRET:-abc}", "7:39 C004 a `$` here must begin a variable as ${NAME}"),
        ("${TEST_TOKEN}", "$TEST_TOKEN", "3:47 C004 a `$` here must begin a variable as ${NAME}"),
        (
            "data_dir: ./here",
            "images: {allow_hosts: ['http://h:1']}",
            "1:24 C003 an item of `allow_hosts` must be a host, or",
        ),
        (
            'token: "${TEST_TOKEN}"}',
            'token: "${TEST_TOKEN}"}, {name: ops, role: reader, token: "another-token-0123"}',
            "3:65 C003 another token has the same name",
        ),
        ("data_dir: ./here", "server: {port: 70000}", "1:16 C003 `port` must be"),
        ("data_dir: ./here", 'server: {port: "8000"}', "1:16 C003 `port` must be a whole number, not text: remove the"),
        ("data_dir: ./here", "server: {port: 80.5}", "1:16 C003 `port` must be a whole number, not a number with dec"),
        ('["${TEST_SECRET}"]', "kR3-9vXq_hT7bWz2LmN8", "7:38 C003 `secrets` must be a list, not text: put it in [ ]"),
        ("  didit:\n    vendor", "  a b:\n    vendor", "5:3 C003 `a b` must be letters, digits"),
        ("name: ops", "name: 7", "3:19 C003 `name` must be text, not a number: put it in quotes"),
        ("data_dir: ./here", "server: {port:80}", "1:10 C002 unknown key 'port:': write a blank after the ':'"),
        ("data_dir: ./here", "server: {max_body: 1 elephant}", "1:20 C003 `max_body` must be a size"),
    ],
)
def test_one_mistake_is_named_with_place_and_cure(tmp_path: Path, old: str, new: str, finding: str) -> None:
    assert old in GOOD
    found = findings(tmp_path, GOOD.replace(old, new))
    assert [text for text in found if text.startswith(finding)], found


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("${TEST_SECRET}", "changeme")
        .replace("${TEST_TOKEN}", "${UNSET_HERE}")
        .replace("scheme: didit", "scheme: x")
    )
    assert [finding.split()[1] for finding in findings(tmp_path, text)] == ["C004", "C006", "C005"]


def test_what_right_sections_mean_is_checked_although_others_are_wrong(tmp_path: Path) -> None:
    text = GOOD.replace("scheme: didit", "scheme: x").replace("data_dir: ./here", "server: {port: no}")
    assert [finding.split()[1] for finding in findings(tmp_path, text)] == ["C003", "C006"]


def test_the_password_of_a_store_is_not_repeated(tmp_path: Path) -> None:
    found = findings(tmp_path, GOOD.replace("data_dir: ./here", "store: postgres://user:hunter2@host/db"))
    assert found == ["1:8 C006 unknown store 'postgres'; write `store: sqlite`"]


def test_a_secret_glued_to_its_key_is_not_repeated(tmp_path: Path) -> None:
    assert "hunter2" not in str(findings(tmp_path, GOOD.replace('token: "${TEST_TOKEN}"', "token:hunter2-hunter2")))


def test_a_policy_file_with_a_similar_name_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "face.yaml").write_text("rules: []", encoding="utf-8")
    found = findings(tmp_path, GOOD.replace("policy: {version: 1, name: p, rules: []}", "policy: fase.yaml"))
    assert found[0].endswith("; did you mean 'face.yaml'?")


@pytest.mark.parametrize("ends", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_marks_of_windows_move_no_place(tmp_path: Path, ends: str, mark: bytes) -> None:
    path = tmp_path / "config.yaml"
    text = GOOD.replace("scheme: didit", "scheme: x").replace("\n", ends)
    path.write_bytes(mark + text.encode())
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(7, 22)]


def _patterns(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (value for key, value in schema.items() if key == "pattern" and isinstance(value, str))
        yield from (found for value in schema.values() for found in _patterns(value))
    elif isinstance(schema, list):
        yield from (found for value in schema for found in _patterns(value))


def test_only_kwikid_s_base_url_may_have_a_path(tmp_path: Path) -> None:
    """It has no public host, and some deployments begin with one; a `/v3` behind Didit's would be there twice."""
    kwikid = GOOD.replace(
        '  didit: {base_url: "http://127.0.0.1:1"', '  kwikid: {base_url: "https://h.example/sumi/v1/"'
    )
    assert kwikid != GOOD
    settings = load_configuration(written(tmp_path, kwikid)).settings
    assert settings.vendors["kwikid"].base_url == "https://h.example/sumi/v1/"
    verifik = kwikid.replace("kwikid:", "verifik:")
    assert "without a path" in str(findings(tmp_path, verifik))


def test_every_pattern_is_explained_in_words() -> None:
    """A regular expression is no message for people."""
    schemas = [Settings.model_json_schema(), PolicyDocument.model_json_schema()]
    schemas += [spec.params.model_json_schema() for spec in SPECS.values()]
    patterns = set(_patterns(schemas))
    assert len(patterns) >= 4
    assert patterns - {*FORMS, *POLICY_FORMS} == set()


def test_a_secret_is_never_repeated_in_a_finding(tmp_path: Path) -> None:
    assert "hunter2-hunter" not in str(findings(tmp_path, GOOD.replace("${TEST_SECRET}", "hunter2-hunter")))
    assert "hunter2-hunter" not in str(findings(tmp_path, GOOD.replace('"${TEST_TOKEN}"', "[hunter2-hunter]")))


def test_a_secret_whose_variable_holds_a_template_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", "${DIDIT_WEBHOOK_SECRET}")
    assert "C005 this secret protects nothing" in findings(tmp_path, GOOD)[0]


def test_the_sign_itself_is_written_twice(tmp_path: Path) -> None:
    configuration = load_configuration(written(tmp_path, GOOD.replace("${TEST_KEY}", "key$$1")))
    didit = configuration.settings.vendors["didit"]
    assert didit is not None
    assert didit.api_key == "key$1"


def test_secrets_do_not_stand_in_what_is_printed_of_settings(tmp_path: Path) -> None:
    text = repr(load_configuration(written(tmp_path, GOOD)))
    assert not [secret for secret in ("t0ken-for-operators", "kR3-9vXq_hT7bWz2LmN8", "key-1") if secret in text]


def test_settings_and_policy_are_refused_together(tmp_path: Path) -> None:
    text = GOOD.replace("tolerance: 5m", "tolerence: 5m").replace("rules: []", "rules: [{id: a, thn: []}]")
    with pytest.raises(ConfigurationError) as caught:
        load(written(tmp_path, text))
    assert {problem.code for problem in caught.value.problems} >= {"C002", "P002"}


def test_reading_commands_need_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_SECRET")
    configuration = load_configuration(written(tmp_path, GOOD), environment="lenient")
    assert [(problem.code, problem.severity) for problem in configuration.warnings] == [("C004", "warning")]


def test_policy_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.yaml").write_text("version: 1\nname: a\nrules: []\n", encoding="utf-8")
    text = GOOD.replace("policy: {version: 1, name: p, rules: []}", "policy: [policies/a.yaml]")
    configuration = load_configuration(written(tmp_path, text))
    assert not configuration.inline_policy
    assert configuration.policies[0].value == {"version": 1, "name": "a", "rules": []}


def test_variables_of_an_inline_policy_are_left_alone(tmp_path: Path) -> None:
    text = GOOD.replace("name: p,", 'name: p, description: "${UNSET_HERE}",')
    value = load_configuration(written(tmp_path, text)).policies[0].value
    assert isinstance(value, dict)
    assert value["description"] == "${UNSET_HERE}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "C001 the file cannot be read: No such file or directory; `hookwarden init` writes one"),
        (b"\xff\xfea\0", "C001 the file is UTF-16 text: save it as UTF-8"),
        (b"a: \x80", "C001 the file is not UTF-8 text (byte 3)"),
        (b"a: \0", "Y001 the character U+0000 must not stand in YAML"),
        (b"[]", "C003 a configuration must be a mapping"),
        (b"just text", "C003 a configuration must be a mapping"),
        (b"", "C003 the file is empty; `hookwarden init` writes one"),
        (b"rules: []", "C003 this is a policy, not a configuration: `hookwarden check FILE` reads it"),
        (b"data_dir: x", "C008 the key 'policy' is missing: write the policy under it, or the name of its file"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert f"error {said}" in str(caught.value)
    assert len(caught.value.problems) == 1
