"""MAML: outer and inner rate, inner steps, meta-batch, width, first or second order, learned inner rates."""

from automl.searchspaces.meta import MAML, learner_space

PLUGIN = learner_space("maml", MAML)
