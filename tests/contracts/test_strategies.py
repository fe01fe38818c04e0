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
from histories import LOSS, SIZE, SPACE, History, advance, plan, proposals, spec

from automl import plugins
from automl.contracts import Metric, Options, PluginSpec, TrialState, UserError
from automl.strategies.searcher import Searcher

STRATEGIES = plugins.names("strategies")
PRUNERS = plugins.names("pruners")
COSTLY = {"gp"}  # a tenth of a second and more a proposal


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def new(
    strategy: str, pruner: str = "none", metrics: tuple[Metric, ...] = (LOSS,), seed: int = 0
) -> Searcher:
    return Searcher(SPACE, spec(strategy), spec(pruner), list(metrics), seed)


def check_restore(strategy: str, pruner: str, cuts: int, trials: int, metrics: tuple[Metric, ...]) -> None:
    """Whatever event the driver dies after, the rebuilt search answers as the uninterrupted one."""
    events = plan(seed=len(strategy + pruner), trials=trials)
    searcher, whole, snapshots = new(strategy, pruner, metrics), History(), {}
    places = {len(events) * (cut + 1) // (cuts + 1) for cut in range(cuts)}
    for place, event in enumerate(events):
        if place in places:
            snapshots[place] = whole.copy()
        advance(searcher, whole, [event], metrics)
    assert snapshots
    for place, history in snapshots.items():
        rebuilt = new(strategy, pruner, metrics)
        history.restore(rebuilt)
        advance(rebuilt, history, events[place:], metrics)
        assert history.answers == whole.answers, f"cut after {place} events"
        assert history.trials == whole.trials


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


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_restored_search_goes_on_as_the_uninterrupted_one(strategy: str) -> None:
    check_restore(strategy, "median", cuts=4, trials=14 if strategy in COSTLY else 40, metrics=(LOSS,))


@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("strategy", ["random", "tpe"])
def test_restored_pruner_goes_on_as_the_uninterrupted_one(strategy: str, pruner: str) -> None:
    check_restore(strategy, pruner, cuts=6, trials=30, metrics=(LOSS,))


@pytest.mark.slow
@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name not in COSTLY])
def test_restored_at_many_points(strategy: str, pruner: str) -> None:
    check_restore(strategy, pruner, cuts=12, trials=20, metrics=(LOSS,))


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "cmaes"])
def test_restored_multi_objective_search(strategy: str) -> None:
    check_restore(strategy, "none", cuts=3, trials=7 if strategy in COSTLY else 24, metrics=(LOSS, SIZE))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_same_seed_same_search_other_seed_other_search(strategy: str) -> None:
    first = proposals(strategy, 0)
    assert proposals(strategy, 0) == first
    assert proposals(strategy, 1) != first


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_proposals_are_valid_and_plain(strategy: str) -> None:
    for config in proposals(strategy, 2):
        assert config is not None
        SPACE.check(config)
        assert json.loads(json.dumps(config)) == config
        kinds = {type(value) for value in config.values()}
        assert kinds <= {int, float, str, bool, type(None)}


def test_other_process_same_search() -> None:
    script = Path(histories.__file__)
    environment = {**os.environ, "PYTHONHASHSEED": "4242", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", str(script), *STRATEGIES]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=True, cwd=script.parent
    )
    assert json.loads(done.stdout) == {name: proposals(name, 3) for name in STRATEGIES}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_attributes_are_small_plain_json(strategy: str) -> None:
    searcher, history = new(strategy), History()
    advance(searcher, history, plan(0, 9))
    for row in history.trials.values():
        text = json.dumps(row.attributes, allow_nan=False)
        assert len(text) < 1000, text
        assert "80049" not in text  # the hex of a pickle's first bytes


@pytest.mark.parametrize(
    ("kind", "name"), [*(("strategies", n) for n in STRATEGIES), *(("pruners", n) for n in PRUNERS)]
)
def test_options_have_defaults_limits_and_a_docstring(kind: str, name: str) -> None:
    plugin = plugins.load(kind, name)
    assert issubclass(plugin.Options, Options)
    assert plugin.Options.__doc__ and plugin.__doc__
    assert plugins.summaries(kind)[name]
    plugin(plugin.Options())
    wrong = PluginSpec(name, {"no_such_option": 1})
    strategy, pruner = (wrong, PluginSpec("none")) if kind == "strategies" else (PluginSpec("random"), wrong)
    with pytest.raises(UserError, match="no_such_option"):
        Searcher(SPACE, strategy, pruner, [LOSS], 0)
    for option, field in plugin.Options.model_fields.items():
        assert field.metadata or "bool" in str(field.annotation) or "Literal" in str(field.annotation), option


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_values_that_are_not_finite_are_failures(strategy: str) -> None:
    searcher = new(strategy)
    for number, value in enumerate([float("nan"), float("inf"), float("-inf")]):
        assert searcher.ask(number) is not None
        assert searcher.report(number, 1, value) is False
        searcher.tell(number, TrialState.COMPLETE, [value])
    assert searcher.ask(3) is not None
    assert [trial.state.name for trial in searcher._study.trials[:3]] == ["FAIL"] * 3
