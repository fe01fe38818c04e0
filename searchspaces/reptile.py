"""Reptile: step towards the adapted weights, inner rate of Adam, inner steps and batch, meta-batch, width."""

from automl.searchspaces.meta import EPISODES, learner_space
from automl.space import Choice, Float, Int

PLUGIN = learner_space(
    "reptile",
    {
        **EPISODES,
        "outer_rate": Float(0.1, 1.0, log=True),  # of the interpolation
        "inner_rate": Float(1e-4, 1e-2, log=True),
        "inner_steps": Int(4, 16),
        "inner_batch": Choice((0, 5, 10)),
    },
)
