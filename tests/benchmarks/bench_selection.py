"""What it gives to evaluate the best of a search again before its winner is named. Run as a script:

    AUTOML_DATA=… python tests/benchmarks/bench_selection.py [--seeds 300] [--trials 50]

Searches are replayed on benchmark tables; of the same searches the winner is named with `final: {top: 1}`,
`3` and `5`. The value of a winner is the mean of its retrainings, which have selected nothing. In the tables
of HPOBench the search sees the first of five seeds, and selection and retrainings get two others each; in
NAS-Bench-201 it sees 12 epochs, and they get one training of 200 epochs each. Differences are of the same
searches, with their standard errors. Prints Markdown.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from automl import plugins
from automl.benchmarks import find_file, load_table
from automl.config.defaults import NO_PRUNER
from automl.contracts import Config, Direction, Job, PluginSpec, Replay, Tabular, digest
from automl.executors.simulation import replay_search
from automl.selection import AGAIN, best_of, selected, shares

TOPS = (1, 3, 5)
UP = Direction.MAXIMIZE
CELLS = {
    "file": "nb201_cifar10.npz",
    "value": "cifar10_val12",
    "cost": "cifar10_cost12_s",
    "fresh": "cifar10_val200",
}
EVOLUTION = PluginSpec("regularized_evolution", {"population": 10, "sample": 3})


class Complete:
    """A trial of a replayed search, as a selection takes it."""

    def __init__(self, config: Config, value: float) -> None:
        self.config, self.value, self.key = config, value, digest(config)


def split_table(name: str, folder: Path) -> dict[str, str]:
    """A table of HPOBench in percent, with one seed for the search and four for what follows it."""
    with np.load(find_file(f"{name}.npz")) as found:
        arrays = {key: found[key] for key in found.files if not key.startswith(("val_", "train_"))}
        values, cost = 100 * found["val_acc"].astype(float), found["train_time"][:, 0].astype(float)
    shutil.copy(find_file(f"{name}.npz").parent / "search_space.json", folder)  # names its parameters
    columns = {
        "value": values[:, 0],
        "fresh": values[:, 1:].mean(1),
        "fresh_seeds": values[:, 1:],
        "cost": cost,
    }
    np.savez(folder / f"{name}.npz", **arrays, **columns)
    return {"file": str(folder / f"{name}.npz"), "value": "value", "cost": "cost", "fresh": "fresh"}


def searched(
    options: dict[str, str], strategy: PluginSpec, seed: int, trials: int, seeds: int
) -> dict[int, tuple[float, float]]:
    """By top: the value of the winner, and by how much the best trial of the search had flattered it."""
    spec = PluginSpec("lookup", options)
    evaluator = plugins.build("evaluators", spec)
    assert isinstance(evaluator, Tabular)
    replay = Replay(strategy, NO_PRUNER, seed, None, trials, seeds, top=max(TOPS))
    table = load_table(options["file"])
    job = Job(
        trial="",
        token="",
        attempt=1,
        space={"name": table.space_name or options["file"]},
        task={"dataset": None},
        metrics=[{"name": "accuracy", "direction": "maximize"}],
        evaluator=spec,
        protocol=spec,
        config={},
        seed=seed,
        workdir=".",
        devices=1.0,
        cpus=1.0,
        gpus=0.0,
        remaining=None,
        deadline=600.0,
        replay=replay,
    )
    complete, again = [], dict[str, list[float]]()
    for one in replay_search(job, replay, evaluator).trials:
        if one.kind == "trial" and one.outcome.values:
            complete.append(Complete(one.config, one.outcome.values[0]))
        elif one.kind == AGAIN and one.outcome.values:
            again.setdefault(digest(one.config), []).append(one.outcome.values[0])
    found = {}
    for top in TOPS:
        leaders = best_of(complete, top, UP)
        winner = selected(leaders, again if top > 1 else {}, UP)
        fresh = evaluator.fresh(winner.config)
        value = float(np.mean(fresh[: shares(len(fresh), seeds)[1]]))
        found[top] = value, float(winner is not leaders[0])
    return found


def rows(label: str, arm: str, found: list[dict[int, tuple[float, float]]]) -> Iterator[str]:
    """A row for each top."""
    first = np.array([one[1][0] for one in found])
    for top in TOPS:
        values = np.array([one[top][0] for one in found])
        changed = 100 * np.mean([one[top][1] for one in found])
        more = values - first
        gain = f"{more.mean():+.2f} ± {more.std(ddof=1) / np.sqrt(len(more)):.2f}" if top > 1 else ""
        yield f"| {label}, {arm} | {top} | {changed:.0f} | {values.mean():.2f} | {gain} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--trials", type=int, default=50)
    given = parser.parse_args()
    print("| table, arm | `top` | another winner % | mean value of the winner | more than `top: 1` |")  # noqa: T201
    print("|---|---:|---:|---:|---:|")  # noqa: T201
    arms = {"random": PluginSpec("random"), "evolution": EVOLUTION}
    with tempfile.TemporaryDirectory() as folder:
        for label in ("NAS-Bench-201", "segment", "car", "kc1", "australian"):
            options = CELLS if label == "NAS-Bench-201" else split_table(label, Path(folder))
            seeds = 1 if label == "NAS-Bench-201" else 2
            for arm, strategy in arms.items():
                found = [
                    searched(options, strategy, seed, given.trials, seeds) for seed in range(given.seeds)
                ]
                for row in rows(label, arm, found):
                    print(row, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
