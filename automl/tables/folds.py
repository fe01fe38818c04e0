"""Folds of the training rows: by class, by group or in time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from automl.contracts import Task, UserError, derive_seed


def folds(task: Task, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to fit on and rows held out, by a seed of the data: paired across trials.

    Classes keep their shares; groups stay whole; in time, each fold is fitted on what comes before it. Raises
    `UserError` when a fold could not be fitted or scored.
    """
    from sklearn import model_selection  # scikit-learn takes a second to import

    y, groups = task.train.y, task.train.groups
    seed = derive_seed(task.digest, "folds")
    if task.in_time:
        _check_count(len(y), count + 1, "rows in time", count)
        kind = model_selection.TimeSeriesSplit(count)
    elif groups is not None:
        _check_count(len(np.unique(groups)), count, "groups", count)
        by_class, plain = model_selection.StratifiedGroupKFold, model_selection.GroupKFold
        kind = (by_class if task.classes else plain)(count, shuffle=True, random_state=seed)
    else:
        _check_classes(task, count)
        by_class, plain = model_selection.StratifiedKFold, model_selection.KFold
        kind = (by_class if task.classes else plain)(count, shuffle=True, random_state=seed)
    found = list(kind.split(np.zeros(len(y)), y, groups))
    if task.classes:
        _check_fits(task, found)
    yield from found


def fewer(task: Task, rows: np.ndarray, share: float) -> np.ndarray:
    """A share of the training rows `rows`, at least one of each class among them, by a seed of the data."""
    rng = np.random.default_rng(derive_seed(task.digest, "fewer"))
    mixed = rng.permutation(rows)
    if not task.classes:
        return np.sort(mixed[: max(2, round(share * len(mixed)))])
    labels = task.train.y[mixed]
    of_classes = [mixed[labels == label] for label in range(task.classes)]
    return np.sort(np.concatenate([one[: max(1, round(share * len(one)))] for one in of_classes]))


def _check_count(found: int, need: int, what: str, count: int) -> None:
    if found < need:
        raise UserError(
            f"{count} folds need {need} {what}, but training has {found}; lower evaluator.pipeline.folds"
        )


def _check_classes(task: Task, count: int) -> None:
    if not task.classes:
        _check_count(len(task.train), count, "rows", count)
        return
    sizes = np.bincount(task.train.y, minlength=task.classes)
    small = [
        f"{task.label(label)!r} ({sizes[label]})" for label in np.flatnonzero(sizes < count)[:10].tolist()
    ]
    if small:
        raise UserError(
            f"every fold must get a row of each class, but of {count} folds' worth of training rows there "
            "are "
            f"fewer of {', '.join(small)}; lower evaluator.pipeline.folds, or set task.split.rare: merge "
            "or drop"
        )


def _check_fits(task: Task, found: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """What is fitted must see every class: a model has no probability for a class it never saw."""
    for number, (fit, held) in enumerate(found, start=1):
        sizes = np.bincount(task.train.y[fit], minlength=task.classes)
        absent = [repr(task.label(label)) for label in np.flatnonzero(sizes == 0).tolist()]
        if absent or not len(held):
            what = f"not fitted on {', '.join(absent)}" if absent else "empty"
            raise UserError(
                f"every fold must be fitted on all classes, but fold {number} is {what}; lower "
                "evaluator.pipeline.folds, leave that class out, or choose another column in task.split"
            )
