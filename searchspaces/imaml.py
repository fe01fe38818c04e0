"""iMAML: outer and inner rate, inner steps, proximal strength, conjugate steps, meta-batch, width."""

from automl.searchspaces.meta import EPISODES, INNER_RATE, learner_space
from automl.space import Float, Int

PLUGIN = learner_space(
    "imaml",
    {
        **EPISODES,
        "inner_rate": INNER_RATE,
        "inner_steps": Int(5, 20),
        "strength": Float(0.1, 10.0, log=True),
        "conjugate_steps": Int(2, 8),
    },
)
