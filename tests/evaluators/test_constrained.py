"""What evaluators measure for constraints, before they train where that can be known; they train the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import toy_benchmark
from fake_context import TINY_CONFIG, FakeContext, TinySpace, image_task
from test_pipeline import SPACE, task
from test_pipeline_ensembles import CONFIGS, PIPELINE, read_task

from automl.contracts import KEPT, Bounds, Candidate, Config, Direction, Metric, TrialStopped
from automl.evaluators.lookup import Lookup, LookupOptions
from automl.evaluators.network import Network
from automl.evaluators.pipeline import Pipeline, PipelineOptions
from automl.evaluators.supernet import Supernet
from automl.oneshot.options import SupernetOptions
from automl.searchspaces.nasbench201 import PLUGIN as NASBENCH201
from automl.training.recipe import NetworkOptions

PARAMETERS = 4 * 9 + 2 * 4 + 3 * 16 + 3  # of the tiny network
OPTIONS = NetworkOptions(epochs=2, batch_size=32, channels=4)
ROC_AUC = Metric("roc_auc", Direction.MAXIMIZE)
FOREST: Config = {"model": "extra_trees", "forest_trees": 10}


def at_most(**bounds: float) -> dict[str, Bounds]:
    return {name: Bounds(at_most=bound) for name, bound in bounds.items()}


def images(path: Path, **fields: Any) -> FakeContext:
    return FakeContext(path, **{"given_task": image_task(), "space": TinySpace(), **fields})


def test_a_network_is_measured_before_it_is_trained_and_trains_the_same(tmp_path: Path) -> None:
    plain = images(tmp_path / "plain", final=True)
    bounds = at_most(parameters=PARAMETERS, flops=1e9, latency=10, model_size=1e6) | {
        "f1": Bounds(at_least=0)
    }
    bounded = images(tmp_path / "bounded", final=True, constraints=bounds)
    results = [Network(OPTIONS).evaluate(TINY_CONFIG, one) for one in (plain, bounded)]
    assert plain.known == {} and bounded.known["parameters"] == PARAMETERS
    assert bounded.known["model_size"] == 4 * PARAMETERS + 4 * 8 + 8  # and the statistics of the norm
    assert 0 < bounded.known["latency"] < 1 and bounded.known["flops"] > 0
    assert results[0].values == results[1].values and plain.reports == bounded.reports
    assert "f1" in results[1].metrics and "f1" not in results[0].metrics
    weights = [
        torch.load(one.workdir / "model" / "weights.pt", weights_only=True) for one in (plain, bounded)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_network_that_is_too_large_is_not_trained(tmp_path: Path) -> None:
    found = images(tmp_path, constraints=at_most(parameters=PARAMETERS - 1))
    with pytest.raises(TrialStopped, match=f"parameters is {PARAMETERS}, but must be at most"):
        Network(OPTIONS).evaluate(TINY_CONFIG, found)
    assert found.reports == []


def test_an_auxiliary_head_does_not_count(tmp_path: Path) -> None:
    options = OPTIONS.model_copy(update={"epochs": 1, "channels": 2, "cells": 1, "auxiliary": 0.4})
    config = NASBENCH201.default_config()
    found = images(
        tmp_path, given_task=image_task(24, side=16), space=NASBENCH201, constraints=at_most(parameters=1e9)
    )
    result = Network(options).evaluate(config, found)
    assert found.known["parameters"] == result.metrics["parameters"]


def one_shot(path: Path, most: float) -> FakeContext:
    return images(
        path,
        given_task=image_task(48),
        space=NASBENCH201,
        protocol=Network(NetworkOptions(epochs=1, batch_size=32, channels=2, cells=1)),
        constraints=at_most(parameters=most),
    )


def searched(context: FakeContext) -> Any:
    return Supernet(SupernetOptions(epochs=1, batch_size=16)).evaluate({}, context)


@pytest.mark.slow
def test_a_one_shot_search_chooses_a_network_that_keeps_its_bounds(tmp_path: Path) -> None:
    free = searched(one_shot(tmp_path / "free", 1e9))
    assert free.note == "", "nothing had to be changed"
    most = free.metrics["parameters"] - 1
    kept = searched(one_shot(tmp_path / "kept", most))
    assert kept.metrics["parameters"] <= most and kept.derived != free.derived
    assert kept.note.endswith("changes of what the search chose keep constraints")
    assert kept.derived == searched(one_shot(tmp_path / "again", most)).derived


def test_a_derived_network_that_no_change_makes_small_enough_is_not_trained(tmp_path: Path) -> None:
    found = one_shot(tmp_path, 1)
    with pytest.raises(TrialStopped, match="parameters is "):
        searched(found)
    assert [step for step, _, _ in found.reports] == [], "the search is done, and nothing is trained"


@pytest.mark.parametrize("name", ["parameters", "size"])
def test_a_table_tells_sizes_before_any_cost(name: str, tmp_path: Path) -> None:
    file = toy_benchmark.write(tmp_path / "toy.npz")
    options = {"value": "value_3", "cost": "cost_3", "metrics": {name: "value_1"}}
    evaluator = Lookup(LookupOptions(file=str(file), **options))
    context = FakeContext(tmp_path, constraints=at_most(**{name: -1}))
    assert evaluator.measures() == {name: "value_1"}
    if name == "parameters":
        with pytest.raises(TrialStopped, match="parameters is "):
            evaluator.evaluate(toy_benchmark.CONFIG, context)
        assert context.charged == []
    else:
        assert name in evaluator.evaluate(toy_benchmark.CONFIG, context).metrics and context.charged


def tables(path: Path, **fields: Any) -> FakeContext:
    given = {"given_task": task(2, 150), "space": SPACE, "metrics": [ROC_AUC]}
    return FakeContext(path, **{**given, **fields})


def test_a_pipeline_is_measured_in_each_fold(tmp_path: Path) -> None:
    bounds = at_most(latency=10, model_size=1e9) | {"accuracy": Bounds(at_least=0)}
    evaluator = Pipeline(PipelineOptions(folds=3))
    plain = evaluator.evaluate(FOREST, tables(tmp_path / "plain"))
    result = evaluator.evaluate(FOREST, tables(tmp_path / "bounded", constraints=bounds))
    assert result.values == plain.values
    assert 0 < result.metrics["latency"] < 1 and 1e3 < result.metrics["model_size"] < 1e7
    assert 0 < result.metrics["accuracy"] <= 1 and result.metrics["accuracy_fold_std"] >= 0
    assert "roc_auc" not in result.metrics and "latency" not in plain.metrics


def test_a_pipeline_that_is_too_large_ends_after_its_first_fit(tmp_path: Path) -> None:
    found = tables(tmp_path, constraints=at_most(model_size=1000))
    with pytest.raises(TrialStopped, match="model_size is "):
        Pipeline(PipelineOptions(folds=3)).evaluate(FOREST, found)
    assert found.reports == []


def test_an_ensemble_keeps_the_bounds_as_a_whole(tmp_path: Path) -> None:
    given, candidates, sizes = read_task(2), [], []
    for number, config in enumerate(CONFIGS):
        folder = tmp_path / str(number)
        found = tables(folder, given_task=given, constraints=at_most(model_size=1e9))
        result = PIPELINE.evaluate(config, found)
        assert (folder / KEPT).is_dir()
        candidates.append(Candidate(f"s/{number}", config, result.values["roc_auc"], 0.01, str(folder)))
        sizes.append(result.metrics["model_size"])
    candidates.sort(key=lambda one: -one.value)
    winner = candidates[0].config

    def final(name: str, bound: float) -> Any:
        bounds = at_most(model_size=bound)
        context = tables(tmp_path / name, given_task=given, final=True, constraints=bounds)
        return PIPELINE.evaluate(winner, replace(context, candidates=candidates))

    whole = final("whole", 1e9)
    assert "an ensemble of the trials" in whole.note, "there is something to leave out"
    alone = sizes[CONFIGS.index(winner)]  # fitted on fewer rows than the model that is left
    small = final("small", 1.2 * alone)
    assert "is left out of the ensemble: constraint: model_size is " in small.note
    assert small.metrics["model_size"] <= 1.2 * alone < whole.metrics["model_size"]
