"""What evaluators may see of the data: training and validation parts, or few-shot tasks. Never test data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.contracts.basics import Metric

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True)
class Split:
    """One part of a dataset. `x`: (n, ...) array or DataFrame; `y`: (n,) int64 labels or float targets.

    `groups` (n,): rows of one value belong together, also in folds; None when every row stands for itself.
    `weights` (n,): how much each row counts in a fit, float64 of at least 0; None when all count alike.
    """

    x: Any
    y: np.ndarray
    groups: np.ndarray | None = None
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)


ADAPTATION_STEPS = (0, 1, 3, 5, 10)  # after which a meta-learner that goes by steps is judged


@dataclass(frozen=True)
class EpisodeSpec:
    """How few-shot tasks are drawn: `ways` classes with `shots` support and `queries` query examples each.

    `ways` is 0 for regression, whose tasks are functions. Every evaluation uses the same `count` fixed
    episodes. With `rotations`, each class turned by 90, 180 and 270 degrees is a class of its own. Tests are
    taken with `more_shots` too.
    """

    ways: int = 5
    shots: int = 1
    queries: int = 15
    count: int = 600
    rotations: bool = False
    more_shots: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Episodes:
    """A batch of T tasks. Inputs: support (T, S, *shape), query (T, Q, *shape).

    Targets (T, S) and (T, Q): int64 labels in 0..ways-1, or floats when `ways` is 0 (regression).
    """

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor
    ways: int

    def __len__(self) -> int:
        return len(self.support_x)


@dataclass(frozen=True)
class ReadColumn:
    """A column of which features were made, and how its cells were read.

    `kind`: number, category, date, time (of day), url, list (`format`: what stands between items, `known`:
    these), or text of words. `decimal`, `groups`: the decimal sign of a column of numbers, and what
    may stand between groups of three digits; `signs`: which of points and commas stood in them; `units`: what
    stood beside them, "" for nothing; None: unknown. `format`: of dates; `hours`: whether their time of day
    counts. `known`: the categories of the training rows; None: unknown.
    """

    name: str
    kind: str
    decimal: str = "."
    groups: tuple[str, ...] = ("",)
    format: str = ""
    hours: bool = False
    signs: tuple[str, ...] = (".", ",")
    units: tuple[str, ...] | None = None
    known: tuple[str, ...] | None = None

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> ReadColumn:
        """What `dataclasses.asdict` made of one, after JSON has made lists of its tuples."""
        values: dict[str, Any] = {
            key: tuple(one) if isinstance(one, list) else one for key, one in found.items()
        }
        return cls(**values)


@dataclass(frozen=True)
class TableReading:
    """How the rows of a table were read, so that new rows are read alike. `target`: "" where it is no column.

    `missing`: texts that stand for no value besides empty cells; None: those in common use.
    """

    columns: tuple[ReadColumn, ...]
    target: str = ""
    missing: tuple[str, ...] | None = None

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> TableReading:
        """What `dataclasses.asdict` made of one, after JSON has made lists of its tuples."""
        columns = tuple(ReadColumn.from_json(column) for column in found["columns"])
        missing = None if found["missing"] is None else tuple(found["missing"])
        return cls(columns, found["target"], missing)


@dataclass(frozen=True)
class Task:
    """What searching code may see: training and validation data, never test.

    `kind`: `image`, `table`; `shape`: (channels, height, width) or (features,);
    `classes`: number of classes, 0 for regression; `digest`: sha256 of all data and the split.
    `episodes`: the parts hold different classes (or functions), from which few-shot tasks are drawn.
    `labels`: the classes' names; `in_time`: rows are in the order of time, and folds must keep it;
    `notes`: what was found out, left out or converted when the data were read. `reading`: of a table.
    `rows`: how many there are in all, those of the test too; 0: unknown.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    classes: int
    train: Split
    validation: Split
    digest: str
    episodes: EpisodeSpec | None = None
    labels: tuple[str, ...] = ()
    in_time: bool = False
    notes: tuple[str, ...] = ()
    reading: TableReading | None = None
    rows: int = 0

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of a table that hold texts of words, not categories."""
        columns = () if self.reading is None else self.reading.columns
        return tuple(column.name for column in columns if column.kind == "text")

    def label(self, number: int) -> str:
        """The name of a class; its number where it has none."""
        return self.labels[number] if self.labels else str(number)


@dataclass(frozen=True)
class TaskOutline:
    """What is known of a task before its data are read: metrics, whether it names data, few-shot or not."""

    metrics: tuple[Metric, ...]
    has_data: bool
    episodes: EpisodeSpec | None = None
