"""The options of the evaluator `pipeline`."""

from __future__ import annotations

from pydantic import Field

from automl.contracts import EvaluatorOptions
from automl.tables.monotone import Trend


class PipelineOptions(EvaluatorOptions):
    """`folds`: parts of the training rows, each of which is held out once.

    `ensemble`: most steps of the greedy selection of trials that predict together with the winner of a
    search, 25 say; 0: the winner predicts alone. `threshold`: of two classes, the probability from which on
    the second one is predicted is chosen for the first metric, on the rows that folds held out. `monotone`:
    columns of numbers with which predictions, of two classes the probability of the second one, may only
    rise or fall. `class_weights`: the rows of each class count as much together when models are fitted.
    `fairness`: a column whose values are groups; how differently they are served is measured. `rows_first`:
    before the folds, a trial is fitted on this share of the rows of the first one, for a pruner to judge.
    """

    folds: int = Field(5, ge=2, le=50)
    ensemble: int = Field(0, ge=0, le=200)
    threshold: bool = False
    monotone: dict[str, Trend] = Field(default_factory=dict)
    class_weights: bool = False
    fairness: str | None = None
    rows_first: float | None = Field(None, gt=0, lt=1)
