"""Joint embedding with the nearest class mean: outer rate, batch, width."""

from automl.searchspaces.meta import BATCH_SIZE, learner_space

PLUGIN = learner_space("nearest_centroid", {"batch_size": BATCH_SIZE})
