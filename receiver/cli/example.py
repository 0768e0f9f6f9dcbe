"""The commented example configuration: packaged in an installed Hookwarden, config.yaml at the top of a checkout."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def example_text() -> str:
    """The text of the example."""
    packaged = files("receiver").joinpath("example.yaml")
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8")
