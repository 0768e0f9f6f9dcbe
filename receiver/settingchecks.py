"""What is wrong with settings beyond kinds and forms: what does not exist, secrets that protect nothing, searches that
cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from receiver.audit.search import SearchError, parse
from receiver.contract import ActionSpec
from receiver.errors import Problem
from receiver.settings import Settings
from receiver.signatures.standard_webhooks import key_problem
from receiver.sourcechecks import confirm_problems, quoted, secret_problems, source_problems
from receiver.suggestion import suggestion
from receiver.vendors.table import API_VENDORS, BASE_PATHS
from receiver.yamltext import Document, Path

_MASTER_KEY = re.compile(r"[0-9a-fA-F]{64}")


def meaning_problems(
    document: Document, settings: Settings, actions: Mapping[str, ActionSpec] | None = None
) -> Iterator[Problem]:
    """All of them. Without `actions` nothing is said of those that the settings name."""
    yield from _store(document, settings)
    for name, source in settings.sources.items():
        yield from source_problems(document, ("sources", name), source)
        if actions is not None:
            yield from confirm_problems(document, ("sources", name), source, settings.vendors, actions)
    yield from _tokens(document, settings)
    yield from _vendors(document, settings)
    yield from _receivers(document, settings)
    yield from _audit(document, settings)


def _store(document: Document, settings: Settings) -> Iterator[Problem]:
    kind = settings.store.partition(":")[0]  # what follows may hold a password
    if kind == "postgresql":
        yield document.problem(("store",), "C006", "PostgreSQL is not available in this version; write `store: sqlite`")
    elif settings.store != "sqlite":
        yield document.problem(("store",), "C006", f"unknown store{quoted(kind, document)}; write `store: sqlite`")


def _tokens(document: Document, settings: Settings) -> Iterator[Problem]:
    names = [token.name for token in settings.api.tokens]
    secrets = [token.token for token in settings.api.tokens]
    for index, token in enumerate(settings.api.tokens):
        if names.index(token.name) < index or secrets.index(token.token) < index:
            yield document.problem(("api", "tokens", index), "C003", "another token has the same name or the same text")
        yield from secret_problems(document, ("api", "tokens", index, "token"), token.token)


def _vendors(document: Document, settings: Settings) -> Iterator[Problem]:
    for name, vendor in settings.vendors.items():
        if name not in API_VENDORS:
            yield document.problem(("vendors", name), "C006", f"unknown vendor {name!r}{suggestion(name, API_VENDORS)}")
        if name not in BASE_PATHS and urlsplit(vendor.base_url).path.strip("/"):
            said = "`base_url` must be http(s)://host or http(s)://host:port, without a path"
            yield document.problem(("vendors", name, "base_url"), "C003", said)
        key = vendor.api_key
        if not key.strip() or not all("!" <= character <= "~" for character in key):
            where = ("vendors", name, "api_key")
            yield document.problem(where, "C005", "the API key is blank, or holds what no HTTP header may hold")


def _receivers(document: Document, settings: Settings) -> Iterator[Problem]:
    """Secrets that our own messages are signed with."""
    for name, hook in settings.hooks.items():
        yield from _signing_secret(document, ("hooks", name, "secret"), hook.secret)
    sink = settings.audit.checkpoints.webhook
    if sink is not None:
        yield from _signing_secret(document, ("audit", "checkpoints", "webhook", "secret"), sink.secret)


def _signing_secret(document: Document, where: Path, secret: str) -> Iterator[Problem]:
    if secret.startswith("${"):  # read leniently: its variable is not set here
        return
    fault = key_problem(secret) or (None if secret.startswith("whsec_") else "it must begin with whsec_")
    if fault is not None:
        said = f"this is no secret of Standard Webhooks: {fault}; `echo whsec_$(openssl rand -base64 32)` makes one"
        yield document.problem(where, "C005", said)


def _audit(document: Document, settings: Settings) -> Iterator[Problem]:
    key = settings.audit.master_key
    if key is not None and not _MASTER_KEY.fullmatch(key):
        said = "the master key is 64 hex digits; `openssl rand -hex 32` makes one"
        yield document.problem(("audit", "master_key"), "C005", said)
    for name, query in settings.audit.queries.items():
        try:
            parse(query)
        except SearchError as fault:
            yield document.problem(("audit", "queries", name), "C003", f"this search cannot be read: {fault}")
