"""Classes with too few rows for every part of a split: refused, dropped or merged, as the study says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl.contracts import Split, SplitSpec, UserError
from automl.data.dataset import Dataset
from automl.data.splits import counted, rare_classes


def without_rare(
    dataset: Dataset, labels: tuple[str, ...], split: SplitSpec
) -> tuple[Dataset, tuple[str, ...]]:
    """`dataset`, whose `y` are labels 0 … classes-1, with its rare classes dropped or merged, and told.

    A class is rare when it has fewer rows than there are parts. Raises `UserError` when fewer than two
    are left.
    """
    need = 2 + (dataset.test is None and split.test > 0)
    rare = rare_classes(dataset.y, len(labels), need)
    if not rare or split.rare == "refuse":
        return dataset, labels
    told = counted(dataset.y, labels, rare)
    kept = [label for label in range(len(labels)) if label not in rare]
    names = [labels[label] for label in kept]
    new = np.full(len(labels), -1)
    new[kept] = np.arange(len(kept))
    if split.rare == "merge":
        new[rare] = len(kept)
        names.append(_merged_name(labels))
        note = f"rare classes are merged into {names[-1]!r}: {told}"
    else:
        note = f"rows of rare classes are left out: {told}"
    if len(names) < 2:
        raise UserError(f"at least two classes must be left, but all are rare: {told}; add rows")
    rows = np.flatnonzero(new[dataset.y] >= 0)
    test = None if dataset.test is None else _kept(dataset.test, new)
    small = rare_classes(new[dataset.y][rows], len(names), need)
    if small:
        raise UserError(
            f"a merged class must have {need} rows, but {told} together have fewer; set task.split.rare: drop"
        )
    each = (dataset.groups, dataset.order, dataset.weights)
    groups, order, weights = (None if part is None else part[rows] for part in each)
    changed = replace(
        dataset,
        x=take(dataset.x, rows),
        y=new[dataset.y][rows],
        classes=len(names),
        test=test,
        groups=groups,
        order=order,
        weights=weights,
        notes=(*dataset.notes, note),
    )
    return changed, tuple(names)


def _kept(test: Split, new: np.ndarray) -> Split:
    """The rows whose classes are left, with their new numbers; -1 for none."""
    there = np.flatnonzero(new[test.y] >= 0)
    own = (None if part is None else part[there] for part in (test.groups, test.weights))
    return Split(take(test.x, there), new[test.y][there], *own)


def take(x: Any, rows: np.ndarray) -> Any:
    """A copy of `rows` of an array or DataFrame that shares no memory with it."""
    if isinstance(x, np.ndarray):
        return x[rows]
    return x.iloc[rows].reset_index(drop=True).copy(deep=True)


def _merged_name(labels: tuple[str, ...]) -> str:
    name = "other"
    while name in labels:
        name += " classes"
    return name
