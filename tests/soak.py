"""`make soak`: property tests and mutated input, on new random examples until the time is up."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

FACTOR = 10  # times the examples of `make test`
MUTATE = Path(__file__).with_name("mutations") / "mutate.py"
MUTATED = 2000  # cases of mutated input in a round


def main(minutes: float) -> int:
    """Run rounds until `minutes` have passed or one fails; its exit code."""
    end, rounds = time.monotonic() + 60 * minutes, 0
    while rounds == 0 or time.monotonic() < end:
        seed, rounds = secrets.randbelow(2**32), rounds + 1
        sys.stdout.write(f"round {rounds}, seed {seed}\n")
        sys.stdout.flush()
        command = [sys.executable, "-m", "pytest", "-q", "-m", "property", "-p", "no:cacheprovider"]
        command += ["--hypothesis-profile=soak", f"--hypothesis-seed={seed}"]
        done = subprocess.run(command, check=False, env={**os.environ, "SOAK_FACTOR": str(FACTOR)})
        if not done.returncode:
            command = [sys.executable, str(MUTATE), str(MUTATED), "--first", str(seed)]
            done = subprocess.run(command, check=False)
        if done.returncode:
            sys.stdout.write(f"round {rounds} failed; again: {' '.join(command[1:])}\n")
            return done.returncode
    sys.stdout.write(f"{rounds} rounds passed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
