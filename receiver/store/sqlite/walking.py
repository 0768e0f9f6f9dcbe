"""Walking over a long record with all processors: hashing keeps each of them busy for itself."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final, TypeAlias

from receiver.audit.absent import ALL
from receiver.audit.walk import Walked, Walks, walk
from receiver.store.sqlite.evidence import EvidenceFile

_WORTH_IT: Final = {True: 24, False: 6}  # windows, whether quick or not: fewer are done sooner than processes are up
_MOST: Final = 8  # processes
_SELDOM: Final = 1_000_000  # objects made until the collector looks for cycles: a window makes many, and no cycle


_Task: TypeAlias = tuple[Path, int, int, bool, int]  # data folder, start and end of a window, quick, entries signed


def walks(data_dir: Path, *, quick: bool, worth_it: int | None = None) -> Walks:
    """Walk over windows of the record in `data_dir`, in several processes where it is long enough."""
    least = _WORTH_IT[quick] if worth_it is None else worth_it

    def over(windows: Sequence[tuple[int, int]], signed: int = ALL) -> Iterator[Walked]:
        processes = min(os.cpu_count() or 1, _MOST)
        side_by_side = processes > 1 and len(windows) >= least
        tasks = [(data_dir, start, end, quick, signed) for start, end in windows]
        return _shared(tasks, processes) if side_by_side else _alone(tasks)

    return over


def _alone(tasks: Sequence[_Task]) -> Iterator[Walked]:
    before = gc.get_threshold()
    gc.set_threshold(_SELDOM)
    try:
        yield from map(_walk, tasks)
    finally:
        gc.set_threshold(*before)


def _shared(tasks: Sequence[_Task], processes: int) -> Iterator[Walked]:
    spawning = multiprocessing.get_context("spawn")  # a fork would share SQLite's locks
    with ProcessPoolExecutor(processes, spawning, gc.set_threshold, (_SELDOM,)) as pool:
        yield from pool.map(_walk, tasks)


def _walk(task: _Task) -> Walked:
    data_dir, start, end, quick, signed = task
    evidence = EvidenceFile(data_dir)
    try:
        return walk(evidence.read, start, end, quick=quick, signed=signed)
    finally:
        evidence.close()
