"""Every evaluator plug-in, found by discovery: options, reports, repeatability, scoring of final models."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import pytest
import torch
import toy_benchmark
from episode_examples import episodic_task
from fake_context import TINY_CONFIG, FakeContext, TinySpace, image_task
from pydantic import ValidationError

from automl import contracts, plugins
from automl.contracts import PluginSpec, Result, TrialStopped
from automl.data import load_task

NAMES = plugins.names("evaluators")
IRIS = {"dataset": "iris", "metrics": [{"name": "accuracy", "direction": "maximize"}]}


def objective(config, context):
    for step in range(1, 4):
        context.report(step, context.seed + step / 10)
    return context.seed + 0.3


def network_case(path: Path, **fields) -> tuple:
    given = {"given_task": image_task(60), "space": TinySpace()} | fields
    return {"epochs": 3, "batch_size": 20, "channels": 4}, TINY_CONFIG, FakeContext(path, **given)


def pipeline_case(path: Path, **fields) -> tuple:
    given = {"given_task": load_task(IRIS)} | fields
    return {"folds": 3}, {"model": "extra_trees", "forest_trees": 5}, FakeContext(path, **given)


def function_case(path: Path, **fields) -> tuple:
    return {"call": f"{__name__}:objective"}, {"x": 1.0}, FakeContext(path, **fields)


def lookup_case(path: Path, **fields) -> tuple:
    if path != Path():
        toy_benchmark.write(path / "table.npz")
    steps = {step: f"value_{step}" for step in (1, 2, 3)}
    options = {"file": str(path / "table.npz"), "value": steps, "fresh": "fresh"}
    options["cost"] = {step: f"cost_{step}" for step in (1, 2, 3)}
    return options, toy_benchmark.CONFIG, FakeContext(path, **fields)


def metalearn_case(path: Path, **fields) -> tuple:
    options = {
        "width": 2,
        "iterations": 3,
        "report_every": 1,
        "validation_episodes": 4,
        "formulation": "loop",
    }
    given = {"given_task": episodic_task()} | fields
    return options, {"inner_rate": 0.1}, FakeContext(path, **given)


# evaluators whose trial needs no more than a configuration and a task
CASES = {
    "network": network_case,
    "pipeline": pipeline_case,
    "function": function_case,
    "lookup": lookup_case,
    "metalearn": metalearn_case,
}


def run(name: str, path: Path, **fields) -> tuple[Result, FakeContext]:
    options, config, context = CASES[name](path, **fields)
    evaluator = plugins.load("evaluators", name)
    return evaluator(evaluator.Options.model_validate(options)).evaluate(dict(config), context), context


def test_all_are_found():
    assert {"network", "pipeline", "function"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_options_are_plain_validated_data(name):
    options = plugins.load("evaluators", name).Options
    assert issubclass(options, contracts.Options)
    assert options.model_fields["deadline"].default == 3600
    assert options.__doc__
    plugin = plugins.load("evaluators", name)
    given = CASES[name](Path())[0] if name in CASES else dict(plugin.example_options)
    with pytest.raises(ValidationError):
        options.model_validate({**given, "no_such_option": 1})
    with pytest.raises(ValidationError):
        options.model_validate({**given, "deadline": -1})
    assert PluginSpec(name, options.model_validate(given).model_dump(mode="json"))


@pytest.mark.parametrize("name", NAMES)
def test_it_has_the_contracts_methods(name):
    plugin = plugins.load("evaluators", name)
    for method in ("evaluate", "score"):
        own, agreed = (inspect.signature(getattr(owner, method)) for owner in (plugin, contracts.Evaluator))
        assert list(own.parameters) == list(agreed.parameters)
        assert inspect.getdoc(getattr(plugin, method))
    assert plugins.summaries("evaluators")[name].endswith((".", "`."))


@pytest.mark.parametrize("name", CASES)
def test_it_reports_rising_steps_and_a_finite_value_for_every_metric(name, tmp_path):
    result, context = run(name, tmp_path)
    assert [step for step, _, _ in context.reports] == [1, 2, 3]
    assert set(result.values) == {"accuracy"}
    numbers = [*result.values.values(), *result.metrics.values(), *(value for _, value, _ in context.reports)]
    assert all(type(number) is float and math.isfinite(number) for number in numbers)


@pytest.mark.parametrize("name", CASES)
def test_same_seed_equal_and_no_state_between_trials(name, tmp_path):
    torch.manual_seed(5)
    first, a = run(name, tmp_path / "a", seed=3)
    torch.manual_seed(6)
    run(name, tmp_path / "b", seed=4)
    second, c = run(name, tmp_path / "c", seed=3)
    assert first == second and a.reports == c.reports


@pytest.mark.parametrize("name", CASES)
def test_it_ends_where_it_is_told_to(name, tmp_path):
    with pytest.raises(TrialStopped):
        run(name, tmp_path, stop_at=1)


@pytest.mark.parametrize("name", ["network", "pipeline"])
def test_a_final_model_scores_as_it_did_and_holds_no_pickle(name, tmp_path):
    result, context = run(name, tmp_path, final=True, seed=9)
    plugin = plugins.load("evaluators", name)
    scorer = plugin(plugin.Options.model_validate({}))
    folder = tmp_path / "model"
    assert scorer.score(folder, context.task, context.task.validation, context.metrics) == result.values
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".pt"}


@pytest.mark.parametrize("name", CASES)
def test_it_writes_into_its_working_directory_only(name, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run(name, tmp_path / "work", final=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} <= {"elsewhere", "work"}
