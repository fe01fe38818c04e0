"""Two nodes with short trials, and how long workers take to be there.

    python tests/benchmarks/bench_nodes.py [--rounds 3] [--trials 16] [--seconds 1] [--ramp 1 8]

A head without CPUs and two nodes of one CPU each, on this machine: trials that sleep, by the executor `ray`.
Parallelism: seconds of all trials by those from the first begin to the last end. Ramp-up: from the start of a
run on a cluster of our own with so many slots to the begin of the first trial, and until all slots had one;
trials are long enough for that. Nothing is recorded. Beside it the same of actors that are nothing but Tune's
`Trainable`: what Ray and Tune need by themselves.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
os.environ["RAY_AUTH_MODE"] = "disabled"  # of a cluster on the loopback interface, for some minutes

from ray_head import head, node  # noqa: E402 - beside the folders above

from automl import plugins  # noqa: E402
from automl.checking import jobs  # noqa: E402
from automl.contracts import Outcome, Report  # noqa: E402

LONG = 40.0  # seconds of a trial while slots fill


def trial(config: dict[str, float], context: Any) -> float:
    """Tells its process, and sleeps; returns when it began."""
    began = time.time()
    context.report(1, float(os.getpid()))
    time.sleep(config["x"])
    return began


@dataclass
class Spans:
    """What was seen of a run: begin and end of each trial, POSIX seconds, and its process."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    processes: Counter[float] = field(default_factory=Counter)

    @property
    def parallelism(self) -> float:
        whole = max(ended for _, ended in self.spans) - min(began for began, _ in self.spans)
        return sum(ended - began for began, ended in self.spans) / whole


def run(seconds: float, count: int, folder: Path, **options: Any) -> Spans:
    """Run trials by the executor `ray` with these options."""
    seen = Spans()

    class Source(jobs.QueueSource):
        def report(self, trial: str, token: str, report: Report) -> str | None:
            seen.processes[report.value] += 1
            return super().report(trial, token, report)

        def finish(self, trial: str, token: str, outcome: Outcome) -> None:
            assert outcome.values is not None, outcome
            seen.spans.append((outcome.values[0], outcome.values[0] + outcome.device_seconds))
            super().finish(trial, token, outcome)

    from bench_nodes import trial as named  # by the name by which workers import it

    plain = jobs.job(named, str(folder))
    plain = replace(plain, import_path=[str(Path(__file__).parent)], config={"x": seconds})
    asked = [replace(plain, trial=f"{n}", token=f"{n}", workdir=f"{folder}/{n}") for n in range(count)]
    plugin = plugins.load("executors", "ray")
    executor = plugin(plugin.Options(**options))
    try:
        executor.check()
        executor.run(Source(asked))
    finally:
        executor.close()
    return seen


def two_nodes(rounds: int, count: int, seconds: float) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(head(cpus=0, RAY_AUTH_MODE="disabled"))
        for _ in range(2):
            stack.enter_context(node(address))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        time.sleep(2)  # until the head knows both
        for number in range(rounds):
            found = run(seconds, count, folder / str(number), address=address, trials_at_once=2)
            shares = " and ".join(str(share) for share in sorted(found.processes.values()))
            sys.stdout.write(
                f"{count} trials of {seconds:g} s on two nodes: {shares}, {found.parallelism:.2f}\n"
            )


def ramp(slots: int, rounds: int) -> None:
    first, full = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            began = time.time()
            found = run(LONG if slots > 1 else 0.0, slots, Path(folder), trials_at_once=slots, cpus=2 / slots)
            first.append(min(start for start, _ in found.spans) - began)
            full.append(max(start for start, _ in found.spans) - began)
    median = statistics.median
    sys.stdout.write(
        f"{slots} slots: first trial after {median(first):.1f} s, all busy after {median(full):.1f} s\n"
    )


def bare_ramp(slots: int, rounds: int) -> None:
    """Actors that import Tune, and do nothing."""
    import ray
    from ray import tune

    class Bare(tune.Trainable):
        def began(self) -> float:
            return time.time()

    first, full = [], []
    for _ in range(rounds):
        before = time.time()
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        actors = [ray.remote(num_cpus=2 / slots)(Bare).remote() for _ in range(slots)]
        starts = [start - before for start in ray.get([actor.began.remote() for actor in actors])]
        ray.shutdown()
        first.append(min(starts))
        full.append(max(starts))
    median = statistics.median
    sys.stdout.write(
        f"{slots} bare trainables: first after {median(first):.1f} s, all after {median(full):.1f} s\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--ramp", type=int, nargs="*", default=[1, 8])
    options = parser.parse_args()
    two_nodes(options.rounds, options.trials, options.seconds)
    for slots in options.ramp:
        ramp(slots, options.rounds)
        bare_ramp(slots, options.rounds)


if __name__ == "__main__":
    main()
