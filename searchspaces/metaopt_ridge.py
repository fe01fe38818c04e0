"""Ridge heads: penalty and output scale to start from, outer rate, meta-batch, width; regression too."""

from automl.searchspaces.meta import EPISODES, learner_space
from automl.space import Float

PLUGIN = learner_space(
    "metaopt_ridge",
    {**EPISODES, "ridge": Float(0.01, 100.0, log=True), "scale": Float(1.0, 30.0, log=True)},
)
