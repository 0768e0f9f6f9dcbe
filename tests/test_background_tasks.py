"""What runs beside the server ends with it and not before: a fault is told, the rest goes on, the store is closed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from receiver import pruning
from receiver.config import load_configuration
from receiver.contract import JsonObject
from receiver.errors import StoreUnavailable
from receiver.heralds import Heralds
from receiver.pruning import Pruner
from receiver.settings import RetentionSettings
from receiver.store.sqlite.store import SqliteStore, open_store
from receiver.wiring import System, build
from tests.support.receiver import write_configuration
from tests.support.store_samples import NOW, new_event, put


class Place:
    """Keeps what it is sent."""

    name = "place"

    def __init__(self) -> None:
        self.sent: list[JsonObject] = []

    async def send(self, message: JsonObject) -> None:
        self.sent.append(message)


@asynccontextmanager
async def beside(run: Callable[[], Any]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110  # nothing in the program tells of it
            await asyncio.sleep(0.01)


def signed_event(store: SqliteStore) -> None:
    put(store, new_event())
    store.submit(lambda tx: tx.ask_checkpoint()).result(10)


def edit(data_dir: Path, old: str, new: str) -> None:
    """Edit the newest note, as nobody should."""
    connection = sqlite3.connect(data_dir / "hookwarden.db", timeout=10)
    with connection:
        connection.execute("UPDATE checkpoint SET note = replace(note, ?, ?)", (old, new))
    connection.close()


async def test_a_note_that_is_not_ours_is_told_once_and_heralds_go_on(tmp_path: Path) -> None:
    store, place = open_store(tmp_path, clock=lambda: NOW), Place()
    signed_event(store)
    edit(tmp_path, "hookwarden", "hookwarden2")
    heralds = Heralds(store, [place], 0.01)
    looks = 0
    look = heralds._newest

    def counted() -> str | None:
        nonlocal looks
        looks += 1
        return look()

    heralds._newest = counted  # type: ignore[method-assign]  # to know that it has looked again
    with capture_logs() as logs:
        async with beside(heralds.run):
            await until(lambda: looks > 3)
            assert place.sent == []
            edit(tmp_path, "hookwarden2", "hookwarden")
            await until(lambda: place.sent)
    assert [line["log_level"] for line in logs] == ["critical"]
    edit(tmp_path, "hookwarden", "hookwarden2")
    await heralds.finish()
    assert len(place.sent) == 1
    store.close()


async def test_heralds_outlive_any_fault(tmp_path: Path) -> None:
    store, place = open_store(tmp_path, clock=lambda: NOW), Place()
    signed_event(store)
    heralds = Heralds(store, [place], 0.01)
    look, faults = heralds._newest, iter([RuntimeError("a bug"), RuntimeError("a bug")])

    def faulty() -> str | None:
        for fault in faults:
            raise fault
        return look()

    heralds._newest = faulty  # type: ignore[method-assign]  # a bug of ours
    with capture_logs() as logs:
        async with beside(heralds.run):
            await until(lambda: place.sent)
    assert [(line["log_level"], line["kind"]) for line in logs] == [("error", "RuntimeError")]
    store.close()


async def test_the_pruner_outlives_any_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = iter([ValueError("a bug"), StoreUnavailable("full")])
    runs = 0

    def prune(*_: Any) -> list[JsonObject]:
        nonlocal runs
        runs += 1
        for fault in faults:
            raise fault
        return []

    monkeypatch.setattr(pruning, "prune", prune)
    settings = RetentionSettings.model_validate({"entry": "1d"})
    store: Any = None
    with capture_logs() as logs:
        async with beside(Pruner(store, settings, lambda: NOW, 0.01).run):
            await until(lambda: runs > 2)
    assert [line["log_level"] for line in logs[:3]] == ["error", "warning", "info"]
    assert "a bug" not in str(logs)


@pytest.fixture
def system(tmp_path: Path) -> System:
    return build(load_configuration(write_configuration(tmp_path)))


def is_closed(system: System) -> bool:
    try:
        system.store.submit(lambda _: None).result(10)
    except StoreUnavailable:
        return True
    return False


class Breaks(Exception):
    pass


async def breaks() -> None:
    raise Breaks


async def test_a_task_that_dies_is_told_loudly(system: System) -> None:
    system.heralds.run = breaks  # type: ignore[method-assign]  # a bug of ours
    with capture_logs() as logs:
        system.start()
        await until(lambda: logs)
        await system.stop()
    assert [(line["log_level"], line["task"], line["kind"]) for line in logs] == [("critical", "heralds", "Breaks")]
    assert is_closed(system)


@pytest.mark.parametrize("part", ["heralds", "tools", "dispatcher"])
async def test_whatever_fails_at_the_end_the_store_is_closed(
    system: System, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    method = {"heralds": "finish", "tools": "close", "dispatcher": "run"}[part]
    monkeypatch.setattr(type(getattr(system, part)), method, lambda _self: breaks())
    system.begin_service("test")
    system.start()
    with pytest.raises(Breaks):
        await system.stop()
    assert is_closed(system)
    reopened = build(system.configuration)
    with reopened.store.read() as reader:
        noted = [entry for entry in reader.audit().items if entry["kind"] == "service"]
    assert len(noted) == 2  # the start and the end
    reopened.store.close()
