"""Iris: 150 flowers, 4 measurements, 3 species (Fisher 1936; ships with scikit-learn)."""

from sklearn.datasets import load_iris

from automl.data.bundled import sklearn_table
from automl.data.dataset import Dataset


def iris() -> Dataset:
    """150 rows, 4 numbers, 3 classes."""
    return sklearn_table(load_iris)


PLUGIN = iris
