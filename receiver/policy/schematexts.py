"""What each key of a policy and of its tests is for: shown by editors. `Definition.key` -> text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_POLICY: Final = {
    "version": "The version of this format: 1.",
    "name": "What the policy is called in decisions and in the record.",
    "description": "For people.",
    "mode": "enforce, or shadow: decide and record, never act. A rule may say shadow for itself.",
    "lists": "Named lists, which conditions read as `lists.<name>`.",
    "let": "Named expressions, computed once per event when a condition needs them, and shown in explanations.",
    "status_order": "The most severe status first: when several rules set one, the most severe wins.",
    "rules": "Looked at in this order. All that match fire; `stop: true` ends the looking.",
}
_RULE: Final = {
    "id": "A name of its own, over all files of the policy; decisions and the record show it.",
    "description": "What the rule is for, in words its owner understands.",
    "mode": "shadow: the rule is decided and recorded, and does nothing.",
    "on": "The event types that the rule is for. Default: status.updated and data.updated.",
    "tags": "Which warning tags the event must carry: a list (any of them), or any, all, none, severity.",
    "when": "Conditions: expressions that must all be true. Each is true, false or undecided.",
    "on_missing": "When a condition cannot be decided and none is false: skip the rule, fire it, or open a review.",
    "on_stale": "When the event is older than what is known of its session: open a review, act all the same, or skip.",
    "echo": "Look also at the status.updated that our own status update caused.",
    "then": "The actions, in order. Each item names one.",
    "stop": "When this rule fires, later rules are not looked at.",
    "limit": "At most so many firings, such as 50/hour; what is over it waits for a person.",
    "examples": "Tests of this rule: an event in part, and whether the rule fires on it.",
}
_TAGS: Final = {
    "any": "The event carries at least one of these tags.",
    "all": "The event carries all of these tags.",
    "none": "The event carries none of these tags, whatever their severity.",
    "severity": "Only warnings of these severities count for any and all; alone: there is a warning of one of them.",
}
_STEP: Final = {
    "needs_approval": "The action waits for a person's yes.",
    "once": "session: not again with the same parameters for this session; event: for each event anew.",
}
_EXAMPLE: Final = {
    "name": "What the example shows.",
    "event": "The event, in part: only what matters here.",
    "raw": "The vendor's payload as sent, in part.",
    "action": "The action whose result the event is.",
    "result": "The result of that action.",
    "fires": "Whether the rule fires: true, false or undecided.",
}
_SUITE: Final = {
    "policy": "The policy file or files under test, relative to this file. Default: the configured policy.",
    "description": "For people.",
    "fixtures": "Named events, payloads, actions and results, which tests name.",
    "tests": "The tests.",
}
_CASE: Final = {
    "name": "What the test shows.",
    "event": "The event in part, or the name of a fixture.",
    "raw": "The vendor's payload as sent, in part, or the name of a fixture.",
    "action": "The action whose result the event is, or the name of a fixture.",
    "result": "The result of that action, or the name of a fixture.",
    "expect": "What the decision must be.",
}
_EXPECT: Final = {
    "fired": "Rules that must fire; an empty list: none may.",
    "not_fired": "Rules that must not fire; as a mapping, with the condition that must be the false one.",
    "undecided": "Rules that must stay undecided.",
    "shadow": "Rules that must fire, in shadow.",
    "status": "The status that must be set, exactly; null: none.",
    "actions": "The names of the actions that would run, exactly, in order.",
}
_EVENT: Final = {
    "source": "The name of the source in config.yaml.",
    "vendor": "The vendor.",
    "vendor_event_id": "The vendor's own identifier of the event.",
    "type": "The event type, such as status.updated.",
    "session_id": "The session.",
    "session_kind": "The kind of session, such as user or business.",
    "status": "The session's status.",
    "previous_status": "The status before this event.",
    "vendor_data": "The customer's own reference to the person.",
    "workflow_id": "The workflow of the session.",
    "environment": "live or sandbox.",
    "created_at": "When the vendor made the event, in Unix seconds.",
    "country": "The document's issuing state as sent, alpha-3 at Didit.",
    "warnings": "The warnings of every feature. Beside tags, one of the two is enough.",
    "tags": "The tags of the warnings.",
    "severity_max": "The highest severity among the warnings.",
    "liveness": "The worst liveness check.",
    "face_match": "Selfie against document portrait.",
    "matches": "Look-alikes that the vendor found.",
    "document": "The identity document.",
    "ip": "Where the session came from.",
    "aml": "The screening against sanction and watch lists.",
    "phone": "The phone number.",
    "email": "The e-mail address.",
    "images": "Short-lived links to the images.",
    "stale": "Whether the event is older than what is known of its session.",
    "echo": "Whether our own status update caused the event.",
}
_WARNING: Final = {
    "tag": "The warning tag.",
    "feature": "The part of the verification that raised it.",
    "severity": "information, warning or error.",
    "node_id": "The node of the workflow that raised it.",
    "data": "What the vendor adds.",
}
_LIVENESS: Final = {
    "status": "The status of the check.",
    "score": "0 to 100.",
    "method": "The method, lower case.",
    "face_quality": "The quality of the face image.",
    "face_luminance": "The brightness of the face image.",
    "age": "The estimated age in years.",
}
_FACE_MATCH: Final = {"status": "The status of the comparison.", "score": "0 to 100."}
_MATCH: Final = {
    "session_id": "The session of the look-alike.",
    "similarity": "0 to 100.",
    "vendor_data": "The customer's own reference to that person.",
    "status": "The status of that session.",
    "source": "Where the vendor found it.",
    "is_blocklisted": "Whether that face is on the blocklist.",
    "is_allowlisted": "Whether that face is on the allowlist.",
}
_ID: Final = {
    "type": "The kind of document.",
    "number": "Its number.",
    "issuing_state": "The issuing state as sent, alpha-3 at Didit.",
    "expiration_date": "When it expires, as ISO text.",
    "age": "The holder's age in years.",
    "nationality": "The holder's nationality as sent.",
}
_IP: Final = {
    "country": "The country of the address as sent, alpha-2 at Didit.",
    "is_vpn": "Whether the address belongs to a VPN.",
    "is_datacenter": "Whether the address belongs to a data centre.",
}
_AML: Final = {"score": "The score as sent.", "total_hits": "How many hits there are.", "hits": "The hits as sent."}
_IMAGES: Final = {"selfie": "The selfie.", "document": "The document.", "portrait": "The document's portrait."}

TEXTS: Mapping[str, str] = {
    f"{definition}.{key}": text
    for definition, texts in {
        "PolicyDocument": _POLICY,
        "RuleDocument": _RULE,
        "TagsDocument": _TAGS,
        "StepDocument": _STEP,
        "ExampleDocument": _EXAMPLE,
        "SuiteDocument": _SUITE,
        "CaseDocument": _CASE,
        "ExpectDocument": _EXPECT,
        "PartialEventDocument": _EVENT,
        "PartialWarningDocument": _WARNING,
        "PartialLivenessDocument": _LIVENESS,
        "PartialFaceMatchDocument": _FACE_MATCH,
        "PartialMatchDocument": _MATCH,
        "PartialIdDocument": _ID,
        "PartialIpDocument": _IP,
        "PartialAmlDocument": _AML,
        "PartialImagesDocument": _IMAGES,
    }.items()
    for key, text in texts.items()
}
