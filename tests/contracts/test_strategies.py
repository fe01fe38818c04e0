"""Every strategy and pruner, found by discovery: a pure function of the seed and the history."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import histories
import pytest
import torch
from histories import LOSS, SIZE, SPACE, proposals, spec

from automl import plugins
from automl.checking import Check, pruners, strategies
from automl.checking.searches import check_restored
from automl.contracts import Metric, PluginSpec, UserError
from automl.strategies.searcher import Searcher

STRATEGIES = plugins.names("strategies")
PRUNERS = plugins.names("pruners")
COSTLY = {"gp"}  # a tenth of a second and more a proposal
CHECKS = [
    *((name, check) for name in STRATEGIES for check in strategies.checks(plugins.load("strategies", name))),
    *((name, check) for name in PRUNERS for check in pruners.checks(plugins.load("pruners", name))),
]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(("name", "check"), CHECKS, ids=lambda value: getattr(value, "name", value))
def test_plugin(name: str, check: Check) -> None:
    check.run()


@pytest.mark.parametrize("name", ["cmaes", "local_search", "nsga2", "regularized_evolution", "tpe"])
def test_one_that_learns_and_denies_it_is_found(name: str) -> None:
    known = plugins.load("strategies", name)
    denies = type(known.__name__, (known,), {"learns": False})
    with pytest.raises(AssertionError, match="leave learns = True"):
        strategies.check_learns(denies)


def test_all_are_found() -> None:
    assert {
        "random",
        "grid",
        "quasi_random",
        "regularized_evolution",
        "local_search",
        "tpe",
        "gp",
        "cmaes",
        "nsga2",
    } <= set(STRATEGIES)
    assert {"none", "median", "asha", "hyperband", "wilcoxon"} <= set(PRUNERS)


def restored(strategy: str, pruner: str, trials: int, cuts: int, *metrics: Metric) -> None:
    def make() -> Searcher:
        return Searcher.build(SPACE, spec(strategy), spec(pruner), list(metrics), 0)

    check_restored(make, trials, metrics, cuts)


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name not in COSTLY])
def test_a_pruned_search_goes_on_as_the_uninterrupted_one(strategy: str) -> None:
    restored(strategy, "median", 40, 4, LOSS)


@pytest.mark.parametrize("pruner", PRUNERS)
def test_a_pruner_goes_on_with_any_strategy(pruner: str) -> None:
    restored("tpe", pruner, 30, 6, LOSS)


@pytest.mark.slow
@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name not in COSTLY])
def test_restored_at_many_points(strategy: str, pruner: str) -> None:
    restored(strategy, pruner, 20, 12, LOSS)


def test_strategies_say_how_many_metrics_they_take() -> None:
    for name in STRATEGIES:
        most = plugins.load("strategies", name).max_objectives
        if most is not None:
            metrics = [LOSS, SIZE, Metric("flops", SIZE.direction)][: most + 1]
            with pytest.raises(UserError, match="metric"):
                Searcher.build(SPACE, spec(name), PluginSpec("none"), metrics, 0)


REMEMBERING = [name for name in STRATEGIES if plugins.load("strategies", name).remembers != "nothing"]


def test_baselines_remember_and_learn_nothing() -> None:
    assert {name for name in STRATEGIES if not plugins.load("strategies", name).learns} == (
        set(STRATEGIES) - set(REMEMBERING)
    )
    assert {"random", "quasi_random", "grid"} == set(STRATEGIES) - set(REMEMBERING)


@pytest.mark.slow
@pytest.mark.parametrize(("what", "names"), [("fresh", STRATEGIES), ("remembering", REMEMBERING)])
def test_other_process_same_search(what: str, names: list[str]) -> None:
    script = Path(histories.__file__)
    environment = {**os.environ, "PYTHONHASHSEED": "4242", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", str(script), what, *names]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=True, cwd=script.parent
    )
    remembering = what == "remembering"
    assert json.loads(done.stdout) == {name: proposals(name, 3, remembering=remembering) for name in names}


@pytest.mark.parametrize(
    ("kind", "name"), [*(("strategies", n) for n in STRATEGIES), *(("pruners", n) for n in PRUNERS)]
)
def test_our_options_have_defaults_and_limits(kind: str, name: str) -> None:
    plugin = plugins.load(kind, name)
    plugin(plugin.Options())
    for option, field in plugin.Options.model_fields.items():
        assert field.metadata or "bool" in str(field.annotation) or "Literal" in str(field.annotation), option
