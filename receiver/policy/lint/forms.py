"""Constants of a form that the field beside them never has: countries, scores, dates.

Facts (Didit's webhook documentation; `receiver/contract.py`): documents name countries by three letters, IP analyses by
two; scores and similarities are 0-100; dates are ISO text. Other sources leave the countries empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from receiver.contract import JsonValue
from receiver.policy import codes
from receiver.policy.formula import Formula
from receiver.policy.lint.compared import Compared
from receiver.policy.lint.countries import ALPHA_2, ALPHA_3
from receiver.policy.lint.placed import Source, warn_inside
from receiver.yamltext import Path

_HIGHEST = 100  # of every score
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
class _CountryForm:
    """How many letters a field has, and the codes of the other form with what to write for each."""

    letters: str
    others: Mapping[str, str]


_COUNTRIES: Mapping[str, _CountryForm] = {
    "event.country": _CountryForm("three", ALPHA_3),
    "event.document.issuing_state": _CountryForm("three", ALPHA_3),
    "event.document.nationality": _CountryForm("three", ALPHA_3),
    "event.ip.country": _CountryForm("two", ALPHA_2),
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
            said = _odd_score(each) or _odd_date(each)
            if said:
                warn_inside(source.findings, where, formula, each.offset, *said)
        _warn_of_countries(source, where, formula, found)
        for path, name in lists:
            if path in _COUNTRIES and name not in told:
                told.add(name)
                _warn_of_list(source, name, path)


def _formulas(source: Source) -> Iterator[tuple[Path, Formula]]:
    yield from ((("let", name), let.formula) for name, let in source.lets.items())
    for each in source.placed:
        yield from each.conditions


def _odd_score(each: Compared) -> tuple[str, str] | None:
    value = each.literal.value
    if each.path not in _SCORES or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if 0 < value < 1:
        return codes.SCORE_RANGE, f"{each.path} goes from 0 to {_HIGHEST}: {value} may mean {round(value * 100, 6):g}"
    if not 0 <= value <= _HIGHEST:
        return codes.SCORE_RANGE, f"{each.path} goes from 0 to {_HIGHEST}: it is never near {value}"
    return None


def _odd_date(each: Compared) -> tuple[str, str] | None:
    value = each.literal.value
    if each.path not in _DATES or not isinstance(value, str) or not value or _ISO_DATE.match(value):
        return None
    turned = _DAY_FIRST.match(value)
    cure = f": write '{turned[3]}-{int(turned[2]):02}-{int(turned[1]):02}'" if turned and int(turned[2]) <= 12 else ""
    return codes.DATE_FORM, f"{each.path} is text such as '2026-11-30', and '{value}' is not{cure}"


def _warn_of_countries(source: Source, where: Path, formula: Formula, found: Sequence[Compared]) -> None:
    for each in found:
        form = _COUNTRIES.get(each.path)
        beside = [other.literal.value for other in found if other.path == each.path]
        said = _odd_country(each.path, form, each.literal.value, beside) if form else None
        if said:
            warn_inside(source.findings, where, formula, each.offset, codes.COUNTRY_FORM, said)


def _warn_of_list(source: Source, name: str, path: str) -> None:
    values: Sequence[JsonValue] = source.model.lists.get(name, ())
    for position, value in enumerate(values):
        said = _odd_country(path, _COUNTRIES[path], value, values)
        if said:
            source.findings.warning(("lists", name, position), codes.COUNTRY_FORM, said)


def _odd_country(path: str, form: _CountryForm, value: JsonValue, beside: Sequence[JsonValue]) -> str | None:
    """What is wrong with a code; nothing where the right one stands beside it, since then both forms are meant."""
    right = form.others.get(value.upper()) if isinstance(value, str) else None
    if right is None or right in beside:
        return None
    return f"{path} is a code of {form.letters} letters: write '{right}' for '{value}'"
