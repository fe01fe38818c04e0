"""Meta-SGD: outer rate, the inner rate that all start from, inner steps, meta-batch, width, order."""

from automl.searchspaces.meta import UNROLLED, learner_space

PLUGIN = learner_space("meta_sgd", UNROLLED)
