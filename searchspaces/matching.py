"""Matching networks: scale of the cosine, full-context embeddings, outer rate, training episodes, width."""

from automl.searchspaces.meta import METRIC, learner_space
from automl.space import Choice, Float

PLUGIN = learner_space(
    "matching",
    {**METRIC, "scale": Float(1.0, 30.0, log=True), "full_context": Choice((False, True))},
)
