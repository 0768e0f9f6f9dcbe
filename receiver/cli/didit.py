"""`hookwarden didit`: open an account, and look at its balance. Nothing is written; no secret is shown unasked."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from receiver.cli.options import config_option, configuration, json_option
from receiver.cli.output import FINDINGS, FINE, print_json

Given = TypeVar("Given")

account_option = click.option(
    "--account-url",
    default="https://apx.didit.me/auth/v2",
    show_default=True,
    help="Where accounts are; the sandbox's is http://127.0.0.1:8100/auth/v2.",
)
email_option = click.option("--email", required=True, help="The address to register.")


@click.group()
def didit() -> None:
    """Open a Didit account, and look at its balance."""


@didit.command()
@email_option
@account_option
def register(email: str, account_url: str) -> None:
    """Register an address. The password is asked for, without echo; Didit mails a code.

    Didit wants 8 characters or more with upper and lower case, a digit and a special character.
    """
    from handlers.didit.registration import register as post

    password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    _ask(post(account_url, email, password))
    click.echo(f"Didit has mailed a code to {email}. Next: hookwarden didit verify-email --email {email}")


@didit.command("verify-email")
@email_option
@click.option("--show-key", is_flag=True, help="Print the key, which is a secret.")
@account_option
@json_option
def verify_email(email: str, show_key: bool, account_url: str, as_json: bool) -> None:
    """Confirm the address with the code that was mailed, and get the key of the first application.

    The code can be used once: with --show-key the key is printed, without it is found in Didit's console.
    """
    from handlers.didit.registration import verify_email as post

    code = click.prompt("Code", hide_input=True, err=True)
    account = _ask(post(account_url, email, code.strip()))
    document: dict[str, Any] = {
        "organization": account.organization,
        "application": account.application,
        "application_id": account.application_id,
        **({"api_key": account.api_key} if show_key else {}),
    }
    if as_json:
        print_json(document)
        return
    for name, value in document.items():
        click.echo(f"{name.replace('_', ' ')}: {value or '-'}")
    if not show_key:
        click.echo("The key is in Didit's console. Put it into the environment as DIDIT_API_KEY.")


@didit.command()
@click.option("--low", help='Exit 1 if the balance is below this: "10.00".')
@config_option
@json_option
def balance(low: str | None, config_path: Path, as_json: bool) -> None:
    """Print the balance of the account whose key is configured. Exit 0, or 1 if it is below --low."""
    from decimal import Decimal

    from pydantic import ValidationError

    from handlers.didit.list_params import BalanceParams

    try:
        BalanceParams(low=low)
    except ValidationError:
        raise click.BadParameter("a decimal number such as 10.00", param_hint="--low") from None
    amount, beside = _ask(_balance(config_path))
    below = low is not None and Decimal(amount) < Decimal(low)
    if as_json:
        print_json({"balance": amount, "low": low, "below": below if low is not None else None, **beside})
    else:
        click.echo(f"{amount}, below {low}" if below else amount)
    sys.exit(FINDINGS if below else FINE)


async def _balance(config_path: Path) -> tuple[str, dict[str, Any]]:
    from handlers.didit.account import read_balance
    from handlers.didit.client import didit_client

    vendor = configuration(config_path).settings.vendors.get("didit")
    if vendor is None:
        raise click.ClickException(f"{config_path} has no vendors.didit: it names where the API is, and the key")
    client = didit_client(vendor.base_url, vendor.api_key, vendor.timeout)
    try:
        return await read_balance(client)
    finally:
        await client.close()


def _ask(call: Coroutine[Any, Any, Given]) -> Given:
    """What Didit answers; its no ends the command with status 1 and its words."""
    from receiver.errors import VendorError

    try:
        return asyncio.run(call)
    except VendorError as error:
        click.echo(f"hookwarden: {error.reason}", err=True)
        sys.exit(FINDINGS)
