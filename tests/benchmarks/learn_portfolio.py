"""Learns the portfolios of the spaces for tables from the shared tables. Run as a script, in two steps:

    AUTOML_DATA=… python tests/benchmarks/learn_portfolio.py measure scores.jsonl [--part 0/2] [--large]
    python tests/benchmarks/learn_portfolio.py choose scores.jsonl [--space tabular] [--size 8] [--large]

`measure` fits each candidate of `table_candidates.py` by one thread on three folds of at most 2,000 training
rows of each table, and adds a line to the file; what is in it already is not fitted again. `--large`: other
candidates, on all training rows of tables of 5,000 rows or more, but those of `bench_tables.py`; the list
that comes of it is for 4,000 training rows and more. `choose` prints
portfolios of a space, and what they would have been worth on tables that had no part in choosing them (leave
one table out): the mean regret after each configuration, against candidates in a random order. Regret: 0 for
the best candidate of a table, 1 for its median one, at most 1; of classes the mean of log-loss and balanced
accuracy.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench_tables import SETS
from table_candidates import candidates, large_candidates
from table_sets import table_sets

from automl import metrics, plugins
from automl.contracts import Config, Direction, Json, RunError, Split, Task, digest
from automl.space import Space
from automl.tables.folds import folds
from automl.tables.model import TableModel

ROWS, FOLDS = 2000, 3
LARGE, OF_TRAINING = (
    2000,
    1200,
)  # rows of a table from which on it has a list of its own; for training of them
MANY, OF_MANY = 5000, 4000  # the same for the list of large tables
SIGNS = {Direction.MINIMIZE: 1.0, Direction.MAXIMIZE: -1.0}
LEFT_OUT = {"706_sleuth_case1202", "519_vinnie", "1027_ESL"}  # a few hundred rows, four features or fewer
METRICS = {True: ("log_loss", "balanced_accuracy"), False: ("rmse",)}


def measure(file: Path, part: int, parts: int, *, large: bool) -> None:
    """Add to `file` what it lacks of one part of the tables."""
    known = {(line["set"], line["config"]) for line in lines(file)}
    tables = [one for one in table_sets() if one.name not in LEFT_OUT]
    if large:
        tables = [one for one in tables if one.rows >= MANY and one.name not in SETS.split(",")]
    for one in tables[part::parts]:
        task = one.task(METRICS[one.classifies][0])
        task = task if large else _fewer(task)
        for config in large_candidates() if large else candidates():
            key = digest(config)
            if (one.name, key) not in known:
                began = time.process_time()
                scores = _scores(config, task, METRICS[one.classifies])
                line = {"set": one.name, "rows": one.rows, "config": key, "scores": scores}
                with file.open("a", encoding="utf-8") as out:
                    print(json.dumps({**line, "seconds": round(time.process_time() - began, 3)}), file=out)


def lines(file: Path) -> list[Json]:
    """What was measured."""
    return (
        [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    )


def _fewer(task: Task) -> Task:
    rng = np.random.default_rng(0)
    places = np.sort(rng.permutation(len(task.train))[:ROWS])
    return replace(task, train=Split(task.train.x.iloc[places], task.train.y[places]))


def _scores(config: Config, task: Task, names: Sequence[str]) -> list[float]:
    """Mean values over the folds, so that less is better; none where one cannot be had."""
    found = []
    for fit, held in folds(task, FOLDS):
        model = TableModel(config, task.classes, 0, calibrate=True)
        try:
            p = model.fit(task.train.x.iloc[fit], task.train.y[fit]).predict(task.train.x.iloc[held])
            scores = metrics.score(names, task.train.y[held], p)
        except (ValueError, RunError) as error:  # a candidate that cannot be fitted here
            print(f"{task.name}: {config}: {error}", file=sys.stderr)  # noqa: T201
            return []
        found.append([SIGNS[metrics.DIRECTIONS[name]] * scores[name] for name in names])
    return np.mean(found, axis=0).tolist()


class Measured:
    """Regrets and seconds: tables × candidates of a space."""

    def __init__(self, file: Path, space: Space, *, large: bool) -> None:
        among = large_candidates() if large else candidates()
        self.large = large
        self.configs = [config for config in among if space.is_valid(config)]
        by_place = {(line["set"], line["config"]): line for line in lines(file)}
        keys = [digest(config) for config in self.configs]
        whole = [
            name
            for name in sorted({name for name, _ in by_place})
            if all((name, key) in by_place for key in map(digest, among))
        ]
        found = [[by_place[name, key] for key in keys] for name in whole]
        self.names = whole
        self.rows = np.array([row[0]["rows"] for row in found])
        self.seconds = np.array([[one["seconds"] for one in row] for row in found])
        self.regrets = np.array([_regrets([one["scores"] for one in row]) for row in found])

    def greedy(self, weights: np.ndarray, size: int) -> list[int]:
        """Candidates in the order of what each takes off the mean regret by its cost, the default first.

        Then those that take nothing off it, in their own order.
        """
        cost = 1 + (weights @ (self.seconds / self.seconds[:, :1])) / weights.sum()
        chosen, best = [0], self.regrets[:, 0]
        while len(chosen) < size:
            gains = weights @ (best[:, None] - np.minimum(best[:, None], self.regrets)) / cost**0.5
            gains[chosen] = -1.0
            chosen.append(int(gains.argmax()))
            best = np.minimum(best, self.regrets[:, chosen[-1]])
        return chosen

    def weights(self, least: int, without: int | None = None) -> np.ndarray:
        """Of tables for the list of `least` rows: those of its size count five times as much as others."""
        weights = np.where(self.large | ((self.rows >= LARGE) == (least > 0)), 1.0, 0.2)
        if without is not None:
            weights[without] = 0.0
        return weights


def _regrets(scores: list[list[float]]) -> list[float]:
    width = max(map(len, scores))
    table = np.array([row or [np.inf] * width for row in scores])
    low, middle = table.min(0), np.median(table, axis=0)
    return np.clip((table - low) / np.maximum(middle - low, 1e-12), 0, 1).mean(1).tolist()


def choose(file: Path, name: str, size: int, *, large: bool) -> None:
    """Print the portfolio of the space `name`, and what leaving one table out says of it."""
    measured = Measured(file, plugins.load("spaces", name), large=large)
    print(f"# {len(measured.names)} tables, {len(measured.configs)} candidates; mean regret after each:")  # noqa: T201
    for what, curve in judged(measured, size).items():
        print(f"# | {what} | {' | '.join(f'{value:.3f}' for value in curve)} |")  # noqa: T201
    leasts = (OF_MANY,) if large else (0, OF_TRAINING)
    lists = {least: measured.greedy(measured.weights(least), size)[1:] for least in leasts}
    print("PORTFOLIO = {")  # noqa: T201
    for least, chosen in lists.items():
        print(f"    {least}: [")  # noqa: T201
        for number in chosen:
            print(f"        {measured.configs[number]},")  # noqa: T201
        print("    ],")  # noqa: T201
    print("}")  # noqa: T201


def judged(measured: Measured, size: int) -> dict[str, np.ndarray]:
    """Mean regrets after each configuration of portfolios chosen without the table, and at random.

    Both begin with the default.
    """
    rng = np.random.default_rng(0)
    curves = defaultdict(list)
    for place, rows in enumerate(measured.rows):
        regrets = measured.regrets[place]
        least = OF_TRAINING if rows >= LARGE else 0
        curves["portfolio"].append(
            np.minimum.accumulate(regrets[measured.greedy(measured.weights(least, place), size)])
        )
        orders = [[0, *(1 + rng.permutation(len(regrets) - 1)[: size - 1])] for _ in range(500)]
        curves["at random"].append(
            np.mean([np.minimum.accumulate(regrets[order]) for order in orders], axis=0)
        )
    return {what: np.mean(rows, axis=0) for what, rows in curves.items()}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("measure", "choose"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--space", default="tabular")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--size", type=int, default=9, help="the default and so many less one")
    given = parser.parse_args()
    if given.step == "measure":
        measure(given.file, *map(int, given.part.split("/")), large=given.large)
    else:
        choose(given.file, given.space, given.size, large=given.large)


if __name__ == "__main__":
    main()
