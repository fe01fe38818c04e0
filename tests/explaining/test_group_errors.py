"""Groups that are served badly are found, and chance makes none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.explaining.errors import groups, row_losses

ROWS = 400
RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "town": [("Ulm", "Bonn", None, "Kiel")[row % 4] for row in range(ROWS)],
        "size": RNG.uniform(0, 100, ROWS),
        "rooms": RNG.integers(1, 5, ROWS),
    }
)


def test_losses_of_rows() -> None:
    y, p = np.array([0, 1, 1]), np.array([[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]])
    assert row_losses("log_loss", y, p).values == pytest.approx([0.6931, 0.2231, 36.04], abs=1e-2)
    assert list(row_losses("accuracy", y, p).values) == [0, 0, 1]
    assert list(row_losses("r2", np.array([1.0, 2.0]), np.array([3.0, 1.5])).values) == [2, 0.5]


@pytest.mark.parametrize(
    ("bad", "column", "value"),
    [
        (X["town"] == "Kiel", "town", "Kiel"),
        (X["town"].isna(), "town", "missing"),
        (X["rooms"] == 3, "rooms", "3"),
        (
            X["size"] <= X["size"].quantile(0.25),
            "size",
            f"{X['size'].min():g} … {X['size'].quantile(0.25):g}",
        ),
    ],
)
def test_a_group_that_is_worse_is_first(bad: pd.Series, column: str, value: str) -> None:
    losses = RNG.exponential(size=ROWS) + 3 * bad.to_numpy()
    found = groups(X, losses)
    assert (found[0].column, found[0].value, found[0].rows) == (column, value, int(bad.sum()))
    assert found[0].worse and found[0].loss == pytest.approx(losses[bad].mean())
    assert found[0].others == pytest.approx(losses[~bad].mean()) and not found[-1].worse


def test_chance_makes_hardly_a_group() -> None:
    """At most one time in twenty over all groups that are looked at."""
    wrong = sum(any(one.worse for one in groups(X, RNG.exponential(size=ROWS))) for _ in range(60))
    assert wrong <= 9


def test_few_rows_make_no_group() -> None:
    x = pd.DataFrame({"town": ["Ulm"] * 5 + ["Bonn"] * 95})
    assert groups(x, np.arange(100.0)) == []
