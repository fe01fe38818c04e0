"""Disjoint, seeded parts of a dataset: training, validation and test; by class, by group or in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automl.contracts import SplitSpec, UserError
from automl.data.reading.wording import count


@dataclass(frozen=True)
class Indices:
    """Row numbers of each part, rising, or in time. `test` is empty when there is an official test part."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Rows:
    """What a split looks at: targets (n,), the classes' names (none for numbers), groups and times (n,)."""

    y: np.ndarray
    labels: tuple[str, ...] = ()
    groups: np.ndarray | None = None
    order: np.ndarray | None = None


def split_rows(rows: Rows, split: SplitSpec, *, official: bool = False) -> Indices:
    """Split rows by the fractions of `split`; there is no test part when an `official` one exists.

    Classes keep their shares, and every class has at least one row in each part that is not empty; groups
    stay whole; in time, the test rows are the last ones. Raises `UserError` when that cannot be.
    """
    test = 0.0 if official else split.test
    if split.validation + test >= 1:
        raise UserError(
            "0 < validation, 0 <= test and validation + test < 1 must hold, but got "
            f"(validation={split.validation}, test={test}); correct task.split"
        )
    fractions = np.array([1 - split.validation - test, split.validation, test])
    if rows.order is not None:
        parts = _in_time(rows.order, fractions)
    elif rows.groups is not None:
        parts = _by_group(rows, fractions, split.seed)
    else:
        return _by_class(rows, fractions, split.seed)
    _check_parts(parts, rows, fractions)
    return Indices(*parts)


def rare_classes(y: np.ndarray, classes: int, need: int) -> list[int]:
    """The classes with fewer than `need` rows among the labels `y` (n,)."""
    return np.flatnonzero(np.bincount(y, minlength=classes) < need).tolist()


def counted(y: np.ndarray, labels: Sequence[str], some: Sequence[int]) -> str:
    """The classes `some` in words, each with its rows: `'owl' (1 row), 'eel' (2 rows)`."""
    sizes = np.bincount(y, minlength=len(labels)).tolist()
    shown = [f"{labels[label]!r} ({count(sizes[label], 'row')})" for label in some[:10]]
    return ", ".join(shown) + (f" and {len(some) - 10} more" if len(some) > 10 else "")


def _by_class(rows: Rows, fractions: np.ndarray, seed: int) -> Indices:
    y, classes = rows.y, len(rows.labels)
    shares = [share for share in fractions[1:] if share]
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(y == label) for label in range(classes)] if classes else [np.arange(len(y))]
    parts: list[list[np.ndarray]] = [[], [], []]
    small = []
    for label, members in enumerate(groups):
        if len(members) == 0:
            continue
        sizes = [max(1, round(len(members) * share)) for share in shares]
        if len(members) <= sum(sizes):
            small.append(label)
            continue
        shuffled = rng.permutation(members)
        ends = np.cumsum(sizes)
        parts[1].append(shuffled[: ends[0]])
        parts[2].append(shuffled[ends[0] : ends[-1]])
        parts[0].append(shuffled[ends[-1] :])
    if small:
        what = counted(y, rows.labels, small) if classes else f"there are {len(y)} rows"
        raise UserError(
            f"every part of the split must get a row of each class, but there are {len(shares) + 1} parts "
            "and "
            f"{what}; add rows, set task.split.rare to drop or merge, make the parts smaller, or (for "
            "numbers) "
            "use a regression metric"
        )
    train, valid, held = (np.sort(np.concatenate(part)) for part in parts)
    return Indices(train, valid, held)


def _in_time(order: np.ndarray, fractions: np.ndarray) -> list[np.ndarray]:
    """The last rows are tested, those before them select; rows of one time stay together."""
    rows = np.argsort(order, kind="stable")
    times = order[rows]
    ends = np.round(np.cumsum(fractions)[:2] * len(rows)).astype(int)
    first, second = (int(np.searchsorted(times, times[min(end, len(rows) - 1)])) for end in ends)
    second = second if fractions[2] else len(rows)
    return [rows[:first], rows[first:second], rows[second:]]


def _by_group(rows: Rows, fractions: np.ndarray, seed: int) -> list[np.ndarray]:
    """Whole groups, the largest first, each to the part that then lacks least of every class."""
    assert rows.groups is not None
    y = rows.y if rows.labels else np.zeros(len(rows.y), int)
    groups, members = np.unique(rows.groups, return_inverse=True)
    counts = np.zeros((len(groups), len(rows.labels) or 1))
    np.add.at(counts, (members, y), 1)
    wanted = fractions[:, None] * counts.sum(0)
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    part_of, held = np.zeros(len(groups), int), np.zeros_like(wanted)
    for group in shuffled[np.argsort(-counts[shuffled].sum(1), kind="stable")]:
        lacks = ((wanted - held) ** 2 - (wanted - held - counts[group]) ** 2).sum(1)
        lacks[fractions == 0] = -np.inf
        part_of[group] = int(np.argmax(lacks / np.maximum(fractions, 1e-12)))
        held[part_of[group]] += counts[group]
    return [np.flatnonzero(part_of[members] == part) for part in range(3)]


def _check_parts(parts: list[np.ndarray], rows: Rows, fractions: np.ndarray) -> None:
    """Every part that is asked for has rows, and training has every class."""
    for name, part, share in zip(("training", "validation", "test"), parts, fractions, strict=True):
        if share and not len(part):
            raise UserError(
                f"every part of the split must get a row, but {name} gets none: there are too few groups or "
                "times; choose another column in task.split, or other sizes"
            )
    absent = rare_classes(rows.y[parts[0]], len(rows.labels), 1) if rows.labels else []
    if absent:
        raise UserError(
            f"training must see every class, but {counted(rows.y, rows.labels, absent)} are in other parts "
            "alone; "
            "leave their rows out, merge classes, or choose another task.split.seed or column"
        )
