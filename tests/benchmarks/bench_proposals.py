"""What a proposal costs after very many trials. Run as a script:

    python tests/benchmarks/bench_proposals.py [--trials 100 1000 10000 100000] [--rounds 3] [--values 6]

Searches of those sizes are restored; then each makes ten proposals and is told their values, in turn with
the others, in each round. Prints milliseconds of processor time of an ask and its tell, the least of all:
`random`, `tpe`, `tpe` with the density of all bad trials (`kernels: null`), and Optuna's own sampler.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from typing import Any

from optuna.samplers import TPESampler

from automl import plugins
from automl.checking.searches import LOSS, trial_row
from automl.contracts import PluginSpec, Strategy, TrialState
from automl.space import Choice, Float, Int, Space
from automl.strategies.searcher import Searcher

SPACE = Space(
    {"lr": Float(1e-4, 1e-1, log=True), "width": Int(8, 256, step=8), "act": Choice(["relu", "gelu"])}
)
MOST = 10_000  # trials with which all bad ones are tried
EACH = 10  # proposals


def searcher(way: str, trials: int) -> Searcher:
    """A search after so many trials at random."""
    name, _, option = way.partition(" ")
    strategy: Strategy = plugins.build(
        "strategies", PluginSpec(name, {"kernels": None} if option == "all" else {})
    )
    if option == "optuna":
        strategy.sampler = lambda space, metrics, seed, search_seed: TPESampler(  # type: ignore[method-assign]
            seed=seed, multivariate=True, constant_liar=True
        )
    search = Searcher(SPACE, strategy, plugins.build("pruners", PluginSpec("none")), [LOSS], 0)
    rng, rows = random.Random(0), []
    for number in range(trials):
        config = SPACE.sample(rng)
        ended: dict[str, Any] = {"told": number, "state": TrialState.COMPLETE, "finished_at": 1.0}
        rows.append(trial_row(number, config, number, values=[_loss(config)], **ended))
    search.restore(rows, {})
    return search


def _loss(config: Any) -> float:
    return float(config["width"]) * float(config["lr"])


def proposals(search: Searcher, first: int) -> float:
    """Milliseconds of one of ten."""
    began = time.process_time()
    for number in range(first, first + EACH):
        config = search.ask(number)
        search.tell(number, TrialState.COMPLETE, [_loss(config)])
    return 1000 * (time.process_time() - began) / EACH


def best(kernels: int | None, seed: int, trials: int) -> float:
    """The least value that `tpe` finds of a function of four floats with many local minima."""
    space = Space({name: Float(-5.12, 5.12) for name in "abcd"})
    spec = PluginSpec("tpe", {"kernels": kernels})
    search, found = Searcher.build(space, spec, PluginSpec("none"), [LOSS], seed), math.inf
    for number in range(trials):
        config = search.ask(number) or {}
        xs = [float(str(value)) for value in config.values()]
        value = sum(x * x - 10 * math.cos(2 * math.pi * x) + 10 for x in xs)
        search.tell(number, TrialState.COMPLETE, [value])
        found = min(found, value)
    return found


def values(trials: int, seeds: int) -> None:
    """What a bound of a sixth of the trials does to the values that are found, seed by seed."""
    pairs = [(best(trials // 6, seed, trials), best(None, seed, trials)) for seed in range(seeds)]
    for name, found in zip(("bounded", "all"), zip(*pairs, strict=True), strict=True):
        sys.stdout.write(
            f"{name:8} median {statistics.median(found):.2f}: {[round(one, 2) for one in found]}\n"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--values", type=int, default=0, metavar="SEEDS", help="of 600 trials instead")
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if given.values:
        values(600, given.values)
        return
    ways = ("random", "tpe", "tpe all", "tpe optuna")
    searches = {
        (way, trials): searcher(way, trials)
        for way in ways
        for trials in given.trials
        if trials <= MOST or way in ("random", "tpe")
    }
    costs: dict[tuple[str, int], list[float]] = {key: [] for key in searches}
    for turn in range(given.rounds + 1):
        for (way, trials), search in searches.items():
            cost = proposals(search, trials + turn * EACH)
            if turn:  # the first reads the history
                costs[way, trials].append(cost)
    sys.stdout.write(f"| trials before | {' | '.join(f'{trials:,}' for trials in given.trials)} |\n|---|")
    sys.stdout.write("---|" * len(given.trials) + "\n")
    for way in ways:
        cells = [
            f"{min(costs[way, trials]):.2f}" if (way, trials) in costs else "" for trials in given.trials
        ]
        sys.stdout.write(f"| {way} | {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
