"""Options that many commands share."""

from __future__ import annotations

import functools
import getpass
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

if TYPE_CHECKING:
    from receiver.config import Configuration
    from receiver.store.port import Store

Command = TypeVar("Command", bound=Callable[..., Any])

config_option: Callable[[Command], Command] = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config.yaml"),
    envvar="HOOKWARDEN_CONFIG",
    show_default=True,
    show_envvar=True,
    help="The configuration file.",
)
json_option: Callable[[Command], Command] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit_option: Callable[[Command], Command] = click.option(
    "--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="At most so many."
)
after_option: Callable[[Command], Command] = click.option("--after", help="The cursor that the page before printed.")


def configuration(path: Path, environment: Literal["strict", "lenient"] = "strict") -> Configuration:
    """Load the configuration. What is wrong with it ends the command with status 2."""
    from receiver.config import load_configuration

    return load_configuration(path, environment=environment)


def with_store(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the opened store as its first argument, and the configuration as `configured` if it asks for it.
    Works beside a running server.
    """

    @config_option
    @functools.wraps(command)
    def wrapped(*, config_path: Path, **options: Any) -> None:
        from receiver.log import log_to_stderr
        from receiver.wiring import open_configured_store

        log_to_stderr()  # what a store says of itself must not stand in the midst of JSON
        configured = configuration(config_path, "lenient")
        if not (configured.settings.data_dir / "hookwarden.db").exists():
            raise click.ClickException(
                f"nothing is stored yet in {configured.settings.data_dir}; start `hookwarden serve`"
            )
        store: Store = open_configured_store(configured)
        if "configured" in inspect.signature(command).parameters:
            options["configured"] = configured
        try:
            command(store, **options)
        finally:
            store.close()

    return wrapped


def actor() -> str:
    """Who types, as the record will show it."""
    return f"cli:{getpass.getuser()}"
