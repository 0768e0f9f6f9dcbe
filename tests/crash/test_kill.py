"""I1-I4 under kill -9: `bench/crash.py` runs the same for fifty rounds."""

from pathlib import Path

from tests.support.crashing import crash


async def test_what_was_acknowledged_survives_kills_whole_once_and_in_order(tmp_path: Path) -> None:
    findings = await crash(tmp_path, rounds=4, seed=11)
    assert findings.acked > 50
    assert (findings.lost, findings.duplicated, findings.order_violations, findings.unfinished) == (0, 0, 0, 0)
    assert findings.damaged == 0
    assert findings.wrong_answers == []
    assert findings.repeated <= findings.marked
