"""Thresholds of two classes: by hand, as scikit-learn's, and none where folds that did not choose say so."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import PredefinedSplit, TunedThresholdClassifierCV

from automl import metrics
from automl.contracts import Direction, Metric
from automl.tables.deciding import decided
from automl.tables.selection import Held
from automl.tables.thresholds import choose, score

F1 = Metric("f1", Direction.MAXIMIZE)


def rare(rows: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes of which the second is rare, and probabilities that know it but stay below a half."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.1).astype(np.int64)
    second = np.clip(0.05 + 0.25 * y + rng.normal(0, 0.06, rows), 0, 1)
    return y, np.column_stack([1 - second, second])


def held(y: np.ndarray, folds: int = 5, metric: Metric = F1) -> Held:
    return Held(metric, np.array_split(y, folds))


def test_the_second_class_is_predicted_from_the_threshold_on() -> None:
    p = np.array([[0.8, 0.2], [0.7, 0.3], [0.4, 0.6]])
    assert decided(p, 0.3).argmax(1).tolist() == [0, 1, 1] and decided(p, None) is p
    assert decided(p, 0.0).argmax(1).tolist() == [1, 1, 1]


def test_probabilities_that_stay_below_a_half_get_a_threshold() -> None:
    y, p = rare()
    found = choose(held(y), p)
    assert found is not None and 0.12 < found.value < 0.25
    assert found.plain == 0 and 0.85 < found.other <= found.score, "what chose it is the more hopeful value"
    by_hand = [metrics.score(["f1"], y[rows], decided(p[rows], found.value))["f1"]
               for rows in np.array_split(np.arange(len(y)), 5)]  # fmt: skip
    assert found.score == pytest.approx(np.mean(by_hand))


class _Known(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Its features are the probabilities."""

    def fit(self, _x: np.ndarray, y: np.ndarray) -> _Known:
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return x


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "accuracy"])
def test_it_is_that_of_scikit_learn_or_better(name: str, seed: int) -> None:
    y, p = rare(400, seed)
    fold = np.repeat(np.arange(5), 80)
    theirs = TunedThresholdClassifierCV(_Known(), scoring=name, cv=PredefinedSplit(fold), refit=True).fit(
        p, y
    )
    parts = held(y, metric=Metric(name, Direction.MAXIMIZE))
    found = choose(parts, p)
    assert found is not None
    of_theirs = np.mean(parts.values(decided(p, theirs.best_threshold_)))
    assert found.score >= of_theirs - 1e-12, "theirs interpolates between the thresholds of folds"
    assert found.score == pytest.approx(theirs.best_score_, abs=0.03)


def test_none_where_a_half_is_as_good_on_folds_that_did_not_choose() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 60)
    noise = rng.random(60)
    assert (
        choose(held(y, metric=Metric("accuracy", Direction.MAXIMIZE)), np.column_stack([1 - noise, noise]))
        is None
    )
    sure = np.column_stack([1.0 - y, y])
    assert choose(held(y), sure) is None, "all are right already"


def test_of_equal_thresholds_the_nearest_to_a_half() -> None:
    y = np.array([0, 1, 0, 1] * 5)
    second = np.where(y == 1, 0.4, 0.0)
    found = choose(held(y), np.column_stack([1 - second, second]))
    assert found is not None and found.value == pytest.approx(0.4) and found.score == 1


def test_metrics_of_probabilities_do_not_see_it() -> None:
    y, p = rare()
    names = ["f1", "roc_auc", "log_loss"]
    plain, found = score(names, y, p, None), score(names, y, p, 0.18)
    assert plain == metrics.score(names, y, p) and found["f1"] > plain["f1"] == 0
    assert {**found, "f1": 0} == {**plain, "f1": 0}
