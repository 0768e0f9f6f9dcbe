"""Policy documents -> a policy that decides. Refuses with every problem of every document at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from receiver.contract import RESULT_PREFIX, ActionSpec, JsonValue, Mode, PolicyRef
from receiver.errors import ConfigurationError
from receiver.policy import codes
from receiver.policy.document import DEFAULT_STATUS_ORDER, PolicyDocument, RuleDocument, TagsDocument, read_policy
from receiver.policy.examples import check_examples
from receiver.policy.expressions.expression import Kind
from receiver.policy.expressions.syntax import Literal
from receiver.policy.findings import Findings, original
from receiver.policy.formula import Formula, Scope, check_names, compile_lets, names_of, typed
from receiver.policy.lint.lint import lint_document, lint_policy
from receiver.policy.lint.placed import Placed, Source, TagFacts
from receiver.policy.rules import Index, Policy, Rule, Selector, Step
from receiver.policy.steps import compile_step
from receiver.suggestion import suggestion
from receiver.yamltext import Document, Path

__all__ = ["Policy", "compile_policy"]

MOST_JOINED = 50  # items of a list in brackets that may be one expression with commas in it


@dataclass(frozen=True, slots=True)
class _Read:
    """One document, read; `model` is None if nothing of it could be used."""

    findings: Findings
    model: PolicyDocument | None


def compile_policy(
    documents: Sequence[Document],
    actions: Mapping[str, ActionSpec],
    *,
    known_tags: Mapping[str, TagFacts] = MappingProxyType({}),
    inline: bool = False,
) -> Policy:
    """Compile the documents as one policy: their rules in the order given.

    `actions` are the actions that `then` may name; `known_tags`, with what is known of them, serve to find misspelt
    ones (others pass) and those that are weak evidence. `inline`: the policy is a part of another file, so what is
    hashed and kept is its canonical JSON, not that file's text.
    Raises ConfigurationError with all problems; warnings are in the policy.
    """
    reads = [_Read(findings, read_policy(findings)) for findings in map(Findings, documents)]
    sources = list(_compile_documents(reads, actions))
    models = [read.model for read in reads if read.model is not None]
    for read in reads:
        lint_document(read.findings)
    lint_policy(sources, known_tags, actions)
    problems = [problem for read in reads for problem in read.findings.problems]
    if any(problem.severity == "error" for problem in problems):
        raise ConfigurationError(problems)
    rules = tuple(each.rule for source in sources for each in source.placed)
    return Policy(
        ref=_reference(documents, models, inline=inline),
        text=_text([_kept(document, inline=inline) for document in documents]),
        rules=rules,
        index=Index(rules),
        listens=frozenset(kind for rule in rules for kind in rule.on),
        lists=tuple(model.lists for model in models),
        layouts=tuple(tuple(names_of(model.lists, model.let, on_result=True).roots) for model in models),
        status_rank=_ranks(models),
        review_once=actions["review"].once if "review" in actions else "session",
        warnings=tuple(sorted(problems)),
    )


def _compile_documents(reads: Sequence[_Read], actions: Mapping[str, ActionSpec]) -> Iterator[Source]:
    """Those of which something can be used; what is wrong with them goes into their findings."""
    ids, order = _Ids(), 0
    for index, read in enumerate(reads):
        if read.model is not None:
            ids.check(read.findings)
            yield _compile_document(read.findings, read.model, (order, index), actions, _prefix(reads, index))
            order += len(read.model.rules)


def _compile_document(
    findings: Findings,
    model: PolicyDocument,
    place: tuple[int, int],
    actions: Mapping[str, ActionSpec],
    prefix: str,
) -> Source:
    """One document; `place` is the order of its first rule, and its own."""
    check_names(findings, "let", model.let)
    check_names(findings, "lists", model.lists)
    names = names_of(model.lists, model.let)
    lets = compile_lets(findings, model.let, names, prefix)
    plain = Scope(findings, typed(names, lets.values()), lets)
    on_results: dict[str, Scope] = {}  # by the one action that a rule is about
    placed: list[Placed] = []
    for position, rule in enumerate(model.rules):
        where: Path = ("rules", position)
        scope = plain
        if any(kind.startswith(RESULT_PREFIX) for kind in rule.on):
            action = rule.on[0].removeprefix(RESULT_PREFIX) if len(rule.on) == 1 else ""
            if action not in on_results:
                result = actions[action].result if action in actions else None
                named = names_of(model.lists, model.let, on_result=True, result=result)
                on_results[action] = Scope(findings, typed(named, lets.values()), lets)
            scope = on_results[action]
        _check_events(rule, where, findings, actions)
        check_examples(findings, where, rule)
        placed.append(_placed(rule, where, scope, model, (place[0] + position, place[1]), actions))
    return Source(findings, model, lets, placed)


def _placed(
    rule: RuleDocument,
    where: Path,
    scope: Scope,
    model: PolicyDocument,
    place: tuple[int, int],
    actions: Mapping[str, ActionSpec],
) -> Placed:
    mode: Mode = "shadow" if "shadow" in (model.mode, rule.mode) else "enforce"
    if model.mode == "shadow" and rule.mode == "enforce":
        said = "the whole policy is in shadow, so this rule is too"
        scope.findings.warning((*where, "mode"), codes.ENFORCE_WITHOUT_EFFECT, said)
    steps = _steps(rule, where, scope, actions)
    conditions = list(_conditions(rule, where, scope))
    compiled = _rule(rule, scope.findings.document.locate(where)[0], conditions, steps, place, mode)
    return Placed(scope.findings, where, rule, compiled, tuple(where for where, _ in conditions))


def _rule(
    rule: RuleDocument,
    line: int,
    conditions: Sequence[tuple[Path, Formula]],
    steps: Sequence[Step],
    place: tuple[int, int],
    mode: Mode,
) -> Rule:
    return Rule(
        order=place[0],
        document=place[1],
        id=rule.id,
        line=line,
        mode=mode,
        on=frozenset(rule.on),
        selector=_selector(rule.tags),
        conditions=tuple(formula for _, formula in conditions),
        on_missing=rule.on_missing,
        on_stale=rule.on_stale,
        echo=rule.echo,
        stop=rule.stop,
        limit=rule.limit,
        actions=tuple(steps),
    )


def _selector(tags: TagsDocument | None) -> Selector:
    if tags is None:
        return Selector()
    parts = (tags.any, tags.all, tags.none, tags.severity)
    return Selector(*(frozenset(part or ()) for part in parts))


def _check_events(rule: RuleDocument, where: Path, findings: Findings, actions: Mapping[str, ActionSpec]) -> None:
    for position, kind in enumerate(rule.on):
        name = kind.removeprefix(RESULT_PREFIX)
        if name != kind and name not in actions:
            place = original(findings.document.value, (*where, "on", position))
            findings.error(place, codes.UNKNOWN_ACTION, f"no action {name!r} gives results{suggestion(name, actions)}")


def _steps(rule: RuleDocument, where: Path, scope: Scope, actions: Mapping[str, ActionSpec]) -> list[Step]:
    compiled = (compile_step(step, (*where, "then", place), scope, actions) for place, step in enumerate(rule.then))
    return [step for step in compiled if step is not None]


def _conditions(rule: RuleDocument, where: Path, scope: Scope) -> Iterator[tuple[Path, Formula]]:
    for place, text in _whole_texts(rule, where, scope.findings):
        formula = scope.formula(place, text)
        if formula is not None and formula.expression.shape not in (None, Kind.BOOL):
            scope.findings.error(place, codes.BAD_EXPRESSION, f"a condition must give true or false{_quoted(formula)}")
        elif formula is not None:
            yield place, formula


def _quoted(formula: Formula) -> str:
    """What to do about a condition that is a text."""
    if not isinstance(formula.expression.node, Literal) or formula.expression.shape is not Kind.STRING:
        return ""
    quote = formula.expression.text.strip()[:1]
    return f", and this is text: take away the inner quotes, which are {quote}"


def _whole_texts(rule: RuleDocument, where: Path, findings: Findings) -> Iterator[tuple[Path, str]]:
    """The texts of `when` with their places. Inside `[...]` YAML ends an item at a comma, also at one that stands in
    an expression: such items are put together again.
    """
    texts, whole = rule.when, (*where, "when")
    if not texts:
        return
    alone = original(findings.document.value, (*whole, 0)) == whole  # one text, written without a list
    places = [whole] if alone else [(*whole, position) for position in range(len(texts))]
    flow = not alone and findings.is_flow(whole)
    start = 0
    while start < len(texts):
        text, end = texts[start], start + 1
        while flow and end < min(len(texts), start + MOST_JOINED) and _is_unfinished(text):
            text, end = f"{text}, {texts[end]}", end + 1
        if end == start + 1 or _is_unfinished(text):
            text, end = texts[start], start + 1
        else:
            said = (
                "a comma splits this item of [...]; read as one expression: put it in quotes, or on a line of its own"
            )
            findings.warning(places[start], codes.SPLIT_BY_COMMA, said)
        yield places[start], text
        start = end


def _is_unfinished(text: str) -> bool:
    """Does the text leave a bracket or a quote open?"""
    depth, quote = 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth += (character in "([{") - (character in ")]}")
    return depth > 0 or quote != ""


class _Ids:
    """Every rule id is used once, over all documents."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[int, str]] = {}

    def check(self, findings: Findings) -> None:
        document = findings.document
        rules = document.value.get("rules") if isinstance(document.value, dict) else None
        for position, rule in enumerate(rules if isinstance(rules, list) else ()):
            name = rule.get("id") if isinstance(rule, dict) else None
            if not isinstance(name, str):
                continue
            where = ("rules", position, "id")
            here = f"{document.path}:{document.locate(where)[0]}"
            first = self._first.setdefault(name, (id(rule), here))
            if first[0] != id(rule):
                findings.error(where, codes.DUPLICATE_ID, f"rule id {name!r} is used already, in {first[1]}")


def _prefix(reads: Sequence[_Read], index: int) -> str:
    """What stands before the names of a document's `let` values in a decision, where another document has one of them
    too: the document's name, and its number where several have that name.
    """
    models = [read.model for read in reads]
    own = models[index]
    others = [model for place, model in enumerate(models) if model is not None and place != index]
    if own is None or not any(model.let.keys() & own.let.keys() for model in others):
        return ""
    return f"{own.name}#{index + 1}." if any(model.name == own.name for model in others) else f"{own.name}."


def _ranks(models: Sequence[PolicyDocument]) -> dict[str, int]:
    said = [status for model in models for status in model.status_order or ()]
    order = list(dict.fromkeys(said or DEFAULT_STATUS_ORDER))
    return {status: rank for rank, status in enumerate(order)}


def _kept(document: Document, *, inline: bool) -> str:
    return canonical_text(document.value) if inline else document.text


def canonical_text(value: JsonValue) -> str:
    """The JSON text that stands for a policy that is no file of its own: sorted keys, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _text(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else json.dumps(texts, ensure_ascii=False)


def _reference(documents: Sequence[Document], models: Sequence[PolicyDocument], *, inline: bool) -> PolicyRef:
    digests = [_sha256(_kept(document, inline=inline)) for document in documents]
    mode: Mode = "shadow" if models and all(model.mode == "shadow" for model in models) else "enforce"
    sha256 = digests[0] if len(digests) == 1 else _sha256("\n".join(digests))
    return PolicyRef("+".join(model.name for model in models), sha256, mode)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
