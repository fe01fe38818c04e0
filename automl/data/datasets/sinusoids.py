"""Sinusoids: 24,000 functions y = a sin(x − p), the usual family of few-shot regression (generated)."""

import numpy as np

from automl.data.dataset import Dataset

FUNCTIONS = 24_000
POINTS = 40


def sinusoids() -> Dataset:
    """Amplitude a in [0.1, 5], phase p in [0, π], 40 points x in [-5, 5] each (Finn et al. 2017, 5.1)."""
    rng = np.random.default_rng(0)
    amplitude = rng.uniform(0.1, 5.0, (FUNCTIONS, 1))
    phase = rng.uniform(0.0, np.pi, (FUNCTIONS, 1))
    x = rng.uniform(-5.0, 5.0, (FUNCTIONS, POINTS))
    y = amplitude * np.sin(x - phase)
    return Dataset(x[:, :, None].astype(np.float32), y.astype(np.float32), "functions", 0)


PLUGIN = sinusoids
