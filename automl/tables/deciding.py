"""From probabilities of two classes to a decision: by a threshold of that of the second one."""

from __future__ import annotations

import numpy as np


def decided(probabilities: np.ndarray, threshold: float | None) -> np.ndarray:
    """1 for the class that is predicted and 0 for the other, (n, 2), of `probabilities` (n, 2).

    It is the second class from `threshold` on; without one they stay as they are: the larger one decides.
    """
    if threshold is None:
        return probabilities
    second = probabilities[:, 1] >= threshold
    return np.column_stack([~second, second]).astype(np.float64)
