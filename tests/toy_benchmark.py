"""A small tabular benchmark: 12 configurations of three parameters, three steps, seeds with gaps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from automl.contracts import Config

OPTIONS: dict[str, list[Any]] = {"depth": [1, 2, 3], "act": ["relu", "gelu"], "rate": [0.1, 0.01]}
PLACES = np.array(list(product(*(range(len(values)) for values in OPTIONS.values()))), dtype=np.int8)
ROWS = len(PLACES)
CONFIG: Config = {"depth": 2, "act": "gelu", "rate": 0.1}
ROW = 6  # of CONFIG
STUDY = """
name: toytable
task: {metric: accuracy}
evaluator:
  lookup: {file: toy.npz, value: value_3, cost: cost_3, fresh: fresh, test: test}
budget: {device_seconds: 200}
seeds: 2
arms: {tpe: {strategy: tpe}}
"""


def arrays() -> dict[str, np.ndarray]:
    """All columns: `value_1..3` and `cost_1..3` (rising), `fresh`, `test`, and their twins by seed."""
    rng = np.random.default_rng(0)
    base = rng.permutation(ROWS) / ROWS
    found: dict[str, np.ndarray] = {f"value_{step}": 0.5 * base + 0.1 * step for step in (1, 2, 3)}
    found |= {f"cost_{step}": step * (5.0 + np.arange(ROWS) % 4) for step in (1, 2, 3)}
    for name, shift in (("fresh", 0.3), ("test", 0.2)):
        seeds = 0.5 * base[:, None] + shift + 0.01 * np.arange(3)
        seeds[::2, 1] = np.nan
        found |= {name: np.nanmean(seeds, axis=1), f"{name}_seeds": seeds}
    found["noisy"] = 0.5 * base[:, None] + 0.001 * np.arange(4)
    return found


def layout() -> dict[str, np.ndarray]:
    """The arrays that say which configurations the rows are."""
    return {
        "parameters": np.array(list(OPTIONS)),
        "options": np.array([json.dumps(values) for values in OPTIONS.values()]),
        "config": PLACES,
    }


def write(path: Path, **changed: np.ndarray | None) -> Path:
    """The benchmark as a file; `changed` arrays replace others, None leaves one out."""
    return save(path, {**layout(), **arrays(), **changed})


def save(path: Path, named: Mapping[str, np.ndarray | None]) -> Path:
    """An npz file of the arrays that are not None."""
    path.parent.mkdir(parents=True, exist_ok=True)
    given: dict[str, Any] = {name: array for name, array in named.items() if array is not None}
    np.savez_compressed(path, **given)
    return path
