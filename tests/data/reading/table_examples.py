"""Tables written to files, and the dataset that is read from one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl.contracts import TaskSpec
from automl.data.dataset import Dataset, check_dataset
from automl.data.reading import read

ROWS = 40
RNG = np.random.default_rng(0)
X1 = RNG.normal(size=ROWS).round(4)
X2 = RNG.normal(size=ROWS).round(4)
Y = np.arange(ROWS) // 3 % 2


def table(folder: Path, text: str | bytes, name: str = "a.csv", **task: Any) -> Dataset:
    """The dataset of a file with this content; the target is `y`."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    spec = {
        "dataset": str(path),
        "target": "y",
        "metrics": [{"name": "own", "direction": "maximize"}],
        **task,
    }
    return check_dataset(read(path, TaskSpec.from_json(spec)), name)


def csv(columns: dict[str, Any], separator: str = ",", end: str = "") -> str:
    rows = zip(*columns.values(), strict=True)
    lines = [separator.join(columns), *(separator.join(map(str, row)) + end for row in rows)]
    return "\n".join(lines) + "\n"


def plain(**more: Any) -> dict[str, Any]:
    return {"x1": X1, "x2": X2, **more, "y": Y}


def told(dataset: Dataset, *words: str) -> bool:
    return any(all(word in note for word in words) for note in dataset.notes)
