"""All parts of a study's dataset at once, from which `tasks` and `sealed` take theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl import metrics
from automl.contracts import EpisodeSpec, Split, TaskSpec, UserError
from automl.data import few_shot, sources, targets
from automl.data.dataset import Dataset, check_test_classes
from automl.data.rare import take, without_rare
from automl.data.splits import Indices, Rows, split_rows


@dataclass(frozen=True)
class Parts:
    """A dataset with encoded targets, the rows of each part, and what standardises its images."""

    name: str
    dataset: Dataset
    labels: tuple[str, ...]
    rows: Indices
    digest: str
    mean: np.ndarray | None
    std: np.ndarray | None
    episodes: EpisodeSpec | None = None

    @property
    def classes(self) -> int:
        """The number of classes, 0 for numbers."""
        return len(self.labels)

    @property
    def tested(self) -> int:
        """How many rows the sealed test set has."""
        return len(self.rows.test) if self.dataset.test is None else len(self.dataset.test)

    @property
    def all_rows(self) -> int:
        """How many rows all parts have."""
        return len(self.rows.train) + len(self.rows.validation) + self.tested

    @property
    def shape(self) -> tuple[int, ...]:
        """That of one example: (channels, height, width), or (numbers,)."""
        skipped = 2 if self.dataset.kind == "functions" else 1
        return tuple(int(size) for size in self.dataset.x.shape[skipped:])

    def split(self, rows: np.ndarray) -> Split:
        """A standardised copy of `rows`; nothing in it refers to other rows.

        Parts of few-shot tasks have different classes, and each numbers its own from 0.
        """
        y = self.dataset.y[rows]
        labels = few_shot.relabelled(y) if self.episodes is not None and y.ndim == 1 else y
        own = (self.dataset.groups, self.dataset.weights)
        groups, weights = (None if one is None else one[rows] for one in own)
        return self.prepared(Split(take(self.dataset.x, rows), labels, groups, weights))

    def prepared(self, data: Split) -> Split:
        """`data` with images standardised by the training rows, as float32; tables as they are."""
        if self.mean is None or self.std is None:
            return data
        x = (data.x.astype(np.float32) - self.mean) / self.std
        return replace(data, x=x.astype(np.float32, copy=False))


def load_parts(spec: Mapping[str, Any], import_path: Sequence[str]) -> Parts:
    """The parts of the task `spec` (a study's `task` as plain JSON). Raises `UserError` for unusable data."""
    task = TaskSpec.from_json({**spec, "metrics": [_directed(metric) for metric in spec["metrics"]]})
    raw = sources.read(task, import_path)
    return split_dataset(raw, sources.short_name(str(task.dataset)), task)


def _directed(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    """A metric with its direction, which a known one has by itself."""
    known = metrics.DIRECTIONS.get(metric["name"])
    return metric if "direction" in metric or known is None else {**metric, "direction": known}


def split_dataset(raw: Dataset, name: str, task: TaskSpec) -> Parts:
    """The parts of a dataset by `metrics`, `split` and `episodes` of `task`.

    Raises `UserError` for unusable data.
    """
    names = [metric.name for metric in task.metrics]
    dataset, labels = _encoded(raw, names, name)
    split = task.split
    episodes = None if task.episodes is None else few_shot.episode_spec(task.episodes, dataset.kind)
    _check_kind(dataset, episodes is not None, name)
    if episodes is not None and dataset.kind == "image":
        rows = few_shot.split_classes(dataset.y, dataset.parts, split.validation, split.test, split.seed)
        labels = tuple(labels[label] for label in np.unique(dataset.y[rows.train]))
    else:
        if labels:
            dataset, labels = without_rare(dataset, labels, split)
        seen = Rows(dataset.y, labels, dataset.groups, dataset.order)
        rows = split_rows(seen, split, official=dataset.test is not None)
    mean, std = _statistics(dataset.x, rows.train) if dataset.kind == "image" else (None, None)
    parts = Parts(name, dataset, labels, rows, _digest(dataset, rows), mean, std, episodes)
    _check_episodes(parts)
    return parts


def _check_episodes(parts: Parts) -> None:
    """Raise `UserError` unless every part that is there holds an episode."""
    for rows in (parts.rows.train, parts.rows.validation, parts.rows.test):
        if parts.episodes is not None and len(rows):
            y = parts.dataset.y[rows]
            labels = few_shot.relabelled(y) if y.ndim == 1 else y
            few_shot.check(labels, parts.dataset.x.shape[1:], parts.episodes, parts.dataset.kind)


def _check_kind(dataset: Dataset, episodic: bool, name: str) -> None:
    if episodic and dataset.kind == "table":
        raise UserError(
            f"task.episodes needs images with classes or a family of functions, but {name!r} is a table; "
            "remove task.episodes, or name another dataset"
        )
    if episodic and dataset.test is not None:
        raise UserError(
            f"few-shot parts must share no class, but {name!r} has an official test part with all of them; "
            "name a dataset without one"
        )
    if episodic and dataset.parts is not None:
        few_shot.check_official(dataset.parts, dataset.classes or 0, name)
    if not episodic and dataset.kind == "functions":
        raise UserError(
            f"functions are learnt from a few points each, but task.episodes is not set for {name!r}; write "
            "task.episodes: {shots: 10, queries: 10}, for instance"
        )


def _encoded(raw: Dataset, names: Sequence[str], name: str) -> tuple[Dataset, tuple[str, ...]]:
    if raw.kind == "functions":
        metrics.check(names, 0)
        return raw, ()
    count = len(raw.y)
    together = raw.y if raw.test is None else np.concatenate([raw.y, raw.test.y])
    y, labels = targets.encode(together, raw.classes, names, name)
    if labels:
        check_test_classes(raw, name)
    test = None if raw.test is None else replace(raw.test, y=y[count:])
    return replace(raw, y=y[:count], classes=len(labels), test=test), labels


def _statistics(x: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over the training `rows`, (C, 1, 1) float32."""
    train = x[rows]
    mean = train.mean(axis=(0, 2, 3), dtype=np.float64)
    std = train.std(axis=(0, 2, 3), dtype=np.float64)
    std[std == 0] = 1
    return mean.astype(np.float32)[:, None, None], std.astype(np.float32)[:, None, None]


def _digest(dataset: Dataset, rows: Indices) -> str:
    """Sha256 (hex) over all rows, the official test part, weights, and which row is in which part."""
    sha = hashlib.sha256(f"{dataset.kind} {dataset.classes}".encode())
    parts = [(dataset.x, dataset.y)]
    if dataset.test is not None:
        parts.append((dataset.test.x, dataset.test.y))
    for x, y in parts:
        sha.update(_bytes(x))
        sha.update(_bytes(y))
    weights = (dataset.weights, None if dataset.test is None else dataset.test.weights)
    for one in weights:
        sha.update(b"" if one is None else _bytes(one))
    for index in (rows.train, rows.validation, rows.test):
        sha.update(_bytes(index.astype(np.int64)))
    return sha.hexdigest()


def _bytes(x: Any) -> bytes:
    if isinstance(x, np.ndarray):
        return f"{x.dtype.str} {x.shape}".encode() + np.ascontiguousarray(x).tobytes()
    import pandas as pd  # pandas takes half a second to import

    names = repr([str(column) for column in x.columns]).encode()
    hashes: bytes = pd.util.hash_pandas_object(x, index=False).to_numpy().tobytes()
    return names + hashes


def joined(one: Split, other: Split) -> Split:
    """The rows of both, those of `other` last; without groups."""
    y, weights = np.concatenate([one.y, other.y]), None
    if one.weights is not None and other.weights is not None:
        weights = np.concatenate([one.weights, other.weights])
    if isinstance(one.x, np.ndarray):
        return Split(np.concatenate([one.x, other.x]), y, weights=weights)
    import pandas as pd  # pandas takes half a second to import

    return Split(pd.concat([one.x, other.x], ignore_index=True), y, weights=weights)


def require_test(parts: Parts) -> None:
    """Raise `UserError` when no part was held out for the test."""
    if parts.dataset.test is None and len(parts.rows.test) == 0:
        raise UserError(
            f"a test set must be held out to be opened, but split.test is 0 and {parts.name!r} has no "
            "official one; set split.test, or leave out what opens it (final.seeds, transfer)"
        )
