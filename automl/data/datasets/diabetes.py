"""Diabetes: 442 patients, 10 measurements, progression after a year (ships with scikit-learn)."""

from sklearn.datasets import load_diabetes

from automl.data.bundled import sklearn_table
from automl.data.dataset import Dataset


def diabetes() -> Dataset:
    """442 rows, 10 numbers, numeric targets."""
    return sklearn_table(load_diabetes)


PLUGIN = diabetes
