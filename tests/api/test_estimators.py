"""The estimators of scikit-learn: its own checks, and tables as people have them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

import automl
from automl.ledger import Store

SPACE = "space={name: tabular, fix: {model: extra_trees, forest_trees: 50, forest_leaf: 1}}"
QUICK = (SPACE, "executor=local", "budget.trials=1", "evaluator={pipeline: {folds: 2}}")
# their data have a class of one or two rows, of which no split into training, validation and test is made
RARE = {
    "check_dont_overwrite_parameters",
    "check_f_contiguous_array_estimator",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_fit2d_1feature",
    "check_dict_unchanged",
    "check_fit2d_predict1d",
}
# a row that counts twice is in one part of the split and in one fold, its two copies may be in several
REPEATED = "check_sample_weight_equivalence_on_dense_data"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "not_applying"), [(automl.AutoMLClassifier, RARE), (automl.AutoMLRegressor, set[str]())]
)
def test_the_checks_of_scikit_learn(kind: Any, not_applying: set[str], store: Store) -> None:
    estimator = kind(minutes=60, overrides=QUICK, store=store.folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks that are skipped, and optuna's experimental arguments
        found = check_estimator(estimator, on_fail=None, on_skip=None)
    failed = {one["check_name"]: str(one["exception"]) for one in found if one["status"] == "failed"}
    assert REPEATED in failed and set(failed) - {REPEATED} == not_applying, failed
    del failed[REPEATED]
    assert all("must get a row of each class" in text for text in failed.values())


def table() -> tuple[pd.DataFrame, np.ndarray]:
    size = np.random.default_rng(0).permutation(90)
    frame = pd.DataFrame({"size": size, "town": np.where(size % 2, "Ulm", "Bonn"), "target": size % 5})
    frame.loc[::9, "town"] = None
    return frame, np.where(size > 45, "dear", "cheap")


@pytest.mark.slow
def test_a_table_of_mixed_columns(store: Store, tmp_path: Path) -> None:
    frame, y = table()
    model = clone(automl.AutoMLClassifier(minutes=1, overrides=QUICK, store=store.folder))
    assert model.fit(frame, y) is model
    assert model.classes_.tolist() == ["cheap", "dear"] and model.n_features_in_ == 3
    assert model.score(frame, y) > 0.9 and model.predict_proba(frame).shape == (90, 2)
    assert model.fitted_.campaign.report.metric.name == "accuracy"
    again = clone(model).fit(frame, y)
    assert repr(again.fitted_) == repr(model.fitted_), "the same rows have their model already"


@pytest.mark.slow
def test_cpus_and_refit_are_those_of_fit(store: Store) -> None:
    frame, y = table()
    made = automl.AutoMLClassifier(minutes=1, overrides=QUICK, store=store.folder, refit=False)
    assert "fitted again" not in str(made.fit(frame, y).fitted_)
    with pytest.raises(ValueError, match=r"--cpus must be at most the .* but got 1000000"):
        clone(made).set_params(cpus=1_000_000).fit(frame, y)


def test_a_frame_whose_columns_have_numbers_is_the_same_table_as_its_array() -> None:
    rows, model = np.arange(12.0).reshape(6, 2), automl.AutoMLRegressor()
    frames = [model._frame(data, reset=True) for data in (rows, pd.DataFrame(rows))]
    assert list(frames[0].columns) == ["x0", "x1"] and frames[0].equals(frames[1])
    assert list(model._frame(pd.DataFrame(rows, columns=["a", "b"]), reset=True).columns) == ["a", "b"]


@pytest.mark.slow
def test_sets_of_classes(store: Store) -> None:
    frame, y = table()
    overrides = (*QUICK, "evaluator={pipeline: {folds: 2, ensemble: 25}}")
    model = automl.AutoMLClassifier(minutes=1, overrides=overrides, store=store.folder).fit(frame, y)
    sets = model.predict_set(frame, 0.8)
    assert sets.shape == (90, 2) and sets.dtype == bool
    assert sets[np.arange(90), np.searchsorted(model.classes_, model.predict(frame))].all()
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        model.predict_set(frame, 80)
    with pytest.raises(ValueError, match=r"a set of the level 0\.999 needs the errors of 999 rows"):
        model.predict_set(frame, 0.999)


@pytest.mark.slow
def test_numbers(store: Store) -> None:
    frame, _ = table()
    overrides = (*QUICK, "evaluator={pipeline: {folds: 2, ensemble: 25}}")
    model = automl.AutoMLRegressor(minutes=1, overrides=overrides, store=store.folder, name="numbers")
    found = model.fit(frame, frame["size"] * 2.0 + 1).predict(frame)
    assert model.fitted_.campaign.name == "numbers-1" and np.corrcoef(found, frame["size"])[0, 1] > 0.9
    ends = model.predict_interval(frame, 0.9)
    assert ends.shape == (90, 2) and (ends[:, 0] < found).all() and (found < ends[:, 1]).all()
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        model.predict_interval(frame, 90)


@pytest.mark.slow
def test_rows_that_count_more_are_believed(store: Store) -> None:
    rows = pd.DataFrame({"x": np.tile(np.linspace(-1, 1, 60), 2), "weight": np.arange(120) % 3})
    y = np.where(np.arange(120) < 60, 1, -1) * rows["x"]
    space = "space={name: tabular, fix: {model: linear}}"
    model = automl.AutoMLRegressor(minutes=1, overrides=(space, *QUICK[1:]), store=store.folder)
    for first, sign in ((1.0, 1), (0.0, -1)):
        counts = np.where(np.arange(120) < 60, first, 1 - first)
        made = clone(model).fit(rows, y, sample_weight=counts)
        assert np.corrcoef(made.predict(rows), sign * rows["x"])[0, 1] > 0.7
        assert made.n_features_in_ == 2
    for wrong, message in (
        (np.ones(3), "inconsistent numbers"),
        (-np.ones(120), "must have a weight of at least 0"),
    ):
        with pytest.raises(ValueError, match=message):
            clone(model).fit(rows, y, sample_weight=wrong)


def test_what_cannot_be_fitted(store: Store) -> None:
    frame, _ = table()
    model = automl.AutoMLClassifier(minutes=1, overrides=QUICK, store=store.folder)
    with pytest.raises(ValueError, match="two classes, but y has one class, 'dear'"):
        model.fit(frame, ["dear"] * 90)
    with pytest.raises(ValueError, match="n_samples = 3"):
        model.fit(frame.head(3), ["dear", "cheap", "dear"])
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.fit(frame, None)
    with pytest.raises(ValueError, match="must hold finite numbers"):
        automl.AutoMLRegressor(store=store.folder).fit(frame, np.full(90, np.nan))
    with pytest.raises(ValueError, match="budegt"):
        automl.AutoMLRegressor(store=store.folder, overrides=["budegt.trials=1"]).fit(frame, frame["size"])
