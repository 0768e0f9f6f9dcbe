"""Walking over a long record with all processors: hashing keeps each of them busy for itself."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from receiver.audit.verify import Walked, Walks, walk
from receiver.store.sqlite.evidence import EvidenceFile

_WORTH_IT: Final = 12  # windows: fewer are done sooner than processes are up
_MOST: Final = 8  # processes


def walks(data_dir: Path, *, quick: bool, worth_it: int = _WORTH_IT) -> Walks:
    """Walk over windows of the record in `data_dir`, in several processes where it is long enough."""

    def over(windows: Sequence[tuple[int, int]]) -> Iterator[Walked]:
        processes = min(os.cpu_count() or 1, _MOST)
        if len(windows) < worth_it or processes < 2:
            evidence = EvidenceFile(data_dir)
            try:
                for start, end in windows:
                    yield walk(evidence.read, start, end, quick=quick)
            finally:
                evidence.close()
            return
        spawning = multiprocessing.get_context("spawn")  # a fork would share SQLite's locks
        with ProcessPoolExecutor(processes, spawning) as pool:
            yield from pool.map(_walk, [(data_dir, start, end, quick) for start, end in windows])

    return over


def _walk(task: tuple[Path, int, int, bool]) -> Walked:
    data_dir, start, end, quick = task
    evidence = EvidenceFile(data_dir)
    try:
        return walk(evidence.read, start, end, quick=quick)
    finally:
        evidence.close()
