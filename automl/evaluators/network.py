"""Train one network from scratch: SGD with a cosine schedule, validation after every epoch.

A parameter of the space named like one of the options (`learning_rate`, `epochs`, …) sets that
option for its trial. The options are in `automl.training.recipe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from automl.training.protocol import NetworkTrainer


class Network(NetworkTrainer):
    """The evaluator `network`. Its value is that of the last epoch, on validation data."""

    example_options: ClassVar[Mapping[str, Any]] = {"epochs": 3, "batch_size": 8, "channels": 2}


PLUGIN = Network
