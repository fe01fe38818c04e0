"""Trials per second of a trivial objective, recorded, against the usual ways. Run as a script:

    python tests/benchmarks/bench_trials.py [--trials 300] [--rounds 3] [--ray] [--flat]

Two floats, three reported steps. All ways run interleaved, each time on a fresh store that exists
before the clock starts; the clock stops when everything is durable. A short run of each way comes
first and does not count: it imports what has to be imported.

`by hand`: Optuna with SQLite storage and nested MLflow runs, the usual way.
`tune`: Ray Tune with reused actors and nothing recorded, two trials at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(
    MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="1"
)

STUDY = """
name: bench
task: {{metric: loss, direction: minimize}}
space: "bench_trials:SPACE"
evaluator: {{function: {{call: "bench_trials:objective"}}}}
budget: {{trials: {trials}}}
seeds: [0]
arms: {{random: {{strategy: random}}}}
executor: {executor}
final: {{seeds: 0}}
"""


def _space() -> object:
    from automl.space import Float, Space

    return Space({"x": Float(-5.0, 5.0), "y": Float(-5.0, 5.0)})


def __getattr__(name: str) -> object:
    if name == "SPACE":
        return _space()
    raise AttributeError(name)


def _loss(x: float, y: float, step: int) -> float:
    return x * x + y * y + 1.0 / step


def objective(config: dict[str, float], context: object) -> float:
    for step in range(1, 4):
        context.report(step, _loss(config["x"], config["y"], step))  # type: ignore[attr-defined]
    return _loss(config["x"], config["y"], 3)


def ours(trials: int, executor: str, folder: Path) -> float:
    from automl.campaign import run_campaign
    from automl.config import load_study
    from automl.ledger import resolve_store
    from automl.progress import QuietProgress
    from automl.storage import prepare

    file = folder / "bench.yaml"
    file.write_text(STUDY.format(trials=trials, executor=executor))
    store = resolve_store({"AUTOML_STORE": str(folder / "store")})
    prepare(store)
    study = load_study(file)
    start = time.perf_counter()
    run_campaign(study, store=store, progress=QuietProgress())
    return trials / (time.perf_counter() - start)


def by_hand(trials: int, folder: Path) -> float:
    import mlflow
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment("bench")
    study = optuna.create_study(
        storage=f"sqlite:///{folder}/optuna.db",
        sampler=optuna.samplers.RandomSampler(seed=0),
        direction="minimize",
    )

    def run(trial: optuna.Trial) -> float:
        x, y = trial.suggest_float("x", -5, 5), trial.suggest_float("y", -5, 5)
        with mlflow.start_run(nested=True):
            mlflow.log_params(trial.params)
            for step in range(1, 4):
                value = _loss(x, y, step)
                trial.report(value, step)
                mlflow.log_metric("loss", value, step=step)
            return value

    start = time.perf_counter()
    with mlflow.start_run():
        study.optimize(run, n_trials=trials)
    return trials / (time.perf_counter() - start)


def _tune_trial(config: dict[str, float]) -> None:
    from ray import tune

    for step in range(1, 4):
        tune.report({"loss": _loss(config["x"], config["y"], step)})


def tune_alone(trials: int, folder: Path) -> float:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray import tune

    start = time.perf_counter()
    ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL)
    tune.Tuner(
        tune.with_resources(_tune_trial, {"cpu": 1}),
        param_space={"x": tune.uniform(-5, 5), "y": tune.uniform(-5, 5)},
        tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=2, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
    ).fit()
    ray.shutdown()
    return trials / (time.perf_counter() - start)


def compare(ways: dict[str, Callable[[int, Path], float]], trials: int, rounds: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                speed = way(trials if number else 40, Path(folder))
            if number:
                found[name].append(speed)
    base = statistics.median(next(iter(found.values())))
    for name, values in found.items():
        middle = statistics.median(values)
        spread = f"{min(values):.1f} to {max(values):.1f}"
        sys.stdout.write(f"{name:12} {middle:8.1f} trials/s  ({spread})  {middle / base:6.2f} times\n")


def flat() -> None:
    for trials in (200, 2000, 200, 2000):
        with tempfile.TemporaryDirectory() as folder:
            speed = ours(trials, "local", Path(folder))
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            sys.stdout.write(
                f"{trials:5} trials: {1e3 / speed:6.2f} ms a trial, peak memory {memory:.0f} MiB\n"
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--flat", action="store_true")
    options = parser.parse_args()
    if options.flat:
        flat()
    elif options.ray:
        executor = "{ray: {trials_at_once: 2}}"
        ways = {"tune": tune_alone, "ours": lambda n, folder: ours(n, executor, folder)}
        compare(ways, options.trials, options.rounds)
    else:
        ways = {"by hand": by_hand, "ours": lambda n, folder: ours(n, "local", folder)}
        compare(ways, options.trials, options.rounds)


if __name__ == "__main__":
    main()
