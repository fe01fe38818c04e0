"""Prototypical networks: outer rate, ways and shots of training episodes, meta-batch, width."""

from automl.searchspaces.meta import METRIC, learner_space

PLUGIN = learner_space("protonet", METRIC)
