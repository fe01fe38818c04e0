"""Cost of one trial in the searcher: ask, three reports, tell. Run as a script:

    python tests/benchmarks/bench_strategies.py [--trials 2000] [--only random]

Milliseconds are medians of 100 trials around the 200th and at the end; `growth` is their ratio.
`memory` is what the Python heap grew by between those places, per trial.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import tracemalloc

from automl import plugins
from automl.contracts import Direction, Metric, PluginSpec, TrialState
from automl.space import Choice, Float, Int, Space
from automl.strategies.searcher import Searcher

SPACE = Space(
    {"lr": Float(1e-4, 1e-1, log=True), "width": Int(8, 256, step=8), "act": Choice(["relu", "gelu"])},
    network=lambda *_: None,  # for proxy_screen, which is told scores of none here
)
TRIALS = {"tpe": 500, "gp": 40, "nsga2": 500, "grid": 600}  # those that grow with the history, or end
WINDOW = 100


def searcher(strategy: str, pruner: str) -> Searcher:
    options = {"points": 40} if strategy == "grid" else {}
    metric = Metric("loss", Direction.MINIMIZE)
    return Searcher.build(SPACE, PluginSpec(strategy, options), PluginSpec(pruner), [metric], 0)


def step(search: Searcher, number: int) -> None:
    config = search.ask(number)
    if config is None:
        raise SystemExit(f"nothing left to propose at trial {number}: ask for fewer --trials")
    value = float(str(config["width"])) * float(str(config["lr"]))
    if any(search.report(number, at, value / at) for at in (1, 2, 3)):
        search.tell(number, TrialState.PRUNED, None)
    else:
        search.tell(number, TrialState.COMPLETE, [value / 3])


def measure(strategy: str, pruner: str, trials: int) -> tuple[float, float]:
    """Median milliseconds of a trial around the 200th (or the middle) and at the end."""
    search, costs = searcher(strategy, pruner), []
    for number in range(trials):
        start = time.perf_counter()
        step(search, number)
        costs.append(1e3 * (time.perf_counter() - start))
    early = min(200, trials // 2)
    width = min(WINDOW, trials // 4)
    return statistics.median(costs[early - width // 2 : early + width // 2]), statistics.median(
        costs[-width:]
    )


def memory(strategy: str, pruner: str, trials: int) -> float:
    """KiB that the heap grows by for each trial after the first tenth."""
    search, first = searcher(strategy, pruner), trials // 10
    tracemalloc.start()
    for number in range(trials):
        if number == first:
            before = tracemalloc.get_traced_memory()[0]
        step(search, number)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / (trials - first) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--only", help="one strategy or pruner")
    given = parser.parse_args()
    pairs = [(strategy, "none") for strategy in plugins.names("strategies")]
    pairs += [("random", pruner) for pruner in plugins.names("pruners") if pruner != "none"]
    columns = f"{'trials':>7}{'early ms':>10}{'late ms':>9}{'growth':>8}{'KiB/trial':>11}"
    sys.stdout.write(f"{'strategy':14}{'pruner':12}{columns}\n")
    for strategy, pruner in pairs:
        if given.only not in (None, strategy, pruner):
            continue
        trials = min(given.trials, TRIALS.get(strategy, given.trials))
        early, late = measure(strategy, pruner, trials)
        kept = memory(strategy, pruner, min(trials, 500))
        sys.stdout.write(
            f"{strategy:14}{pruner:12}{trials:7}{early:10.3f}{late:9.3f}{late / early:8.2f}{kept:11.1f}\n"
        )


if __name__ == "__main__":
    main()
