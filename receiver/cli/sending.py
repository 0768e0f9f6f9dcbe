"""`hookwarden send`: sign a payload as the vendor would, and post it to a running receiver."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from receiver.cli.options import config_option, configuration
from receiver.cli.output import FINDINGS, FINE, UNUSABLE
from receiver.errors import PayloadRejected
from receiver.ids import new_id


@click.command()
@click.argument("source")
@click.option(
    "--payload",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="A JSON file. Of a `didit` source, its `timestamp` is set to now, so that it is fresh.",
)
@click.option("--url", help="Post here instead of to the configured server.")
@click.option("--as-is", is_flag=True, help="Send the file's bytes as they stand, with their own timestamp.")
@config_option
def send(source: str, payload: Path, url: str | None, as_is: bool, config_path: Path) -> None:
    """Sign PAYLOAD as the sender of SOURCE would, with its first secret, and post it. Exit 0 if it was accepted.

    Every scheme can be signed but jwt-es256, whose private key only the vendor has.
    """
    import httpx

    from receiver.signatures.settings import DiditVerify
    from receiver.signatures.table import sign
    from receiver.wiring import now_ms

    configured = configuration(config_path)
    if source not in configured.settings.sources:
        known = ", ".join(configured.settings.sources) or "none is configured"
        raise click.UsageError(f"unknown source {source!r}; known: {known}")
    server = configured.settings.server
    target = url or f"http://{server.host}:{server.port}/webhooks/{source}"
    at = now_ms() // 1000
    verify = configured.settings.sources[source].verify
    in_body = isinstance(verify, DiditVerify)  # elsewhere the time is in a header, if anywhere
    body = _fresh(payload, at) if in_body and not as_is else payload.read_bytes()
    stamp = _timestamp(body) if in_body and as_is else at
    try:
        headers = sign(verify, body, stamp, new_id("msg", 1000 * at))
    except (PayloadRejected, ValueError) as fault:
        raise click.UsageError(f"{payload} cannot be signed: {fault}") from None
    try:
        answer = httpx.post(target, content=body, headers=headers, timeout=10.0)
    except httpx.HTTPError as error:
        click.echo(
            f"hookwarden: {target} did not answer ({type(error).__name__}); is `hookwarden serve` running?", err=True
        )
        sys.exit(UNUSABLE)
    click.echo(f"{answer.status_code} {answer.text}")
    sys.exit(FINE if answer.is_success else FINDINGS)


def _fresh(payload: Path, at: int) -> bytes:
    """The payload as Didit serialises it, with the timestamp of now."""
    try:
        document = json.loads(payload.read_bytes())
    except ValueError as fault:
        raise click.UsageError(f"{payload} is not JSON: {fault}") from None
    if not isinstance(document, dict):
        raise click.UsageError(f"{payload} must hold a JSON object")
    document["timestamp"] = at
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def _timestamp(body: bytes) -> int:
    try:
        document = json.loads(body)
        return int(document.get("timestamp", document.get("created_at", 0)))
    except (ValueError, AttributeError, TypeError):
        return 0
