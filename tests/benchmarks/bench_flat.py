"""Whether the last trials of a long search cost as much as the first. Run as a script:

    python tests/benchmarks/bench_flat.py [--trials 10000] [--strategy tpe] [--points 3] [--record trials]

A trivial function with two floats on the executor `local`: everything else is ours. Prints the milliseconds
of a trial in each tenth of the search: of the thread that drives the campaign, and of the whole process with
the one that records; processor time, so that other programs disturb little. And the peak memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")

STUDY = """
name: flat
task: {{metric: loss, direction: minimize}}
space: "bench_flat:SPACE"
evaluator: {{function: {{call: "bench_flat:objective"}}}}
budget: {{trials: {trials}}}
seeds: [0]
arms: {{one: {{strategy: {strategy}}}}}
baseline: false
executor: local
final: {{seeds: 0}}
record: {record}
"""
POINTS = "BENCH_FLAT_POINTS"
MARKS: list[tuple[float, float]] = []  # processor seconds at each trial: thread, process


def _space() -> object:
    from automl.space import Float, Space

    return Space({"x": Float(-5.0, 5.0), "y": Float(-5.0, 5.0)})


def __getattr__(name: str) -> object:
    if name == "SPACE":
        return _space()
    raise AttributeError(name)


def objective(config: dict[str, float], context: object) -> float:
    marks = sys.modules["__main__"].MARKS  # this module is imported once more by its name
    marks.append((time.thread_time(), time.process_time()))
    loss = config["x"] ** 2 + config["y"] ** 2
    for step in range(1, int(os.environ[POINTS]) + 1):
        context.report(step, loss + 1 / step)  # type: ignore[attr-defined]
    return loss


def run(trials: int, strategy: str, record: str, folder: Path) -> None:
    from automl.campaign import run_campaign
    from automl.config import load_study
    from automl.ledger import resolve_store
    from automl.progress import QuietProgress

    file = folder / "flat.yaml"
    file.write_text(STUDY.format(trials=trials, strategy=strategy, record=record))
    run_campaign(
        load_study(file), store=resolve_store({"AUTOML_STORE": str(folder)}), progress=QuietProgress()
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--strategy", default="random", help="of the one search")
    parser.add_argument("--points", type=int, default=3)
    parser.add_argument("--record", choices=("trials", "searches"), default="trials")
    given = parser.parse_args()
    os.environ[POINTS] = str(given.points)
    sys.path.append(str(Path(__file__).parent))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run(given.trials, given.strategy, given.record, Path(folder))
    marks = MARKS[:: max(1, len(MARKS) // 10)][:10] + MARKS[-1:]
    tenth = len(MARKS) // 10
    for name, place in (("driving thread", 0), ("process", 1)):
        costs = [1000 * (after[place] - before[place]) / tenth for before, after in pairwise(marks)]
        shown = " ".join(f"{cost:.2f}" for cost in costs)
        sys.stdout.write(f"{name:15} {shown}  last/first {costs[-1] / costs[0]:.2f}\n")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{len(MARKS)} trials in {time.monotonic() - began:.0f} s, peak memory {peak:.0f} MiB\n")


if __name__ == "__main__":
    main()
