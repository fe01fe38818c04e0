"""`make soak`: a nemesis for half of the time, then property tests and mutated input on new random examples.

All print the seed of each round, and end at the first that fails.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

FACTOR = 10  # times the examples of `make test`
LONGEST = 5.0  # minutes of the nemesis in one round
MUTATE = Path(__file__).parent / "mutations" / "mutate.py"
MUTATED = 2000  # cases in one round
NEMESIS = Path(__file__).parent / "faults" / "nemesis.py"


def main(minutes: float) -> int:
    """Run rounds until `minutes` have passed or one fails; its exit code."""
    began = time.monotonic()
    left = lambda until: minutes * until - (time.monotonic() - began) / 60  # noqa: E731
    while left(0.5) > 0:
        words = [str(NEMESIS), str(min(LONGEST, left(0.5))), str(secrets.randbelow(2**32))]
        if failed := _round(words):
            return failed
    while left(1.0) > 0:
        words = ["-m", "pytest", "-q", "-m", "property", "-p", "no:cacheprovider"]
        words += ["--hypothesis-profile=soak", f"--hypothesis-seed={secrets.randbelow(2**32)}"]
        if failed := _round(words):
            return failed
        if failed := _round([str(MUTATE), str(MUTATED), "--first", str(secrets.randbelow(2**32))]):
            return failed
    return 0


def _round(words: list[str]) -> int:
    command = " ".join(words)
    sys.stdout.write(f"{command}\n")
    sys.stdout.flush()
    environ = {**os.environ, "SOAK_FACTOR": str(FACTOR)}
    failed = subprocess.run([sys.executable, *words], check=False, env=environ).returncode
    if failed:
        sys.stdout.write(f"failed; again: python {command}\n")
    return failed


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
