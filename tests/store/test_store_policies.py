"""Policy versions: kept once, listed newest first, readable by their hash for as long as the record lives."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.store.port import Store
from receiver.store.sqlite.store import open_store

NOW = 1_790_000_000_000
ONE, TWO = "1" * 64, "2" * 64


def keep(store: Store, sha256: str, author: str | None, at: int = NOW) -> bool:
    return store.submit(lambda tx: tx.add_policy(sha256, "face", f"text of {sha256[0]}", author, at)).result()


def test_a_version_keeps_its_first_author_and_time(store: Store) -> None:
    assert keep(store, ONE, "token:ops")
    assert not keep(store, ONE, None, NOW + 1000)
    with store.read() as reader:
        assert reader.policy(ONE) == {
            "sha256": ONE,
            "name": "face",
            "author": "token:ops",
            "at": "2026-09-21T14:13:20.000Z",
            "text": "text of 1",
        }
        assert reader.policy(TWO) is None


def test_versions_are_listed_newest_first_by_cursor_and_without_texts(store: Store) -> None:
    for number in range(5):
        keep(store, f"{number}" * 64, None, NOW + number)
    seen: list[object] = []
    after: str | None = None
    with store.read() as reader:
        while True:
            page = reader.policies(after, 2)
            seen += [item["sha256"] for item in page.items]
            assert all("text" not in item for item in page.items)
            after = page.next
            if after is None:
                break
        with pytest.raises(ValueError, match="cursor"):
            reader.policies("x")
    assert seen == [f"{number}" * 64 for number in (4, 3, 2, 1, 0)]


def test_a_version_outlives_the_process(tmp_path: Path) -> None:
    first = open_store(tmp_path, clock=lambda: NOW)
    keep(first, ONE, None)
    first.close()
    second = open_store(tmp_path, clock=lambda: NOW)
    with second.read() as reader:
        assert (reader.policy(ONE) or {})["text"] == "text of 1"
    second.close()
