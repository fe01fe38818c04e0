"""Which trials make an ensemble: greedy forward selection by predictions of rows that were held out.

Caruana, Niculescu-Mizil, Crew and Ksikes: Ensemble Selection from Libraries of Models, ICML 2004; with
replacement, from the best trial on.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from automl.contracts import Direction, Metric
from automl.tables import quick

MEMBERS: Final = 8  # distinct ones at most: all are fitted, and each predicts
PATIENCE: Final = 5  # steps without a gain after which the selection ends
ROWS: Final = 10_000  # by which members are chosen; more say little more


@dataclass(frozen=True)
class Held:
    """Targets of rows that folds held out, a part (n,) for each fold, by which predictions are scored.

    A prediction, (n, classes) or (n,), has the rows of all parts one after the other.
    """

    metric: Metric
    parts: Sequence[np.ndarray]

    def values(self, prediction: np.ndarray, parts: slice = slice(None)) -> list[float]:
        """The metric of each of those `parts`."""
        score, ends = quick.metric(self.metric.name), np.cumsum([len(y) for y in self.parts]).tolist()
        places = list(zip(self.parts, ends, strict=True))[parts]
        return [score(y, prediction[end - len(y) : end]) for y, end in places]

    def value(self, prediction: np.ndarray, parts: slice = slice(None)) -> float:
        """The mean over those parts, as the value of a trial is over its folds."""
        return float(np.mean(self.values(prediction, parts)))

    def few(self, most: int = ROWS) -> tuple[Held, np.ndarray]:
        """About `most` of the rows, at regular distances in the order of targets, and their places.

        All where there are no more. Every class of a part keeps a row.
        """
        total = sum(map(len, self.parts))
        if total <= most:
            return self, np.arange(total)
        chosen = []
        for y in self.parts:
            order = np.argsort(y, kind="stable")[:: -(-total // most)]
            classes = np.unique(y, return_index=True)[1] if y.dtype.kind == "i" else order[:0]
            chosen.append(np.union1d(order, classes))
        starts = np.cumsum([0, *map(len, self.parts)])[:-1].tolist()
        rows = np.concatenate([start + one for start, one in zip(starts, chosen, strict=True)])
        return Held(self.metric, [y[one] for y, one in zip(self.parts, chosen, strict=True)]), rows


@dataclass(frozen=True)
class Selected:
    """An ensemble. `weights`: by the place of a trial in its pool; the first one has one, they sum to 1.

    `value`: of the metric, the mean over the folds, which chose its members as they chose the best trial.
    `other`, `alone`: of an ensemble and of the best trial on folds that have not chosen them.
    """

    weights: dict[int, float]
    value: float
    other: float
    alone: float


@dataclass
class Pool:
    """What may be combined: `predictions` of each trial of all rows held out, the winner's first.

    `steps`: of a selection, the first one included. `costs`: seconds that a fit of each is expected to take,
    of which the members but the first may take `most` together.
    """

    held: Held
    predictions: Sequence[np.ndarray]
    steps: int
    costs: Sequence[float] = ()
    most: float = math.inf

    def __post_init__(self) -> None:
        self._few, rows = self.held.few()
        self._chosen_by = [np.asarray(one[rows], dtype=np.float64) for one in self.predictions]

    def selected(self) -> Selected | None:
        """The ensemble; None where none is better than the first trial.

        Whether it is better is asked of folds that did not choose: one half of the folds chooses a best trial
        and its ensemble, which the other half judges, and the other way round.
        """
        weights = self.weights()
        if len(weights) < 2:
            return None
        one, other = slice(0, None, 2), slice(1, None, 2)
        judged = [*self._judged(one, other), *self._judged(other, one)]
        found, alone = np.mean(judged, axis=0).tolist()
        if not self.held.metric.direction.better(found, alone):
            return None
        return Selected(weights, self.held.value(self._combined(weights)), found, alone)

    def _judged(self, choosing: slice, judging: slice) -> list[tuple[float, float]]:
        """Of each judging part: the value of the ensemble that the choosing ones make, and of their best."""
        best = self._best(self._few.value(one, choosing) for one in self._chosen_by)
        combined = self._combined(self.weights(choosing, best))
        values = (self.held.values(one, judging) for one in (combined, self.predictions[best]))
        return list(zip(*values, strict=True))

    def _best(self, values: Iterable[float]) -> int:
        """The place of the best value; of equal ones the first."""
        sign = -1 if self.held.metric.direction is Direction.MAXIMIZE else 1
        return int(np.argmin([sign * value for value in values]))

    def _combined(self, weights: Mapping[int, float]) -> np.ndarray:
        return np.asarray(
            sum(np.float64(weight) * self.predictions[place] for place, weight in weights.items())
        )

    def weights(self, parts: slice = slice(None), first: int = 0) -> dict[int, float]:
        """Weights of the members that those parts choose beside the `first`.

        Of equal ones fewer steps and earlier trials.
        """
        better = self.held.metric.direction.better
        counts: Counter[int] = Counter({first: 1})
        total = self._chosen_by[first]
        best, kept = self._few.value(total, parts), counts.copy()
        for step in range(2, self.steps + 1):
            found: tuple[float, int] | None = None
            for place in self._allowed(counts, first):
                value = self._few.value((total + self._chosen_by[place]) / step, parts)
                if found is None or better(value, found[0]):
                    found = value, place
            if found is None:
                break
            counts[found[1]] += 1
            total = total + self._chosen_by[found[1]]
            if better(found[0], best):
                best, kept = found[0], counts.copy()
            elif step - kept.total() >= PATIENCE:
                break
        return {place: kept[place] / kept.total() for place in sorted(kept)}

    def _allowed(self, counts: Counter[int], first: int) -> list[int]:
        """Which trials may be the next one: members again, and others while there is room and time."""
        if len(counts) >= MEMBERS:
            return sorted(counts)
        left = self.most - sum(self._cost(place) for place in counts if place != first)
        places = range(len(self.predictions))
        return [place for place in places if place in counts or self._cost(place) <= left]

    def _cost(self, place: int) -> float:
        return self.costs[place] if self.costs else 0.0
