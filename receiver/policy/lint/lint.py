"""What a policy may say but probably does not mean: warnings. They are sound for the simple shapes they look at, and
silent about the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from receiver.contract import RESULT_PREFIX, ActionSpec
from receiver.errors import Problem
from receiver.policy import codes
from receiver.policy.findings import Findings
from receiver.policy.lint.absence import Absence, warn_of_absence
from receiver.policy.lint.contradictions import Contradictions
from receiver.policy.lint.evidence import warn_of_weak_evidence
from receiver.policy.lint.forms import warn_of_forms
from receiver.policy.lint.placed import Placed, Source, TagFacts, warn_inside, whole
from receiver.policy.lint.reach import warn_of_unreached
from receiver.policy.lint.results import Results
from receiver.policy.lint.sent import warn_of_uncalled, warn_of_what_is_sent
from receiver.policy.lint.statuses import warn_of_statuses
from receiver.policy.lint.words import Words
from receiver.policy.rules import Selector

MOST_NAMED = 5  # rules, in one message
_OF_RESULTS = frozenset({"result", "action"})  # names that only events about an action's result have


def lint_document(findings: Findings) -> None:
    """Warnings that need no meaning: words that other YAML readers take for booleans. Where such a word is an error,
    that says what to write.
    """
    wrong = {(problem.line, problem.column) for problem in findings.problems if problem.severity == "error"}
    for word, (line, column) in findings.document.legacy_booleans():
        if (line, column) in wrong:
            continue
        said = f'{word} is text here, but other YAML readers take it for true or false: write "{word}"'
        findings.problems.append(Problem(findings.document.path, line, column, "warning", codes.LEGACY_BOOLEAN, said))


def lint_policy(
    sources: Sequence[Source], known_tags: Mapping[str, TagFacts], actions: Mapping[str, ActionSpec]
) -> None:
    """Warnings about rules, alone and together. Of rules with an error, only single words are looked at: an error puts
    a part of the rule aside, and what is left would look odd because of it.
    """
    words, results = Words(known_tags), Results(actions, known_tags)
    sound: list[Placed] = []
    for source in sources:
        kept, absence, contradictions = whole(source), Absence(), Contradictions(source)
        words.warn_of_document(source)
        warn_of_forms(source)
        for each in source.placed:
            words.warn_of_rule(source, each)
            results.warn_of_rule(source, each)
        for each in kept:
            contradictions.warn_of_rule(each)
            warn_of_absence(each, absence)
            warn_of_weak_evidence(each, known_tags, actions)
            warn_of_what_is_sent(each, actions)
            _warn_of_emptiness(each)
            _warn_of_other_events(each)
        _warn_of_no_examples(source)
        sound += kept
    warn_of_unreached(sound)
    warn_of_uncalled(sources)
    warn_of_statuses(sound, [status for source in sources for status in source.model.status_order or ()])


def _warn_of_emptiness(each: Placed) -> None:
    rule = each.rule
    if not each.written.then:
        each.findings.warning(each.where, codes.NO_ACTION, f"rule {rule.id!r} has no `then`: it fires and does nothing")
    if not rule.conditions and rule.selector == Selector() and any(step.sets_status for step in rule.actions):
        said = f"rule {rule.id!r} has neither `tags` nor `when`: it sets the status at every event"
        each.findings.warning(each.where, codes.EVERY_EVENT, said)


def _warn_of_other_events(each: Placed) -> None:
    """`result` and `action` in a rule that also listens to events that have neither."""
    without = sorted(kind for kind in each.rule.on if not kind.startswith(RESULT_PREFIX))
    for where, formula in each.conditions if without else ():
        for name in sorted(formula.expression.roots & _OF_RESULTS):
            said = f"`{name}` is absent at {' and '.join(without)}: this condition is undecided there"
            warn_inside(each.findings, where, formula, 0, codes.ABSENT_AT_EVENT, said)


def _warn_of_no_examples(source: Source) -> None:
    """Once per document, at the first rule that has none."""
    bare = [each for each in source.placed if not each.written.examples]
    if bare:
        names = ", ".join(each.rule.id for each in bare[:MOST_NAMED])
        more = f" and {len(bare) - MOST_NAMED} more" if len(bare) > MOST_NAMED else ""
        said = f"{len(bare)} of {len(source.placed)} rules have no `examples` to be tested with: {names}{more}"
        bare[0].findings.warning(bare[0].where, codes.NO_EXAMPLES, said)
