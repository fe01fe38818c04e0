"""One search (an arm with a seed) as the report shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from automl.contracts import LARGEST_VALUE, Config, Direction, TrialState
from automl.ledger.winners import refit_of, retrainings, winner_opening
from automl.report import uncertainty
from automl.report.combined import Combined, combined
from automl.report.deciding import Deciding, deciding
from automl.report.plain import finite
from automl.selection import FINAL, REFIT

if TYPE_CHECKING:
    from automl.ledger.rows import OpeningRow, SearchRow, TrialRow

Level: TypeAlias = Literal["test", "fresh", "validation"]


@dataclass(frozen=True)
class TrialCounts:
    """How many trials of a search are in each state."""

    running: int
    complete: int
    pruned: int
    failed: int


@dataclass(frozen=True)
class Best:
    """The selected trial, or the best so far. `values`: of all metrics; `derived`: of a one-shot search."""

    trial: str
    value: float
    config: Config
    derived: Config | None
    values: tuple[float, ...]

    @property
    def trained(self) -> Config:
        """The configuration that its value belongs to."""
        return self.derived or self.config


class Point(NamedTuple):
    """A point of an anytime curve: device-seconds of all trials so far, best value so far."""

    spent: float
    best: float


@dataclass(frozen=True)
class Gaps:
    """The optimism of the selection, and the step from validation to test data (later − earlier)."""

    validation_to_fresh: float | None
    fresh_to_test: float | None


@dataclass(frozen=True)
class Refit:
    """The fit of the winner's model on all `rows`, validation and test included, by which it predicts.

    It has no value: no row is unseen. `trial`: its id.
    """

    trial: str
    rows: int


@dataclass(frozen=True)
class SearchReport:
    """A search with its counts, cost, best trial, anytime curve, fresh-seed and test values.

    `combined`: what its retrainings combine with the best trial; their values are `fresh` and `test`.
    `deciding`: the threshold by which they predict classes.

    `device_seconds` is what the search itself spent: all its trials, without what follows. `refit`: None when
    there is none; what it has cost is part of `final_device_seconds`. `test_interval`: of 95 %, of the one
    value on the test by the choice of its rows or episodes, where it was measured. `intervals`: the share of
    test rows in the prediction intervals of the only model, and their mean width; `sets`: of classes, the
    share in its prediction sets, and how many classes they have on average.
    """

    seed: int
    trials: TrialCounts
    device_seconds: float
    best: Best | None
    anytime: tuple[Point, ...]
    fresh: tuple[float, ...]
    test: tuple[float, ...]
    state: str
    reason: str | None
    final_device_seconds: float
    finals_failed: int
    test_openings: int
    gaps: Gaps
    combined: Combined | None = None
    refit: Refit | None = None
    test_interval: tuple[float, float] | None = None
    deciding: Deciding | None = None
    intervals: tuple[float, float] | None = None
    sets: tuple[float, float] | None = None

    def has_ended(self, level: Level, finals: int) -> bool:
        """Whether its value of this level is the last one. `finals`: its retrainings."""
        if self.state != "finished" or self.value(level) is None:
            return False
        return level == "validation" or len(self.fresh) + self.finals_failed >= finals

    def value(self, level: Level) -> float | None:
        """The best value on `validation`, or the mean of the `fresh` or `test` values."""
        if level == "validation":
            return self.best.value if self.best else None
        values = self.fresh if level == "fresh" else self.test
        return fmean(values) if values else None


def search_report(
    search: SearchRow,
    rows: Sequence[TrialRow],
    openings: Sequence[OpeningRow],
    direction: Direction,
    metric: str = "",
) -> SearchReport:
    """The report of a search from the rows of its trials and of its openings of the test set.

    `metric`: the name of that of its values; without it their interval is not looked for.
    """
    trials = sorted((row for row in rows if row.kind == "trial"), key=tell_order)
    selected = _selected(search, trials, direction)
    best = None if selected is None else _best(selected)
    finals = [] if selected is None else retrainings(selected.derived or selected.config, rows)
    opening = None if selected is None else winner_opening(selected.id, finals, openings)
    fresh = tuple(values[0] for row in finals if (values := final_values(row)))
    test = tuple(filter(usable, opening.values or ())) if opening else ()
    return SearchReport(
        seed=search.seed,
        trials=TrialCounts(
            **{state.value: sum(row.state is state for row in trials) for state in TrialState}
        ),
        device_seconds=math.fsum(row.device_seconds for row in trials),
        best=best,
        anytime=tuple(_anytime(trials, direction)),
        fresh=fresh,
        test=test,
        state=search.state,
        reason=search.reason,
        final_device_seconds=math.fsum(row.device_seconds for row in rows if row.kind in (FINAL, REFIT)),
        finals_failed=sum(row.state is TrialState.FAILED for row in finals),
        test_openings=len(openings),
        gaps=_gaps(best, fresh, test),
        combined=combined(finals),
        refit=None if selected is None else _refit(selected.derived or selected.config, rows),
        deciding=deciding(finals),
        test_interval=uncertainty.of_test(opening, metric),
        intervals=uncertainty.of_intervals(opening),
        sets=uncertainty.of_sets(opening),
    )


def _refit(trained: Config, rows: Sequence[TrialRow]) -> Refit | None:
    found = refit_of(trained, rows)
    return None if found is None else Refit(found.id, round((found.metrics or {}).get("rows", 0)))


def tell_order(trial: TrialRow) -> tuple[float, int]:
    """Sorts trials by when their search learned the result; those without a result come last."""
    return (math.inf if trial.told is None else trial.told, trial.number)


def final_values(trial: TrialRow) -> tuple[float, ...] | None:
    """The values of a complete trial, all finite and not too large to compute with; None for any other."""
    if trial.state is not TrialState.COMPLETE or not trial.values:
        return None
    return tuple(trial.values) if all(map(usable, trial.values)) else None


def usable(value: float) -> bool:
    """Whether statistics and plots can compute with it; stores of earlier versions hold any value."""
    return abs(value) <= LARGEST_VALUE


def finite_config(config: Config) -> Config:
    """The configuration, with None in place of NaN and infinity; itself where it has none."""
    if all(not isinstance(value, float) or math.isfinite(value) for value in config.values()):
        return config
    return {name: finite(value) if isinstance(value, float) else value for name, value in config.items()}


def _selected(search: SearchRow, trials: Sequence[TrialRow], direction: Direction) -> TrialRow | None:
    """The selected trial, or the best so far; of equal ones the first."""
    best: tuple[TrialRow, tuple[float, ...]] | None = None
    for trial in trials:
        values = final_values(trial)
        if values is None:
            continue
        if trial.id == search.winner:
            return trial
        if best is None or direction.better(values[0], best[1][0]):
            best = trial, values
    return None if best is None else best[0]


def _best(trial: TrialRow) -> Best:
    values = final_values(trial) or ()
    derived = None if trial.derived is None else finite_config(trial.derived)
    return Best(trial.id, values[0], finite_config(trial.config), derived, values)


def _anytime(trials: Sequence[TrialRow], direction: Direction) -> list[Point]:
    """One point for each complete trial; pruned and failed trials cost too."""
    points: list[Point] = []
    spent = 0.0
    for trial in trials:
        if trial.state is TrialState.RUNNING:
            continue
        spent += trial.device_seconds
        values = final_values(trial)
        if values is not None:
            improved = not points or direction.better(values[0], points[-1].best)
            points.append(Point(spent, values[0] if improved else points[-1].best))
    return points


def _gaps(best: Best | None, fresh: Sequence[float], test: Sequence[float]) -> Gaps:
    return Gaps(
        validation_to_fresh=_difference(fmean(fresh), best.value) if fresh and best else None,
        fresh_to_test=_difference(fmean(test), fmean(fresh)) if fresh and test else None,
    )


def _difference(value: float, earlier: float) -> float:
    """`value` less `earlier`; exactly nothing where they differ by the rounding of a mean."""
    return 0.0 if math.isclose(value, earlier, rel_tol=1e-12) else value - earlier
