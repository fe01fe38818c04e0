"""Siamese networks: units of the twins' last layer, outer rate, training episodes, width."""

from automl.searchspaces.meta import METRIC, learner_space
from automl.space import Int

PLUGIN = learner_space("siamese", {**METRIC, "units": Int(64, 4096, log=True)})
