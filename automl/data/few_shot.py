"""Few-shot tasks: parts of a dataset that share no class, and what an episode needs of each."""

from __future__ import annotations

import numpy as np

from automl.contracts import EpisodeSpec, EpisodesSpec, UserError
from automl.data.splits import Indices

TRAIN, VALIDATION, TEST = range(3)
TURNS = 4  # a class turned by 0, 90, 180 and 270 degrees


def episode_spec(drawn: EpisodesSpec, kind: str) -> EpisodeSpec:
    """What `task.episodes` means for data of this kind: functions have no ways."""
    given = {**drawn.model_dump(exclude_none=True), "more_shots": tuple(drawn.more_shots)}
    return EpisodeSpec(**({"ways": 0} if kind == "functions" else {}) | given)


def check(y: np.ndarray, shape: tuple[int, ...], spec: EpisodeSpec, kind: str) -> None:
    """Raise `UserError` unless a part holds an episode of `spec`.

    `y`: its targets, (n,) or (n, points); `shape`: that of one example.
    """
    need = max((spec.shots, *spec.more_shots)) + spec.queries
    if kind == "functions":
        _check_functions(y.shape[1], spec, need)
    else:
        _check_images(np.bincount(y), shape, spec, need)


def _check_functions(points: int, spec: EpisodeSpec, need: int) -> None:
    if spec.ways:
        raise UserError(
            f"functions have no classes, but got ways={spec.ways}; leave ways out of task.episodes"
        )
    if points < need:
        raise UserError(
            f"every function must have shots + queries = {need} points, but has {points}; "
            "lower them in task.episodes"
        )


def _check_images(counts: np.ndarray, shape: tuple[int, ...], spec: EpisodeSpec, need: int) -> None:
    if spec.rotations and shape[-1] != shape[-2]:
        raise UserError(
            f"images must be square to be turned, but have {shape[-2]}×{shape[-1]} pixels; "
            "remove rotations, or cut the images"
        )
    classes = len(counts) * (TURNS if spec.rotations else 1)
    if classes < spec.ways:
        raise UserError(
            f"every part must have at least as many classes as an episode has ways ({spec.ways}), but one "
            f"has {classes}; lower ways, give the part more classes (task.split), or set rotations: true"
        )
    if counts.min() < need:
        raise UserError(
            f"every class must have shots + queries = {need} images, but one has {counts.min()}; lower them "
            "in task.episodes, or leave that class out"
        )


def split_classes(
    y: np.ndarray, official: np.ndarray | None, validation: float, test: float, seed: int
) -> Indices:
    """Rows of each part. `y`: (n,) labels 0 … classes-1; the fractions are those of classes.

    `official` (classes,): the part (0 train, 1 validation, 2 test) that each class belongs to; without
    official validation classes they are drawn from those for training. Raises `UserError` when a part would
    be empty.
    """
    classes = int(y.max()) + 1
    rng = np.random.default_rng(seed)
    part = np.full(classes, TRAIN) if official is None else official.copy()
    if official is None and test:
        part[_drawn(rng, part, test)] = TEST
    if not (part == VALIDATION).any():
        part[_drawn(rng, part, validation)] = VALIDATION
    if not (part == TRAIN).any():
        raise UserError(
            f"classes must be left for meta-training, but task.split gives all {classes} away; lower it"
        )
    train, valid, held = (np.flatnonzero(part[y] == number) for number in (TRAIN, VALIDATION, TEST))
    return Indices(train, valid, held)


def check_official(official: np.ndarray, classes: int, name: str) -> None:
    """Raise `UserError` unless every class has exactly one part."""
    if official.shape != (classes,) or not np.isin(official, (TRAIN, VALIDATION, TEST)).all():
        raise UserError(
            f"the official parts of {name!r} must give each of its {classes} classes one of 0 (train), "
            f"1 (validation), 2 (test), but have shape {official.shape}; correct the dataset"
        )


def relabelled(y: np.ndarray) -> np.ndarray:
    """The labels of one part as 0 … classes-1 of their own."""
    return np.unique(y, return_inverse=True)[1].astype(np.int64)


def _drawn(rng: np.random.Generator, part: np.ndarray, fraction: float) -> np.ndarray:
    free = np.flatnonzero(part == TRAIN)
    return rng.permutation(free)[: max(1, round(len(part) * fraction))]
