"""Trials and retrainings whose predictions rise or fall with columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_context import FakeContext
from test_pipeline import AUC, SPACE, task

from automl.contracts import TableReading, TaskOutline, UserError
from automl.evaluators.pipeline import Pipeline, PipelineOptions
from automl.space import Choice, Space
from automl.tables.folders import predicted_by

FAST = {"model": "gradient_boosting", "boosting_rounds": 20}


def test_trials_of_other_families_end_at_once_and_what_is_left_keeps_the_promise(tmp_path: Path) -> None:
    given = replace(task(2, 300), reading=TableReading((), "target", None), labels=("no", "yes"))
    column = str(given.train.x.columns[0])
    pipeline = Pipeline(PipelineOptions(folds=3, monotone={column: "decreasing"}))
    fields = {"given_task": given, "space": SPACE, "metrics": [AUC]}
    stopped = pipeline.evaluate({"model": "linear"}, FakeContext(tmp_path / "a", **fields))
    assert stopped.stopped.startswith(f"linear does not promise to rise or fall with {column}; gradient_boo")
    done = pipeline.evaluate(FAST, FakeContext(tmp_path / "b", **fields))
    assert not done.stopped and "roc_auc" in done.values
    pipeline.evaluate(FAST, FakeContext(tmp_path / "c", final=True, **fields))
    grid = np.linspace(-3, 3, 40)
    rows = given.train.x.iloc[np.zeros(40, int)].assign(**{column: grid})
    found = predicted_by(tmp_path / "c" / "model", replace(given.train, x=rows, y=np.zeros(40, int)), 2)
    assert found is not None and np.diff(found[:, 1]).max() <= 1e-12


def test_what_cannot_be_promised_is_refused() -> None:
    pipeline = Pipeline(PipelineOptions(monotone={"nowhere": "increasing"}))
    with pytest.raises(UserError, match="must name columns that hold numbers, but got nowhere; those are "):
        pipeline.check_data(task(2, 60), SPACE, pipeline)
    with pytest.raises(UserError, match=r"needs a target of numbers or of two classes, but .* has 3"):
        pipeline.check_data(task(3, 60), SPACE, pipeline)
    poor = Space({"model": Choice(("linear", "mlp"))})
    outline = TaskOutline((AUC,), True)
    assert dict(pipeline.mistakes(poor, outline))["monotone"].endswith("but the space has linear, mlp")
