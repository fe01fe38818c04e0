"""What an ensemble is worth: on the test rows, beside the best trial of the same search. Run as a script:

    AUTOML_DATA=… python tests/benchmarks/bench_ensembles.py [--sets vehicle,auto_mpg] [--trials 15]

Each table is divided as in `bench_tables.py`; `automl fit` searches so many trials with each arm, without a
limit that matters. Prints Markdown, a row for each arm: the metric of the ensemble and of its first member,
which is the best trial fitted on the same rows with the same seed; members; device-seconds of all fits;
milliseconds of processor time to predict one row, by both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
from bench_tables import Divided, divide
from table_sets import table_sets

from automl.export.table_folder import predictions
from automl.ledger import Ledger, resolve_store
from automl.tables import saved

SETS = "titanic,vehicle,phoneme,german_credit,auto_mpg,house_prices_ames"
ROWS = 5  # that are predicted one by one


def searched(table: Divided, trials: int) -> Path:
    """The store of a campaign over the training rows."""
    store = table.folder / "store"
    words = ["--target", "target", "--metric", table.metric, "--minutes", "60", "--name", "bench"]
    budget = ["--set", f"budget={{trials: {trials}}}", "--progress", "quiet"]
    command = [sys.executable, "-m", "automl.cli", "fit", "train.csv", *words, *budget]
    environment = {**os.environ, "AUTOML_DATA": "", "AUTOML_STORE": str(store)}
    subprocess.run(command, cwd=table.folder, env=environment, check=True, capture_output=True)
    return store


def predicted(model: Any, described: saved.Described, table: Divided) -> tuple[float, float]:
    """The metric on the test rows, and milliseconds of processor time for one row."""
    rows = pd.read_csv(table.folder / "test.csv")
    out = table.folder / "predictions.csv"
    predictions(model, described, rows)[0].to_csv(out, index=False)
    began = time.process_time()
    for place in range(ROWS):
        predictions(model, described, rows.iloc[[place]])
    return table.score(out), 1000 * (time.process_time() - began) / ROWS


def compared(table: Divided, trials: int) -> None:
    """Print a row for each arm."""
    store = searched(table, trials)
    with Ledger(resolve_store({"AUTOML_STORE": str(store)})) as ledger:
        finals = [row for row in ledger.trials(campaign="bench-1") if row.kind == "final"]
    for row in finals:
        folder = Path(row.workdir or "") / "model"
        members = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("members", [])
        model, described = saved.load(folder)
        score, cost = predicted(model, described, table)
        alone, single = predicted(model.estimators_[0], described, table) if members else (score, cost)
        cells = f"{score:.4g} | {alone:.4g} | {len(members) or 1} | {row.device_seconds:.1f}"
        name = f"{table.name}, {table.metric}, {row.search.split('/')[1]}"
        print(f"| {name} | {cells} | {cost:.0f} / {single:.0f} |", flush=True)  # noqa: T201


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--trials", type=int, default=15)
    given = parser.parse_args()
    known = {one.name: one for one in table_sets()}
    head = "table, metric, arm | ensemble | best alone | members | fits, s | one row, ms"
    print(f"| {head} |\n|---|{'---:|' * 5}")  # noqa: T201
    with tempfile.TemporaryDirectory() as root:
        for name in given.sets.split(","):
            compared(divide(known[name], Path(root) / name, 0), given.trials)


if __name__ == "__main__":
    main()
