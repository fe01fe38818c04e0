"""Intervals by residuals: their ranks, what is refused, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.contracts import UserError
from automl.tables import conformal
from automl.tables.conformal import (
    Calibration,
    calibrated,
    calibration_of,
    needed,
    read_calibration,
    write_calibration,
)
from automl.tables.model import TableModel

ROWS = pd.DataFrame({"a": np.linspace(0.0, 1.0, 60)})


@pytest.mark.parametrize(
    ("rows", "level", "rank"), [(9, 0.9, 9), (19, 0.9, 18), (100, 0.9, 91), (99, 0.8, 80), (4, 0.5, 3)]
)
def test_the_score_is_that_of_the_rank_of_the_theorem(rows: int, level: float, rank: int) -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1.0, rows + 1))
    assert calibration_of(scores, "rows").quantile(level) == rank


def test_of_exchangeable_scores_the_share_below_is_the_level() -> None:
    """Exactly ⌈(n + 1)·level⌉ / (n + 1) = 0.9 on average; 4,000 draws of it are 0.9 ± 4·0.0047."""
    rng = np.random.default_rng(0)
    drawn = rng.exponential(size=(4000, 20))
    covered = [calibration_of(one[:19], "rows").quantile(0.9) >= one[19] for one in drawn]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.019)


@pytest.mark.parametrize(("level", "rows"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_rows_for_a_level_are_told(level: float, rows: int) -> None:
    assert needed(level) == rows
    assert calibration_of(np.ones(rows), "rows").quantile(level) == 1.0
    if rows > 1:
        text = (
            rf"level {level:g} needs the errors of {rows} rows or more, .* has those of {rows - 1}; ask for"
        )
        with pytest.raises(UserError, match=text):
            calibration_of(np.ones(rows - 1), "rows").quantile(level)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 90.0, float("nan")])
def test_a_level_is_a_share(level: float) -> None:
    with pytest.raises(UserError, match=r"must be between 0 and 1, such as 0\.9 for 90 %, but got"):
        calibration_of(np.ones(50), "rows").quantile(level)


def test_of_many_rows_scores_at_regular_ranks_are_kept_and_never_a_smaller_one() -> None:
    scores = np.arange(1.0, 23_457)
    few = calibration_of(scores, "rows")
    assert len(few.scores) == conformal.RANKS and (few.rows, few.scores[-1]) == (23_456, 23_456.0)
    for level in (0.001, 0.5, 0.8, 0.9, 0.999, 0.9999):
        rank = int(np.ceil(round(23_457 * level, 9)))
        assert rank <= few.quantile(level) <= rank + 3


@pytest.mark.parametrize("scaled", [False, True])
def test_what_is_kept_is_read_again(tmp_path: Path, scaled: bool) -> None:
    assert read_calibration(tmp_path) is None
    model = TableModel({"model": "gradient_boosting"}, 0, 0).fit(ROWS, 1.0 + ROWS["a"].to_numpy())
    difficulty = model.fitted if scaled else None
    found = calibration_of(np.arange(60.0) / 7, "groups", 1.2 if scaled else 0.0, difficulty)
    write_calibration(found, tmp_path)
    again = read_calibration(tmp_path)
    assert again is not None and (again.scores, again.rows, again.by) == (found.scores, 60, "groups")
    half = again.half_width(ROWS, 0.9)
    assert np.array_equal(half, found.half_width(ROWS, 0.9))
    assert half.min() == (1.2 * again.quantile(0.9) if scaled else again.quantile(0.9))
    assert (half.max() > 1.3 * half.min()) == scaled
    assert ("of one width" in again.told) != scaled and "60 rows" in again.told and "new groups" in again.told


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"format": 9}, "is of format 9"), ({"by": "luck"}, "luck"), ({"scores": ["a"]}, "could not convert")],
)
def test_what_is_damaged_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    write_calibration(calibration_of(np.ones(20), "rows"), tmp_path)
    path = tmp_path / conformal.CALIBRATED
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(UserError, match=rf"must say what intervals are made of, but: .*{message}"):
        read_calibration(tmp_path)


def test_models_without_residuals_have_none() -> None:
    some = Calibration((1.0,), 1, "rows")
    assert calibrated(some) is some
    with pytest.raises(
        UserError, match=r"was saved without: .*set evaluator: \{pipeline: \{ensemble: 25\}\}"
    ):
        calibrated(None)
