"""Boosting of all libraries: early stopping on rows held out, native categories, threads, what is absent."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from automl.contracts import UserError
from automl.tables import boosters
from automl.tables.families import FAMILIES
from automl.tables.model import TableModel

RNG = np.random.default_rng(0)
ROWS = 300
X = pd.DataFrame({"n": RNG.normal(size=ROWS), "word": RNG.choice(list("abcdef"), ROWS)})
NOISE = RNG.normal(size=ROWS)  # nothing tells it: more rounds only learn the rows by heart
BOOSTING = [name for name, family in FAMILIES.items() if family.boosts]


def fitted(family: str, y: np.ndarray, classes: int = 0, threads: int = 1, **config: Any) -> TableModel:
    config = {"model": family, "boosting_rounds": 40, "boosting_encoding": "native", **config}
    return TableModel(config, classes, 0, threads=threads).fit(X, y)


def rounds(model: TableModel) -> int:
    last = model.fitted[-1]
    last = getattr(last, "regressor_", last)
    names = ("n_iter_", "best_iteration_", "best_iteration", "tree_count_")
    return int(next(getattr(last, name) for name in names if getattr(last, name, None) is not None))


@pytest.mark.parametrize("family", BOOSTING)
def test_boosting_stops_where_rows_held_out_gain_nothing(family: str) -> None:
    assert rounds(fitted(family, NOISE, boosting_patience=5)) < 40


@pytest.mark.parametrize("family", BOOSTING)
def test_native_categories_are_split_as_sets(family: str) -> None:
    """A target by category whose order in the alphabet says nothing."""
    effect = {"a": 0.0, "b": 9.0, "c": 0.0, "d": 9.0, "e": 0.0, "f": 9.0}
    y = X["word"].map(effect).to_numpy() + 0.1 * NOISE
    config = {"boosting_leaves": 4, "boosting_rate": 0.5, "boosting_leaf": 5}
    error = fitted(family, y, **config).predict(X) - y
    assert np.sqrt(np.mean(error**2)) < 2  # the standard deviation of y is 4.5


@pytest.mark.parametrize("family", BOOSTING)
def test_threads_change_nothing(family: str) -> None:
    y = RNG.integers(0, 3, ROWS)
    one, two = (fitted(family, y, 3, threads, boosting_rounds=3).predict(X) for threads in (1, 2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize(
    ("y", "classes", "reason"),
    [
        (np.zeros(199), 0, "on 199 rows, fewer than 200"),
        (np.array([0] * 299 + [1]), 2, "a class has too few rows"),
        (np.arange(300) % 40, 40, "a class has too few rows"),
        (np.arange(300) % 3, 3, ""),
        (np.zeros(200), 0, ""),
    ],
)
def test_all_rounds_are_fitted_where_no_rows_can_be_held_out(
    y: np.ndarray, classes: int, reason: str
) -> None:
    found = boosters.may_stop(y, classes)
    assert reason in found and bool(found) == bool(reason)


@pytest.mark.parametrize("family", BOOSTING)
def test_a_class_of_one_row_is_fitted_with_a_note(family: str) -> None:
    y = np.array([2, *([0, 1] * 150)][:ROWS])
    model = fitted(family, y, 3, boosting_patience=5, boosting_rounds=4)
    assert model.predict(X).shape == (ROWS, 3)
    assert model.notes == [
        "boosting is not stopped early, since a class has too few rows: all rounds are fitted"
    ]


class TimeIsUp(BaseException):
    """As the end of a trial's time is raised by a signal's handler."""


@pytest.fixture
def no_callbacks() -> Iterator[None]:
    """What a signal raises is lost in a callback of the garbage collector, of which hypothesis has one."""
    kept, gc.callbacks[:] = list(gc.callbacks), []
    yield
    gc.callbacks[:] = kept


@pytest.mark.usefixtures("no_callbacks")
@pytest.mark.parametrize("family", BOOSTING)
def test_the_end_of_a_trials_time_arrives_as_it_is(family: str) -> None:
    """CatBoost would make a KeyboardInterrupt of it, which ends a campaign; XGBoost may lose it."""
    fitted(family, NOISE, boosting_rounds=2)  # imports, in which nothing may be raised

    def handler(_signal: int, _frame: object) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(TimeIsUp):
            fitted(family, NOISE, boosting_rounds=100_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert all(not thread.join(30) for thread in threading.enumerate() if thread.name == "fit")
    assert "fit" not in {thread.name for thread in threading.enumerate()}


def test_an_error_of_catboost_is_raised_here() -> None:
    with pytest.raises(catboost.CatBoostError, match=r"targets are equal"):
        fitted("catboost", np.zeros(ROWS))


def test_an_absent_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosters, "installed", lambda: ("catboost",))
    boosters.require(["linear", "catboost"])
    with pytest.raises(UserError, match=r"must be installed, but lightgbm is not; .*\[tables\]'"):
        boosters.require(["linear", "lightgbm"])


@pytest.mark.parametrize("family", BOOSTING)
def test_categories_are_not_scaled(family: str) -> None:
    """Codes of another scale are other categories, and XGBoost and CatBoost refused them."""
    y = RNG.integers(0, 2, ROWS)
    scaled, plain = (fitted(family, y, 2, boosting_rounds=3, **more) for more in ({"scaling": "robust"}, {}))
    assert scaled.notes == ["scaling robust is left out: categories go to the model as they are"]
    assert np.array_equal(scaled.predict(X), plain.predict(X))
