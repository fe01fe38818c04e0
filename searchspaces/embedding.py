"""Joint embedding with logistic regression: outer rate, batch, inverse penalty, width."""

from automl.searchspaces.meta import BATCH_SIZE, learner_space
from automl.space import Float

PLUGIN = learner_space(
    "embedding", {"batch_size": BATCH_SIZE, "inverse_penalty": Float(0.1, 100.0, log=True)}
)
