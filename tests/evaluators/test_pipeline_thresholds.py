"""Retrainings that choose from which probability on the second class is predicted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_context import FakeContext
from test_pipeline import ACCURACY, AUC, SPACE, task

from automl import metrics
from automl.contracts import (
    COMBINED,
    THRESHOLD,
    THRESHOLD_PLAIN,
    THRESHOLD_VALUE,
    Candidate,
    Config,
    Direction,
    Metric,
    Result,
    TableReading,
    Task,
    TaskOutline,
    UserError,
)
from automl.evaluators.pipeline import Pipeline, PipelineOptions
from automl.tables import saved
from automl.tables.deciding import decided
from automl.tables.model import predicted

F1 = Metric("f1", Direction.MAXIMIZE)
CONFIGS: list[Config] = [{"model": "linear", "linear_c": 0.02}, {"model": "linear", "linear_c": 0.01}]


def uneven() -> Task:
    """The second class is rare, and noise keeps its probability low."""
    given = replace(task(2, 400), reading=TableReading((), "target", None), labels=("no", "yes"))
    rng = np.random.default_rng(0)
    for part in (given.train, given.validation):
        part.y[:] = (part.y == 1) & (rng.random(len(part)) < 0.3)
    return given


def evaluated(folder: Path, given: Task, metric: Metric, **options: Any) -> tuple[Pipeline, Result]:
    """The final evaluation of the better one of two trials."""
    pipeline = Pipeline(PipelineOptions(folds=3, **options))
    fields = {"given_task": given, "space": SPACE, "metrics": [metric]}
    candidates = []
    for number, config in enumerate(CONFIGS):
        value = pipeline.evaluate(config, FakeContext(folder / str(number), **fields)).values[metric.name]
        candidates.append(Candidate(f"s-1/arm/0/{number}", config, value, 3.0, str(folder / str(number))))
    candidates.sort(key=lambda one: -one.value)
    context = FakeContext(folder / "final", final=True, seed=7, candidates=candidates, **fields)
    return pipeline, pipeline.evaluate(candidates[0].config, context)


@pytest.mark.parametrize("ensemble", [0, 25])
def test_what_is_scored_and_saved_decides_by_the_threshold(tmp_path: Path, ensemble: int) -> None:
    given = uneven()
    pipeline, result = evaluated(tmp_path, given, F1, threshold=True, ensemble=ensemble)
    found = result.metrics[THRESHOLD]
    assert 0.05 < found < 0.45 and result.metrics[THRESHOLD_VALUE] > result.metrics[THRESHOLD_PLAIN]
    assert f"'yes' is predicted from a probability of {found:.3g} on: f1 " in result.note
    model = tmp_path / "final/model"
    fitted, described = saved.load(model)
    assert described.threshold == found and json.loads((model / "table.json").read_text())["format"] == 2
    p, y = predicted(fitted, given.validation.x, 2), given.validation.y
    by_hand = metrics.score(["f1"], y, decided(p, found))["f1"]
    assert result.values == {"f1": by_hand} and by_hand > metrics.score(["f1"], y, p)["f1"]
    scored = pipeline.score(model, given, given.validation, [F1])
    assert scored["f1"] == by_hand and scored["f1_low"] < by_hand < scored["f1_high"]
    (model / saved.FITTED).unlink()
    assert pipeline.score(model, given, given.validation, [F1]) == scored, "fitted again"
    again = FakeContext(tmp_path / "again", refits=json.loads((model / "config.json").read_text()),
                        given_task=given, space=SPACE, metrics=[F1])  # fmt: skip
    pipeline.evaluate({}, again)
    assert saved.read_described(tmp_path / "again/model").threshold == found


def test_without_the_option_the_larger_probability_decides(tmp_path: Path) -> None:
    given = uneven()
    _, result = evaluated(tmp_path, given, F1)
    described = json.loads((tmp_path / "final/model/table.json").read_text())
    assert THRESHOLD not in result.metrics and COMBINED not in result.metrics
    assert described["format"] == 1 and described["threshold"] is None and not (tmp_path / "0/kept").exists()


def test_without_predictions_there_is_none_and_that_is_told(tmp_path: Path) -> None:
    given, pipeline = uneven(), Pipeline(PipelineOptions(folds=3, threshold=True))
    context = FakeContext(tmp_path, given, SPACE, [F1], final=True)
    result = pipeline.evaluate(CONFIGS[0], context)
    assert result.note == "the best configuration alone, no threshold: it has no predictions to combine"
    assert THRESHOLD not in result.metrics


def test_what_has_no_threshold_is_refused() -> None:
    pipeline = Pipeline(PipelineOptions(threshold=True))
    ((option, text),) = pipeline.mistakes(SPACE, TaskOutline((AUC,), True))
    assert option == "threshold" and "first, but got roc_auc" in text
    assert not list(pipeline.mistakes(SPACE, TaskOutline((ACCURACY,), True)))
    with pytest.raises(UserError, match="a threshold needs two classes, but 'table' has 3"):
        pipeline.check_data(task(3), SPACE, pipeline)
