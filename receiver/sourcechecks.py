"""What is wrong with the sources of a configuration beyond kinds and forms: secrets that protect nothing, keys that are
none, deliveries that nobody signs, expressions that cannot be run.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from receiver.contract import ActionSpec
from receiver.errors import Problem
from receiver.holding import no_reader
from receiver.mapping import mapping_faults
from receiver.policy.findings import Findings
from receiver.settings import SourceSettings
from receiver.signatures.jwt_es256 import read_jwk
from receiver.signatures.presets import NOT_OFFERED, PRESETS
from receiver.signatures.secrets import weak_secret
from receiver.signatures.settings import (
    SCHEME_NAMES,
    JwtVerify,
    NoneVerify,
    StandardVerify,
    StaticVerify,
    UnknownVerify,
)
from receiver.signatures.standard_webhooks import key_problem
from receiver.suggestion import suggestion
from receiver.vendors.generic import FIELDS
from receiver.vendors.table import VENDORS
from receiver.yamltext import Document, Path

_UNSIGNED = "deliveries of this source are not signed: whoever learns {what} can send what they like"


def source_problems(document: Document, where: Path, source: SourceSettings) -> Iterator[Problem]:
    """All of one source, which stands at `where`."""
    if source.vendor not in VENDORS:
        message = f"unknown vendor{quoted(source.vendor, document)}{suggestion(source.vendor, VENDORS)}"
        yield document.problem((*where, "vendor"), "C006", message)
    verify, place = source.verify, (*where, "verify")
    if isinstance(verify, UnknownVerify):
        yield from _unknown(document, place, verify)
    elif isinstance(verify, StaticVerify | NoneVerify):
        yield from _unsigned(document, place, verify)
    elif isinstance(verify, JwtVerify):
        yield from _jwks(document, place, verify)
    if not isinstance(verify, NoneVerify | JwtVerify):
        yield from _secrets(document, place, verify.secrets, standard=isinstance(verify, StandardVerify))
    yield from _mapping(document, (*where, "map"), source)


def confirm_problems(
    document: Document, where: Path, source: SourceSettings, vendors: Container[str], actions: Mapping[str, ActionSpec]
) -> Iterator[Problem]:
    """What is wrong with the actions that are to confirm the deliveries of a source. `vendors` are those configured."""
    if not isinstance(source.verify, StaticVerify | NoneVerify):
        return
    for index, name in enumerate(source.verify.confirm):
        place = (*where, "verify", "confirm", index)
        spec = actions.get(name)
        if spec is None:
            yield document.problem(place, "C006", f"unknown action{quoted(name, document)}{suggestion(name, actions)}")
            continue
        fault = no_reader(spec)
        if fault is not None:
            yield document.problem(place, "C003", f"{name} cannot confirm a delivery: {fault}")
        elif spec.vendor not in vendors:
            said = f"{name} is to confirm deliveries, but `vendors: {spec.vendor}:` is not configured: configure it"
            yield document.problem(place, "C009", said)


def secret_problems(document: Document, where: Path, secret: str) -> Iterator[Problem]:
    """What is wrong with a secret, which is never quoted."""
    weakness = weak_secret(secret)
    if weakness:
        yield document.problem(where, "C005", f"this secret protects nothing: {weakness}")


def quoted(value: str, document: Document) -> str:
    """The value as it stands in the file; what came out of a variable may be a secret, and is not said."""
    return f" {value!r}" if value in document.text else ""


def _unknown(document: Document, where: Path, verify: UnknownVerify) -> Iterator[Problem]:
    if verify.preset is not None and verify.preset not in PRESETS:
        why = NOT_OFFERED.get(verify.preset)
        said = f"; {why}" if why else suggestion(verify.preset, PRESETS)
        yield document.problem((*where, "preset"), "C006", f"unknown preset{quoted(verify.preset, document)}{said}")
    elif verify.scheme is None:
        said = f"the key 'scheme' is missing{suggestion('', SCHEME_NAMES)}; or name a vendor by `preset`"
        yield document.problem(where, "C008", said)
    else:
        said = f"unknown scheme{quoted(verify.scheme, document)}{suggestion(verify.scheme, SCHEME_NAMES)}"
        yield document.problem((*where, "scheme"), "C006", said)


def _secrets(document: Document, where: Path, secrets: tuple[str, ...], *, standard: bool) -> Iterator[Problem]:
    if not secrets:
        yield document.problem(where, "C005", "no secret is given, so nothing could be verified: add `secrets`")
    for index, secret in enumerate(secrets):
        place = (*where, "secrets", index)
        fault = key_problem(secret) if standard else None
        if fault:
            yield document.problem(place, "C005", f"this is no secret of Standard Webhooks: {fault}")
        elif not standard or not secret.startswith("whpk_"):  # a public key is no secret
            yield from secret_problems(document, place, secret)


def _unsigned(document: Document, where: Path, verify: StaticVerify | NoneVerify) -> Iterator[Problem]:
    said = _UNSIGNED.format(what="the header" if isinstance(verify, StaticVerify) else "its URL")
    if not verify.accept_unsigned:
        message = f"{said}; write `accept_unsigned: true` if that is meant"
    elif verify.trust:
        message = f"{said}, and `trust: true` lets their events act by themselves"
    else:
        but = " unless what is read confirms the delivery" if verify.confirm else ""
        message = f"{said}; their billable and destructive actions wait for approval{but}"
    place = (*where, "preset" if verify.preset else "scheme")
    yield document.problem(place, "C011", message, warning=verify.accept_unsigned)


def _jwks(document: Document, where: Path, verify: JwtVerify) -> Iterator[Problem]:
    for index, key in enumerate(verify.keys):
        try:
            read_jwk(key.model_dump())
        except ValueError as fault:
            yield document.problem((*where, "keys", index), "C005", f"this is no key: {fault}")


def _mapping(document: Document, where: Path, source: SourceSettings) -> Iterator[Problem]:
    if source.vendor != "generic":
        if source.map:
            said = f"only `vendor: generic` takes a `map`; that of {source.vendor} knows where its fields stand"
            yield document.problem(where, "C012", said, key=True)
        return
    if not source.map:
        said = "the key 'map' is missing: say where the fields stand, such as `map: {type: raw.event}`"
        yield document.problem(where[:-1], "C008", said)
    for name in source.map:
        if name not in FIELDS:
            yield document.problem((*where, name), "C002", f"unknown key {name!r}{suggestion(name, FIELDS)}", key=True)
    found = Findings(document)
    for name, fault in mapping_faults(source.map):
        found.error_after((*where, name), source.map[name][: fault.offset], "C012", fault.message)
    yield from found.problems
