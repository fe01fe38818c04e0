"""Points of metrics: one value at a step and a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from automl.contracts import Metric, TrialState
from automl.ledger.rows import TrialSummary
from automl.recorder.form import Form
from automl.recorder.texts import clean_key

LARGEST: Final = 1.7976931348623157e308  # what MLflow stores for infinity


class Point(NamedTuple):
    """One value of a metric; `timestamp` in milliseconds."""

    key: str
    value: float
    timestamp: int
    step: int


class Anytime:
    """The best value so far of one search against its cost, updated trial by trial."""

    def __init__(self, metric: Metric, form: Form) -> None:
        self._metric, self._form = metric, form
        self._best: float | None = None
        self._trials = 0
        self._at: int | None = None
        self.spent = 0.0

    def add(self, trial: TrialSummary) -> list[Point]:
        """The points that the end of `trial` adds. Call it in the order of `finish_order`."""
        self.spent += trial.device_seconds
        self._trials += 1
        if trial.state is TrialState.COMPLETE and trial.values:
            value = trial.values[0]
            if self._best is None or self._metric.direction.better(value, self._best):
                self._best = value
        step, at = self._form.place(self.spent, self._trials), millis(trial.finished_at or trial.started_at)
        if not self._form.earlier:  # of equal steps and times MLflow shows the larger value
            self._at = at = at if self._at is None else max(at, self._at + 1)
        points = [Point("device_seconds", self.spent, at, step)]
        if self._best is not None:
            points.append(Point(clean_key(f"best_{self._metric.name}"), self._best, at, step))
        return points


def finish_order(trial: TrialSummary) -> tuple[float, str]:
    """The sort key of finished trials by the time of their ends."""
    return (trial.finished_at or trial.started_at, trial.id)


def stored_value(value: float) -> tuple[float, bool]:
    """A metric's value as MLflow's tables hold it, and whether it is NaN."""
    if math.isnan(value):
        return 0.0, True
    if math.isinf(value):
        return math.copysign(LARGEST, value), False
    return value, False


def latest_points(points: Iterable[Point]) -> list[Point]:
    """The point of each key that MLflow shows: the largest step, then time, then stored value."""
    latest: dict[str, Point] = {}
    for point in points:
        if point.key not in latest or _newness(point) > _newness(latest[point.key]):
            latest[point.key] = point
    return list(latest.values())


def _newness(point: Point) -> tuple[int, int, float]:
    return point.step, point.timestamp, stored_value(point.value)[0]


def counts(trials: Iterable[TrialSummary], at: int, *, zeros: bool = False) -> list[Point]:
    """The number of trials by state, and the cost of all `trials`; at step 0, so that MLflow draws bars.

    `zeros`: also where there are none in a state, which makes a chart of nothing.
    """
    numbers = dict.fromkeys((TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED), 0)
    costs = []
    for trial in trials:
        costs.append(trial.device_seconds)
        if trial.kind == "trial" and trial.finished_at is not None:
            numbers[trial.state] += 1
    found = {f"trials_{state}": float(number) for state, number in numbers.items() if number or zeros}
    found["device_seconds"] = sum(costs)
    return [Point(key, value, at, 0) for key, value in found.items()]


def summary(key: str, values: Sequence[float], at: int, *, single: bool = False) -> list[Point]:
    """The mean under `key`, each value under `key`_runs with its position as step.

    `single`: also where there is but one, which makes the same chart twice.
    """
    if not values:
        return []
    if len(values) == 1 and not single:
        return [Point(key, values[0], at, 0)]
    each = [Point(f"{key}_runs", value, at, number) for number, value in enumerate(values)]
    return [Point(key, sum(values) / len(values), at, 0), *each]


def millis(seconds: float) -> int:
    """POSIX seconds as whole milliseconds."""
    return round(1000 * seconds)
