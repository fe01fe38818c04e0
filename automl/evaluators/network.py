"""Train one network from scratch: SGD with a cosine schedule, validation after every epoch.

A parameter of the space named like one of the options (`learning_rate`, `epochs`, …) sets that
option for its trial. The options are in `recipe`.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import torch

from automl import contracts
from automl.contracts import Config, Context, Metric, Result, Split, Task
from automl.training import images, saved
from automl.training.procedure import measure, train_network
from automl.training.recipe import NetworkOptions
from automl.training.rehearsal import rehearse


class Network:
    """The evaluator `network`. Its value is that of the last epoch, on validation data."""

    Options: ClassVar[type[contracts.Options]] = NetworkOptions
    needs_data: ClassVar[bool] = True
    builder: ClassVar[Literal["network", "supernet"] | None] = "network"
    one_shot: ClassVar[bool] = False

    def __init__(self, options: NetworkOptions) -> None:
        self.options = options

    def evaluate(self, config: Config, context: Context) -> Result:
        """Train `config` and report every epoch. Raises `RunError` when the training diverges."""
        return train_network(config, context, self.options)

    def check_data(self, task: Task, space: object) -> None:
        """Raise `UserError` unless `task` classifies images and networks of `space` can do what is asked."""
        images.require_images(task)
        rehearse(self.options, task, space, self.options.proxies or [])

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """Metrics on `data` of the network saved in the folder `model`."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        network = saved.load_network(model, device)
        return measure(network, images.to_device(data, device), [metric.name for metric in metrics])


PLUGIN = Network
