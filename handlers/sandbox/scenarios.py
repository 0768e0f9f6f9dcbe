"""The tour: what the demo sends to the receiver, and what should come of each.

A scenario is data; `event_of` makes its body for a moment. All of them are about sessions that the sandbox holds
(`cast.py`), so that the calls a policy makes afterwards find what they ask for. An event that was made once is a
redelivery ever after: the same body with a fresh timestamp, as Didit resends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from handlers.sandbox.cast import ATTACK, PARTS, Part, features_of, pictures_of
from handlers.sandbox.decisions import review
from handlers.sandbox.media import Links
from handlers.sandbox.state import DiditState, Session
from handlers.sandbox.webhooks import Version, console_test_event, session_event
from receiver.contract import JsonObject

LATE: Final = 200  # seconds: older than anything the tour sent before, younger than the freshness limit of 300


@dataclass(frozen=True, slots=True)
class Scenario:
    """One delivery. `session` names a part of the cast (None: the console's test); `shows` is that part as this event
    tells of it, where it differs from what the sandbox holds; `age` is how many seconds old it claims to be; `event`
    names the event, where it is another scenario's.
    """

    name: str
    title: str
    session: str | None
    status: str | None = None
    webhook_type: str = "status.updated"
    version: Version = "v3"
    shows: Part | None = None
    comment: str | None = None
    age: int = 0
    event: str | None = None
    signed: Literal["good", "forged"] = "good"
    expected_status: int = 200
    expected_outcome: Literal["accepted", "duplicate"] | None = "accepted"


_CORRECTED: Final = replace(PARTS["clean"], person=replace(PARTS["clean"].person, last_name="Lindqvist-Ohlin"))
_EXPOSED: Final = replace(PARTS["clean"], liveness_score=2.7, liveness=ATTACK)

TOUR: Final = (
    Scenario("clean", "A customer passes every check.", "clean"),
    Scenario("attack", "Somebody holds a photo before the camera.", "attack"),
    Scenario(
        "redelivery",
        "Didit sends the same event again, signed afresh.",
        "attack",
        event="attack",
        expected_outcome="duplicate",
    ),
    Scenario("duplicate", "A face that three approved customers have as well.", "duplicate"),
    Scenario("possible-duplicate", "A face that resembles one approved before, a little.", "possible-duplicate"),
    Scenario("blocklisted", "A face from the blocklist comes back under another name.", "blocklisted"),
    Scenario("possible-blocklisted", "A face that may be one from the blocklist.", "possible-blocklisted"),
    Scenario("low-liveness", "The liveness score is too low to be sure.", "low-liveness"),
    Scenario("low-face-match", "Selfie and document portrait hardly resemble each other.", "low-face-match"),
    Scenario(
        "declined-by-hand",
        "A reviewer compares the two, and declines.",
        "low-face-match",
        status="Declined",
        comment="not the holder of the document",
    ),
    Scenario("no-portrait", "The document shows no portrait to compare with.", "no-portrait"),
    Scenario("too-dark", "The selfie is too dark; nothing else is wrong.", "too-dark"),
    Scenario("expired", "The document has expired; nothing else is wrong.", "expired"),
    Scenario("forged-document", "The portrait on the document was replaced.", "forged-document"),
    Scenario("screen-copy", "A document that was photographed from a screen.", "screen-copy"),
    Scenario("wrong-number", "The document number does not look like one of that country.", "wrong-number"),
    Scenario("blocked-document", "A blocked document, shown by somebody else.", "blocked-document"),
    Scenario("blocked-phone", "Somebody gives a phone number that was blocked.", "blocked-phone"),
    Scenario("underage", "A boy of sixteen, whom the workflow only sends to review.", "underage", status="In Review"),
    Scenario("returning", "A customer of old verifies once more, with the same document.", "returning"),
    Scenario("second-account", "A customer's document, under another customer number.", "second-account"),
    Scenario("resembling", "Somebody who resembles a customer, and is held up for it.", "resembling"),
    Scenario("attackers-face", "A customer's double; a search finds the attacker of before.", "attackers-face"),
    Scenario("due-diligence", "A flawless customer from a state that calls for more care.", "due-diligence"),
    Scenario("sanctioned", "A name and birth date almost as on a sanctions list.", "sanctioned"),
    Scenario("namesake", "A common name, a little like one on a list.", "namesake"),
    Scenario("hidden", "A hidden connection, an internet number, a throw-away address.", "hidden"),
    Scenario("injected", "The camera's pictures may have been injected.", "injected"),
    Scenario("undeliverable", "An error for which the policy has no rule of its own.", "undeliverable"),
    Scenario(
        "reviewed-attack",
        "An attack that another workflow only sends to review.",
        "reviewed-attack",
        status="In Review",
    ),
    Scenario(
        "overruled",
        "A reviewer approves that attack by hand.",
        "reviewed-attack",
        status="Approved",
        comment="it was a poor camera",
    ),
    Scenario("accents", "A name with accents, which the two signatures write differently.", "accents"),
    Scenario(
        "forged",
        "Somebody without the secret claims that the attacker was approved.",
        "attack",
        status="Approved",
        event="forged",
        signed="forged",
        expected_status=401,
        expected_outcome=None,
    ),
    Scenario(
        "out-of-order",
        "An older 'In Progress' arrives after the decline.",
        "attack",
        status="In Progress",
        age=LATE,
    ),
    Scenario(
        "data-updated",
        "A reviewer corrects a surname after the approval.",
        "clean",
        webhook_type="data.updated",
        shows=_CORRECTED,
        comment="surname corrected",
    ),
    Scenario(
        "late-attack",
        "A report of an attack arrives late, older than the approval that is known.",
        "clean",
        status="Declined",
        shows=_EXPOSED,
        age=LATE,
    ),
    Scenario("console-test", "Somebody presses 'Try Webhook' in the console.", None),
)

MORE: Final = (
    Scenario("v2-shape", "A destination that still asks for version 2.", "older-shapes", version="v2"),
    Scenario("v1-shape", "A destination that still asks for version 1.", "older-shapes", version="v1"),
)

SCENARIOS: Final = {scenario.name: scenario for scenario in (*TOUR, *MORE)}


def event_of(scenario: Scenario, state: DiditState, links: Links, now: int) -> JsonObject:
    """The body of a scenario's delivery at `now` (Unix seconds). The state remembers it for redeliveries."""
    at = now - scenario.age
    if scenario.session is None:
        return console_test_event(state.new_id("session:console-test"), state.new_id("workflow"), at)
    event_id = state.new_id(f"event:{scenario.event or scenario.name}")
    if event_id not in state.sent:
        state.sent[event_id] = session_event(
            _shown(scenario, state, at),
            links,
            event_id=event_id,
            at=at,
            webhook_type=scenario.webhook_type,
            status=scenario.status,
            version=scenario.version,
        )
    return {**state.sent[event_id], "timestamp": at}


def _shown(scenario: Scenario, state: DiditState, at: int) -> Session:
    """The session as the event tells of it."""
    session = state.sessions[state.new_id(f"session:{scenario.session}")]
    if scenario.comment:
        later = at + len(session.reviews)  # times are whole seconds, and a reviewer comes after those before
        session = replace(
            session, reviews=[*session.reviews, review(scenario.status or session.status, scenario.comment, later)]
        )
    if scenario.shows:
        session = replace(session, features=features_of(scenario.shows, pictures_of(scenario.shows, state), [], []))
    return session
