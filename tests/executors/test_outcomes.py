"""What becomes of a trial in a study with constraints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automl.contracts import Config, Context, Evaluator, EvaluatorOptions, Job, PluginSpec, Result, TrialState
from automl.executors.outcomes import evaluate
from automl.executors.trial import TrialContext
from automl.space import Float, Space

SPACE = Space({"x": Float(0, 1)})


class Given(Evaluator):
    """Returns what it was given, after it has told what is known before."""

    trained = 0

    def __init__(self, result: Result, known: dict[str, float]) -> None:
        super().__init__(EvaluatorOptions())
        self.result, self.known = result, known

    def evaluate(self, config: Config, context: Context) -> Result:
        context.measured(**self.known)
        self.trained += 1
        return self.result


def job(folder: Path, constraints: dict[str, dict[str, float]], **other: Any) -> Job:
    made = Job(
        trial="s/random/0/0", token="", attempt=1, space={}, task={},
        metrics=[{"name": "loss", "direction": "minimize"}],
        evaluator=PluginSpec("given"), protocol=PluginSpec("given"), config={"x": 0.5}, seed=0,
        workdir=str(folder), devices=1.0, cpus=1.0, gpus=0.0, remaining=None, deadline=60.0,
        constraints=constraints,
    )  # fmt: skip
    return Job.from_json(replace(made, **other).to_json())


def outcome(folder: Path, constraints: dict[str, Any], result: Result, **other: Any) -> Any:
    known = other.pop("known", {})
    evaluator, wanted = Given(result, known), job(folder, constraints, **other)
    context = TrialContext(wanted, None, None, SPACE, evaluator, "cpu")  # type: ignore[arg-type]
    return evaluate(wanted, evaluator, context), evaluator


SMALL = {"size": {"at_most": 10.0}}


def test_within_its_bounds_it_is_complete_with_all_that_was_measured(tmp_path: Path) -> None:
    found, _ = outcome(tmp_path, SMALL, Result({"loss": 1.0}, {"f1": 0.5}), known={"size": 10})
    assert (found.state, found.values, found.metrics) == (TrialState.COMPLETE, [1.0], {"size": 10, "f1": 0.5})


def test_what_breaks_one_before_it_is_trained_ends_there(tmp_path: Path) -> None:
    found, evaluator = outcome(tmp_path, SMALL, Result({"loss": 1.0}), known={"size": 11, "other": 3})
    assert (found.state, found.values, evaluator.trained) == (TrialState.PRUNED, None, 0)
    assert found.metrics == {"size": 11, "other": 3}
    assert found.reason == "constraint: size is 11, but must be at most 10"


@pytest.mark.parametrize("result", [Result({"loss": 1.0}, {"size": 11}), Result({"loss": 1.0, "size": 11})])
def test_what_breaks_one_at_its_end_is_pruned_and_its_values_are_metrics(
    tmp_path: Path, result: Result
) -> None:
    found, _ = outcome(tmp_path, SMALL, replace(result, note="seen"))
    assert (found.state, found.values, found.metrics["loss"]) == (TrialState.PRUNED, None, 1.0)
    assert found.reason == "constraint: size is 11, but must be at most 10; seen"


def test_its_own_metric_may_be_bounded(tmp_path: Path) -> None:
    found, _ = outcome(tmp_path, {"loss": {"at_most": 0.5}}, Result({"loss": 1.0}))
    assert (found.state, found.reason) == (
        TrialState.PRUNED, "constraint: loss is 1, but must be at most 0.5"
    )  # fmt: skip


def test_a_retraining_that_breaks_one_is_complete_and_told(tmp_path: Path) -> None:
    result = Result({"loss": 1.0}, {"size": 12}, note="seen")
    found, _ = outcome(tmp_path, SMALL, result, final=True, known={"size": 11})
    assert (found.state, found.values) == (TrialState.COMPLETE, [1.0])
    assert found.reason == "seen; constraint: size is 12, but must be at most 10"


def test_a_result_without_the_metric_fails(tmp_path: Path) -> None:
    found, _ = outcome(tmp_path, SMALL, Result({"loss": 1.0}))
    assert found.state is TrialState.FAILED
    assert "every metric that has a constraint, but size is missing; return it" in found.reason


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_not_finite_fails(tmp_path: Path, value: float) -> None:
    found, _ = outcome(tmp_path, SMALL, Result({"loss": 1.0}, {"size": value}))
    assert found.state is TrialState.FAILED
    assert "size=" in found.reason


def test_a_model_that_is_fitted_again_has_no_bounds(tmp_path: Path) -> None:
    found, _ = outcome(tmp_path, SMALL, Result({}, {"rows": 3}), final=True, refits={})
    assert (found.state, found.metrics) == (TrialState.COMPLETE, {"rows": 3})
