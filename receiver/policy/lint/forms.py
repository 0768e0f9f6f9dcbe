"""Constants of a form that the field beside them never has: countries, scores, dates.

Facts (Didit's webhook documentation; `receiver/contract.py`): documents name countries by three letters, IP analyses by
two; scores and similarities are 0-100; dates are ISO text. Other sources leave the countries empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from receiver.contract import JsonValue, Range
from receiver.policy import codes
from receiver.policy.formula import Formula
from receiver.policy.lint.compared import Compared
from receiver.policy.lint.countries import ALPHA_2, ALPHA_3
from receiver.policy.lint.placed import Source, warn_inside
from receiver.yamltext import Path

PERCENT = Range(0, 100)
_SHARE = 1  # the other way to write a score goes so high
_SCORES = frozenset(
    {
        "event.liveness.score",
        "event.face_match.score",
        "event.matches[].similarity",
    }
)
_DATES = frozenset({"event.document.expiration_date"})
_ISO_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T.*)?)?)?\Z")
_DAY_FIRST = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})\Z")


@dataclass(frozen=True, slots=True)
class CountryForm:
    """How many letters a field has, and the codes of the other form with what to write for each."""

    letters: str
    others: Mapping[str, str]


THREE_LETTERS = CountryForm("three", ALPHA_3)
_COUNTRIES: Mapping[str, CountryForm] = {
    "event.country": THREE_LETTERS,
    "event.document.issuing_state": THREE_LETTERS,
    "event.document.nationality": THREE_LETTERS,
    "event.ip.country": CountryForm("two", ALPHA_2),
}


def warn_of_forms(source: Source) -> None:
    """The conditions and `let` values of a document, and the lists that they look into."""
    told: set[str] = set()
    roots = {"event", *source.lets}
    for where, formula in _formulas(source):
        if formula.expression.roots.isdisjoint(roots):
            continue
        found, lists = source.comparisons(formula)
        for each in found:
            value = each.literal.value
            if each.path in _SCORES and (said := odd_number(each.path, value, PERCENT)):
                warn_inside(source.findings, where, formula, each.offset, codes.SCORE_RANGE, said)
            if each.path in _DATES and (said := odd_date(each.path, value)):
                warn_inside(source.findings, where, formula, each.offset, codes.DATE_FORM, said)
        _warn_of_countries(source, where, formula, found)
        for path, name in lists:
            if path in _COUNTRIES and name not in told:
                told.add(name)
                _warn_of_list(source, name, path)


def _formulas(source: Source) -> Iterator[tuple[Path, Formula]]:
    yield from ((("let", name), let.formula) for name, let in source.lets.items())
    for each in source.placed:
        yield from each.conditions


def odd_number(name: str, value: JsonValue, known: Range) -> str | None:
    """What is wrong with a number that a value of this range is held against. One that fits the other way to write a
    score, 0-1 for 0-100 or the reverse, is most likely a slip, inside the range or not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    said = f"{name} goes from {known.low:g} to {known.high:g}"
    if known == PERCENT and 0 < value < _SHARE:
        return f"{said}: {value} may mean {round(value * 100, 6):g}"
    if known == Range(0, _SHARE) and _SHARE < value <= PERCENT.high:
        return f"{said}: {value} may mean {round(value / 100, 8):g}"
    return None if known.low <= value <= known.high else f"{said}: it is never near {value}"


def odd_date(name: str, value: JsonValue) -> str | None:
    """What is wrong with a text that a date is held against."""
    if not isinstance(value, str) or not value or _ISO_DATE.match(value):
        return None
    turned = _DAY_FIRST.match(value)
    cure = f": write '{turned[3]}-{int(turned[2]):02}-{int(turned[1]):02}'" if turned and int(turned[2]) <= 12 else ""
    return f"{name} is text such as '2026-11-30', and '{value}' is not{cure}"


def _warn_of_countries(source: Source, where: Path, formula: Formula, found: Sequence[Compared]) -> None:
    for each in found:
        form = _COUNTRIES.get(each.path)
        beside = [other.literal.value for other in found if other.path == each.path]
        said = odd_country(each.path, form, each.literal.value, beside) if form else None
        if said:
            warn_inside(source.findings, where, formula, each.offset, codes.COUNTRY_FORM, said)


def _warn_of_list(source: Source, name: str, path: str) -> None:
    values: Sequence[JsonValue] = source.model.lists.get(name, ())
    for position, value in enumerate(values):
        said = odd_country(path, _COUNTRIES[path], value, values)
        if said:
            source.findings.warning(("lists", name, position), codes.COUNTRY_FORM, said)


def odd_country(name: str, form: CountryForm, value: JsonValue, beside: Sequence[JsonValue]) -> str | None:
    """What is wrong with a code; nothing where the right one stands beside it, since then both forms are meant."""
    right = form.others.get(value.upper()) if isinstance(value, str) else None
    if right is None or right in beside:
        return None
    return f"{name} is a code of {form.letters} letters: write '{right}' for '{value}'"
