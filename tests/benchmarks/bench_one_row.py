"""What it costs to predict one row: beside an earlier checkout of this package, by turns. Run as a script:

    git worktree add ../before COMMIT
    python tests/benchmarks/bench_one_row.py --before ../before [--rounds 5] [--rows 600]

A process for each of the two fits the same pipelines on the same made-up table: numbers, categories, a date,
a text, missing cells. They then predict single rows by turns, from a DataFrame with the cells of a file to
one of predictions. Prints Markdown: the median milliseconds of processor time and of the clock of a row,
before and now. Ends with an error where a digit differs. Times of the first row, which goes both ways, are
those of the column "first".
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FAMILIES = ("linear", "knn", "svm", "random_forest", "extra_trees", "gradient_boosting", "mlp")
BOOSTERS = ("lightgbm", "xgboost", "catboost")
EACH = 10  # rows of a turn


def table(rows: int) -> pd.DataFrame:
    """A made-up table with the target `y`."""
    rng = np.random.default_rng(0)
    numbers = {f"number {place}": rng.normal(size=rows) for place in range(8)}
    words = {f"word {place}": rng.choice(list("abcdefgh"), rows) for place in range(5)}
    said = {"said": [" ".join(rng.choice(list("abcdefgh"), 6)) for _ in range(rows)]}
    days = {"day": pd.date_range("2020-01-01", periods=rows).astype(str)}
    found = pd.DataFrame({**numbers, **words, **said, **days, "y": rng.normal(size=rows)})
    found.loc[::7, "number 0"] = np.nan
    found.loc[::5, "word 0"] = None
    return found


def fitted(name: str, rows: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The function of rows that a fitted family, or "ensemble", is."""
    from automl.contracts import ReadColumn, TableReading  # of one of the two checkouts
    from automl.data.reading.rows import features_of
    from automl.export.table_folder import predictions
    from automl.tables.ensembles import Ensemble
    from automl.tables.model import TableModel
    from automl.tables.saved import Described

    kinds = {"number": "number", "word": "category", "said": "text", "day": "date"}
    data = table(rows)
    columns = [
        ReadColumn(column, kinds[column.split()[0]], format="ISO 8601" if column == "day" else "")  # type: ignore[arg-type]
        for column in data.columns.drop("y")
    ]
    described = Described(TableReading(tuple(columns), "y"), ())
    x, _ = features_of(described.reading, data)

    def one(family: str) -> TableModel:
        return TableModel({"model": family}, 0, 0, texts=("said",)).fit(x, data["y"].to_numpy())

    members = FAMILIES[:1] + FAMILIES[3:] if name == "ensemble" else (name,)
    models = [one(family) for family in members]
    model = models[0] if len(models) == 1 else Ensemble(models, [1 / len(models)] * len(models))
    return lambda row: predictions(model.fitted, described, row)[0]


def serve(rows: int) -> None:
    """Answer lines of JSON: a text is what to fit, a number the row from which on some are predicted."""
    data = table(rows).drop(columns="y")
    predict: Callable[[pd.DataFrame], pd.DataFrame] = pd.DataFrame  # until a model is asked for
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, str):
            predict = fitted(asked, rows)
            asked, many = 0, 1
        else:
            many = EACH
        parts = [data.iloc[[(asked + place) % rows]] for place in range(many)]
        clock, processor = time.perf_counter(), time.process_time()
        found = [float(predict(part)["prediction"].iloc[0]) for part in parts]
        times = (time.process_time() - processor, time.perf_counter() - clock)
        answer = {"ms": [1000 * one / many for one in times], "found": [value.hex() for value in found]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


class Checkout:
    """A process that uses the package in a folder."""

    def __init__(self, folder: Path, rows: int) -> None:
        command = [sys.executable, __file__, "--serve", "--rows", str(rows)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        environment = {**os.environ, "PYTHONPATH": str(folder.resolve())}
        self.process: Any = subprocess.Popen(command, env=environment, text=True, **pipes)

    def ask(self, what: str | int) -> dict[str, Any]:
        """Its answer to one line."""
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--families", default=",".join((*FAMILIES, *BOOSTERS, "ensemble")))
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    if given.serve:
        serve(given.rows)
        return
    if given.before is None:
        parser.error("--before must name a folder with an earlier checkout")
    both = [Checkout(folder, given.rows) for folder in (given.before, Path(__file__).parents[2])]
    print("| model | before: processor, clock | now | first |\n|---|---:|---:|---:|")  # noqa: T201
    for name in given.families.split(","):
        first = [one.ask(name) for one in both]
        answers = [[one.ask(EACH * turn) for one in both] for turn in range(given.rounds)]
        for old, new in [first, *answers]:
            if old["found"] != new["found"]:
                raise SystemExit(f"{name}: predictions differ: {old['found']}, {new['found']}")
        cells = []
        for place in (0, 1):
            times = list(zip(*(turn[place]["ms"] for turn in answers), strict=True))
            cells.append(", ".join(f"{statistics.median(one):.2f}" for one in times) + " ms")
        print(f"| {name} | {' | '.join(cells)} | {first[1]['ms'][0]:.0f} ms |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
