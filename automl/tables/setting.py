"""What a model is made for, and fitted on, besides its configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Setting:
    """`classes`: 0 for regression; `rows` to be fitted; `categories`: leading columns that are categories."""

    classes: int
    seed: int
    rows: int
    threads: int = 1
    categories: int = 0


@dataclass(frozen=True)
class Fitting:
    """The rows to be fitted: `x` (n, features), `y` (n,), `weights` (n,); None: all count alike."""

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None

    def at(self, rows: np.ndarray) -> Fitting:
        """Some of them."""
        return Fitting(self.x[rows], self.y[rows], None if self.weights is None else self.weights[rows])
