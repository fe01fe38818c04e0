"""Prediction intervals and sets of a fitted table: what the target of a new row is, at a given level.

The prediction ± a quantile of the absolute residuals of rows that folds held out (H. Papadopoulos,
K. Proedrou, V. Vovk, A. Gammerman: Inductive confidence machines for regression, ECML 2002; J. Lei et al.:
Distribution-free predictive inference for regression, JASA 2018). A residual may be divided by the error that
a second model expects for its row; an interval is then wide where errors are large (H. Papadopoulos, V. Vovk,
A. Gammerman: Regression conformal prediction with nearest neighbours, JAIR 2011; Lei et al., 5.2).

Of classes: the set of those whose probability is at least 1 - a quantile of 1 - the probability of the true
class of those rows (M. Sadinle, J. Lei, L. Wasserman: Least ambiguous set-valued classifiers with bounded
error levels, JASA 2019), and the predicted one.

What holds: of rows that are exchangeable with n others, whose residuals are of one model that none of them
has fitted, an interval or set holds the target with a probability of `level` at least, on average over such
n rows. What predicts here is fitted on all rows, and each fold's residuals are of a model of the others, by
which it was chosen, too: then no distribution-free bound is known. The intervals of CV+ and jackknife+,
which need the models of all folds, have 2·level - 1, CV+ a little less (R. F. Barber, E. J. Candès, A.
Ramdas, R. J. Tibshirani: Predictive inference with the jackknife+, Annals of Statistics 2021). Where a model
hardly changes with a few rows, both agree.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from automl.checkpoints import write_atomically
from automl.contracts import UserError
from automl.tables.model import predicted, rows_of
from automl.tables.saved import read_fitted, write_fitted

CALIBRATED: Final = "intervals.json"
DIFFICULTY: Final = "difficulty.skops"
CALIBRATION_FORMAT: Final = 1
RANKS: Final = 10_000  # residuals that are kept of more: the level rises by 1/10,000 at most
WORTH: Final = {
    "rows": "they hold for rows of the same kind",
    "groups": "they hold for new groups of the same kind, the less surely the fewer groups there were",
    "time": "what comes later may be of another kind, of which they say nothing",
}
MADE: Final = (
    "fit it by `automl fit`, or set evaluator: {pipeline: {ensemble: 25}} and final: {seeds: 1} in the "
    "study, and run it again"
)


@dataclass(frozen=True)
class Calibration:
    """What intervals or sets are made of. `scores`: absolute residuals of `rows` rows, ascending.

    Of `classes` they are 1 - the probability of the true one. Of more rows than `RANKS` those at regular
    ranks. `by`: what folds divided, rows, groups or time. With a `difficulty`, a fitted model of absolute
    residuals, `scores` are residuals divided by what it expects, which is `floor` at least.
    """

    scores: tuple[float, ...]
    rows: int
    by: str
    floor: float = 0.0
    difficulty: Any = None
    classes: bool = False

    def half_width(self, x: Any, level: float) -> np.ndarray:
        """Half of the widths (n,) for the features `x` (n, …). Raises `UserError` for a level."""
        return np.asarray(self.quantile(level) * self.expected(x))

    def expected(self, x: Any) -> np.ndarray:
        """The size of an error that is expected for each row, (n,), up to a factor; 1 for all without one."""
        if self.difficulty is None:
            return np.ones(rows_of(x))
        return bounded(predicted(self.difficulty, x, 0), self.floor)

    def sets(self, probabilities: np.ndarray, chosen: np.ndarray, level: float) -> np.ndarray:
        """Which classes are in the sets (n, classes) by `probabilities` (n, classes).

        The predicted ones, `chosen` (n,), always are. Raises `UserError` for a level.
        """
        found = probabilities >= 1 - self.quantile(level)
        found[np.arange(len(found)), chosen] = True
        return np.asarray(found)

    def quantile(self, level: float) -> float:
        """The score of rank ⌈(n + 1)·level⌉. Raises `UserError` when there are too few rows for `level`."""
        checked(level)
        rank = math.ceil(round((self.rows + 1) * level, 9))
        if rank > self.rows:
            most = math.floor(100 * self.rows / (self.rows + 1)) / 100
            what = "a set" if self.classes else "an interval"
            raise UserError(
                f"{what} of the level {level:g} needs the errors of {needed(level):,} rows or more, but "
                f"this model has those of {self.rows:,}; ask for a level of {most:g} or less, or fit it on "
                "more rows"
            )
        return self.scores[(rank - 1) * len(self.scores) // self.rows]

    @property
    def told(self) -> str:
        """A sentence on what intervals are made of, and what that is worth."""
        if self.classes:
            return f"sets by the probabilities of {self.rows:,} rows that folds held out; {WORTH[self.by]}"
        how = "of one width" if self.difficulty is None else "wider where errors are expected to be larger"
        return f"intervals by the errors of {self.rows:,} rows that folds held out, {how}; {WORTH[self.by]}"


def bounded(expected: np.ndarray, floor: float) -> np.ndarray:
    """What a difficulty expects (n,), positive."""
    return np.asarray(np.maximum(expected, floor))


def checked(level: float) -> float:
    """The level of an interval. Raises `UserError` unless it is a share between 0 and 1."""
    if not 0 < level < 1:
        raise UserError(
            f"the level of an interval or set must be between 0 and 1, such as 0.9 for 90 %, but got "
            f"{level:g}; correct it"
        )
    return level


def needed(level: float) -> int:
    """The fewest rows whose residuals give an interval of the `level`: n with ⌈(n + 1)·level⌉ ≤ n."""
    return math.ceil(round(level / (1 - level), 9))


def calibration_of(
    scores: np.ndarray, by: str, floor: float = 0.0, difficulty: Any = None, *, classes: bool = False
) -> Calibration:
    """The calibration by scores (n,) in any order."""
    ordered, rows = np.sort(scores), len(scores)
    kept = min(rows, RANKS)
    ranks = -(-np.arange(1, kept + 1) * rows // kept)
    return Calibration(tuple(ordered[ranks - 1].tolist()), rows, by, floor, difficulty, classes)


def write_calibration(found: Calibration, folder: Path) -> None:
    """Keep it beside the model in `folder`: plain numbers, and the difficulty as models are kept."""
    if found.difficulty is not None:
        write_fitted(found.difficulty, folder / DIFFICULTY)
    values = {name: value for name, value in vars(found).items() if name != "difficulty"}
    told = {"format": CALIBRATION_FORMAT, **values, "scaled": found.difficulty is not None}
    write_atomically(folder / CALIBRATED, json.dumps(told).encode())


def read_calibration(folder: Path) -> Calibration | None:
    """What `write_calibration` kept; None where nothing was. Raises `UserError` when it is damaged."""
    path = folder / CALIBRATED
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != CALIBRATION_FORMAT:
            raise ValueError(f"is of format {found['format']}, and this version reads {CALIBRATION_FORMAT}")
        scores = tuple(map(float, found["scores"]))
        known = (scores, int(found["rows"]), str(found["by"]), float(found["floor"]))
        scaled, classes = bool(found["scaled"]), bool(found.get("classes"))
        WORTH[known[2]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} must say what intervals are made of, but: {error}; fit the model again"
        ) from error
    return Calibration(*known, read_fitted(folder / DIFFICULTY) if scaled else None, classes)


def calibrated(found: Calibration | None) -> Calibration:
    """The calibration of a model. Raises `UserError` where none was kept."""
    if found is None:
        raise UserError(
            "intervals and sets need the errors of rows that folds held out, but this model was saved "
            "without: by an earlier version, by `automl train`, without evaluator.pipeline.ensemble, or with "
            f"predictions that were lost; {MADE}"
        )
    return found
