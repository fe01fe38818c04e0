"""The control that never adapts: outer rate, meta-batch, width."""

from automl.searchspaces.meta import EPISODES, learner_space

PLUGIN = learner_space("no_adaptation", EPISODES)
