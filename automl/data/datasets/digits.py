"""Digits: 1,797 handwritten digits, 8×8 grey levels, 10 classes (UCI; ships with scikit-learn)."""

import numpy as np
from sklearn.datasets import load_digits

from automl.data.dataset import Dataset


def digits() -> Dataset:
    """1,797 images (1, 8, 8) with pixels 0 … 16, 10 classes, no official test part."""
    bunch = load_digits()
    return Dataset(bunch.images[:, None].astype(np.uint8), bunch.target, "image", 10)


PLUGIN = digits
