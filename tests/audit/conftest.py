"""What tests of verifying share: a file that asks for these makes its record once, as the fixture `pristine`."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.audit.note import Verifier
from tests.support.tampering import copied


@pytest.fixture
def folder(pristine: tuple[Path, Verifier], tmp_path: Path) -> Path:
    """A copy of the record, to be tampered with."""
    return copied(pristine[0], tmp_path / "var")


@pytest.fixture
def key(pristine: tuple[Path, Verifier]) -> Verifier:
    """The key that the record was signed by."""
    return pristine[1]
