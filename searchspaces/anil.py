"""ANIL: outer and inner rate, inner steps of the head, meta-batch, width, order, learned inner rates."""

from automl.searchspaces.meta import MAML, learner_space

PLUGIN = learner_space("anil", MAML)
