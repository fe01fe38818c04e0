"""How much rows count in a fit, for every family that has weights, and who has none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.contracts import Split, UserError
from automl.space import Choice, Int, Space
from automl.tables import boosters, weighting
from automl.tables.families import FAMILIES
from automl.tables.model import TableModel

ABLE = [
    name
    for name, family in FAMILIES.items()
    if family.weighted and name not in set(boosters.PACKAGES) - set(boosters.installed())
]
ROWS = 400
FAST = {"boosting_rounds": 30, "forest_trees": 20, "forest_leaf": 10, "mlp_rate": 0.02, "svm_c": 10.0}
RNG = np.random.default_rng(0)
X = pd.DataFrame({"x": RNG.uniform(-2, 2, ROWS), "word": RNG.choice(list("abc"), ROWS)})
UP = np.arange(ROWS) % 2 == 0  # half of the rows say that y rises with x, the other half that it falls
Y = np.where(UP, 1, -1) * X["x"].to_numpy()


def slope(family: str, classes: int, weights: np.ndarray | None, **config: object) -> float:
    """By how much predictions grow from small values of x to large ones."""
    target = (Y > 0).astype(int) if classes else Y
    model = TableModel({"model": family, **FAST, **config}, classes, 0).fit(X, target, weights)
    low, high = (model.predict(X.assign(x=value).head(9)) for value in (-1.5, 1.5))
    return float((high - low)[:, 1].mean() if classes else (high - low).mean())


@pytest.mark.parametrize("classes", [0, 2])
@pytest.mark.parametrize("family", ABLE)
def test_what_counts_more_is_believed(family: str, classes: int) -> None:
    up, down = (slope(family, classes, np.where(one == UP, 1.0, 0.01)) for one in (True, False))
    assert up > 0.3 and down < -0.3


@pytest.mark.parametrize("family", [name for name in ABLE if FAMILIES[name].boosts])
def test_boosting_stops_by_what_counts(family: str) -> None:
    few = {"boosting_patience": 3, "boosting_rounds": 60}
    assert slope(family, 0, np.where(UP, 1.0, 0.01), **few) > 0.3


@pytest.mark.parametrize("family", ["linear", "gradient_boosting"])
def test_the_size_of_all_weights_together_says_nothing(family: str) -> None:
    weights = RNG.uniform(0.1, 2, ROWS)
    assert slope(family, 0, weights) == pytest.approx(slope(family, 0, 1000 * weights), rel=1e-9, abs=1e-9)
    assert slope(family, 0, np.full(ROWS, 3.0)) == pytest.approx(slope(family, 0, None), rel=1e-6, abs=1e-9)


def test_a_family_without_weights_says_so() -> None:
    with pytest.raises(UserError, match="knn has no weights of rows; leave it out"):
        TableModel({"model": "knn"}, 0, 0).fit(X, Y, np.ones(ROWS))
    assert weighting.without_weights() == ["knn"]


def test_rows_none_of_which_counts_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"must have a weight above 0, but all 400 have 0; correct task.weights"
    ):
        TableModel({"model": "linear"}, 0, 0).fit(X, Y, np.zeros(ROWS))


def test_balanced_classes_count_as_much_together() -> None:
    y = np.array([0, 0, 0, 1, 2, 2])
    part = Split(X.head(6), y)
    found = weighting.row_weights(part, balanced=True)
    assert found is not None
    assert np.bincount(y, found).tolist() == pytest.approx([1, 1, 1])
    weighted = Split(X.head(6), y, weights=np.array([1.0, 3.0, 0.0, 5.0, 0.0, 0.0]))
    found = weighting.row_weights(weighted, balanced=True)
    assert found is not None
    assert found.tolist() == pytest.approx([0.25, 0.75, 0, 1, 0, 0]), "a class that does not count stays out"
    assert weighting.row_weights(part, balanced=False) is None
    assert weighting.row_weights(weighted, balanced=False) is weighted.weights


def test_a_space_must_have_a_family_with_weights() -> None:
    poor, rich = (
        Space({"model": Choice(names), "forest_trees": Int(5, 9)}) for names in (("knn",), ("knn", "svm"))
    )
    assert (
        "needs a family with weights of rows, but the space has knn"
        in dict(weighting.mistakes(poor, "class_weights"))["class_weights"]
    )
    assert not list(weighting.mistakes(rich, "class_weights"))
