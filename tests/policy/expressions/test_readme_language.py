"""README, "The language on one page": every line of it is run, so that it cannot lie."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from receiver.contract import EventDocument
from receiver.policy.decide import STEP_BUDGET
from receiver.policy.expressions.check import FUNCTIONS, METHODS
from receiver.policy.expressions.expression import (
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_LIST,
    MAX_MACRO_NESTING,
    MAX_STRING,
    UNDECIDED,
    Budget,
    BudgetExceeded,
    ExpressionError,
    ExpressionFault,
    Names,
    compile_expression,
    shape_of,
)
from receiver.policy.expressions.shapes import Kind, ListOf
from receiver.policy.expressions.syntax import MACROS
from receiver.policy.expressions.values import INT_MAX, INT_MIN
from receiver.policy.formula import MAX_LETS, names_of
from receiver.policy.sample import PartialEvent, sample_event
from receiver.yamltext import MAX_DEPTH as YAML_DEPTH
from receiver.yamltext import MAX_SIZE, MAX_VALUES, read_yaml

README = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
PAGE = README.partition("\n## The language on one page\n")[2].partition("\n## ")[0]
SHOWN: Any = read_yaml(PAGE.partition("```yaml\n")[2].partition("\n```")[0], "README.md").value
SCOPE: dict[str, Any] = {
    "event": sample_event(PartialEvent.model_validate(SHOWN["event"])).document,
    "raw": SHOWN["raw"],
    "lists": SHOWN["lists"],
}
ROW = re.compile(r"(?<!\\)\|")


def tables() -> Iterator[list[list[str]]]:
    """Every table of the page, as rows of cells, the rule below the header left out."""
    for block in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        rows = [[cell.strip().replace(r"\|", "|") for cell in ROW.split(line)[1:-1]] for line in block.splitlines()]
        yield [rows[0], *rows[2:]]


def code(cell: str) -> str:
    """What stands between the backticks of a cell that is code."""
    assert (cell[0], cell[-1]) == ("`", "`"), cell
    return cell[1:-1]


LINES = [row for table in tables() if table[0][:2] == ["expression", "gives"] for row in table[1:]]
TRUTHS = [(table[0], row) for table in tables() if table[0][0] == "`a`" for row in table[1:]]
FIELDS = [row for table in tables() if table[0][0] == "field" for row in table[1:]]
BOUNDS = {row[0]: row[1] for table in tables() if table[0][0] == "bound" for row in table[1:]}


def value_of(text: str, scope: dict[str, Any], names: Names) -> str:
    """What an expression comes to, as the page writes it."""
    try:
        expression = compile_expression(text, names)
    except ExpressionError:
        return "refused"
    try:
        value = expression.evaluate(scope, Budget(STEP_BUDGET))
    except ExpressionFault:
        return "fails"
    return "undecided" if value is UNDECIDED else json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("row", LINES, ids=lambda row: row[0])
def test_a_line_gives_what_it_says(row: list[str]) -> None:
    found = value_of(code(row[0]), SCOPE, names_of(SHOWN["lists"], ()))
    if row[1] in ("undecided", "refused", "fails"):
        assert found == row[1]
    else:
        said = json.loads(code(row[1]))
        assert (type(json.loads(found)), json.loads(found)) == (type(said), said)


@pytest.mark.parametrize(("header", "row"), TRUTHS, ids=" ".join)
def test_a_row_of_the_truth_tables_holds(header: list[str], row: list[str]) -> None:
    values = {"true": True, "false": False}
    operands = [code(cell) for cell in header if re.fullmatch(r"`[ab]`", cell)]
    scope = {name: values[cell] for name, cell in zip(operands, row, strict=False) if cell in values}
    names = Names(dict.fromkeys(operands))
    for cell, said in zip(header[len(operands) :], row[len(operands) :], strict=True):
        assert value_of(code(cell), scope, names) == said, (cell, scope)


def test_the_page_is_read_whole() -> None:
    assert len(LINES) == len(re.findall(r"^\| `(?!a` )[^`]+` \| (?:`|undecided|fails|refused)", PAGE, re.MULTILINE))
    assert len(LINES) > 60
    assert len(FIELDS) > 20


def test_the_truth_tables_are_whole() -> None:
    rows = [row for _, row in TRUTHS]
    assert len({tuple(row[:2]) for row in rows if len(row) == 4}) == 9
    assert len({row[0] for row in rows if len(row) > 4}) == 3


def leaves(shape: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every field of a shape with its type, as the page writes both."""
    if isinstance(shape, ListOf) and isinstance(shape.item, dict):
        yield from leaves(shape.item, f"{path}[]")
    elif isinstance(shape, ListOf):
        yield path, f"list of {shape.item.value if isinstance(shape.item, Kind) else 'any'}"
    elif isinstance(shape, dict):
        for name, inner in shape.items():
            yield from leaves(inner, f"{path}.{name}")
    else:
        yield path, shape.value if isinstance(shape, Kind) else "any"


def test_the_fields_of_an_event_are_all_there_with_their_types() -> None:
    said = {code(field): row[1] for row in FIELDS for field in row[0].split(", ")}
    assert said == dict(leaves(shape_of(EventDocument), "event"))


def test_every_function_macro_and_operator_has_a_line() -> None:
    text = " ".join(code(row[0]) for row in LINES)
    assert [name for name in {*FUNCTIONS, *METHODS, *MACROS, "has"} if f"{name}(" not in text] == []
    operators = ["!", "-", "*", "/", "%", "+", "??", "<", ">=", "==", "!=", " in ", "&&", "||", "?", "[", "{", "//"]
    assert [operator for operator in operators if operator not in text] == []


def test_the_operators_stand_in_the_order_in_which_they_bind() -> None:
    """Each level binds tighter than the next: the text without parentheses means the same as with them."""
    pairs = [
        ("-raw.order * 2", "(-raw.order) * 2"),
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("raw.note ?? 1 + 2", "raw.note ?? (1 + 2)"),
        ("raw.note ?? 0 < 3", "(raw.note ?? 0) < 3"),
        ("false && 1 == 2 || true", "(false && (1 == 2)) || true"),
        ("true || true ? 1 : 2", "(true || true) ? 1 : 2"),
        ("7 - 2 - 1", "(7 - 2) - 1"),
        ("true ? 1 : false ? 2 : 3", "true ? 1 : (false ? 2 : 3)"),
    ]
    names = names_of(SHOWN["lists"], ())
    for bare, clear in pairs:
        assert value_of(bare, SCOPE, names) == value_of(clear, SCOPE, names), bare


def outcome(text: str, **roots: Any) -> str:
    """Whether an expression is taken (`fine`), refused or fails."""
    found = value_of(text, roots, Names(dict.fromkeys(roots)))
    return found if found in ("refused", "fails") else "fine"


def length(number: int) -> str:
    return outcome("1" + " " * (number - 1))


def nesting(number: int) -> str:
    return outcome("!" * (number - 1) + "x", x=True)


def macros(number: int) -> str:
    return outcome("x" + "".join(f".exists(v{n}, x" for n in range(number)) + " == x" + ")" * number, x=[1])


def walked(number: int) -> str:
    return outcome("x.exists(v, v == 2)", x=[1] * number)


def joined(number: int) -> str:
    return outcome("x + 'a'", x="a" * (number - 1))


def steps(number: int) -> str:
    """`1` costs one step."""
    try:
        compile_expression("1", Names({})).evaluate({}, (budget := Budget(number)))
    except BudgetExceeded:
        return "fails"
    return "fine" if budget.left == number - 1 else "unknown"


MEASURED: dict[str, tuple[int, Callable[[int], str]]] = {
    "characters of an expression": (MAX_LENGTH, length),
    "nesting": (MAX_DEPTH, nesting),
    "macros inside macros": (MAX_MACRO_NESTING, macros),
    "elements of a list that a macro walks, or that is made": (MAX_LIST, walked),
    "characters of a text that is made": (MAX_STRING, joined),
}


@pytest.mark.parametrize("bound", MEASURED)
def test_a_bound_is_where_the_page_says(bound: str) -> None:
    limit, measure = MEASURED[bound]
    assert BOUNDS[bound] == f"{limit:,}"
    assert (measure(limit), measure(limit + 1) != "fine") == ("fine", True)


def test_the_other_bounds_are_where_the_page_says() -> None:
    of_files = {"`let` names of a policy", "a YAML file"}
    assert BOUNDS.keys() - MEASURED == {"steps for one event, all rules together", "ints", *of_files}
    assert BOUNDS["`let` names of a policy"] == f"{MAX_LETS:,}"
    size, values, depth = f"{MAX_SIZE // 1024**2} Mi characters", f"{MAX_VALUES:,} values", f"depth {YAML_DEPTH}"
    assert BOUNDS["a YAML file"] == f"{size}, {values}, {depth}"
    assert BOUNDS["steps for one event, all rules together"] == f"{STEP_BUDGET:,}"
    assert (steps(1), steps(0)) == ("fine", "fails")
    assert BOUNDS["ints"] == f"{INT_MIN:,} to {INT_MAX:,}"
    assert (outcome(f"{INT_MAX} + 0"), outcome(f"{INT_MAX} + 1")) == ("fine", "fails")
    assert (outcome(f"{INT_MIN} - 0"), outcome(f"{INT_MIN} - 1")) == ("fine", "fails")
