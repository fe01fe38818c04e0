"""This program against others on tables: the same rows, the same seconds. Run as a script:

    AUTOML_DATA=… python tests/benchmarks/bench_tables.py [--sets titanic,adult] [--seconds 60] [--seeds 2]
        [--own "NAME=PYTHON [OPTION …]" …] [--flaml PYTHON] [--autogluon PYTHON] [--keep FILE]

Each table is divided, once for each seed, into rows to learn from and a fifth to be predicted. Every program
gets both as files, in a process of its own, one after the other, in an order that moves on with each table.
`own`: `automl fit` with further options, such as `--set evaluator.pipeline.ensemble=0`, then `automl
predict`; with `--own ""` not at all. `booster`: gradient boosting of scikit-learn with its defaults. FLAML
and AutoGluon, each in an environment of its own, given by its Python; what is not given is said. Seconds are
those of the clock, from the start of the process to its end, of `own` those of `fit`. Prints Markdown:
scores (ROC AUC of two classes, log-loss of more, RMSE), mean ranks, in which failures are last, overruns and
failures. `--keep` writes every run into a file, a line of JSON each, and takes from it what was run before:
so programs can be measured by turns, and a benchmark goes on where it was ended.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from table_sets import DROPPED, TableSet, table_sets

from automl import metrics
from automl.contracts import Direction

SETS = (
    "titanic,vehicle,phoneme,orange_juice_missing,wine-quality-white,sonar,segmentation,splice,"
    "adult,house_prices_ames,california_housing_raw,auto_mpg"
)
TESTED, PATIENCE, SLACK = 0.2, 4.0, (1.05, 5.0)  # an overrun: more than 1.05 times the seconds and 5
PROGRAMS = ("booster", "flaml", "autogluon")
PEERS = Path(__file__).with_name("table_peers.py")


@dataclass(frozen=True)
class Divided:
    """A table on the disk: `train.csv`, `test.csv` without the target, and that."""

    name: str
    folder: Path
    kind: str
    metric: str
    truth: pd.Series

    def score(self, file: Path) -> float:
        """The metric of the predictions in `file`. Raises what reading or scoring raises."""
        found = pd.read_csv(file)
        if self.kind == "numbers":
            return self._of(self.truth.to_numpy(float), found["prediction"].to_numpy(float))
        names = [str(name).removeprefix("probability_") for name in found]
        found.columns = names
        labels = sorted(set(self.truth))
        p = found[labels].to_numpy(float)
        y = np.searchsorted(labels, self.truth)
        return self._of(y, p / p.sum(axis=1, keepdims=True))

    def _of(self, y: np.ndarray, prediction: np.ndarray) -> float:
        return metrics.score([self.metric], y, prediction)[self.metric]


@dataclass(frozen=True)
class Run:
    """What became of one program on one table; no score: it failed, and why."""

    score: float | None
    seconds: float
    failure: str = ""


@dataclass(frozen=True)
class Kept:
    """The runs of before, in a file; none: nothing is kept."""

    file: Path | None

    def run(self, key: tuple[str, int, float, str], measure: Callable[[], Run]) -> Run:
        """What was kept for table, seed, seconds and program, else what `measure` gives, and keep it."""
        if self.file is None:
            return measure()
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        before = {tuple(one["key"]): Run(**one["run"]) for one in map(json.loads, lines)}
        if key in before:
            return before[key]
        run = measure()
        with self.file.open("a") as out:
            out.write(json.dumps({"key": key, "run": asdict(run)}) + "\n")
        return run


def divide(one: TableSet, folder: Path, seed: int) -> Divided:
    """Write the parts of a table into `folder`, by class where it has classes."""
    from sklearn.model_selection import train_test_split

    table = pd.read_csv(one.file, sep=None, engine="python").drop(columns=DROPPED.get(one.name, []))
    table = table.rename(columns={one.target: "target"}).dropna(subset="target")
    if one.classifies:
        table["target"] = "class " + table["target"].astype(str)
    by = table["target"] if one.classifies else None
    train, test = train_test_split(table, test_size=TESTED, random_state=seed, stratify=by)
    folder.mkdir(parents=True)
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns="target").to_csv(folder / "test.csv", index=False)
    metric = "rmse" if not one.classifies else "roc_auc" if table["target"].nunique() == 2 else "log_loss"
    return Divided(one.name, folder, "classes" if one.classifies else "numbers", metric, test["target"])


def peer(program: str, python: str, table: Divided, seconds: float) -> Run:
    """A program of `table_peers.py`."""
    out = table.folder / f"{program}.csv"
    files = [str(table.folder / name) for name in ("train.csv", "test.csv")]
    command = [python, str(PEERS), program, *files, table.kind, table.metric, str(seconds), str(out)]
    spent, failure = _call(command, table.folder, seconds)
    return _scored(table, out, spent, failure)


def own(name: str, words: str, table: Divided, seconds: float) -> Run:
    """Our program: Python and further options of `automl fit`."""
    python, *more = shlex.split(words)
    folder = table.folder / name
    folder.mkdir()
    (folder / "bench.csv").write_bytes((table.folder / "train.csv").read_bytes())
    automl, out = [python, "-m", "automl.cli"], folder / "predictions.csv"
    wanted = ["--target", "target", "--metric", table.metric, "--minutes", f"{seconds / 60:.6g}"]
    spent, failure = _call([*automl, "fit", "bench.csv", *wanted, *more], folder, seconds)
    if not failure:
        command = [*automl, "predict", "bench", str(table.folder / "test.csv"), "-o", str(out)]
        failure = _call(command, folder, seconds)[1]
    return _scored(table, out, spent, failure)


def _call(command: list[str], folder: Path, seconds: float) -> tuple[float, str]:
    """Seconds that a process took, and why it failed. It is ended after `PATIENCE` times its and a minute."""
    began = time.monotonic()
    environment = {**os.environ, "AUTOML_DATA": ""}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE * seconds + 60,
        )
    except subprocess.TimeoutExpired:
        return time.monotonic() - began, "did not end"
    last = (done.stderr.strip() or "no message").splitlines()[-1][:200]
    return time.monotonic() - began, f"exit {done.returncode}: {last}" if done.returncode else ""


def _scored(table: Divided, out: Path, spent: float, failure: str) -> Run:
    try:
        return Run(None, spent, failure) if failure else Run(table.score(out), spent)
    except (OSError, KeyError, ValueError) as error:
        return Run(None, spent, f"no predictions: {error!r}"[:200])


def ranks(table: Divided, runs: dict[str, Run]) -> dict[str, float]:
    """From 1, the best; equal scores share a rank, and failures the last ones."""
    sign = 1 if metrics.DIRECTIONS[table.metric] is Direction.MINIMIZE else -1
    losses = {name: np.inf if run.score is None else sign * run.score for name, run in runs.items()}
    return {
        name: 1 + sum(other < loss for other in losses.values()) + (list(losses.values()).count(loss) - 1) / 2
        for name, loss in losses.items()
    }


def programs(given: argparse.Namespace) -> list[tuple[str, str]]:
    """Name and Python of what takes part, and a word on what does not."""
    found = [("booster", sys.executable)]
    for name in ("flaml", "autogluon"):
        python = getattr(given, name)
        if python is None:
            print(f"{name} takes no part: give its environment by --{name} PYTHON", file=sys.stderr)  # noqa: T201
        else:
            found.append((name, python))
    return [*found, *(item.split("=", 1) for item in given.own or [f"own={sys.executable}"] if item)]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--own", action="append")
    parser.add_argument("--flaml")
    parser.add_argument("--autogluon")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    wanted = given.sets.split(",")
    known = {one.name: one for one in table_sets()}
    taking, everything, kept = programs(given), defaultdict(list), Kept(given.keep)
    with tempfile.TemporaryDirectory() as root:
        rounds = [(seed, name) for seed in range(given.seeds) for name in wanted]
        for number, (seed, name) in enumerate(rounds):
            table = divide(known[name], Path(root) / f"{name}-{seed}", seed)
            runs: dict[str, Run] = {}
            for program, python in [*taking[number % len(taking) :], *taking[: number % len(taking)]]:
                measured = partial(
                    peer if program in PROGRAMS else own, program, python, table, given.seconds
                )
                runs[program] = kept.run((name, seed, given.seconds, program), measured)
            _print(table, runs, given.seconds, everything, first=not number)
    print("\n| program | mean rank | overruns | failures |\n|---|---:|---:|---:|")  # noqa: T201
    for program, rows in everything.items():
        rank, over, failed = np.mean(rows, axis=0) * [1, len(rows), len(rows)]
        print(f"| {program} | {rank:.2f} | {over:.0f} | {failed:.0f} |")  # noqa: T201


def _print(
    table: Divided,
    runs: dict[str, Run],
    seconds: float,
    everything: dict[str, list[list[float]]],
    first: bool,
) -> None:
    names = sorted(runs)
    if first:
        print(f"| table, metric | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")  # noqa: T201
    placed = ranks(table, runs)
    cells = [
        f"{runs[name].failure}"
        if runs[name].score is None
        else f"{runs[name].score:.4g} ({runs[name].seconds:.0f} s)"
        for name in names
    ]
    print(f"| {table.name}, {table.metric} | {' | '.join(cells)} |", flush=True)  # noqa: T201
    for name in names:
        late = runs[name].seconds > SLACK[0] * seconds + SLACK[1]
        everything[name].append([placed[name], late, runs[name].score is None])


if __name__ == "__main__":
    main()
