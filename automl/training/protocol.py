"""The contract of evaluators that train one network from scratch, by a recipe that others can ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

from automl import metrics as known
from automl import plugins
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
    UserError,
)
from automl.ranks.sharing import FEWEST
from automl.space import Space
from automl.training import images, procedure, saved
from automl.training.recipe import NetworkOptions
from automl.training.rehearsal import rehearse

MEASURED = (*known.CLASSIFICATION, *known.RESOURCES)


class NetworkTrainer(Evaluator):
    """An evaluator whose trial trains the network of its configuration by a recipe.

    A one-shot search asks the study's evaluator for this: networks that it derives are trained by
    `train`, with channels, cells and augmentation as in `options`. A zero-cost screening builds its networks
    by them. A plug-in may override `train` (and then `seconds_per_epoch`, the estimate of its cost).
    """

    Options: ClassVar[type[EvaluatorOptions]] = NetworkOptions
    needs_data: ClassVar[bool] = True
    uses_mlflow: ClassVar[bool] = False
    leaves: ClassVar[Literal["network", "learner"] | None] = "network"
    builder: ClassVar[Builder | None] = "network"
    returns_early: ClassVar[bool] = True

    options: NetworkOptions

    def train(
        self,
        config: Config,
        context: Context,
        *,
        first_step: int = 0,
        carry: Mapping[str, Any] | None = None,
        epoch_seconds: float | None = None,
    ) -> Result:
        """Train the network of `config`; epoch e is reported as step `first_step + e`.

        Each checkpoint holds `carry` under that key: the state of a search that came before. With
        `epoch_seconds`, the expected cost of an epoch, the training ends inside what is left of the budget.
        Raises `RunError` when the training diverges, `TrialStopped` from a report.
        """
        return procedure.train_network(
            config,
            context,
            self.options,
            first_step=first_step,
            carry=carry,
            epoch_seconds=epoch_seconds,
        )

    def seconds_per_epoch(self, config: Config, context: Context, *, batches: int = 3) -> float:
        """Wall seconds that one epoch of `train` takes, from timing a few batches."""
        return procedure.seconds_per_epoch(config, context, self.options, batches=batches)

    def evaluate(self, config: Config, context: Context) -> Result:
        """Train `config` and report every epoch. The value is that of the last epoch, on validation data."""
        return self.train(config, context)

    def measures(self) -> Collection[str]:
        """Metrics of classes, and what a network needs."""
        return MEASURED

    def most_ranks(self) -> int | None:
        """A batch can be divided into pairs of images."""
        return self.options.batch_size // FEWEST

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
        return score_saved(model, data, metrics)


def require_trainer(evaluator: Evaluator, what: str) -> NetworkTrainer:
    """`evaluator`, which `what` needs as one that trains networks. Raises `UserError` for another."""
    if isinstance(evaluator, NetworkTrainer):
        return evaluator
    known = [
        name
        for name in plugins.names("evaluators")
        if issubclass(plugins.load("evaluators", name), NetworkTrainer)
    ]
    raise UserError(
        f"{what} needs an evaluator that trains networks, but got one of type {type(evaluator).__name__}; "
        f"known ones: {', '.join(known)}"
    )


def score_saved(model: Path, data: Split, metrics: list[Metric]) -> dict[str, float]:
    """Metrics on `data` of the network that `saved.save_network` left in the folder `model`."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = saved.load_network(model, device)
    return procedure.measure(network, images.to_device(data, device), [metric.name for metric in metrics])
