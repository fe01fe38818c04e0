"""What `automl check` tells of the data: target, classes, columns, images, parts, and what looks wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.contracts import Json
from automl.data.dataset import Column
from automl.data.parts import Parts

SHOWN = 20  # classes and columns that are written out


@dataclass(frozen=True)
class Summary:
    """Plain facts about a dataset and its parts. `rows`: those of training, validation and test."""

    name: str
    kind: str
    shape: tuple[int, ...]
    rows: tuple[int, int, int]
    target: str
    classes: dict[str, int]
    columns: tuple[Column, ...]
    notes: tuple[str, ...]

    def to_json(self) -> Json:
        """The facts as plain JSON values."""
        columns = [
            {"name": one.name, "kind": one.kind, "missing": one.missing, "unused": one.unused}
            for one in self.columns
        ]
        parts = dict(zip(("training", "validation", "test"), self.rows, strict=True))
        return {
            "name": self.name,
            "kind": self.kind,
            "shape": list(self.shape),
            "rows": parts,
            "target": self.target,
            "classes": self.classes,
            "columns": columns,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Summary:
        """The summary that `to_json` wrote."""
        rows = written["rows"]
        return cls(
            name=written["name"],
            kind=written["kind"],
            shape=tuple(written["shape"]),
            rows=(rows["training"], rows["validation"], rows["test"]),
            target=written["target"],
            classes=written["classes"],
            columns=tuple(Column(**column) for column in written["columns"]),
            notes=tuple(written["notes"]),
        )

    def lines(self) -> list[str]:
        """The facts in lines for a terminal."""
        parts = ", ".join(
            f"{count} {name}"
            for name, count in zip(("training", "validation", "test"), self.rows, strict=True)
        )
        found = [f"data: {self.name}, {self._what()}: {parts}", f"  target: {self._target()}"]
        used = [column for column in self.columns if not column.unused]
        for column in used[:SHOWN]:
            missing = f", {column.missing:.1%} missing" if column.missing else ""
            found.append(f"  {column.name}: {column.kind}{missing}")
        found += [f"  and {len(used) - SHOWN} more columns"] if len(used) > SHOWN else []
        return found + [f"  note: {note}" for note in self.notes]

    def _what(self) -> str:
        if self.kind == "image":
            channels, height, width = self.shape
            colour = {1: "grey", 3: "colour"}.get(channels, f"{channels}-channel")
            return f"{colour} images of {height}×{width} pixels"
        if self.kind == "functions":
            return f"functions of {self.shape[0]} numbers"
        return f"a table with {self.shape[0]} features"

    def _target(self) -> str:
        named = f"{self.target}, " if self.target else ""
        if not self.classes:
            return f"{named}numbers"
        shown = [f"{label} {count}" for label, count in list(self.classes.items())[:SHOWN]]
        rest = f" and {len(self.classes) - SHOWN} more" if len(self.classes) > SHOWN else ""
        return f"{named}{len(self.classes)} classes: {', '.join(shown)}{rest}"


def summarise(parts: Parts) -> Summary:
    """The summary of a dataset that is divided."""
    dataset, rows = parts.dataset, parts.rows
    classes = {}
    if parts.labels and parts.episodes is None:
        together = dataset.y if dataset.test is None else np.concatenate([dataset.y, dataset.test.y])
        counts = np.bincount(together, minlength=len(parts.labels)).tolist()
        classes = dict(zip(parts.labels, counts, strict=True))
    return Summary(
        name=parts.name,
        kind=dataset.kind,
        shape=parts.shape,
        rows=(len(rows.train), len(rows.validation), parts.tested),
        target=dataset.target,
        classes=classes,
        columns=dataset.columns,
        notes=(*dataset.notes, *_copies(parts)),
    )


def _copies(parts: Parts) -> list[str]:
    """Rows of validation and test that are in training too: they make both values too good."""
    dataset, rows = parts.dataset, parts.rows
    if dataset.kind == "functions":
        return []
    marks = _marks(dataset.x)
    train = np.unique(marks[rows.train])
    held = [("validation", marks[rows.validation]), ("test", marks[rows.test])]
    if dataset.test is not None:
        held[1] = ("test", _marks(dataset.test.x))
    found = [(name, int(np.isin(part, train).sum()), len(part)) for name, part in held]
    shown = [f"{count} of {size} {name} rows" for name, count, size in found if count]
    rule = "are copies of training rows, so values on them are too good"
    return [f"{' and '.join(shown)} {rule}; task.split.group can keep copies together"] if shown else []


def _marks(x: Any) -> np.ndarray:
    """A hash of each row, (n,) uint64."""
    import pandas as pd  # pandas takes half a second to import

    if isinstance(x, np.ndarray):
        return np.array([hash(row.tobytes()) for row in x], np.int64)
    hashes: np.ndarray = pd.util.hash_pandas_object(x, index=False).to_numpy()
    return hashes
