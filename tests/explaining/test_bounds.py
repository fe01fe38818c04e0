"""The work of an explanation is bounded, whatever the table."""

from __future__ import annotations

import pytest

from automl.explaining.bounds import COLUMNS, FEWEST, LEAST, ROWS, SHUFFLED, WORK, bounds
from automl.explaining.changes import CELLS


@pytest.mark.parametrize("rows", [30, 300, 100_000])
@pytest.mark.parametrize("columns", [1, 12, 100, 5000])
@pytest.mark.parametrize("each", [1, 6])
def test_rows_and_cells_are_bounded(rows: int, columns: int, each: int) -> None:
    features, repeats = columns * each, 10
    found = bounds(rows, columns, features, repeats)
    shuffles = found.columns * repeats
    assert found.chosen_by <= found.shuffled <= found.rows <= min(rows, ROWS) and found.columns <= COLUMNS
    assert found.shuffled == min(rows, LEAST) or found.shuffled * shuffles <= SHUFFLED
    assert found.shuffled * shuffles * features <= max(WORK, LEAST * shuffles * features)
    assert found.chosen_by == min(rows, FEWEST) or found.chosen_by * columns * features <= WORK
    assert found.rows * features <= max(CELLS, LEAST * features)


def test_what_is_small_is_looked_at_whole() -> None:
    found = bounds(800, 20, 30, 10)
    assert (found.rows, found.shuffled, found.columns) == (800, 800, 20)
