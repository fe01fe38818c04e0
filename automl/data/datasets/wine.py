"""Wine: 178 wines, 13 chemical measurements, 3 growers (UCI; ships with scikit-learn)."""

from sklearn.datasets import load_wine

from automl.data.bundled import sklearn_table
from automl.data.dataset import Dataset


def wine() -> Dataset:
    """178 rows, 13 numbers, 3 classes."""
    return sklearn_table(load_wine)


PLUGIN = wine
