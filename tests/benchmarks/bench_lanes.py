"""How well short trials fill the slots of a Ray cluster, against Ray Tune alone and plain actors.

    python tests/benchmarks/bench_lanes.py [--rounds 2] [--slots 2 8 32] [--seconds 0 0.1 1] [--ways ours]
                                           [--trials 12800]

Trials sleep, and report nothing; slots are CPUs of which Ray is told, whatever the machine has. Nothing is
recorded: what is measured is how trials get to workers and back. All ways run interleaved in one Ray.

`ours`: the executor `ray`, a source of jobs in memory, as of strategies that do not learn, such as `random`.
`learning`: the same, as of strategies that do. `tune`: Ray Tune with reused actors, which keeps as
many trials pending as there are slots. `actors`: plain actors, each with one call ahead, which is the floor.

The first trial of each slot waits until all slots have one. From then on trials per second and idle are
counted: the share of the time of all slots, up to the last begin, in which no trial ran. Full after: seconds
from the first begin to that moment. A short run of each way comes first and does not count.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
    TUNE_DISABLE_STRICT_METRIC_CHECKING="1",
    TUNE_GLOBAL_CHECKPOINT_S="1e9",
    RAY_AIR_NEW_OUTPUT="0",
)
Span = tuple[float, float]  # POSIX seconds
LONG = 600.0  # seconds in which all slots are filled


@dataclass(frozen=True)
class Measured:
    """Trials per second, the idle share of the slots, milliseconds of the driver's CPU a trial, ramp-up."""

    speed: float
    idle: float
    driver: float
    full: float  # seconds


def trials_of(seconds: float, slots: int) -> int:
    """Enough for some seconds."""
    return {0.0: max(800, 200 * slots), 0.1: min(60 * slots, 960), 1.0: 10 * slots}[seconds]


def slept(number: int, seconds: float, slots: int, folder: Path) -> Span:
    """A trial: it sleeps, and one of the first waits for the others. When it began, and ended."""
    began = time.time()
    if number < slots:
        (folder / f"up-{number}").touch()
        while len(list(folder.glob("up-*"))) < slots:
            time.sleep(0.05)
    time.sleep(seconds)
    return began, time.time()


def trial(config: dict[str, Any], context: object) -> float:
    """Returns when it began."""
    return slept(config["n"], config["x"], config["slots"], Path(config["folder"]))[0]


def ours(seconds: float, slots: int, trials: int, folder: Path, learns: bool = False) -> list[Span]:
    from automl.checking.jobs import QueueSource, job
    from automl.contracts import Outcome
    from automl.executors.tune import cluster
    from automl.executors.tune.slots import Share, Slots

    ended: list[Span] = []

    class Source(QueueSource):
        def finish(self, trial: str, token: str, outcome: Outcome) -> None:
            began = (outcome.values or [0.0])[0]
            ended.append((began, began + outcome.device_seconds))
            super().finish(trial, token, outcome)

    from bench_lanes import trial as named  # by the name by which workers import it

    given = {"x": seconds, "slots": slots, "folder": str(folder)}
    plain = replace(job(named, str(folder)), import_path=[str(Path(__file__).parent)], deadline=LONG)
    jobs = [
        replace(plain, trial=f"{n}", token=f"{n}", workdir=f"{folder}/{n}", config={**given, "n": n})
        for n in range(trials)
    ]
    source = Source(jobs)
    source.learns = learns
    shared = Slots(Share(1.0), slots, grows=False)
    shared.look()
    cluster.run(source, shared, waits=True, folder=str(folder), address=None)
    return ended


def tune_alone(seconds: float, slots: int, trials: int, folder: Path) -> list[Span]:
    from ray import tune

    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(slots)

    def sleeps(config: dict[str, Any]) -> dict[str, float]:
        began, ended = slept(config["n"], seconds, slots, folder)
        return {"began": began, "ended": ended}

    found = tune.Tuner(
        tune.with_resources(sleeps, {"cpu": 1}),
        param_space={"n": tune.grid_search(list(range(trials)))},
        tune_config=tune.TuneConfig(max_concurrent_trials=slots, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
    ).fit()
    return [(one.metrics["began"], one.metrics["ended"]) for one in found]


def plain_actors(seconds: float, slots: int, trials: int, folder: Path) -> list[Span]:
    import ray

    class Sleeper:
        def run(self, number: int) -> Span:
            return slept(number, seconds, slots, folder)

    made = ray.remote(num_cpus=1)(Sleeper)
    actors = [made.remote() for _ in range(slots)]
    ended, waiting = [], iter(range(trials))
    held = {actor.run.remote(number): actor for actor, number in zip(actors * 2, waiting, strict=False)}
    while held:
        (ready,), _ = ray.wait(list(held))
        actor = held.pop(ready)
        ended.append(ray.get(ready))
        if (number := next(waiting, None)) is not None:
            held[actor.run.remote(number)] = actor
    return ended


WAYS: dict[str, Callable[[float, int, int, Path], list[Span]]] = {
    "ours": ours,
    "learning": partial(ours, learns=True),
    "tune": tune_alone,
    "actors": plain_actors,
}


def measured(way: str, seconds: float, slots: int, trials: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        cpu = time.process_time()
        spans = WAYS[way](seconds, slots, trials, Path(folder))
        cpu = time.process_time() - cpu
    assert len(spans) == trials, f"{way}: {len(spans)} of {trials}"
    first, full = min(began for began, _ in spans), all_busy(spans, slots)
    last, end = max(began for began, _ in spans), max(ended for _, ended in spans)
    used = sum(max(0.0, min(ended, last) - max(began, full)) for began, ended in spans)
    idle = 1 - used / (slots * (last - full))
    later = sum(began > full for began, _ in spans)
    return Measured(later / (end - full), idle, 1e3 * cpu / trials, full - first)


def all_busy(spans: list[Span], slots: int) -> float:
    """The POSIX second at which a trial ran in every slot for the first time."""
    changes = sorted([(began, 1) for began, _ in spans] + [(ended, -1) for _, ended in spans])
    running = 0
    for moment, change in changes:
        running += change
        if running == slots:
            return moment
    raise AssertionError("the first trials wait until all slots have one")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--slots", type=int, nargs="+", default=[2, 8, 32])
    parser.add_argument("--seconds", type=float, nargs="+", default=[0.0, 0.1, 1.0])
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    parser.add_argument("--trials", type=int, help="of each run, whatever its seconds")
    options = parser.parse_args()
    import ray

    for name in ("ray", "ray.tune"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for slots in options.slots:
        ray.init(
            address="local",
            num_cpus=slots,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
        )
        for way in options.ways:
            measured(way, 0.0, slots, 4 * slots)
        for seconds in options.seconds:
            trials = options.trials or trials_of(seconds, slots)
            compare(options.ways, seconds, slots, options.rounds, trials)
        ray.shutdown()


def compare(ways: list[str], seconds: float, slots: int, rounds: int, trials: int) -> None:
    found: dict[str, list[Measured]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            found[way].append(measured(way, seconds, slots, trials))
    for way, values in found.items():
        names = ("speed", "idle", "driver", "full")
        speed, idle, driver, full = (
            statistics.median(getattr(one, name) for one in values) for name in names
        )
        spread = f"{min(one.speed for one in values):.1f} to {max(one.speed for one in values):.1f}"
        sys.stdout.write(
            f"{seconds:4g} s, {slots:2} slots, {way:8} {speed:8.1f} trials/s ({spread}), idle {idle:5.1%}, "
            f"driver {driver:6.2f} ms of CPU a trial, full after {full:.1f} s\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
