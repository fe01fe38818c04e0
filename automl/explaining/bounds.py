"""How many rows and columns are looked at, so that an explanation of any table ends.

It goes by sizes alone, not by the clock: the same call gives the same values on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from automl.explaining.changes import CELLS

ROWS: Final = 10_000  # of the validation part
COLUMNS: Final = 100  # that are shuffled several times
SHUFFLED: Final = 3_000_000  # rows that are predicted for that
WORK: Final = 2_000_000_000  # cells of these rows
LEAST: Final = 200  # rows that are shuffled, however wide the table
FEWEST: Final = 50  # rows of the one shuffle by which the columns of a wide table are chosen


@dataclass(frozen=True)
class Bounds:
    """Numbers of rows: `rows` for score, errors and groups; of these `shuffled` for the importance.

    `columns`: so many get an importance; those are chosen by one shuffle of `chosen_by` rows.
    """

    rows: int
    shuffled: int
    columns: int
    chosen_by: int


def bounds(rows: int, columns: int, features: int, repeats: int) -> Bounds:
    """The bounds for so many validation rows, columns and features made of them, and shuffles of each column.

    Whatever the table, about `SHUFFLED` rows and `WORK` cells are predicted, and `CELLS` at a time; where
    that would be fewer than `LEAST` rows, those.
    """
    looked = min(rows, ROWS, max(LEAST, CELLS // features))
    examined = min(columns, COLUMNS)
    shuffles = examined * repeats
    shuffled = min(looked, max(LEAST, min(SHUFFLED, WORK // features) // shuffles))
    return Bounds(looked, shuffled, examined, min(shuffled, max(FEWEST, WORK // features // columns)))
