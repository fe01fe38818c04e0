"""Train one network from scratch: SGD with a cosine schedule, validation after every epoch.

A parameter of the space named like one of the options (`learning_rate`, `epochs`, …) sets that
option for its trial. The options are in `recipe`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

from automl.contracts import (
    Builder,
    Config,
    Context,
    Evaluator,
    EvaluatorOptions,
    Metric,
    Result,
    Split,
    Task,
)
from automl.space import Space
from automl.training import images, saved
from automl.training.procedure import measure, train_network
from automl.training.recipe import NetworkOptions
from automl.training.rehearsal import rehearse


class Network(Evaluator):
    """The evaluator `network`. Its value is that of the last epoch, on validation data."""

    Options: ClassVar[type[EvaluatorOptions]] = NetworkOptions
    needs_data: ClassVar[bool] = True
    leaves: ClassVar[Literal["network", "learner"] | None] = "network"
    builder: ClassVar[Builder | None] = "network"

    options: NetworkOptions

    def evaluate(self, config: Config, context: Context) -> Result:
        """Train `config` and report every epoch. Raises `RunError` when the training diverges."""
        return train_network(config, context, self.options)

    def check_data(self, task: Task, space: Space, protocol: Evaluator) -> None:
        """Raise `UserError` unless `task` classifies images and networks of `space` can do what is asked."""
        images.require_images(task)
        rehearse(self.options, task, space, self.options.proxies or [])

    def rung_options(self, rungs: Callable[[int], list[int]], space: Space | None) -> Mapping[str, Any]:
        """The rungs at which the learning rate is annealed, unless the options name some or a schedule."""
        if self.options.rungs or self.options.schedule == "cosine":
            return {}
        return {"rungs": rungs(self.options.most_epochs(space))}

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """Metrics on `data` of the network saved in the folder `model`."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        network = saved.load_network(model, device)
        return measure(network, images.to_device(data, device), [metric.name for metric in metrics])


PLUGIN = Network
