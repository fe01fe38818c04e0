"""A table to a fitted model in one call: `automl.fit`, and what it returns."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from automl.api.campaign import Campaign
from automl.api.finding import store_of
from automl.api.keys import StoreLike, check_names
from automl.api.rows import WRITTEN, columns_of, frame_of
from automl.api.rows import kept as kept_as_file
from automl.api.shown import Explained, Report
from automl.campaign import Wanted, run_campaign
from automl.contracts import UserError
from automl.data.sources import kept
from automl.explaining import CURVES, REPEATS, WORST, Extent, explain
from automl.export.predicting import TablePredictor, predictor, read_rows
from automl.fitting import Outcome, Plan, Wishes, outcome_of, plan
from automl.fitting.models import models
from automl.ledger import Store
from automl.progress import progress_for
from automl.storage import open_ledger
from automl.tables.monotone import SIGNS, Trend

if TYPE_CHECKING:
    import pandas as pd

NAME: Final = "table"  # of the study of a table that was given in memory


class FitKeys(TypedDict, total=False):
    """What `fit` may be told besides.

    `metric`, `name`: by default guessed, which is told, and that of the file. `group`, `time`: columns of
    the split, as in a study file. `test`: rows that are the sealed test set, given as the table is: the path
    of a file, or rows in memory; by default a part of the rows is. `cpus`: of this machine, by default all.
    `overrides`: of keys of the study, such as `task.split.test=0.3`. `refit`: by default the model that
    predicts is fitted on all rows after the test. `monotone`: `increasing` or `decreasing` by column, with
    which predictions may only rise or fall. `weights`: a column that says how much each row counts in fits.
    `infer_limit`: milliseconds that the prediction of one row may take; `size_limit`: bytes that the file of
    the model may take, or as `50MB`.
    `store`, `fresh`, `progress`: as for `automl.run`.
    """

    metric: str | None
    name: str | None
    group: str | None
    time: str | None
    test: Any
    cpus: int | None
    refit: bool
    overrides: Sequence[str]
    monotone: Mapping[str, Trend] | None
    weights: str | None
    infer_limit: float | None
    size_limit: str | float | None
    store: StoreLike | None
    fresh: bool
    progress: str


def fit(data: Any, target: str | None = None, minutes: float = 5.0, **keys: Unpack[FitKeys]) -> Fitted:
    """Find and fit a model for a table within `minutes` on the clock, as `automl fit` does.

    `data`: the path of a file, a DataFrame of pandas or polars, an array, or a mapping of columns; `target`:
    the column to predict, in a file by default guessed. The same call goes on after an interruption, returns
    the model at once when all is there, and with more minutes goes on from there. Raises `UserError` for
    mistakes, before anything is created, and `RunError` when the time was too short for a model.
    """
    check_names(keys, FitKeys)
    began, store = time.monotonic(), store_of(keys.get("store"))
    name, columns, how, given, test = keys.get("name"), None, None, None, keys.get("test")
    _check_test(data, test)
    if isinstance(data, str | Path):
        path, test = Path(data), None if test is None else Path(test)
    else:
        frame, name = frame_of(data), name or NAME
        _check_target(frame, target)
        path, columns, how = kept_as_file(frame, store, name), columns_of(frame, target), WRITTEN
        test = None if test is None else kept_as_file(frame_of(test), store, f"{name}-test")
        given = next(column.dtype for label, column in frame.items() if str(label) == target)
    split = (keys.get("group"), keys.get("time"))
    wishes = Wishes(target, minutes, keys.get("metric"), name, *split, columns, how)
    overrides, refit = tuple(keys.get("overrides", ())), keys.get("refit", True)
    wishes = replace(wishes, overrides=overrides, cpus=keys.get("cpus"), refit=refit, test=test)
    wishes = replace(wishes, monotone=_checked(keys.get("monotone")), weights=keys.get("weights"))
    wishes = replace(wishes, infer_limit=keys.get("infer_limit"), size_limit=keys.get("size_limit"))
    with kept():
        planned = plan(path, wishes)
        progress = progress_for(keys.get("progress", "auto"))
        for line in planned.told:
            progress.message(line)
        wanted = Wanted(keys.get("fresh", False))
        campaign = run_campaign(planned.study, store=store, wanted=wanted, progress=progress, began=began)
    with open_ledger(store) as ledger:
        outcome = outcome_of(ledger, campaign, minutes, planned.rows[2])
        return Fitted(predictor(ledger, campaign, outcome.arm), outcome, planned, store, given)


def _checked(monotone: Mapping[str, Trend] | None) -> Mapping[str, Trend] | None:
    for name, trend in (monotone or {}).items():
        if trend not in SIGNS:
            text = f"monotone must be one of {', '.join(SIGNS)} for a column, but {name} has {trend!r}"
            raise UserError(f"{text}; correct it")
    return monotone


def _check_test(data: Any, test: Any) -> None:
    if test is not None and isinstance(data, str | Path) != isinstance(test, str | Path):
        kinds = [type(one).__name__ for one in (data, test)]
        raise UserError(
            "test must be given as the table is, both as paths of files or both as rows, but got "
            f"{kinds[0]} and {kinds[1]}; read one of them"
        )


def _check_target(frame: pd.DataFrame, target: str | None) -> None:
    names = [str(name) for name in frame.columns]
    if target not in names:
        raise UserError(
            f"target must name a column of the table, but got {target!r}; its columns are {', '.join(names)}"
        )


class Fitted:
    """A fitted model of a table. `campaign`: in which it was found; `classes`: None for numbers."""

    def __init__(
        self, model: TablePredictor, outcome: Outcome, planned: Plan, store: Store, given: Any = None
    ) -> None:
        self._model, self._outcome = model, outcome
        self.campaign = Campaign(outcome.campaign, store)
        self._values = dict(zip(planned.labels, _values(planned, given), strict=True))
        self.classes = list(self._values.values()) or None

    def __repr__(self) -> str:
        return f"<Fitted {self._model.trial}>"

    def __str__(self) -> str:
        return "\n".join(self._outcome.lines)

    @property
    def threshold(self) -> float | None:
        """The probability from which on the second class is predicted; None: the larger one decides."""
        return self._model.described.threshold

    def predict(self, data: Any, threshold: float | None = None) -> pd.Series:
        """The predictions for rows, which may be all that `fit` takes; a row for each, with its index.

        `threshold`: of two classes, the second one is predicted from this probability on; by default its own.
        Columns may come in any order, the target and others may be there. Raises `UserError` for a column
        that is missing, and for a cell that is no number or date where the table had those.
        """
        found = self._predicted(data, threshold=threshold)["prediction"]
        return found.map(self._values) if self.classes is not None else found

    def predict_proba(self, data: Any) -> pd.DataFrame:
        """The probability of each class (columns, in the order of `classes`) for rows."""
        if self.classes is None:
            raise UserError("probabilities need classes, but the target holds numbers; use predict")
        found = self._predicted(data).drop(columns="prediction")
        return found.set_axis(self.classes, axis="columns")

    def predict_interval(self, data: Any, level: float = 0.9) -> pd.DataFrame:
        """`prediction`, `lower` and `upper` for rows: between the last two lies such a share of the targets.

        They are made of the errors of rows that folds held out; `automl.tables.conformal` says what that is
        worth. Raises `UserError` for a target of classes (see `predict_set`), a level for which there were
        too few rows, and a model that was saved without those errors.
        """
        if self.classes is not None:
            raise UserError("intervals need numbers, but the target holds classes; use predict_set")
        self._model.intervals(level)
        return self._predicted(data, level=level)

    def predict_set(self, data: Any, level: float = 0.9) -> pd.DataFrame:
        """Whether each class (columns, in the order of `classes`) is in the set of a row: True or False.

        The true one is in such a share of the sets, the predicted one in all. They are made of the
        probabilities of rows that folds held out; `automl.tables.conformal` says what that is worth. Raises
        `UserError` for a target that holds numbers, and as `predict_interval`.
        """
        import pandas as pd  # takes half a second to import

        if self.classes is None:
            raise UserError("sets need classes, but the target holds numbers; use predict_interval")
        self._model.intervals(level)
        sets = self._predicted(data, level=level)["set"].map(json.loads)
        there = [[label in one for label in self._model.described.labels] for one in sets]
        return pd.DataFrame(there, index=sets.index, columns=self.classes, dtype=bool)

    def leaderboard(self) -> pd.DataFrame:
        """All complete trials, the best first: their score on validation, and the test where it was opened.

        `seconds`: of all its folds; `fitted`: whether it was retrained, as the winner of each arm is.
        """
        import pandas as pd  # takes half a second to import

        with open_ledger(self.campaign.store) as ledger:
            _, found = models(ledger, self.campaign.name)
        rows = [
            (one.family, one.validation, one.test, one.seconds, one.fitted, one.arm, one.trial)
            for one in found
        ]
        names = ["model", "validation", "test", "seconds", "fitted", "arm", "trial"]
        return pd.DataFrame(rows, columns=names).astype({"test": float})

    def report(self) -> Report:
        """The report of its campaign: verdicts, warnings, all arms; `print` it, or `.html()`."""
        return self.campaign.report

    def explain(self, *, repeats: int = REPEATS, worst: int = WORST, curves: int = CURVES) -> Explained:
        """What it goes by, on validation rows; `print` it, or `.html()`. The sealed test stays sealed.

        It looks at the model of the training rows, which has not seen those. `repeats`: shuffles of each
        column; `worst`: rows; `curves`: columns with their partial dependence. Equal calls give equal values.
        """
        with open_ledger(self.campaign.store) as ledger:
            extent = Extent(repeats, worst, curves)
            found = explain(ledger, self.campaign.name, self._outcome.arm, extent)
        return Explained(**vars(found))

    def _predicted(
        self, data: Any, *, level: float | None = None, threshold: float | None = None
    ) -> pd.DataFrame:
        if isinstance(data, str | Path):
            table, _ = read_rows(Path(data), self._model.read)
        else:
            table = frame_of(data)
        found: pd.DataFrame = self._model.at(threshold).predict(table, level)[0]
        return found


def _values(planned: Plan, given: Any) -> list[Any]:
    """The classes as the table had them: numbers and truths, where their names are texts."""
    import pandas as pd  # takes half a second to import

    if given is not None and pd.api.types.is_bool_dtype(given):
        return [label == "True" for label in planned.labels]
    if planned.numeric and (given is None or pd.api.types.is_numeric_dtype(given)):
        return [int(label) for label in planned.labels]
    return list(planned.labels)
