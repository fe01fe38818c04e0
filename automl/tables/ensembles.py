"""Fitted pipelines that predict together: the weighted mean of their probabilities or values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from automl.tables.model import TableModel, predicted


@dataclass(frozen=True)
class Ensemble:
    """Fitted `models` of one task, of classes with probabilities, and their `weights`, which sum to 1."""

    models: Sequence[TableModel]
    weights: Sequence[float]

    @property
    def classes(self) -> int:
        """How many the target has, 0 for numbers."""
        return self.models[0].classes

    @property
    def families(self) -> tuple[str, ...]:
        """The families of its models, each once."""
        return tuple(dict.fromkeys(family for model in self.models for family in model.families))

    @cached_property
    def fitted(self) -> Any:
        """A model of scikit-learn's conventions, as a single pipeline is one."""
        # scikit-learn takes a second to import
        from sklearn.ensemble import VotingClassifier, VotingRegressor
        from sklearn.preprocessing import LabelEncoder

        fitted = [model.fitted for model in self.models]
        # not the models themselves: skops would write each of them twice
        named = [(f"member_{place}", None) for place in range(1, 1 + len(fitted))]
        weights = [float(weight) for weight in self.weights]
        if not self.models[0].classes:
            voting = VotingRegressor(named, weights=weights)
        else:
            voting = VotingClassifier(named, voting="soft", weights=weights)
            voting.le_ = LabelEncoder().fit(fitted[0].classes_)
            voting.classes_ = voting.le_.classes_
        voting.estimators_ = fitted
        return voting

    def predict(self, x: Any) -> np.ndarray:
        """Class probabilities (n, classes), or values (n,) for regression."""
        first = self.models[0]
        return predicted(self.fitted, x, first.classes, first.threads)
