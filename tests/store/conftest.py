"""The stores under test. Every store must pass the same tests: a new one is one more name in `STORES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from receiver.store.port import Store
from receiver.store.sqlite.store import open_store
from tests.support.store_samples import NOW

Open = Callable[..., Store]


def _open_sqlite(folder: Path, **options: Any) -> Store:
    return open_store(folder, clock=lambda: NOW, **options)


STORES: dict[str, Open] = {"sqlite": _open_sqlite}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture(params=list(STORES))
def reopen(request: pytest.FixtureRequest, data_dir: Path) -> Iterator[Open]:
    """Opens the same store, also several times; all are closed at the end."""
    opened: list[Store] = []

    def open_it(**options: Any) -> Store:
        store = STORES[request.param](data_dir, **options)
        opened.append(store)
        return store

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Open) -> Store:
    return reopen()
