"""The parameters of one action against its model, templates included: as far as it is known what they will give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from receiver.contract import MISFIT, JsonObject, JsonValue
from receiver.policy import codes
from receiver.policy.expressions.check import check
from receiver.policy.expressions.expression import Budget, ExpressionFault, Kind, ListOf, Shape
from receiver.policy.expressions.reads import as_path, path_text
from receiver.policy.expressions.syntax import Binary, Literal, Name, Node, Ternary
from receiver.policy.findings import Findings, KeyCodes, original
from receiver.policy.formula import Formula, Scope
from receiver.policy.template import Filled, Template, has_template
from receiver.yamltext import Path

_CODES: Final = KeyCodes("parameter", codes.UNKNOWN_PARAMETER, codes.MISSING_PARAMETER, codes.WRONG_PARAMETER)
_STEPS: Final = 1_000  # of evaluation: constant expressions are short
_TEXT: Final = "some text"
_SAMPLES: Final[Mapping[Kind, JsonValue]] = {
    Kind.STRING: _TEXT,
    Kind.BOOL: True,
    Kind.INT: 1,
    Kind.DOUBLE: 0.5,
    Kind.NUMBER: 1,  # fits where a whole number is wanted, and where decimals are
    Kind.MAP: {},
}
_WORD: Final = re.compile(r"'([^']*)'")
_COUNTRY_LETTERS: Final = 3
_NOUNS: Final[Mapping[str, str]] = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_GIVEN: Final = {str: "text", bool: "true or false", int: "a number", float: "a number with decimals", list: "a list"}
# texts that no enumeration of words means: they are of one person, document or session, or a country
_NO_WORDS: Final = frozenset(
    "event.session_id event.vendor_event_id event.country event.phone event.email "
    "event.document.number event.document.expiration_date event.document.issuing_state event.document.nationality "
    "event.ip.country event.images.selfie event.images.document event.images.portrait".split()
)


@dataclass(frozen=True, slots=True)
class _Given:
    """One value that a template may give: itself (`exact`), or a sample of its kind. `wordless`: a sample that stands
    for texts of which none is a word of an enumeration. `offset` is its place in the expression.
    """

    value: JsonValue
    offset: int
    exact: bool = False
    wordless: bool = False


def check_parameters(
    given: JsonObject, compiled: Mapping[str, Template], where: Path, model: type[BaseModel], scope: Scope
) -> None:
    """Report what the model does not accept. Of a parameter that holds a template, only what is sure: its name, and
    that no value of the kind which the template gives fits.
    """
    name = str(where[-1])
    for finding in _misfits(model, given):
        if finding["type"] == "extra_forbidden" or not _depends_on_template(given, finding):
            _report(scope.findings, where, name, given, finding, model)
    for key, template in compiled.items():
        for place, single in _singles((key,), template):
            _check_single(given, place, single, where, model, scope)


def _report(
    findings: Findings, where: Path, name: str, given: JsonObject, finding: ErrorDetails, model: type[BaseModel]
) -> None:
    if finding["type"] == "extra_forbidden" and finding["loc"] == ("needs_approval",):
        said = f"`needs_approval` is no parameter: put it beside `{name}`, on a line of its own, outside of the braces"
        findings.error((*where, "needs_approval"), codes.UNKNOWN_PARAMETER, said, key=True)
    elif finding["type"] in ("value_error", MISFIT) and not finding["loc"]:
        said = finding["msg"].removeprefix("Value error, ")
        judged = [key for key in finding.get("ctx", {}).get("judged", ()) if key in given]
        findings.error((*where, *judged[:1]), codes.WRONG_PARAMETER, f"`{name}`: {said[:1].lower()}{said[1:]}")
    else:
        findings.misfit((*where, *original(given, finding["loc"])), finding, model, _CODES)


def _misfits(model: type[BaseModel], params: JsonObject) -> Sequence[ErrorDetails]:
    try:
        model.model_validate(params, extra=None if model.model_config.get("extra") == "allow" else "forbid")
    except ValidationError as error:
        return error.errors(include_url=False)
    return ()


def _depends_on_template(params: JsonObject, finding: ErrorDetails) -> bool:
    """May another value of a template make it right? Of a whole model that is known where it says what it judged."""
    if finding["loc"]:
        return has_template(params.get(str(finding["loc"][0])))
    judged = finding["ctx"]["judged"] if finding["type"] == MISFIT else params
    return any(has_template(params.get(name)) for name in judged)


def _singles(place: Path, template: Template) -> Iterator[tuple[Path, Formula | Filled]]:
    """Every text with a template, and its place among the parameters."""
    if isinstance(template, Formula | Filled):
        yield place, template
    elif isinstance(template, dict):
        for key, inner in template.items():
            yield from _singles((*place, key), inner)
    elif isinstance(template, list):
        for index, inner in enumerate(template):
            yield from _singles((*place, index), inner)


def _check_single(
    given: JsonObject, place: Path, single: Formula | Filled, where: Path, model: type[BaseModel], scope: Scope
) -> None:
    for each in _gives(single, scope):
        found = _misfits(model, _with(given, place, each.value))
        said = [_objection(finding, each) for finding in found if original(given, finding["loc"]) == place]
        if said and said[0] and all(said):  # of a union, all kinds
            before = _before(_at(given, place), each.offset) if isinstance(single, Formula) else ""
            message = f"`{_named(place)}` {said[0]}"
            scope.findings.error_after((*where, *place), before, codes.WRONG_PARAMETER, message)
            return


def _named(place: Path) -> str:
    return str(next(step for step in reversed(place) if isinstance(step, str)))


def _objection(finding: ErrorDetails, given: _Given) -> str | None:
    """Why no such value fits; None if another one may."""
    kind, value = finding["type"], given.value
    if kind == "extra_forbidden":  # said already
        return None
    if kind == "literal_error":
        return _no_word_of(str(finding["ctx"]["expected"]), given)
    if kind in _NOUNS:
        cure = "; with words beside the `{{ }}` it becomes text" if kind == "string_type" else ""
        return f"must be {_NOUNS[kind]}, and this gives {_GIVEN.get(type(value), 'a mapping')}{cure}"
    said = finding["msg"].removeprefix("Value error, ").replace("Input should", "must").replace("String should", "must")
    return f"{said[:1].lower()}{said[1:]}, and this gives {value}" if given.exact else None


def _no_word_of(expected: str, given: _Given) -> str | None:
    """Against an enumeration, which pydantic writes as `'a', 'b' or 'c'`."""
    words = _WORD.findall(expected)
    all_words = not _WORD.sub("", expected).replace("or", "").strip(" ,")
    no_codes = not any(word.isupper() and len(word) <= _COUNTRY_LETTERS for word in words)
    never_fits = given.exact or (all_words and not isinstance(given.value, str)) or (given.wordless and no_codes)
    return f"must be {expected.replace(chr(39), '')}, which this never gives" if never_fits else None


def _gives(single: Formula | Filled, scope: Scope) -> Iterator[_Given]:
    if isinstance(single, Filled):
        yield _Given(_TEXT, 0)
        return
    if not single.expression.roots:
        value = _constant(single)
        if value is not None:
            yield _Given(value, 0, exact=True)
        return
    yield from _leaves(single.expression.node, scope)


def _constant(formula: Formula) -> JsonValue:
    try:
        value = formula.expression.evaluate({}, Budget(_STEPS))
    except ExpressionFault:
        return None
    return value if isinstance(value, bool | int | float | str | list | dict) else None


def _leaves(node: Node, scope: Scope) -> Iterator[_Given]:
    """What each branch of an expression gives, `let` values seen through."""
    match node:
        case Ternary(_, _, then, otherwise):
            yield from _leaves(then, scope)
            yield from _leaves(otherwise, scope)
        case Binary(_, "??", left, right):
            yield from _leaves(left, scope)
            yield from _leaves(right, scope)
        case Literal(offset, value):
            yield from () if value is None else (_Given(value, offset, exact=True),)
        case Name(offset, name) if name in scope.lets:
            let = scope.lets[name].formula
            leaves = _leaves(let.expression.node, scope)
            yield from (_Given(each.value, offset, each.exact, each.wordless) for each in leaves)
        case _:
            yield from _of_kind(node, scope)


def _of_kind(node: Node, scope: Scope) -> Iterator[_Given]:
    sample = _sample(check(node, scope.names))
    if sample is not None:
        path = as_path(node)
        wordless = path is not None and path_text(path[0].name, path[1]) in _NO_WORDS
        yield _Given(sample, path[0].offset if path else node.offset, wordless=wordless)


def _sample(shape: Shape | None) -> JsonValue:
    """A value of the shape; None if nothing is known of it."""
    if isinstance(shape, ListOf) or shape is Kind.LIST:
        return []
    if isinstance(shape, Kind):
        return _SAMPLES[shape]
    return None if shape is None else {}


def _at(value: JsonValue, place: Path) -> str:
    for step in place:
        value = value[step]  # type: ignore[index]  # the place of a text of these parameters
    return str(value)


def _before(text: str, offset: int) -> str:
    """What stands before a character of the one expression of a text."""
    return text[: text.index("{{") + 2 + offset]


def _with(value: JsonValue, place: Path, new: JsonValue) -> JsonObject:
    """The parameters with one value replaced."""
    return _replaced(value, place, new)  # type: ignore[return-value]  # a mapping stays one


def _replaced(value: JsonValue, place: Path, new: JsonValue) -> JsonValue:
    if not place:
        return new
    step, rest = place[0], place[1:]
    if isinstance(value, list):
        return [_replaced(item, rest, new) if index == step else item for index, item in enumerate(value)]
    assert isinstance(value, dict)
    return {key: _replaced(item, rest, new) if key == step else item for key, item in value.items()}
