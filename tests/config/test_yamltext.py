"""YAML is read strictly, and every value knows its place."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from receiver.errors import ConfigurationError
from receiver.textfiles import read_text
from receiver.yamlfaults import LINE_ENDS
from receiver.yamltext import YAML_CODES, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: NO", "NO"),
        ("a: yes", "yes"),
        ("a: on", "on"),
        ("a: 22:30", "22:30"),
        ("a: 2026-11-20", "2026-11-20"),
        ("a: 0o17", 15),
        ("a: 0x1f", 31),
        ("a: 017", 17),
        ("a: 1_000", "1_000"),
        ("a: .5", 0.5),
        ("a: -3", -3),
        ("a: 1e3", 1000.0),
        ("a: true", True),
        ("a: 'true'", "true"),
        ("a: ~", None),
        ("a:", None),
        ("a: .inf", ".inf"),
        ("a: 123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_scalars_follow_the_core_schema_of_1_2(text: str, value: object) -> None:
    assert read_yaml(text, "x.yaml").value == {"a": value}


@pytest.mark.parametrize(
    ("text", "place", "code"),
    [
        ("a: 1\nb: 2\na: 3\n", (3, 1), "Y002"),
        ("a: [1, 2\n", (1, 4), "Y001"),
        ("a:\n\t- 1\n", (2, 1), "Y001"),
        ("a: !python/object:os.system x\n", (1, 4), "Y006"),
        ("when: !(x in y)\n", (1, 7), "Y006"),
        ("? [a, b]\n: 1\n", (1, 3), "Y003"),
        ("a: 1e999\n", (1, 4), "Y003"),
        (f"a: {'9' * 5000}\n", (1, 4), "Y003"),
        ("a: 1\n---\nb: 2\n", (2, 1), "Y001"),
        ("<<: 3\n", (1, 5), "Y005"),
        ("a: é\nb: \x07\n", (2, 4), "Y001"),
        ("é: [é, ! b]\n", (1, 8), "Y006"),
        ("a: !x [1]\n", (1, 4), "Y006"),
        ("\ufeffa: 1\na: 2\n", (2, 1), "Y002"),
        ('a: "x\u2028"\na: 2\n', (3, 1), "Y002"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, place: tuple[int, int], code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_yaml(text, "x.yaml")
    problem = caught.value.problems[0]
    assert (problem.path, problem.line, problem.column, problem.code) == ("x.yaml", *place, code)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a:\n\t- 1\n", (2, 1), "spaces only"),
        ("a:\n  b: 1\n\tc: 1\n", (3, 1), "a tab stands in the indentation: use spaces"),
        ("a: @x\n", (1, 4), "cannot begin with '@': put it in quotes"),
        ("a: `x\n", (1, 4), "cannot begin with '`': put it in quotes"),
        ("a: %x\n", (1, 4), "cannot begin with '%': put it in quotes"),
        ("a: *x\n", (1, 4), "put the value in quotes"),
        ("a: &x 1\nb: &x 2\n", (2, 4), "give this one another name"),
        ("a: & b\n", (1, 5), "put it in quotes"),
        ("a: ! b\n", (1, 4), "put the whole value in quotes"),
        ("a: {{ x.y }}\n", (1, 4), 'must stand in quotes: "{{ ... }}"'),
        ("a: {{ x.y }} and\n", (1, 4), 'must stand in quotes: "{{ ... }}"'),
        ("- {q: {{ x }}}\n", (1, 7), 'must stand in quotes: "{{ ... }}"'),
        ("a: {[1]: 2}\n", (1, 5), "a key must be text"),
        ("a: b: c\n", (1, 5), "stands inside this value: put the whole value in quotes"),
        ("a: 1\n  b: 2\n", (2, 4), "the key above has a value already"),
        ("a:\n  b: 1\n c: 2\n", (3, 2), "indented like none of the lines above it"),
        ("a:\n  - x\n  y: 1\n", (3, 3), "does not begin with '- '"),
        ("a: - b\n", (1, 4), "on a line of its own"),
        ("a: [1, 2\nb: 3\n", (1, 4), "the `[` that opens here is not closed: add `]`"),
        ("a: {b: 1 c: 2}\n", (1, 11), "a comma or the closing `}` is missing before this"),
        ("a: [b, c]]\n", (1, 10), "this `]` closes nothing"),
        ("a: [\n", (2, 1), "the file ends"),
        ("a: 'b\n", (1, 4), "the quote that opens here is never closed"),
        ('a: "b\nc: "d"\n', (1, 4), "this quote is not closed on its line"),
        ('a: {b: "c}\nd: {e: "f"}\n', (1, 8), "this quote is not closed on its line"),
        ("a: 'it's'\n", (1, 8), "double a `'`"),
        ('a: "b" c\n', (1, 8), "put '...' around the whole value"),
        ('a: "\\d"\n', (1, 5), "use single quotes"),
        ("a: 1\nb\nc: 2\n", (2, 1), "is the ':' missing"),
        ("a: 1\n---\nb: 2\n", (2, 1), "a file holds one document"),
        ("a: |x\n  foo\n", (1, 5), "put the text on the next lines"),
        ("%x\na: 1\n", (1, 1), "cannot begin with `%`"),
        ("a: [\x1b]\n", (1, 5), "the character U+001B must not stand in YAML"),
    ],
)
def test_what_is_no_yaml_is_said_in_the_words_of_people(text: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_yaml(text, "x.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, words in problem.message) == (*place, True), str(problem)


@given(st.text(alphabet="ab:-[]{}!&*#|>@%`'\",\n\t \u2028é😀", max_size=40))
def test_whatever_the_text_a_fault_has_a_place_in_it(text: str) -> None:
    try:
        read_yaml(text, "x.yaml")
    except ConfigurationError as error:
        lines = LINE_ENDS.split(text)
        for problem in error.problems:
            assert 1 <= problem.line <= len(lines) + 1
            assert 1 <= problem.column <= max(map(len, lines)) + 2
            assert problem.code in YAML_CODES


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_yaml("a: 1\na: 2\nb: !t x\nb: 4\n", "x.yaml")
    assert [problem.code for problem in caught.value.problems] == ["Y002", "Y006", "Y002"]


def test_nested_aliases_that_multiply_are_refused_quickly() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(ConfigurationError) as caught:
        read_yaml("\n".join(rows), "bomb.yaml")
    assert {problem.code for problem in caught.value.problems} == {"Y004"}


def test_what_is_too_deep_is_refused_where_it_gets_so_before_anything_else_is_read() -> None:
    """100,000 brackets end the process if the parser's own composer meets them; what follows here is no YAML at all."""
    with pytest.raises(ConfigurationError) as caught:
        read_yaml("lists: " + "[" * 100_000, "x.yaml")
    assert [str(problem) for problem in caught.value.problems] == ["x.yaml:1:71: error Y004 nested over 64 deep"]


@pytest.mark.parametrize(
    "deep", ["[" * 64 + "]" * 64, "&a " + "[" * 33 + "]" * 33 + "\nb: " + "[" * 31 + "*a" + "]" * 31]
)
def test_depth_counts_what_aliases_stand_for(deep: str) -> None:
    """In the first text the mapping around it counts; in the second the list that the alias repeats."""
    with pytest.raises(ConfigurationError) as caught:
        read_yaml(f"a: {deep}", "x.yaml")
    assert caught.value.problems[0].code == "Y004"
    read_yaml(f"a: {deep}".replace("[", "", 1).replace("]", "", 1), "x.yaml")


def test_values_and_text_have_a_bound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("receiver.yamltext.MAX_VALUES", 4)
    assert read_yaml("a: [1, 2]", "x.yaml").value == {"a": [1, 2]}
    with pytest.raises(ConfigurationError, match="too many values"):
        read_yaml("a: [1, 2, 3]", "x.yaml")
    monkeypatch.setattr("receiver.yamltext.MAX_SIZE", 9)
    with pytest.raises(ConfigurationError, match="too long"):
        read_yaml("a: [1, 2] ", "x.yaml")
    monkeypatch.setattr("receiver.textfiles.MAX_SIZE", 9)
    (tmp_path / "x.yaml").write_text("a: [1, 2] ", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="the file is too long"):
        read_text(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x [1, &y {b: 2}]\nc: [*x, *y]", {"a": [1, {"b": 2}], "c": [[1, {"b": 2}], {"b": 2}]}),
        ("a: &x [1]\nb: &y [*x, 2]\nc: *y\nd: *x", {"a": [1], "b": [[1], 2], "c": [[1], 2], "d": [1]}),
        ("&k a: 1\nb: *k\n*k : 2", None),
        ("a: &k x\n*k : 2", {"a": "x", "x": 2}),
    ],
)
def test_an_alias_repeats_its_value(text: str, value: object) -> None:
    if value is not None:
        assert read_yaml(text, "x.yaml").value == value
    else:
        with pytest.raises(ConfigurationError, match="Y002"):
            read_yaml(text, "x.yaml")


@given(st.text(alphabet="ab:-[]{}&*!'#, \n", max_size=40))
def test_values_are_those_of_the_composer(text: str) -> None:
    """Whatever is read, PyYAML's composer reads so too; what it cannot read is not read here."""
    try:
        value = read_yaml(text, "x.yaml").value
    except ConfigurationError:
        return
    assert _plain(yaml.compose(text, Loader=yaml.CSafeLoader)) == _texts(value)


def _plain(node: yaml.Node | None) -> object:
    if isinstance(node, yaml.MappingNode):
        return {key.value: _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return None if node is None else node.value or None


def _texts(value: object) -> object:
    if isinstance(value, dict):
        return {key: _texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return value or None


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: " + "[" * 2000 + "]" * 2000, "a: &x {b: *x}", "a: &a\n  <<: *a"])
def test_endless_and_deep_nesting_ends_in_a_finding(text: str) -> None:
    with pytest.raises(ConfigurationError):
        read_yaml(text, "x.yaml")


def test_merge_keys_give_way_to_own_keys() -> None:
    text = "base: &base {a: 1, b: 2}\nmore: &more {b: 5, c: 6}\nitem:\n  <<: [*base, *more]\n  a: 9\n"
    value = read_yaml(text, "x.yaml").value
    assert isinstance(value, dict)
    assert value["item"] == {"a": 9, "b": 2, "c": 6}


def test_places_of_values_keys_and_parts() -> None:
    document = read_yaml("top:\n  list:\n    - {id: x}\n    - id: y\n", "x.yaml")
    assert document.locate(("top", "list", 1, "id")) == (4, 11)
    assert document.locate(("top", "list", 1, "id"), key=True) == (4, 7)
    assert document.locate(("top", "list", 1, "absent")) == (4, 7)
    part = document.below(("top",))
    assert part.value == {"list": [{"id": "x"}, {"id": "y"}]}
    assert part.locate(("list", 1, "id")) == (4, 11)


def test_an_empty_file_is_null() -> None:
    assert read_yaml("# nothing\n", "x.yaml").value is None
