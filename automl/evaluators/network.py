"""Train one network from scratch: SGD with a cosine schedule, validation after every epoch.

A parameter of the space named like one of the options (`learning_rate`, `epochs`, …) sets that
option for its trial.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, ValidationError
from torch import nn
from torch.nn.functional import cross_entropy

from automl import contracts, metrics
from automl.contracts import Config, Context, Metric, Result, RunError, Split, Task, UserError
from automl.evaluators import saved, training
from automl.evaluators.training import Images


class NetworkOptions(contracts.Options):
    """How a network is trained. `deadline` is in wall seconds; `channels` and `cells` go to the space."""

    epochs: int = Field(8, ge=1)
    batch_size: int = Field(64, ge=2)
    learning_rate: float = Field(0.05, gt=0)
    momentum: float = Field(0.9, gt=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    channels: int = Field(8, ge=1)
    cells: int = Field(1, ge=1)
    augment: Literal["auto", "none", "shift", "shift_flip"] = "auto"
    deadline: float = Field(3600, gt=0)

    def adjusted(self, config: Config) -> NetworkOptions:
        """These options with those that `config` sets. Raises `UserError` for a value out of range."""
        chosen = {name: value for name, value in config.items() if name in NetworkOptions.model_fields}
        try:
            return NetworkOptions.model_validate({**self.model_dump(), **chosen})
        except ValidationError as error:
            first = error.errors()[0]
            raise UserError(
                f"a parameter named like an option must have a value that option takes, but "
                f"{first['loc'][0]}={first['input']!r}: {first['msg']}; change the search space"
            ) from error


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

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """Metrics on `data` of the network saved in the folder `model`."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        network = saved.load_network(model, device)
        return measure(network, training.to_device(data, device), [metric.name for metric in metrics])


def train_network(
    config: Config,
    context: Context,
    options: NetworkOptions,
    *,
    first_step: int = 0,
    carry: Mapping[str, Any] | None = None,
) -> Result:
    """Train the network of `config` (in `context.space`) by the protocol `options`; the one way to do it.

    Epoch e is reported as step `first_step + e`. Each checkpoint holds `carry` under that key, for
    an evaluator whose search came before (its steps are those up to `first_step`); a training
    that was interrupted goes on from its last checkpoint and ends bit for bit as if it had not
    been. With `context.final` the model is left in `<workdir>/model`.

    Raises `RunError` when the loss stops being finite, `TrialStopped` from a report.
    """
    options = options.adjusted(config)
    training.require_images(context.task)
    names = [metric.name for metric in context.metrics]
    with training.seeded(context.seed, context.device):
        run = _Run.start(config, context, options)
        validation = training.to_device(context.task.validation, context.device)
        done = run.resume(context.checkpoint.load(), first_step)
        for epoch in range(done + 1, options.epochs + 1):
            run.train_epoch(epoch)
            values = measure(run.model, validation, names, extra=("log_loss",))
            told = {name: value for name, value in values.items() if name != names[0]}
            context.report(first_step + epoch, values[names[0]], train_loss=run.loss, **told)
            state = {**run.state(), "carry": dict(carry or {})}
            context.checkpoint.save(first_step + epoch, state)
        values = measure(run.model, validation, names, extra=("log_loss", "accuracy"))
    values["parameters"] = float(training.count_parameters(run.model))
    if context.final:
        saved.save_network(run.model, config, context, options)
    return Result(
        values=metrics.finite(values, names),
        metrics={"train_loss": run.loss, **{name: v for name, v in values.items() if name not in names}},
    )


def seconds_per_epoch(
    config: Config, context: Context, options: NetworkOptions, *, batches: int = 3
) -> float:
    """Wall seconds that one epoch of `config` with its validation takes, from timing a few batches."""
    options = options.adjusted(config)
    device = torch.device(context.device)
    with training.seeded(context.seed, context.device):
        run = _Run.start(config, context, options)
        parts = training.batches(len(run.data.y), options.batch_size, context.device)
        timed = parts[1 : 1 + batches] or parts[:1]
        run.train_batches(parts[:1], lambda _: 0.0)
        start = training.clock(device)
        run.train_batches(timed, lambda _: 0.0)
        trained = training.clock(device)
        sample = run.data.x[: options.batch_size]
        training.predict(run.model, sample)
        predicted = training.clock(device)
    validation = (predicted - trained) / len(sample) * len(context.task.validation)
    return (trained - start) / len(timed) * len(parts) + validation


@dataclass
class _Run:
    """A network in training: its optimiser, its data, its last mean training loss."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    data: Images
    options: NetworkOptions
    augment: training.Augmentation
    device: str
    loss: float = math.nan

    @classmethod
    def start(cls, config: Config, context: Context, options: NetworkOptions) -> _Run:
        task = context.task
        model = saved.builder_of(context.space)(
            config, task.shape, task.classes, channels=options.channels, cells=options.cells
        )
        model = training.place(model, context.device)
        # scales, shifts and biases are not decayed: pulling them to zero regularises nothing
        matrices = [p for p in model.parameters() if p.ndim > 1]
        vectors = [p for p in model.parameters() if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": options.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        optimiser = torch.optim.SGD(
            [group for group in groups if group["params"]],
            lr=options.learning_rate,
            momentum=options.momentum,
            nesterov=True,
            fused=True,
        )
        data = training.to_device(task.train, context.device)
        mode = training.augmentation(options.augment, task.shape)
        return cls(model, optimiser, data, options, mode, context.device)

    def resume(self, checkpoint: tuple[int, dict[str, Any]] | None, first_step: int) -> int:
        """Take up the checkpoint of an earlier attempt; the number of epochs it had done."""
        if checkpoint is None or checkpoint[0] <= first_step:
            return 0
        step, state = checkpoint
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        training.set_rng_state(state["rng"], self.device)
        self.loss = state["loss"]
        return step - first_step

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": training.rng_state(self.device),
            "loss": self.loss,
        }

    def train_epoch(self, epoch: int) -> None:
        parts = training.batches(len(self.data.y), self.options.batch_size, self.device)
        total = self.options.epochs * len(parts)
        before = (epoch - 1) * len(parts)
        # lr_t = lr / 2 · (1 + cos(π t / T)), Loshchilov & Hutter 2017 without restarts
        peak = self.options.learning_rate
        self.loss = self.train_batches(
            parts, lambda t: peak / 2 * (1 + math.cos(math.pi * (before + t) / total))
        )
        if not math.isfinite(self.loss):
            raise RunError(
                f"the training loss must stay finite, but it is {self.loss} in epoch {epoch}; "
                f"lower learning_rate (now {peak:g})"
            )

    def train_batches(self, parts: Sequence[torch.Tensor], rate: Callable[[int], float]) -> float:
        """One step for each batch of indices; the mean loss."""
        self.model.train()
        total = torch.zeros((), device=self.device)
        for number, part in enumerate(parts):
            for group in self.optimiser.param_groups:
                group["lr"] = rate(number)
            logits = self.model(training.augment(self.data.x[part], self.augment))
            loss = cross_entropy(logits, self.data.y[part])
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            total += loss.detach()
        return float(total) / len(parts)


def measure(
    model: nn.Module, data: Images, names: Sequence[str], *, extra: Sequence[str] = ()
) -> dict[str, float]:
    """Metrics of `model` on `data`: those of predictions and the resources among `names`, and `extra`."""
    values: dict[str, float] = {}
    image = data.x[:1]
    if "parameters" in names:
        values["parameters"] = float(training.count_parameters(model))
    if "flops" in names:
        values["flops"] = float(training.count_flops(model, image))
    if "latency" in names:
        values["latency"] = training.measure_latency(model, image)
    predicted = [name for name in dict.fromkeys((*names, *extra)) if name not in metrics.RESOURCES]
    return values | metrics.score(predicted, data.y.cpu().numpy(), training.predict(model, data.x))


PLUGIN = Network
