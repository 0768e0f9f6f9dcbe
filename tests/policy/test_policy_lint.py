"""What is found in single conditions, and what is not: a table of slips with their places, and of what is fine."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.didit.check_results import FaceSearchResult, face_search_result
from handlers.didit.params import FaceSearchParams
from receiver.policy.codes import CODES
from tests.support.policies import event_of, problems_of

HEAD = "lists: {trusted: [ESP, PRT], limits: [60, 70]}\nlet: {top_face: 'max(event.matches.map(m, m.similarity))'}\n"
ABSENT = "is absent, so the rule does not fire: say `on_missing: skip`, fire or review"


def _found(condition: str, rule: str = "") -> list[tuple[int, str, str]]:
    """What is found in a rule with this condition: the character of the condition, the code, the message."""
    line = f'      - "{condition}"\n'
    text = f"{HEAD}rules:\n  - id: a\n    then: [note: {{}}]\n    examples: [{{fires: true}}]\n{rule}    when:\n{line}"
    problems = [each for each in problems_of(text) if each.line == text.count("\n")]
    return [(each.column - line.index(condition) - 1, each.code, each.message) for each in problems]


ERRORS = [
    ("evnt.status == 'x'", 0, "unknown name 'evnt'; did you mean 'event'?"),
    ("event.contry == 'ESP'", 6, "unknown field 'contry'; did you mean 'country'?"),
    ("event.liveness.scor > 60", 15, "unknown field 'scor'; did you mean 'score'?"),
    ("event.warnings.exists(w, w.tagg == 'x')", 27, "unknown field 'tagg'; did you mean 'tag'?"),
    ("top_fac > 60", 0, "unknown name 'top_fac'; did you mean 'top_face'?"),
    ("event.country in lists.trustd", 23, "unknown field 'trustd'; did you mean 'trusted'?"),
    ("event.country in trusted", 17, "unknown name 'trusted'; did you mean 'lists.trusted'?"),
    ("country == 'ESP'", 0, "unknown name 'country'; did you mean 'event.country'?"),
    ("event.country == ESP", 17, "unknown name 'ESP'; text goes in quotes: 'ESP'"),
    (
        "event.tags == [LIVENESS_FACE_ATTACK]",
        15,
        "unknown name 'LIVENESS_FACE_ATTACK'; text goes in quotes: 'LIVENESS_FACE_ATTACK'",
    ),
    ("event.country == None", 17, "unknown name 'None'; did you mean 'null'?"),
    ("result.total > 1", 0, "'result' is known only in rules on an action's result: on: action.<name>"),
    ("event.status = 'x'", 13, "'=' does not compare; write '=='"),
    ("event.status === 'x'", 13, "write '==' for '==='"),
    ("event.status !== 'x'", 13, "write '!=' for '!=='"),
    ("event.status <> 'x'", 13, "write '!=' for not equal"),
    ("event.liveness.score => 70", 21, "write '>='"),
    ("event.liveness.score =< 70", 21, "write '<='"),
    ("event.liveness.score \N{GREATER-THAN OR EQUAL TO} 70", 21, "write '>='"),
    ("event.liveness.score >= 70,5", 26, "decimals take a point: 70.5"),
    ("event.liveness.score >= 70%", 26, "write a percentage as a plain number, without '%'"),
    ("event.stale and event.echo", 12, "write '&&' for and"),
    ("event.stale AND event.echo", 12, "write '&&' for and"),
    ("event.stale or event.echo", 12, "write '||' for or"),
    ("event.stale & event.echo", 12, "write '&&' for and"),
    ("event.stale | event.echo", 12, "write '||' for or"),
    ("not event.stale", 0, "write '!' for not"),
    ("NOT event.stale", 0, "write '!' for not"),
    ("event.country not in lists.trusted", 14, "write !(a in b) for not in"),
    ("event.status is null", 13, "write '==' for is, and '!=' for is not"),
    ("event.tags contains 'X'", 11, "write text.contains('abc'), or 'abc' in list"),
    ("event.liveness.score between 1", 21, "write x >= a && x <= b"),
    ("event.status == \N{LEFT DOUBLE QUOTATION MARK}x", 16, "write straight quotes"),
    ("event.stale\N{NO-BREAK SPACE}&& event.echo", 11, "a no-break space, which looks like a blank: write a blank"),
    ("event.stale; event.echo", 11, "one expression ends here; further conditions are items of their own"),
    ("event.status == 'x", 16, "this string has no end"),
    ("event.status ==", 15, "the expression ends too early"),
    ("(event.stale", 12, "the expression ends too early; ')' is expected to close this parenthesis"),
    ("!event.country in lists.trusted", 0, "'!' takes only what stands right after it; for 'not in' write !(a in b)"),
    ("!event.status == 'x'", 7, "'!' needs true or false, not string; for 'not equal' write a != b"),
    (
        "event.liveness.score > '60'",
        21,
        "'>' cannot work on number and string; write the number without quotes: 60",
    ),
    (
        "event.liveness.score == '60'",
        21,
        "'==' compares number with string, which are never equal; write the number without quotes: 60",
    ),
    (
        "event.matches.exists(m, m.similarity == '90')",
        37,
        "'==' compares number with string, which are never equal; write the number without quotes: 90",
    ),
    (
        "event.tags == 'X'",
        11,
        "'==' compares list with string, which are never equal; look into a list with 'in', exists() or size()",
    ),
    ("event.tags > 2", 11, "'>' cannot work on list; look into a list with 'in', exists() or size()"),
    (
        "event.liveness > 60",
        15,
        "'>' cannot work on map; name one of its fields: status, score, method, face_quality",
    ),
    ("size(event.tags) == true", 17, "'==' compares int with bool, which are never equal"),
    ("event.status in [1, 2]", 13, "'in' looks for string in a list of int, where it never is"),
    ("event.country in lists.limits", 14, "'in' looks for string in a list of number, where it never is"),
    (
        "event.tags in ['A']",
        11,
        "'in' looks for list in a list of string, where it never is; "
        "for one of two lists in the other write a.exists(x, x in b)",
    ),
    (
        "'x' in event.status",
        4,
        "'in' needs a list or a map on its right, not string; for text in text write a.contains(b)",
    ),
    (
        "60 < event.liveness.score < 80",
        26,
        "'<' cannot work on bool and int; comparisons do not chain, write a < b && b < c",
    ),
    (
        "event.status == 'A' || 'B'",
        23,
        "'||' needs true or false, not string; compare each side for itself, or write x in [a, b]",
    ),
    (
        "event.matches.similarity > 70",
        14,
        "a list has no field 'similarity'; use exists(), all(), filter(), map() or [0], "
        "such as exists(x, x.similarity == ...)",
    ),
    ("size(event.liveness.score) > 1", 20, "size() needs a string, a list or a map, not number"),
    ("len(event.tags) > 1", 0, "write size(x)"),
    ("event.status.startswith('A')", 13, "unknown method 'startswith'; did you mean 'startsWith'?"),
    ("event.status", 0, "a condition must give true or false"),
    ("event.tags.contains('X')", 6, 'contains() needs strings, not list; write "X" in event.tags'),
    ("event.matches.map(m, m.status).contains('X')", 14, "contains() needs strings, not list; write x in list"),
    ("event.status == In Review", 16, "text goes in quotes: 'In Review'"),
    ("event.status in [Kyc Expired, Approved]", 17, "text goes in quotes: 'Kyc Expired'"),
    ("event.status Review", 13, "unexpected 'Review'"),
    ("event.country in trustedx", 17, "unknown name 'trustedx'; did you mean 'lists.trusted'?"),
    ("event.country in limit", 17, "unknown name 'limit'; did you mean 'lists.limits'?"),
    ("event.stale == tru", 15, "unknown name 'tru'; did you mean 'true'?"),
    ("event.stale == True", 15, "unknown name 'True'; did you mean 'true'?"),
    (
        "'event.stale'",
        0,
        "a condition must give true or false, and this is text: take away the inner quotes, which are '",
    ),
    ("top_face > '60'", 9, "'>' cannot work on number and string; write the number without quotes: 60"),
]


@pytest.mark.parametrize(("condition", "column", "message"), ERRORS)
def test_a_slip_is_an_error_at_its_place(condition: str, column: int, message: str) -> None:
    whole = message.startswith("a condition must give true or false")
    expected = column if not whole else -1  # there, the whole text, from its quote
    assert _found(condition) == [(expected, "P020", message)]


WARNINGS = [
    ("!(event.country in lists.trusted)", 16, "W011", f"undecided where event.country {ABSENT}"),
    ("event.country != 'ESP'", 14, "W011", f"undecided where event.country {ABSENT}"),
    ("event.liveness.score < 60", 21, "W011", f"undecided where event.liveness.score {ABSENT}"),
    ("60 > event.liveness.score", 3, "W011", f"undecided where event.liveness.score {ABSENT}"),
    ("top_face <= 60", 9, "W011", f"undecided where top_face {ABSENT}"),
    ("event.stale || event.liveness.score + 1 < 60", 40, "W011", f"undecided where event.liveness.score {ABSENT}"),
    ("event.matches.exists(m, m.similarity < 60)", 37, "W011", f"undecided where m.similarity {ABSENT}"),
    (
        "size(event.matches.filter(m, m.is_blocklisted != true)) >= 1",
        46,
        "W011",
        f"undecided where m.is_blocklisted {ABSENT}",
    ),
    ("!event.ip.is_vpn", 10, "W011", f"undecided where event.ip.is_vpn {ABSENT}"),
    (
        "has(event.ip) ? event.ip.country != 'ES' : event.stale",
        33,
        "W011",
        f"undecided where event.ip.country {ABSENT}",
    ),
    ("!raw.flags.exists(f, f == 1)", 11, "W011", f"undecided where raw.flags {ABSENT}"),
    ("event.status == 'approved'", 16, "W014", "unknown status 'approved'; did you mean 'Approved'?"),
    ("event.severity_max == 'eror'", 22, "W014", "unknown severity 'eror'; did you mean 'error'?"),
    (
        "event.liveness.status == 'Not finished'",
        25,
        "W014",
        "unknown status of a check 'Not finished'; did you mean 'Not Finished'?",
    ),
    (
        "'LIVENESS_FACE_ATTAK' in event.tags",
        0,
        "W001",
        "unknown tag 'LIVENESS_FACE_ATTAK'; did you mean 'LIVENESS_FACE_ATTACK'?",
    ),
    (
        "event.tags.exists(t, t in ['DUPLICATED_FAC'])",
        27,
        "W001",
        "unknown tag 'DUPLICATED_FAC'; did you mean 'DUPLICATED_FACE'?",
    ),
    ("event.stale && !event.stale", 15, "W003", "rule 'a' can never fire: no event.stale fits true and false"),
    (
        "event.country == 'ESP' && event.country in ['FRA', 'DEU']",
        40,
        "W003",
        'rule \'a\' can never fire: no event.country fits == "ESP" and in ["FRA", "DEU"]',
    ),
    (
        "event.liveness.score > 60 && event.liveness.score == 60",
        50,
        "W003",
        "rule 'a' can never fire: no event.liveness.score fits > 60 and == 60",
    ),
    ("1 > 2", 0, "W003", "rule 'a' can never fire: this condition is false for every event"),
    ("2 > 1", 0, "W016", "this condition is true for every event: it says nothing, leave it out"),
    ("event.country == 'ES'", 17, "W018", "event.country is a code of three letters: write 'ESP' for 'ES'"),
    ("event.country in ['USA', 'FR']", 25, "W018", "event.country is a code of three letters: write 'FRA' for 'FR'"),
    ("'GBR' == event.ip.country", 0, "W018", "event.ip.country is a code of two letters: write 'GB' for 'GBR'"),
    ("event.liveness.score > 0.6", 23, "W019", "event.liveness.score goes from 0 to 100: 0.6 may mean 60"),
    ("event.face_match.score > 600", 25, "W019", "event.face_match.score goes from 0 to 100: it is never near 600"),
    (
        "event.matches.exists(m, m.similarity >= 0.955)",
        40,
        "W019",
        "event.matches[].similarity goes from 0 to 100: 0.955 may mean 95.5",
    ),
    (
        "event.document.expiration_date > '1/2/2026'",
        33,
        "W020",
        "event.document.expiration_date is text such as '2026-11-30', and '1/2/2026' is not: write '2026-02-01'",
    ),
]


@pytest.mark.parametrize(("condition", "column", "code", "message"), WARNINGS)
def test_what_is_odd_is_a_warning_at_its_place(condition: str, column: int, code: str, message: str) -> None:
    assert _found(condition) == [(column, code, message)]


@pytest.mark.parametrize(
    "condition",
    [
        "event.liveness.score > 60",
        "event.status == 'Approved'",
        "event.country in lists.trusted",
        "event.liveness.score >= 60 && event.face_match.score >= 60",
        "event.liveness.score >= 60 || event.liveness.score <= 20 || !has(event.liveness.score)",
        "event.country != null && event.country != 'ESP'",
        "has(event.liveness.score) && event.liveness.score < 60",
        "!has(event.country) || !(event.country in lists.trusted)",
        "event.country == null || event.country != 'ESP'",
        "has(event.ip.country) ? event.ip.country != 'ES' : event.stale",
        "(event.liveness.score ?? 100) < 60",
        "!(raw.metadata.test ?? false)",
        "event.country != null",
        "event.country == null",
        "!event.stale",
        "!('DUPLICATED_FACE' in event.tags)",
        "!event.tags.exists(t, t == 'DUPLICATED_FACE')",
        "!event.warnings.exists(w, w.tag == 'DUPLICATED_FACE')",
        "event.tags.all(t, t != 'DUPLICATED_FACE')",
        "size(event.matches) < 3",
        "'OUR_OWN_TAG' in event.tags",
        "event.status == 'ACTIVE'",
        "event.type != 'data.updated'",
        "raw.count == 3 && raw.flag == true",
        "raw.verdict in ['a', 1]",
        "event.vendor_data == 'approved'",
        "event.country == 'ESP' || event.country == 'PRT'",
        "event.country == 'ES' || event.country == 'ESP'",
        "event.country in ['ES', 'ESP']",
        "event.ip.country in ['ES', 'PT']",
        "event.country == 'XX'",
        "event.vendor_data == 'ES'",
        "raw.country == 'ES'",
        "event.liveness.score > 0",
        "event.liveness.score >= 1",
        "event.liveness.score >= 100",
        "event.liveness.score >= 0.0",
        "event.aml.score > 0.9",
        "event.liveness.age > 600",
        "raw.score > 0.6",
        "event.document.expiration_date > '2026'",
        "event.document.expiration_date > '2026-11-01'",
        "event.document.expiration_date == ''",
        "event.status == 'A' || event.status == 'B'",
        "event.matches.exists(m, m.status == 'A') || event.matches.exists(m, m.status == 'B')",
    ],
)
def test_what_is_meant_is_not_warned_about(condition: str) -> None:
    assert _found(condition) == []


def test_one_or_the_other_is_always_so() -> None:
    skips = "    on_missing: skip\n"
    said = "true whatever event.status is: write `&&`, or !(event.status in [...])"
    assert _found("event.status != 'A' || event.stale || !(event.status == 'B')", skips) == [(20, "W016", said)]
    assert _found("(event.status != 'A' || event.stale) && (event.status != 'B' || event.echo)", skips) == []


def test_an_on_missing_of_whatever_kind_says_what_is_meant() -> None:
    for kind in ("skip", "fire", "review"):
        assert _found("event.country != 'ESP'", f"    on_missing: {kind}\n") == []


def test_contradictions_may_fire_where_undecided_ones_do() -> None:
    condition = "event.country == 'ESP' && event.country == 'PRT'"
    assert [code for _, code, _ in _found(condition)] == ["W003"]
    assert _found(condition, "    on_missing: fire\n") == []
    assert [code for _, code, _ in _found("event.stale && !event.stale", "    on_missing: fire\n")] == ["W003"]


@pytest.mark.parametrize(
    ("on", "condition", "message"),
    [
        ("action.twins", "result.total_match > 1", "unknown field 'total_match'; did you mean 'total_matches'?"),
        (
            "action.twins",
            "result.matches.exists(m, m.similarty > 1)",
            "unknown field 'similarty'; did you mean 'similarity'?",
        ),
        ("action.twins", "action.rul == 'a'", "unknown field 'rul'; did you mean 'rule'?"),
        ("[action.twins, status.updated]", "result.total_matches > 1", None),
        ("action.note", "result.anything > 1 && action.params.anything == 2", None),
    ],
)
def test_results_and_actions_are_checked_as_far_as_they_are_known(on: str, condition: str, message: str | None) -> None:
    errors = [said for _, code, said in _found(condition, f"    on: {on}\n") if code == "P020"]
    assert errors == ([message] if message else [])


def test_a_face_search_gives_what_its_shape_says() -> None:
    found = {"status": "Approved", "total_matches": 1, "matches": [{}], "warnings": [{}]}
    given_back = face_search_result({}, found, FaceSearchParams(), event_of().document)  # type: ignore[arg-type]  # JSON
    assert given_back.keys() == FaceSearchResult.__annotations__.keys()


def test_a_rule_with_an_error_is_not_found_odd_for_what_was_put_aside() -> None:
    text = """
    rules:
      - {id: a, tags: [A], whne: [event.stale], then: [didit.update_status: {status: Declined}], stop: true}
      - {id: b, tags: [A], then: [note: {}], examples: [{fires: true}]}
      - {id: c, wen: [event.stale], then: [didit.update_status: {status: Approved}]}
    """
    assert {each.code for each in problems_of(text.replace("\n    ", "\n").lstrip())} == {"P002", "W013"}


PARTS = [condition for condition, *_ in (*ERRORS, *WARNINGS)]
CONDITIONS = st.recursive(
    st.sampled_from(PARTS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||", "==", "<", "in", "??"]), inner).map(
            lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"
        ),
        inner.map(lambda part: f"!({part})"),
        inner.map(lambda part: f"event.matches.exists(m, {part})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]}) ? ({parts[1]}) : ({parts[2]})"),
        st.tuples(inner, st.integers(0, 60)).map(lambda parts: parts[0][: parts[1]] + parts[0][parts[1] + 1 :]),
    ),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(CONDITIONS, min_size=1, max_size=3), st.sampled_from(["status.updated", "action.twins"]))
def test_no_condition_makes_the_checks_fail(conditions: list[str], on: str) -> None:
    rule = {
        "id": "a",
        "on": on,
        "tags": ["POSSIBLE_X"],
        "when": conditions,
        "then": [{"didit.blocklist_add": {"face": True}}],
    }
    text = json.dumps({"lists": {"trusted": ["ESP"]}, "let": {"top_face": "raw.x"}, "rules": [rule]})
    for problem in problems_of(text):
        assert problem.code in CODES
        assert 1 <= problem.column <= len(text) + 1


def test_two_paths_that_look_alike_do_not_contradict_each_other() -> None:
    """`raw["a.b"]` is one key with a point in its name."""
    text = "rules: [{id: r, when: ['raw[\"a.b\"] == 1', raw.a.b == 2], on_missing: skip, then: [note: {}]}]"
    assert "W003" not in [problem.code for problem in problems_of(text)]


def test_a_condition_that_stands_in_several_rules_is_reported_in_each() -> None:
    same = "event.liveness.score < floor && event.status == 'Aproved' && event.country != 'ES'"
    rule = "  - {id: %s, on_missing: skip, on: [%s], then: [note: {}], examples: [{fires: true}], when: [\n%s"
    rules = [
        rule % ("a", "status.updated", f'"{same}"]}}'),
        rule % ("b", "data.updated", f'"{same}"]}}'),
        rule % ("c", "user.status.updated", f'"{same}"]}}'),  # statuses of users are other words
        rule % ("d", "status.updated", f'"event.liveness.score > 60",\n"{same}"]}}'),
    ]
    problems = problems_of("let: {floor: '0.5'}\nrules:\n" + "\n".join(rules))
    everywhere, status, never = {"W018", "W019"}, {"W014"}, {"W003"}
    expected = {4: everywhere | status, 6: everywhere | status, 8: everywhere, 11: everywhere | status | never}
    assert len(problems) == sum(map(len, expected.values()))
    assert {(each.line, each.code) for each in problems} == {
        (line, code) for line in expected for code in expected[line]
    }
