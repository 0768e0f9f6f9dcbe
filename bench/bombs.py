"""Policies and events made to hang or to fill the memory: how each ends, what CPU it takes, what it holds.

Each runs in a process of its own that may take 2 GiB and 20 s. The rooms are the real ones: the policy is read,
compiled and decided with its explanation written as JSON, and then `hookwarden check` reads it from a file. More than
2 s of CPU or 200 MiB, or another end than expected, is a finding: exit 1.

python bench/bombs.py [--only WORDS]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SECONDS = 20
BYTES = 2 * 2**30
SLOW_MS, LARGE_MIB = 2_000, 200


def peak_mib() -> float:
    """The most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def go_off(name: str) -> None:
    """Run one bomb here, and print what came of it as JSON."""
    from tests.support.bombs import BOMBS, how_it_ends

    bomb = BOMBS[name]
    policy, event = bomb.policy(), bomb.event()
    before, start = peak_mib(), time.process_time()
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    how = how_it_ends(policy, event)
    wall, extra = (time.process_time() - start) * 1000, peak_mib() - before
    print(json.dumps({"how": how, "ms": wall, "mib": extra}))


def check(name: str) -> None:
    """Give one bomb to `hookwarden check`, here."""
    from receiver.cli.main import main
    from tests.support.bombs import BOMBS

    policy = BOMBS[name].policy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "policy.yaml")
        path.write_text(policy)
        before, start = peak_mib(), time.process_time()
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        try:
            main(["check", str(path)])
            how = "exit 0"
        except SystemExit as stop:
            how = f"exit {stop.code}"
        wall, extra = (time.process_time() - start) * 1000, peak_mib() - before
        print("\n" + json.dumps({"how": how, "ms": wall, "mib": extra}))


def run(name: str, door: str) -> dict[str, object]:
    """One bomb in a process of its own."""
    command = [sys.executable, __file__, "--door", door, "--one", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"how": "HANGS", "ms": SECONDS * 1000.0, "mib": 0.0}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"signal {-done.returncode}"])[-1]
        return {"how": f"CRASHES: {last[:80]}", "ms": 0.0, "mib": 0.0}
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Run all, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--door", choices=("decide", "check"), help="only one of the two doors")
    parser.add_argument("--only", default="", help="only bombs whose name has these words")
    arguments = parser.parse_args()
    if arguments.one:
        return (go_off if arguments.door == "decide" else check)(arguments.one)
    from tests.support.bombs import BOMBS, ends_as

    findings = 0
    print(f"{'bomb':45} {'door':7} {'CPU ms':>8} {'MiB':>6}  how it ended")
    for name, bomb in BOMBS.items():
        for door in (arguments.door,) if arguments.door else ("decide", "check"):
            if arguments.only not in name:
                continue
            result = run(name, door)
            how, ms, mib = str(result["how"]), float(str(result["ms"])), float(str(result["mib"]))
            fine = ends_as(how, bomb.ends) if door == "decide" else how in ("exit 0", "exit 1")
            fine = fine and ms <= SLOW_MS and mib <= LARGE_MIB
            findings += not fine
            print(
                f"{name[:45]:45} {door:7} {ms:8.0f} {mib:6.0f}  {how[:90]}{'' if fine else f'   <-- not {bomb.ends}'}",
                flush=True,
            )
    print(f"{findings} findings")
    sys.exit(findings > 0)


if __name__ == "__main__":
    main()
