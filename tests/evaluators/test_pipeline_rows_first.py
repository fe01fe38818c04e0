"""Pipelines whose trials are fitted on a part of the rows before the folds, for a pruner to judge."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_pipeline import LINEAR, context, evaluate, task

from automl.contracts import TrialStopped
from automl.evaluators.pipeline import Pipeline, PipelineOptions

FIRST = Pipeline(PipelineOptions(folds=3, rows_first=0.2))


def test_they_are_a_step_before_the_folds_and_change_nothing_else(tmp_path: Path) -> None:
    plain, first = context(tmp_path / "plain", task()), context(tmp_path / "first", task())
    assert FIRST.evaluate(LINEAR, first) == evaluate(LINEAR, plain)
    assert first.reports[1:] == plain.reports and first.reports[0][0] == 0
    assert first.reports[0][1] != plain.reports[0][1]


def test_an_attempt_that_goes_on_does_not_make_them_again(tmp_path: Path) -> None:
    plain = context(tmp_path / "plain", task())
    evaluate(LINEAR, plain)
    with pytest.raises(TrialStopped):
        FIRST.evaluate(LINEAR, context(tmp_path / "cut", task(), stop_at=2))
    again = context(tmp_path / "cut", task())
    FIRST.evaluate(LINEAR, again)
    assert again.reports == plain.reports


def test_the_first_trial_of_a_search_has_none(tmp_path: Path) -> None:
    """Nothing can be compared with it yet, and its budget may end while it has no value."""
    given = context(tmp_path, task(), needs_value=True)
    FIRST.evaluate(LINEAR, given)
    assert [step for step, *_ in given.reports] == [1, 2, 3]
