"""What the ledger costs a trial: start, three reports and the end, each a durable transaction of its own.

Run: python tests/benchmarks/bench_ledger.py [--trials 500] [--store FOLDER or postgresql://…]
Compares with the floor: the same five commits by hand on a plain SQLite file of the same disk.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from automl.contracts import Outcome, Report, TrialState
from automl.ledger import Ledger, NewTrial, resolve_store
from automl.storage import open_ledger

REPORTS = 3


def ledger_trials(ledger: Ledger) -> Callable[[int], None]:
    """One trial through the ledger, by number."""
    campaign = ledger.create_campaign("benchmark", {}, "d", {})
    search = ledger.add_search(campaign.id, "random", 0).id

    def run(number: int) -> None:
        row = ledger.start_trial(
            search, NewTrial("trial", number, {"x": 0.1, "y": 0.2}, seed=1, asked_after=number, workdir=None)
        )
        for step in range(REPORTS):
            ledger.report(row.id, row.token, Report(step, 0.5, 0.01))
        outcome = Outcome(TrialState.COMPLETE, 0.03, [0.5])
        ledger.finish_trial(row.id, row.token, outcome, told=number, attributes={})

    return run


def floor(folder: Path) -> Callable[[int], None]:
    """The five commits of one trial, by hand."""
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (a, b);")

    def run(number: int) -> None:
        for step in range(REPORTS + 2):
            connection.execute("INSERT INTO t VALUES (?, ?)", (number, step))

    return run


def timed(run: Callable[[int], None], numbers: range) -> list[float]:
    """Milliseconds of each run."""
    spent = []
    for number in numbers:
        started = time.perf_counter()
        run(number)
        spent.append(1000 * (time.perf_counter() - started))
    return spent


def main() -> None:
    """Measure in turns and write a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--store", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger = open_ledger(resolve_store({"AUTOML_STORE": arguments.store}, folder))
        ways = {"ledger": ledger_trials(ledger), "floor": floor(folder)}
        spent: dict[str, list[float]] = {way: [] for way in ways}
        cpu = dict.fromkeys(ways, 0.0)
        for block in range(0, arguments.trials, 50):
            for way, run in ways.items():
                before = time.process_time()
                spent[way] += timed(run, range(block, min(block + 50, arguments.trials)))
                cpu[way] += time.process_time() - before
        ledger.close()
    for way, times in spent.items():
        high = statistics.quantiles(times, n=20)[-1]
        sys.stdout.write(
            f"{way:8} median {statistics.median(times):.2f} ms, 95 % {high:.2f} ms, "
            f"CPU {1000 * cpu[way] / len(times):.2f} ms a trial\n"
        )


if __name__ == "__main__":
    main()
