"""A real SQLite store for the dispatcher to work on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.store.sqlite.store import open_store
from tests.support.dispatching import Clock, Yard


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """A store in a folder of its own, with a clock that the test may move."""
    clock = Clock()
    store = open_store(tmp_path, clock=clock)
    yield Yard(store, clock)
    store.close()
