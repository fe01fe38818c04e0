"""What the opening of the test has measured of how sure the only model is that was tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.contracts import INTERVAL_SHARE, INTERVAL_WIDTH, SET_SHARE, SET_SIZE

if TYPE_CHECKING:
    from automl.ledger.rows import OpeningRow


def of_test(opening: OpeningRow | None, metric: str) -> tuple[float, float] | None:
    """The interval of 95 % of the value of `metric`, by the choice of rows or episodes."""
    return _pair(opening, f"{metric}_low", f"{metric}_high")


def of_intervals(opening: OpeningRow | None) -> tuple[float, float] | None:
    """The share of rows in the prediction intervals, and their mean width."""
    return _pair(opening, INTERVAL_SHARE, INTERVAL_WIDTH)


def of_sets(opening: OpeningRow | None) -> tuple[float, float] | None:
    """The share of rows in the prediction sets, and how many classes those have on average."""
    return _pair(opening, SET_SHARE, SET_SIZE)


def _pair(opening: OpeningRow | None, one: str, other: str) -> tuple[float, float] | None:
    """What was measured of the only model that was tested; several differ by their seeds, too."""
    details = (opening.details if opening else None) or ()
    if len(details) != 1:
        return None
    first, second = details[0].get(one), details[0].get(other)
    return None if first is None or second is None else (first, second)
