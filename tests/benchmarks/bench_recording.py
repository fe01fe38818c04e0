"""What recording costs: finished trials of three reports, from the ledger into MLflow. Run as a script:

    python tests/benchmarks/bench_recording.py [--trials 300 2000] [--client]

Wall and CPU time of everything from the first look at the ledger to the end of the drain, with
mlflow imported and its store created before; and how much the process has grown.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "recorder"))
from recorder_helpers import Filled

from automl.ledger import resolve_store
from automl.recorder import Recorder, writer_choice
from automl.recorder.experiments import make_client
from automl.storage import open_ledger


@dataclass(frozen=True)
class Cost:
    """Of recording one campaign; times in milliseconds for each trial, growth in MiB."""

    trials: int
    wall_seconds: float
    wall: float
    cpu: float
    grown: float


def measure(trials: int) -> Cost:
    """Record a campaign of `trials` trials on a fresh SQLite store."""
    with tempfile.TemporaryDirectory() as folder:
        store = resolve_store({"AUTOML_STORE": folder})
        with open_ledger(store) as ledger:
            filled = Filled(store, ledger)
            for number in range(trials):
                filled.trial(number, number / trials, arm=number % 2)
            filled.finish()
            make_client(store).search_experiments()
            memory, cpu, wall = _memory(), time.process_time(), time.perf_counter()
            recorder = Recorder(store, ledger, filled.id)
            recorder.drain()
            recorder.close()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            return Cost(trials, wall, 1000 * wall / trials, 1000 * cpu / trials, _memory() - memory)


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print one line for each number of trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[300, 2000])
    parser.add_argument("--client", action="store_true", help="by MlflowClient, as for unverified versions")
    options = parser.parse_args()
    if options.client:
        writer_choice.VERIFIED = frozenset()  # type: ignore[misc]
    measure(20)  # imports, caches
    for trials in options.trials:
        cost = asdict(measure(trials))
        sys.stdout.write("  ".join(f"{key} {value:.4g}" for key, value in cost.items()) + "\n")


if __name__ == "__main__":
    main()
