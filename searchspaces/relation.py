"""Relation networks: units of the relation network, outer rate, training episodes, width."""

from automl.searchspaces.meta import METRIC, learner_space
from automl.space import Int

PLUGIN = learner_space("relation", {**METRIC, "hidden": Int(8, 128, log=True)})
