"""Learned update rule: units and output scale of its LSTM, inner steps, its start, outer rate."""

from automl.searchspaces.meta import EPISODES, learner_space
from automl.space import Choice, Float, Int

PLUGIN = learner_space(
    "lstm_optimizer",
    {
        **EPISODES,
        "inner_steps": Int(5, 20),
        "hidden": Int(8, 32, log=True),
        "scale": Float(0.01, 1.0, log=True),
        "learn_start": Choice((True, False)),
    },
)
