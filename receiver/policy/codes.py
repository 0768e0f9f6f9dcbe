"""Every code that a finding in a policy can carry, with its meaning. A code, once given, is never given another one.

P: an error, the policy is refused. W: a warning, the policy is used. The YAML reader below has codes of its own (Y).
"""

from __future__ import annotations

from collections.abc import Mapping

NOT_A_MAPPING = "P001"
UNKNOWN_KEY = "P002"
MISSING_KEY = "P003"
WRONG_VALUE = "P004"
NOT_AVAILABLE = "P005"
DUPLICATE_ID = "P010"
NAME_TAKEN = "P011"
BAD_EXPRESSION = "P020"
LET_CYCLE = "P021"
BAD_TEMPLATE = "P022"
NOT_ONE_ACTION = "P030"
UNKNOWN_ACTION = "P031"
UNKNOWN_PARAMETER = "P032"
MISSING_PARAMETER = "P033"
WRONG_PARAMETER = "P034"
TEMPLATE_IN_THE_CLEAR = "P035"
RESEMBLING_TAG = "W001"
LEGACY_BOOLEAN = "W002"
NEVER_FIRES = "W003"
NEVER_REACHED = "W004"
STATUS_ORDER_UNSAID = "W005"
ENFORCE_WITHOUT_EFFECT = "W006"
SPLIT_BY_COMMA = "W007"
UNKNOWN_EVENT = "W008"
NO_ACTION = "W009"
EVERY_EVENT = "W010"
ON_MISSING_UNSAID = "W011"
WEAK_EVIDENCE = "W012"
NO_EXAMPLES = "W013"
RESEMBLING_WORD = "W014"
STATUS_UNRANKED = "W015"
ALWAYS_TRUE = "W016"
ABSENT_AT_EVENT = "W017"
COUNTRY_FORM = "W018"
SCORE_RANGE = "W019"
DATE_FORM = "W020"
NEVER_CALLED = "W021"
SENT_AS_IT_IS = "W022"
TWO_STATUSES = "W023"

CODES: Mapping[str, str] = {
    NOT_A_MAPPING: "the policy is not a mapping of keys",
    UNKNOWN_KEY: "a key that no policy has",
    MISSING_KEY: "a key that must be there is not",
    WRONG_VALUE: "a value of the wrong kind or form",
    NOT_AVAILABLE: "a key that is kept for later",
    DUPLICATE_ID: "two rules have the same id, in one file or in several",
    NAME_TAKEN: "a `let` or list has a name that expressions cannot use, or already use",
    BAD_EXPRESSION: "an expression that cannot be read, or that names what does not exist",
    LET_CYCLE: "`let` names that need each other in a circle",
    BAD_TEMPLATE: "a `{{` without its `}}`, or with nothing between them",
    NOT_ONE_ACTION: "an item of `then` that does not name exactly one action",
    UNKNOWN_ACTION: "an action that does not exist",
    UNKNOWN_PARAMETER: "a parameter that the action does not have",
    MISSING_PARAMETER: "a parameter that the action needs",
    WRONG_PARAMETER: "a parameter of the wrong kind or form",
    TEMPLATE_IN_THE_CLEAR: "a template in a parameter that stands in the record in the clear",
    RESEMBLING_TAG: "a tag that is not known but resembles a known one, or that an action's result never holds",
    LEGACY_BOOLEAN: "text such as NO without quotes: other YAML readers take it for true or false",
    NEVER_FIRES: "a rule whose tags or conditions contradict each other, or with a condition that is always false",
    NEVER_REACHED: "a rule that an earlier rule with `stop` always precedes",
    STATUS_ORDER_UNSAID: "rules set different statuses, and `status_order` does not say which one is more severe",
    ENFORCE_WITHOUT_EFFECT: "`mode: enforce` in a rule of a policy that is in shadow",
    SPLIT_BY_COMMA: "a comma inside an expression splits it, since it stands in [...] without quotes",
    UNKNOWN_EVENT: "an event type that no vendor is known to send, so the rule may never be looked at",
    NO_ACTION: "a rule that fires and does nothing",
    EVERY_EVENT: "a rule without tags and conditions that sets the status: it does so for every event",
    ON_MISSING_UNSAID: "a condition with `!`, `!=` or `<` on what may be absent, in a rule without `on_missing`",
    WEAK_EVIDENCE: (
        "every tag of the rule is a hint (POSSIBLE_..., or of severity information), and an action is destructive and "
        "needs no approval, or is billable and neither a condition nor a `limit` holds it back"
    ),
    NO_EXAMPLES: "rules without `examples`, said once per file",
    RESEMBLING_WORD: "a status or other word that resembles a known one, or that an action's result never holds",
    STATUS_UNRANKED: "a rule sets a status that `status_order` leaves out",
    ALWAYS_TRUE: "a condition that is true for every event, or whatever it looks at is",
    ABSENT_AT_EVENT: "`result` or `action` in a rule that also listens to events that have neither",
    COUNTRY_FORM: "a country code of two letters where Didit sends three, or of three where it sends two",
    SCORE_RANGE: "a score that is out of range where it stands, or written 0-1 where it goes to 100, or the reverse",
    DATE_FORM: "a date, which is text such as 2026-11-30, is compared with text of another form",
    NEVER_CALLED: "a rule on the results of an action that no rule calls",
    SENT_AS_IT_IS: "`{ }` or `${ }` in a parameter: it looks like a template, but is sent as it is",
    TWO_STATUSES: "a rule sets two statuses, of which only one can win",
}
