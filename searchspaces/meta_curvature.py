"""Meta-Curvature: outer and inner rate, inner steps, meta-batch, width, first or second order."""

from automl.searchspaces.meta import UNROLLED, learner_space

PLUGIN = learner_space("meta_curvature", UNROLLED)
