"""Predictions that rise or fall with columns, for every family that promises it, and who does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.contracts import UserError
from automl.space import Choice, Int, Space
from automl.tables import boosters, monotone
from automl.tables.ensembles import Ensemble
from automl.tables.families import FAMILIES
from automl.tables.model import TableModel

ABLE = [
    name
    for name, family in FAMILIES.items()
    if family.signs and name not in set(boosters.PACKAGES) - set(boosters.installed())
]
ROWS = 300
FAST = {"boosting_rounds": 30, "boosting_leaf": 3}


def table() -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers of which `up` and `down` act on the target with waves that a free model follows."""
    rng = np.random.default_rng(0)
    x = pd.DataFrame(
        {
            "word": rng.choice(list("abc"), ROWS),
            "other": rng.normal(size=ROWS),
            "down": rng.uniform(-2, 2, ROWS),
            "up": rng.uniform(-2, 2, ROWS),
        }
    )
    x.loc[::9, "other"] = np.nan
    y = x["up"] + np.sin(6 * x["up"]) - x["down"] - np.sin(6 * x["down"]) + (x["word"] == "b")
    return x, (y + rng.normal(size=ROWS) / 10).to_numpy()


X, Y = table()
SIGNS = {"up": 1, "down": -1}


def model(family: str, classes: int, signs: dict[str, int], **config: object) -> TableModel:
    target = (Y > 0).astype(int) if classes else Y
    return TableModel({"model": family, **FAST, **config}, classes, 0, monotone=signs).fit(X, target)


def steps(fitted: TableModel | Ensemble, column: str, classes: int) -> np.ndarray:
    """By how much predictions change from one value of a column to the next one, for some rows."""
    grid = np.linspace(-2.2, 2.2, 45)
    rows = X.iloc[:12].loc[np.repeat(X.index[:12], len(grid))].assign(**{column: np.tile(grid, 12)})
    found = fitted.predict(rows)
    return np.diff((found[:, 1] if classes else found).reshape(12, -1))


@pytest.mark.parametrize("config", [{}, {"boosting_encoding": "native"}, {"boosting_encoding": "one_hot"}])
@pytest.mark.parametrize("classes", [0, 2])
@pytest.mark.parametrize("family", ABLE)
def test_predictions_rise_and_fall_as_asked(family: str, classes: int, config: dict[str, object]) -> None:
    held = model(family, classes, SIGNS, **config)
    assert steps(held, "up", classes).min() >= -1e-12 and steps(held, "up", classes).max() > 0
    assert steps(held, "down", classes).max() <= 1e-12 and steps(held, "down", classes).min() < 0
    free = model(family, classes, {}, **config)
    assert steps(free, "up", classes).min() < -1e-3, "the data tempt it"


def test_a_column_that_is_not_named_is_free_and_early_stopping_changes_no_promise() -> None:
    one = model("gradient_boosting", 0, {"up": 1}, boosting_patience=3, scaling="quantile")
    assert steps(one, "up", 0).min() >= -1e-12
    assert steps(one, "down", 0).max() > 1e-3


def test_a_mean_of_such_models_keeps_the_promise() -> None:
    both = Ensemble([model("gradient_boosting", 2, SIGNS, boosting_leaves=n) for n in (4, 31)], [0.3, 0.7])
    assert steps(both, "up", 2).min() >= -1e-12


@pytest.mark.parametrize("family", [name for name, one in FAMILIES.items() if one.signs is None])
def test_other_families_say_so(family: str) -> None:
    with pytest.raises(UserError, match=f"{family} does not promise to rise or fall with up, down"):
        TableModel({"model": family}, 0, 0, monotone=SIGNS)
    assert not monotone.not_monotone({"model": family}, {})


def test_a_space_must_have_a_family_that_can() -> None:
    poor, rich = (
        Space({"model": Choice(names), "forest_trees": Int(5, 9)})
        for names in (("linear", "mlp"), ("linear", "gradient_boosting"))
    )
    assert "but the space has linear, mlp" in dict(monotone.mistakes({"up": "increasing"}, poor))["monotone"]
    assert not list(monotone.mistakes({"up": "increasing"}, rich))
    assert not list(monotone.mistakes({}, poor))
