"""What conditions hold against the result of an action, where its specification says what that can be."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from receiver.contract import RESULT_PREFIX, ActionSpec, JsonValue, Known, Range, Words
from receiver.policy import codes
from receiver.policy.lint.forms import THREE_LETTERS, odd_country, odd_date, odd_number
from receiver.policy.lint.placed import Placed, Source, warn_inside
from receiver.policy.lint.vocabulary import Vocabulary

_ROOT = "result."
_TELLS_APART = frozenset({"action.name", "result.scale"})  # which of several actions a result is of
_MOST_NAMED = 6  # words, in one message


class Results:
    """What is known of the results of all actions. `known_tags` are those of the vendor."""

    def __init__(self, actions: Mapping[str, ActionSpec], known_tags: Collection[str]) -> None:
        self._actions = actions
        self._known_tags = known_tags
        self._vocabularies: dict[Words, Vocabulary] = {}

    def warn_of_rule(self, source: Source, each: Placed) -> None:
        """The conditions of a rule. One that tells several actions apart may mean what it says."""
        names = sorted(kind.removeprefix(RESULT_PREFIX) for kind in each.rule.on if kind.startswith(RESULT_PREFIX))
        if not any(name in self._actions and self._actions[name].known for name in names):
            return
        if len(names) > 1 and not _TELLS_APART.isdisjoint(_paths(source, each)):
            return
        for where, formula in each.conditions:
            found = source.comparisons(formula).constants
            for one in found:
                beside = [other.literal.value for other in found if other.path == one.path]
                odd = self._odd(names, one.path, one.literal.value, beside)
                if odd:
                    warn_inside(source.findings, where, formula, one.offset, *odd)

    def _odd(
        self, names: Sequence[str], path: str, value: JsonValue, beside: Sequence[JsonValue]
    ) -> tuple[str, str] | None:
        """The code and what is wrong: of a number with any of the actions, since scales do not mix; of a word only
        where none of them has it.
        """
        if not path.startswith(_ROOT):
            return None
        place = path.removeprefix(_ROOT)
        said = [self._objection(name, place, value, beside) for name in names]
        is_number = isinstance(value, int | float)
        return next(filter(None, said), None) if is_number or all(said) else None

    def _objection(
        self, name: str, place: str, value: JsonValue, beside: Sequence[JsonValue]
    ) -> tuple[str, str] | None:
        spec = self._actions.get(name)
        known: Known | None = spec.known.get(place) if spec is not None else None
        shown = f"{_ROOT}{place} of {name}"
        match known:
            case Range():
                return _coded(codes.SCORE_RANGE, odd_number(shown, value, known))
            case Words():
                vocabulary = self._vocabulary(known)
                return _coded(vocabulary.code, _no_word(shown, value, known, vocabulary))
            case "date":
                return _coded(codes.DATE_FORM, odd_date(shown, value))
            case "country":
                return _coded(codes.COUNTRY_FORM, odd_country(shown, THREE_LETTERS, value, beside))
            case None:
                return None

    def _vocabulary(self, known: Words) -> Vocabulary:
        if known not in self._vocabularies:
            words = self._known_tags if known.noun == "tag" and not known.words else known.words
            self._vocabularies[known] = Vocabulary(known.noun, words)
        return self._vocabularies[known]


def _coded(code: str, said: str | None) -> tuple[str, str] | None:
    return (code, said) if said else None


def _no_word(shown: str, value: JsonValue, known: Words, vocabulary: Vocabulary) -> str | None:
    if not isinstance(value, str) or value in vocabulary.known:
        return None
    said = vocabulary.objection(value)
    if said or not known.closed:
        return said
    if not known.words:
        return f"{shown} is always null, never {value!r}"
    named = ", ".join(map(repr, known.words[:_MOST_NAMED]))
    return f"{shown} is never {value!r}; what it may be: {named}{', ...' if len(known.words) > _MOST_NAMED else ''}"


def _paths(source: Source, each: Placed) -> Iterator[str]:
    for _, formula in each.conditions:
        yield from (compared.path for compared in source.comparisons(formula).constants)
