"""`hookwarden schema`: JSON Schema of what people write, for their editors."""

from __future__ import annotations

from typing import Any

import click

from handlers.specs import SPECS
from receiver.cli.output import print_json
from receiver.cli.verifyschema import VERIFY_TEXTS, shape_verify
from receiver.contract import JsonObject

_VARIABLE = {
    "type": "string",
    "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}",
    "description": "Read from the environment.",
}
_DURATION = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d|y)$", "examples": ["30s", "5m", "24h"]}
_SIZE = {"type": "string", "pattern": r"^[0-9]+\s*(B|KiB|MiB|GiB|kB|MB|GB)?$", "examples": ["512KiB", "1MiB"]}
_CONSTRAINTS = frozenset({"enum", "const", "pattern", "minLength"})

_TEXTS = {
    "Settings.data_dir": "Where the record and its keys lie, relative to this file.",
    "Settings.store": "The store: sqlite.",
    "Settings.server": "Where the receiver listens, and what it lets in.",
    "Settings.api": "The HTTP API. Without tokens it is off.",
    "Settings.sources": "By name: each is one POST /webhooks/<name>.",
    "Settings.vendors": "The vendors whose APIs actions may call.",
    "Settings.images": "The links to images that payloads hold.",
    "Settings.hooks": "By name: systems of yours that `http.post` sends signed messages to.",
    "Settings.notify": "By name: channels of `notify`, each a URL as Apprise reads it; it holds credentials.",
    "HookSettings.url": "Where messages are posted.",
    "HookSettings.secret": "Signs them: `whsec_` and the base64 of 24 to 64 bytes.",
    "HookSettings.timeout": "For a whole call: seconds, or text such as 10s.",
    "Settings.actions": "How actions are carried out.",
    "Settings.audit": "The record: its name, who gets its checkpoints, how long it is kept.",
    "Settings.policy": "The policy itself, a file name, or a list of file names, relative to this file.",
    "ServerSettings.host": "The address to listen on; 0.0.0.0 in a container.",
    "ServerSettings.port": "The port; 0 lets the system choose.",
    "ServerSettings.max_body": "The largest body that is read: bytes, or text such as 1MiB.",
    "ServerSettings.body_timeout": "A body must arrive within this: seconds, or text such as 10s.",
    "ApiSettings.tokens": "The bearer tokens.",
    "TokenSettings.name": "Who uses it, as the record will show.",
    "TokenSettings.role": "reader, pii_reader (also payloads), analyst (also cases and approvals), operator (all).",
    "TokenSettings.token": "The token, 16 characters or more; better from the environment: ${NAME}.",
    "SourceSettings.vendor": "Whose payloads arrive here.",
    "SourceSettings.verify": "How deliveries prove where they come from.",
    "SourceSettings.map": "Of a generic sender: which expression over `raw` gives which field of the event.",
    **VERIFY_TEXTS,
    "VendorSettings.base_url": "Where the API is.",
    "VendorSettings.api_key": "The key; better from the environment: ${NAME}.",
    "VendorSettings.concurrency": "At most so many calls at a time.",
    "VendorSettings.budget": "How many calls an hour; more wait for a person.",
    "BudgetSettings.billable": "Calls that the vendor charges for.",
    "BudgetSettings.destructive": "Calls that change something at the vendor.",
    "VendorSettings.timeout": "For a whole call: seconds, or text such as 30s.",
    "ImagesSettings.allow_hosts": "`host` or `host:port` that image links may name though the guard refuses them.",
    "ActionsSettings.mode": "live, or dry_run: decide and record, call nobody.",
    "ActionsSettings.concurrency": "At most so many calls at a time.",
    "ActionsSettings.retry": "When calls that failed are tried again: full-jitter backoff.",
    "AuditSettings.origin": "What the record is called in its checkpoints, for good; drawn at random without.",
    "AuditSettings.checkpoints": "How often the record is signed, and where its checkpoints go.",
    "AuditSettings.retention": "How long what is kept; 0 keeps it.",
    "AuditSettings.queries": "Searches with names: `hookwarden audit search @name`.",
    "AuditSettings.master_key": "Wraps the keys in keys.db: 64 hex digits; without it `master.key` does.",
    "CheckpointSettings.every": "At most one checkpoint in this time: seconds, or text such as 1s.",
    "CheckpointSettings.stdout": "Print each checkpoint as a line of JSON.",
    "CheckpointSettings.syslog": "Send each checkpoint to a syslog receiver.",
    "CheckpointSettings.webhook": "Post each checkpoint to a URL, signed.",
    "SyslogSettings.address": "host:port (UDP), or the path of a socket such as /dev/log.",
    "WebhookSinkSettings.url": "Where checkpoints are posted.",
    "WebhookSinkSettings.secret": "What they are signed with; better from the environment: ${NAME}.",
    "RetentionSettings.blob.biometric": "Images and biometric values: text such as 90d.",
    "RetentionSettings.blob.pii": "All other personal contents: text such as 5y.",
    "RetentionSettings.entry": "The entries themselves, by whole tiles of 256: text such as 7y.",
    "RetrySettings.base": "The first delay is at most this: seconds, or text such as 1s.",
    "RetrySettings.cap": "No delay is longer: seconds, or text such as 5m.",
    "RetrySettings.attempts": "After so many attempts an action is dead.",
    "RetrySettings.max_age": "After this time an action is dead: seconds, or text such as 24h.",
}


@click.command()
@click.argument("what", type=click.Choice(["config", "policy", "test"]), default="config")
def schema(what: str) -> None:
    """Print the JSON Schema of config.yaml, of a policy file, or of a test document.

    Editors with the YAML language server complete and check by it. Write it anew after an upgrade.
    """
    from receiver.policy.schema import policy_schema, suite_schema

    if what == "config":
        print_json(configuration_schema())
    else:
        print_json((policy_schema if what == "policy" else suite_schema)(SPECS, tag_texts()))


def configuration_schema() -> JsonObject:
    """The schema of config.yaml, with the inline policy."""
    from receiver.policy.schema import DIALECT, definitions_of, describe, policy_definitions
    from receiver.settings import Settings
    from receiver.vendors.generic import FIELDS
    from receiver.vendors.table import VENDORS

    settings = definitions_of(Settings)
    policy = settings["Settings"]["properties"].pop("policy")
    settings["Settings"]["properties"]["store"]["enum"] = ["sqlite"]
    settings["SourceSettings"]["properties"]["vendor"]["enum"] = sorted(VENDORS)
    settings["SourceSettings"]["properties"]["map"]["propertyNames"] = {"enum": sorted(FIELDS)}
    shape_verify(settings)
    settings["Settings"]["properties"]["sources"]["additionalProperties"] = False
    settings = {name: _with_texts(definition) for name, definition in settings.items()}
    files = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    policy["anyOf"] = [{"$ref": "#/$defs/PolicyDocument"}, {"type": "string"}, files]
    settings["Settings"]["properties"]["policy"] = policy
    describe(settings, _TEXTS)
    definitions = {**policy_definitions(SPECS, tag_texts()), **settings}
    return {"$schema": DIALECT, "title": "Hookwarden's config.yaml", "$ref": "#/$defs/Settings", "$defs": definitions}


def tag_texts() -> dict[str, str]:
    """The known tags, with what is documented of each."""
    from receiver.vendors.tags import KNOWN_TAGS

    texts = {}
    for tag, info in KNOWN_TAGS.items():
        severity = f", {info.severity} by default" if info.severity else ""
        declines = ", declines the session by default" if info.auto_decline else ""
        texts[tag] = f"Raised by {', '.join(info.features)}{severity}{declines}."
    return texts


def _with_texts(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition with the texts that stand for values: durations, sizes, variables of the environment."""
    return {**definition, "properties": {key: _as_text(value) for key, value in definition["properties"].items()}}


def _as_text(value: dict[str, Any]) -> dict[str, Any]:
    said = value.get("description", "")
    for start, text in (("seconds, or text", _DURATION), ("bytes, or text", _SIZE)):
        if said.startswith(start):
            return _either(value, text)
    if value.get("type") == "string" and not _CONSTRAINTS.isdisjoint(value):
        return _either(value, {})
    return value


def _either(value: dict[str, Any], text: dict[str, Any]) -> dict[str, Any]:
    """The value as it is, or as text, or from the environment."""
    inner = {key: each for key, each in value.items() if key not in ("description", "default")}
    whole: dict[str, Any] = {"anyOf": [inner, *([text] if text else []), _VARIABLE]}
    return {"default": value["default"], **whole} if "default" in value else whole
