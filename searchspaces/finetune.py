"""Joint training, then fine-tuning: outer rate, batch, rate and number of steps on the support set, width."""

from automl.searchspaces.meta import BATCH_SIZE, INNER_RATE, learner_space
from automl.space import Int

PLUGIN = learner_space(
    "finetune",
    {"batch_size": BATCH_SIZE, "inner_rate": INNER_RATE, "inner_steps": Int(10, 200, log=True)},
)
