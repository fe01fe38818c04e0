"""Breast cancer Wisconsin: 569 tumours, 30 measurements, 2 classes (UCI; ships with scikit-learn)."""

from sklearn.datasets import load_breast_cancer

from automl.data.bundled import sklearn_table
from automl.data.dataset import Dataset


def breast_cancer() -> Dataset:
    """569 rows, 30 numbers, 2 classes."""
    return sklearn_table(load_breast_cancer)


PLUGIN = breast_cancer
