"""Kill -9 under load, many rounds: acknowledged, lost, duplicated, out of order, repeated calls, damage to the record.

python bench/crash.py [--rounds 50] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.crashing import crash


def main() -> None:
    """Run and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=50)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        findings = asyncio.run(crash(Path(folder), options.rounds, options.seed))
    for name, value in dataclasses.asdict(findings).items():
        print(f"{name:18} {value}")
    print(f"{'seconds':18} {time.monotonic() - started:.0f}")
    faults = (findings.lost, findings.duplicated, findings.order_violations, findings.unfinished, findings.damaged)
    sys.exit(any(faults))


if __name__ == "__main__":
    main()
