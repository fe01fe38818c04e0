"""FOMAML: outer and inner rate, inner steps, meta-batch, width, learned inner rates."""

from automl.searchspaces.meta import FOMAML, learner_space

PLUGIN = learner_space("fomaml", FOMAML)
