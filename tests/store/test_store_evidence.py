"""Opening a record to verify it."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.errors import NotFound, StoreUnavailable
from receiver.store.sqlite.evidence import EvidenceFile


def test_a_folder_without_a_record_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing is stored yet"):
        EvidenceFile(tmp_path)


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0" + bytes(8000)])
def test_a_file_that_is_no_database_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hookwarden.db").write_bytes(content)

    def look() -> None:
        record = EvidenceFile(tmp_path)
        try:
            with record.read() as reader:
                reader.bounds()
        finally:
            record.close()

    with pytest.raises(StoreUnavailable, match=r"cannot be read: .* restore a backup"):
        look()
